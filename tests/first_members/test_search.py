"""A planted cluster is found by every method, a pure field gives none, and the rule knows which of two is meant."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from search_fields import field

from gaia_oc_amd.exceptions import NoClusterError, TooFewStarsError
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.first_members import search as search_module
from gaia_oc_amd.first_members.choice import overlap, with_significance
from gaia_oc_amd.first_members.field import quality_cuts
from gaia_oc_amd.first_members.options import SearchOptions
from gaia_oc_amd.first_members.search import KnownMotion, find_first_members, without_tails
from gaia_oc_amd.first_members.stars import clustering_stars
from gaia_oc_amd.source_checks import check_sources

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
    with pytest.raises(
        NoClusterError,
        match="no cluster was found among 1200 stars: (the most significant|no group is compact)",
    ):
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
    assert "has another group" in caplog.text
    np.testing.assert_allclose(one.others[0].group.profile.mean[:2], [1, -1.5], atol=0.06)
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


def test_a_rich_but_unconcentrated_group_does_not_win():
    """400 stars that share a motion all over the field, and a real cluster of 60."""
    stars = field(clusters=((0.0, 0.0, -3.0, 2.0, 1.0, 60), (0.15, 0.1, 1.0, -1.5, 0.6, 400)))
    stream = stars["is_member"] > 1
    rng = np.random.default_rng(1)
    r, angle = 0.3 * np.sqrt(rng.random(stream.sum())), 2 * np.pi * rng.random(stream.sum())
    stars.loc[stream, "ra"] = 120 + r * np.cos(angle) / np.cos(np.radians(20))
    stars.loc[stream, "dec"] = -20 + r * np.sin(angle)
    np.testing.assert_allclose(search(stars).group.profile.mean[:2], [-3, 2], atol=0.06)


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


def test_a_group_far_from_the_asked_place_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        found = search(field(clusters=((0.16, 0.1, -3.0, 2.0, 1.0, 120),)))
    assert "centred 0.1" in caplog.text
    assert "is it another cluster? Give its --ra and --dec." in caplog.text
    assert found.neighbour is None
    caplog.clear()
    search(field())
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("method", "more"), [("hdbscan", {}), ("gmm", {}), ("kmeans", {}), ("dec", {"n_field": 320})]
)
def test_the_order_of_the_rows_does_not_matter(method, more):
    stars = field(**more)
    one = search(stars, method, n_runs=1)
    two = search(stars.sample(frac=1, random_state=7), method, n_runs=1)
    assert one.members.equals(two.members)
    assert one.significance == two.significance


def test_a_broad_group_that_is_not_significant_hides_no_compact_one_that_is(monkeypatch):
    """Of the groups on one concentration the best one has no significance: the next is taken, not none."""
    seen = []

    def as_if(group, *arguments, **keywords):
        seen.append(with_significance(group, *arguments, **keywords))
        return replace(seen[0], significance=2.0) if len(seen) == 1 else seen[-1]

    monkeypatch.setattr(search_module, "with_significance", as_if)
    found = search(field())
    assert overlap(seen[0].profile.core, found.group.profile.core) > 0.2
    assert found.significance > 5
    assert found.group.score < seen[0].score


def test_the_message_names_the_largest_significance_of_all_groups(monkeypatch):
    seen = []

    def as_if(group, *arguments, **keywords):
        seen.append(replace(group, significance=len(seen) / 10))
        return seen[-1]

    monkeypatch.setattr(search_module, "with_significance", as_if)
    with pytest.raises(NoClusterError, match=r"no cluster was found") as told:
        search(field())
    assert len(seen) > 1
    assert f"has {seen[-1].significance:.1f} sigma, --min_significance 5 is needed" in str(told.value)


def test_a_group_whose_members_are_unlike_a_cluster_is_none(monkeypatch):
    monkeypatch.setattr(search_module, "why_no_cluster", lambda group, probability: "is odd")
    with pytest.raises(
        NoClusterError, match=r"sigma \(--min_significance 5\), but its members are not like those"
    ):
        search(field(), n_runs=1)


def _weak(monkeypatch, population):
    """All groups get 4 sigma, and members of any group the same probability to be one population."""

    def as_if(group, *arguments, **keywords):
        return replace(group, significance=4.0)

    monkeypatch.setattr(search_module, "with_significance", as_if)
    monkeypatch.setattr(search_module.images, "population_probability", lambda g, bp_rp: population)


def test_a_weak_group_counts_if_it_is_one_population(monkeypatch, caplog):
    _weak(monkeypatch, 0.8)
    with caplog.at_level(logging.WARNING):
        found = search(field(), n_runs=2)
    assert found.population == 0.8
    np.testing.assert_allclose(found.group.profile.mean, [-3, 2, 1], atol=0.06)
    assert "those of one population with a probability of 0.80" in caplog.text


@pytest.mark.parametrize(("population", "least"), [(0.4, 3.0), (0.8, 4.5), (0.8, np.inf)])
def test_a_weak_group_that_is_none_or_too_weak_is_no_cluster(monkeypatch, population, least):
    _weak(monkeypatch, population)
    options = SearchOptions(n_runs=2, population_significance=least)
    with pytest.raises(NoClusterError, match=f"or --population_significance {least:g} with the colours"):
        find_first_members("Toy_1", field(), options, ra=120.0, dec=-20.0, rng=np.random.default_rng(3))


def test_a_significant_group_is_not_asked_for_its_colours(monkeypatch):
    monkeypatch.setattr(search_module.images, "population_probability", lambda g, bp_rp: 1 / 0)
    assert search(field(), n_runs=2).population is None


def test_a_cluster_that_fills_its_field_is_found_by_its_colours(shared):
    """IC 4651 has 3.5 sigma in a box of 10 arcmin."""
    sources = check_sources(read_table(shared / "real" / "cones" / "IC_4651.csv.gz"), "IC_4651")
    stars, _ = quality_cuts(sources)
    where = {"ra": 261.212, "dec": -49.917, "rng": np.random.default_rng(42)}
    found = find_first_members("IC_4651", stars, SearchOptions(n_runs=2), **where)
    assert found.significance < 5
    assert found.population > 0.9
    np.testing.assert_allclose(found.group.profile.mean, [-2.43, -5.07, 1.06], atol=0.1)


def test_the_log_says_how_many_stars_the_list_has(caplog):
    with caplog.at_level(logging.INFO):
        found = search(field())
    sure = (found.members["PMemb"] >= 0.5).sum()
    assert f"; {len(found.members)} stars are listed, {sure} of them with PMemb >= 0.5." in caplog.text


def test_tails_of_the_group_are_left_out():
    stars = clustering_stars(field(n_field=3000, clusters=()))
    probability = np.where(np.arange(3000) < 2000, 0.9, 0.2)
    motions, group = stars.motions, stars.motions[:2000]
    inside = (np.abs(motions - group.mean(axis=0)) <= 1.2815515655 * group.std(axis=0, ddof=1)).all(axis=1)
    np.testing.assert_array_equal(without_tails(stars, probability, 0.1), np.where(inside, probability, 0))
    assert without_tails(stars, probability, 0.0) is probability
    where = {"ra": 120.0, "dec": -20.0}
    whole, cut = (
        find_first_members(
            "Toy_1", field(), SearchOptions(n_runs=2, tails=tails), **where, rng=np.random.default_rng(1)
        )
        for tails in (0.0, 0.1)
    )
    assert set(cut.members["source_id"]) < set(whole.members["source_id"])


@pytest.mark.parametrize("more", [{"features": "divided"}, {"dec_start": "hdbscan"}, {"dec_start": "dbscan"}])
def test_embedding_finds_the_cluster_with_other_features_and_starts(more):
    options = SearchOptions(method="dec", n_runs=1, **more)
    where = {"ra": 120.0, "dec": -20.0, "rng": np.random.default_rng(3)}
    found = find_first_members("Toy_1", field(n_field=320), options, **where)
    np.testing.assert_allclose(found.group.profile.mean, [-3, 2, 1], atol=0.06)
    assert found.members["is_member"].sum() > 30
