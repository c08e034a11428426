"""Member lists and parameter tables: read, checked, and looked up by cluster."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.arguments import checked
from gaia_oc_amd.catalogues.checks import FILLS, NOISE, RowCheck, identifiers, without_fills
from gaia_oc_amd.catalogues.names import NameIndex, normalise_name, plain_spelling
from gaia_oc_amd.catalogues.paths import existing_file, list_name, table_paths
from gaia_oc_amd.cluster import OPTIONAL_PARAMETERS
from gaia_oc_amd.column_names import MEMBERS, PARAMETERS
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.files.containers import warn_of_row_limit
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.files.units import LOG_AGES
from gaia_oc_amd.isochrones import read_isochrones
from gaia_oc_amd.options import CREDENTIALS, ISOCHRONES, TablePaths

logger = logging.getLogger(__name__)

PARAMETER_COLUMNS = ("name", "ra", "dec", "pmra", "pmdec", "parallax")
"""Columns that a cluster parameter table must have."""
OPTIONAL_PARAMETER_COLUMNS = ("pmra_error", "pmdec_error", "parallax_error", "age", "a0", "dist")
"""Columns of a cluster parameter table that are filled with NaN where it lacks them."""
_MANY = 10
"""Rows that no list has of as many clusters."""
_MEASURED = (
    *("ra", "dec", "pmra", "pmdec", "parallax", "phot_g_mean_mag"),
    *("pmra_error", "pmdec_error", "parallax_error"),
)
"""Columns of a member list that must be numbers where it has them."""


def read_member_list(path: Path | str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a list of cluster members.

    Parameters
    ----------
    path : path
        Any table that `files.tables.read_table` reads. Identifiers alone are enough, or positions; other columns are
        found under any of their spellings (see `column_names.MEMBERS`).
    columns : sequence of str
        What columns are called that are not found so, ``PMemb=prob``.

    Returns
    -------
    DataFrame
        As `check_members` gives it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file cannot be read, lacks identifiers and positions, or rows, or has values that cannot be.
    """
    table = read_table(path, names=MEMBERS.with_given(columns))
    warn_of_row_limit(len(table), str(path))
    return check_members(table, str(path))


