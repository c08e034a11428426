"""Fit the isochrone of one cluster, save and draw the fit, and merge fits into one table."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_oc_amd._version import __version__
from gaia_oc_amd.cluster import PARAMETERS
from gaia_oc_amd.files.data_directory import cluster_directory, locked, read_json, write_json
from gaia_oc_amd.files.tables import write_csv
from gaia_oc_amd.isochrone_fit.fit import IsochroneFit
from gaia_oc_amd.isochrone_fit.members import FittedMembers
from gaia_oc_amd.source_sets import existing_name

FIT_FILE = "isochrone_fit.json"
FITTED_PARAMETERS = "fitted_parameters.csv"
"""In the data directory: ``build_sets.py NAME --cluster_path data/fitted_parameters.csv`` takes it."""

_INTERVALS = tuple(f"{name}_{end}" for name in ("age", "a0", "dist") for end in ("lower", "upper"))


def save_fit(
    fit: IsochroneFit,
    members: FittedMembers,
    data_dir: Path | str,
    *,
    made_with: dict[str, Any] | None = None,
) -> Path:
    """Write isochrone_fit.json into the cluster's folder.

    Parameters
    ----------
    fit : IsochroneFit
        What was fitted.
    members : FittedMembers
        The stars that it was fitted to.
    data_dir : path
        The data directory.
    made_with : dict, optional
        Recorded: option dataclasses and other values by name.

    Returns
    -------
    Path
        The cluster's folder.
    """
    folder = cluster_directory(data_dir, members.cluster.name)
    write_json(
        folder / FIT_FILE,
        {
            "fit": fit.as_dict(),
            "table": members.known,
            "row": parameter_row(fit, members),
            "stars_from": members.origin,
            "version": __version__,
            "made_with": {
                key: asdict(value) if hasattr(value, "__dataclass_fields__") else value
                for key, value in (made_with or {}).items()
            },
        },
    )
    return folder


def parameter_row(fit: IsochroneFit, members: FittedMembers) -> dict[str, Any]:
    """Row of a parameter table: the stars' means and deviations, fitted age, a0 and dist, and their intervals."""
    cluster = replace(members.cluster, age=fit.age, a0=fit.a0, dist=fit.dist)
    row = {name: getattr(cluster, name) for name in ("name", *PARAMETERS)}
    return row | {name: getattr(fit, name) for name in _INTERVALS} | {"age_limit": fit.age_limit()}


def merge_fits(names: Iterable[str], data_dir: Path | str) -> Path:
    """Put the rows of fitted clusters into the table of all, in place of older ones of the same names.

    Parameters
    ----------
    names : iterable of str
        Clusters that have an isochrone_fit.json, in any spelling.
    data_dir : path
        The data directory.

    Returns
    -------
    Path
        The table, sorted by name.
    """
    path = Path(data_dir) / FITTED_PARAMETERS
    folders = [cluster_directory(data_dir, existing_name(name, data_dir)) for name in names]
    rows = pd.DataFrame([read_json(folder / FIT_FILE)["row"] for folder in folders])
    with locked(data_dir):
        if path.exists():
            old = pd.read_csv(path, dtype={"name": str})
            rows = pd.concat([old[~old["name"].isin(rows["name"])], rows], ignore_index=True)
        write_csv(path, rows.sort_values("name", ignore_index=True))
    return path
