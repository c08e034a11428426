"""Directions, means, the parallax zero point, covariances, and what source identifiers say of positions."""

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import erfa
import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

logger = logging.getLogger(__name__)

_FEW_UNDEFINED = 0.01  # of the sources; every cone that reaches G = 21 has some


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


def angular_separation(ra: Array, dec: Array, ra_centre: float | Array, dec_centre: float | Array) -> Array:
    """Angle between directions and a centre, exact at all separations.

    Eq. 14 of van Groeningen et al. (2023) is printed with a wrong sign and loses precision at small
    angles; this is the same angle.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Directions [deg].
    ra_centre, dec_centre : float, or ndarray of shape (n,)
        Centre [deg], or one for each direction.

    Returns
    -------
    ndarray, shape (n,)
        Separation [deg].
    """
    return np.degrees(erfa.seps(*_radians(ra_centre, dec_centre, ra, dec)))


def galactic_coordinates(ra: float, dec: float) -> tuple[float, float]:
    """Galactic longitude and latitude of a direction, with the axes of the Hipparcos catalogue, which are Gaia's.

    Parameters
    ----------
    ra, dec : float
        [deg].

    Returns
    -------
    l, b : float
        [deg], l from 0 to 360.
    """
    longitude, latitude = erfa.icrs2g(*_radians(ra, dec))
    return float(np.degrees(longitude)), float(np.degrees(latitude))


def _radians(*angles: Array | float) -> list[Array]:
    return [np.radians(angle) for angle in angles]


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
    position_angle = erfa.pas(*_radians(ra_centre, dec_centre, ra, dec))
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


@dataclass(frozen=True)
class NormalFit:
    """Normal distribution that measurements with errors of their own were drawn from, see `fit_normal`.

    Parameters
    ----------
    parameters, errors : ndarray, shape (n_parameters,)
        Means, or what else the design's columns stand for, and their standard errors.
    dispersions : ndarray, shape (n_dispersions,)
        Standard deviations on top of the measurement errors; 0 where these explain the scatter.
    belongs : ndarray, shape (n,)
        Probability of each star to be no contaminant.
    """

    parameters: Array
    errors: Array
    dispersions: Array
    belongs: Array


_ROUNDS, _STARTING_ROUNDS, _SETTLED = 200, 20, 1e-4
_STARTING_WIDTH, _LEAST_WIDTH = 5.0, 3.0  # of contaminants, over the scatter of the others
_PRIOR_CONTAMINANTS, _PRIOR_OTHERS = 0.5, 5.0  # stars
_PRIOR_WIDTH, _PRIOR_CENTRE = 1.0, 2.0  # contaminants with the starting width, and at the others' centre


def fit_normal(
    values: Array,
    errors: Array,
    *,
    design: Array | None = None,
    dispersion_of: tuple[int, ...] | None = None,
) -> NormalFit:
    """Means and dispersions by maximum likelihood, each star with its own errors, some of them contaminants.

    Two normal distributions share the stars: one with the wanted means and dispersions, and a wide one, of unknown
    share, centre and width, for contaminants and bad solutions. Expectation maximisation (Dempster, Laird & Rubin
    1977) gives each star its chance to belong to the first. Dispersions allow for the degrees of freedom that the
    means cost; errors follow from the observed information (Louis 1982) and the dispersions' own uncertainty.

    Parameters
    ----------
    values, errors : ndarray, shape (n, n_quantities)
        Measurements and their standard errors, which count as independent.
    design : ndarray, shape (n, n_quantities, n_parameters), optional
        What each parameter adds to each value; by default each quantity has a mean of its own. It may have no
        parameter: then the means are 0.
    dispersion_of : tuple of int, optional
        Number of the dispersion that each quantity has; by default each has its own.

    Returns
    -------
    NormalFit
    """
    from scipy.special import expit  # here: its import takes a quarter of a second

    n, n_quantities = values.shape
    if design is None:
        design = np.broadcast_to(np.eye(n_quantities), (n, n_quantities, n_quantities))
    groups = np.arange(n_quantities) if dispersion_of is None else np.array(dispersion_of)
    group = np.eye(groups.max() + 1)[groups]  # (quantities, dispersions)
    squares = np.square(errors)
    typical = np.array([np.median(squares[:, groups == i]) for i in range(group.shape[1])])
    parameters, scatter = _robust_start(values, squares, design, group)
    variance, width = np.maximum(scatter - typical, 0.01 * scatter), _STARTING_WIDTH**2 * scatter
    share, centre = 0.1, np.zeros(n_quantities)
    for _ in range(_ROUNDS):
        before = variance
        offset, total = values - design @ parameters, variance[groups] + squares
        log_odds = _log_density(offset, total) - _log_density(offset - centre, width[groups] + squares)
        belongs = expit(log_odds + np.log1p(-share) - np.log(share))
        parameters, covariance = _least_squares(belongs[:, None] / total, values, design)
        moved, offset = offset, values - design @ parameters
        moved = np.abs(moved - offset).max()
        known = np.square(offset) + np.einsum("nkp,pq,nkq->nk", design, covariance, design)
        weight = belongs[:, None] / np.square(total)
        variance = np.maximum(
            variance + _per_group(weight * (known - total), group) / _per_group(weight, group), 0
        )
        others = 1 - belongs
        centre = others @ offset / (others.sum() + _PRIOR_CENTRE)
        squared = others[:, None] * np.square(offset - centre)
        scatter, counts = variance + typical, others.sum() * group.sum(axis=0)
        width = _per_group(squared, group) + _PRIOR_WIDTH * _STARTING_WIDTH**2 * scatter
        width = np.maximum(width / (counts + _PRIOR_WIDTH), _LEAST_WIDTH**2 * scatter)
        share = (others.sum() + _PRIOR_CONTAMINANTS) / (n + _PRIOR_CONTAMINANTS + _PRIOR_OTHERS)
        if (
            moved < _SETTLED * np.sqrt(total.min())
            and (np.abs(variance - before) <= _SETTLED * (variance + 1e-3 * typical)).all()
        ):
            break
    return NormalFit(
        parameters,
        _parameter_errors(offset, variance[groups] + squares, variance, belongs, design, group),
        np.sqrt(variance),
        belongs,
    )


