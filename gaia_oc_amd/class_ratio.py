"""How large a share of a cone's stars are members, and what that makes of each star's likelihood ratio."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST_FRACTION = 0.98
_LARGEST_LOG_RATIO = 50.0
_MOST_STEPS, _PRECISION = 1000, 1e-10


def member_fraction(log_ratios: Array) -> float:
    """Fraction of members among stars with known likelihood ratios, by maximum likelihood.

    Expectation maximisation of the mixture proportion, as Saerens, Latinne & Decaestecker (2002, Neural
    Computation 14, 21) adjust a classifier to a new ratio of its classes. The likelihood is concave in the
    fraction, so that the start does not matter.

    Parameters
    ----------
    log_ratios : ndarray, shape (n,)
        Logarithm of each star's likelihood as a member over that as a field star; NaN does not count.

    Returns
    -------
    float
        Between 0 and 0.98, as no cone is without a field; 0 without stars.
    """
    log_ratios = log_ratios[~np.isnan(log_ratios)]
    if not len(log_ratios):
        return 0.0
    fraction = 0.1
    for _ in range(_MOST_STEPS):
        updated = float(np.mean(posterior(log_ratios, fraction)))
        if abs(updated - fraction) <= _PRECISION * updated:
            break
        fraction = updated
    return min(fraction, LARGEST_FRACTION)


def posterior(log_ratios: Array, fraction: float) -> Array:
    """Probability of being a member, by Bayes' theorem.

    Parameters
    ----------
    log_ratios : ndarray, shape (n,)
        See `member_fraction`.
    fraction : float
        Fraction of members, the probability before anything is known of a star.

    Returns
    -------
    ndarray, shape (n,)
    """
    return 1 / (1 + np.exp(-(bounded(log_ratios) + prior_log_odds(fraction))))


def prior_log_odds(fraction: float) -> float:
    """Logarithm of members over field stars; finite for a fraction of 0 or 1, too."""
    return float(np.log(max(fraction, 1e-12)) - np.log(max(1 - fraction, 1e-12)))


def bounded(log_ratios: Array) -> Array:
    """Log ratios within what exp can take."""
    return np.clip(log_ratios, -_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO)
