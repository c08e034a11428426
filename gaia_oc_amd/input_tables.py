"""The tables that a run reads once for all its clusters, and a cluster's rows in them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.catalogue_tables import read_member_list, read_parameter_table
from gaia_oc_amd.catalogues import CATALOGUES, CG18_MEMBERS, CG20_PARAMETERS, T22_MEMBERS, find_catalogue
from gaia_oc_amd.cluster_names import NameIndex, normalise_name
from gaia_oc_amd.files.data_directory import CREDENTIALS, ISOCHRONES
from gaia_oc_amd.isochrone_files import read_isochrones
from gaia_oc_amd.member_matching import rows_by_cluster
from gaia_oc_amd.options import TablePaths


@dataclass(frozen=True)
class InputTables:
    """Tables that a run reads once for all its clusters.

    Parameters
    ----------
    parameters : DataFrame
        Cluster parameters, one row per cluster.
    parameters_path : str
        Where they come from, for messages.
    members, comparison : DataFrame
        Member lists; the comparison list may be empty.
    isochrones : DataFrame
        Points of all isochrones.
    credentials_path : path, optional
        Credentials of the Gaia archive, if there are any.
    data_dir : path, optional
        Where other catalogues may lie, to say which of them knows a name.
    """

    parameters: pd.DataFrame
    parameters_path: str
    members: pd.DataFrame
    comparison: pd.DataFrame
    isochrones: pd.DataFrame
    credentials_path: Path | None
    data_dir: Path | None = None

    def known_name(self, name: str) -> str | None:
        """Name that the parameter table has for a cluster, None if it has none (see `cluster_names.NameIndex`)."""
        return self._parameter_names.get(name)

    def parameters_of(self, known_name: str) -> dict[str, Any]:
        """Row of the parameter table with exactly this name."""
        return self.parameters.loc[self.parameters["name"] == known_name].iloc[0].to_dict()

    def listed_members(self, name: str) -> pd.DataFrame:
        """Rows of one cluster in the member list, as `member_matching.listed_members` gives them."""
        return _rows(self.members, self._member_names, self._member_rows, name)

    def listed_for_comparison(self, name: str) -> pd.DataFrame:
        """Rows of one cluster in the comparison list."""
        return _rows(self.comparison, self._comparison_names, self._comparison_rows, name)

    @cached_property
    def _parameter_names(self) -> NameIndex:
        return NameIndex(self.parameters["name"], table=self.parameters_path)

    @cached_property
    def _member_names(self) -> NameIndex:
        return NameIndex(self.members["cluster"].unique(), table="the member list")

    @cached_property
    def _member_rows(self) -> dict[str, NDArray[np.int64]]:
        return rows_by_cluster(self.members)

    @cached_property
    def _comparison_names(self) -> NameIndex:
        return NameIndex(self.comparison["cluster"].unique(), table="the comparison list")

    @cached_property
    def _comparison_rows(self) -> dict[str, NDArray[np.int64]]:
        return rows_by_cluster(self.comparison)


def _rows(
    member_list: pd.DataFrame, names: NameIndex, rows: dict[str, NDArray[np.int64]], name: str
) -> pd.DataFrame:
    listed = names.get(name)
    return member_list.iloc[rows[normalise_name(listed)] if listed else []].reset_index(drop=True)


def read_input_tables(data_dir: Path | str, paths: TablePaths | None = None) -> InputTables:
    """Read the tables that `build_sets` needs.

    Parameters
    ----------
    data_dir : path
        Holds the tables under their default names.
    paths : TablePaths, optional
        Other places, or another catalogue. A path or catalogue given here must exist; the default comparison list
        and credentials may be absent.

    Returns
    -------
    InputTables

    Raises
    ------
    FileNotFoundError, ValueError
        If a table is missing or unreadable.
    """
    data_dir, paths = Path(data_dir), paths or TablePaths()
    parameters_path, members_path, comparison_path = table_paths(data_dir, paths)
    isochrone_path = _existing(
        paths.isochrone_path or data_dir / ISOCHRONES, "--isochrone_path", "download_isochrones.py"
    )
    credentials_path = paths.credentials_path or data_dir / CREDENTIALS
    if paths.credentials_path:
        _existing(paths.credentials_path, "--credentials_path", "create_gaia_credentials_file.py")
    members = read_member_list(members_path)
    return InputTables(
        parameters=read_parameter_table(parameters_path),
        parameters_path=str(parameters_path),
        members=members,
        comparison=read_member_list(comparison_path) if comparison_path else members.iloc[:0],
        isochrones=read_isochrones(isochrone_path),
        credentials_path=credentials_path if credentials_path.exists() else None,
        data_dir=data_dir,
    )


def table_paths(data_dir: Path, paths: TablePaths) -> tuple[Path, Path, Path | None]:
    """Files of cluster parameters, members and comparison members: a path that was given, else a catalogue's file.

    A catalogue that lacks one of the two is completed by the members of Cantat-Gaudin et al. (2018) and the
    parameters of Cantat-Gaudin et al. (2020).

    Parameters
    ----------
    data_dir : path
        Holds the catalogues.
    paths : TablePaths
        Paths and catalogues that were asked for.

    Returns
    -------
    tuple of Path
        The last is None if no comparison was asked for and the default list is not there.

    Raises
    ------
    FileNotFoundError
        If a file does not exist; the message names the download.
    ValueError
        If the comparison catalogue has no member list.
    """
    chosen = find_catalogue(paths.catalogue)
    parameters = chosen.parameters or CG20_PARAMETERS
    members = chosen.members or CG18_MEMBERS
    return (
        _existing(paths.cluster_path or data_dir / parameters.file_name, "--cluster_path"),
        _existing(paths.members_path or data_dir / members.file_name, "--members_path"),
        comparison_path(data_dir, paths),
    )


def comparison_path(data_dir: Path, paths: TablePaths) -> Path | None:
    """File of the comparison members, None if none were asked for and the default list is not there."""
    if paths.comparison_path:
        return paths.comparison_path
    if paths.comparison_catalogue is None:
        default = data_dir / T22_MEMBERS.file_name
        return default if default.exists() else None
    members = find_catalogue(paths.comparison_catalogue).members
    if members is None:
        names = ", ".join(catalogue.key for catalogue in CATALOGUES if catalogue.members)
        raise ValueError(
            f"{paths.comparison_catalogue} has no member list to compare with: choose among {names}."
        )
    return _existing(data_dir / members.file_name, "--comparison_path")


_DOWNLOAD = "download_members_and_cluster_params.py"


def _existing(path: Path, option: str, script: str = _DOWNLOAD) -> Path:
    if not path.exists():
        keys = [c.key for c in CATALOGUES for table in c.tables if table.file_name == path.name]
        command = f"{script} --catalogues {keys[0]}" if keys and script == _DOWNLOAD else script
        raise FileNotFoundError(
            f"{path} does not exist: run `python {command}` or name another file with {option}."
        )
    return path