def _robust_start(values: Array, squares: Array, design: Array, group: Array) -> tuple[Array, Array]:
    """Parameters of least absolute deviation, and the squared scatter about them of each group."""
    members = group.T.astype(bool)  # (groups, quantities)
    parameters, _ = _least_squares(1 / (squares + np.median(squares)), values, design)
    for _ in range(_STARTING_ROUNDS):
        size = np.abs(values - design @ parameters)
        scatter = np.array([1.4826 * np.median(size[:, columns]) for columns in members])
        total = np.sqrt(squares + np.square(scatter) @ group.T)
        parameters, _ = _least_squares(1 / np.maximum(size, 0.3 * total) / total, values, design)
    return parameters, np.square(scatter)


def _least_squares(weights: Array, values: Array, design: Array) -> tuple[Array, Array]:
    """Parameters and their covariance for weights of shape (n, quantities)."""
    information = np.einsum("nkp,nk,nkq->pq", design, weights, design)
    covariance = np.linalg.pinv(information, hermitian=True)
    return covariance @ np.einsum("nkp,nk->p", design, weights * values), covariance


def _log_density(offset: Array, variance: Array) -> Array:
    """Logarithm of a normal density less a constant, summed over the quantities."""
    return -0.5 * (np.square(offset) / variance + np.log(variance)).sum(axis=1)


def _per_group(values: Array, group: Array) -> Array:
    """Sums over the stars and the quantities of each group."""
    return values.sum(axis=0) @ group


def _parameter_errors(
    offset: Array, total: Array, variance: Array, belongs: Array, design: Array, group: Array
) -> Array:
    """Standard errors of the parameters of a fit that has settled."""
    weight = belongs[:, None] / total
    score = np.einsum("nkp,nk->np", design, offset / total)
    unsure = belongs * (1 - belongs)
    information = np.einsum("nkp,nk,nkq->pq", design, weight, design) - (score.T * unsure) @ score
    covariance = np.linalg.pinv(information, hermitian=True)
    part = variance @ group.T / total  # of each variance that is the dispersion's
    counted = belongs[:, None] * np.ones_like(total)
    freedom = np.maximum(_per_group(counted * np.square(part), group) - 1, 3.0)
    share = _per_group(counted * part, group) / _per_group(counted, group)
    inflation = (1 + 2 * share / np.maximum(freedom - 2, 1)) @ group.T  # of Student's t over the normal
    first = np.abs(design).sum(axis=0).argmax(axis=0)  # the quantity that a parameter is mostly known from
    return np.sqrt(np.maximum(np.diag(covariance), 0) * inflation[first])


def intrinsic_dispersion(offsets: Array, errors: Array) -> float:
    """Standard deviation of a normal scatter about 0 that comes on top of measurement errors.

    By maximum likelihood, contaminants and bad solutions apart (see `fit_normal`).

    Parameters
    ----------
    offsets, errors : ndarray, shape (n,)
        Offsets from the mean and their standard errors, in the same unit.

    Returns
    -------
    float
        In the unit of the offsets; 0 where the errors explain the scatter.
    """
    no_parameter = np.empty((len(offsets), 1, 0))
    values, errors = np.asarray(offsets, float)[:, None], np.asarray(errors, float)[:, None]
    return float(fit_normal(values, errors, design=no_parameter).dispersions[0])


