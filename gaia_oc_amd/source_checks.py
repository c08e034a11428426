"""Tables of Gaia sources from anywhere, in one form: what they lack, what stands in them twice, what cannot be."""

import warnings
from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.catalogues.checks import FILLS, HUGE, masked
from gaia_oc_amd.columns import (
    ARCHIVE_COLUMNS,
    ASTROMETRIC_CORRELATIONS,
    ASTROMETRIC_ERRORS,
    DR3_EPOCH,
    MAGNITUDES,
    REQUIRED_COLUMNS,
)
from gaia_oc_amd.cone import N_OBS_COLUMNS, rows_where
from gaia_oc_amd.exceptions import ClusterError

_FEW = 0.05
"""Share of a table's rows that may be wrong without the table being so."""
_LEAST_ERROR = 1e-9
"""Least standard error of any measurement [mas, mas/yr]."""
_TYPICAL_ERRORS = (1e-3, 20.0)
"""Between them lies the median error of any table of Gaia's [mas, mas/yr]; beyond them that of one in arcsec or uas."""
_WHOLE_NUMBERS = ("astrometric_params_solved", *N_OBS_COLUMNS)
_FILLED = ("parallax", "pmra", "pmdec", *ASTROMETRIC_ERRORS, *ASTROMETRIC_CORRELATIONS)
_MAGNITUDE_RANGE, _COLOUR_RANGE = (1e-3, 30.0), (-5.0, 15.0)
"""What a BP or RP magnitude of Gaia's can be, of which none is as bright as magnitude 0, and a colour."""
_BLUEST = -0.7
"""BP - RP [mag] below the median of any field: the white dwarfs of Jiménez-Esteban et al. (2018) begin at -0.52."""
_MANY = 10
"""Fewer rows may have equal positions, or a wrong median colour, by chance."""
_COLOURS = {"bp_rp": "phot_bp_mean_mag", "g_rp": "phot_g_mean_mag"}


