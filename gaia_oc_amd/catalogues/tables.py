"""Member lists and parameter tables: read, checked, and looked up by cluster."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.catalogues.names import NameIndex, normalise_name
from gaia_oc_amd.catalogues.published import (
    CATALOGUES,
    CG18_MEMBERS,
    CG20_PARAMETERS,
    T22_MEMBERS,
    find_catalogue,
)
from gaia_oc_amd.cluster import OPTIONAL_PARAMETERS
from gaia_oc_amd.files.tables import read_table, whole_numbers
from gaia_oc_amd.isochrones import read_isochrones
from gaia_oc_amd.options import CREDENTIALS, ISOCHRONES, TablePaths

MEMBER_COLUMNS = ("cluster", "source_id", "PMemb")
"""Columns that a member list must have."""

PARAMETER_COLUMNS = ("name", "ra", "dec", "pmra", "pmdec", "parallax")
"""Columns that a cluster parameter table must have."""

OPTIONAL_PARAMETER_COLUMNS = ("pmra_error", "pmdec_error", "parallax_error", "age", "a0", "dist")
"""Columns of a cluster parameter table that are filled with NaN where it lacks them."""

_MEASURED = (
    *("ra", "dec", "pmra", "pmdec", "parallax", "phot_g_mean_mag"),
    *("pmra_error", "pmdec_error", "parallax_error"),
)
"""Columns of a member list that must be numbers where it has them."""


def read_member_list(path: Path | str) -> pd.DataFrame:
    """Read a list of cluster members.

    Parameters
    ----------
    path : path
        Any table that `files.tables.read_table` reads, with the columns cluster, source_id and PMemb.

    Returns
    -------
    DataFrame
        One row per cluster and source, in the file's order: ``cluster`` (str), ``source_id`` (int64),
        ``PMemb`` (0 to 1) and the other columns as they are. Of rows given twice the one with the highest
        PMemb is kept, with a warning.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file cannot be read, lacks a column or rows, or has values that cannot be.
    """
    return check_members(read_table(path), str(path))


def read_parameter_table(path: Path | str) -> pd.DataFrame:
    """Read a table of cluster parameters.

    Parameters
    ----------
    path : path
        Any table that `files.tables.read_table` reads, with the columns of `PARAMETER_COLUMNS`.

    Returns
    -------
    DataFrame
        One row per cluster with name, ra and dec [deg], pmra and pmdec [mas/yr], parallax [mas], their
        standard deviations, age [log10(yr)], a0 [mag], dist [pc], in this order before other columns.
        What the file lacks of `OPTIONAL_PARAMETER_COLUMNS` is NaN.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file cannot be read, lacks a column or rows, names a cluster twice, or has values that cannot
        be.
    """
    return check_parameters(read_table(path), str(path))


def check_members(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Member list with its types set, as `read_member_list` gives it.

    Parameters
    ----------
    table : DataFrame
        As it was read.
    source : str
        Where it comes from, for messages.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If it lacks a column or rows, or has values that cannot be.
    """
    _require_columns(table, MEMBER_COLUMNS, source)
    probability = _numbers(table, "PMemb", source)
    outside = ~probability.between(0, 1)
    if outside.any():
        raise ValueError(
            f"{source} has PMemb {probability[outside].iloc[0]:g} in {int(outside.sum())} rows, but it must "
            "be between 0 and 1 (percentages divided by 100)."
        )
    table = table.assign(
        cluster=_names(table, "cluster", source),
        source_id=whole_numbers(table["source_id"], f"source_id in {source}"),
    )
    measured = [name for name in _MEASURED if name in table]
    table = table.assign(**{name: _numbers(table, name, source) for name in measured})
    if "dec" in table:
        _check_declinations(table, source)
    return _without_duplicates(table, source)


def _without_duplicates(members: pd.DataFrame, source: str) -> pd.DataFrame:
    key = ["cluster", "source_id"]
    n_more = int(members.duplicated(key).sum())
    if not n_more:
        return members
    warnings.warn(
        f"{source} lists {n_more} members more than once: the row with the highest PMemb is kept.",
        stacklevel=4,
    )
    best = members.sort_values("PMemb", ascending=False, kind="stable").drop_duplicates(key)
    return best.sort_index().reset_index(drop=True)


