"""What a light curve looks like, in twenty numbers that do not depend on its unit."""

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
from astropy.stats import median_absolute_deviation
from astropy.timeseries import LombScargle
from numpy.typing import NDArray
from scipy.signal import find_peaks
from scipy.stats import skew

Array = NDArray[np.float64]

FEATURES = (
    "log_rms",
    "log_std",
    "log_mad",
    "log_sigma_g",
    "log_excess",
    "skewness",
    "log_von_neumann",
    "stetson_j",
    "max_power",
    "log_frequency",
    "n_peaks",
    "log_false_alarm",
    "power_10_7",
    "power_7_4",
    "power_4_1",
    "power_1_05",
    "log_high_over_low",
    "autocorrelation",
    "autocorrelation_lag",
    "entropy",
)
"""Names of what `features_of` gives, in this order."""

BANDS = {"power_10_7": (7, 10), "power_7_4": (4, 7), "power_4_1": (1, 4), "power_1_05": (0.5, 1)}
"""Ranges of periods [d] whose share of the power is a feature."""

LOWEST_FREQUENCY, HIGHEST_FREQUENCY, FREQUENCY_STEP = 0.04, 11.0, 0.01
"""Grid of the periodogram [1/d]: from one cycle in a sector of 25 days to half the sampling rate of 45 points a day."""

_PEAK_SHARE = 0.3
"""Peaks are counted whose prominence is at least this share of the greatest power."""
_LEAST_LAG = 0.25
"""Days: at shorter lags every red light curve is correlated with itself."""
_LEAST_FALSE_ALARM = -300.0
_BIN = 1e-6


def features_of(curves: pd.DataFrame) -> pd.DataFrame:
    """Features of each light curve.

    Parameters
    ----------
    curves : DataFrame
        From `tables.read_light_curves`: cluster, galaxy, sector, time [d], flux, flux_err (positive, one unit).

    Returns
    -------
    DataFrame
        cluster, galaxy, sector, `FEATURES` and log_flux (log10 of the median flux, which is none of them), a row for
        each cluster and sector, in the order of first appearance.
    """
    keys = ["cluster", "galaxy", "sector"]
    rows = []
    for key, curve in curves.groupby(keys, sort=False, observed=True):
        time, flux, error = (curve[name].to_numpy(float) for name in ("time", "flux", "flux_err"))
        middle = np.median(flux)
        found = features(time, flux / middle, error / middle)
        rows.append(dict(zip(keys, key, strict=True)) | found | {"log_flux": np.log10(middle)})
    return pd.DataFrame(rows, columns=[*keys, *FEATURES, "log_flux"])


def features(time: Array, flux: Array, error: Array) -> dict[str, float]:
    """`FEATURES` of one light curve.

    Parameters
    ----------
    time : ndarray, shape (n,)
        Times in order [d].
    flux, error : ndarray, shape (n,)
        Flux over its median, and its error.

    Returns
    -------
    dict of str to float
        Logarithms are to base 10. rms is about the median, std about the mean; sigma_g = 0.7413 (q75 - q25);
        excess = std over the median error; von Neumann's ratio is the mean square successive difference over the
        variance (von Neumann 1941, Ann. Math. Stat. 12, 367); Stetson's J of successive points (Stetson 1996, PASP
        108, 851); power is that of the Lomb-Scargle periodogram, normalised to 0..1, its false-alarm probability by
        Baluev (2008, MNRAS 385, 1279); power_10_7 and so on are shares of the sum over the grid; autocorrelation is
        the greatest one at lags of a quarter day to half the length; entropy is Shannon's of the normalised
        periodogram over its greatest possible value. A light curve without any variation has no number (NaN) where
        its features have none.
    """
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of a constant light curve
        std = np.std(flux)
        if not std > 0:
            return dict.fromkeys(FEATURES, np.nan)
        frequency = np.arange(LOWEST_FREQUENCY, HIGHEST_FREQUENCY, FREQUENCY_STEP)
        periodogram = LombScargle(time, flux, error)
        power = np.maximum(periodogram.power(frequency), 0.0)
        autocorrelation, lag = _autocorrelation(time, flux)
        successive = np.mean(np.diff(flux) ** 2) / std**2
        values = {
            "log_rms": np.log10(np.sqrt(np.mean((flux - np.median(flux)) ** 2))),
            "log_std": np.log10(std),
            "log_mad": np.log10(median_absolute_deviation(flux)),
            "log_sigma_g": np.log10(0.7413 * np.subtract(*np.percentile(flux, [75, 25]))),
            "log_excess": np.log10(std / np.median(error)),
            "skewness": skew(flux),
            "log_von_neumann": np.log10(successive),
            "stetson_j": _stetson_j(flux, error),
            "max_power": power.max(),
            "log_frequency": np.log10(frequency[power.argmax()]),
            "n_peaks": len(find_peaks(power, prominence=_PEAK_SHARE * power.max())[0]),
            "log_false_alarm": _log_false_alarm(periodogram, power.max()),
        }
        values |= {name: _share(power, frequency, band) for name, band in BANDS.items()}
        values |= {
            "log_high_over_low": np.log10(power[frequency > 1].sum() / power[frequency <= 1].sum()),
            "autocorrelation": autocorrelation,
            "autocorrelation_lag": lag,
            "entropy": _entropy(power),
        }
    return {name: float(value) if np.isfinite(value) else np.nan for name, value in values.items()}


