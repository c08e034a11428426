"""What a catalogue would hold: parameters of clusters drawn like its own, member lists with its faults."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import angular_separation, mean_direction
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.simulation.cluster import cluster_stars, king_fraction
from gaia_oc_amd.simulation.galaxy import SUN_ABOVE_PLANE, SUN_TO_CENTRE, circular_velocity
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.space import galactic_axes, seen_from_the_sun

FEWEST_LISTED = 20
"""Clusters of which a list would know fewer members are drawn again."""
MOST_VARIED_STARS = 290_000
"""In the field of a cluster with parameters of its own: near ones would get millions, and gigabytes of memory. With the
scatter of the sample that tells how many they are, a cone stays below 300,000."""


class _Drawn(NamedTuple):
    """Mean or median of a distribution, its scatter, and the range outside of which a value is drawn again."""

    middle: float
    scatter: float
    bounds: tuple[float, float]


_DISTANCE = _Drawn(1800.0, 0.75, (150.0, 5000.0))  # [pc]
_AGE = _Drawn(8.25, 0.75, (6.7, 9.8))
_MEMBERS = _Drawn(300.0, 0.9, (30.0, 3000.0))
_PROFILES: tuple[Literal["king", "plummer", "exponential"], ...] = ("king", "king", "plummer", "exponential")
_HALO_PROFILES: tuple[Literal["inverse_square", "plummer", "flat"], ...] = (
    "inverse_square",
    "plummer",
    "flat",
)
_DISC_HEIGHTS = ((8.0, 70.0), (8.5, 90.0), (9.0, 140.0), (9.5, 300.0), (9.8, 600.0))  # log age, scale [pc]
_MAX_LATITUDE = 60.0
_TRIES = 50


def vary_options(options: SimulationOptions, *, rng: np.random.Generator) -> SimulationOptions:
    """Options of another cluster, its parameters drawn over the space that the catalogues fill.

    The distributions are plain ones with about the medians and widths that Cantat-Gaudin et al. (2020, A&A
    640, A1) give for 2,017 clusters, and their dependences: old clusters lie farther from the plane and move
    faster, extinction grows with distance and falls with latitude.

    Parameters
    ----------
    options : SimulationOptions
        Gives what is not varied: limits in magnitude, cone.
    rng : Generator
        Source of randomness.

    Returns
    -------
    SimulationOptions
        150 to 5,000 pc, log age 6.7 to 9.8, 30 to 3,000 members, any longitude; at most `MOST_VARIED_STARS` in the
        field, unless another limit is given.
    """
    age = float(_bounded(rng.normal, _AGE.middle, _AGE))
    dist = float(_bounded(rng.lognormal, np.log(_DISTANCE.middle), _DISTANCE))
    members = _bounded(rng.lognormal, np.log(_MEMBERS.middle), _MEMBERS)
    most = options.max_field_stars or MOST_VARIED_STARS
    varied = replace(options, age=age, dist=dist, n_members=int(members), max_field_stars=most, vary=False)
    return _with_catalogue(_with_shape(_with_place_and_motion(varied, rng), rng), rng)


def draw_cluster(
    options: SimulationOptions, isochrones: pd.DataFrame, *, rng: np.random.Generator
) -> SimulationOptions:
    """Options from `vary_options` of a cluster that a catalogue would know.

    Parameters
    ----------
    options : SimulationOptions
        Gives what is not varied.
    isochrones : DataFrame
        On which the members lie.
    rng : Generator
        Source of randomness.

    Returns
    -------
    SimulationOptions
        About 20 listed members or more; the age is within the isochrones'.

    Raises
    ------
    ValueError
        If fifty draws gave no such cluster.
    """
    youngest, oldest = isochrones["logAge"].min(), isochrones["logAge"].max()
    for _ in range(_TRIES):
        varied = vary_options(options, rng=rng)
        varied = replace(varied, age=float(np.clip(varied.age, youngest, oldest)))
        if _expected_listed(varied, isochrones, rng) >= 1.2 * FEWEST_LISTED:
            return varied
    raise ValueError(
        f"none of {_TRIES} clusters had {FEWEST_LISTED} members brighter than list_g_max = "
        f"{options.list_g_max:g}: raise it."
    )


def _expected_listed(options: SimulationOptions, isochrones: pd.DataFrame, rng: np.random.Generator) -> float:
    points = nearest_age(isochrones, options.age, metal_fraction=options.metal_fraction)
    try:
        stars = cluster_stars(options, points, rng=rng)
    except ValueError:  # too far and too dusty to be seen
        return 0.0
    share = float(
        king_fraction(
            min(options.list_radius, options.tidal_radius), options.core_radius, options.tidal_radius
        )
    )
    bright = int((stars["g"] < options.list_g_max).sum())
    return bright * share * options.list_completeness * (1 - options.halo_fraction)


def _bounded(draw: Callable[[float, float], float], mean: float, drawn: _Drawn) -> float:
    """A value within bounds, values outside drawn again."""
    while True:
        value = draw(mean, drawn.scatter)
        if drawn.bounds[0] <= value <= drawn.bounds[1]:
            return value


def _with_place_and_motion(options: SimulationOptions, rng: np.random.Generator) -> SimulationOptions:
    scale = np.interp(options.age, *np.transpose(_DISC_HEIGHTS))
    height = rng.laplace(-SUN_ABOVE_PLANE, scale)
    highest = options.dist * np.sin(np.radians(_MAX_LATITUDE))
    height, longitude = np.clip(height, -highest, highest), rng.uniform(0, 2 * np.pi)
    in_plane = np.sqrt(options.dist**2 - height**2)
    galactic = np.array([in_plane * np.cos(longitude), in_plane * np.sin(longitude), height])
    position = galactic @ galactic_axes()
    peculiar = rng.normal(0, 6 + 3 * max(options.age - 8, 0), 3)
    velocity = circular_velocity(position[None])[0] + peculiar
    sky = seen_from_the_sun(position[None], velocity[None]).iloc[0]
    radius = np.hypot(galactic[0] - SUN_TO_CENTRE, galactic[1])
    metallicity = -6e-5 * (radius - SUN_TO_CENTRE) + rng.normal(0, 0.1)
    latitude = np.degrees(np.arcsin(height / options.dist))
    a0 = 0.75 * (options.dist / 1000) ** 0.75 * np.exp(-abs(latitude) / 12) * rng.lognormal(0.1, 0.55)
    return replace(
        options,
        ra=float(sky["ra"] % 360),
        dec=float(sky["dec"]),
        pmra=float(sky["pmra"]),
        pmdec=float(sky["pmdec"]),
        radial_velocity=float(velocity @ position / options.dist),
        metal_fraction=float(np.clip(0.0152 * 10**metallicity, 0.004, 0.04)),
        a0=float(np.clip(a0, 0.02, 4.5)),
    )


def _with_shape(options: SimulationOptions, rng: np.random.Generator) -> SimulationOptions:
    core_radius = float(np.clip(rng.lognormal(np.log(1.6), 0.45), 0.5, 5))
    tidal_radius = min(core_radius * float(rng.uniform(4, 9)), 0.5 * options.cone_radius)
    return replace(
        options,
        core_radius=min(core_radius, 0.5 * tidal_radius),
        tidal_radius=tidal_radius,
        profile=_PROFILES[rng.integers(len(_PROFILES))],
        ellipticity=float(rng.uniform(0, 0.4)) if rng.uniform() < 0.5 else 0.0,
        halo_fraction=float(rng.uniform(0, 0.5)),
        halo_profile=_HALO_PROFILES[rng.integers(len(_HALO_PROFILES))],
        tail_fraction=float(rng.uniform(0, 0.1)) if rng.uniform() < 0.3 else 0.0,
        mass_segregation=float(rng.uniform(0, 0.5)),
        velocity_dispersion=float(rng.uniform(0.3, 1.2)),
        binary_fraction=float(rng.uniform(0.15, 0.5)),
        differential_reddening=float(min(0.3 * rng.uniform() ** 2 * options.a0 + 0.01, 0.5)),
    )


def _with_catalogue(options: SimulationOptions, rng: np.random.Generator) -> SimulationOptions:
    return replace(
        options,
        list_radius=options.tidal_radius * float(rng.uniform(0.4, 0.9)),
        list_completeness=float(rng.uniform(0.6, 0.95)),
        list_contamination=float(rng.uniform(0.0, 0.1)),
        age_error=float(rng.uniform(0.05, 0.2)),
        a0_error=float(rng.uniform(0.05, 0.2)),
        dist_error=float(rng.uniform(0.02, 0.06)),
    )


LIST_COLUMNS = ("source_id", "PMemb", "ra", "dec", "pmra", "pmdec", "parallax", "phot_g_mean_mag")

_CERTAIN_MEMBERS, _CERTAIN_CONTAMINANTS = 0.75, 0.3
_COMPARISON_COMPLETENESS = 0.75
_OUTLIER_SIGMAS = 3.5


def published_list(
    options: SimulationOptions, cone: pd.DataFrame, is_member: NDArray[np.bool_], *, rng: np.random.Generator
) -> pd.DataFrame:
    """Members that a published list like that of Cantat-Gaudin et al. (2018) knows.

    Parameters
    ----------
    options : SimulationOptions
        Limits, completeness and contamination of the list.
    cone : DataFrame
        Measured sources; at least the members.
    is_member : ndarray of bool, shape (n,)
        The truth. Contaminants are field stars that look like members.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        source_id, PMemb in steps of 0.1 (1.0 for three members in four and for three contaminants in ten),
        position, proper motion, parallax and G magnitude.
    """
    listed = _listed(options, cone, is_member, options.list_radius, options.list_completeness, rng)
    certain = np.where(is_member[listed], _CERTAIN_MEMBERS, _CERTAIN_CONTAMINANTS)
    lower = rng.integers(1, 10, len(listed)) / 10
    probability = np.where(rng.uniform(size=len(listed)) < certain, 1.0, lower)
    return cone.iloc[listed].assign(PMemb=probability)[list(LIST_COLUMNS)]


def comparison_list(
    options: SimulationOptions, cone: pd.DataFrame, is_member: NDArray[np.bool_], *, rng: np.random.Generator
) -> pd.DataFrame:
    """Members that a wider but less complete list like that of Tarricq et al. (2022) knows.

    Parameters
    ----------
    options : SimulationOptions
        Limits and contamination; it reaches to the tidal radius.
    cone : DataFrame
        Measured sources.
    is_member : ndarray of bool, shape (n,)
        The truth.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        The columns of `published_list`, PMemb in steps of 0.01.
    """
    completeness = min(_COMPARISON_COMPLETENESS, options.list_completeness)
    listed = _listed(options, cone, is_member, options.tidal_radius, completeness, rng)
    probability = np.where(
        is_member[listed], 1 - rng.beta(1, 4, len(listed)), rng.uniform(0.05, 1, len(listed))
    )
    return cone.iloc[listed].assign(PMemb=np.round(probability, 2))[list(LIST_COLUMNS)]


def catalogue_parameters(
    options: SimulationOptions, members: pd.DataFrame, *, rng: np.random.Generator
) -> dict[str, float]:
    """Parameters as a catalogue gives them.

    Parameters
    ----------
    options : SimulationOptions
        The truth.
    members : DataFrame
        The published list, of which means and standard deviations are taken.
    rng : Generator
        Draws the catalogue's errors, of the size in the options.

    Returns
    -------
    dict
        ra, dec [deg], pmra, pmdec, their standard deviations [mas/yr], parallax and its standard deviation
        [mas], age [log10 yr], a0 [mag], dist [pc].
    """
    ra, dec = mean_direction(members["ra"].to_numpy(), members["dec"].to_numpy())
    row = {"ra": round(ra, 4), "dec": round(dec, 4)}
    for name in ("pmra", "pmdec", "parallax"):
        row |= {name: round(members[name].mean(), 4), f"{name}_error": round(members[name].std(), 4)}
    order = ("ra", "dec", "pmra", "pmdec", "pmra_error", "pmdec_error", "parallax", "parallax_error")
    return {name: float(row[name]) for name in order} | {
        "age": round(options.age + rng.normal(0, options.age_error), 2),
        "a0": round(max(options.a0 + rng.normal(0, options.a0_error), 0.0), 2),
        "dist": round(options.dist * (1 + rng.normal(0, options.dist_error)), 1),
    }


def without_outliers(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows within 3.5 robust standard deviations of the median in every column.

    Catalogues are made by clustering: they know no member that moves unlike the others, whatever the reason.

    Parameters
    ----------
    values : ndarray, shape (n, n_columns)
        Proper motions and parallaxes.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    deviation = np.abs(values - np.median(values, axis=0))
    sigma = 1.4826 * np.median(deviation, axis=0)
    return np.all(deviation <= _OUTLIER_SIGMAS * sigma, axis=1)


def _listed(
    options: SimulationOptions,
    cone: pd.DataFrame,
    is_member: NDArray[np.bool_],
    radius: float,
    completeness: float,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Rows of the listed members and of the contaminants among them, in the cone's order."""
    separation = angular_separation(cone["ra"].to_numpy(), cone["dec"].to_numpy(), options.ra, options.dec)
    near = np.tan(np.radians(separation)) * options.dist < radius
    eligible = near & (cone["phot_g_mean_mag"].to_numpy() < options.list_g_max)
    members = np.flatnonzero(eligible & is_member)
    if len(members):
        members = members[without_outliers(cone.iloc[members][["pmra", "pmdec", "parallax"]].to_numpy())]
    members = members[rng.uniform(size=len(members)) < completeness]
    lookalikes = np.flatnonzero(eligible & ~is_member & _looks_like(cone, members))
    share = options.list_contamination / (1 - options.list_contamination)
    n_contaminants = min(rng.poisson(share * len(members)), len(lookalikes))
    return np.sort(np.concatenate([members, rng.choice(lookalikes, n_contaminants, replace=False)]))


def _looks_like(cone: pd.DataFrame, members: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Sources within three standard deviations of the members' proper motion and parallax."""
    near = np.ones(len(cone), bool)
    for name in ("pmra", "pmdec", "parallax"):
        values = cone[name].to_numpy()
        near &= (
            np.abs(values - values[members].mean()) < 3 * values[members].std() if len(members) > 1 else False
        )
    return near
