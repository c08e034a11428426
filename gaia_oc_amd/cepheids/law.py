"""The Leavitt law by three estimators: on distances, in parallax space, and with outliers as a posterior."""

import logging
import warnings
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq, least_squares

from gaia_oc_amd.astrometry import intrinsic_dispersion
from gaia_oc_amd.cepheids.model import (
    NO_PRIOR,
    PARAMETERS,
    Calibrators,
    K,
    calibrators,
    components,
    log_posterior,
    maximum,
    natural,
    predicted_parallax,
    unbounded,
)
from gaia_oc_amd.cepheids.options import LawOptions
from gaia_oc_amd.exceptions import ClusterError

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

N_MIN_STARS = 20
"""A law with scatter and outliers has fourteen parameters."""
LEAST_SIGNIFICANCE = 5.0
"""By so many standard errors the slope must differ from 0."""
_SCALE_LENGTH = 1350.0
"""Of the prior of distances, r^2 exp(-r / L), where a table has none [pc] (Astraatmadja & Bailer-Jones 2016)."""
_SCALES = np.array([0.02, 0.05, 0.1, 0.005, 0.002, 0.3, 0.3, 0.1, 0.2, 0.2, 0.3, 0.1, 0.2, 0.2])
"""Sizes of small steps of the parameters, without bounds."""
_N_DRAWS = 4000


@dataclass(frozen=True)
class LeavittLaw:
    """M_W = zero_point + slope (log P - pivot), by one estimator.

    Parameters
    ----------
    method : str
        "distances", "parallaxes" or "posterior".
    pivot : float
        log10 of the period [d].
    values : dict of str to float
        Those of `model.PARAMETERS` that the estimator has.
    errors : dict of str to float
        Their standard errors.
    draws : ndarray, shape (n_draws, n_values)
        From the distribution of the values, in their order.
    n_stars : int
        Stars that it was fitted to.
    """

    method: str
    pivot: float
    values: dict[str, float]
    errors: dict[str, float]
    draws: Array
    n_stars: int

    def absolute(self, log_period: Array) -> Array:
        """Absolute Wesenheit magnitudes [mag] at log periods, shape (n,)."""
        return self.values["zero_point"] + self.values["slope"] * (np.asarray(log_period) - self.pivot)

    def drawn(self, name: str) -> Array:
        """Draws of one value, shape (n_draws,)."""
        return self.draws[:, list(self.values).index(name)]

    def as_dict(self) -> dict[str, Any]:
        """What a file says of it: all but the draws."""
        return {
            "method": self.method,
            "pivot": self.pivot,
            "n_stars": self.n_stars,
            "values": self.values,
            "errors": self.errors,
        }


def fit_leavitt_law(
    stars: pd.DataFrame,
    *,
    release: str = "dr3",
    options: LawOptions = LawOptions(),
    slope_prior: tuple[float, float] = NO_PRIOR,
    sample: bool = True,
    rng: np.random.Generator,
) -> dict[str, LeavittLaw]:
    """Fit the law with three estimators, side by side.

    No star is left out for a negative parallax, or for standing apart.

    Parameters
    ----------
    stars : DataFrame
        Those of one galaxy, from `selection.select_cepheids`.
    release : str
        "dr2" or "dr3".
    options : LawOptions
        Pivot, priors, and how long emcee runs.
    slope_prior : (float, float)
        Slope and its error from elsewhere, for the fits in parallax space [mag].
    sample : bool
        Whether the posterior is sampled with emcee; else its normal approximation at the maximum is taken.
    rng : Generator
        For the samplers.

    Returns
    -------
    dict of str to LeavittLaw
        "distances", "parallaxes", "posterior".

    Raises
    ------
    ClusterError
        If there are fewer than 20 stars, or their periods say nothing of their luminosities.
    ImportError
        If emcee is needed and not installed.
    """
    if len(stars) < N_MIN_STARS:
        raise ClusterError(
            f"{len(stars)} Cepheids of the Milky Way are left, at least {N_MIN_STARS} are needed: widen "
            "--max_latitude, --faint_limit, --max_ruwe or --n_min_epochs."
        )
    data = calibrators(stars, release, options, slope_prior)
    try:
        refuse_no_law(_law_alone(data, options, rng), data.x)
        parallaxes = fit_parallaxes(data, options.pivot, rng)
        laws = {
            "distances": fit_distances(stars, data, options.pivot, rng),
            "parallaxes": parallaxes,
            "posterior": fit_posterior(data, parallaxes, options, sample=sample, rng=rng),
        }
    except (ValueError, np.linalg.LinAlgError) as error:
        raise ClusterError(f"No Leavitt law of {len(stars)} stars: {error}") from error
    return laws


