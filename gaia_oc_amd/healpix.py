"""HEALPix pixels in the nested scheme, which Gaia's source identifiers begin with."""

import numpy as np
from numpy.typing import NDArray

SOURCE_ID_LEVEL = 12
SOURCE_ID_SHIFT = 35
"""``source_id >> 35`` is the nested HEALPix index at level 12 (Gaia DR3 documentation, Sect. 20.1.1)."""


def nested_pixels(
    ra: NDArray[np.float64], dec: NDArray[np.float64], level: int = SOURCE_ID_LEVEL
) -> NDArray[np.int64]:
    """Nested HEALPix index of directions.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Directions [deg].
    level : int
        Level k; a base pixel has 4^k pixels.

    Returns
    -------
    ndarray of int64, shape (n,)
        Index: the base pixel, then the bits of y and x in turn. Eqs. 2 to 9 of Gorski et al. (2005, ApJ
        622, 759), as coordinates on the projected plane.
    """
    n_side = 1 << level
    z, quadrant = np.sin(np.radians(dec)), (np.asarray(ra, float) % 360) / 90  # quadrant in [0, 4)
    base, x, y = _equatorial(z, quadrant, n_side)
    polar = np.abs(z) > 2 / 3
    cap = _polar(z[polar], np.radians(dec)[polar], quadrant[polar], n_side)
    for whole, part in zip((base, x, y), cap, strict=True):
        whole[polar] = part
    return base * n_side**2 + _spread_bits(x) + 2 * _spread_bits(y)


def source_ids(
    ra: NDArray[np.float64], dec: NDArray[np.float64], *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Unique identifiers built as Gaia's: the pixel in the high bits, a running number below.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Directions [deg].
    rng : Generator
        Draws the running numbers, so that they tell nothing about a star.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    pixels = nested_pixels(ra, dec) << SOURCE_ID_SHIFT
    identifiers = pixels | (rng.integers(0, 1 << 25, len(pixels)) << 7)
    while True:
        repeated = np.ones(len(identifiers), bool)
        repeated[np.unique(identifiers, return_index=True)[1]] = False
        if not repeated.any():
            return identifiers
        identifiers[repeated] = pixels[repeated] | (rng.integers(0, 1 << 25, repeated.sum()) << 7)


def _equatorial(z: NDArray, quadrant: NDArray, n_side: int) -> tuple[NDArray, NDArray, NDArray]:
    """Base pixel and coordinates in it where |z| <= 2/3: straight lines in longitude and z."""
    rising = np.floor(n_side * (0.5 + quadrant - 0.75 * z)).astype(np.int64)
    falling = np.floor(n_side * (0.5 + quadrant + 0.75 * z)).astype(np.int64)
    rising_base, falling_base = rising // n_side, falling // n_side
    base = np.where(
        rising_base == falling_base,
        4 + falling_base % 4,
        np.where(rising_base < falling_base, rising_base % 4, 8 + falling_base % 4),
    )
    return base, falling % n_side, n_side - 1 - rising % n_side


def _polar(z: NDArray, dec: NDArray, quadrant: NDArray, n_side: int) -> tuple[NDArray, NDArray, NDArray]:
    """Base pixel and coordinates in it in the polar caps."""
    number = np.minimum(np.floor(quadrant), 3).astype(np.int64)
    along = quadrant - number
    # sqrt(3 (1 - |z|)) without loss of digits near the pole
    distance = n_side * np.sqrt(6) * np.abs(np.sin((np.pi / 2 - np.abs(dec)) / 2))
    first = np.minimum((along * distance).astype(np.int64), n_side - 1)
    second = np.minimum(((1 - along) * distance).astype(np.int64), n_side - 1)
    north = z > 0
    base = np.where(north, number, number + 8)
    x = np.where(north, n_side - 1 - second, first)
    y = np.where(north, n_side - 1 - first, second)
    return base, x, y


def _spread_bits(number: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bits of a number below 2^16 moved to the even places."""
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        number = (number | (number << shift)) & mask
    return number
