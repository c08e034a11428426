"""Support sets: different members, never the star itself, every member equally often."""

import numpy as np
import pytest

from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.fast_deep_sets import draw_support_sets


def test_members_of_a_set_are_different_and_exist():
    n_members = np.repeat([11, 30, 200], 500)
    chosen = draw_support_sets(n_members, 10, rng=np.random.default_rng(0))
    assert (np.diff(np.sort(chosen, axis=1), axis=1) > 0).all()
    assert (chosen >= 0).all()
    assert (chosen < n_members[:, None]).all()


def test_excluded_member_is_never_chosen():
    excluded = np.tile(np.arange(11), 200)
    chosen = draw_support_sets(11, 10, rng=np.random.default_rng(1), excluded=excluded)
    assert not (chosen == excluded[:, None]).any()
    np.testing.assert_array_equal(np.sort(chosen, axis=1)[0], np.arange(1, 11))


def test_every_pair_is_equally_likely():
    """All 45 pairs of 10 members within 4.5 sigma of their expected number in 45,000 draws."""
    chosen = np.sort(draw_support_sets(10, 2, rng=np.random.default_rng(2), n_sets=45_000), axis=1)
    pairs, counts = np.unique(chosen, axis=0, return_counts=True)
    assert len(pairs) == 45
    assert abs(counts - 1000).max() < 4.5 * np.sqrt(1000)


def test_biased_choice_would_be_noticed():
    """The same criterion rejects sets that favour one member by a tenth."""
    rng = np.random.default_rng(2)
    weights = np.full(10, 1.0)
    weights[3] = 1.1
    chosen = rng.choice(10, 45_000, p=weights / weights.sum())
    counts = np.bincount(chosen)
    assert abs(counts - 4500).max() > 4.5 * np.sqrt(4500 * 0.9)


def test_too_few_members():
    with pytest.raises(TooFewMembersError, match="support set of 10 needs 10 members .* there are 9"):
        draw_support_sets(10, 10, rng=np.random.default_rng(3), excluded=[4])
