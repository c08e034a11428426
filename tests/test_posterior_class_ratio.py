"""The share of members in a cone: found by its likelihood, whatever the ratio of the classes."""

import numpy as np
import pytest

from gaia_oc_amd.posterior import member_fraction, posterior


def log_ratios(fraction, n=20_000, seed=1):
    """Log likelihood ratios of two unit normals three apart, and which are of the first."""
    rng = np.random.default_rng(seed)
    is_member = rng.uniform(size=n) < fraction
    x = rng.normal(np.where(is_member, 3.0, 0.0))
    return 3.0 * x - 4.5, is_member


@pytest.mark.parametrize("fraction", [0.02, 0.05, 0.5, 0.95])
def test_share_is_found_and_sums_agree(fraction):
    ratios, is_member = log_ratios(fraction)
    found = member_fraction(ratios)
    assert found == pytest.approx(is_member.mean(), rel=0.15)
    assert posterior(ratios, found).sum() == pytest.approx(found * len(ratios), rel=1e-6)


def test_a_wrong_share_is_not_calibrated():
    ratios, is_member = log_ratios(0.05)
    assert abs(posterior(ratios, 0.5).sum() / is_member.sum() - 1) > 1


def test_pure_field_has_no_members():
    ratios, _ = log_ratios(0.0)
    assert member_fraction(ratios) < 0.003


def test_nothing_and_infinities_do_not_stop_it():
    assert member_fraction(np.array([])) == 0
    assert member_fraction(np.array([np.nan])) == 0
    assert 0.4 < member_fraction(np.array([1e9, -1e9, np.nan])) < 0.6
    assert np.isfinite(posterior(np.array([1e9, -1e9]), 0.0)).all()