def check_parameters(table: pd.DataFrame, source: str, *, published: bool = False) -> pd.DataFrame:
    """Table of cluster parameters with all columns, as `read_parameter_table` gives it.

    Parameters
    ----------
    table : DataFrame
        As it was read.
    source : str
        Where it comes from, for messages.
    published : bool
        Whether the user cannot change it: of rows with the same name the first is kept, with a warning.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If it lacks a column or rows, names a cluster twice, or has values that cannot be.
    """
    _require_columns(table, PARAMETER_COLUMNS, source)
    names = _names(table, "name", source)
    repeated = names.map(normalise_name).duplicated()
    twice = names[repeated]
    if len(twice) and published:
        warnings.warn(f"{source} has {', '.join(twice)} more than once: the first row is kept.", stacklevel=3)
        table, names = table[~repeated].reset_index(drop=True), names[~repeated].reset_index(drop=True)
    elif len(twice):
        raise ValueError(
            f"{source} has {twice.iloc[0]} in more than one row: keep one (case, _ and - do not count)."
        )
    absent = {name: np.nan for name in OPTIONAL_PARAMETER_COLUMNS if name not in table}
    table = table.assign(name=names, **absent)
    velocities = (name for name in OPTIONAL_PARAMETERS if name in table)
    for name in (*PARAMETER_COLUMNS[1:], *OPTIONAL_PARAMETER_COLUMNS, *velocities):
        _numbers(table, name, source)
    _check_declinations(table, source)
    ours = [
        *("name", "ra", "dec", "pmra", "pmdec", "pmra_error", "pmdec_error"),
        *("parallax", "parallax_error", "age", "a0", "dist"),
    ]
    return table[[*ours, *(name for name in table if name not in ours)]]


def _require_columns(table: pd.DataFrame, names: tuple[str, ...], source: str) -> None:
    absent = [name for name in names if name not in table]
    if absent:
        raise ValueError(
            f"{source} has no column {', '.join(absent)}, only {', '.join(map(str, table))}: "
            f"rename its columns, {', '.join(names)} are needed."
        )
    if table.empty:
        raise ValueError(f"{source} has no rows: make or download it again.")


def _names(table: pd.DataFrame, column: str, source: str) -> pd.Series:
    names = table[column].astype("str").str.strip()
    nameless = names.isna() | (names == "")
    if nameless.any():
        raise ValueError(
            f"{source} has {int(nameless.sum())} rows without a {column}: name the cluster or remove them."
        )
    odd = next((name for name in names.unique() if not name.isprintable()), None)
    if odd is not None:
        raise ValueError(
            f"{source} has the {column} {odd[:40]!r}, which cannot be printed: give plain cluster names."
        )
    return names


def _numbers(table: pd.DataFrame, column: str, source: str) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(table[column]):
        raise ValueError(
            f"{source} has a {column} that is no number ({table[column].dropna().iloc[0]!r} is the first): "
            "give decimal numbers."
        )
    return table[column]


def _check_declinations(table: pd.DataFrame, source: str) -> None:
    dec = _numbers(table, "dec", source)
    outside = dec.abs() > 90
    if outside.any():
        raise ValueError(
            f"{source} has dec {dec[outside].iloc[0]:g} deg, outside -90..90: are ra and dec swapped?"
        )


@dataclass(frozen=True)
class InputTables:
    """Tables that a run reads once for all its clusters.

    Parameters
    ----------
    parameters : DataFrame
        Cluster parameters, one row per cluster.
    parameters_path : str
        Where they come from, for messages.
    members, comparison : DataFrame, optional
        Member lists; None where there is no list.
    isochrones : DataFrame
        Points of all isochrones.
    credentials_path : path, optional
        Credentials of the Gaia archive, if there are any.
    data_dir : path, optional
        Where other catalogues may lie, to say which of them knows a name.
    """

    parameters: pd.DataFrame
    parameters_path: str
    members: pd.DataFrame | None
    comparison: pd.DataFrame | None
    isochrones: pd.DataFrame
    credentials_path: Path | None
    data_dir: Path | None = None

    def known_name(self, name: str) -> str | None:
        """Name that the parameter table has for a cluster, None if it has none (see `catalogues.names.NameIndex`)."""
        return self._parameter_names.get(name)

    def parameters_of(self, known_name: str) -> dict[str, Any]:
        """Row of the parameter table with exactly this name."""
        return self.parameters.loc[self.parameters["name"] == known_name].iloc[0].to_dict()

    def listed_members(self, name: str) -> pd.DataFrame:
        """Rows of one cluster in the member list, as `members.listed_members` gives them."""
        return _NOBODY if self.members is None else self._listed.of(name)

    def listed_for_comparison(self, name: str) -> pd.DataFrame:
        """Rows of one cluster in the comparison list."""
        return _NOBODY if self.comparison is None else self._compared.of(name)

    @cached_property
    def _parameter_names(self) -> NameIndex:
        return NameIndex(self.parameters["name"], table=self.parameters_path)

    @cached_property
    def _listed(self) -> "_ListByCluster":
        return _ListByCluster(self.members, "the member list")

    @cached_property
    def _compared(self) -> "_ListByCluster":
        return _ListByCluster(self.comparison, "the comparison list")


