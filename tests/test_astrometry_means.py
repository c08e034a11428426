"""Means and dispersions of members: their errors hold when the sky is drawn again, contaminants or not."""

import numpy as np
import pytest

from gaia_oc_amd.astrometry import fit_normal, intrinsic_dispersion, robust_mean, weighted_mean

TRUTH = np.array([3.0, -2.0, 1.0])
DISPERSION = np.array([0.1, 0.1, 0.05])


def draw(n, error_level, contamination, rng):
    """Members whose errors differ by a factor ten, and contaminants that scatter five times as widely."""
    errors = error_level * np.exp(rng.uniform(np.log(0.2), np.log(2.0), n))[:, None] * [1.0, 1.1, 0.9]
    width = np.where(rng.uniform(size=(n, 1)) < contamination, 5.0, 1.0)
    true = TRUTH + width * DISPERSION * rng.normal(size=(n, 3))
    return true + errors * rng.normal(size=(n, 3)), errors


@pytest.mark.parametrize("contamination", [0.0, 0.1])
@pytest.mark.parametrize("error_level", [0.02, 0.1, 0.5])
@pytest.mark.parametrize(("n", "n_draws"), [(15, 400), (60, 250), (500, 150)])
def test_errors_of_the_means_hold(n, n_draws, error_level, contamination):
    rng, pulls = np.random.default_rng(n), []
    for _ in range(n_draws):
        values, errors = draw(n, error_level, contamination, rng)
        fit = fit_normal(values, errors, dispersion_of=(0, 0, 1))
        pulls.append((fit.parameters - TRUTH) / fit.errors)
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1.0, abs=0.1)
    assert np.abs(np.mean(pulls)) < 0.15


def test_errors_without_the_dispersion_would_not_hold():
    rng, pulls = np.random.default_rng(1), []
    for _ in range(100):
        values, errors = draw(100, 0.05, 0.0, rng)
        mean, error = weighted_mean(values[:, 0], errors[:, 0])
        pulls.append((mean - TRUTH[0]) / error)
    assert np.std(pulls) > 2


@pytest.mark.parametrize("contamination", [0.0, 0.1])
@pytest.mark.parametrize("n", [100, 500])
def test_dispersion_is_that_of_the_members(n, contamination):
    rng, jointly, alone = np.random.default_rng(2), [], []
    for _ in range(60):
        values, errors = draw(n, 0.05, contamination, rng)
        jointly.append(fit_normal(values, errors, dispersion_of=(0, 0, 1)).dispersions)
        alone.append(intrinsic_dispersion(values[:, 0] - TRUTH[0], errors[:, 0]))
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(jointly), axis=0)), [0.1, 0.05], rtol=0.03)
    assert np.median(alone) == pytest.approx(0.1, abs=0.005)


def test_contaminants_are_told_apart():
    rng = np.random.default_rng(3)
    values, errors = draw(300, 0.02, 0.0, rng)
    values[:30] = TRUTH + 10 * DISPERSION * rng.choice([-1, 1], (30, 3))
    fit = fit_normal(values, errors, dispersion_of=(0, 0, 1))
    assert fit.belongs[:30].max() < 0.01
    assert fit.belongs[30:].mean() > 0.98
    assert abs(fit.parameters - TRUTH).max() < 4 * fit.errors.max()


def test_slope_is_found_with_its_error():
    rng, pulls = np.random.default_rng(4), []
    for _ in range(200):
        x = rng.uniform(-1, 1, 80)
        design = np.stack([np.ones(80), x], axis=1)[:, None]
        errors = rng.uniform(0.01, 0.2, (80, 1))
        values = design @ [1.0, 0.3] + 0.1 * rng.normal(size=(80, 1)) + errors * rng.normal(size=(80, 1))
        fit = fit_normal(values, errors, design=design)
        pulls.append((fit.parameters - [1.0, 0.3]) / fit.errors)
    np.testing.assert_allclose(np.std(pulls, axis=0), 1.0, atol=0.15)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_stars_give_finite_means(n):
    mean, error = robust_mean(np.arange(n, dtype=float), np.full(n, 0.1))
    assert 0 <= mean <= n
    assert 0 < error < np.inf


def test_equal_values_have_no_dispersion():
    fit = fit_normal(np.ones((10, 2)), np.full((10, 2), 0.1))
    np.testing.assert_allclose(fit.parameters, 1.0)
    np.testing.assert_array_equal(fit.dispersions, 0.0)
