"""Members of open clusters in Gaia DR3 with a Deep Sets network.

The names below are the public interface for ad hoc analysis. They are imported when they are first used, so
that ``import gaia_oc_amd`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # type checkers and editors cannot follow __getattr__
    from gaia_oc_amd.archive import cone_query as cone_query
    from gaia_oc_amd.archive import query_archive as query_archive
    from gaia_oc_amd.candidates import (
        select_candidates as select_candidates,
    )
    from gaia_oc_amd.candidates import (
        selection_limits as selection_limits,
    )
    from gaia_oc_amd.classifier import Classifier as Classifier
    from gaia_oc_amd.cluster import Cluster as Cluster
    from gaia_oc_amd.features import add_features as add_features
    from gaia_oc_amd.first_members import find_first_members as find_first_members
    from gaia_oc_amd.injection import inject_members as inject_members
    from gaia_oc_amd.input_tables import read_input_tables as read_input_tables
    from gaia_oc_amd.isochrone_files import read_isochrones as read_isochrones
    from gaia_oc_amd.isochrone_fit import fit_isochrone as fit_isochrone
    from gaia_oc_amd.isochrones import nearest_age as nearest_age
    from gaia_oc_amd.isochrones import place_isochrone as place_isochrone
    from gaia_oc_amd.member_search import search_members as search_members
    from gaia_oc_amd.membership import (
        evaluate_cluster as evaluate_cluster,
    )
    from gaia_oc_amd.membership import (
        membership_probabilities as membership_probabilities,
    )
    from gaia_oc_amd.own_stars import prepare_stars as prepare_stars
    from gaia_oc_amd.posterior import ConeJudge as ConeJudge
    from gaia_oc_amd.search_field import find_target as find_target
    from gaia_oc_amd.set_building import (
        build_sets as build_sets,
    )
    from gaia_oc_amd.set_building import (
        calibrate as calibrate,
    )
    from gaia_oc_amd.set_building import (
        divide_cone as divide_cone,
    )
    from gaia_oc_amd.set_building import (
        find_members as find_members,
    )
    from gaia_oc_amd.simulation import simulate_cluster as simulate_cluster
    from gaia_oc_amd.source_sets import load_sets as load_sets
    from gaia_oc_amd.source_sets import save_sets as save_sets
    from gaia_oc_amd.tables import read_table as read_table
    from gaia_oc_amd.training import train_deep_sets_model as train_deep_sets_model
    from gaia_oc_amd.truth import score_against_truth as score_against_truth
    from gaia_oc_amd.validation import validate_cluster as validate_cluster

__version__ = "0.1.0"

_PUBLIC = {
    # a cluster's stars
    "read_input_tables": "input_tables",
    "build_sets": "set_building",
    "calibrate": "set_building",
    "find_members": "set_building",
    "divide_cone": "set_building",
    "save_sets": "source_sets",
    "load_sets": "source_sets",
    "read_table": "tables",
    "query_archive": "archive",
    "cone_query": "archive",
    # members where no list has any
    "find_target": "search_field",
    "search_members": "member_search",
    "find_first_members": "first_members",
    # the pieces of the method
    "Cluster": "cluster",
    "read_isochrones": "isochrone_files",
    "nearest_age": "isochrones",
    "place_isochrone": "isochrones",
    "selection_limits": "candidates",
    "select_candidates": "candidates",
    "add_features": "features",
    "fit_isochrone": "isochrone_fit",
    "prepare_stars": "own_stars",
    # the network
    "Classifier": "classifier",
    "train_deep_sets_model": "training",
    "membership_probabilities": "membership",
    "evaluate_cluster": "membership",
    "ConeJudge": "posterior",
    # how complete, how pure
    "validate_cluster": "validation",
    "inject_members": "injection",
    # a cluster whose members are known
    "simulate_cluster": "simulation",
    "score_against_truth": "truth",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
