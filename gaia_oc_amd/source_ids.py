"""Source identifiers as Gaia makes them: a HEALPix pixel in the high bits, a running number below."""

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import angular_separation

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


POSITION_MARGIN = 0.1
"""A source may lie this far outside the pixel of its identifier [deg]: identifiers are older than the positions."""
_MAXIMUM_RANGES = 16


def agree_with_positions(
    identifiers: NDArray[np.int64], ra: NDArray[np.float64], dec: NDArray[np.float64]
) -> bool:
    """Whether all identifiers name pixels at the positions, within half of `POSITION_MARGIN`.

    Parameters
    ----------
    identifiers : ndarray of int64, shape (n,)
        Gaia's, or anything else.
    ra, dec : ndarray, shape (n,)
        Directions [deg].
    """
    import astropy.units as u
    from astropy_healpix import HEALPix

    grid = HEALPix(nside=1 << HEALPIX_LEVEL, order="nested")
    pixels = identifiers >> HEALPIX_SHIFT
    if not len(pixels) or pixels.min() < 0 or pixels.max() >= grid.npix:
        return False
    lon, lat = grid.healpix_to_lonlat(pixels)
    apart = angular_separation(ra, dec, lon.to_value(u.deg), lat.to_value(u.deg))
    return bool((apart <= POSITION_MARGIN / 2).all())


def identifier_ranges(ra: float, dec: float, radius: float) -> list[tuple[int, int]]:
    """Ranges of identifiers that hold every source within a radius.

    Parameters
    ----------
    ra, dec, radius : float
        The cone [deg].

    Returns
    -------
    list of (int, int)
        Disjoint ranges [lower, upper), in order, at most 16; they also hold sources around the cone.
    """
    import astropy.units as u
    from astropy_healpix import HEALPix

    radius += POSITION_MARGIN
    level = int(np.clip(np.ceil(np.log2(60 * 16 / radius)), 0, HEALPIX_LEVEL))  # pixels of radius / 16
    grid = HEALPix(nside=1 << level, order="nested")
    pixels = np.unique(grid.cone_search_lonlat(ra * u.deg, dec * u.deg, radius * u.deg))
    gaps = np.diff(pixels) - 1
    widest = np.sort(np.argsort(-gaps, kind="stable")[: _MAXIMUM_RANGES - 1])
    breaks = widest[gaps[widest] > 0]
    shift = HEALPIX_SHIFT + 2 * (HEALPIX_LEVEL - level)
    lower = pixels[np.concatenate([[0], breaks + 1])]
    upper = pixels[np.concatenate([breaks, [-1]])] + 1
    return [(int(start) << shift, int(end) << shift) for start, end in zip(lower, upper, strict=True)]