def check_sources(sources: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Return a source table in canonical form if it can be one.

    Parameters
    ----------
    sources : DataFrame
        Table of Gaia sources from anywhere.
    origin : str
        Where it comes from, for messages.

    Returns
    -------
    DataFrame
        The archive's columns that exist, ``source_id`` as int64, bp_rp and g_rp computed where absent.
        Rows without position, proper motion, parallax, their errors or G are dropped with one warning.

    Raises
    ------
    ClusterError
        If columns are missing, identifiers are repeated, or values cannot be what the column says.
    """
    refuse_missing_columns(list(sources.columns), origin)
    _warn_of_other_epoch(sources, origin)
    sources = sources[[name for name in ARCHIVE_COLUMNS if name in sources]]
    sources.attrs = {}
    sources = _numbers(_with_identifiers(sources, origin), origin)
    sources = without_fill_values(sources, origin)
    sources = _with_colours(sources)[
        [name for name in ARCHIVE_COLUMNS if name in sources or name in _COLOURS]
    ]
    sources = sources.assign(source_id=_integer_ids(sources["source_id"], origin))
    sources = _without_copies(sources, origin)
    _refuse_duplicates(sources, origin)
    sources = _without_few_impossible(sources, origin)
    _refuse_impossible_values(sources, origin)
    _refuse_other_units(sources, origin)
    _refuse_constants(sources, origin)
    _refuse_swapped_bands(sources, origin)
    return _drop_incomplete(sources, origin)


def refuse_missing_columns(
    names: Collection[str], origin: str, error: type[ClusterError] = ClusterError
) -> None:
    """Refuse a table without the columns that nothing can stand in for.

    Raises
    ------
    ClusterError
        Or the given kind of it, with the names that are missing.
    """
    absent = [name for name in REQUIRED_COLUMNS if name not in names]
    if absent:
        raise error(
            f"{origin} lacks the column(s) {', '.join(absent)}: say what they are called, as in --columns "
            f"{absent[0]}=NAME, or take the table again with them."
        )


def _numbers(sources: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Sources with every column but the identifier as numbers, of the same type whatever the format they came in."""
    converted = {}
    for name in sources.columns.drop("source_id"):
        given = values = sources[name]
        if values.dtype.kind not in "fiu":
            values = pd.to_numeric(values.astype("string"), errors="coerce").astype(float)
            wrong = values.isna() & given.notna()
            if wrong.any():
                first = f"{str(given[wrong].iloc[0])[:40]!r} is the first"
                if wrong.mean() > _FEW:
                    raise ClusterError(
                        f"{origin} has a {name} that is no number ({first} of {wrong.sum()}): give decimal numbers, or "
                        f"name another column with --columns {name}=NAME."
                    )
                warnings.warn(
                    f"{origin}: {wrong.sum()} values of {name} are no number and count as missing ({first}).",
                    stacklevel=3,
                )
        if name in _WHOLE_NUMBERS:
            is_whole = not values.isna().any() and (
                values.dtype.kind != "f" or bool((values.abs() < 2**53).all() and (values % 1 == 0).all())
            )
            values = values.astype(np.int64 if is_whole else float)
        elif values.dtype != float:
            values = values.astype(float)
        if values is not given:
            converted[name] = values
    return sources.assign(**converted)


def without_fill_values(sources: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Sources in which numbers that other programs write for missing values are missing.

    Parameters
    ----------
    sources : DataFrame
        With the archive's names, all columns but the identifier numbers.
    origin : str
        Where they come from, for the warning that counts them.

    Returns
    -------
    DataFrame
        NaN in place of BP and RP magnitudes and of colours that none can be (99.999, -9999, 1e20, 0), of the usual
        fill values in G and astrometry, and of colours of a star whose magnitude is missing.
    """
    columns = sources.columns.drop("source_id", errors="ignore")
    filled = {name: _is_fill(name, sources[name].to_numpy(float)) for name in columns}
    for name, bluer in _COLOURS.items():
        if name in filled:
            filled[name] |= filled[bluer] | filled["phot_rp_mean_mag"]
    return sources.assign(**masked(sources, filled, origin))


def _is_fill(name: str, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    fill = np.abs(values) > HUGE
    if name == "phot_g_mean_mag":  # another value that no G can be is refused
        return fill | np.isin(values, (0.0, *FILLS)) | ((np.abs(values) >= 99) & (np.abs(values) < 100))
    if name in MAGNITUDES or name in _COLOURS:
        lower, upper = _MAGNITUDE_RANGE if name in MAGNITUDES else _COLOUR_RANGE
        return fill | (values < lower) | (values > upper)
    return fill | np.isin(values, FILLS) if name in _FILLED or name in _WHOLE_NUMBERS else fill


def _with_colours(sources: pd.DataFrame) -> pd.DataFrame:
    absent = {name: bluer for name, bluer in _COLOURS.items() if name not in sources}
    return sources.assign(
        **{name: sources[bluer] - sources["phot_rp_mean_mag"] for name, bluer in absent.items()}
    )


def _with_identifiers(sources: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Sources but for those without an identifier, where the others are whole numbers."""
    ids = sources["source_id"]
    if pd.api.types.is_float_dtype(ids):  # refused for that, whatever is missing
        return sources
    absent = ids.isna().to_numpy(bool)
    if pd.api.types.is_integer_dtype(ids):
        absent = absent | (ids <= 0).to_numpy(bool, na_value=True)
    if not absent.any():
        return sources
    if absent.mean() > _FEW:
        raise ClusterError(
            f"{origin} has {absent.sum()} of {len(sources)} source_id that are 0 or less, or missing: give every row "
            "its 64-bit integer id, as the Gaia archive writes it."
        )
    warnings.warn(
        f"{origin}: {absent.sum()} of {len(sources)} rows lack a source_id and are left out.", stacklevel=3
    )
    return rows_where(sources, ~absent)


def _without_copies(sources: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Sources without whole rows that stand there again, as in downloads that overlap."""
    again = sources["source_id"].duplicated()
    if not again.any() or not sources.duplicated()[again].all():
        return sources
    warnings.warn(
        f"{origin} has {again.sum()} rows more than once, with equal values: one is kept.", stacklevel=3
    )
    return rows_where(sources, ~again.to_numpy())


def _without_few_impossible(sources: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Sources but for a few whose errors or correlations are none; right ascensions are from 0 to 360 deg."""
    ra = sources["ra"]
    if ra.between(-180, 0, inclusive="left").any() and ra.between(-180, 360).all():
        sources = sources.assign(ra=ra % 360)
    without = (sources[list(ASTROMETRIC_ERRORS)] <= 0).any(axis=1).to_numpy()
    without = without | (sources[list(ASTROMETRIC_CORRELATIONS)].abs() > 1).any(axis=1).to_numpy()
    if not without.any() or without.mean() > _FEW:
        return sources
    warnings.warn(
        f"{origin}: {without.sum()} of {len(sources)} rows have an astrometric error of 0 or less, or a correlation "
        "outside -1..1, and are left out.",
        stacklevel=3,
    )
    return rows_where(sources, ~without)


def _integer_ids(source_id: pd.Series, origin: str) -> pd.Series:
    """Identifiers as int64; floats cannot hold them."""
    if pd.api.types.is_float_dtype(source_id):
        raise ClusterError(
            f"{origin} holds source_id as floating-point numbers, which lose digits: write it as 64-bit integers."
        )
    try:
        return source_id.astype(np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise ClusterError(f"{origin} has a source_id that is no 64-bit integer ({error}).") from error


def _refuse_duplicates(sources: pd.DataFrame, origin: str) -> None:
    repeated = sources["source_id"][sources["source_id"].duplicated()]
    if len(repeated):
        is_round = (repeated % 1000 == 0).mean() > 0.5
        remedy = (
            "they end in 000, as a spreadsheet rounds them; export source_id as text."
            if is_round
            else "remove the copies."
        )
        raise ClusterError(
            f"{origin} has {len(repeated)} repeated source_id (the first is {repeated.iloc[0]}): {remedy}"
        )


def _warn_of_other_epoch(sources: pd.DataFrame, origin: str) -> None:
    """Warn of a table whose positions are of another epoch than DR3's, as those of DR2 are."""
    epoch = (
        pd.to_numeric(sources["ref_epoch"], errors="coerce").median() if "ref_epoch" in sources else np.nan
    )
    if abs(epoch - DR3_EPOCH) > 0.1:
        warnings.warn(
            f"{origin} has positions of epoch {epoch:g}, but those of DR3 are of {DR3_EPOCH:g}: if it is of DR2, its "
            "magnitudes, errors and parallax zero point are not those that are assumed here; take the stars of DR3.",
            stacklevel=3,
        )


def _refuse_constants(sources: pd.DataFrame, origin: str) -> None:
    """Refuse positions that are equal in all rows: a cluster's, joined to its stars."""
    for name in ("ra", "dec"):
        if len(sources) >= _MANY and sources[name].nunique() == 1:
            raise ClusterError(
                f"{origin} has {name} = {sources[name].dropna().iloc[0]:g} in all of its {len(sources)} rows, as a "
                f"cluster joined to its stars: name the column of the stars with --columns {name}=NAME."
            )


def _refuse_swapped_bands(sources: pd.DataFrame, origin: str) -> None:
    """Refuse a table whose stars are bluer than the hottest white dwarfs: its BP is RP."""
    colour = (sources["phot_bp_mean_mag"] - sources["phot_rp_mean_mag"]).median()
    if colour < _BLUEST and len(sources) >= _MANY:
        raise ClusterError(
            f"{origin} has a median BP - RP of {colour:.2f} mag, bluer than any star: are phot_bp_mean_mag and "
            "phot_rp_mean_mag swapped? --columns phot_bp_mean_mag=NAME phot_rp_mean_mag=NAME says what they are called."
        )


def _refuse_impossible_values(sources: pd.DataFrame, origin: str) -> None:
    bounds = {
        "dec": (-90, 90, "are ra and dec swapped?"),
        "ra": (0, 360, "is it in degrees?"),
        "phot_g_mean_mag": (-3, 30, "is it a magnitude?"),
        **dict.fromkeys(ASTROMETRIC_CORRELATIONS, (-1, 1, "is it a correlation?")),
        **dict.fromkeys(ASTROMETRIC_ERRORS, (_LEAST_ERROR, np.inf, "an error must be positive.")),
    }
    for name, (lower, upper, question) in bounds.items():
        values = sources[name].to_numpy(float)
        outside = values[(values < lower) | (values > upper) | np.isinf(values)]
        if len(outside):
            raise ClusterError(
                f"{origin} has {name} = {outside[0]:g}, outside {lower:g}..{upper:g} "
                f"({len(outside)} such rows): {question} Mend it, or name another column with --columns {name}=NAME."
            )


def _refuse_other_units(sources: pd.DataFrame, origin: str) -> None:
    """Refuse astrometry whose errors are a thousand times those of Gaia, or a thousandth."""
    least, largest = _TYPICAL_ERRORS
    for name in ASTROMETRIC_ERRORS:
        median = sources[name].median()
        if median < least or median > largest:
            unit = "mas" if name == "parallax_error" else "mas/yr"
            raise ClusterError(
                f"{origin} has a median {name} of {median:.2g}, outside {least:g}..{largest:g} {unit}: is it in "
                f"{unit}? Convert it and {name.removesuffix('_error')}, or write a table that states their units "
                "(VOTable, FITS, ECSV)."
            )


def _drop_incomplete(sources: pd.DataFrame, origin: str) -> pd.DataFrame:
    needed = ["ra", "dec", "parallax", "pmra", "pmdec", *ASTROMETRIC_ERRORS, "phot_g_mean_mag"]
    complete = np.isfinite(sources[needed].to_numpy(float)).all(axis=1)
    if not complete.all():
        warnings.warn(
            f"{origin}: {(~complete).sum()} of {len(sources)} rows lack astrometry or G and are left out.",
            stacklevel=3,
        )
    return rows_where(sources, complete)
