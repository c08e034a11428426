"""The Large Magellanic Cloud: the law of its own Cepheids, and its distance modulus by a calibrated law."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import weighted_mean
from gaia_oc_amd.cepheids.law import LeavittLaw
from gaia_oc_amd.cepheids.model import maximum
from gaia_oc_amd.cepheids.options import LmcOptions
from gaia_oc_amd.exceptions import ClusterError

Array = NDArray[np.float64]

LITERATURE_MODULUS = (18.477, 0.026)
"""Modulus and its error from eclipsing binaries at 49.59 +- 0.09 +- 0.54 kpc: Pietrzynski et al. (2019, Nature 567,
200)."""
WESENHEIT_ERROR = 0.05
"""Standard error of R, an assumption; it acts on the difference of the colours of the two galaxies."""
PARALLAX_SYSTEMATIC = 0.02
"""Of the mean parallax of a field of several degrees [mas]: for faint stars of DR2 it is 0.017 on scales of 14 to 20
degrees and 0.043 below 1 degree (Lindegren et al. 2018, A&A 616, A2, Table 4)."""
N_MIN_STARS = 10


@dataclass(frozen=True)
class ApparentLaw:
    """W = level + slope (log P - pivot) of stars at one distance.

    Parameters
    ----------
    level, slope, scatter : float
        [mag].
    level_error, slope_error : float
        [mag]; not correlated, for the pivot is the mean of the stars.
    pivot : float
        Mean log10 of the period of the stars that follow the law [d].
    n_stars : int
        Stars that it was fitted to, outliers among them.
    """

    level: float
    level_error: float
    slope: float
    slope_error: float
    scatter: float
    pivot: float
    n_stars: int


@dataclass(frozen=True)
class Modulus:
    """A distance modulus [mag].

    Parameters
    ----------
    method : str
        Estimator of the law.
    value, error : float
        Statistical.
    systematic : float
        Of the metallicity effect and the Wesenheit coefficient.
    draws : ndarray
        Of the value.
    """

    method: str
    value: float
    error: float
    systematic: float
    draws: Array

    def as_dict(self) -> dict[str, Any]:
        """What a file says of it."""
        return {
            "method": self.method,
            "value": self.value,
            "error": self.error,
            "systematic": self.systematic,
            "less_literature": self.value - LITERATURE_MODULUS[0],
        }


def fit_apparent_law(stars: pd.DataFrame) -> ApparentLaw:
    """Law of stars at one distance, with scatter and outliers as a second, wide normal distribution.

    Parameters
    ----------
    stars : DataFrame
        With log_period, wesenheit and wesenheit_error.

    Returns
    -------
    ApparentLaw

    Raises
    ------
    ClusterError
        If there are fewer than 10 stars, or they follow no law.
    """
    if len(stars) < N_MIN_STARS:
        raise ClusterError(
            f"{len(stars)} Cepheids of the LMC are left, at least {N_MIN_STARS} are needed: widen --lmc_radius or "
            "--lmc_motion."
        )
    x, w, error = (stars[name].to_numpy(float) for name in ("log_period", "wesenheit", "wesenheit_error"))
    centre = float(np.mean(x))
    for again in (False, True):  # the second time around the mean of those that follow the law
        density = partial(_apparent_density, x=x - centre, wesenheit=w, error=error)
        start = np.array([np.median(w), -3.0, np.log(0.1), -3.0, 0.0, np.log(1.0)])
        try:
            fit, covariance = maximum(density, start[None], np.array([0.02, 0.05, 0.1, 0.3, 0.1, 0.1]))
        except ValueError as failure:
            raise ClusterError(f"The {len(stars)} Cepheids of the LMC follow no law: {failure}") from failure
        ours, others = _apparent_parts(fit[None], x - centre, w, error)
        belongs = np.exp(ours - np.logaddexp(ours, others))[0]
        centre = centre if again else float(np.average(x, weights=belongs))
    errors = np.sqrt(np.diag(covariance))
    return ApparentLaw(
        float(fit[0]),
        float(errors[0]),
        float(fit[1]),
        float(errors[1]),
        float(np.exp(fit[2])),
        centre,
        len(stars),
    )


def _apparent_parts(theta: Array, x: Array, wesenheit: Array, error: Array) -> tuple[Array, Array]:
    """Log densities under the law and as an outlier, with their shares; level, slope, ln scatter, logit, shift, ln."""
    level, slope, scatter, logit, shift, wide = (column[:, None] for column in theta.T)
    residual = wesenheit - level - slope * x

    def normal(offset: Array, width: Array) -> Array:
        variance = width**2 + error**2
        return -0.5 * (offset**2 / variance + np.log(2 * np.pi * variance))

    ours = normal(residual, np.exp(scatter)) - np.logaddexp(0, logit)
    return ours, normal(residual - shift, np.exp(wide)) - np.logaddexp(0, -logit)


def _apparent_density(theta: Array, x: Array, wesenheit: Array, error: Array) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        likelihood = np.logaddexp(*_apparent_parts(theta, x, wesenheit, error)).sum(axis=1)
    # the wide component is wide, and neither share is exactly 0
    return (
        likelihood
        - 0.5 * ((theta[:, 5] - 0.0) / 0.5) ** 2
        - 0.5 * (theta[:, 3] / 5) ** 2
        - 0.5 * theta[:, 4] ** 2
    )


def lmc_modulus(
    law: LeavittLaw,
    apparent: ApparentLaw,
    *,
    colour_difference: float = 0.0,
    options: LmcOptions = LmcOptions(),
    rng: np.random.Generator,
) -> Modulus:
    """Distance modulus of the Large Magellanic Cloud by a law.

    At the mean period of its stars the modulus is W - M_W, less the metallicity effect: its stars are fainter than
    the Milky Way's at the same period.

    Parameters
    ----------
    law : LeavittLaw
        Calibrated with other stars.
    apparent : ApparentLaw
        Of its own stars.
    colour_difference : float
        Median BP - RP of the stars that calibrate, less that of its own [mag]: an error of R acts on it.
    options : LmcOptions
        The metallicity effect.
    rng : Generator
        For draws.

    Returns
    -------
    Modulus
        Median and half of the 68 % interval.
    """
    step = apparent.pivot - law.pivot
    absolute = law.drawn("zero_point") + law.drawn("slope") * step
    level = apparent.level + apparent.level_error * rng.standard_normal(len(absolute))
    draws = level - absolute - options.metallicity_effect * options.lmc_metallicity
    low, middle, high = np.quantile(draws, (0.15865, 0.5, 0.84135))
    systematic = np.hypot(
        options.metallicity_effect_error * options.lmc_metallicity, WESENHEIT_ERROR * colour_difference
    )
    return Modulus(law.method, float(middle), float((high - low) / 2), float(systematic), draws)


def mean_parallax(stars: pd.DataFrame, offset: float, offset_error: float) -> tuple[float, float]:
    """Mean parallax [mas] of the stars of the LMC, less the zero point that the law found, and its error.

    Parameters
    ----------
    stars : DataFrame
        Of the LMC.
    offset, offset_error : float
        Zero point of the parallaxes [mas]; that of brighter stars, so that the systematic error is the larger part.
    """
    mean, error = weighted_mean(stars["parallax"].to_numpy(float), stars["parallax_error"].to_numpy(float))
    return mean - offset, float(np.sqrt(error**2 + offset_error**2 + PARALLAX_SYSTEMATIC**2))
