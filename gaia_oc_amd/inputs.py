"""Inputs compared with each other: the parameter table, the member list and the stars that were found in the cone."""

import logging
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import angular_separation, mean_direction
from gaia_oc_amd.cluster import Cluster, distance_fits
from gaia_oc_amd.cone import ConeRegion
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.members import matched_rows

logger = logging.getLogger(__name__)

_ENOUGH = 5
"""Stars that a mean is judged by."""
_SIGMAS = 4.0
_PM_SYSTEMATIC, _PARALLAX_SYSTEMATIC = 0.1, 0.06
"""What means of other releases and other lists of one cluster may differ by [mas/yr, mas]."""
_DISTANCE_ERROR = 0.15
"""Relative error of a published distance."""
_FEW_FOUND = 0.5
_LEAST_FIELD, _MANY_MEMBERS = 0.02, 20
"""Share of the stars in a cone that are not listed, at least, where many are; in 42 real cones it is above 0.2."""
_LISTED = 0.05
"""PMemb above which a star counts as listed: some lists have one of every star of the field."""
_SAME_SCATTER = 10.0
"""Factor by which standard deviations of two lists of one cluster may differ."""


@dataclass(frozen=True)
class Median:
    """Median of a quantity over stars, and how well it is known.

    Parameters
    ----------
    value : float
        Median.
    error : float
        Its standard error, from the robust scatter.
    scatter : float
        Robust standard deviation of the stars.
    n_stars : int
        Their number.
    """

    value: float
    error: float
    scatter: float
    n_stars: int


def median_of_finite(values: NDArray[np.float64]) -> Median | None:
    """Median of what is finite; None for fewer than 5 stars."""
    values = values[np.isfinite(values)]
    if len(values) < _ENOUGH:
        return None
    median = float(np.median(values))
    scatter = 1.4826 * float(np.median(np.abs(values - median)))
    return Median(median, 1.2533 * scatter / np.sqrt(len(values)), scatter, len(values))


def hold_against_list(
    cluster: Cluster,
    region: ConeRegion,
    listed: pd.DataFrame,
    sources: pd.DataFrame,
    matched: pd.Series,
    *,
    prob_threshold: float,
) -> None:
    """Say how many listed members were found, and warn of inputs that contradict each other.

    Parameters
    ----------
    cluster : Cluster
        As the parameter table has it.
    region : ConeRegion
        Where stars were looked for.
    listed : DataFrame
        Rows of the cluster in the member list, with positions, motions and parallaxes or without.
    sources : DataFrame
        Calibrated sources of the cone.
    matched : Series
        PMemb by source_id of the listed stars in the cone.
    prob_threshold : float
        PMemb from which a listed star counts.

    Raises
    ------
    ClusterError
        If the members' mean parallax and the cluster's distance differ by more than a factor of 5: features in pc would
        mean nothing.
    """
    sure = listed[listed["PMemb"] >= prob_threshold - 1e-9]
    found = sources[sources["source_id"].isin(matched.index[matched >= prob_threshold - 1e-9])]
    logger.info(
        "%s: %d of %d listed members (p >= %g) found in the cone.",
        *(cluster.name, len(found), len(sure), prob_threshold),
    )
    if len(found) < _FEW_FOUND * len(sure):
        warnings.warn(
            f"{cluster.name}: {len(sure) - len(found)} of {len(sure)} listed members (p >= {prob_threshold:g}) are "
            f"not in the cone: {why_missing(sure, found, region)}",
            stacklevel=3,
        )
    by_list = sure if len(sure) >= _ENOUGH else listed
    _compare_position(cluster, by_list if {"ra", "dec"} <= set(by_list) else found)
    _compare_motion(cluster, by_list if {"pmra", "pmdec"} <= set(by_list) else found)
    _compare_parallax(cluster, by_list if "parallax" in by_list else found)
    for name, unit in (("pmra", "mas/yr"), ("pmdec", "mas/yr"), ("parallax", "mas")):
        _compare_scatter(cluster, name, unit, by_list if name in by_list else found)
    _compare_distance(cluster, found if len(found) >= _ENOUGH else by_list)


