"""A planted cluster is found by every method, a pure field gives none, and the rule knows which of two is meant."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from search_fields import field

from gaia_oc_amd.exceptions import NoClusterError, TooFewStarsError
from gaia_oc_amd.first_members.choice import (
    CORE,
    Expectation,
    control_concentration,
    group_profile,
    judge_groups,
    sequence_concentration,
    significance,
    sky_concentration,
    sky_map,
    sky_peaks,
    widest_motion,
)
from gaia_oc_amd.first_members.groups import hdbscan_groups, mixture_posterior
from gaia_oc_amd.first_members.options import SearchOptions
from gaia_oc_amd.first_members.search import KnownMotion, find_first_members
from gaia_oc_amd.first_members.stars import clustering_stars, colour_ranks

TWO = ((0.0, 0.0, -3.0, 2.0, 1.0, 80), (0.15, 0.1, 1.0, -1.5, 0.6, 80))


def search(stars, method="hdbscan", seed=3, n_runs=4, **keywords):
    options = SearchOptions(method=method, n_runs=n_runs, n_controls=20)
    where = {"ra": 120.0, "dec": -20.0} | keywords
    return find_first_members("Toy_1", stars, options, **where, rng=np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("method", "n_field", "n_runs", "least"),
    [("hdbscan", 1200, 4, 0.75), ("gmm", 1200, 3, 0.75), ("kmeans", 1200, 3, 0.75), ("dec", 320, 1, 0.5)],
)
def test_a_planted_cluster_is_found(method, n_field, n_runs, least):
    stars = field(n_field=n_field)
    found = search(stars, method, n_runs=n_runs)
    assert found.significance > 8
    np.testing.assert_allclose(found.group.profile.mean, [-3, 2, 1], atol=0.06)
    listed = found.members[found.members["PMemb"] >= 0.5]
    assert listed["is_member"].sum() > least * 80
    assert listed["is_member"].mean() > 0.75
    assert found.members["PMemb"].is_monotonic_decreasing


@pytest.mark.parametrize("method", ["hdbscan", "gmm", "kmeans"])
def test_a_field_without_a_cluster_gives_none(method):
    with pytest.raises(NoClusterError, match="no cluster was found among 1200 stars.*--min_significance 5"):
        search(field(clusters=(), seed=5), method)


def test_positions_in_the_search_are_in_the_controls_too():
    """Groups that were looked for on the sky lie together on it; only real ones do so more than the controls'."""
    options = SearchOptions(n_runs=2, n_controls=8, position_weight=2.0)
    where = {"ra": 120.0, "dec": -20.0, "rng": np.random.default_rng(1)}
    assert find_first_members("Toy_1", field(n_field=500), options, **where).significance > 5
    with pytest.raises(NoClusterError):
        find_first_members("Toy_1", field(n_field=500, clusters=()), options, **where)


def test_places_exchanged_hide_even_a_rich_cluster():
    stars = field(clusters=((0.0, 0.0, -3.0, 2.0, 1.0, 300),))
    assert search(stars).significance > 10
    places = np.random.default_rng(1).permutation(len(stars))
    stars[["ra", "dec"]] = stars[["ra", "dec"]].to_numpy()[places]
    with pytest.raises(NoClusterError):
        search(stars)


def test_of_two_clusters_the_one_at_the_place_is_meant(caplog):
    stars = field(clusters=TWO)
    with caplog.at_level(logging.WARNING):
        one = search(stars)
    other = search(stars, ra=120 + 0.15 / np.cos(np.radians(20)), dec=-19.9)
    np.testing.assert_allclose(one.group.profile.mean[:2], [-3, 2], atol=0.06)
    np.testing.assert_allclose(other.group.profile.mean[:2], [1, -1.5], atol=0.06)
    assert "has another concentration" in caplog.text
    np.testing.assert_allclose(one.others[0].profile.mean[:2], [1, -1.5], atol=0.06)
    assert len(one.others) == len(other.others) == 1


def test_of_two_clusters_the_one_with_the_known_motion_is_meant():
    motion = KnownMotion(np.array([1.0, -1.5, 0.6]), np.array([0.1, 0.1, np.nan]))
    found = search(field(clusters=TWO), known=motion)
    np.testing.assert_allclose(found.group.profile.mean[:2], [1, -1.5], atol=0.06)
    unknown = KnownMotion(np.full(3, np.nan), np.full(3, np.nan))
    np.testing.assert_allclose(
        search(field(clusters=TWO), known=unknown).group.profile.mean[:2], [-3, 2], atol=0.06
    )


