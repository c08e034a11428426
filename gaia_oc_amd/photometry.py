"""Errors of magnitudes and colours, and the extinction in Gaia's bands."""

import warnings
from functools import cache
from importlib import resources
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

BANDS = ("g", "bp", "rp")
_MAGNITUDE_RANGE = (4.0, 21.0)
_N_OBS_DR3 = {"g": 351, "bp": 40, "rp": 40}
"""Numbers of observations that PyGaia's dr3 errors stand for."""
_ZERO_POINT_ERROR = {"g": 0.0027553202, "bp": 0.0027901700, "rp": 0.0037793818}
"""Zero-point errors of the EDR3 Vega magnitudes [mag], Riello et al. (2021)."""


def magnitude_error(magnitude: Array, n_obs: Array, band: str) -> Array:
    """Magnitude error of DPAC's spline in magnitude, scaled to the number of observations.

    GAIA-C5-TN-UB-JMC-031 and Riello et al. (2021), through PyGaia.

    Parameters
    ----------
    magnitude : ndarray, shape (n,)
        Magnitude in the band [mag]; outside 4-21 the value at the edge is used.
    n_obs : ndarray, shape (n,)
        Number of observations of each source in the band.
    band : {'g', 'bp', 'rp'}
        Band.

    Returns
    -------
    ndarray, shape (n,)
        Error [mag]; NaN where magnitude or n_obs is missing or n_obs is not positive.
    """
    magnitude = np.asarray(magnitude, float)
    n_obs = np.where(np.asarray(n_obs, float) > 0, n_obs, np.nan)
    inside = np.clip(np.nan_to_num(magnitude, nan=_MAGNITUDE_RANGE[0]), *_MAGNITUDE_RANGE)
    log_error = _splines().estimate_for_maglist(band, inside, "dr3")[f"logU_{_N_OBS_DR3[band]}"].to_numpy()
    in_millimagnitudes = np.power(10.0, log_error) * 1000  # PyGaia's unit, to the last digit
    error = in_millimagnitudes / 1e3 * np.sqrt(_N_OBS_DR3[band] / n_obs)
    return np.where(np.isfinite(magnitude), error, np.nan)


@cache
def _splines() -> Any:
    """DPAC's splines; PyGaia's own function would read them from their file each time."""
    from pygaia.errors.photometric import LogMagUncertainty

    return LogMagUncertainty()


def flux_magnitude_error(flux: Array, flux_error: Array, band: str) -> Array:
    """Magnitude error from the flux error and the band's zero-point error.

    Parameters
    ----------
    flux, flux_error : ndarray, shape (n,)
        Mean flux and its error [electron/s].
    band : {'g', 'bp', 'rp'}
        Band.

    Returns
    -------
    ndarray, shape (n,)
        Error [mag].
    """
    return np.hypot(
        2.5 / np.log(10) * np.asarray(flux_error, float) / np.asarray(flux, float), _ZERO_POINT_ERROR[band]
    )


def add_magnitude_errors(sources: pd.DataFrame) -> pd.DataFrame:
    """Add the errors of G, BP-RP and G-RP.

    Parameters
    ----------
    sources : DataFrame
        With the three magnitudes and, for each band, n_obs, or flux and flux error. Without both a typical number of
        observations is taken, with a warning.

    Returns
    -------
    DataFrame
        A new table with phot_g_mean_mag_error, bp_rp_error and g_rp_error [mag] added.
    """
    error = {band: _band_error(sources, band) for band in BANDS}
    return sources.assign(
        phot_g_mean_mag_error=error["g"],
        bp_rp_error=np.hypot(error["bp"], error["rp"]),
        g_rp_error=np.hypot(error["g"], error["rp"]),
    )


def _band_error(sources: pd.DataFrame, band: str) -> Array:
    """Error of one band, from n_obs where it is known and from the fluxes elsewhere."""
    n_obs, flux, flux_error = f"phot_{band}_n_obs", f"phot_{band}_mean_flux", f"phot_{band}_mean_flux_error"
    error = np.full(len(sources), np.nan)
    if n_obs in sources:
        error = magnitude_error(sources[f"phot_{band}_mean_mag"].to_numpy(), sources[n_obs].to_numpy(), band)
    elif flux not in sources or flux_error not in sources:
        warnings.warn(
            f"the source table has neither {n_obs} nor {flux} and {flux_error}: errors in {band.upper()} are those of "
            f"{_N_OBS_DR3[band]} observations, as a star of DR3 typically has; they are wrong by a factor of up to 2.",
            stacklevel=5,
        )
        error = magnitude_error(
            sources[f"phot_{band}_mean_mag"].to_numpy(), np.full(len(sources), _N_OBS_DR3[band]), band
        )
    missing = np.isnan(error)
    if missing.any() and flux in sources and flux_error in sources:
        fluxes = sources.loc[missing, [flux, flux_error]].to_numpy(float)
        error[missing] = flux_magnitude_error(fluxes[:, 0], fluxes[:, 1], band)
    return error


