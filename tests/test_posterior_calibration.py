"""Calibration: it mends what is wrong, leaves alone what is right, and keeps the order."""

import numpy as np
import pytest

from gaia_oc_amd.posterior import KNOTS, Calibration, fit_calibration, log_odds


def judged(seed=1, n=40_000, *, slope=1.0, shift=0.0):
    """Probabilities, magnitudes and truth that follows them after a map of the logit."""
    rng = np.random.default_rng(seed)
    g, stated = rng.uniform(14, 20.7, n), rng.beta(0.5, 0.8, n)
    true = 1 / (1 + np.exp(-(slope * log_odds(stated) + shift * (g > 19.5))))
    return stated, g, rng.uniform(size=n) < true


def error(probability, is_member, part):
    return abs(probability[part].mean() - is_member[part].mean())


def test_overconfident_faint_stars_are_mended():
    stated, g, is_member = judged(slope=0.6, shift=-1.0)
    calibration = fit_calibration(stated, g, is_member, np.ones(len(g)))
    fresh, fresh_g, truth = judged(seed=2, slope=0.6, shift=-1.0)
    mended = calibration(fresh, fresh_g)
    faint = fresh_g > 20
    for part in (faint & (fresh > 0.8), faint & (fresh < 0.5), ~faint & (fresh > 0.9)):
        assert error(mended, truth, part) < 0.05
    assert error(fresh, truth, faint & (fresh > 0.8)) > 0.1  # unmended it was wrong


def test_right_probabilities_stay():
    stated, g, is_member = judged()
    np.testing.assert_allclose(
        fit_calibration(stated, g, is_member, np.ones(len(g)))(stated, g), stated, atol=0.02
    )


def test_order_is_kept_and_ends_stay_finite():
    calibration = Calibration(0.5, (0.3,) * len(KNOTS))
    p = np.array([0, 1e-12, 0.2, 0.7, 1.0])
    mapped = calibration(p, np.full(5, 18.0))
    assert (np.diff(mapped[1:]) > 0).all()
    assert ((mapped > 0) & (mapped < 1)).all()


def test_model_folders_keep_it():
    calibration = Calibration(0.8, (0.1, 0.2, 0.0, -0.3, 0.4))
    assert Calibration.from_dict(calibration.as_dict()) == calibration
    assert Calibration.from_dict(None)(np.array([0.3]), np.array([19.0])) == pytest.approx(0.3)


@pytest.mark.parametrize(
    "content", [{}, {"slope": -1, "intercepts": [0] * 5}, {"slope": 1, "intercepts": [0]}]
)
def test_damaged_calibration_is_refused(content):
    with pytest.raises(ValueError, match="train it again"):
        Calibration.from_dict(content)
