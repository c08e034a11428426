"""How large Gaia DR3's errors are, how often it looked, and how well a solution fits, against magnitude.

Every table is a smooth fit of ours to Gaia EDR3 sources (ESA/Gaia/DPAC) in 32 fields of 0.1 to 1 deg around
open clusters, G 8 to 18, three of them to G 21; the fields of `benchmarks/training/test_clusters.txt` were left out.
Values are medians at the knots, after each field's own offset (scanning law) was taken out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

MEAN_LOG_N_OBS = 2.53
"""log10 of the observations in G that the error tables stand for."""
USUAL_DENSITY = 45_000.0
"""Stars per square degree to G = 20.7 in the fields that the tables come from; unit of the crowding."""
OBSERVATIONS_PER_BAND = {"g": 1.0, "bp": 0.112, "rp": 0.110}
"""Observations in a band for one in G: BP and RP have one CCD per transit, G has nine."""

# G [mag], log10 of the parallax error [mas], its star-to-star scatter [dex]
_PARALLAX_ERROR = np.array(
    [
        (8.0, -1.62, 0.10),
        (9.5, -1.69, 0.10),
        (10.5, -1.72, 0.09),
        (11.2, -1.70, 0.08),
        (11.7, -1.765, 0.08),
        (12.2, -1.838, 0.07),
        (12.7, -1.80, 0.06),
        (13.2, -1.81, 0.035),
        (13.7, -1.786, 0.03),
        (14.5, -1.657, 0.03),
        (15.5, -1.471, 0.03),
        (16.5, -1.258, 0.03),
        (17.25, -1.081, 0.03),
        (17.75, -0.96, 0.035),
        (18.25, -0.78, 0.06),
        (18.75, -0.615, 0.07),
        (19.25, -0.415, 0.075),
        (19.75, -0.25, 0.08),
        (20.125, -0.10, 0.085),
        (20.375, -0.015, 0.095),
        (20.6, 0.06, 0.105),
        (20.9, 0.17, 0.11),
    ]
)
# G [mag], log10 of the errors of pmra and pmdec over that of parallax, relative to bright stars; scatter [dex]
_PM_RATIO = np.array(
    [(17.5, 0, 0, 0.024), (18.5, 0.01, 0.02, 0.05), (19.3, -0.05, -0.07, 0.07), (20.2, -0.04, -0.03, 0.09),
     (20.7, 0.005, 0.005, 0.1)]
)  # fmt: skip
# G [mag], observations relative to those of bright stars of the field in G, BP and RP
_N_OBS_FALL = np.array(
    [(17.0, 1.0, 1.0, 1.0), (17.75, 0.997, 0.986, 0.988), (18.25, 0.94, 0.9, 0.9), (18.75, 0.913, 0.88, 0.89),
     (19.25, 0.84, 0.80, 0.82), (19.75, 0.82, 0.75, 0.79), (20.125, 0.762, 0.63, 0.70), (20.375, 0.71, 0.55, 0.65),
     (20.6, 0.594, 0.43, 0.55), (20.85, 0.487, 0.333, 0.45)]
)  # fmt: skip
# magnitude in the band, log10 of the magnitude error [mag] from fluxes for 350, 40, 40 observations, scatter [dex]
_FLUX_ERROR = {
    "g": np.array(
        [(8, -3.43, 0.26), (10, -3.48, 0.26), (11.5, -3.52, 0.2), (12, -3.648, 0.17), (12.5, -3.674, 0.13),
         (13.5, -3.608, 0.16), (15, -3.487, 0.12), (16, -3.31, 0.087), (17, -3.109, 0.07), (17.7, -2.953, 0.06),
         (18.5, -2.743, 0.06), (19, -2.612, 0.06), (20, -2.332, 0.06), (20.5, -2.199, 0.056), (21, -2.06, 0.06)]
    ),
    "bp": np.array(
        [(8, -3.05, 0.35), (10, -3.2, 0.28), (12, -3.19, 0.18), (13, -3.17, 0.16), (14, -3.061, 0.14),
         (15, -2.855, 0.13), (16, -2.586, 0.13), (17, -2.288, 0.125), (18.5, -1.79, 0.12), (19, -1.62, 0.13),
         (19.5, -1.42, 0.135), (20, -1.24, 0.13), (20.5, -1.085, 0.12), (21, -0.975, 0.11), (21.5, -0.925, 0.11),
         (23, -0.7, 0.11)]
    ),
    "rp": np.array(
        [(8, -3.3, 0.35), (10, -3.43, 0.28), (12, -3.34, 0.19), (13, -3.222, 0.16), (14, -3.021, 0.14),
         (15, -2.76, 0.135), (16, -2.457, 0.135), (17, -2.12, 0.125), (17.7, -1.84, 0.125), (18.5, -1.595, 0.13),
         (19, -1.405, 0.135), (19.5, -1.235, 0.125), (20, -1.105, 0.115), (20.5, -0.965, 0.09), (22, -0.6, 0.09)]
    ),
}  # fmt: skip
_FLUX_TAIL = {"probability": 0.12, "scale": 0.25}  # variables and blends: errors larger, exponential in dex
# G [mag], fraction with RUWE > 1.4, and the exponent of its tail, P(RUWE > x) ~ x^-a
_RUWE_TAIL = np.array(
    [(8, 0.10, 1.1), (11.5, 0.16, 1.1), (13, 0.11, 1.0), (14.5, 0.095, 1.05), (15.5, 0.075, 1.15), (16.5, 0.06, 1.4),
     (17.25, 0.045, 1.65), (17.75, 0.035, 1.9), (18.25, 0.016, 2.5), (19.25, 0.010, 3.0), (20.5, 0.008, 4.0)]
)  # fmt: skip
_RUWE_CORE = np.array(
    [(8, 0.13), (11.5, 0.13), (12.5, 0.085), (13.5, 0.06), (15, 0.05), (17, 0.045), (20, 0.065)]
)
_RUWE_MEDIAN, _RUWE_LIMIT, _RUWE_MAX = 1.013, 1.4, 40.0
_BINARY_TAIL = 2.0  # a binary has a bad RUWE so many times as often as the average star, a single star half


@dataclass(frozen=True)
class ScanningLaw:
    """What Gaia's scanning and the crowding made common to all stars of a field.

    Parameters
    ----------
    factor : tuple of float
        Mean entries (pmra, parallax), (pmdec, parallax), (pmdec, pmra) below the diagonal of the triangular
        factor of the correlation matrix of parallax, pmra and pmdec: about the mean correlations.
    scatter : float
        Star-to-star standard deviation of these entries.
    log_n_obs : float
        log10 of the observations in G of bright stars.
    log_error : float
        log10 of the parallax errors over those of the mean field.
    log_pm_ratio : tuple of float
        log10 of the errors of pmra and pmdec over that of parallax, for bright stars.
    crowding : float
        Star density relative to 45,000 per square degree to G = 20.7.
    """

    factor: tuple[float, float, float] = (0.08, 0.07, -0.10)
    scatter: float = 0.085
    log_n_obs: float = MEAN_LOG_N_OBS
    log_error: float = 0.0
    log_pm_ratio: tuple[float, float] = (0.0, -0.04)
    crowding: float = 1.0

    @classmethod
    def draw(cls, rng: np.random.Generator, *, ecl_lat: float = 40.0, crowding: float = 1.0) -> "ScanningLaw":
        """A field as the real ones are: few observations near the ecliptic, most near 45 deg from it.

        Parameters
        ----------
        rng : Generator
            Source of randomness.
        ecl_lat : float
            Ecliptic latitude [deg].
        crowding : float
            Star density relative to 45,000 per square degree.

        Returns
        -------
        ScanningLaw
        """
        often = 0.35 / (1 + np.exp((28 - abs(ecl_lat)) / 4))  # [dex]
        log_n_obs = float(np.clip(2.30 + often + rng.normal(0, 0.10), 2.15, 2.95))
        more = log_n_obs - MEAN_LOG_N_OBS
        return cls(
            factor=tuple(np.clip(rng.normal((0.08, 0.07, -0.10), (0.16, 0.18, 0.20)), -0.6, 0.6).tolist()),
            scatter=float(rng.uniform(0.05, 0.12)),
            log_n_obs=log_n_obs,
            log_error=float(-0.02 - 0.28 * more + rng.normal(0, 0.05)),
            log_pm_ratio=(float(-0.2 * more + rng.normal(0, 0.043)), float(rng.normal(-0.04, 0.055))),
            crowding=crowding,
        )


def mean_parallax_error(g: ArrayLike) -> Array:
    """Median parallax error of a star in a mean field.

    Parameters
    ----------
    g : array_like, shape (n,)
        G magnitude [mag]; outside 8-20.9 the value at the edge is used.

    Returns
    -------
    ndarray, shape (n,)
        [mas]. Errors of proper motion are alike in mas/yr.
    """
    knots, log_error = _PARALLAX_ERROR.T[:2]
    return 10 ** np.interp(np.asarray(g), knots, log_error)


def astrometric_errors(
    g: Array, ruwe: Array, log_depth: Array, scanning: ScanningLaw, *, rng: np.random.Generator
) -> Array:
    """Errors of parallax, pmra and pmdec as they are published.

    Parameters
    ----------
    g : ndarray, shape (n,)
        G magnitude [mag].
    ruwe : ndarray, shape (n,)
        Bad fits have errors larger by about this factor.
    log_depth : ndarray, shape (n,)
        log10 of a star's observations over those usual in the field at its magnitude.
    scanning : ScanningLaw
        The field.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n, 3)
        [mas, mas/yr, mas/yr].
    """
    knots, median, scatter = _PARALLAX_ERROR.T
    log_error = np.interp(g, knots, median) + scanning.log_error - 0.5 * log_depth
    log_error += np.interp(g, knots, scatter) * rng.normal(size=len(g)) + np.log10(np.maximum(ruwe, 1.0))
    knots, *ratios, scatter = _PM_RATIO.T
    spread = np.interp(g, knots, scatter)
    columns = [log_error]
    for ratio, mean in zip(ratios, scanning.log_pm_ratio, strict=True):
        columns.append(log_error + np.interp(g, knots, ratio) + mean + spread * rng.normal(size=len(g)))
    return 10 ** np.column_stack(columns)


def observation_counts(
    g: Array, scanning: ScanningLaw, *, rng: np.random.Generator
) -> tuple[dict[str, NDArray[np.int64]], Array]:
    """Observations in each band, fewer for faint stars.

    Parameters
    ----------
    g : ndarray, shape (n,)
        G magnitude [mag].
    scanning : ScanningLaw
        The field.
    rng : Generator
        Source of randomness.

    Returns
    -------
    counts : dict of ndarray of int64, shape (n,)
        By band g, bp, rp.
    log_depth : ndarray, shape (n,)
        log10 of a star's observations in G over those usual in the field at its magnitude.
    """
    log_depth = 0.035 * rng.normal(size=len(g))
    transits = 0.6 * log_depth + 0.037 * rng.normal(size=len(g))  # BP and RP share their transits
    knots, *falls = _N_OBS_FALL.T
    counts = {}
    for (band, share), fall in zip(OBSERVATIONS_PER_BAND.items(), falls, strict=True):
        deviation = log_depth if band == "g" else transits
        mean = 10 ** (scanning.log_n_obs + deviation) * share * np.interp(g, knots, fall)
        counts[band] = np.maximum(np.rint(mean), 12 if band == "g" else 2).astype(np.int64)
    return counts, log_depth


def flux_errors(magnitude: Array, n_obs: NDArray[np.int64], band: str, *, rng: np.random.Generator) -> Array:
    """Error of the mean flux relative to it, in magnitudes.

    Parameters
    ----------
    magnitude : ndarray, shape (n,)
        Magnitude in the band [mag].
    n_obs : ndarray, shape (n,)
        Observations in the band.
    band : {'g', 'bp', 'rp'}
        Band.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n,)
        [mag].
    """
    knots, median, scatter = _FLUX_ERROR[band].T
    reference = 350 if band == "g" else 40
    log_error = np.interp(magnitude, knots, median) - 0.5 * np.log10(n_obs / reference)
    log_error += np.interp(magnitude, knots, scatter) * rng.normal(size=len(magnitude))
    in_tail = rng.uniform(size=len(magnitude)) < _FLUX_TAIL["probability"]
    return 10 ** (log_error + np.where(in_tail, rng.exponential(_FLUX_TAIL["scale"], len(magnitude)), 0.0))


def bad_fit_probability(g: ArrayLike, is_binary: ArrayLike) -> Array:
    """Chance of a RUWE above 1.4, four times as large for a binary as for a single star.

    Parameters
    ----------
    g : array_like, shape (n,)
        G magnitude [mag].
    is_binary : array_like of bool, shape (n,)
        Whether a star has an unresolved companion.

    Returns
    -------
    ndarray, shape (n,)
    """
    knots, fraction = _RUWE_TAIL.T[:2]
    return np.interp(np.asarray(g), knots, fraction) * np.where(is_binary, _BINARY_TAIL, 0.5)


def most_bad_fits(g: ArrayLike) -> Array:
    """Largest chance of a RUWE above 1.4 among stars of this G magnitude or fainter, of the shape of `g`."""
    knots, fraction = _RUWE_TAIL.T[:2]
    return _BINARY_TAIL * np.interp(np.asarray(g), knots, np.maximum.accumulate(fraction[::-1])[::-1])


def draw_ruwe(
    g: Array,
    is_binary: NDArray[np.bool_],
    *,
    bad_fit: NDArray[np.bool_] | None = None,
    rng: np.random.Generator,
) -> Array:
    """Renormalised unit weight errors: a core about 1, a power-law tail that binaries reach more often.

    Parameters
    ----------
    g : ndarray, shape (n,)
        G magnitude [mag].
    is_binary : ndarray of bool, shape (n,)
        Whether a star has an unresolved companion.
    bad_fit : ndarray of bool, shape (n,), optional
        Which stars are in the tail; by default drawn here.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n,)
    """
    core = _RUWE_MEDIAN * np.exp(np.interp(g, *_RUWE_CORE.T) * rng.normal(size=len(g)))
    expected = bad_fit_probability(g, is_binary)
    in_tail = rng.uniform(size=len(g)) < expected if bad_fit is None else bad_fit
    exponent = np.interp(g, *_RUWE_TAIL.T[[0, 2]])
    tail = _RUWE_LIMIT * (1 - rng.uniform(size=len(g))) ** (-1 / exponent)
    # between core and tail real stars have no gap
    shoulder = core + 0.35 * rng.exponential(size=len(g)) * (rng.uniform(size=len(g)) < 0.4 * expected.mean())
    return np.where(in_tail, np.minimum(tail, _RUWE_MAX), shoulder)


def draw_error_factors(ruwe: Array, is_binary: NDArray[np.bool_], *, rng: np.random.Generator) -> Array:
    """Noise over published error: 1 for most stars, 1.3 to 4 for a few per cent.

    Half of the stars with a bad RUWE, 3 % of the other binaries and 1 % of the rest have more noise than
    they say: companions that move the centre of light, blends, bad windows. Schematic: nobody knows these.

    Parameters
    ----------
    ruwe : ndarray, shape (n,)
        From `draw_ruwe`.
    is_binary : ndarray of bool, shape (n,)
        Whether a star has an unresolved companion.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n,)
    """
    probability = np.where(ruwe > _RUWE_LIMIT, 0.5, np.where(is_binary, 0.03, 0.01))
    affected = rng.uniform(size=len(ruwe)) < probability
    return np.where(affected, 1.3 * (4 / 1.3) ** rng.uniform(size=len(ruwe)), 1.0)


def six_parameter_fraction(g: ArrayLike, crowding: float = 1.0) -> Array:
    """Fraction of sources with a 6-parameter solution: few bright ones, most of the faint ones.

    Parameters
    ----------
    g : array_like, shape (n,)
        G magnitude [mag].
    crowding : float
        Star density relative to 45,000 per square degree.

    Returns
    -------
    ndarray, shape (n,)
    """
    floor = min(0.03 * max(crowding, 0.3), 0.4)
    return floor + (0.95 - floor) / (1 + np.exp((19.28 - np.asarray(g, float)) / 0.45))


def pseudocolour_error(g: ArrayLike) -> Array:
    """Scatter of pseudocolours about the wavenumber that belongs to the colour.

    Parameters
    ----------
    g : array_like, shape (n,)
        G magnitude [mag].

    Returns
    -------
    ndarray, shape (n,)
        [1/um].
    """
    knots = (15, 17, 17.5, 18.5, 19.25, 19.75, 20.2, 20.6)
    return np.interp(np.asarray(g), knots, (0.032, 0.034, 0.04, 0.08, 0.1, 0.147, 0.229, 0.311))


def blended_light(g: Array, crowding: float, *, rng: np.random.Generator) -> Array:
    """Light of neighbours in the BP and RP windows, as a share of the flux in G.

    Parameters
    ----------
    g : ndarray, shape (n,)
        G magnitude [mag].
    crowding : float
        Star density relative to 45,000 per square degree.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n,)
        A power-law tail, P(> x) ~ 1 / x, and for all stars fainter than G = 19.5 the background that the
        faint mean fluxes of BP and RP are known to keep (Riello et al. 2021, Sect. 8.1).
    """
    scale = 0.0045 * np.clip(crowding, 0, 3) * 10 ** (0.12 * (np.clip(g, 13, 20) - 17))
    return np.minimum(scale * (1 / rng.uniform(1e-4, 1, len(g)) - 1), 1.0) + 0.025 * 10 ** (
        0.9 * (np.minimum(g, 21) - 20.2)
    )