def photometric_covariance(sources: pd.DataFrame, colour: str = "g_rp") -> Array:
    """Covariance of G magnitude and colour.

    The bands are measured independently, so cov(G, G-RP) = sigma_G^2 and cov(G, BP-RP) = 0.

    Parameters
    ----------
    sources : DataFrame
        With the errors that `add_magnitude_errors` adds.
    colour : {'g_rp', 'bp_rp'}
        Which colour.

    Returns
    -------
    ndarray, shape (n_sources, 2, 2)
        [mag^2].
    """
    g_variance = np.square(sources["phot_g_mean_mag_error"].to_numpy(float))
    covariance = np.zeros((len(sources), 2, 2))
    covariance[:, 0, 0] = g_variance
    covariance[:, 1, 1] = np.square(sources[f"{colour}_error"].to_numpy(float))
    if colour == "g_rp":
        covariance[:, 0, 1] = covariance[:, 1, 0] = g_variance
    return covariance


def warn_of_missing_colours(sources: pd.DataFrame, colour: str) -> None:
    """Warn with the number of sources that have no usable colour or error, and so cannot be candidates."""
    unusable = sources[[colour, f"{colour}_error", "phot_g_mean_mag_error"]].isna().any(axis=1).sum()
    if unusable:
        warnings.warn(f"{unusable} sources have no usable {colour}: they become non-members.", stacklevel=2)


TEFF_RANGE = (3500.0, 50000.0)
"""Effective temperatures [K] that the model was fitted on; outside, the value at the edge is used."""
A0_RANGE = (0.01, 20.0)
"""Extinctions at 550 nm [mag] that the model was fitted on."""


_MODELS = "data/precomputed/polynomial/f99/kurucz/gaia_kurucz_f99_a0_teff.ecsv"
"""The file of dustapprox with the models for Fitzpatrick (1999) in Gaia EDR3's passbands."""
_TERMS = ["1", "A0", "teffnorm", "A0^2", "A0 teffnorm", "teffnorm^2"]
_TERMS += ["A0^3", "A0^2 teffnorm", "A0 teffnorm^2", "teffnorm^3"]


@cache
def _coefficients() -> dict[str, NDArray[np.float64]]:
    """Coefficients of `_TERMS` by passband.

    Read from dustapprox's file, since importing its models (scikit-learn, pyphot, every file of the library) takes
    two seconds.
    """
    with (resources.files("dustapprox") / _MODELS).open(encoding="utf-8") as file:
        table = pd.read_csv(file, comment="#", index_col="passband")
    return {
        band: table.loc[f"GAIA_GAIA3.{band}", _TERMS].to_numpy(float, copy=True)
        for band in ("G", "Gbp", "Grp")
    }


def passband_extinction(
    band: Literal["G", "Gbp", "Grp"], teff: ArrayLike, a0: ArrayLike
) -> NDArray[np.float64]:
    """Extinction in a Gaia EDR3 passband, from the precomputed models of dustapprox.

    Fitzpatrick (1999) law with R0 = 3.1 on Kurucz atmospheres (Fouesneau et al. 2022). Effective
    temperatures and extinctions outside the fitted range take the coefficient at its edge.

    Parameters
    ----------
    band : {'G', 'Gbp', 'Grp'}
        Passband.
    teff : array_like, shape (n,)
        Effective temperature [K].
    a0 : array_like, scalar or shape (n,)
        Extinction at 550 nm [mag].

    Returns
    -------
    ndarray, shape (n,)
        Extinction [mag].
    """
    teff, a0 = np.broadcast_arrays(np.atleast_1d(np.asarray(teff, float)), np.asarray(a0, float))
    t, a = np.clip(teff, *TEFF_RANGE) / 5040, np.clip(a0, *A0_RANGE)
    squares = a * a, a * t, t * t
    cubes = a * squares[0], a * squares[1], a * squares[2], t * squares[2]
    terms = np.column_stack([np.ones_like(t), a, t, *squares, *cubes])
    return np.inner(_coefficients()[band], terms) * a0
