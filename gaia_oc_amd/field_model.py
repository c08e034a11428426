"""The stars of the Galactic disc around a simulated cluster as they are in truth."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.initial_mass_function import number_below
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.schematic_isochrones import schematic_isochrones
from gaia_oc_amd.simulation_options import SimulationOptions
from gaia_oc_amd.space_motion import galactic_axes, local_axes, seen_from_the_sun
from gaia_oc_amd.stellar_systems import (
    absolute_magnitudes,
    apparent_magnitudes,
    draw_mass_ratios,
    in_order_of_mass,
)

Array = NDArray[np.float64]

SUN_TO_CENTRE = 8200.0
"""R_0 [pc]; this and the discs: Bland-Hawthorn & Gerhard (2016, ARA&A 54, 529)."""
SUN_ABOVE_PLANE = 25.0
CIRCULAR_VELOCITY = 238.0
SOLAR_MOTION = np.array([11.1, 12.24, 7.25])
"""U, V, W of the Sun [km/s] (Schoenrich et al. 2010, MNRAS 403, 1829)."""
DUST_HEIGHT, DUST_LENGTH = 100.0, 4000.0
"""Scales of the dust [pc], a smooth layer with the clumpiness below."""
DUST_SCATTER = 0.2

_CHUNK = 100_000
_BRIGHTEST = 4.0
_MARGIN = 1.0  # binaries and patchy dust make systems brighter than the single star they were drawn as
_MAX_A0 = 20.0


@dataclass(frozen=True)
class Population:
    """Disc stars of one age.

    Parameters
    ----------
    log_age : float
        log10 of the age [yr].
    surface_density : float
        Stars per area at the Sun, relative to the other populations.
    height, length : float
        Exponential scales across and along the disc [pc].
    dispersion : float
        Standard deviation of the radial velocities in the Galaxy [km/s].
    """

    log_age: float
    surface_density: float
    height: float
    dispersion: float
    length: float = 2600.0

    @property
    def drift(self) -> float:
        """Asymmetric drift [km/s], by Stroemberg's relation."""
        return self.dispersion**2 / 80


POPULATIONS = (
    Population(8.3, 0.5, 90, 15),
    Population(8.9, 0.9, 130, 21),
    Population(9.3, 1.6, 200, 28),
    Population(9.6, 2.5, 280, 35),
    Population(9.85, 4.0, 330, 41),
    Population(10.05, 1.1, 900, 60, 2000.0),
)
"""Thin disc of constant star formation with an age-velocity relation (schematic), and a thick disc."""
_AXIS_RATIOS = np.array([1.0, 0.64, 0.5])  # dispersions along radius, rotation and height


def field_stars(options: SimulationOptions, *, rng: np.random.Generator) -> Iterator[pd.DataFrame]:
    """All field stars of the cone, as they are, in chunks.

    Distances follow the exponential discs along the cluster's line of sight, magnitudes a Kroupa mass
    function on schematic isochrones of the discs' ages, velocities Galactic rotation with asymmetric drift
    and dispersions, extinction a smooth dust layer that gives the cluster's a0 at its distance, with 20 %
    scatter. Directions are uniform over the cone, whose radius is cone_radius at the cluster's distance, at
    most 60 deg.

    Parameters
    ----------
    options : SimulationOptions
        Cluster, cone and density.
    rng : Generator
        Source of randomness.

    Yields
    ------
    DataFrame
        The columns of `gaia_oc_amd.cluster_model.cluster_stars`.
    """
    remaining = rng.poisson(options.field_density * cone_area(options))
    tables = [in_order_of_mass(nearest_age(table, age)) for age, table in _isochrones_by_age()]
    sampler = _StarSampler(options, tables)
    while remaining > 0:
        stars = sampler.draw(min(_CHUNK, int(1.5 * remaining) + 100), rng).iloc[:remaining]
        remaining -= len(stars)
        yield pd.concat(
            [_kinematics(options, stars, rng), stars.drop(columns=["distance", "population"])], axis=1
        )