def why_missing(listed: pd.DataFrame, found: pd.DataFrame, region: ConeRegion) -> str:
    """Likely causes that listed stars are not in a cone, with the options that mend them.

    Parameters
    ----------
    listed : DataFrame
        Listed stars, found or not.
    found : DataFrame
        Sources that some of them are.
    region : ConeRegion
        Where they were looked for.

    Returns
    -------
    str
        A sentence.
    """
    if not {"ra", "dec"} <= set(listed):
        return (
            "the list has no positions, so only identifiers could be compared. They may be of another release (DR2), "
            "or the cone is of another field; give a list with ra and dec."
        )
    missing = listed.drop(index=matched_rows(listed, found).index)
    place = missing[["ra", "dec"]].to_numpy(float)
    outside = angular_separation(place[:, 0], place[:, 1], region.ra, region.dec) > region.radius
    fast = np.zeros(len(missing), bool)
    if {"pmra", "pmdec"} <= set(missing):
        offset = np.hypot(*(missing[["pmra", "pmdec"]].to_numpy(float) - [region.pmra, region.pmdec]).T)
        fast = ~outside & (offset > region.pm_radius)
    distant = np.zeros(len(missing), bool)
    if "parallax" in missing:
        apart = np.abs(missing["parallax"].to_numpy(float) - region.parallax)
        distant = ~outside & ~fast & (apart > region.parallax_width)
    counts = (
        (outside, "lie outside its radius (another centre? else a larger --cone_radius)"),
        (fast, "outside its proper motions (--pmra, --pmdec, or a larger --cone_pm_sigmas)"),
        (distant, "outside its parallaxes (--parallax, or a larger --cone_plx_sigmas)"),
        (
            ~(outside | fast | distant),
            "have no star at their place (a table of stars that does not reach so far, or has other motions and "
            "parallaxes than the list, or positions of another epoch)",
        ),
    )
    return "; ".join(f"{which.sum()} {text}" for which, text in counts if which.any()) + "."


def _warn(cluster: Cluster, text: str) -> None:
    warnings.warn(f"{cluster.name}: {text}", stacklevel=4)


def warn_of_no_field(cluster: Cluster, sources: pd.DataFrame, matched: pd.Series) -> None:
    """Warn of a cone with hardly a star that is not listed, which does not show what the field is like.

    Parameters
    ----------
    cluster : Cluster
        The cluster.
    sources : DataFrame
        Sources of its cone.
    matched : Series
        PMemb by source_id of the listed stars in the cone.
    """
    matched = matched[matched > _LISTED]
    n_others = int((~sources["source_id"].isin(matched.index)).sum())
    if len(matched) >= _MANY_MEMBERS and n_others < _LEAST_FIELD * len(sources):
        _warn(
            cluster,
            f"only {n_others} of the {len(sources)} stars of the cone are not listed: was the table of stars cut to "
            "members? Probabilities and contamination need the field stars: give all stars around the cluster.",
        )


def _compare_position(cluster: Cluster, stars: pd.DataFrame) -> None:
    """The members' mean direction against the table's centre."""
    place = stars[["ra", "dec"]].dropna().to_numpy(float)
    if len(place) < _ENOUGH:
        return
    ra, dec = mean_direction(place[:, 0], place[:, 1])
    half = float(np.median(angular_separation(place[:, 0], place[:, 1], ra, dec)))
    offset = float(angular_separation(np.array([ra]), np.array([dec]), cluster.ra, cluster.dec)[0])
    in_hours = float(
        angular_separation(np.array([15 * ra % 360]), np.array([dec]), cluster.ra, cluster.dec)[0]
    )
    cause = "is it another cluster's centre, or in another unit?"
    if in_hours < min(offset, 2.0):
        cause = "is its ra in hours? Multiply it by 15, or state its unit in the file."
    if offset > max(half, _SIGMAS * 1.2 * half / np.sqrt(len(place))):
        _warn(
            cluster,
            f"the listed members' mean position, ra {ra:.4f}, dec {dec:.4f} deg, is {offset:.3f} deg away from the "
            f"centre of the parameter table, ra {cluster.ra:.4f}, dec {cluster.dec:.4f}, while half of them lie within "
            f"{half:.3f} deg of their mean: {cause} --ra {ra:.4f} --dec "
            f"{dec:.4f} takes the members'.",
        )


