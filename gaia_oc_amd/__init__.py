"""Members of open clusters in Gaia DR3 with a Deep Sets network.

The names below are the public interface for ad hoc analysis. They are imported when they are first used, so
that ``import gaia_oc_amd`` costs nothing.
"""

from importlib import import_module
from typing import Any

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
