"""Clusters as different as those of the catalogues: parameters drawn from smooth distributions."""

from dataclasses import replace

import numpy as np
import pandas as pd

from gaia_oc_amd.cluster_model import cluster_stars, king_fraction
from gaia_oc_amd.galaxy import SUN_ABOVE_PLANE, SUN_TO_CENTRE, circular_velocity
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.simulation_options import SimulationOptions
from gaia_oc_amd.space_motion import galactic_axes, seen_from_the_sun

FEWEST_LISTED = 20
"""Clusters of which a list would know fewer members are drawn again."""

_DISTANCE = {"median": 1800.0, "scatter": 0.75, "range": (150.0, 5000.0)}
_AGE = {"mean": 8.25, "scatter": 0.75, "range": (6.7, 9.8)}
_MEMBERS = {"median": 300.0, "scatter": 0.9, "range": (30.0, 3000.0)}
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
        150 to 5,000 pc, log age 6.7 to 9.8, 30 to 3,000 members, any longitude.
    """
    age = float(_bounded(rng.normal, (_AGE["mean"], _AGE["scatter"]), _AGE["range"]))
    dist = float(
        _bounded(rng.lognormal, (np.log(_DISTANCE["median"]), _DISTANCE["scatter"]), _DISTANCE["range"])
    )
    members = _bounded(rng.lognormal, (np.log(_MEMBERS["median"]), _MEMBERS["scatter"]), _MEMBERS["range"])
    varied = replace(options, age=age, dist=dist, n_members=int(members), vary=False)
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


def _bounded(draw, parameters: tuple[float, float], bounds: tuple[float, float]) -> float:  # noqa: ANN001
    """A value within bounds, values outside drawn again."""
    while True:
        value = draw(*parameters)
        if bounds[0] <= value <= bounds[1]:
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
        halo_fraction=float(rng.uniform(0, 0.3)),
        tail_fraction=float(rng.uniform(0, 0.1)) if rng.uniform() < 0.3 else 0.0,
        mass_segregation=float(rng.uniform(0, 0.5)),
        velocity_dispersion=float(rng.uniform(0.3, 1.2)),
        binary_fraction=float(rng.uniform(0.15, 0.5)),
        differential_reddening=float(min(rng.uniform(0.0, 0.15) * options.a0 + 0.01, 0.3)),
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
