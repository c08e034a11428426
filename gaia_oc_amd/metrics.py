"""Classification metrics of members against non-members."""

import numpy as np
from numpy.typing import ArrayLike


def classification_metrics(is_member: ArrayLike, called_member: ArrayLike) -> dict[str, float]:
    """Metrics of Fig. 2 of van Groeningen et al. (2023).

    Parameters
    ----------
    is_member, called_member : array_like of bool, shape (n,)
        Truth and verdict.

    Returns
    -------
    dict
        precision, recall, selectivity, accuracy, balanced_accuracy and f1; 0 where nothing can be divided.
    """
    truth, verdict = np.asarray(is_member, bool), np.asarray(called_member, bool)
    true_positives, false_positives = np.sum(truth & verdict), np.sum(~truth & verdict)
    true_negatives, false_negatives = np.sum(~truth & ~verdict), np.sum(truth & ~verdict)

    def ratio(part: float, rest: float) -> float:
        return float(part / (part + rest)) if part + rest else 0.0

    recall = ratio(true_positives, false_negatives)
    selectivity = ratio(true_negatives, false_positives)
    return {
        "precision": ratio(true_positives, false_positives),
        "recall": recall,
        "selectivity": selectivity,
        "accuracy": ratio(true_positives + true_negatives, false_positives + false_negatives),
        "balanced_accuracy": (recall + selectivity) / 2,
        "f1": ratio(2 * true_positives, false_positives + false_negatives),
    }
