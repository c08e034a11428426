"""Directions, means, the parallax zero point, covariances, and what source identifiers say of positions."""

import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


def unit_vectors(ra: Array, dec: Array) -> Array:
    """Cartesian unit vectors of directions.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Right ascension and declination [deg].

    Returns
    -------
    ndarray, shape (n, 3)
    """
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def mean_direction(ra: Array, dec: Array) -> tuple[float, float]:
    """Direction of the mean unit vector, right across ra = 0/360 and at the poles.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Right ascension and declination [deg].

    Returns
    -------
    ra, dec : float
        [deg], ra in [0, 360).
    """
    x, y, z = unit_vectors(ra, dec).mean(axis=0)
    return float(np.degrees(np.arctan2(y, x)) % 360), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def angular_separation(ra: Array, dec: Array, ra_centre: float, dec_centre: float) -> Array:
    """Angle between directions and a centre, exact at all separations.

    Eq. 14 of van Groeningen et al. (2023) is printed with a wrong sign and loses precision at small
    angles; this is the Vincenty form of the same angle.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Directions [deg].
    ra_centre, dec_centre : float
        Centre [deg].

    Returns
    -------
    ndarray, shape (n,)
        Separation [deg].
    """
    difference = np.radians(np.asarray(ra) - ra_centre)
    dec, dec_centre = np.radians(dec), np.radians(dec_centre)
    east = np.cos(dec) * np.sin(difference)
    north = np.cos(dec_centre) * np.sin(dec) - np.sin(dec_centre) * np.cos(dec) * np.cos(difference)
    along = np.sin(dec_centre) * np.sin(dec) + np.cos(dec_centre) * np.cos(dec) * np.cos(difference)
    return np.degrees(np.arctan2(np.hypot(east, north), along))


def tangent_plane(ra: Array, dec: Array, ra_centre: float, dec_centre: float) -> tuple[Array, Array]:
    """Offsets from a centre that keep separation and position angle (zenithal equidistant projection).

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Directions [deg].
    ra_centre, dec_centre : float
        Centre [deg].

    Returns
    -------
    east, north : ndarray, shape (n,)
        Offsets [deg]; their hypotenuse is the angular separation.
    """
    difference = np.radians(np.asarray(ra) - ra_centre)
    dec_radians, dec_centre_radians = np.radians(dec), np.radians(dec_centre)
    east = np.cos(dec_radians) * np.sin(difference)
    north = np.cos(dec_centre_radians) * np.sin(dec_radians)
    north -= np.sin(dec_centre_radians) * np.cos(dec_radians) * np.cos(difference)
    position_angle = np.arctan2(east, north)
    separation = angular_separation(ra, dec, ra_centre, dec_centre)
    return separation * np.sin(position_angle), separation * np.cos(position_angle)


def weighted_mean(values: Array, errors: Array) -> tuple[float, float]:
    """Inverse-variance weighted mean and its uncertainty.

    The uncertainty is 1 / sqrt(sum 1 / sigma^2); Eq. 7 of van Groeningen et al. (2023) is printed without
    the square.

    Parameters
    ----------
    values, errors : ndarray, shape (n,)
        Values and their standard errors, in the same unit.

    Returns
    -------
    mean, mean_error : float
        In the unit of the values.
    """
    weights = 1 / np.square(errors)
    return float(np.sum(weights * values) / np.sum(weights)), float(1 / np.sqrt(np.sum(weights)))


def intrinsic_dispersion(offsets: Array, errors: Array, *, clip: float = 4.0) -> float:
    """Standard deviation of a normal scatter that comes on top of measurement errors.

    The value at which the mean of offset^2 / (dispersion^2 + error^2) is 1. Offsets beyond `clip` of the total
    scatter, contaminants and bad solutions, do not count.

    Parameters
    ----------
    offsets, errors : ndarray, shape (n,)
        Offsets from the mean and their standard errors, in the same unit.
    clip : float
        In total standard deviations (by the median absolute deviation).

    Returns
    -------
    float
        In the unit of the offsets; 0 where the errors explain the scatter.
    """
    from scipy.optimize import brentq  # half a second that an evaluation need not wait

    total = np.hypot(errors, 1.4826 * np.median(np.abs(offsets)))
    kept = np.abs(offsets) < clip * total
    offsets, errors = offsets[kept], errors[kept]

    def excess(dispersion: float) -> float:
        return float(np.mean(np.square(offsets) / (dispersion**2 + np.square(errors))) - 1)

    largest = float(np.sqrt(np.mean(np.square(offsets)))) if len(offsets) else 0.0
    if largest == 0 or excess(0.0) <= 0:
        return 0.0
    return float(brentq(excess, 0.0, largest * (1 + 1e-9)))


def parallax_zero_point(sources: pd.DataFrame) -> Array:
    """Parallax zero point of Lindegren et al. (2021, A&A 649, A4), 0 where it is undefined.

    Parameters
    ----------
    sources : DataFrame
        With phot_g_mean_mag, nu_eff_used_in_astrometry, pseudocolour, ecl_lat, astrometric_params_solved.
        If one of these columns is absent, the zero point is 0 for all.

    Returns
    -------
    ndarray, shape (n_sources,)
        Zero point [mas], to be subtracted from the parallax. One warning gives the number of sources
        outside the range of the recipe: G 6-21, 5-parameter solutions with effective wavenumber 1.1-1.9,
        6-parameter solutions with pseudocolour 1.24-1.72 [1/um].
    """
    names = [
        "phot_g_mean_mag",
        "nu_eff_used_in_astrometry",
        "pseudocolour",
        "ecl_lat",
        "astrometric_params_solved",
    ]
    absent = [name for name in names if name not in sources]
    if absent:
        warnings.warn(
            f"no column {', '.join(absent)}: parallaxes keep their zero-point offset.", stacklevel=2
        )
        return np.zeros(len(sources))
    inputs = sources[names].to_numpy(float).T
    solved = np.isin(inputs[4], (31, 95))
    zero_point = np.full(len(sources), np.nan)
    if solved.any():
        zero_point[solved] = _zero_point_recipe()(*inputs[:, solved], _warnings=False)
    undefined = np.isnan(zero_point)
    if undefined.any():
        warnings.warn(
            f"the parallax zero point is undefined for {undefined.sum()} of {len(sources)} sources: "
            "their parallaxes are left as they are.",
            stacklevel=2,
        )
    return np.where(undefined, 0.0, zero_point)


@cache
def _zero_point_recipe() -> Callable[..., Array]:
    """Lindegren's function, which needs its tables loaded once."""
    from zero_point import zpt

    zpt.load_tables()
    return zpt.get_zpt


def astrometric_covariance(sources: pd.DataFrame) -> Array:
    """Covariance of (parallax, pmra, pmdec) from the catalogue's errors and correlations.

    Parameters
    ----------
    sources : DataFrame
        With the three errors and the three correlations; an absent correlation value counts as 0.

    Returns
    -------
    ndarray, shape (n_sources, 3, 3)
        [mas and mas/yr].
    """
    errors = sources[["parallax_error", "pmra_error", "pmdec_error"]].to_numpy(float)
    names = ["parallax_pmra_corr", "parallax_pmdec_corr", "pmra_pmdec_corr"]
    correlations = np.nan_to_num(sources[names].to_numpy(float))
    correlation = np.tile(np.eye(3), (len(sources), 1, 1))
    for column, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
        correlation[:, i, j] = correlation[:, j, i] = correlations[:, column]
    return errors[:, :, None] * errors[:, None, :] * correlation


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
