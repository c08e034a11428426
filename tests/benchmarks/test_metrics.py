"""Metrics of probabilities: by hand where a hand can, against scikit-learn where it cannot, and their limits."""

import numpy as np
import pytest
from metrics import (
    average_precision,
    brier_score,
    completeness_at_contamination,
    expected_calibration_error,
    precision_recall_curve,
    reliability_bins,
)
from sklearn.metrics import average_precision_score


@pytest.fixture
def stars():
    rng = np.random.default_rng(5)
    p = rng.beta(0.3, 2, 3000).round(2)  # many equal values
    return rng.random(3000) < p, p


def test_average_precision_agrees_with_an_independent_calculation(stars):
    assert average_precision(*stars) == pytest.approx(average_precision_score(*stars), abs=1e-12)


def test_average_precision_does_not_depend_on_the_order_of_equals(stars):
    order = np.random.default_rng(1).permutation(len(stars[0]))
    assert average_precision(*(values[order] for values in stars)) == pytest.approx(average_precision(*stars))


@pytest.mark.parametrize(
    "metric",
    [average_precision, lambda t, p, w=None: expected_calibration_error(t, p, weights=w), brier_score],
)
def test_weights_are_repetitions(stars, metric):
    weights = np.random.default_rng(2).integers(0, 3, len(stars[0]))
    repeated = [np.repeat(values, weights) for values in stars]
    assert metric(*stars, weights) == pytest.approx(metric(*repeated))


def test_perfect_and_useless_rankings():
    truth = np.array([True, True, False, False])
    assert average_precision(truth, [0.9, 0.8, 0.2, 0.1]) == 1
    assert average_precision(truth, np.full(4, 0.3)) == 0.5
    assert np.isnan(average_precision(~truth & truth, [0.9, 0.8, 0.2, 0.1]))


def test_precision_recall_by_hand():
    precision, recall = precision_recall_curve([True, False, True, False], [0.9, 0.7, 0.7, 0.1])
    np.testing.assert_allclose(precision, [1, 2 / 3, 1 / 2])
    np.testing.assert_allclose(recall, [1 / 2, 1, 1])


def test_completeness_at_contamination_by_hand():
    truth, p = [True, False, True, True], [0.9, 0.8, 0.7, 0.6]
    assert completeness_at_contamination(truth, p, 0.1) == pytest.approx(1 / 3)
    assert completeness_at_contamination(truth, p, 0.25) == 1
    assert completeness_at_contamination([False, True], [0.9, 0.1], 0.2) == 0


def test_calibrated_probabilities_have_a_small_calibration_error_and_distorted_ones_do_not():
    rng = np.random.default_rng(3)
    p = rng.random(200_000)
    truth = rng.random(len(p)) < p
    assert expected_calibration_error(truth, p) < 0.01
    assert expected_calibration_error(truth, np.sqrt(p)) > 0.1


def test_certainty_that_is_always_wrong_has_calibration_error_and_brier_score_one():
    assert expected_calibration_error([True, False], [0.0, 1.0]) == 1
    assert brier_score([True, False], [0.0, 1.0]) == 1


def test_reliability_bins_hold_every_star_once(stars):
    count, mean_probability, share = reliability_bins(*stars, n_bins=7)
    assert count.sum() == len(stars[0])
    assert np.nansum(count * mean_probability) == pytest.approx(stars[1].sum())
    assert np.nansum(count * share) == pytest.approx(stars[0].sum())
    assert reliability_bins([True], [1.0])[0][-1] == 1


def test_no_stars_give_nan():
    assert np.isnan(brier_score([], []))
    assert np.isnan(expected_calibration_error([], []))
