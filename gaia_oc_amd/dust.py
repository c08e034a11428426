"""Dust in space around a cluster: a smooth layer, clumps along the line of sight, a pattern across the sky."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from gaia_oc_amd.galaxy import SUN_ABOVE_PLANE, SUN_TO_CENTRE
from gaia_oc_amd.simulation_options import SimulationOptions
from gaia_oc_amd.space_motion import galactic_axes, local_axes

Array = NDArray[np.float64]

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
        edges = np.arange(0, 30_000, _CLUMP_LENGTH)
        scatter = _CLUMP_SCATTER if options.a0 > 0 else 0.0
        self._clump_edges, self._clumps = edges, rng.lognormal(0, scatter, len(edges))
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