def test_equal_seeds_give_equal_members_and_others_do_not():
    stars = field()
    one, two, three = search(stars, seed=1), search(stars, seed=1), search(stars, seed=2)
    assert one.stars["PMemb"].equals(two.stars["PMemb"])
    assert not one.stars["PMemb"].equals(three.stars["PMemb"])


def test_a_cluster_across_the_origin_of_right_ascension_is_the_same():
    stars = field()
    moved = stars.assign(ra=(stars["ra"] - 120) % 360)
    one, two = search(stars), search(moved, ra=0.0)
    assert one.stars["PMemb"].equals(two.stars["PMemb"])


def test_too_few_stars_for_groups_are_refused():
    with pytest.raises(TooFewStarsError, match=r"20 stars .* at least 30 are needed .*--min_group_size 10"):
        search(field().head(20))


def test_a_cluster_that_fills_its_field_needs_a_larger_one():
    stars = field(n_field=600, clusters=((0.0, 0.0, -3.0, 2.0, 1.0, 400),))
    reach = np.hypot((stars["ra"] - 120) * np.cos(np.radians(20)), stars["dec"] + 20)
    with pytest.raises(NoClusterError, match="larger --radius"):
        search(stars[reach < 0.04])
    found = search(stars[reach < 0.15])
    np.testing.assert_allclose(found.group.profile.mean[:2], [-3, 2], atol=0.05)


def test_the_sky_statistic_has_mean_0_and_deviation_1_for_random_draws():
    stars = clustering_stars(field(clusters=()))
    sky, rng = sky_map(stars), np.random.default_rng(2)
    for n in (20, 100, 500):
        values = [sky_concentration(sky, rng.choice(1200, n, replace=False)) for _ in range(200)]
        assert abs(np.mean(values) - 0.3) < 0.4  # the largest of three scales is a little above 0
        assert 0.6 < np.std(values) < 1.4
    inner = np.argsort((stars.sky**2).sum(axis=1))[:100]
    assert sky_concentration(sky, inner) > 30


def test_the_sequence_statistic_has_mean_0_and_deviation_1_for_random_draws():
    table = field(clusters=((0.0, 0.0, -3.0, 2.0, 1.0, 100),))
    stars, rng = clustering_stars(table), np.random.default_rng(2)
    values = [sequence_concentration(stars, rng.choice(1300, 100, replace=False)) for _ in range(200)]
    assert abs(np.mean(values)) < 0.4
    assert 0.6 < np.std(values) < 1.5
    assert sequence_concentration(stars, np.flatnonzero(table["is_member"] == 1)) > 8


def test_ranks_are_uniform_whatever_the_magnitude():
    rng = np.random.default_rng(1)
    g = rng.uniform(10, 18, 3000)
    ranks = colour_ranks(g, g / 5 + rng.normal(0, 0.1 + 0.05 * (g - 10)))
    for part in (g < 12, g > 16):
        assert abs(ranks[part].mean() - 0.5) < 0.03
        assert abs(ranks[part].std() - 12**-0.5) < 0.03


def test_the_profile_is_that_of_the_concentration_whatever_group_sits_on_it():
    table = field()
    stars = clustering_stars(table)
    members = table["is_member"].to_numpy() == 1
    exact = group_profile(stars, members)
    near = np.hypot(*(stars.motions[:, :2] - [-3, 2]).T) < 0.6
    for group in (near, members & (np.arange(len(stars)) % 3 > 0)):
        profile = group_profile(stars, group)
        np.testing.assert_allclose(profile.mean, exact.mean, atol=0.03)
        assert profile.excess > 10
    assert (exact.core & members).sum() > 0.7 * members.sum()
    np.testing.assert_array_equal(exact.core, exact.distance(stars) < CORE)
    everything = np.ones(len(stars), bool)
    assert group_profile(stars, everything) is None  # far wider than a cluster can be
    assert group_profile(stars, np.arange(len(stars)) < 5) is None


def test_expected_field_stars_are_those_of_the_volume():
    rng = np.random.default_rng(1)
    n, scatter = 60_000, np.array([0.1, 0.1, 0.05])
    motions = np.concatenate([rng.uniform(-1.5, 1.5, (n, 3)), scatter * rng.standard_normal((500, 3))])
    blank, stars = np.zeros(n + 500), clustering_stars(field(clusters=(), n_field=60))
    uniform = replace(
        stars,
        motions=motions,
        errors=np.full((n + 500, 3), 0.02),
        sky=np.zeros((n + 500, 2)),
        g=blank,
        colour_rank=blank,
    )
    profile = group_profile(uniform, np.arange(n + 500) >= n)
    volume = 4 / 3 * np.pi * CORE**3 * np.prod(np.hypot(profile.scatter, 0.02))
    assert profile.expected == pytest.approx(n / 27 * volume, rel=0.15)
    assert profile.core.sum() == pytest.approx(0.9 * 500 + profile.expected, rel=0.15)