def cone_radius_deg(options: SimulationOptions) -> float:
    """Radius of the cone on the sky, at most 60 deg.

    Parameters
    ----------
    options : SimulationOptions
        Give cone_radius and dist.

    Returns
    -------
    float
        [deg].
    """
    return min(float(np.degrees(np.arctan(options.cone_radius / options.dist))), 60.0)


def cone_area(options: SimulationOptions) -> float:
    """Solid angle of the cone.

    Parameters
    ----------
    options : SimulationOptions
        Give cone_radius and dist.

    Returns
    -------
    float
        [deg^2].
    """
    return float(2 * np.pi * (1 - np.cos(np.radians(cone_radius_deg(options)))) * np.degrees(1) ** 2)


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
    seen = seen_from_the_sun(position, _disc_velocity(position @ galactic_axes().T, np.zeros((1, 3)), 0.0))
    return float(seen["pmra"].iloc[0]), float(seen["pmdec"].iloc[0])


def _isochrones_by_age() -> Iterator[tuple[float, pd.DataFrame]]:
    ages = [population.log_age for population in POPULATIONS]
    table = schematic_isochrones(ages)
    return ((age, table) for age in ages)


class _StarSampler:
    """Draws distance, population and mass of stars brighter than a limit from a table of all combinations."""

    def __init__(self, options: SimulationOptions, isochrones: list[pd.DataFrame]) -> None:
        self._options, self._isochrones = options, isochrones
        self._edges = np.geomspace(20, 25_000, 200)  # distances [pc]
        centres = np.sqrt(self._edges[1:] * self._edges[:-1])
        self._dust = _dust_along_sight(options, self._edges)
        sight = centres[:, None] * local_axes(options.ra, options.dec)[2] @ galactic_axes().T
        weights = [
            self._weights(population, points, sight, centres)
            for population, points in zip(POPULATIONS, isochrones, strict=True)
        ]
        self._cells = [table.size for table in weights]
        self._cumulative = np.cumsum(np.concatenate([table.ravel() for table in weights]))

    def _weights(self, population: Population, points: pd.DataFrame, sight: Array, distance: Array) -> Array:
        """Expected numbers, shape (mass segments, distances), zero where the star would be too faint."""
        number = np.diff(number_below(points["Mini"]))
        volume = distance**3 * _density(population, sight)  # bins of equal width in log distance
        magnitude = points["Gmag"].to_numpy()
        brighter = np.minimum(magnitude[1:], magnitude[:-1])
        dust = np.sqrt(self._dust[1:] * self._dust[:-1])
        apparent = brighter[:, None] + 5 * np.log10(distance) - 5 + 0.6 * dust
        visible = (apparent < self._options.g_max + _MARGIN) & (apparent > _BRIGHTEST - 3)
        return number[:, None] * volume * visible

    def draw(self, size: int, rng: np.random.Generator) -> pd.DataFrame:
        """Some fewer than `size` stars, those that turn out brighter than the limit."""
        cell = np.searchsorted(self._cumulative, rng.uniform(0, self._cumulative[-1], size), side="right")
        first = np.concatenate([[0], np.cumsum(self._cells)])
        population = np.searchsorted(first, cell, side="right") - 1
        segment, bin_number = np.divmod(cell - first[population], len(self._edges) - 1)
        place, distance, a0 = rng.uniform(size=size), np.empty(size), np.empty(size)
        log_edges, shift = np.log(self._edges), rng.uniform(size=size)
        log_distance = log_edges[bin_number] + shift * (log_edges[1] - log_edges[0])
        distance = np.exp(log_distance)
        a0 = np.interp(log_distance, log_edges, self._dust) * rng.lognormal(0, DUST_SCATTER, size)
        stars = [
            self._systems(index, segment[rows], place[rows], rng).set_index(rows)
            for index in range(len(POPULATIONS))
            if len(rows := np.flatnonzero(population == index))
        ]
        stars = pd.concat(stars).sort_index()
        magnitudes = apparent_magnitudes(stars, distance, np.minimum(a0, _MAX_A0))
        stars = stars.assign(distance=distance, population=population, **magnitudes).drop(columns="teff")
        seen = (stars["g"] < self._options.g_max) & (stars["g"] > _BRIGHTEST)
        return stars[seen].reset_index(drop=True)

    def _systems(self, index: int, segment: Array, place: Array, rng: np.random.Generator) -> pd.DataFrame:
        points = self._isochrones[index]
        knots = points["Mini"].to_numpy()
        mass = knots[segment] + place * np.diff(knots)[segment]
        ratio = draw_mass_ratios(len(mass), self._options.binary_fraction, rng=rng)
        return absolute_magnitudes(points, mass, ratio).assign(mass=mass, is_binary=ratio > 0)


