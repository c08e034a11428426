"""Metrics of verdicts and of probabilities, where it is known who is a member."""

import numpy as np
import sklearn.metrics
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def precision_recall_curve(
    is_member: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Precision and recall at every threshold that separates two probabilities.

    Stars of equal probability enter together, so their order cannot flatter anybody.

    Parameters
    ----------
    is_member : array_like of bool, shape (n,)
        Truth.
    probability : array_like, shape (n,)
        Membership probabilities, without NaN.
    weights : array_like, shape (n,), optional
        How often each star counts (resamples); by default once.

    Returns
    -------
    precision, recall : ndarray, shape (n_thresholds,)
        From the highest threshold to the lowest; empty where nothing counts as a member.
    """
    if not _counted(is_member, weights):
        return np.empty(0), np.empty(0)
    precision, recall, _ = sklearn.metrics.precision_recall_curve(
        is_member, probability, sample_weight=weights
    )
    return precision[-2::-1], recall[-2::-1]  # the last point is a convention, no threshold


def _counted(is_member: ArrayLike, weights: ArrayLike | None) -> float:
    """Number of members, as they count."""
    return float(np.sum(np.asarray(is_member) * (1.0 if weights is None else np.asarray(weights))))


def average_precision(
    is_member: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Area under the precision-recall curve, as the sum of precision times step in recall.

    Parameters
    ----------
    is_member, probability, weights : array_like, shape (n,)
        As for `precision_recall_curve`.

    Returns
    -------
    float
        NaN where nothing counts as a member.
    """
    if not _counted(is_member, weights):
        return np.nan
    return float(sklearn.metrics.average_precision_score(is_member, probability, sample_weight=weights))


def completeness_at_contamination(
    is_member: ArrayLike, probability: ArrayLike, largest: float, weights: ArrayLike | None = None
) -> float:
    """Highest completeness that any threshold reaches with at most this contamination.

    Parameters
    ----------
    is_member, probability, weights : array_like, shape (n,)
        As for `precision_recall_curve`.
    largest : float
        Largest contamination, between 0 and 1.

    Returns
    -------
    float
        0 where no threshold is that pure; NaN where nothing counts as a member.
    """
    precision, recall = precision_recall_curve(is_member, probability, weights)
    pure = recall[precision >= 1 - largest]
    return float(pure.max(initial=0.0)) if len(recall) else np.nan


def reliability_bins(
    is_member: ArrayLike, probability: ArrayLike, *, n_bins: int = 10, weights: ArrayLike | None = None
) -> tuple[Array, Array, Array]:
    """What a reliability diagram shows, in bins of equal width in probability.

    Parameters
    ----------
    is_member : array_like of bool, shape (n,)
        Truth.
    probability : array_like, shape (n,)
        Membership probabilities in [0, 1].
    n_bins : int
        Number of bins.
    weights : array_like, shape (n,), optional
        How often each star counts.

    Returns
    -------
    count, mean_probability, member_share : ndarray, shape (n_bins,)
        Summed weights, mean probability and true share of members; NaN in empty bins.
    """
    truth, p = np.asarray(is_member, float), np.asarray(probability, float)
    weight = np.ones(len(p)) if weights is None else np.asarray(weights, float)
    index = np.minimum((p * n_bins).astype(int), n_bins - 1)
    count, sum_p, sum_true = (
        np.bincount(index, weights=values, minlength=n_bins)
        for values in (weight, weight * p, weight * truth)
    )
    empty = count == 0
    divisor = np.where(empty, np.nan, count)
    return count, sum_p / divisor, sum_true / divisor


def expected_calibration_error(
    is_member: ArrayLike, probability: ArrayLike, *, n_bins: int = 10, weights: ArrayLike | None = None
) -> float:
    """Mean distance between probability and share of members, over bins of equal width weighted by counts.

    Where nearly all stars have p ~ 0, this is nearly 0 for any method: choose the stars that matter first.

    Parameters
    ----------
    is_member, probability, n_bins, weights
        As for `reliability_bins`.

    Returns
    -------
    float
        NaN without stars.
    """
    count, mean_probability, share = reliability_bins(is_member, probability, n_bins=n_bins, weights=weights)
    if not count.sum():
        return np.nan
    return float(np.nansum(count * np.abs(mean_probability - share)) / count.sum())


def brier_score(is_member: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean squared difference between probability and truth; NaN without stars."""
    squares = np.square(np.asarray(probability, float) - np.asarray(is_member, float))
    weight = np.ones(len(squares)) if weights is None else np.asarray(weights, float)
    return float(weight @ squares / weight.sum()) if weight.sum() else np.nan