def _compare_motion(cluster: Cluster, stars: pd.DataFrame) -> None:
    pmra, pmdec = (median_of_finite(stars[name].to_numpy(float)) for name in ("pmra", "pmdec"))
    if pmra is None or pmdec is None:
        return
    offset = float(np.hypot(pmra.value - cluster.pmra, pmdec.value - cluster.pmdec))
    scatter = float(np.hypot(pmra.scatter, pmdec.scatter))
    if offset > max(_SIGMAS * np.hypot(np.hypot(pmra.error, pmdec.error), _PM_SYSTEMATIC), scatter / 2):
        _warn(
            cluster,
            f"the listed members' mean motion, pmra {pmra.value:.3f}, pmdec {pmdec.value:.3f} mas/yr, is {offset:.2f} "
            f"mas/yr away from the parameter table's, pmra {cluster.pmra:.3f}, pmdec {cluster.pmdec:.3f}: another "
            f"cluster's row, or pmra without cos(dec)? --pmra {pmra.value:.3f} --pmdec {pmdec.value:.3f} takes the "
            "members'.",
        )


def _compare_scatter(cluster: Cluster, name: str, unit: str, stars: pd.DataFrame) -> None:
    """The table's standard deviation, which cuts the cone, against the members' own."""
    median, given = median_of_finite(stars[name].to_numpy(float)), getattr(cluster, f"{name}_error")
    if median is None or np.isnan(given):
        return
    if not 1 / _SAME_SCATTER < given / max(median.scatter, 1e-9) < _SAME_SCATTER:
        _warn(
            cluster,
            f"{name}_error, the members' standard deviation, is {given:.2g} {unit}, but the listed ones scatter by "
            f"{median.scatter:.2g} {unit}: another unit, or the error of the mean? --{name}_error {median.scatter:.2g} "
            "takes the members'.",
        )


def _compare_parallax(cluster: Cluster, stars: pd.DataFrame) -> None:
    parallax = median_of_finite(stars["parallax"].to_numpy(float))
    if parallax is None:
        return
    offset = abs(parallax.value - cluster.parallax)
    if offset > max(_SIGMAS * np.hypot(parallax.error, _PARALLAX_SYSTEMATIC), parallax.scatter / 2):
        _warn(
            cluster,
            f"the listed members' mean parallax, {parallax.value:.3f} mas, is {offset:.3f} mas away from the parameter "
            f"table's, {cluster.parallax:.3f} mas: another cluster's row, or another unit? --parallax "
            f"{parallax.value:.3f} takes the members'.",
        )


def _compare_distance(cluster: Cluster, stars: pd.DataFrame) -> None:
    """The distance against the mean parallax of the members, at every parallax."""
    parallax = median_of_finite(stars["parallax"].to_numpy(float)) if "parallax" in stars else None
    if parallax is None:
        return
    expected = 1000 / cluster.dist
    error = float(np.hypot(parallax.error, _PARALLAX_SYSTEMATIC))
    offset = abs(parallax.value - expected)
    if offset <= _SIGMAS * np.hypot(error, _DISTANCE_ERROR * expected):
        return
    text = (
        f"the members' mean parallax is {parallax.value:.3f} +- {error:.3f} mas, but dist {cluster.dist:g} pc is a "
        f"parallax of {expected:.3g} mas"
    )
    if not distance_fits(cluster.dist, parallax.value):
        raise ClusterError(
            f"{cluster.name}: {text}: is dist in pc? Give --dist {1000 / max(parallax.value, error):.0f} or what you "
            "know, or another member list."
        )
    _warn(cluster, f"{text}: --dist {1000 / max(parallax.value, error):.0f} takes the members'.")
