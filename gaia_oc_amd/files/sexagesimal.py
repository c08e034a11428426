"""Positions in hours or degrees, minutes and seconds, as degrees."""

import logging
import re

import numpy as np
import pandas as pd

logger = logging.getLogger(__name__)

_SEXAGESIMAL = (
    r"^\s*(?P<sign>[+\-\u2212\u2013]?)\s*(?P<whole>\d{1,3})\s*(?P<mark>[hd\u00b0:\s])\s*"
    r"(?P<minutes>\d{1,2}(?:\.\d*)?)\s*[m'\u2032:\s]?\s*(?P<seconds>\d{1,2}(?:\.\d*)?)?\s*(?:s|\"|''|\u2033)?\s*$"
)
_OF_DEGREES = re.compile(r"d:m:s|deg|\u00b0", re.IGNORECASE)
_PARTS = {"ra": ("", "RAh", "RAm", "RAs"), "dec": ("DE-", "DEd", "DEm", "DEs")}
"""Columns of CDS's tables that a position is divided into: sign, hours or degrees, minutes, seconds."""


def in_degrees(values: pd.Series, name: str, unit: str, origin: str) -> pd.Series | None:
    """Positions as degrees.

    Parameters
    ----------
    values : Series of str
        ``06 41 20.5``, ``6h41m20.5s``, ``+09:53:00``, with or without seconds; missing values are NaN.
    name : {'ra', 'dec'}
        A right ascension is in hours unless its marks, its unit or a value above 24 say degrees.
    unit : str
        Unit that the file states, or nothing.
    origin : str
        Where the values come from, for the line that says how they were read.

    Returns
    -------
    Series or None
        [deg]; None if a value is written otherwise.
    """
    present = values.dropna().astype(str)
    if present.empty:
        return None
    parts = present.str.extract(_SEXAGESIMAL, flags=re.IGNORECASE)
    whole, minutes = parts["whole"].astype(float), parts["minutes"].astype(float)
    seconds = parts["seconds"].astype(float).fillna(0.0)
    if whole.isna().any() or (minutes >= 60).any() or (seconds > 60).any():
        return None
    of_degrees = parts["mark"].str.contains("[d\u00b0]", case=False).any() or (whole > 24).any()
    hours = name == "ra" and not of_degrees and not _OF_DEGREES.search(unit)
    logger.info(
        "%s has %s as %r: taken as %s, minutes and seconds.",
        *(origin, name, present.iloc[0], "hours" if hours else "degrees"),
    )
    angle = (whole + minutes / 60 + seconds / 3600) * (15.0 if hours else 1.0)
    return angle.where(parts["sign"].isin(["", "+"]), -angle).reindex(values.index)


def with_joined_parts(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with RAh, RAm, RAs and DE-, DEd, DEm, DEs, as CDS's tables have them, put together as ra and dec [deg]."""
    joined = {}
    for name, (sign, whole, minutes, seconds) in _PARTS.items():
        if name in rows or not {whole, minutes} <= set(rows):
            continue
        value = sum(
            pd.to_numeric(rows[part], errors="coerce").fillna(np.nan if part == whole else 0.0) * weight
            for part, weight in ((whole, 1), (minutes, 1 / 60), (seconds, 1 / 3600))
            if part in rows
        )
        negative = rows[sign].astype(str).str.strip().isin(["-", "\u2212"]) if sign in rows else False
        joined[name] = np.where(negative, -1.0, 1.0) * value * (15.0 if name == "ra" else 1.0)
    return rows.assign(**joined) if len(joined) == len(_PARTS) else rows
