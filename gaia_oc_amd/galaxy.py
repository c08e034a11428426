"""The Milky Way's stars around the Sun: how many, how old, how metal-rich, how they move."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.space_motion import galactic_axes, local_axes, seen_from_the_sun

Array = NDArray[np.float64]

SUN_TO_CENTRE = 8200.0
"""R_0 [pc]; this and the discs: Bland-Hawthorn & Gerhard (2016, ARA&A 54, 529)."""
SUN_ABOVE_PLANE = 25.0
CIRCULAR_VELOCITY = 238.0
SOLAR_MOTION = np.array([11.1, 12.24, 7.25])
"""U, V, W of the Sun [km/s] (Schoenrich et al. 2010, MNRAS 403, 1829)."""
LOCAL_MASS_DENSITY = 0.078
"""Mass of all stars ever formed per volume at the Sun [Msun/pc^3], calibrated on Gaia's star counts."""
METALLICITY_GRADIENT = -6e-5
"""Of the thin disc [dex/pc] (Bland-Hawthorn & Gerhard 2016)."""

POPULATION_NAMES = ("cluster", "cluster halo", "tidal tail", "thin disc", "thick disc", "halo")
"""Categories of a simulated star's population."""

_FLARE_LENGTH = 11_000.0  # the outer disc thickens exponentially with this scale [pc], schematic
_FLATTENING, _HALO_SLOPE, _HALO_CORE = 0.65, -2.8, 1000.0


@dataclass(frozen=True)
class Population:
    """Stars of one age.

    Parameters
    ----------
    name : str
        thin disc, thick disc or halo.
    log_age : float
        log10 of the age [yr].
    local_share : float
        Share of the mass density at the Sun.
    height, length : float
        Exponential scales across and along the disc [pc]; the halo has none of these.
    dispersions : tuple of float
        Standard deviations of the velocities along radius, rotation and height [km/s].
    drift : float
        How much rotation lags behind the circular velocity [km/s].
    metallicity : tuple of float
        Mean [M/H] at the Sun, and standard deviation [dex].
    """

    name: str
    log_age: float
    local_share: float
    height: float
    dispersions: tuple[float, float, float]
    drift: float
    metallicity: tuple[float, float]
    length: float = 2700.0


def _thin(log_age: float, local_share: float, height: float, dispersion: float) -> Population:
    """Thin disc stars: asymmetric drift by Stroemberg's relation, axis ratios of the solar neighbourhood."""
    dispersions = (dispersion, 0.64 * dispersion, 0.5 * dispersion)
    return Population("thin disc", log_age, local_share, height, dispersions, dispersion**2 / 80, (0.0, 0.15))


POPULATIONS = (
    _thin(7.8, 0.035, 80, 12),
    _thin(8.6, 0.10, 140, 16),
    _thin(9.1, 0.20, 240, 23),
    _thin(9.5, 0.24, 330, 29),
    _thin(9.75, 0.19, 380, 34),
    _thin(9.95, 0.15, 420, 37),
    Population("thick disc", 10.05, 0.055, 850, (62, 42, 38), 42, (-0.5, 0.25), 2200),
    Population("halo", 10.1, 0.002, 0, (140, 80, 75), 220, (-1.5, 0.4)),
)
"""Thin disc of about constant star formation with an age-velocity relation, thick disc and halo.

Local shares, scale heights and dispersions are rounded from Robin et al. (2003, A&A 409, 523) and
Bland-Hawthorn & Gerhard (2016)."""


