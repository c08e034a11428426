"""Features of K-Means and of Deep Embedded Clustering."""

import numpy as np
import pytest
from planted_field import planted_field

from gaia_oc_amd.first_members.stars import FeatureOptions, clustering_features, colour_ranks


def test_scale_and_origin_do_not_matter():
    stars, _ = planted_field()
    options = FeatureOptions()
    values, used = clustering_features(stars, options)
    other, _ = clustering_features(stars.assign(pmra=3 * stars["pmra"] + 7), options)
    assert used.all()
    np.testing.assert_allclose(other, values, atol=1e-9)
    np.testing.assert_allclose(np.median(values, axis=0), 0, atol=1e-9)


def test_a_few_extreme_stars_neither_set_the_scale_nor_lie_far_out():
    stars, _ = planted_field()
    wild = stars.copy()
    wild.loc[:9, "pmra"] = 1e4
    options = FeatureOptions()
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


def test_only_good_parallaxes_divide():
    stars, _ = planted_field()
    stars.loc[:4, "parallax"] = [-1.0, 0.0, 0.1, np.nan, 0.3]
    values, used = clustering_features(stars, FeatureOptions(divided=True))
    assert list(used[:5]) == [False, False, False, False, True]
    assert values.shape == (used.sum(), 7)
    assert np.isfinite(values).all()


def test_the_modulus_and_the_angle_are_those_of_motion_over_parallax():
    stars, _ = planted_field()
    values, used = clustering_features(stars, FeatureOptions(divided=True, clip=1e9))
    east, north = (
        stars.loc[used, name].to_numpy() / stars.loc[used, "parallax"].to_numpy()
        for name in ("pmra", "pmdec")
    )
    for column, expected in ((3, east), (4, north), (5, np.hypot(east, north))):
        np.testing.assert_allclose(np.corrcoef(values[:, column], expected)[0, 1], 1, atol=1e-9)
    angle = np.unwrap(
        np.arctan2(north, east)[np.argsort(values[:, 6])]
    )  # in the order of the feature: no jump
    np.testing.assert_allclose(np.corrcoef(np.sort(values[:, 6]), angle)[0, 1], 1, atol=1e-9)


def test_no_stars_have_no_features():
    stars, _ = planted_field()
    values, used = clustering_features(stars.iloc[:0])
    assert len(values) == len(used) == 0


@pytest.mark.parametrize("bad", [{"clip": 0}, {"min_parallax_snr": -1}])
def test_bad_options_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        FeatureOptions(**bad)


def test_ranks_are_uniform_whatever_the_magnitude():
    rng = np.random.default_rng(1)
    g = rng.uniform(10, 18, 3000)
    ranks = colour_ranks(g, g / 5 + rng.normal(0, 0.1 + 0.05 * (g - 10)))
    for part in (g < 12, g > 16):
        assert abs(ranks[part].mean() - 0.5) < 0.03
        assert abs(ranks[part].std() - 12**-0.5) < 0.03
