"""Candidate selection: how far from the cluster a star may lie, and which stars lie within."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.arguments import checked, settle
from gaia_oc_amd.astrometry import angular_separation, weighted_mean
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.columns import CALIBRATED, MEASUREMENTS
from gaia_oc_amd.exceptions import ClusterError, TooFewMembersError
from gaia_oc_amd.files.tables import require_columns
from gaia_oc_amd.isochrones import Isochrone, isochrone_offsets
from gaia_oc_amd.options import SelectionOptions

Array = NDArray[np.float64]

ZERO_POINT_ERROR = 0.015
"""Uncertainty of the parallax zero point [mas] (Lindegren et al. 2021)."""
G_TO_COLOUR_RATIO = 8
"""Delta_G,90 / Delta_C,90 (Sect. 2.4 of van Groeningen et al. 2023)."""
_PARALLAX_ERROR_WEIGHT = 3
_NEAREST_DISTANCE = 1.0
_PRECISION = 1e-5
LARGEST_COLOUR_LIMIT = 3.0
"""A larger Delta_C,90 [mag] would make a candidate of every star: those of known clusters are below 1."""


@dataclass(frozen=True)
class SelectionLimits:
    """Largest separations Delta of a candidate without measurement errors, margins included.

    Parameters
    ----------
    pm : float
        Delta_mu [mas/yr] (Eq. 6).
    parallax_far, parallax_near : float
        Delta_plx [mas] for parallaxes below and above the mean (Eqs. 8 to 10).
    colour, g : float
        Delta_C and Delta_G [mag] (Eqs. 11 and 12).
    """

    pm: float
    parallax_far: float
    parallax_near: float
    colour: float
    g: float

    def __post_init__(self) -> None:
        settle(self)

    def as_dict(self) -> dict[str, Any]:
        """Limits by name, for cluster.json."""
        return asdict(self)


def recorded_selection(content: dict[str, Any]) -> SelectionOptions:
    """Selection options that sets were built with, as cluster.json records them.

    Parameters
    ----------
    content : dict
        That of cluster.json; what it does not record has its default.

    Returns
    -------
    SelectionOptions

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError
        If the content cannot be that of cluster.json.
    """
    kept = content.get("options", {}).get("selection", {})
    numbers = {field.name for field in fields(SelectionOptions)} - {"colour"}
    return SelectionOptions(
        colour=content["colour"], **{name: float(kept[name]) for name in kept if name in numbers}
    )


@checked
def selection_limits(
    cluster: Cluster, members: pd.DataFrame, isochrone: Isochrone, options: SelectionOptions
) -> SelectionLimits:
    """Selection limits of a cluster from its training members (Eqs. 6 to 12 of van Groeningen et al. 2023).

    Parameters
    ----------
    cluster : Cluster
        With means and standard deviations of the members.
    members : DataFrame
        Training members with magnitude errors.
    isochrone : Isochrone
        The cluster's isochrone in the colour of the options.
    options : SelectionOptions
        Weights, margins and member fractions.

    Returns
    -------
    SelectionLimits

    Raises
    ------
    TooFewMembersError
        If there is no member.
    TypeError, ValueError
        If the members are no table with these measurements.
    """
    require_measurements(members, options.colour)
    if members.empty:
        raise TooFewMembersError(
            f"{cluster.name} has no member, selection limits are made from at least one."
        )
    cluster = with_published_errors(cluster, members)
    far, near = parallax_limits(cluster, maximum_radius(cluster, members, options))
    colour = isochrone_limit(members, isochrone, options)
    return SelectionLimits(
        pm=proper_motion_limit(cluster, options.pm_error_weight),
        parallax_far=far,
        parallax_near=near,
        colour=colour + options.c_margin,
        g=G_TO_COLOUR_RATIO * colour + options.g_margin,
    )


def with_published_errors(cluster: Cluster, members: pd.DataFrame) -> Cluster:
    """Cluster whose mean errors are those of Eq. 7 (with the square that its print lacks), for Eqs. 6 and 9.

    They leave out the members' own scatter, so they are several times too small where this exceeds the errors.

    Parameters
    ----------
    cluster : Cluster
        With means.
    members : DataFrame
        Training members.

    Returns
    -------
    Cluster
    """
    errors: dict[str, Any] = {
        f"{name}_mean_error": weighted_mean(members[name].to_numpy(), members[f"{name}_error"].to_numpy())[1]
        for name in ("pmra", "pmdec", "parallax")
    }
    return replace(cluster, **errors)


def proper_motion_limit(cluster: Cluster, pm_error_weight: float = 3.0) -> float:
    """Delta_mu from the members' scatter and the error of their mean (Eq. 6).

    Parameters
    ----------
    cluster : Cluster
        With standard deviations and mean errors of the members.
    pm_error_weight : float
        How many of each.

    Returns
    -------
    float
        [mas/yr].
    """
    in_ra = pm_error_weight * (cluster.pmra_error + cluster.pmra_mean_error)
    in_dec = pm_error_weight * (cluster.pmdec_error + cluster.pmdec_mean_error)
    return float(np.hypot(in_ra, in_dec))


def maximum_radius(cluster: Cluster, members: pd.DataFrame, options: SelectionOptions) -> float:
    """R_max: smallest projected radius that encloses the member fraction, plus a margin (Eq. 10).

    Parameters
    ----------
    cluster : Cluster
        Gives centre and distance.
    members : DataFrame
        Training members.
    options : SelectionOptions
        Member fraction and margin.

    Returns
    -------
    float
        [pc].
    """
    separation = angular_separation(
        members["ra"].to_numpy(), members["dec"].to_numpy(), cluster.ra, cluster.dec
    )
    radius = np.sort(cluster.dist * np.radians(separation))
    enclosing = max(int(np.ceil(options.r_threshold_member_fraction * len(radius) - 1e-9)) - 1, 0)
    return float(radius[enclosing]) + options.r_max_margin


def parallax_limits(cluster: Cluster, r_max: float) -> tuple[float, float]:
    """Delta_plx on the far and the near side (Eqs. 8 and 9).

    Parameters
    ----------
    cluster : Cluster
        With mean parallax and its error. Where the mean parallax is not positive, its distance is used.
    r_max : float
        Largest separation along the line of sight [pc]. Where it reaches the Sun, the near side is open
        to 1 pc.

    Returns
    -------
    far, near : float
        [mas]; far holds for parallaxes below the mean.
    """
    distance = 1000 / cluster.parallax if cluster.parallax > 0 else cluster.dist
    errors = _PARALLAX_ERROR_WEIGHT * (cluster.parallax_mean_error + ZERO_POINT_ERROR)
    far = abs(1000 / distance - 1000 / (distance + r_max))
    near = abs(1000 / distance - 1000 / max(distance - r_max, _NEAREST_DISTANCE))
    return float(far + errors), float(near + errors)


def isochrone_limit(members: pd.DataFrame, isochrone: Isochrone, options: SelectionOptions) -> float:
    """Delta_C,90 [mag]: smallest limit that lets the member fraction pass Eq. 5, with Delta_G = 8 Delta_C.

    Found by bisection to 1e-5 mag; 0 if that already suffices. Members without a colour do not count.

    Parameters
    ----------
    members : DataFrame
        Training members with magnitude errors.
    isochrone : Isochrone
        A curve in the colour of the options.
    options : SelectionOptions
        Colour, weight of the source errors and member fraction.

    Returns
    -------
    float
        [mag].

    Raises
    ------
    ValueError
        If no member has a colour with its error.
    ClusterError
        If the limit would exceed `LARGEST_COLOUR_LIMIT`.
    """
    photometry = _photometry(members, options.colour)
    finite = np.isfinite(photometry).all(axis=1)
    usable = photometry[finite]
    if not len(usable):
        raise ValueError(f"no member has {options.colour} with its error: choose the other --colour.")

    def enough(limit: float) -> bool:
        limits = (limit, G_TO_COLOUR_RATIO * limit)
        passed = _distance(usable, isochrone, limits, options.source_error_weight) < 1
        return bool(passed.mean() >= options.iso_threshold_member_fraction)

    lower, upper = 0.0, 0.1
    if enough(lower):
        return lower
    while not enough(upper):
        if upper == LARGEST_COLOUR_LIMIT:
            raise ClusterError(_too_far(members.iloc[np.flatnonzero(finite)], usable, isochrone, options))
        lower, upper = upper, min(2 * upper, LARGEST_COLOUR_LIMIT)
    while upper - lower > _PRECISION:
        middle = (lower + upper) / 2
        lower, upper = (lower, middle) if enough(middle) else (middle, upper)
    return upper


def _too_far(
    members: pd.DataFrame, photometry: Array, isochrone: Isochrone, options: SelectionOptions
) -> str:
    """Why no sensible limit lets the member fraction pass: the star that is farthest from the isochrone."""
    limits = (LARGEST_COLOUR_LIMIT, G_TO_COLOUR_RATIO * LARGEST_COLOUR_LIMIT)
    distance = _distance(photometry, isochrone, limits, options.source_error_weight)
    worst = {
        name: members[name].iloc[int(np.argmax(distance))]
        for name in ("source_id", "phot_g_mean_mag", options.colour)
    }
    return (
        f"{(distance >= 1).sum()} of {len(members)} training members lie farther than {LARGEST_COLOUR_LIMIT:g} mag in "
        f"{options.colour} and {limits[1]:g} mag in G from the isochrone; source_id {worst['source_id']} with G "
        f"{worst['phot_g_mean_mag']:.2f} and {options.colour} {worst[options.colour]:.2f} is the farthest: is its "
        "photometry a fill value? Else age, distance or extinction are of another cluster."
    )


def _distance(
    photometry: Array, isochrone: Isochrone, limits: tuple[float, float], error_weight: float
) -> Array:
    """Left side of Eq. 5 from G, colour and their errors, for limits in colour and G."""
    g, colour, g_error, colour_error = photometry.T
    colour_scale = error_weight * colour_error + limits[0]
    g_scale = error_weight * g_error + limits[1]
    tiny = 1e-9  # mag; scales of 0 divide nothing
    colour_scale, g_scale = np.maximum(colour_scale, tiny), np.maximum(g_scale, tiny)
    f_c, f_g = isochrone_offsets(isochrone, colour, g, colour_scale, g_scale)
    return np.hypot(f_c / colour_scale, f_g / g_scale)


def _photometry(sources: pd.DataFrame, colour: str) -> Array:
    """G, colour and their errors, shape (n_sources, 4)."""
    return sources[["phot_g_mean_mag", colour, "phot_g_mean_mag_error", f"{colour}_error"]].to_numpy(float)


def proper_motion_distance(
    sources: pd.DataFrame, cluster: Cluster, limits: SelectionLimits, options: SelectionOptions
) -> Array:
    """Proper motion offset in units of each star's own limit, the left side of Eq. 3.

    The offset is from the motion that the cluster has at the star's place, which differs from the mean across a wide
    field and near a pole; what is not known of it widens the limit as the star's errors do.

    Parameters
    ----------
    sources : DataFrame
        With proper motions and their errors.
    cluster : Cluster
        Gives mean and perspective.
    limits : SelectionLimits
        Gives Delta_mu.
    options : SelectionOptions
        Gives the weight of the source errors.

    Returns
    -------
    ndarray, shape (n_sources,)
        Below 1 for candidates.
    """
    ra, dec = sources["ra"].to_numpy(float), sources["dec"].to_numpy(float)
    offset = sources[["pmra", "pmdec"]].to_numpy(float) - cluster.motion_at(ra, dec)
    errors = sources[["pmra_error", "pmdec_error"]].to_numpy(float) + np.abs(cluster.motion_error_at(ra, dec))
    with np.errstate(divide="ignore", invalid="ignore"):  # of limits that are 0
        return np.hypot(*(offset / (options.source_error_weight * errors + limits.pm)).T)


def parallax_distance(
    sources: pd.DataFrame, cluster: Cluster, limits: SelectionLimits, options: SelectionOptions
) -> Array:
    """Parallax offset in units of each star's own limit, the left side of Eq. 4 with the sides of Eq. 8.

    Parameters
    ----------
    sources : DataFrame
        With corrected parallaxes and their errors.
    cluster : Cluster
        Gives the mean.
    limits : SelectionLimits
        Give Delta_plx of both sides.
    options : SelectionOptions
        Gives the weight of the source errors.

    Returns
    -------
    ndarray, shape (n_sources,)
        Below 1 for candidates.
    """
    offset = sources["parallax"].to_numpy() - cluster.parallax
    limit = np.where(offset < 0, limits.parallax_far, limits.parallax_near)
    return np.abs(offset) / (options.source_error_weight * sources["parallax_error"].to_numpy() + limit)


@checked
def select_candidates(
    sources: pd.DataFrame,
    cluster: Cluster,
    limits: SelectionLimits,
    isochrone: Isochrone,
    options: SelectionOptions | None = None,
) -> pd.DataFrame:
    """Which selection conditions each source fulfils (Eqs. 3 to 5 of van Groeningen et al. 2023).

    Parameters
    ----------
    sources : DataFrame
        Cone sources with corrected parallaxes and magnitude errors.
    cluster : Cluster
        With means from the members.
    limits : SelectionLimits
        From `selection_limits`.
    isochrone : Isochrone
        The cluster's isochrone in the colour of the options.
    options : SelectionOptions, optional
        Must be those that the limits were made with.

    Returns
    -------
    DataFrame
        Boolean columns proper_motion, parallax, isochrone and candidate (all three), with the sources'
        index. The isochrone is only looked at for sources that fulfil the other two; it is False elsewhere.

    Raises
    ------
    TypeError, ValueError
        If the sources are no table with these measurements.
    """
    options = options or SelectionOptions()
    require_measurements(sources, options.colour)
    proper_motion = proper_motion_distance(sources, cluster, limits, options) < 1
    parallax = parallax_distance(sources, cluster, limits, options) < 1
    near_isochrone = proper_motion & parallax
    photometry = _photometry(sources, options.colour)[near_isochrone]
    distance = _distance(photometry, isochrone, (limits.colour, limits.g), options.source_error_weight)
    near_isochrone[near_isochrone] = distance < 1
    return pd.DataFrame(
        {
            "proper_motion": proper_motion,
            "parallax": parallax,
            "isochrone": near_isochrone,
            "candidate": near_isochrone,
        },
        index=sources.index,
    )


def require_measurements(
    sources: pd.DataFrame, colour: str, *others: str, what: str = "sources"
) -> pd.DataFrame:
    """Table of calibrated sources, with other columns if they are named; anything else is refused.

    Raises
    ------
    TypeError, ValueError
        See `files.tables.require_columns`.
    """
    return require_columns(sources, (*MEASUREMENTS, colour, f"{colour}_error", *others), what, CALIBRATED)


def failed_conditions(passed: pd.DataFrame) -> pd.Series:
    """Which selection conditions each source failed, for the column ``rejected_by``.

    Parameters
    ----------
    passed : DataFrame
        From `select_candidates`.

    Returns
    -------
    Series of str, on the index of `passed`
        "proper_motion", "parallax", both with a + between them, "isochrone" for sources that failed only this (it
        is not looked at for the others), or "" for candidates.
    """
    pm, parallax, candidate = (passed[name].to_numpy() for name in ("proper_motion", "parallax", "candidate"))
    conditions = [candidate, pm & parallax, ~pm & ~parallax, ~pm]
    names = ["", "isochrone", "proper_motion+parallax", "proper_motion"]
    return pd.Series(np.select(conditions, names, "parallax"), index=passed.index, dtype="str")
