"""Calibration: it mends what is wrong, leaves alone what is right, and keeps the order."""

import numpy as np
import pytest

from gaia_oc_amd.posterior import BENDS, KNOTS, Calibration, fit_calibration, scatter_between_cones
from gaia_oc_amd.spatial import members_with_error, number_interval
from gaia_oc_amd.spatial_fit import fit_spatial_model


def judged(seed=1, n=60_000, *, slope=1.0, shift=0.0):
    """Log ratios, log odds, magnitudes and truth that follows them after a map of the ratio."""
    rng = np.random.default_rng(seed)
    g, stated, odds = rng.uniform(14, 20.7, n), rng.normal(-1, 3, n), rng.uniform(-3, 1, n)
    true = np.where(stated > 0, slope * stated, stated) + shift * (g > 19.5)
    return stated, odds, g, rng.uniform(size=n) < 1 / (1 + np.exp(-true - odds))


def chance(log_ratios, odds):
    return 1 / (1 + np.exp(-log_ratios - odds))


def error(probability, is_member, part):
    return abs(probability[part].mean() - is_member[part].mean())


def test_overconfident_faint_stars_are_mended():
    stated, odds, g, is_member = judged(slope=0.5, shift=-1.0)
    calibration = fit_calibration(stated, odds, g, is_member, np.ones(len(g)))
    fresh, fresh_odds, fresh_g, truth = judged(seed=2, slope=0.5, shift=-1.0)
    mended, stated = chance(calibration(fresh, fresh_g), fresh_odds), chance(fresh, fresh_odds)
    faint = fresh_g > 20
    for part in (faint & (stated > 0.8), faint & (stated < 0.5), ~faint & (stated > 0.9)):
        assert error(mended, truth, part) < 0.03
    assert error(stated, truth, faint & (stated > 0.8)) > 0.1  # unmended it was wrong


def test_right_ratios_stay():
    stated, odds, g, is_member = judged()
    found = fit_calibration(stated, odds, g, is_member, np.ones(len(g)))(stated, g)
    np.testing.assert_allclose(chance(found, odds), chance(stated, odds), atol=0.03)


def test_weights_count():
    """Stars that stand for many are not outvoted by those that stand for themselves."""
    right, wrong = judged(seed=1, n=20_000), judged(seed=2, n=20_000, shift=-2.0)
    both = [np.concatenate(parts) for parts in zip(right, wrong, strict=True)]
    weight = np.repeat([50.0, 1.0], 20_000)
    fitted = fit_calibration(*both, weight)
    assert abs(fitted.intercepts[-1]) < 0.4
    assert fit_calibration(*both, weight[::-1]).intercepts[-1] < -1


def test_prior_odds_are_left_alone():
    stated, _, g, _ = judged()
    calibration = Calibration((0.5,) * (len(BENDS) + 1))
    np.testing.assert_allclose(
        chance(calibration(stated, g), -8.0), 1 / (1 + np.exp(8.0 - 0.5 * stated)), rtol=1e-9
    )


def test_order_is_kept_and_the_map_is_continuous():
    slopes = (0.5, 0.8, 1.2, 0.7, 0.3)
    x = np.linspace(-12, 12, 4001)
    mapped = Calibration(slopes, (0.3,) * len(KNOTS))(x, np.full(len(x), 18.0))
    steps = np.diff(mapped) / np.diff(x)
    assert (steps > 0.29).all()
    assert (steps < 1.21).all()
    assert mapped[2000] == pytest.approx(0.3)
    ends = Calibration(slopes)(np.array([-np.inf, np.inf]), np.array([18.0, 18.0]))
    assert np.isfinite(ends).all()


def test_model_folders_keep_it():
    calibration = Calibration((0.8, 1.0, 1.1, 0.9, 0.7), (0.1, 0.2, 0.0, -0.3, 0.4, 0.1, 0.0), 0.12)
    assert Calibration.from_dict(calibration.as_dict()) == calibration
    assert Calibration.from_dict(None)(np.array([0.3]), np.array([19.0])) == pytest.approx(0.3)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"slope": 1.0, "intercepts": [0] * 5},
        {"slopes": [-1] * 5, "intercepts": [0] * 7, "scatter": 0.1},
        {"slopes": [1] * 5, "intercepts": [0] * 7, "scatter": np.nan},
    ],
)
def test_damaged_calibration_is_refused(content):
    with pytest.raises(ValueError, match="train it again"):
        Calibration.from_dict(content)


def cone_of(rng, *, n_members=150, n_field=4000, contrast=2.0):
    """Log ratios, places, size and true number of a cone with a round cluster."""
    share = rng.uniform(size=n_members)
    radius = np.append(1.5 * np.sqrt(share / (1 - share)), 30 * np.sqrt(rng.uniform(size=n_field)))
    angle = rng.uniform(0, 2 * np.pi, len(radius))
    is_member = np.arange(len(radius)) < n_members
    log_ratios = contrast * rng.normal(np.where(is_member, contrast, 0.0)) - contrast**2 / 2
    faint = rng.uniform(size=len(radius)) < 0.51  # the usual share in a cone to G = 20
    g = np.where(faint, *rng.uniform([[18], [14]], [[20], [18]], (2, len(radius))))
    places = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), g])
    return log_ratios, places, 1.5, n_members


def test_intervals_with_the_scatter_hold_the_truth_of_two_cones_in_three():
    rng = np.random.default_rng(4)
    cones = [cone_of(rng) for _ in range(9)]
    off = [(*cone[:3], round(cone[3] * np.exp(rng.choice([-0.25, 0.25])))) for cone in cones]
    right, wrong = scatter_between_cones(cones), scatter_between_cones(off)
    assert 0 <= right < wrong <= 1
    held = []
    for log_ratios, places, size, true in off:
        model = fit_spatial_model(log_ratios, places, size=size, calibrated=True)
        low, high = number_interval(*members_with_error(model, log_ratios, places, scatter=wrong))
        held.append(low <= true <= high)
    assert 5 <= sum(held) <= 8
    assert scatter_between_cones([]) == 0
