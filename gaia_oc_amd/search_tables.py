"""The tables that a search for first members reads once for all its clusters; none of them must exist."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from gaia_oc_amd.catalogues.published import CG20_PARAMETERS, find_catalogue
from gaia_oc_amd.catalogues.tables import read_parameter_table
from gaia_oc_amd.files.data_directory import CREDENTIALS, ISOCHRONES
from gaia_oc_amd.isochrone_files import read_isochrones
from gaia_oc_amd.options import TablePaths


@dataclass(frozen=True)
class SearchTables:
    """Cluster parameters, isochrones and credentials, each None where there are none."""

    parameters: pd.DataFrame | None
    isochrones: pd.DataFrame | None
    credentials_path: Path | None


def read_search_tables(
    data_dir: Path | str, paths: TablePaths | None = None, *, need_isochrones: bool = False
) -> SearchTables:
    """Read what is there of the tables that a search can use.

    Parameters
    ----------
    data_dir : path
        Holds the tables under their default names.
    paths : TablePaths, optional
        Other places; a path given here must exist.
    need_isochrones : bool
        Whether isochrones must exist, for a fit.

    Returns
    -------
    SearchTables

    Raises
    ------
    FileNotFoundError
        If a path that was given, or the isochrones of a fit, do not exist.
    ValueError
        If a table cannot be read.
    """
    data_dir, paths = Path(data_dir), paths or TablePaths()
    table = find_catalogue(paths.catalogue).parameters or CG20_PARAMETERS
    parameters = _there(paths.cluster_path, data_dir / table.file_name, "--cluster_path")
    isochrones = _there(paths.isochrone_path, data_dir / ISOCHRONES, "--isochrone_path")
    if need_isochrones and isochrones is None:
        raise FileNotFoundError(
            f"{data_dir / ISOCHRONES} does not exist: run `python download_isochrones.py`, or name another file with "
            "--isochrone_path, or leave out --fit_isochrone."
        )
    return SearchTables(
        read_parameter_table(parameters) if parameters else None,
        read_isochrones(isochrones) if isochrones else None,
        _there(paths.credentials_path, data_dir / CREDENTIALS, "--credentials_path"),
    )


def _there(given: Path | None, default: Path, option: str) -> Path | None:
    if given is not None and not given.exists():
        raise FileNotFoundError(f"{given} does not exist: name another file with {option}.")
    if given is not None:
        return given
    return default if default.exists() else None
