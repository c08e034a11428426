"""The sky is round: how the motion of a cluster in space looks at other places than its centre."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

KM_S_PER_AU_YR = 4.740470463
"""A star at 1 pc with 1 arcsec/yr moves at so many km/s."""
VELOCITY_SCALE = 30.0
"""Standard deviation of the radial velocities of open clusters [km/s], for those whose own is not known."""

_RINGS, _SECTORS = 8, 72


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
    (sin_ra, cos_ra), (sin_dec, cos_dec) = ((np.sin(angle), np.cos(angle)) for angle in (ra, dec))
    east = [-sin_ra, cos_ra, np.zeros(np.shape(ra))]
    north = [-sin_dec * cos_ra, -sin_dec * sin_ra, cos_dec]
    outward = [cos_dec * cos_ra, cos_dec * sin_ra, sin_dec]
    axes = np.array([east, north, outward])
    return np.moveaxis(axes, (0, 1), (-2, -1))


def projection(
    ra: ArrayLike, dec: ArrayLike, centre: tuple[float, float], dist: float
) -> tuple[Array, Array]:
    """What a velocity in space that is the same for all stars adds to their proper motions.

    Parameters
    ----------
    ra, dec : array_like, shape (n,)
        Directions of the stars [deg].
    centre : tuple of float
        ra and dec of the centre [deg].
    dist : float
        Distance of centre and stars [pc].

    Returns
    -------
    of_motion : ndarray, shape (n, 2, 2)
        pmra and pmdec at the star for pmra and pmdec at the centre (both with cos(dec)).
    of_velocity : ndarray, shape (n, 2)
        The same for a radial velocity of the centre [mas/yr per km/s].
    """
    turned = local_axes(ra, dec)[..., :2, :] @ local_axes(*centre).T
    return turned[..., :2], turned[..., 2] * (1000 / (KM_S_PER_AU_YR * dist))


def turn_over_cone(
    centre: tuple[float, float],
    radius: float,
    dist: float,
    pm: tuple[float, float],
    velocity: float = 0.0,
    velocity_error: float = 0.0,
) -> float:
    """Largest difference between the motion of a cluster at its centre and anywhere in a cone.

    Parameters
    ----------
    centre : tuple of float
        ra and dec [deg].
    radius : float
        Of the cone [deg].
    dist : float
        Distance [pc].
    pm : tuple of float
        pmra (with cos(dec)) and pmdec at the centre [mas/yr].
    velocity, velocity_error : float
        Radial velocity and its error [km/s].

    Returns
    -------
    float
        [mas/yr], one error of the velocity included.
    """
    apart = np.radians(radius) * np.repeat(np.arange(1, _RINGS + 1) / _RINGS, _SECTORS)
    angle = np.tile(2 * np.pi * np.arange(_SECTORS) / _SECTORS, _RINGS)
    offsets = np.column_stack([np.sin(apart) * np.sin(angle), np.sin(apart) * np.cos(angle), np.cos(apart)])
    x, y, z = (offsets @ local_axes(*centre)).T
    ra, dec = np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))
    of_motion, of_velocity = projection(ra, dec, centre, dist)
    difference = of_motion @ np.array(pm) - np.array(pm) + velocity * of_velocity
    unsure = velocity_error * np.hypot(*of_velocity.T)
    return float((np.hypot(*difference.T) + unsure).max())
