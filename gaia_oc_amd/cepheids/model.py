"""What the law says of a parallax: its distribution, with intrinsic scatter and stars that follow no law."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

from gaia_oc_amd.cepheids.options import LawOptions

Array = NDArray[np.float64]

K = 0.2 * np.log(10)
"""d ln(parallax) / d(distance modulus), without its sign."""

PARAMETERS = (
    "zero_point",
    "slope",
    "scatter",
    "offset",
    "offset_slope",
    "parallax_noise",
    "outlier_fraction",
    "outlier_slope",
    "outlier_shift",
    "outlier_scatter",
    "dwarf_fraction",
    "dwarf_slope",
    "dwarf_shift",
    "dwarf_scatter",
)
"""Zero point [mag], slope [mag/dex], scatter [mag]; zero point of the parallaxes [mas] and its change with G
[mas/mag], and what their errors lack in quadrature [mas]; share of the outliers at the median distance, how its logit
grows with the modulus, by how much they are fainter, and their scatter [mag]; the same of the dwarfs.

Two kinds of stars follow no law: other giants that pulsate, 1.5 to 2 mag fainter (type II Cepheids that were
misclassified), and dwarfs of the foreground, of 6 mag and more. At one apparent magnitude they are nearer, so that
their share changes with the modulus that a Cepheid would have."""

_NORMAL_PRIORS = {
    "parallax_noise": (np.log(0.01), 1.0),  # of the logarithm
    "outlier_slope": (0.0, 1.0),
    "outlier_shift": (1.75, 0.5),
    "outlier_scatter": (np.log(0.7), 0.4),  # of the logarithm
    "dwarf_slope": (0.0, 1.0),
    "dwarf_shift": (6.5, 1.0),
    "dwarf_scatter": (np.log(1.0), 0.4),  # of the logarithm
}
_LOGISTIC = {"scatter": 1.0, "outlier_fraction": 1.0, "dwarf_fraction": 1.0}
_LOGARITHMIC = ("parallax_noise", "outlier_scatter", "dwarf_scatter")
_NODES = 0.8 * np.arange(-2, 3)
_WEIGHTS = np.exp(-0.5 * (_NODES / 0.8) ** 2) / np.exp(-0.5 * (_NODES / 0.8) ** 2).sum()
"""A wide normal scatter as five narrow ones of 0.6 of its width: parallaxes are normal for narrow ones only."""
_PLACE = {name: number for number, name in enumerate(PARAMETERS)}


@dataclass(frozen=True)
class Calibrators:
    """The stars that calibrate, as arrays of shape (n_stars,).

    Parameters
    ----------
    x : ndarray
        log10 of the period less the pivot.
    wesenheit, wesenheit_error : ndarray
        [mag].
    parallax, parallax_error : ndarray
        [mas].
    g, modulus : ndarray
        G, and the modulus up to a constant, less the medians of all [mag].
    offset_prior, offset_prior_error, offset_slope_prior_error : float
        Normal priors of the parallax zero point [mas] and of its change with G [mas/mag].
    fit_offset : bool
        Whether the stars change the zero point; else it stays at its prior's mean.
    slope_prior : (float, float)
        Normal prior of the slope [mag]; its error is infinite where there is none.
    density_index : ndarray
        From `density_index`.
    """

    x: Array
    wesenheit: Array
    wesenheit_error: Array
    parallax: Array
    parallax_error: Array
    g: Array
    modulus: Array
    density_index: Array
    offset_prior: float
    offset_prior_error: float
    fit_offset: bool
    offset_slope_prior_error: float
    slope_prior: tuple[float, float]

    @property
    def offset_width(self) -> float:
        """Prior error of the zero point while the law is fitted [mas]."""
        return self.offset_prior_error if self.fit_offset else PINNED

    def with_offset_error(
        self, draws: Array, covariance: Array, place: int, rng: np.random.Generator
    ) -> Array:
        """Draws, shape (n_draws, n_parameters), with the zero point's prior error carried through.

        The law moves with a zero point that is pinned by covariance / variance of the zero point.

        Parameters
        ----------
        draws : ndarray, shape (n_draws, n_parameters)
            Of the law at the pinned zero point.
        covariance : ndarray, shape (n_parameters, n_parameters)
            Its covariance there.
        place : int
            Number of the zero point among the parameters.
        rng : Generator
            Draws zero points.
        """
        if self.fit_offset:
            return draws
        gain = covariance[:, place] / covariance[place, place]
        return draws + np.outer(self.offset_prior_error * rng.standard_normal(len(draws)), gain)


OFFSET_PRIORS = {"dr2": (-0.05, 0.01), "dr3": (0.0, 0.015)}
"""Mean and standard error [mas] by release; `options.LawOptions` names the sources."""


NO_PRIOR = (0.0, np.inf)
PINNED = 1e-4
"""Prior error of a zero point that the stars shall not change [mas]: so small that it is none."""


def calibrators(
    stars: pd.DataFrame, release: str, options: LawOptions, slope_prior: tuple[float, float] = NO_PRIOR
) -> Calibrators:
    """The arrays and priors that a law is fitted with.

    Parameters
    ----------
    stars : DataFrame
        From `selection.select_cepheids`.
    release : str
        Of Gaia: its parallaxes have a zero point of their own.
    options : LawOptions
        Pivot and priors.
    slope_prior : (float, float)
        Of the slope, from elsewhere [mag].
    """
    mean, error = OFFSET_PRIORS[release]
    g = stars["int_average_g"].to_numpy(float)
    modulus = (stars["wesenheit"] - _TYPICAL_SLOPE * stars["log_period"]).to_numpy(float)
    return Calibrators(
        x=stars["log_period"].to_numpy(float) - options.pivot,
        **{
            name: stars[name].to_numpy(float)
            for name in ("wesenheit", "wesenheit_error", "parallax", "parallax_error")
        },
        g=g - np.median(g),
        modulus=modulus - np.median(modulus),
        density_index=density_index(modulus),
        offset_prior=mean if options.offset_prior is None else options.offset_prior,
        offset_prior_error=error if options.offset_prior_error is None else options.offset_prior_error,
        fit_offset=options.fit_offset,
        offset_slope_prior_error=options.offset_slope_prior_error,
        slope_prior=slope_prior,
    )


_TYPICAL_SLOPE = -3.3  # mag: good enough to order stars by distance
_BANDWIDTH = 0.5  # mag, several times the scatter


def density_index(modulus: Array) -> Array:
    """How the observed stars become more with their distance r: d ln N(dr at r) / d ln r + 1, around each of them.

    Found from the stars themselves, as their moduli are spread much wider than the law's scatter. Whatever limits
    the sample, extinction too, is in it.

    Parameters
    ----------
    modulus : ndarray, shape (n,)
        Distance modulus up to a constant [mag].

    Returns
    -------
    ndarray, shape (n,)
        2 in a disc that is seen whole; negative where the sample thins out. Between -10 and 4.
    """
    away = (modulus[:, None] - modulus) / _BANDWIDTH
    kernel = np.exp(-0.5 * away**2)
    slope = -(kernel * away).sum(axis=1) / kernel.sum(axis=1) / _BANDWIDTH
    return np.clip(slope / K, -10, 4)


def predicted_parallax(
    absolute: Array, apparent: Array, scatter: Array, index: Array | float
) -> tuple[Array, Array]:
    """Mean and variance of the true parallax of a star of known apparent magnitude.

    The absolute magnitude is normal around the law. Of the stars with one apparent magnitude the luminous ones are
    farther away, where more stars are or fewer: that shifts the mean by -index K scatter^2 (the bias of Malmquist,
    to first order in the scatter). The parallax is then log-normal.

    Parameters
    ----------
    absolute, apparent : ndarray
        By the law, and observed [mag].
    scatter : ndarray
        Standard deviation around the law [mag].
    index : ndarray or float
        Number of stars within r ~ r^index around each star, see `density_index`.

    Returns
    -------
    mean, variance : ndarray
        [mas], [mas^2].
    """
    width = np.minimum(K * scatter, 1.5)
    median = 10 ** (0.2 * np.clip(absolute - apparent, -40, 20) + 2) * np.exp(-index * width**2)
    mean = median * np.exp(0.5 * width**2)
    return mean, mean**2 * np.expm1(width**2)


def components(theta: Array, data: Calibrators) -> Array:
    """Log densities of each parallax under the law, as an outlier and as a dwarf, times the shares of the three.

    Parameters
    ----------
    theta : ndarray, shape (n, 14)
        As `natural` takes it.
    data : Calibrators
        The stars.

    Returns
    -------
    ndarray, shape (3, n, n_stars)
    """
    each = dict(zip(PARAMETERS, natural(theta).T[..., None], strict=True))
    absolute = each["zero_point"] + each["slope"] * data.x
    offset = each["offset"] + each["offset_slope"] * data.g
    logits = [
        theta[:, _PLACE[f"{kind}_fraction"], None] + each[f"{kind}_slope"] * data.modulus
        for kind in ("outlier", "dwarf")
    ]
    (share, rest), (dwarfs, giants) = ((-np.logaddexp(0, -t), -np.logaddexp(0, t)) for t in logits)

    def density(magnitude: Array, scatter: Array, index: Array | float = 0.0) -> Array:
        total = np.hypot(scatter, data.wesenheit_error)
        mean, variance = predicted_parallax(magnitude, data.wesenheit, total, index)
        variance = variance + data.parallax_error**2 + each["parallax_noise"] ** 2
        return -0.5 * ((data.parallax - offset - mean) ** 2 / variance + np.log(2 * np.pi * variance))

    outliers = [
        np.log(weight) + density(absolute + each["outlier_shift"] + node * width, 0.6 * width)
        for width in [each["outlier_scatter"]]
        for node, weight in zip(_NODES, _WEIGHTS, strict=True)
    ]
    return np.stack(
        [
            giants + rest + density(absolute, each["scatter"], data.density_index),
            giants + share + np.logaddexp.reduce(outliers),
            dwarfs + density(absolute + each["dwarf_shift"], each["dwarf_scatter"]),
        ]
    )


def natural(theta: Array) -> Array:
    """Parameters in their units, shape (..., 14), from coordinates that have no bounds.

    Scatter and shares are logistic between 0 and their largest values (1 mag, and 1), the scatter of stars that
    follow no law is given by its logarithm.
    """
    values = np.array(theta, float)
    for name, largest in _LOGISTIC.items():
        values[..., _PLACE[name]] = largest / (1 + np.exp(-values[..., _PLACE[name]]))
    for name in _LOGARITHMIC:
        values[..., _PLACE[name]] = np.exp(values[..., _PLACE[name]])
    return values


def unbounded(values: dict[str, float]) -> Array:
    """Coordinates without bounds, shape (14,), of parameters in their units: the inverse of `natural`."""
    theta = np.array([values[name] for name in PARAMETERS])
    for name, largest in _LOGISTIC.items():
        theta[_PLACE[name]] = np.log(values[name] / (largest - values[name]))
    for name in _LOGARITHMIC:
        theta[_PLACE[name]] = np.log(values[name])
    return theta


def log_posterior(theta: Array, data: Calibrators) -> Array:
    """Logarithm of the posterior density, up to a constant, in coordinates without bounds.

    Priors: zero point and slope flat; scatter and shares uniform; the others normal.

    Parameters
    ----------
    theta : ndarray, shape (n, 14)
        See `natural`.
    data : Calibrators
        The stars and the priors of the parallax zero point.

    Returns
    -------
    ndarray, shape (n,)
    """
    theta = np.atleast_2d(theta)
    normal = _NORMAL_PRIORS | {
        "slope": data.slope_prior,
        "offset": (data.offset_prior, data.offset_width),
        "offset_slope": (0.0, data.offset_slope_prior_error),
    }
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        total = np.logaddexp.reduce(components(theta, data)).sum(axis=1)
        for name, (mean, error) in normal.items():
            total = total - 0.5 * ((theta[:, _PLACE[name]] - mean) / error) ** 2
        for logistic in theta[:, [_PLACE[name] for name in _LOGISTIC]].T:  # uniform between the bounds
            total = total - np.abs(logistic) - 2 * np.log1p(np.exp(-np.abs(logistic)))
    return np.where(np.isfinite(total), total, -np.inf)


LogDensity = Callable[[Array], Array]
"""Of points, shape (n, n_parameters), the log density, shape (n,)."""


def maximum(density: LogDensity, starts: Array, scales: Array) -> tuple[Array, Array]:
    """Maximum of a density and its normal approximation there (of Laplace).

    Parameters
    ----------
    density : callable
        Takes many points at once.
    starts : ndarray, shape (n_starts, n_parameters)
        Where the search begins; the best end is taken.
    scales : ndarray, shape (n_parameters,)
        Sizes of small steps.

    Returns
    -------
    best : ndarray, shape (n_parameters,)
    covariance : ndarray, shape (n_parameters, n_parameters)

    Raises
    ------
    ValueError
        If the density has no maximum near the starts.
    """
    unit = np.eye(len(scales))

    def value(u: Array) -> float:
        return -float(density((u * scales)[None])[0])

    def gradient(u: Array) -> Array:
        points = np.concatenate([u + 1e-3 * unit, u - 1e-3 * unit]) * scales
        up, down = np.split(density(points), 2)
        return -(up - down) / 2e-3

    found = [minimize(value, start / scales, jac=gradient, method="BFGS") for start in starts]
    best = min(found, key=lambda result: result.fun).x
    hessian = np.stack([(gradient(best + 0.05 * e) - gradient(best - 0.05 * e)) / 0.1 for e in unit])
    hessian = 0.5 * (hessian + hessian.T)
    if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian)[0] <= 0:
        raise ValueError(
            "the fit has no maximum: there are too few stars, or their parallaxes say nothing of their luminosities."
        )
    return best * scales, np.linalg.inv(hessian) * np.outer(scales, scales)
