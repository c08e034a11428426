"""Member lists and tables of cluster parameters: how they are read, and what is refused in them."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from gaia_oc_amd.cluster_names import normalise_name
from gaia_oc_amd.files.tables import read_table, whole_numbers

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
    for name in (*PARAMETER_COLUMNS[1:], *OPTIONAL_PARAMETER_COLUMNS):
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
