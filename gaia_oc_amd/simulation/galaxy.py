"""The Galaxy: density, metallicity and motion of its populations, and its dust."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from gaia_oc_amd.perspective import local_axes
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.space import galactic_axes

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


DUST_HEIGHT, DUST_LENGTH = 110.0, 4000.0
"""Exponential scales of the smooth layer [pc], about those of Drimmel & Spergel (2001, ApJ 556, 181)."""
USUAL_DENSITY = 1e-3
"""Extinction A0 per length in the plane at the Sun [mag/pc], as a mean over all directions."""
MAX_A0 = 20.0
"""Beyond this [mag] nothing is seen."""

_CLUMP_LENGTH, _CLUMP_SCATTER = 150.0, 0.6  # [pc], of the logarithm of the density
_N_WAVES = 24
_WAVELENGTHS = (3.0, 200.0)  # [pc] at the cluster
_WAVE_SLOPE = 0.4  # amplitude ~ wavelength^slope: more power on large scales
_GRID = 401  # points of the pattern across the cone
_RELATIVE_RANGE = (0.3, 2.5)


class Dust:
    """Extinction at every place in a cone, the same for the cluster and the field.

    The column grows along the line of sight with the layer's density times lognormal clumps of 150 pc, and
    is scaled to options.a0 at the cluster; beyond, half-way back to what is usual. Across the sky it is
    multiplied with a smooth random pattern, a sum of waves of 3 to 200 pc at the cluster, whose standard
    deviation at the size of the cluster is options.differential_reddening [mag of A0]; at the centre it is 1.

    Parameters
    ----------
    options : SimulationOptions
        Direction, distance, a0, differential_reddening and tidal_radius.
    rng : Generator
        Draws clumps and pattern.
    """

    def __init__(self, options: SimulationOptions, *, rng: np.random.Generator) -> None:
        self._options = options
        scatter = _CLUMP_SCATTER if options.a0 > 0 else 0.0
        self._clumps = rng.lognormal(0, scatter, int(30_000 / _CLUMP_LENGTH))
        self._waves, self._amplitudes, self._phases = _draw_waves(options, rng)
        self._axes = local_axes(options.ra, options.dec)
        self._centre = float(np.sum(self._amplitudes * np.cos(self._phases)))
        self._map = self._drawn_pattern()
        outward = self._axes[None, 2]
        self._scale = options.a0 / self._column(outward, np.array([options.dist]))[0]
        # a hole or a cloud before the cluster says little about the dust behind it
        self._scale_beyond = np.sqrt(self._scale * USUAL_DENSITY)

    def along_sight(self, direction: Array, distance: Array) -> Array:
        """A0 without the pattern across the sky.

        Parameters
        ----------
        direction : ndarray, shape (3,)
            Unit vector, equatorial.
        distance : ndarray, shape (n,)
            Increasing distances [pc].

        Returns
        -------
        ndarray, shape (n,)
            [mag], at most `MAX_A0`.
        """
        before, whole = (
            self._column(np.atleast_2d(direction), place)
            for place in (np.minimum(distance, self._options.dist), distance)
        )
        return np.minimum(self._scale * before + self._scale_beyond * (whole - before), MAX_A0)

    def pattern(self, directions: Array) -> Array:
        """Extinction relative to that along the smooth layer.

        Parameters
        ----------
        directions : ndarray, shape (n, 3)
            Unit vectors, equatorial.

        Returns
        -------
        ndarray, shape (n,)
            1 in the direction of the cluster's centre.
        """
        if self._options.a0 == 0 or self._options.differential_reddening == 0:
            return np.ones(len(directions))
        offsets = self._options.dist * (directions @ self._axes[:2].T)  # [pc]
        size = self._options.cone_radius
        places = (offsets / size + 1) / 2 * (_GRID - 1)
        return map_coordinates(self._map, places.T, order=1, mode="nearest")

    def _drawn_pattern(self) -> Array:
        """The pattern on a grid over the cone, shape (east, north)."""
        axis = self._options.cone_radius * np.linspace(-1, 1, _GRID)
        total = np.full((_GRID, _GRID), -self._centre)
        for wave, amplitude, phase in zip(self._waves, self._amplitudes, self._phases, strict=True):
            total += amplitude * np.cos(axis[:, None] * wave[0] + axis * wave[1] + phase)
        relative = 1 + self._options.differential_reddening / max(self._options.a0, 1e-3) * total
        return np.clip(relative, *_RELATIVE_RANGE)

    def at(self, stars: pd.DataFrame) -> Array:
        """A0 of stars anywhere near the cluster's line of sight.

        Parameters
        ----------
        stars : DataFrame
            ra, dec [deg], distance [pc].

        Returns
        -------
        ndarray, shape (n,)
            [mag].
        """
        distance = stars["distance"].to_numpy()
        directions = local_axes(stars["ra"].to_numpy(), stars["dec"].to_numpy())[:, 2]
        knots = np.geomspace(1.0, max(distance.max(), 2.0), 400)
        smooth = np.interp(distance, knots, self.along_sight(self._axes[2], knots))
        return np.minimum(smooth * self.pattern(directions), MAX_A0)

    def _column(self, direction: Array, distance: Array) -> Array:
        steps = np.concatenate([[0.0], np.geomspace(1, 30_000, 1500)])
        galactic = steps[:, None] * direction @ galactic_axes().T
        radius = np.hypot(galactic[:, 0] - SUN_TO_CENTRE, galactic[:, 1])
        height = np.abs(galactic[:, 2] + SUN_ABOVE_PLANE)
        dust = np.exp(-(radius - SUN_TO_CENTRE) / DUST_LENGTH - height / DUST_HEIGHT)
        clump = np.minimum((steps / _CLUMP_LENGTH).astype(int), len(self._clumps) - 1)
        middle = (dust[1:] + dust[:-1]) / 2 * self._clumps[clump[1:]]
        return np.interp(distance, steps, np.concatenate([[0.0], np.cumsum(np.diff(steps) * middle)]))


def _draw_waves(options: SimulationOptions, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Wave vectors [1/pc], amplitudes and phases of a random field of unit deviation over the cluster."""
    shortest, longest = _WAVELENGTHS
    length = shortest * (longest / shortest) ** rng.uniform(size=_N_WAVES)
    angle, phase = rng.uniform(0, 2 * np.pi, (2, _N_WAVES))
    wave = 2 * np.pi / length[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    amplitude = length**_WAVE_SLOPE
    # variance over a disc: what is left of each wave's after its value at the centre is subtracted
    size = options.tidal_radius / 2
    places = rng.normal(0, size / 1.5, (400, 2))
    field = np.cos(places @ wave.T + phase) - np.cos(phase)
    return wave, amplitude / np.std(field @ amplitude), phase
