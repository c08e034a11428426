"""What each stage's result depends on: options, fingerprints of input and model, and the package's version."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_oc_amd._version import __version__
from gaia_oc_amd.catalogues.tables import InputTables
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.files.data_directory import CLUSTER_FILE
from gaia_oc_amd.files.provenance import file_fingerprints, table_fingerprint
from gaia_oc_amd.isochrones import nearest_age

_SETS_FILES = (CLUSTER_FILE, "members.csv", "non_members.csv")
"""Files of the sets that an evaluation leaves as they are."""


def sets_recipe(cluster: Cluster, tables: InputTables, options: dict[str, Any]) -> dict[str, Any]:
    """What the sets of a cluster depend on.

    Parameters
    ----------
    cluster : Cluster
        As `catalogues.lookup.find_cluster` gives it.
    tables : InputTables
        Only the rows of this cluster count, and the isochrone of its age.
    options : dict of option dataclasses
        What `set_building.build_sets` takes; whether the cone is fetched again does not count.

    Returns
    -------
    dict
        For `files.provenance.Stage`.
    """
    chosen = as_dicts(options)
    chosen.get("cone", {}).pop("overwrite_cone", None)
    return {
        "options": chosen,
        "cluster": cluster.as_dict(),
        "members": table_fingerprint(tables.listed_members(cluster.name)),
        "comparison": table_fingerprint(tables.listed_for_comparison(cluster.name)),
        "isochrone": table_fingerprint(nearest_age(tables.isochrones, cluster.age)),
        "version": __version__,
    }


def evaluation_recipe(folder: Path, model: str, options: dict[str, Any]) -> dict[str, Any]:
    """What the probabilities of a cluster's candidates depend on.

    Parameters
    ----------
    folder : path
        Holds the sets.
    model : str
        Fingerprint of the classifier.
    options : dict
        Sampling options and seed.

    Returns
    -------
    dict
    """
    return {
        "options": as_dicts(options),
        "model": model,
        "sets": file_fingerprints(folder, _SETS_FILES),
        "version": __version__,
    }


def sets_plot_recipe(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """What the plot of the candidate selection depends on, which shows no probabilities."""
    return _drawing(folder, _SETS_FILES, options)


def evaluation_plots_recipe(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """What the plots of an evaluated cluster depend on."""
    return _drawing(folder, (*_SETS_FILES, "candidates.csv", "comparison.csv"), options)


def _drawing(folder: Path, files: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
    return {
        "options": as_dicts(options),
        "sets": file_fingerprints(folder, files),
        "version": __version__,
    }


def validation_recipe(
    folder: Path, model: str, isochrones: pd.DataFrame, options: dict[str, Any]
) -> dict[str, Any]:
    """What the completeness and contamination of a cluster's list depend on."""
    return {
        "options": as_dicts(options),
        "model": model,
        "isochrones": table_fingerprint(isochrones),
        "sets": file_fingerprints(folder, (*_SETS_FILES, "candidates.csv", "cone.json")),
        "version": __version__,
    }


def as_dicts(options: dict[str, Any]) -> dict[str, Any]:
    """Option dataclasses as dicts; what is none stays as it is."""
    return {
        name: asdict(value) if hasattr(value, "__dataclass_fields__") else value
        for name, value in options.items()
    }