def _law_alone(data: Calibrators, options: LawOptions, rng: np.random.Generator) -> LeavittLaw:
    """Law of these stars, whatever is known of the slope from elsewhere."""
    alone = replace(data, slope_prior=NO_PRIOR)
    start = fit_parallaxes(alone, options.pivot, rng)
    return fit_posterior(alone, start, options, sample=False, rng=rng)


def refuse_no_law(law: LeavittLaw, log_period: Array) -> None:
    """Refuse a law whose slope is not negative beyond doubt, or that explains less than the scatter around it.

    Parameters
    ----------
    law : LeavittLaw
        "posterior".
    log_period : ndarray, shape (n_stars,)
        Log periods, whatever the pivot.

    Raises
    ------
    ClusterError
    """
    slope, error, scatter = law.values["slope"], law.errors["slope"], law.values["scatter"]
    explained = -slope * float(np.std(log_period))
    if slope < -LEAST_SIGNIFICANCE * error and scatter < explained:
        return
    raise ClusterError(
        f"No Leavitt law: the slope of {law.n_stars} stars is {slope:.2f} +- {error:.2f} mag and must be below 0 by "
        f"{LEAST_SIGNIFICANCE:g} standard errors, their scatter {scatter:.2f} mag and must be below {explained:.2f} "
        "mag, the spread that their periods explain: check the column of the periods and the types."
    )


def fit_distances(
    stars: pd.DataFrame, data: Calibrators, pivot: float, rng: np.random.Generator
) -> LeavittLaw:
    """Weighted least squares of M_W = W - 5 log10(r / 10 pc) on log P, with distances r.

    The weights have the error of the distance and an intrinsic scatter that makes the residuals as large as
    expected. This estimator is biased: distances inherit a prior, and the scatter of distant stars is not normal.

    Parameters
    ----------
    stars : DataFrame
        With r_est, r_lo and r_hi [pc] where there are published distances; a star without one gets that of
        `distance_from_parallax`.
    data : Calibrators
        The same stars.
    pivot : float
        log10 of the period.
    rng : Generator
        For draws.
    """
    distance, error = distances(stars)
    absolute = data.wesenheit - 5 * np.log10(distance) + 5
    errors = np.hypot(error / distance / K, data.wesenheit_error)
    design = np.column_stack([np.ones(len(data.x)), data.x])
    scatter = 0.0
    for _ in range(20):
        weights = 1 / (errors**2 + scatter**2 + 1e-8)
        covariance = np.linalg.inv(design.T @ (design * weights[:, None]))
        values = covariance @ design.T @ (weights * absolute)
        scatter = _whole_scatter(absolute - design @ values, errors)
    return _normal_law(
        "distances", pivot, ("zero_point", "slope"), values, covariance, len(stars), rng, scatter
    )


def _whole_scatter(residuals: Array, errors: Array) -> float:
    """Scatter that makes the mean of residual^2 / (scatter^2 + error^2) 1, of all stars, outliers too."""

    def excess(scatter: float) -> float:
        return float(np.mean(residuals**2 / (scatter**2 + errors**2)) - 1)

    largest = float(np.sqrt(np.mean(residuals**2)))
    return brentq(excess, 0.0, largest * (1 + 1e-9)) if excess(0.0) > 0 else 0.0


def distances(stars: pd.DataFrame) -> tuple[Array, Array]:
    """Distances and their errors [pc]: the published ones, else from the parallax."""
    distance, error = distance_from_parallax(
        stars["parallax"].to_numpy(float), stars["parallax_error"].to_numpy(float)
    )
    if not {"r_est", "r_lo", "r_hi"} <= set(stars):
        return distance, error
    middle, low, high = (stars[name].to_numpy(float) for name in ("r_est", "r_lo", "r_hi"))
    known = (middle > 0) & (high > low)
    return np.where(known, middle, distance), np.where(known, (high - low) / 2, error)


