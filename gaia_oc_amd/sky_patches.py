"""The part of the sky that a simulated cone covers, in patches that each have a line of sight."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.simulation_options import SimulationOptions
from gaia_oc_amd.space_motion import local_axes

Array = NDArray[np.float64]

_PATCH_RADIUS = 3.0  # [deg]; the Galaxy is the same within a patch
_MAX_RINGS = 4


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


@dataclass(frozen=True)
class Patches:
    """Parts of a cone of equal solid angle, each with a line of sight through its middle.

    Parameters
    ----------
    cosines : ndarray, shape (n_rings + 1,)
        Of the angles from the axis at the edges of the rings.
    rings : ndarray of int, shape (n_patches,)
        Ring of each patch.
    angles : ndarray, shape (n_patches, 2)
        Position angles where each patch begins and ends [rad].
    centres : ndarray, shape (n_patches, 3)
        Unit vectors, equatorial.
    solid_angle : float
        Of one patch [sr].
    axes : ndarray, shape (3, 3)
        East, north and outward at the cone's axis.
    """

    cosines: Array
    rings: NDArray[np.int64]
    angles: Array
    centres: Array
    solid_angle: float
    axes: Array

    @classmethod
    def cover(cls, options: SimulationOptions) -> "Patches":
        """Patches that fill the cone of a simulated cluster.

        Parameters
        ----------
        options : SimulationOptions
            Direction, distance and cone_radius.

        Returns
        -------
        Patches
            One for a cone of up to 3 deg, at most 64.
        """
        radius = cone_radius_deg(options)
        n_rings = int(np.clip(np.ceil(radius / (2 * _PATCH_RADIUS)), 1, _MAX_RINGS))
        # 1, 3, 5 ... times as many sectors outwards keep the patches' solid angles equal
        n_sectors = np.array([1]) if radius <= _PATCH_RADIUS else 4 * (2 * np.arange(n_rings) + 1)
        limit = 1 - np.cos(np.radians(radius))
        cosines = 1 - limit * np.concatenate([[0], np.cumsum(n_sectors)]) / n_sectors.sum()
        rings = np.repeat(np.arange(len(n_sectors)), n_sectors)
        angles = np.concatenate([np.column_stack([np.arange(n), np.arange(n) + 1]) / n for n in n_sectors])
        angles = 2 * np.pi * angles
        axes = local_axes(options.ra, options.dec)
        middle = (cosines[1:] + cosines[:-1])[rings] / 2 if len(rings) > 1 else np.array([1.0])
        centres = _directions(middle, angles.mean(axis=1), axes)
        return cls(cosines, rings, angles, centres, 2 * np.pi * limit / len(rings), axes)

    def draw(self, number: int, size: int, rng: np.random.Generator) -> Array:
        """Directions uniform over a patch.

        Parameters
        ----------
        number : int
            Which patch.
        size : int
            How many.
        rng : Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (size, 3)
            Unit vectors, equatorial.
        """
        ring = self.rings[number]
        cosine = rng.uniform(self.cosines[ring + 1], self.cosines[ring], size)
        return _directions(cosine, rng.uniform(*self.angles[number], size), self.axes)


def _directions(cosine: Array, angle: Array, axes: Array) -> Array:
    sine = np.sqrt(np.maximum(1 - cosine**2, 0))
    return np.column_stack([sine * np.cos(angle), sine * np.sin(angle), cosine]) @ axes