def _share(power: Array, frequency: Array, band: tuple[float, float]) -> float:
    shortest, longest = band
    inside = (frequency >= 1 / longest) & (frequency < 1 / shortest)
    return float(power[inside].sum() / power.sum())


def _entropy(power: Array) -> float:
    share = power / power.sum()
    share = share[share > 0]
    return float(-(share * np.log(share)).sum() / np.log(len(power)))


def _stetson_j(flux: Array, error: Array) -> float:
    """Mean of the signed roots of the products of successive normalised residuals."""
    mean = np.average(flux, weights=1 / error**2)
    residual = np.sqrt(len(flux) / (len(flux) - 1)) * (flux - mean) / error
    product = residual[:-1] * residual[1:]
    return float(np.mean(np.sign(product) * np.sqrt(np.abs(product))))


def _log_false_alarm(periodogram: LombScargle, greatest: float) -> float:
    chance = periodogram.false_alarm_probability(
        greatest, method="baluev", minimum_frequency=LOWEST_FREQUENCY, maximum_frequency=HIGHEST_FREQUENCY
    )
    return float(np.maximum(np.log10(chance), _LEAST_FALSE_ALARM))


def _autocorrelation(time: Array, flux: Array) -> tuple[float, float]:
    """Greatest autocorrelation beyond the shortest lags, and its lag [d]; gaps count for nothing."""
    step = np.median(np.diff(time))
    place = np.rint((time - time[0]) / step).astype(int)
    series, known = np.zeros(place[-1] + 1), np.zeros(place[-1] + 1)
    series[place], known[place] = flux - flux.mean(), 1.0
    size = 2 * len(series)
    products, pairs = (np.fft.irfft(np.abs(np.fft.rfft(each, size)) ** 2, size) for each in (series, known))
    lags = np.arange(max(int(_LEAST_LAG / step), 1), max(len(series) // 2, 2))
    lags = lags[lags < len(series)]
    values = np.where(pairs[lags] > 0.5 * len(flux) * (1 - lags / len(series)), products[lags], -np.inf)
    values = values / np.maximum(pairs[lags], 1) / flux.var()
    best = int(np.argmax(values))
    return float(values[best]), float(lags[best] * step)


def binned(curve: pd.DataFrame, cadence: float) -> pd.DataFrame:
    """Light curve with at most one point in each bin: weighted mean flux, its error, mean time.

    Parameters
    ----------
    curve : DataFrame
        time [d], flux, flux_err of one sector, all positive errors.
    cadence : float
        Length of a bin [min].
    """
    length = cadence / 1440
    number = np.floor((curve["time"] - curve["time"].min()) / length + _BIN).astype(int).to_numpy()
    weight = 1 / curve["flux_err"].to_numpy(float) ** 2
    sums = np.bincount(number, weight)
    filled = sums > 0
    flux = np.bincount(number, weight * curve["flux"].to_numpy(float))[filled] / sums[filled]
    time = np.bincount(number, weight * curve["time"].to_numpy(float))[filled] / sums[filled]
    return pd.DataFrame({"time": time, "flux": flux, "flux_err": 1 / np.sqrt(sums[filled])})


def half_sectors(curves: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """First and second halves of all light curves, divided at the middle of each one's time."""
    by_curve = curves.groupby(["cluster", "galaxy", "sector"], sort=False, observed=True)["time"]
    middle = (by_curve.transform("min") + by_curve.transform("max")) / 2
    yield curves[curves["time"] <= middle]
    yield curves[curves["time"] > middle]


def with_noise(curves: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Light curves with normal noise of their own errors added; the errors grow accordingly."""
    error = curves["flux_err"].to_numpy(float)
    return curves.assign(
        flux=curves["flux"] + rng.normal(size=len(curves)) * error, flux_err=np.sqrt(2) * error
    )