def test_near_clusters_may_be_wider():
    assert widest_motion(0.1) == widest_motion(-0.5) == pytest.approx(0.3536, abs=1e-3)
    assert widest_motion(20.0) == pytest.approx(21.1, abs=0.1)


def test_a_rich_but_unconcentrated_group_does_not_win():
    """400 stars that share a motion all over the field, and a real cluster of 60."""
    stars = field(clusters=((0.0, 0.0, -3.0, 2.0, 1.0, 60), (0.15, 0.1, 1.0, -1.5, 0.6, 400)))
    stream = stars["is_member"] > 1
    rng = np.random.default_rng(1)
    r, angle = 0.3 * np.sqrt(rng.random(stream.sum())), 2 * np.pi * rng.random(stream.sum())
    stars.loc[stream, "ra"] = 120 + r * np.cos(angle) / np.cos(np.radians(20))
    stars.loc[stream, "dec"] = -20 + r * np.sin(angle)
    np.testing.assert_allclose(search(stars).group.profile.mean[:2], [-3, 2], atol=0.06)


def test_significance_is_measured_with_the_same_groups():
    stars = clustering_stars(field())
    sky = sky_map(stars)
    judged = judge_groups(stars, sky, hdbscan_groups(stars, SearchOptions()), Expectation(np.zeros(2)))
    controls = control_concentration(sky, judged, 50, rng=np.random.default_rng(1))
    assert controls.max() < 8
    assert significance(judged[0].sky, controls) > 10
    assert significance(float(controls.mean()), controls) == pytest.approx(0)
    assert control_concentration(sky, [], 5, rng=np.random.default_rng(1)).tolist() == [0] * 5


def test_the_mixture_gives_the_component_on_the_core():
    rng = np.random.default_rng(1)
    features = np.concatenate([rng.normal(0, 1, (100, 3)), rng.uniform(-20, 20, (400, 3))])
    core = np.arange(500) < 60
    posterior, _ = mixture_posterior(features, core, None, 10, rng=rng)
    assert posterior[:100].mean() > 0.85
    assert posterior[100:].mean() < 0.1


def test_options_out_of_bounds_are_refused():
    for wrong in ({"n_runs": 0}, {"min_group_size": 2}, {"n_controls": 1}, {"position_weight": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SearchOptions(**wrong)


DOUBLE = ((0.0, 0.0, -3.0, 2.0, 1.0, 90), (0.2, 0.15, -3.0, 2.0, 1.0, 80))
"""Two clusters of one motion, 0.25 deg apart."""


@pytest.mark.parametrize(("asked", "kept", "other"), [((120.0, -20.0), 1, 21), ((120.21, -19.85), 21, 1)])
def test_of_a_double_cluster_the_half_asked_for_is_kept_and_both_are_given(caplog, asked, kept, other):
    stars = field(clusters=DOUBLE)
    with caplog.at_level(logging.WARNING):
        found = search(stars, ra=asked[0], dec=asked[1])
    assert "the group is two on the sky, 0.2" in caplog.text
    assert "the other is listed as Toy_1_B" in caplog.text
    truth = stars.set_index("source_id")["is_member"]
    for members, label in ((found.members, kept), (found.neighbour_members, other)):
        sure = members[members["PMemb"] >= 0.5]
        assert (truth[sure["source_id"]] == label).mean() > 0.9
        assert (truth[sure["source_id"]] == label).sum() > 50
    assert not set(found.members["source_id"]) & set(found.neighbour_members["source_id"])


@pytest.mark.parametrize("seed", range(4))
def test_a_single_cluster_stays_one(seed):
    stars = field(seed=seed)
    group = np.flatnonzero(stars["is_member"] > 0)
    assert len(sky_peaks(sky_map(clustering_stars(stars)), group)) == 1


def test_a_group_far_from_the_asked_place_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        found = search(field(clusters=((0.16, 0.1, -3.0, 2.0, 1.0, 120),)))
    assert "centred 0.1" in caplog.text
    assert "is it another cluster? Give its --ra and --dec." in caplog.text
    assert found.neighbour is None
    caplog.clear()
    search(field())
    assert not caplog.text
