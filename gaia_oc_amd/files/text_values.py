"""Numbers out of text: how people spell missing values, decimal points and whole numbers."""

import re
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MISSING = (
    "",
    "-",
    "--",
    "---",
    "----",
    "\\N",
    "null",
    "NULL",
    "nan",
    "NaN",
    "NA",
    "N/A",
    "n/a",
    "None",
    "none",
    "...",
    ".",
    "?",
    "*",
    "masked",
    "INDEF",
    "#N/A",
    "#NUM!",
    "#DIV/0!",
    "#VALUE!",
)
"""Spellings of a missing value, also of astropy, IRAF and spreadsheets, blanks around them left out."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?|[+-]?(?:inf|nan)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?|[+-]?\d+")
_EXACT = 2.0**53
"""Whole numbers above it lose digits as floating-point numbers."""


def lost_digits(values: pd.Series) -> bool:
    """Whether a column of floating-point numbers may have been whole numbers that are too large for them."""
    numbers = values.to_numpy()
    if not len(numbers) or max(np.fmax.reduce(numbers), -np.fmin.reduce(numbers)) <= _EXACT:
        return False
    large = numbers[(np.abs(numbers) > _EXACT) & np.isfinite(numbers)]
    return bool(len(large) and (large % 1 == 0).all())


def digits(text: pd.Series, values: pd.Series) -> pd.Series:
    """The column's own text if it is whole numbers, else the numbers."""
    text = text.str.strip()
    text = text.mask(text.isin(MISSING))
    return text if len(text) == len(values) and text.dropna().str.fullmatch(r"[+-]?\d+").all() else values


def number_or_text(values: pd.Series, *, decimal_comma: bool = False) -> pd.Series:
    """Numbers if all values are that are not missing.

    Parameters
    ----------
    values : Series of str
        A column that was read as text.
    decimal_comma : bool
        Whether a comma stands for the decimal point; else a number with one is text, for it may divide thousands.

    Returns
    -------
    Series
        Integers, floating-point numbers with NaN, strings of digits where a float cannot hold them, or text without
        blanks around it.
    """
    if values.isna().all():
        return values
    is_one = partial(is_number, decimal_comma=decimal_comma)
    sample = _without_missing(values.dropna().iloc[:200])
    if len(sample) and not sample.map(is_one).all():
        return stripped(values)
    text = values.astype("str").str.strip().str.replace("\u2212", "-")
    text = text.mask(text.isin(MISSING))
    present = text.dropna()
    if present.empty:
        return pd.Series(np.nan, values.index)
    if not present.map(is_one).all():
        return stripped(values)
    if present.str.fullmatch(r"[+-]?\d{1,18}").all() and len(present) == len(text):
        return text.astype("int64")
    if present.str.fullmatch(r"[+-]?\d+").all() and present.str.len().max() > 15:
        return text
    return pd.to_numeric(text.str.replace(",", ".").str.replace(r"[dD]", "e", regex=True)).astype(float)


def is_number(item: str, *, decimal_comma: bool = True) -> bool:
    """Whether a text is a number."""
    return bool(_NUMBER.fullmatch(item) or (decimal_comma and _DECIMAL_COMMA.fullmatch(item)))


def _without_missing(values: pd.Series) -> pd.Series:
    text = values.astype("str").str.strip().str.replace("\u2212", "-")  # a typographer's minus
    return text[~text.isin(MISSING)]


def stripped(values: pd.Series) -> pd.Series:
    """Text without the blanks that a fixed width or a habit put around it, NaN where it says missing."""
    text = values.astype("str").str.strip()
    return text.mask(text.isin(MISSING)) if text.isin(MISSING).any() else text


def without_empty_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows but for those that hold nothing, as spreadsheets and editors leave them at the end; with their index."""
    if table.empty or not len(table.columns):
        return table
    suspect = np.flatnonzero(_is_missing(table.iloc[:, 0]))
    if not len(suspect):
        return table
    empty = np.ones(len(suspect), bool)
    for name in table:
        empty &= _is_missing(table[name].iloc[suspect])
    return table.drop(index=table.index[suspect[empty]]) if empty.any() else table


def _is_missing(values: pd.Series) -> NDArray[np.bool_]:
    missing = values.isna().to_numpy()
    if not pd.api.types.is_numeric_dtype(values):
        missing = missing | values.astype("str").str.strip().isin(MISSING).to_numpy()
    return missing
