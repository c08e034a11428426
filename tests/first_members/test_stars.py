"""Features of K-Means and of Deep Embedded Clustering."""

import numpy as np
import pytest
from planted_field import planted_field

from gaia_oc_amd.first_members.stars import FeatureOptions, clustering_features


def test_scale_and_origin_do_not_matter():
    stars, _ = planted_field()
    options = FeatureOptions(divided="never")
    values, used = clustering_features(stars, options)
    other, _ = clustering_features(stars.assign(pmra=3 * stars["pmra"] + 7), options)
    assert used.all()
    np.testing.assert_allclose(other, values, atol=1e-9)
    np.testing.assert_allclose(np.median(values, axis=0), 0, atol=1e-9)


def test_a_few_extreme_stars_neither_set_the_scale_nor_lie_far_out():
    stars, _ = planted_field()
    wild = stars.copy()
    wild.loc[:9, "pmra"] = 1e4
    options = FeatureOptions(divided="never")
    plain, with_wild = clustering_features(stars, options)[0], clustering_features(wild, options)[0]
    assert np.abs(with_wild).max() <= options.clip
    np.testing.assert_allclose(with_wild[10:, 1], plain[10:, 1], atol=0.1)


def test_unmeasured_stars_are_left_out():
    stars, _ = planted_field()
    stars.loc[[3, 8], "pmra"] = np.nan
    values, used = clustering_features(stars)
    assert not used[[3, 8]].any()
    assert np.isfinite(values).all()
    assert len(values) == used.sum()


def test_always_divides_only_where_the_parallax_allows_it():
    stars, _ = planted_field()
    stars.loc[:4, "parallax"] = [-1.0, 0.0, 0.1, np.nan, 0.3]
    values, used = clustering_features(stars, FeatureOptions(divided="always"))
    assert list(used[:5]) == [False, False, False, False, True]
    assert values.shape == (used.sum(), 6)
    assert np.isfinite(values).all()


@pytest.mark.parametrize(("error", "n_features"), [(0.01, 6), (1.0, 3)])
def test_auto_divides_in_fields_of_good_parallaxes(error, n_features):
    stars, _ = planted_field()
    values, used = clustering_features(stars.assign(parallax_error=error), FeatureOptions(divided="auto"))
    assert values.shape[1] == n_features
    assert n_features == 6 or used.all()


def test_the_modulus_is_that_of_the_distance():
    stars, _ = planted_field()
    values, used = clustering_features(stars, FeatureOptions(divided="always", clip=1e9))
    modulus = 5 * np.log10(1000 / stars["parallax"][used]) - 5
    np.testing.assert_allclose(np.corrcoef(values[:, 5], modulus)[0, 1], 1, atol=1e-12)
    assert np.polyfit(values[:, 5], modulus, 1)[0] > 0


def test_tails_of_the_parallax_are_cut():
    stars, _ = planted_field()
    _, used = clustering_features(stars, FeatureOptions(divided="never", parallax_tail=0.1))
    assert abs(used.mean() - 0.8) < 0.01
    assert stars["parallax"][used].max() < stars["parallax"][~used].max()


def test_positions_hold_together_across_ra_zero():
    stars, _ = planted_field()
    assert np.ptp(stars["ra"]) > 300
    values, _ = clustering_features(stars, FeatureOptions(divided="never", position_weight=1))
    assert values.shape[1] == 5
    assert np.abs(values[:, 3:]).max() < 2


def test_no_stars_have_no_features():
    stars, _ = planted_field()
    values, used = clustering_features(stars.iloc[:0])
    assert len(values) == len(used) == 0


@pytest.mark.parametrize(
    "bad", [{"clip": 0}, {"parallax_tail": 0.5}, {"min_parallax_snr": -1}, {"divided": "often"}]
)
def test_bad_options_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        FeatureOptions(**bad)
