"""The stars of a simulated cluster as they are in truth: places, motions and magnitudes."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gaia_oc_amd.initial_mass_function import sample_masses
from gaia_oc_amd.profiles import king_counts
from gaia_oc_amd.simulation_options import SimulationOptions
from gaia_oc_amd.space_motion import local_axes, seen_from_the_sun, space_velocity
from gaia_oc_amd.stellar_systems import (
    absolute_magnitudes,
    apparent_magnitudes,
    draw_mass_ratios,
    in_order_of_mass,
)

Array = NDArray[np.float64]

_MARGIN = 0.01  # mag; less than this visible, and drawing would not end


def king_fraction(radius: ArrayLike, core_radius: float, tidal_radius: float) -> Array:
    """Fraction of a King profile's stars within a projected radius, Eq. 18 of King (1962, AJ 67, 471).

    Parameters
    ----------
    radius : array_like, shape (n,)
        Projected radius.
    core_radius, tidal_radius : float
        r_c and r_t, in the same unit.

    Returns
    -------
    ndarray, shape (n,)
        0 at the centre, 1 from the tidal radius on.
    """
    within, whole = (
        king_counts(np.asarray(r, float), 1.0, core_radius, tidal_radius) for r in (radius, tidal_radius)
    )
    return within / whole


def sample_king_radii(
    core_radius: float, tidal_radius: float, size: int, *, rng: np.random.Generator
) -> Array:
    """Projected radii drawn from a King profile.

    Parameters
    ----------
    core_radius, tidal_radius : float
        r_c and r_t [pc].
    size : int
        How many.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (size,)
        [pc].
    """
    radii = np.concatenate([[0.0], np.geomspace(1e-4 * core_radius, tidal_radius, 4000)])
    return np.interp(rng.uniform(size=size), king_fraction(radii, core_radius, tidal_radius), radii)


def cluster_stars(
    options: SimulationOptions, points: pd.DataFrame, *, rng: np.random.Generator
) -> pd.DataFrame:
    """Members brighter than the faint limit, as they are.

    Projected radii follow a King profile; depth along the line of sight is one coordinate of a second draw
    from it. Velocities have the same dispersion in each direction, at every mass and radius.

    Parameters
    ----------
    options : SimulationOptions
        The cluster.
    points : DataFrame
        Points of the isochrone of its age, with Mini.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame, n_members rows
        ra, dec [deg], distance [pc], parallax [mas], pmra, pmdec [mas/yr], g, bp, rp [mag], mass [Msun] of
        the primary, is_binary.

    Raises
    ------
    ValueError
        If next to no star of the cluster is bright enough.
    """
    position, velocity = _places_and_velocities(options, rng)
    stars = seen_from_the_sun(position, velocity)
    return pd.concat(
        [stars, _visible_systems(options, in_order_of_mass(points), stars["distance"], rng)], axis=1
    )


def _places_and_velocities(options: SimulationOptions, rng: np.random.Generator) -> tuple[Array, Array]:
    """Positions [pc] and velocities [km/s] relative to the Sun, each of shape (n_members, 3)."""
    radii = [
        sample_king_radii(options.core_radius, options.tidal_radius, options.n_members, rng=rng) for _ in "ab"
    ]
    angles = rng.uniform(0, 2 * np.pi, (2, options.n_members))
    offset = [radii[0] * np.cos(angles[0]), radii[0] * np.sin(angles[0]), radii[1] * np.cos(angles[1])]
    axes = local_axes(options.ra, options.dec)
    centre_velocity = space_velocity(
        options.ra, options.dec, options.dist, (options.pmra, options.pmdec), options.radial_velocity
    )
    position = np.transpose([offset[0], offset[1], options.dist + offset[2]]) @ axes
    return position, centre_velocity + rng.normal(0, options.velocity_dispersion, (options.n_members, 3))


def _visible_systems(
    options: SimulationOptions, points: pd.DataFrame, distance: pd.Series, rng: np.random.Generator
) -> pd.DataFrame:
    """Systems brighter than the faint limit, one for each distance."""
    distance, found = distance.to_numpy(), []
    lowest, highest = _visible_masses(options, points, distance.min())
    waiting = np.arange(len(distance))
    while len(waiting):
        mass = sample_masses(lowest, highest, len(waiting), rng=rng)
        ratio = draw_mass_ratios(len(waiting), options.binary_fraction, rng=rng)
        systems = absolute_magnitudes(points, mass, ratio)
        systems = apparent_magnitudes(systems, distance[waiting], options.a0)
        systems = systems.assign(mass=mass, is_binary=ratio > 0).set_index(waiting)
        seen = systems["g"].to_numpy() < options.g_max
        found.append(systems[seen])
        waiting = waiting[~seen]
    return pd.concat(found).sort_index()


def _visible_masses(options: SimulationOptions, points: pd.DataFrame, nearest: float) -> tuple[float, float]:
    """Range of masses [Msun] outside which not even a binary at the nearest distance is bright enough."""
    mass = points["Mini"].to_numpy()
    twins = absolute_magnitudes(points, mass, np.ones(len(mass)))
    g = apparent_magnitudes(twins, np.full(len(mass), nearest), options.a0)["g"].to_numpy()
    visible = np.flatnonzero(g < options.g_max - _MARGIN)
    if not len(visible):
        raise ValueError(
            f"no star at {options.dist:g} pc behind a0 = {options.a0:g} is brighter than G = "
            f"{options.g_max:g}: lower dist or a0."
        )
    return mass[max(visible[0] - 1, 0)], mass[-1]
