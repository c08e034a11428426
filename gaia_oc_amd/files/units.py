"""Units that files and services state, and values in ours."""

import re
import warnings
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from gaia_oc_amd.columns import UNITS

LOG_AGES = (5.0, 10.3)
"""Ages of star clusters [log10(yr)]."""


def in_our_unit(values: pd.Series, stated: str, ours: str, *, theirs: str, origin: str) -> pd.Series:
    """Numbers in the unit that we have them in.

    Parameters
    ----------
    values : Series
        Numbers.
    stated : str
        Unit that a file states.
    ours : str
        Our name of the column.
    theirs : str
        The file's name of it.
    origin : str
        The file, for messages.

    Returns
    -------
    Series
        Ages of a stated unit of time become logarithms; those that are logarithms already, whatever the unit, stay.

    Raises
    ------
    ValueError
        If the unit is one of another quantity.
    """
    if ours == "age":
        return values if "log" in theirs.casefold() else _log_ages(values, stated)
    factor = unit_factor(stated, ours, f"{origin} has {theirs}")
    return values if factor == 1 else values * factor


def _log_ages(values: pd.Series, stated: str) -> pd.Series:
    units = [] if _NOT_STATED.match(stated) else _readings(stated)
    unit = next((unit for unit in units if unit.physical_type == "time"), None)
    if unit is None:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        ages = np.log10(values.astype(float) * unit.to("yr"))
    return ages if ages.between(*LOG_AGES).sum() > 0.5 * (values > 0).sum() else values


_NOT_STATED = re.compile(r"\s*(?:[\[(]|(?:none|-*)\s*$)", re.IGNORECASE)
"""Units of logarithms, as VizieR writes them, ``[yr]``, and words for no unit."""
_WORDS = {
    unit.casefold(): unit for unit in ("deg", "mas", "arcsec", "mag", "pc", "kpc", "yr", "Myr", "Gyr")
} | {
    "degree": "deg",
    "radian": "rad",
    "hour": "h",
    "hr": "h",
    "arcsecond": "arcsec",
    "milliarcsec": "mas",
    "milliarcsecond": "mas",
    "microarcsec": "uas",
    "microarcsecond": "uas",
    "magnitude": "mag",
    "vega": "",
    "vegamag": "mag",
    "parsec": "pc",
    "kiloparsec": "kpc",
    "ly": "lyr",
    "year": "yr",
    "per": "/",
    "percent": "%",
    "e-": "electron",
}
"""Units as astropy has them, by how people write them, without the s of a plural."""


def _readings(stated: str) -> list[Any]:
    """What a unit may mean, as units of astropy, first as it is written; ``PC`` is a petacoulomb or a parsec."""
    from astropy.units import Unit

    named = re.fullmatch(r"(?!log|lg|dex)[a-z ]+\[(.+)\]", stated.strip(), re.IGNORECASE)  # Gaia's Angle[mas]
    plain = re.sub(r"'(\w+)'", r"\1", named[1] if named else stated)
    plain = re.sub(r"e-(?=/)|[A-Za-z]+", _usual_word, plain.replace("\u00b7", "."))
    plain = re.sub(r"\(\s*\)|[{}$]", "", plain).strip() or stated  # mag(Vega), mas yr^{-1}
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units that a standard has no more
        for text, form in product((stated, plain), (None, "cds", "vounit")):  # VizieR has %, mas.yr-1
            try:
                found.append(Unit(text, format=form))
            except ValueError:
                continue
    return found


def _usual_word(word: re.Match[str]) -> str:
    folded = word[0].casefold()
    return _WORDS.get(folded, _WORDS.get(folded.removesuffix("s"), word[0]))


def unit_factor(stated: str, ours: str, where: str) -> float:
    """By what to multiply a column to have it in our unit.

    Parameters
    ----------
    stated : str
        Unit that a file or a service states.
    ours : str
        Our name of the column.
    where : str
        What states it, for the message: ``VizieR's J/A+A/640/A1 has DistPc``.

    Returns
    -------
    float
        1 where the unit is unknown, with a warning, or that of a logarithm.

    Raises
    ------
    ValueError
        If the unit is one of another quantity.
    """
    from astropy.units import UnitConversionError, hour, hourangle

    expected = UNITS.get(re.sub("_(16|84)$", "", ours))
    if expected is None or expected.startswith("log") or _NOT_STATED.match(stated):
        return 1.0
    units = _readings(stated)
    for unit in units:
        try:
            return float(unit.to(expected, equivalencies=[(hour, hourangle)] if ours == "ra" else []))
        except UnitConversionError:
            continue
    if units:
        raise ValueError(
            f"{where} in {units[0]}, which is no {expected or 'plain number'}: another column may be meant, name it "
            f"with --columns {ours}=NAME."
        )
    if expected:
        warnings.warn(
            f"{where} in {stated!r}, which is no known unit: it is taken to be in {expected}.", stacklevel=3
        )
    return 1.0
