"""Checks of every list that comes from elsewhere: its rows and its identifiers."""

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gaia_oc_amd.files.tables import whole_numbers

_ROUNDED_SHARE = 0.2
"""Share of identifiers ending in 000 above which a program rounded them: of Gaia's own fewer than 1 % do."""
_LARGE = 2**53
_ZERO_BITS = 7
"""Of Gaia's own identifiers, at their end: floating-point numbers hold all of them below 2**60."""
_TELLING_BITS = 20
"""Bits that floating-point numbers cannot hold and that are 0 in all of a list's identifiers: no chance."""

FILLS = (-999.0, -9999.0, -999.9, -9999.9, 9999.0, 9999.9, 99999.0)
"""What programs write for missing values of any quantity."""
HUGE = 1e19
"""Above it lie the fill values of FITS and astropy (1e20, 1e30)."""
_NO_MAGNITUDE = 99.0
"""The least of the fill values of magnitudes (99, 99.9, 99.999)."""
NOISE = 1e-6
"""What sums of probabilities may be above 1."""


class RowCheck:
    """Rows of a table that cannot be used: left out and counted in one warning.

    Parameters
    ----------
    table : DataFrame
        As it was read; ``attrs["first_line"]`` is the line of the file that its first row stands in.
    source : str
        Where it comes from, for messages.
    """

    def __init__(self, table: pd.DataFrame, source: str) -> None:
        self.source = source
        self._table = table
        self._first_line = table.attrs.get("first_line")
        self._left_out = np.zeros(len(table), bool)
        self._reasons: list[str] = []

    def leave_out(self, wrong: pd.Series, reason: str) -> None:
        """Leave out rows.

        Parameters
        ----------
        wrong : Series of bool
            Which.
        reason : str
            What is wrong with them: "without a cluster".
        """
        new = wrong.to_numpy(bool) & ~self._left_out
        if new.any():
            self._left_out |= new
            self._reasons.append(f"{new.sum()} {reason}{self._where(new)}")

    def numbers(self, column: str, *, percent: bool = False) -> pd.Series:
        """A column as floating-point numbers, NaN where a value is none.

        Parameters
        ----------
        column : str
            Its name.
        percent : bool
            Whether ``70%`` is a value of it, 70, and ``70,5 %``.

        Raises
        ------
        ValueError
            If none of its values is a number.
        """
        values = self._table[column]
        if pd.api.types.is_numeric_dtype(values):
            return values
        text = values
        if percent:
            text = values.astype("str").str.replace(r"\s*%$", "", regex=True).str.replace(",", ".")
        numbers = pd.to_numeric(text, errors="coerce").astype(float)
        wrong = (numbers.isna() & values.notna()).to_numpy(bool)
        if wrong.any() and wrong.sum() > 0.5 * values.notna().sum():
            raise ValueError(
                f"{self.source} has a {column} that is no number ({values[wrong].iloc[0]!r} is the first"
                f"{self._where(wrong)}): give decimal numbers, or name another column with --columns {column}=NAME."
            )
        if wrong.any():
            warnings.warn(
                f"{self.source}: {wrong.sum()} values of {column} are no number and count as missing "
                f"({values[wrong].iloc[0]!r} is the first{self._where(wrong)}).",
                stacklevel=4,
            )
        return numbers

    def usable(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rows of the table, or of one made of it, that are not left out.

        Raises
        ------
        ValueError
            If none is left.
        """
        if self._left_out.all():
            raise ValueError(
                f"{self.source} has no row that can be used, of {len(table)} rows {'; '.join(self._reasons)}: mend it, "
                "or give another table."
            )
        if self._reasons:
            warnings.warn(
                f"{self.source}: {self._left_out.sum()} of {len(table)} rows are left out, {'; '.join(self._reasons)}.",
                stacklevel=4,
            )
            table = table[~self._left_out].reset_index(drop=True)
        table.attrs = {}
        return table

    def _where(self, rows: NDArray[np.bool_]) -> str:
        if self._first_line is None:
            return ""
        return f", in line {self._first_line + int(np.flatnonzero(rows)[0])}"


def without_fills(measured: dict[str, pd.Series], source: str) -> dict[str, pd.Series]:
    """Measurements in which numbers that programs write for missing values are missing.

    Parameters
    ----------
    measured : dict of Series
        Columns of a list as numbers.
    source : str
        Where they come from, for the warning that counts them.

    Returns
    -------
    dict of Series
        NaN in place of -999, -9999, 1e20 and the like, of magnitudes from 99, and of positions at ra 0, dec 0.
    """
    filled = {
        name: values.isin(FILLS)
        | (values.abs() > HUGE)
        | ((name == "phot_g_mean_mag") & (values >= _NO_MAGNITUDE))
        for name, values in measured.items()
    }
    if {"ra", "dec"} <= set(measured):
        nowhere = filled["ra"] | filled["dec"] | ((measured["ra"] == 0) & (measured["dec"] == 0))
        filled |= {"ra": nowhere, "dec": nowhere}
    return measured | masked(measured, filled, source)


def masked(
    columns: pd.DataFrame | Mapping[str, pd.Series], filled: Mapping[str, ArrayLike], origin: str
) -> dict[str, pd.Series]:
    """Columns that have fill values, with NaN in place of these; a warning counts them.

    Parameters
    ----------
    columns : DataFrame or mapping of str to Series
        Numbers.
    filled : mapping of str to array_like of bool
        Which values of a column are fill values.
    origin : str
        Where they come from, for the warning.

    Returns
    -------
    dict of Series
        Only those columns.
    """
    wrong = {name: np.asarray(where) for name, where in filled.items() if np.any(where)}
    if wrong:
        counts = ", ".join(
            f"{where.sum()} of {name} ({columns[name][where].iloc[0]:g})" for name, where in wrong.items()
        )
        warnings.warn(f"{origin} has fill values, which count as missing: {counts}.", stacklevel=4)
    return {name: columns[name].astype(float).mask(where) for name, where in wrong.items()}


def identifiers(table: pd.DataFrame, rows: RowCheck) -> NDArray[np.int64]:
    """Identifiers of listed stars; negative numbers stand for those that say nothing where there is a position.

    Identifiers that most of a list has rounded, as a spreadsheet does to 15 digits and a floating-point number to 16,
    belong to other stars or to none. Those of other surveys say nothing.

    Parameters
    ----------
    table : DataFrame
        Member list with source_id and perhaps ra and dec.
    rows : RowCheck
        Of the same table; rows with neither identifier nor position are left out.

    Returns
    -------
    ndarray of int64, shape (n_rows,)

    Raises
    ------
    ValueError
        If they are rounded, or are none, and the list has no positions.
    """
    numbers, usable = _whole(table["source_id"], rows.source, has_positions={"ra", "dec"} <= set(table))
    usable = usable & (numbers > 0)
    placed = np.zeros(len(table), bool)
    if {"ra", "dec"} <= set(table):
        placed = np.isfinite(table[["ra", "dec"]].to_numpy(float)).all(axis=1)
    reason = _rounded(numbers[usable])
    if reason:
        if not placed.any():
            raise ValueError(
                f"{rows.source} has rounded identifiers: {reason}. They are no stars of Gaia's: export source_id as "
                "text, or give a list with ra and dec, by which its stars can be found."
            )
        warnings.warn(
            f"{rows.source} has rounded identifiers: {reason}. Its stars are looked for by their positions alone; "
            "export source_id as text for a sure match.",
            stacklevel=4,
        )
        usable = np.zeros(len(table), bool)
    rows.leave_out(pd.Series(~usable & ~placed), "without a usable source_id or position")
    return np.where(usable, numbers, -1 - np.arange(len(table)))


def _whole(
    values: pd.Series, source: str, *, has_positions: bool
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Identifiers as int64, and which of them are identifiers."""
    if pd.api.types.is_integer_dtype(values):
        return whole_numbers(values, f"source_id in {source}"), np.ones(len(values), bool)
    present = values.notna()
    if pd.api.types.is_float_dtype(values) and has_positions and (values.dropna() % 1 == 0).all():
        numbers = np.zeros(len(values), np.int64)
        within = (present & (values.abs() < 2.0**63)).to_numpy()
        numbers[within] = values[within].astype(np.int64)
        return numbers, within
    good = np.zeros(len(values), bool)
    numbers = np.zeros(len(values), np.int64)
    try:
        numbers[present] = whole_numbers(values[present], f"source_id in {source}")
        return numbers, present.to_numpy(bool)
    except ValueError:
        if pd.api.types.is_float_dtype(values):
            raise
    for i, value in enumerate(values):
        try:
            numbers[i], good[i] = whole_numbers(pd.Series([value]), "source_id")[0], pd.notna(value)
        except ValueError:
            continue
    if good.sum() < 0.5 * present.sum():
        if not has_positions:
            whole_numbers(values[present], f"source_id in {source}")  # says what is wrong with them
        warnings.warn(
            f"{source} has identifiers that are not Gaia's ({values[present & ~good].iloc[0]!r} is the first): such "
            "stars are looked for by their positions.",
            stacklevel=5,
        )
    return numbers, good


def _rounded(numbers: NDArray[np.int64]) -> str:
    """What shows that identifiers were rounded; empty where nothing does."""
    large = numbers[np.abs(numbers) > _LARGE]
    if len(large) < 3:
        return ""
    n_round = int((large % 1000 == 0).sum())
    if n_round > max(_ROUNDED_SHARE * len(large), 2):
        n_same = len(large) - len(np.unique(large))
        again = f", and {n_same} repeat another" if n_same else ""
        return f"{n_round} of {len(large)} end in 000{again}, as a spreadsheet writes them"
    n_lost = np.maximum(np.frexp(np.abs(large).astype(float))[1] - np.finfo(float).nmant - 1, 0)
    if (large % (1 << n_lost)).any():
        return ""
    if np.maximum(n_lost - _ZERO_BITS, 0).sum() >= _TELLING_BITS:
        return f"all {len(large)} are what a floating-point number can hold, which loses their last digits"
    return ""
