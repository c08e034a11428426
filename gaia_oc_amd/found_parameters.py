"""The parameter row of a cluster that was found: its means, standard deviations, distance, age and extinction."""

import logging
import warnings
from typing import Any

import numpy as np
import pandas as pd

from gaia_oc_amd.astrometry import mean_direction, parallax_zero_point, weighted_mean
from gaia_oc_amd.catalogues.lookup import fill_gaps
from gaia_oc_amd.exceptions import ClusterError

MEMBER_PROBABILITY = 0.5
"""PMemb from which a star counts for the means."""

_SYSTEMATIC = 0.015
"""Error of a mean parallax however many stars it is of [mas]."""
_LEAST_PARALLAX = 0.04
"""A distance from a smaller parallax would be a guess [mas]."""

logger = logging.getLogger(__name__)


def found_parameters(
    name: str,
    members: pd.DataFrame,
    *,
    table_row: dict[str, float] | None = None,
    isochrones: pd.DataFrame | None = None,
    fit: bool = False,
    rng: np.random.Generator,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Row of a cluster parameter table, whole enough for build_sets, and where its values are from.

    Position, proper motion and parallax (as the archive gives it) with the standard deviations are those of the
    members. Age, extinction and distance come from a fit of the isochrones if it is asked for, else from the
    parameter table; a distance that is still missing is that of the mean parallax, corrected for the zero point, and
    what is then missing that of a typical cluster (see `catalogues.lookup.fill_gaps`).

    Parameters
    ----------
    name : str
        Cluster name.
    members : DataFrame
        Found stars with the archive's columns and PMemb.
    table_row : dict, optional
        age, a0, dist that a table has.
    isochrones : DataFrame, optional
        Points of all isochrones, for the fit.
    fit : bool
        Whether age, extinction and distance are fitted.
    rng : Generator
        For the fit.

    Returns
    -------
    row : dict
        Columns of a cluster parameter table.
    origins : dict
        ``from`` (fit, table, parallax or assumed) by quantity, and the fit.
    """
    sure = members[members["PMemb"] >= MEMBER_PROBABILITY]
    sure = sure if len(sure) >= 2 else members
    row = _means(name, sure)
    corrected, error = _corrected_parallax(sure)
    values = dict.fromkeys(("age", "a0", "dist"), np.nan)
    origins = dict.fromkeys(values, "assumed")
    known = {key: value for key, value in (table_row or {}).items() if key in values and np.isfinite(value)}
    fitted, details = (
        _fit(name, sure, isochrones, corrected, error, rng) if fit and isochrones is not None else ({}, None)
    )
    for source, found in (("table", known), ("fit", fitted)):
        values |= found
        origins |= dict.fromkeys(found, source)
    if not np.isfinite(values["dist"]):
        values["dist"], origins["dist"] = _distance(name, corrected, error), "parallax"
    row = fill_gaps(name, row | values)
    return {"name": name, **row}, {"from": origins, "isochrone_fit": details}


def _means(name: str, members: pd.DataFrame) -> dict[str, float]:
    ra, dec = mean_direction(members["ra"].to_numpy(float), members["dec"].to_numpy(float))
    row = {"ra": ra, "dec": dec}
    for quantity in ("pmra", "pmdec", "parallax"):
        values = members[quantity].to_numpy(float)
        row[quantity] = weighted_mean(values, members[f"{quantity}_error"].to_numpy(float))[0]
        row[f"{quantity}_error"] = float(np.std(values, ddof=1))
    return row


def _corrected_parallax(members: pd.DataFrame) -> tuple[float, float]:
    """Weighted mean of the parallaxes less their zero points, and its error with the systematic part [mas]."""
    values = members["parallax"].to_numpy(float) - parallax_zero_point(members)
    mean, error = weighted_mean(values, members["parallax_error"].to_numpy(float))
    return mean, float(np.hypot(error, _SYSTEMATIC))


def _distance(name: str, parallax: float, error: float) -> float:
    if parallax < max(_LEAST_PARALLAX, 2 * error):
        warnings.warn(
            f"{name}: the mean parallax, {parallax:.3f} +- {error:.3f} mas, hardly gives a distance; "
            f"{1000 / max(parallax, _LEAST_PARALLAX):.0f} pc is used: give --dist to build_sets.py if you know better.",
            stacklevel=3,
        )
    return 1000 / max(parallax, _LEAST_PARALLAX)


def _fit(
    name: str,
    members: pd.DataFrame,
    isochrones: pd.DataFrame,
    parallax: float,
    error: float,
    rng: np.random.Generator,
) -> tuple[dict[str, float], dict[str, Any] | None]:
    """Age, extinction and distance by the isochrones; a fit that is not possible is said and left out."""
    from gaia_oc_amd.isochrone_fit.fit import fit_isochrone

    statistical = float(np.sqrt(max(error**2 - _SYSTEMATIC**2, 0)))
    weights = members["PMemb"].to_numpy(float)
    try:
        fit = fit_isochrone(
            members, isochrones, parallax=parallax, parallax_error=statistical, weights=weights, rng=rng
        )
    except ClusterError as problem:
        warnings.warn(f"{name}: no isochrone was fitted: {problem}", stacklevel=3)
        return {}, None
    logger.info(
        "%s: log age %.2f +- %.2f, A0 %.2f +- %.2f mag, %.0f +- %.0f pc by the isochrones",
        *(name, fit.age, fit.age_error, fit.a0, fit.a0_error, fit.dist, fit.dist_error),
    )
    return {"age": fit.age, "a0": fit.a0, "dist": fit.dist}, fit.as_dict()
