"""From positions and velocities in space to what is seen on the sky, and back."""

from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

KM_S_PER_AU_YR = 4.740470463
"""A star at 1 pc with 1 arcsec/yr moves at so many km/s."""


def local_axes(ra: ArrayLike, dec: ArrayLike) -> Array:
    """Unit vectors to the east, to the north and away from us at directions on the sky.

    Parameters
    ----------
    ra, dec : array_like, shape (n,) or scalar
        Directions [deg].

    Returns
    -------
    ndarray, shape (n, 3, 3) or (3, 3)
        Rows are east, north and outward in equatorial Cartesian coordinates (ICRS).
    """
    ra, dec = np.radians(ra), np.radians(dec)
    zero = np.zeros(np.shape(ra))
    east = [-np.sin(ra), np.cos(ra), zero]
    north = [-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)]
    outward = [np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]
    axes = np.array([east, north, outward])
    return np.moveaxis(axes, (0, 1), (-2, -1))


@cache
def galactic_axes() -> Array:
    """Unit vectors towards (l, b) = (0, 0), (90, 0) and b = 90 deg, in equatorial coordinates.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows are the axes: multiplied with an equatorial vector this gives its Galactic components.
    """
    from astropy.coordinates import SkyCoord

    poles = SkyCoord(l=[0, 90, 0], b=[0, 0, 90], unit="deg", frame="galactic")
    return poles.icrs.cartesian.xyz.value.T


@cache
def _ecliptic_pole() -> Array:
    from astropy.coordinates import SkyCoord

    return SkyCoord(0, 90, unit="deg", frame="barycentricmeanecliptic").icrs.cartesian.xyz.value


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
    x, y, z = galactic_axes() @ local_axes(ra, dec)[..., 2, :].T
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


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
    return np.degrees(np.arcsin(np.clip(local_axes(ra, dec)[..., 2, :] @ _ecliptic_pole(), -1, 1)))


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
