"""The stars of a simulated cluster as they are in truth: places, motions and magnitudes."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gaia_oc_amd.perspective import local_axes
from gaia_oc_amd.profiles import king_counts
from gaia_oc_amd.simulation.galaxy import POPULATION_NAMES, SUN_TO_CENTRE, Dust
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.space import galactic_axes, seen_from_the_sun, space_velocity
from gaia_oc_amd.simulation.stars import (
    absolute_magnitudes,
    apparent_magnitudes,
    binary_fractions,
    draw_mass_ratios,
    in_order_of_mass,
    sample_masses,
)

Array = NDArray[np.float64]

HALO_EXTENT = 2.5
"""Radius of the halo in tidal radii."""

_HALO_START, _HALO_SCALE = 0.3, 0.6  # tidal radii
_HALF_OF_EXPONENTIAL = 1.678347  # scale lengths of an exponential disc that hold half of its stars
_TAIL_LENGTH = 25.0  # [pc], exponential
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
    options: SimulationOptions, points: pd.DataFrame, *, dust: Dust | None = None, rng: np.random.Generator
) -> pd.DataFrame:
    """Stars of a cluster brighter than the faint limit.

    A body of the wanted profile in projection, with depth drawn alike, a halo and tidal tails; Kroupa masses on the
    isochrone, massive systems nearer the centre; isotropic Gaussian velocities.

    Parameters
    ----------
    options : SimulationOptions
        The cluster.
    points : DataFrame
        Points of its isochrone, with the column Mini.
    dust : Dust, optional
        Gives each star its extinction; by default it is options.a0 for all.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame, n_members rows
        ra, dec [deg], distance [pc], parallax [mas], pmra, pmdec [mas/yr], g, bp, rp [mag], mass [Msun] of
        the primary, is_binary, population, a0 [mag].

    Raises
    ------
    ValueError
        If next to no star of the cluster is bright enough.
    """
    position, velocity, part = _places_and_velocities(options, rng)
    stars = seen_from_the_sun(position, velocity)
    a0 = np.full(len(stars), options.a0) if dust is None else dust.at(stars)
    systems = _visible_systems(options, in_order_of_mass(points), stars["distance"].to_numpy(float), a0, rng)
    order = _segregated(options, systems["mass"].to_numpy(), position, rng)
    stars, a0, part = stars.iloc[order].reset_index(drop=True), a0[order], part[order]
    names = pd.Categorical(part, categories=list(POPULATION_NAMES))
    systems = _reddened(systems, stars["distance"].to_numpy(), a0)
    return pd.concat([stars, systems.assign(population=names, a0=a0)], axis=1)


def _places_and_velocities(
    options: SimulationOptions, rng: np.random.Generator
) -> tuple[Array, Array, NDArray[np.str_]]:
    """Positions [pc] and velocities [km/s] relative to the Sun, shape (n_members, 3), and the part of the cluster."""
    size = options.n_members
    part = np.repeat(["cluster"], size).astype("<U12")
    n_halo, n_tail = rng.multinomial(
        size,
        [options.halo_fraction, options.tail_fraction, 1 - options.halo_fraction - options.tail_fraction],
    )[:2]
    part[:n_halo], part[n_halo : n_halo + n_tail] = "cluster halo", "tidal tail"
    offset = _body_offsets(options, size, rng)
    offset[:n_halo] = _halo_offsets(options, n_halo, rng)
    offset = _flattened(offset, options.ellipticity, rng)
    axes = local_axes(options.ra, options.dec)
    offset = offset @ axes
    offset[n_halo : n_halo + n_tail] = _tail_offsets(options, n_tail, rng)
    centre_velocity = space_velocity(
        options.ra, options.dec, options.dist, (options.pmra, options.pmdec), options.radial_velocity
    )
    velocity = centre_velocity + rng.normal(0, options.velocity_dispersion, (size, 3))
    return options.dist * axes[2] + offset, velocity, part


def _body_offsets(options: SimulationOptions, size: int, rng: np.random.Generator) -> Array:
    """East, north and outward offsets [pc] whose projection follows the profile from every side."""
    radii = [_body_radii(options, size, rng) for _ in "ab"]
    angles = rng.uniform(0, 2 * np.pi, (2, size))
    return np.column_stack(
        [radii[0] * np.cos(angles[0]), radii[0] * np.sin(angles[0]), radii[1] * np.cos(angles[1])]
    )


def _body_radii(options: SimulationOptions, size: int, rng: np.random.Generator) -> Array:
    """Projected radii [pc] of the body."""
    core, tidal = options.core_radius, options.tidal_radius
    if options.profile == "king":
        return sample_king_radii(core, tidal, size, rng=rng)
    radius = np.geomspace(1e-4 * core, tidal, 4000)
    scaled = radius / core
    if options.profile == "plummer":
        within = scaled**2 / (1 + scaled**2)
    else:
        within = 1 - np.exp(-_HALF_OF_EXPONENTIAL * scaled) * (1 + _HALF_OF_EXPONENTIAL * scaled)
    return np.interp(rng.uniform(size=size) * within[-1], within, radius)


def _halo_offsets(options: SimulationOptions, size: int, rng: np.random.Generator) -> Array:
    """Isotropic offsets [pc] out to `HALO_EXTENT` tidal radii."""
    direction = rng.normal(size=(size, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    if options.halo_profile == "inverse_square":
        radius = rng.uniform(_HALO_START, HALO_EXTENT, size)
    else:
        knots = np.linspace(0, HALO_EXTENT, 2000)
        density = {
            "plummer": (1 + knots**2) ** -2.5,
            "flat": np.ones(len(knots)),
            "exponential": np.exp(-knots / _HALO_SCALE),
        }[options.halo_profile]
        within = np.cumsum(density * knots**2)
        radius = np.interp(rng.uniform(size=size), within / within[-1], knots)
    return direction * options.tidal_radius * radius[:, None]


def _flattened(offset: Array, ellipticity: float, rng: np.random.Generator) -> Array:
    """Offsets stretched along one direction of the sky and squeezed across it, their area kept."""
    angle, stretch = rng.uniform(0, np.pi), (1 - ellipticity) ** -0.5
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    on_sky = (offset[:, :2] @ turn.T * [stretch, 1 / stretch]) @ turn
    return np.column_stack([on_sky, offset[:, 2]])


def _tail_offsets(options: SimulationOptions, size: int, rng: np.random.Generator) -> Array:
    """Equatorial offsets [pc] along Galactic rotation, the leading tail inside and the trailing one outside."""
    centre = options.dist * local_axes(options.ra, options.dec)[2]
    x, y, _ = galactic_axes() @ centre - [SUN_TO_CENTRE, 0, 0]
    outward = np.array([x, y, 0.0]) / np.hypot(x, y)
    forward = np.array([outward[1], -outward[0], 0.0])
    along = rng.choice([-1.0, 1.0], size) * (options.tidal_radius + rng.exponential(_TAIL_LENGTH, size))
    across = np.sign(along) * options.tidal_radius / 2
    galactic = along[:, None] * forward - across[:, None] * outward
    return (galactic + rng.normal(0, options.tidal_radius / 3, (size, 3))) @ galactic_axes()


def _visible_systems(
    options: SimulationOptions, points: pd.DataFrame, distance: Array, a0: Array, rng: np.random.Generator
) -> pd.DataFrame:
    """Systems brighter than the faint limit, one for each distance: absolute magnitudes, mass, is_binary."""
    found = []
    lowest, highest = _visible_masses(options, points, distance.min(), a0.min())
    waiting = np.arange(len(distance))
    while len(waiting):
        mass = sample_masses(lowest, highest, len(waiting), rng=rng)
        fraction = binary_fractions(mass, options.binary_fraction)
        ratio = draw_mass_ratios(len(waiting), fraction, rng=rng)
        systems = absolute_magnitudes(points, mass, ratio)
        seen = apparent_magnitudes(systems, distance[waiting], a0[waiting])["g"].to_numpy() < options.g_max
        systems = systems.assign(mass=mass, is_binary=ratio > 0).set_index(waiting)
        found.append(systems[seen])
        waiting = waiting[~seen]
    return pd.concat(found).sort_index()


def _reddened(systems: pd.DataFrame, distance: Array, a0: Array) -> pd.DataFrame:
    magnitudes = apparent_magnitudes(systems, distance, a0)
    return magnitudes.assign(mass=systems["mass"].to_numpy(), is_binary=systems["is_binary"].to_numpy())


def _segregated(
    options: SimulationOptions, mass: Array, position: Array, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Which place each system gets: the ranks of radius and mass are mixed with chance.

    The strength s weighs the rank of mass against a random one; the radii stay as they are.
    """
    size, strength = len(mass), options.mass_segregation
    if strength == 0:
        return np.arange(size)
    radius = np.linalg.norm(position - options.dist * local_axes(options.ra, options.dec)[2], axis=1)
    heaviest_first = np.argsort(np.argsort(-mass)) / size
    wish = strength * heaviest_first + (1 - strength) * rng.uniform(size=size)
    places = np.empty(size, np.int64)
    places[np.argsort(wish)] = np.argsort(radius)
    return places


def _visible_masses(
    options: SimulationOptions, points: pd.DataFrame, nearest: float, a0: float
) -> tuple[float, float]:
    """Range of masses [Msun] outside which not even a binary at the nearest distance is bright enough."""
    mass = points["Mini"].to_numpy()
    twins = absolute_magnitudes(points, mass, np.ones(len(mass)))
    g = apparent_magnitudes(twins, np.full(len(mass), nearest), a0)["g"].to_numpy()
    visible = np.flatnonzero(g < options.g_max - _MARGIN)
    if not len(visible):
        raise ValueError(
            f"no star at {options.dist:g} pc behind a0 = {options.a0:g} is brighter than G = "
            f"{options.g_max:g}: lower dist or a0."
        )
    return mass[max(visible[0] - 1, 0)], mass[-1]