def read_parameter_table(path: Path | str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table of cluster parameters.

    Parameters
    ----------
    path : path
        Any table that `files.tables.read_table` reads, with the columns of `PARAMETER_COLUMNS` under any of their
        spellings (see `column_names.PARAMETERS`).
    columns : sequence of str
        What columns are called that are not found so, ``dist=d_kin``.

    Returns
    -------
    DataFrame
        As `check_parameters` gives it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file cannot be read, lacks a column or rows, or has values that cannot be.
    """
    table = read_table(path, names=PARAMETERS.with_given(columns))
    warn_of_row_limit(len(table), str(path))
    return check_parameters(table, str(path))


def check_members(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Member list with its types set.

    Parameters
    ----------
    table : DataFrame
        As it was read, with our column names.
    source : str
        Where it comes from, for messages.

    Returns
    -------
    DataFrame
        One row per cluster and source, in the file's order: ``cluster`` (str, empty in a list that names none),
        ``source_id`` (int64; negative where the list's is missing, rounded or not Gaia's but the star has a position
        to be found by), ``PMemb`` (0 to 1; percentages are divided by 100, a list without it is of certain members)
        and the other columns as they are. Of rows given twice the one with the highest PMemb is kept. Rows that cannot
        be used are left out. Warnings count both.

    Raises
    ------
    ValueError
        If it lacks identifiers and positions, or rows, or has values that cannot be.
    """
    table = _with_identifiers(table, source)
    rows = RowCheck(table, source)
    if "cluster" not in table or _are_names_of_stars(table["cluster"]):
        table = table.assign(cluster="")
    else:
        table = table.assign(cluster=_names(table, "cluster", rows))
    table = table.assign(PMemb=_probabilities(table, rows))
    measured = without_fills({name: rows.numbers(name) for name in _MEASURED if name in table}, source)
    _check_declinations(measured.get("dec"), rows)
    table = table.assign(**measured)
    table = table.assign(source_id=identifiers(table, rows))
    return _without_duplicates(rows.usable(table), source)


def _with_identifiers(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """List with the column source_id, which one of positions may lack."""
    if "source_id" not in table and {"ra", "dec"} <= set(table):
        warnings.warn(
            f"{source} has no source_id: its {len(table)} stars are looked for by their positions; --columns "
            "source_id=NAME names the column, if there is one.",
            stacklevel=4,
        )
        table = table.assign(source_id=np.nan)
    _require_columns(table, ("source_id",), source)
    return table


def _are_names_of_stars(names: pd.Series) -> bool:
    """Whether what could be the names of clusters are different in each of many rows, or missing in all."""
    return bool(names.isna().all() or (len(names) >= _MANY and names.is_unique and names.notna().all()))


def _probabilities(table: pd.DataFrame, rows: RowCheck) -> pd.Series:
    """PMemb between 0 and 1."""
    if "PMemb" not in table:
        warnings.warn(
            f"{rows.source} has no PMemb: its {len(table)} stars count as certain members; --columns PMemb=NAME names "
            "the column, if there is one.",
            stacklevel=4,
        )
        return pd.Series(1.0, table.index)
    values = rows.numbers("PMemb", percent=True).astype(float)  # of logical values too
    values = values.mask(values.between(1, 1 + NOISE), 1)
    rows.leave_out(values.isna(), "without a PMemb")
    above = values > 1
    if above.sum() > (values > 0).sum() / 2 and values.max() <= 100:
        logger.info("%s: PMemb is in percent, from %g to %g.", rows.source, values.min(), values.max())
        return values / 100
    if above.sum() > len(values) / 2:
        raise ValueError(
            f"{rows.source} has PMemb {values.max():g}, and most above 1, but it must be between 0 and 1, or 0 and 100 "
            "in percent: another column may be meant, name it with --columns PMemb=NAME."
        )
    rows.leave_out(~values.between(0, 1) & values.notna(), "with a PMemb that is not between 0 and 1")
    return values


def _without_duplicates(members: pd.DataFrame, source: str) -> pd.DataFrame:
    """Members of which none is listed twice for one cluster, however that is spelt in either row."""
    key = members[["source_id"]].assign(cluster=_clusters(members["cluster"])[1])
    n_more = int(key.duplicated().sum())
    if not n_more:
        return members
    warnings.warn(
        f"{source} lists {n_more} members more than once: the row with the highest PMemb is kept.",
        stacklevel=4,
    )
    falling = np.argsort(-members["PMemb"].to_numpy(float), kind="stable")
    return members[~key.iloc[falling].duplicated().sort_index()].reset_index(drop=True)


def check_parameters(table: pd.DataFrame, source: str, *, published: bool = False) -> pd.DataFrame:
    """Table of cluster parameters with all columns.

    Parameters
    ----------
    table : DataFrame
        As it was read, with our column names.
    source : str
        Where it comes from, for messages.
    published : bool
        Whether the user cannot change it: of rows with the same name the first is kept, with a warning. Else both
        stay, and the cluster is refused when it is asked for.

    Returns
    -------
    DataFrame
        One row per cluster with name, ra and dec [deg], pmra and pmdec [mas/yr], parallax [mas], their
        standard deviations, age [log10(yr)], a0 [mag], dist [pc], in this order before other columns.
        What the file lacks of `OPTIONAL_PARAMETER_COLUMNS`, and what is no number, is NaN. Where it has no parallaxes
        these are 1000 / dist.

    Raises
    ------
    ValueError
        If it lacks a column or rows, or has values that cannot be.
    """
    of_distance = "parallax" not in table and "dist" in table
    _require_columns(table.assign(parallax=np.nan) if of_distance else table, PARAMETER_COLUMNS, source)
    rows = RowCheck(table, source)
    absent = {name: np.nan for name in OPTIONAL_PARAMETER_COLUMNS if name not in table}
    numbers = {
        name: rows.numbers(name)
        for name in (*PARAMETER_COLUMNS[1:], *OPTIONAL_PARAMETER_COLUMNS, *OPTIONAL_PARAMETERS)
        if name in table
    }
    _check_declinations(numbers["dec"], rows)
    if of_distance:
        numbers["parallax"] = 1000 / numbers["dist"].where(numbers["dist"] > 0)
    if "age" in numbers:
        numbers["age"] = _without_doubtful_ages(numbers["age"], source)
    table = table.assign(name=_names(table, "name", rows), **absent, **numbers)
    table = rows.usable(table)
    repeated = table["name"].map(normalise_name).duplicated()
    if published and repeated.any():
        twice = ", ".join(table["name"][repeated])
        warnings.warn(f"{source} has {twice} more than once: the first row is kept.", stacklevel=3)
        table = table[~repeated].reset_index(drop=True)
    ours = [
        *("name", "ra", "dec", "pmra", "pmdec", "pmra_error", "pmdec_error"),
        *("parallax", "parallax_error", "age", "a0", "dist"),
    ]
    return table[[*ours, *(name for name in table if name not in ours)]]


def _without_doubtful_ages(ages: pd.Series, source: str) -> pd.Series:
    """Ages; where most of a table's can be no logarithm of years, those that could be are missing."""
    is_log = ages.between(*LOG_AGES)
    others = ages[~is_log & (ages > 0) & ~ages.isin(FILLS)]  # 0 and -99.9 stand for unknown ages
    if not is_log.any() or is_log.sum() >= len(others):
        return ages
    warnings.warn(
        f"{source} has age {others.iloc[0]:g}, and most outside {LOG_AGES[0]:g}..{LOG_AGES[1]:g}, but "
        f"it must be log10 of the age in years: {is_log.sum()} that could be count as missing. Convert them, or state "
        "their unit in the header, as in 'age (Myr)'.",
        stacklevel=4,
    )
    return ages.mask(is_log)


def _require_columns(table: pd.DataFrame, names: tuple[str, ...], source: str) -> None:
    absent = [name for name in names if name not in table]
    if absent:
        raise ValueError(
            f"{source} has no column {', '.join(absent)}, only {', '.join(map(str, table))}: "
            f"rename its columns, or say what they are called, as in --columns {absent[0]}=NAME."
        )
    if table.empty:
        raise ValueError(f"{source} has no rows: make or download it again.")


def _names(table: pd.DataFrame, column: str, rows: RowCheck) -> pd.Series:
    names = table[column].astype("str")
    plain = {name: plain_spelling(name) for name in names.dropna().unique()}
    if any(name != meant for name, meant in plain.items()):  # a long list is not gone through for nothing
        names = names.map(plain)
    rows.leave_out(names.isna() | (names == ""), f"without a {column}")
    odd = names.isin([name for name in plain.values() if not name.isprintable()])
    rows.leave_out(odd, f"with a {column} that cannot be printed")
    return names


def _check_declinations(dec: pd.Series | None, rows: RowCheck) -> None:
    """Refuse a column of declinations that is none; a few that are none are left out."""
    if dec is None:
        return
    outside = dec.abs() > 90
    if outside.sum() > 0.05 * len(dec):
        raise ValueError(
            f"{rows.source} has dec {dec[outside].iloc[0]:g} deg, outside -90..90: are ra and dec swapped? "
            "--columns ra=NAME dec=NAME says what they are called."
        )
    rows.leave_out(outside, "with a dec outside -90..90 deg")


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
    columns : tuple of str
        What the columns of input tables are called, as the user says.
    members_name, comparison_name : str
        What figures and tables call the two lists.
    """

    parameters: pd.DataFrame
    parameters_path: str
    members: pd.DataFrame | None
    comparison: pd.DataFrame | None
    isochrones: pd.DataFrame
    credentials_path: Path | None
    data_dir: Path | None = None
    columns: tuple[str, ...] = ()
    members_name: str = "member list"
    comparison_name: str = "comparison list"

    def known_name(self, name: str) -> str | None:
        """Name that the parameter table has for a cluster, None if it has none (see `catalogues.names.NameIndex`)."""
        return self._parameter_names.get(name)

    def parameters_of(self, known_name: str) -> dict[str, Any]:
        """Row of the parameter table with this name.

        Raises
        ------
        ClusterError
            If there are several that differ.
        """
        name = normalise_name(known_name)
        rows = self.parameters[self.parameters["name"].map(normalise_name) == name]
        if len(rows.drop(columns="name").drop_duplicates()) > 1:
            raise ClusterError(
                f"{self.parameters_path} has {known_name} in {len(rows)} different rows: keep one (case, _ and - do "
                "not count)."
            )
        return {str(name): value for name, value in rows.iloc[0].to_dict().items()}

    @property
    def names_no_cluster(self) -> bool:
        """Whether the member list has no names of clusters, so that it can be of one only."""
        return self.members is not None and not self.members["cluster"].any()

    def listed_members(self, name: str) -> pd.DataFrame:
        """Rows of one cluster in the member list, as `members.listed_members` gives them."""
        return _NOBODY if self._listed is None else self._listed.of(name)

    def listed_for_comparison(self, name: str) -> pd.DataFrame:
        """Rows of one cluster in the comparison list."""
        return _NOBODY if self._compared is None else self._compared.of(name)

    def compared_with(self, name: str) -> tuple[pd.DataFrame, str]:
        """Rows of one cluster in the list that its members are compared with, and what that is called.

        It is the comparison list, or the member list where the former does not have the cluster.
        """
        rows = self.listed_for_comparison(name)
        if len(rows):
            return rows, self.comparison_name
        return self.listed_members(name), f"{self.members_name} {TRAINING_LIST}"

    @cached_property
    def _parameter_names(self) -> NameIndex:
        return NameIndex(self.parameters["name"], table=self.parameters_path)

    @cached_property
    def _listed(self) -> "_ListByCluster | None":
        return None if self.members is None else _ListByCluster(self.members, "the member list")

    @cached_property
    def _compared(self) -> "_ListByCluster | None":
        return None if self.comparison is None else _ListByCluster(self.comparison, "the comparison list")


_NO_PARAMETERS = pd.DataFrame({"name": pd.Series(dtype=str)})
TRAINING_LIST = "(training list)"
"""How the name of a list ends that is compared with although the members were learnt from it."""
_NOBODY = pd.DataFrame(
    {"cluster": pd.Series(dtype=str), "source_id": pd.Series(dtype="int64"), "PMemb": pd.Series(dtype=float)}
)


class _ListByCluster:
    """A member list in which clusters are found without looking through it again."""

    def __init__(self, member_list: pd.DataFrame, table: str) -> None:
        self._list = member_list
        self._is_of_one = not member_list["cluster"].any()
        self._names = NameIndex(member_list["cluster"].unique(), table=table)
        self._rows = rows_by_cluster(member_list)

    def of(self, name: str) -> pd.DataFrame:
        if self._is_of_one:
            return self._list.assign(cluster=name)
        listed = self._names.get(name)
        return self._list.iloc[self._rows[normalise_name(listed)] if listed else []].reset_index(drop=True)


@checked
def read_input_tables(
    data_dir: Path | str,
    paths: TablePaths | None = None,
    *,
    need_parameters: bool = True,
    need_members: bool = True,
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
    need_members : bool
        Whether there must be a member list, which a cluster whose sets were built does without.

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
        data_dir, paths, need_parameters=need_parameters, need_members=need_members
    )
    no_parameters = not need_parameters and not parameters_path.exists()
    no_members = not need_members and not members_path.exists()
    isochrone_path = existing_file(
        paths.isochrone_path or data_dir / ISOCHRONES,
        "--isochrone_path",
        "download_isochrones.py",
        is_given=paths.isochrone_path is not None,
    )
    credentials_path = paths.credentials_path or data_dir / CREDENTIALS
    if paths.credentials_path:
        existing_file(paths.credentials_path, "--credentials_path", is_given=True)
    return InputTables(
        parameters=_NO_PARAMETERS if no_parameters else read_parameter_table(parameters_path, paths.columns),
        parameters_path=str(parameters_path),
        members=None if no_members else read_member_list(members_path, paths.columns),
        comparison=read_member_list(comparison_path, paths.columns) if comparison_path else None,
        isochrones=read_isochrones(isochrone_path, rotation=paths.isochrone_rotation),
        credentials_path=credentials_path if credentials_path.exists() else None,
        data_dir=data_dir,
        columns=paths.columns,
        members_name=paths.members_label or list_name(members_path),
        comparison_name=(paths.comparison_label or list_name(comparison_path)) if comparison_path else "",
    )


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
    names, cluster = _clusters(member_list["cluster"])
    order = np.argsort(cluster, kind="stable")
    ends = np.searchsorted(cluster[order], np.arange(1, len(names)))
    return dict(zip(names, np.split(order, ends), strict=False))


def _clusters(spelt: pd.Series) -> tuple[list[str], NDArray[np.int64]]:
    """Normalised names of clusters in order, and which of them each row has."""
    spelling, spellings = pd.factorize(spelt)
    names, number = np.unique([normalise_name(name) for name in spellings], return_inverse=True)
    return names.tolist(), number[spelling] if len(names) else spelling