def robust_mean(values: Array, errors: Array) -> tuple[float, float]:
    """Mean of one quantity that its stars scatter about by more than their errors, contaminants apart.

    Parameters
    ----------
    values, errors : ndarray, shape (n,)
        Values and their standard errors, in the same unit.

    Returns
    -------
    mean, mean_error : float
        In the unit of the values (see `fit_normal`).
    """
    fit = fit_normal(np.asarray(values, float)[:, None], np.asarray(errors, float)[:, None])
    return float(fit.parameters[0]), float(fit.errors[0])


PM_SYSTEMATIC_ERROR = 0.026
"""Systematic error of a mean proper motion in each direction, however many stars it rests on [mas/yr]."""
PARALLAX_SYSTEMATIC_ERROR = 0.011
"""The same of a mean parallax, besides that of the zero point [mas].

The errors of stars within a few degrees are correlated (Lindegren et al. 2021, A&A 649, A2, Sect. 5.6). These are
the square roots of the covariance at small angles that Vasiliev & Baumgardt (2021, MNRAS 505, 5978) found with
globular clusters; their abstract rounds them to 0.025 mas/yr and 0.01 mas.
"""


def parallax_zero_point(sources: pd.DataFrame, *, speaks: bool = True) -> Array:
    """Parallax zero point of Lindegren et al. (2021, A&A 649, A4), 0 where it is undefined.

    Parameters
    ----------
    sources : DataFrame
        With phot_g_mean_mag, nu_eff_used_in_astrometry, pseudocolour, ecl_lat, astrometric_params_solved.
        If one of these columns is absent, the zero point is 0 for all.
    speaks : bool
        Whether it says for how many sources the zero point is undefined; of artificial stars nobody wants to know.

    Returns
    -------
    ndarray, shape (n_sources,)
        Zero point [mas], to be subtracted from the parallax. One warning, or a word in the log where they are less
        than one in a hundred, gives the number of sources outside the range of the recipe: G 6-21, 5-parameter
        solutions with effective wavenumber 1.1-1.9, 6-parameter solutions with pseudocolour 1.24-1.72 [1/um].
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
        if speaks:
            text = f"no column {', '.join(absent)}: parallaxes keep their zero-point offset."
            warnings.warn(text, stacklevel=2)
        return np.zeros(len(sources))
    inputs = sources[names].to_numpy(float).T
    solved = np.isin(inputs[4], (31, 95))
    zero_point = np.full(len(sources), np.nan)
    if solved.any():
        zero_point[solved] = _zero_point_recipe()(*inputs[:, solved], _warnings=False)
    undefined = np.isnan(zero_point)
    if not speaks:
        return np.where(undefined, 0.0, zero_point)
    text = (
        f"the parallax zero point is undefined for {undefined.sum()} of {len(sources)} sources: "
        "their parallaxes are left as they are."
    )
    if undefined.sum() > _FEW_UNDEFINED * len(sources):
        warnings.warn(text, stacklevel=2)
    elif undefined.any():
        logger.info(text)
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
LARGEST_IDENTIFIER = (12 << 2 * HEALPIX_LEVEL << HEALPIX_SHIFT) - 1


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


def identifier_positions(identifiers: NDArray[np.int64]) -> tuple[Array, Array]:
    """Where the stars of identifiers are, as well as these tell.

    Parameters
    ----------
    identifiers : ndarray of int64, shape (n,)
        Gaia's; what cannot be one has no place.

    Returns
    -------
    ra, dec : ndarray, shape (n,)
        Centres of pixels that are 51 arcsec wide [deg], NaN for what is no identifier.
    """
    import astropy.units as u
    from astropy_healpix import HEALPix

    grid = HEALPix(nside=1 << HEALPIX_LEVEL, order="nested")
    pixels = np.asarray(identifiers, np.int64) >> HEALPIX_SHIFT
    possible = (pixels >= 0) & (pixels < grid.npix)
    lon, lat = grid.healpix_to_lonlat(np.where(possible, pixels, 0))
    return np.where(possible, lon.to_value(u.deg), np.nan), np.where(possible, lat.to_value(u.deg), np.nan)


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
    return len(identifiers) > 0 and bool(near_their_pixels(identifiers, ra, dec).all())


def near_their_pixels(identifiers: NDArray[np.int64], ra: Array, dec: Array) -> NDArray[np.bool_]:
    """Whether each identifier names a pixel of the sky near its direction.

    Parameters
    ----------
    identifiers, ra, dec
        As of `agree_with_positions`.

    Returns
    -------
    ndarray of bool, shape (n,)
        False where the identifier can be none of Gaia's.
    """
    lon, lat = identifier_positions(identifiers)
    with np.errstate(invalid="ignore"):
        return angular_separation(ra, dec, lon, lat) <= POSITION_MARGIN / 2


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
