"""Source identifiers as Gaia makes them: a HEALPix pixel in the high bits, a running number below."""

import numpy as np
from numpy.typing import NDArray

HEALPIX_LEVEL = 12
HEALPIX_SHIFT = 35
"""``source_id >> 35`` is the nested HEALPix index at level 12 (Gaia DR3 documentation, Sect. 20.1.1)."""


def nested_pixels(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.int64]:
    """Nested HEALPix index at level 12 of directions.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Directions [deg].

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    import astropy.units as u
    from astropy_healpix import HEALPix

    pixels = HEALPix(nside=1 << HEALPIX_LEVEL, order="nested").lonlat_to_healpix(ra * u.deg, dec * u.deg)
    return np.asarray(pixels, np.int64)


def source_ids(
    ra: NDArray[np.float64], dec: NDArray[np.float64], *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Unique identifiers built as Gaia's.

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
    pixels = nested_pixels(ra, dec) << HEALPIX_SHIFT
    identifiers = pixels | (rng.integers(0, 1 << 25, len(pixels)) << 7)
    while True:
        repeated = np.ones(len(identifiers), bool)
        repeated[np.unique(identifiers, return_index=True)[1]] = False
        if not repeated.any():
            return identifiers
        identifiers[repeated] = pixels[repeated] | (rng.integers(0, 1 << 25, repeated.sum()) << 7)