def distance_from_parallax(parallax: Array, error: Array) -> tuple[Array, Array]:
    """Most probable distance under a prior r^2 exp(-r / L), and its width.

    The mode solves r^3 / L - 2 r^2 + parallax / error^2 r - 1 / error^2 = 0 (Bailer-Jones 2015, PASP 127, 994,
    Eq. 19), in kpc and mas; it exists for negative parallaxes too. The smallest positive root is taken; a negative
    parallax has only one.

    Parameters
    ----------
    parallax, error : ndarray, shape (n,)
        [mas].

    Returns
    -------
    distance, width : ndarray, shape (n,)
        [pc]; the width is that of the normal curve that is as curved at the mode.
    """
    length = _SCALE_LENGTH / 1000
    modes = []
    for value, sigma in zip(parallax, error, strict=True):
        roots = np.roots([1 / length, -2, value / sigma**2, -1 / sigma**2])
        real = np.sort(roots[np.abs(roots.imag) < 1e-8].real)
        modes.append(real[real > 0][0])
    r = np.array(modes)
    curvature = 2 / r**2 + (3 / r**4 - 2 * parallax / r**3) / error**2
    width = np.where(curvature > 0, 1 / np.sqrt(np.maximum(curvature, 1e-6)), length)
    return 1000 * r, 1000 * np.minimum(width, length * 2)


def fit_parallaxes(data: Calibrators, pivot: float, rng: np.random.Generator) -> LeavittLaw:
    """Least squares of the parallaxes against 10^(0.2 (M_W - W) + 2) mas.

    This is the astrometry-based luminosity 10^(0.2 M_W) = parallax 10^(0.2 W - 2) of Arenou & Luri (1999) with the
    residuals where the errors are normal, in the parallax; negative ones count as all others. Large residuals grow
    linearly only (soft L1), so that stars that follow no law do not decide it. Zero point of the parallaxes and its
    change with G have their priors.

    Parameters
    ----------
    data : Calibrators
        The stars.
    pivot : float
        log10 of the period.
    rng : Generator
        For draws.
    """
    scatter, values = 0.2, np.array([-5.0, -3.0, data.offset_prior, 0.0])

    def predicted(theta: Array) -> tuple[Array, Array]:
        total = np.hypot(scatter, data.wesenheit_error)
        mean, variance = predicted_parallax(
            theta[0] + theta[1] * data.x, data.wesenheit, total, data.density_index
        )
        return mean + theta[2] + theta[3] * data.g, variance

    def residuals(theta: Array) -> Array:
        priors = [
            (theta[2] - data.offset_prior) / data.offset_width,
            theta[3] / data.offset_slope_prior_error,
            (theta[1] - data.slope_prior[0]) / data.slope_prior[1],
        ]
        return np.append((data.parallax - predicted(theta)[0]) / errors, priors)

    for _ in range(6):
        errors = np.sqrt(predicted(values)[1] + data.parallax_error**2)
        fit = least_squares(residuals, values, loss="soft_l1", x_scale=np.array([0.05, 0.1, 0.01, 0.005]))
        values = fit.x
        mean = predicted(values)[0] - values[2] - values[3] * data.g
        relative = (data.parallax - predicted(values)[0]) / (K * mean)
        near = data.parallax_error < 0.2 * mean  # only there does a parallax tell the scatter
        if near.sum() >= N_MIN_STARS // 2:
            scatter = intrinsic_dispersion(relative[near], (data.parallax_error / (K * mean))[near])
    covariance = np.linalg.inv(fit.jac.T @ fit.jac)
    if not data.fit_offset:
        gain = covariance[:, 2] / covariance[2, 2]
        covariance = covariance + data.offset_prior_error**2 * np.outer(gain, gain)
    names = ("zero_point", "slope", "offset", "offset_slope")
    return _normal_law("parallaxes", pivot, names, values, covariance, len(data.x), rng, scatter)


def _normal_law(
    method: str,
    pivot: float,
    names: tuple[str, ...],
    values: Array,
    covariance: Array,
    n_stars: int,
    rng: np.random.Generator,
    scatter: float,
) -> LeavittLaw:
    """Law whose values have normal errors; its scatter has none."""
    draws = rng.multivariate_normal(values, covariance, _N_DRAWS)
    errors = np.sqrt(np.diag(covariance))
    return LeavittLaw(
        method,
        pivot,
        {**dict(zip(names, map(float, values), strict=True)), "scatter": float(scatter)},
        {**dict(zip(names, map(float, errors), strict=True)), "scatter": float("nan")},
        np.column_stack([draws, np.full(len(draws), scatter)]),
        n_stars,
    )


