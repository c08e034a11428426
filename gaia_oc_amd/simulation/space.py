"""Places and motions in the Galaxy as the sky shows them, and patches of the sky."""

from dataclasses import dataclass
from functools import cache

import erfa
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.cone import radius_on_sky
from gaia_oc_amd.perspective import KM_S_PER_AU_YR, local_axes
from gaia_oc_amd.simulation.options import SimulationOptions

Array = NDArray[np.float64]


@cache
def galactic_axes() -> Array:
    """Unit vectors towards (l, b) = (0, 0), (90, 0) and b = 90 deg, in equatorial coordinates.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows are the axes: multiplied with an equatorial vector this gives its Galactic components.
    """
    return erfa.s2c(*erfa.g2icrs([0, np.pi / 2, 0], [0, 0, np.pi / 2]))


def galactic_coordinates(ra: Array, dec: Array) -> tuple[Array, Array]:
    """Galactic coordinates of directions.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Directions [deg].

    Returns
    -------
    l, b : ndarray, shape (n,)
        Longitude, 0 to 360, and latitude [deg].
    """
    longitude, latitude = erfa.icrs2g(np.radians(ra), np.radians(dec))
    return np.degrees(longitude), np.degrees(latitude)


def ecliptic_latitude(ra: Array, dec: Array) -> Array:
    """Latitude of directions above the mean ecliptic of J2000.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Directions [deg].

    Returns
    -------
    ndarray, shape (n,)
        [deg].
    """
    return np.degrees(erfa.eqec06(erfa.DJ00, 0.0, np.radians(ra), np.radians(dec))[1])


def space_velocity(
    ra: float, dec: float, dist: float, pm: tuple[float, float], radial_velocity: float
) -> Array:
    """Velocity in space of a star, or of a cluster's centre.

    Parameters
    ----------
    ra, dec : float
        Direction [deg].
    dist : float
        Distance [pc].
    pm : tuple of float
        pmra (with cos(dec)) and pmdec [mas/yr].
    radial_velocity : float
        [km/s].

    Returns
    -------
    ndarray, shape (3,)
        Equatorial components [km/s], relative to the Sun.
    """
    transverse = KM_S_PER_AU_YR * dist / 1000 * np.asarray(pm, float)
    return np.array([*transverse, radial_velocity]) @ local_axes(ra, dec)


def seen_from_the_sun(position: Array, velocity: Array) -> pd.DataFrame:
    """Directions, distances, parallaxes and proper motions of stars in space.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        Equatorial positions relative to the Sun [pc].
    velocity : ndarray, shape (n, 3)
        Equatorial velocities relative to the Sun [km/s].

    Returns
    -------
    DataFrame
        Columns ra, dec [deg], distance [pc], parallax [mas], pmra (with cos(dec)), pmdec [mas/yr].
    """
    x, y, z = position.T
    distance = np.linalg.norm(position, axis=1)
    ra = np.degrees(np.arctan2(y, x)) % 360
    dec = np.degrees(np.arctan2(z, np.hypot(x, y)))
    pm = np.einsum("nij,nj->ni", local_axes(ra, dec)[:, :2], velocity)
    pm *= (1000 / (KM_S_PER_AU_YR * distance))[:, None]
    return pd.DataFrame(
        {
            "ra": ra,
            "dec": dec,
            "distance": distance,
            "parallax": 1000 / distance,
            "pmra": pm[:, 0],
            "pmdec": pm[:, 1],
        }
    )


_PATCH_RADIUS = 3.0  # [deg]; the Galaxy is the same within a patch
_MAX_RINGS = 4


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
        radius = radius_on_sky(options.cone_radius, options.dist)
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
        first, last = self.angles[number]
        return _directions(cosine, rng.uniform(first, last, size), self.axes)


def _directions(cosine: Array, angle: Array, axes: Array) -> Array:
    sine = np.sqrt(np.maximum(1 - cosine**2, 0))
    return np.column_stack([sine * np.cos(angle), sine * np.sin(angle), cosine]) @ axes