def density(population: Population, galactic: Array) -> Array:
    """Stellar mass formed per volume.

    Parameters
    ----------
    population : Population
        Which stars.
    galactic : ndarray, shape (n, 3)
        Heliocentric Galactic positions [pc].

    Returns
    -------
    ndarray, shape (n,)
        [Msun/pc^3].
    """
    radius = np.hypot(galactic[:, 0] - SUN_TO_CENTRE, galactic[:, 1])
    height = np.abs(galactic[:, 2] + SUN_ABOVE_PLANE)
    if population.name == "halo":
        spheroidal = np.sqrt(radius**2 + (height / _FLATTENING) ** 2 + _HALO_CORE**2)
        profile = (spheroidal / np.hypot(SUN_TO_CENTRE, _HALO_CORE)) ** _HALO_SLOPE
    else:
        flare = np.exp(np.maximum(radius - SUN_TO_CENTRE, 0) / _FLARE_LENGTH)
        thickness = population.height * (flare if population.name == "thin disc" else 1.0)
        profile = np.exp(-(radius - SUN_TO_CENTRE) / population.length - height / thickness)
        profile *= population.height / thickness
    return LOCAL_MASS_DENSITY * population.local_share * profile


def draw_metallicities(population: Population, galactic: Array, *, rng: np.random.Generator) -> Array:
    """Metallicities of stars of one population.

    Parameters
    ----------
    population : Population
        Which stars.
    galactic : ndarray, shape (n, 3)
        Heliocentric Galactic positions [pc].
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n,)
        [M/H] [dex].
    """
    mean, scatter = population.metallicity
    radius = np.hypot(galactic[:, 0] - SUN_TO_CENTRE, galactic[:, 1])
    gradient = METALLICITY_GRADIENT if population.name == "thin disc" else 0.0
    outwards = np.clip(radius - SUN_TO_CENTRE, -4000, 6000)
    return mean + gradient * outwards + scatter * rng.normal(size=len(radius))


def draw_velocities(
    galactic: Array, population_number: NDArray[np.int64], *, rng: np.random.Generator
) -> Array:
    """Velocities of stars relative to the Sun.

    Parameters
    ----------
    galactic : ndarray, shape (n, 3)
        Heliocentric Galactic positions [pc].
    population_number : ndarray of int, shape (n,)
        Index in `POPULATIONS`.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n, 3)
        Equatorial components [km/s].
    """
    dispersions = np.array([population.dispersions for population in POPULATIONS])[population_number]
    drift = np.array([population.drift for population in POPULATIONS])[population_number]
    return _disc_velocity(galactic, rng.normal(size=(len(galactic), 3)) * dispersions, drift)


def mean_disc_motion(ra: float, dec: float, dist: float) -> tuple[float, float]:
    """Proper motion of a star on a circular orbit.

    Parameters
    ----------
    ra, dec : float
        Direction [deg].
    dist : float
        Distance [pc].

    Returns
    -------
    pmra, pmdec : float
        [mas/yr].
    """
    position = dist * local_axes(ra, dec)[None, 2]
    seen = seen_from_the_sun(position, circular_velocity(position))
    return float(seen["pmra"].iloc[0]), float(seen["pmdec"].iloc[0])


def circular_velocity(position: Array) -> Array:
    """Velocities of stars on circular orbits.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        Heliocentric equatorial positions [pc].

    Returns
    -------
    ndarray, shape (n, 3)
        Equatorial, relative to the Sun [km/s].
    """
    return _disc_velocity(position @ galactic_axes().T, np.zeros_like(position), 0.0)


def _disc_velocity(galactic: Array, peculiar: Array, drift: Array | float) -> Array:
    """Equatorial velocities relative to the Sun of stars that lag behind circular orbits.

    Positions are heliocentric Galactic [pc], peculiar velocities along radius, rotation and height [km/s].
    """
    x, y = galactic[:, 0] - SUN_TO_CENTRE, galactic[:, 1]
    radius = np.hypot(x, y)
    along = CIRCULAR_VELOCITY - drift + peculiar[:, 1]
    velocity = np.column_stack(
        [
            (peculiar[:, 0] * x + along * y) / radius,
            (peculiar[:, 0] * y - along * x) / radius,
            peculiar[:, 2],
        ]
    )
    return (velocity - SOLAR_MOTION - [0, CIRCULAR_VELOCITY, 0]) @ galactic_axes()