_NO_PARAMETERS = pd.DataFrame({"name": pd.Series(dtype=str)})
_NOBODY = pd.DataFrame(
    {"cluster": pd.Series(dtype=str), "source_id": pd.Series(dtype="int64"), "PMemb": pd.Series(dtype=float)}
)


class _ListByCluster:
    """A member list in which clusters are found without looking through it again."""

    def __init__(self, member_list: pd.DataFrame, table: str) -> None:
        self._list = member_list
        self._names = NameIndex(member_list["cluster"].unique(), table=table)
        self._rows = rows_by_cluster(member_list)

    def of(self, name: str) -> pd.DataFrame:
        listed = self._names.get(name)
        return self._list.iloc[self._rows[normalise_name(listed)] if listed else []].reset_index(drop=True)


def read_input_tables(
    data_dir: Path | str, paths: TablePaths | None = None, *, need_parameters: bool = True
) -> InputTables:
    """Read the tables that `build_sets` needs.

    Parameters
    ----------
    data_dir : path
        Holds the tables under their default names.
    paths : TablePaths, optional
        Other places, or another catalogue. A path or catalogue given here must exist; the default comparison list
        and credentials may be absent.
    need_parameters : bool
        Whether there must be a parameter table, which a cluster that is given by hand does without.

    Returns
    -------
    InputTables

    Raises
    ------
    FileNotFoundError, ValueError
        If a table is missing or unreadable.
    """
    data_dir, paths = Path(data_dir), paths or TablePaths()
    parameters_path, members_path, comparison_path = table_paths(
        data_dir, paths, need_parameters=need_parameters
    )
    no_parameters = not need_parameters and not parameters_path.exists()
    isochrone_path = _existing(
        paths.isochrone_path or data_dir / ISOCHRONES, "--isochrone_path", "download_isochrones.py"
    )
    credentials_path = paths.credentials_path or data_dir / CREDENTIALS
    if paths.credentials_path:
        _existing(paths.credentials_path, "--credentials_path", "create_gaia_credentials_file.py")
    return InputTables(
        parameters=_NO_PARAMETERS if no_parameters else read_parameter_table(parameters_path),
        parameters_path=str(parameters_path),
        members=read_member_list(members_path),
        comparison=read_member_list(comparison_path) if comparison_path else None,
        isochrones=read_isochrones(isochrone_path),
        credentials_path=credentials_path if credentials_path.exists() else None,
        data_dir=data_dir,
    )


def table_paths(
    data_dir: Path, paths: TablePaths, *, need_parameters: bool = True
) -> tuple[Path, Path, Path | None]:
    """Files of cluster parameters, members and comparison members: a path that was given, else a catalogue's file.

    A catalogue that lacks one of the two is completed by the members of Cantat-Gaudin et al. (2018) and the
    parameters of Cantat-Gaudin et al. (2020).

    Parameters
    ----------
    data_dir : path
        Holds the catalogues.
    paths : TablePaths
        Paths and catalogues that were asked for.
    need_parameters : bool
        Whether the parameter table must exist although it was not asked for.

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
    parameters_path = paths.cluster_path or data_dir / parameters.file_name
    if need_parameters or paths.cluster_path:
        _existing(parameters_path, "--cluster_path")
    return (
        parameters_path,
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


def rows_by_cluster(member_list: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
    """Where the clusters of a member list stand in it, so that many are found without looking through it again.

    Parameters
    ----------
    member_list : DataFrame
        With the column cluster.

    Returns
    -------
    dict of str to ndarray of int
        Positions of a cluster's rows in ascending order, by its normalised name (`catalogues.names.normalise_name`).
    """
    spelling, spellings = pd.factorize(member_list["cluster"])
    names, number = np.unique([normalise_name(name) for name in spellings], return_inverse=True)
    cluster = number[spelling] if len(names) else spelling
    order = np.argsort(cluster, kind="stable")
    ends = np.searchsorted(cluster[order], np.arange(1, len(names)))
    return dict(zip(names.tolist(), np.split(order, ends), strict=False))