def fit_posterior(
    data: Calibrators, start: LeavittLaw, options: LawOptions, *, sample: bool, rng: np.random.Generator
) -> LeavittLaw:
    """Posterior of law, scatter, zero point of the parallaxes and outliers, as `model.log_posterior` has it.

    Parameters
    ----------
    data : Calibrators
        The stars.
    start : LeavittLaw
        Where the search for the maximum begins.
    options : LawOptions
        Pivot and the length of the chains.
    sample : bool
        Whether emcee samples it; else draws are those of the normal approximation at its maximum.
    rng : Generator
        For the samplers.

    Returns
    -------
    LeavittLaw
        Medians, and halves of the 68 % intervals.
    """
    density = partial(log_posterior, data=data)
    first = unbounded(
        {
            "zero_point": start.values["zero_point"],
            "slope": start.values["slope"],
            "offset": data.offset_prior,
            "offset_slope": 0.0,
            "parallax_noise": 0.01,
            "scatter": 0.15,
            "outlier_fraction": 0.05,
            "outlier_slope": 0.0,
            "outlier_shift": 1.75,
            "outlier_scatter": 0.7,
            "dwarf_fraction": 0.05,
            "dwarf_slope": 0.0,
            "dwarf_shift": 6.5,
            "dwarf_scatter": 1.0,
        }
    )
    typical = first.copy()
    typical[:2] = -5.0, -3.3  # whatever outliers did to the least squares
    starts = np.stack([first, typical])
    best, covariance = maximum(density, starts, _SCALES)
    chain = _chain(density, best, covariance, options, rng) if sample else None
    theta = rng.multivariate_normal(best, covariance, _N_DRAWS) if chain is None else chain
    draws = natural(data.with_offset_error(theta, covariance, PARAMETERS.index("offset"), rng))
    low, middle, high = np.quantile(draws, (0.15865, 0.5, 0.84135), axis=0)
    values = dict(zip(PARAMETERS, map(float, middle), strict=True))
    errors = dict(zip(PARAMETERS, map(float, (high - low) / 2), strict=True))
    return LeavittLaw("posterior", options.pivot, values, errors, draws, len(data.x))


def _chain(
    density: Any, best: Array, covariance: Array, options: LawOptions, rng: np.random.Generator
) -> Array:
    """Draws of emcee's walkers, shape (n_draws, 14)."""
    try:
        import emcee
    except ImportError as error:
        raise ImportError("The posterior needs emcee: pip install 'emcee>=3.1' 'corner>=2.2'.") from error
    walkers = rng.multivariate_normal(best, covariance, options.n_walkers)
    moves = [
        (emcee.moves.DEMove(), 0.8),
        (emcee.moves.DESnookerMove(), 0.2),
    ]  # they forget faster than stretches
    sampler = emcee.EnsembleSampler(options.n_walkers, len(best), density, vectorize=True, moves=moves)
    state = np.random.RandomState(int(rng.integers(2**32)))  # the generator that emcee takes
    sampler.random_state = state.get_state()
    sampler.run_mcmc(walkers, options.n_burn_in + options.n_steps)
    time = float(np.max(sampler.get_autocorr_time(discard=options.n_burn_in, tol=0)))
    logger.info(
        "emcee: %d steps of %d walkers, autocorrelation time %.0f steps.",
        options.n_steps,
        options.n_walkers,
        time,
    )
    if not time * 20 < options.n_steps:
        warnings.warn(
            f"the chains are {options.n_steps} steps long and forget in {time:.0f}: errors may be wrong, give more "
            "--n_steps.",
            stacklevel=2,
        )
    chain = sampler.get_chain(discard=options.n_burn_in, flat=True)
    return chain[:: max(1, len(chain) // _N_DRAWS)]


def outlier_probability(stars: pd.DataFrame, release: str, law: LeavittLaw, options: LawOptions) -> Array:
    """Probability that each star follows no law, at the posterior's medians.

    Parameters
    ----------
    stars : DataFrame
        Those that the law was fitted to.
    release : str
        Of Gaia.
    law : LeavittLaw
        "posterior".
    options : LawOptions
        Of the fit.

    Returns
    -------
    ndarray, shape (n_stars,)
    """
    parts = components(unbounded(law.values)[None], calibrators(stars, release, options))[:, 0]
    return 1 - np.exp(parts[0] - np.logaddexp.reduce(parts))