def _density(population: Population, galactic: Array) -> Array:
    """Relative number density of a disc at heliocentric Galactic positions of shape (n, 3) [pc]."""
    radius = np.hypot(galactic[:, 0] - SUN_TO_CENTRE, galactic[:, 1])
    height = np.abs(galactic[:, 2] + SUN_ABOVE_PLANE)
    profile = np.exp(-(radius - SUN_TO_CENTRE) / population.length - height / population.height)
    return population.surface_density / population.height * profile


def _dust_along_sight(options: SimulationOptions, distance: Array) -> Array:
    """A0 [mag] at distances [pc], options.a0 at the cluster's."""
    steps = np.concatenate([[0.0], np.geomspace(1, distance[-1], 2000)])
    galactic = steps[:, None] * local_axes(options.ra, options.dec)[2] @ galactic_axes().T
    radius = np.hypot(galactic[:, 0] - SUN_TO_CENTRE, galactic[:, 1])
    dust = np.exp(
        -(radius - SUN_TO_CENTRE) / DUST_LENGTH - np.abs(galactic[:, 2] + SUN_ABOVE_PLANE) / DUST_HEIGHT
    )
    column = np.concatenate([[0.0], np.cumsum(np.diff(steps) * (dust[1:] + dust[:-1]) / 2)])
    return options.a0 * np.interp(distance, steps, column) / np.interp(options.dist, steps, column)


def _directions(options: SimulationOptions, size: int, rng: np.random.Generator) -> Array:
    """Unit vectors uniform over the cone, shape (size, 3)."""
    cosine = 1 - rng.uniform(size=size) * (1 - np.cos(np.radians(cone_radius_deg(options))))
    sine, angle = np.sqrt(1 - cosine**2), rng.uniform(0, 2 * np.pi, size)
    offsets = np.column_stack([sine * np.cos(angle), sine * np.sin(angle), cosine])
    return offsets @ local_axes(options.ra, options.dec)


def _kinematics(options: SimulationOptions, stars: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """What is seen of stars of known distance and population that move in the disc."""
    position = stars["distance"].to_numpy()[:, None] * _directions(options, len(stars), rng)
    population = stars["population"].to_numpy()
    dispersion = np.array([p.dispersion for p in POPULATIONS])[population]
    drift = np.array([p.drift for p in POPULATIONS])[population]
    peculiar = rng.normal(size=(len(stars), 3)) * dispersion[:, None] * _AXIS_RATIOS
    return seen_from_the_sun(position, _disc_velocity(position @ galactic_axes().T, peculiar, drift))


def _disc_velocity(galactic: Array, peculiar: Array, drift: Array | float) -> Array:
    """Equatorial velocities relative to the Sun of stars that lag behind circular orbits.

    Positions are heliocentric Galactic [pc], peculiar velocities along radius, rotation and height [km/s].
    """
    x, y = galactic[:, 0] - SUN_TO_CENTRE, galactic[:, 1]
    radius = np.hypot(x, y)
    outward = np.column_stack([x, y, np.zeros_like(x)]) / radius[:, None]
    forward = np.column_stack([y, -x, np.zeros_like(x)]) / radius[:, None]
    along = CIRCULAR_VELOCITY - drift + peculiar[:, 1]
    velocity = peculiar[:, :1] * outward + along[:, None] * forward + peculiar[:, 2:] * [0, 0, 1]
    return (velocity - SOLAR_MOTION - [0, CIRCULAR_VELOCITY, 0]) @ galactic_axes()
