"""Listed stars found again in a cone."""

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd.catalogues.tables import rows_by_cluster
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.members import MATCH_RADIUS, listed_members, match_to_cone, training_member_ids


def test_names_match_ignoring_their_spelling(toy):
    for spelling in ("Toy_1", "toy 1", "TOY-1"):
        assert len(listed_members(toy.members, spelling)) == 60
    assert listed_members(toy.members, "Toy_11").empty


def test_changed_identifiers_are_matched_by_position(toy):
    changed = toy.members.copy()
    changed.loc[:4, "source_id"] += 1_000_000
    moved_back = 0.5 * changed["pmdec"] / 3.6e6  # DR2 positions are half a year older
    matched = match_to_cone(changed.assign(dec=changed["dec"] - moved_back), toy.sources)
    assert sorted(matched.index) == sorted(toy.members["source_id"])
    assert len(match_to_cone(changed.drop(columns=["ra", "dec"]), toy.sources)) == 55


@pytest.mark.parametrize("change", [{"dec": 1.0 / 3600}, {"phot_g_mean_mag": 1.0}])
def test_another_star_nearby_is_no_match(toy, change):
    changed = toy.members.assign(source_id=toy.members["source_id"] + 1_000_000)
    for column, difference in change.items():
        changed[column] += difference
    assert match_to_cone(changed, toy.sources).empty


def test_a_nearer_star_of_another_brightness_does_not_hide_the_match(toy):
    changed = toy.members.assign(source_id=toy.members["source_id"] + 1_000_000)
    star = toy.sources[toy.sources["source_id"] == toy.members["source_id"].iloc[0]]
    moved = star.assign(dec=star["dec"] + 0.2 / 3600)
    intruder = star.assign(source_id=7, phot_g_mean_mag=star["phot_g_mean_mag"] + 3)
    others = toy.sources.drop(star.index)
    matched = match_to_cone(changed, pd.concat([others, moved, intruder], ignore_index=True))
    assert star["source_id"].iloc[0] in matched.index
    assert 7 not in matched.index


def test_one_source_is_matched_once(toy):
    twice = pd.concat([toy.members, toy.members.assign(source_id=toy.members["source_id"] + 1_000_000)])
    matched = match_to_cone(twice.reset_index(drop=True), toy.sources)
    assert not matched.index.duplicated().any()


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_of_two_listed_stars_near_one_source_the_nearer_is_it(toy, order):
    star = toy.sources.iloc[[3]]
    listed = pd.concat([star.assign(PMemb=0.2), star.assign(PMemb=0.9)], ignore_index=True)
    listed = listed.assign(source_id=[1, 2], dec=listed["dec"] + [0.4 / 3600, 0.0]).drop(
        columns=["pmra", "pmdec"]
    )
    matched = match_to_cone(listed.iloc[order].reset_index(drop=True), star.drop(columns=["pmra", "pmdec"]))
    assert matched.to_dict() == {star["source_id"].iloc[0]: 0.9}


def test_most_listed_stars_of_real_clusters_are_found(shared):
    """CG18 has DR2 identifiers; those not kept in DR3 are found by position."""
    cone = pd.read_csv(shared / "real" / "cones" / "NGC_2506.csv.gz")
    listed = listed_members(pd.read_csv(shared / "real" / "cg18_members.csv.gz"), "NGC_2506")
    inside = listed["ra"].between(cone["ra"].min(), cone["ra"].max()) & listed["dec"].between(
        cone["dec"].min(), cone["dec"].max()
    )
    listed = listed[inside & (listed["phot_g_mean_mag"] < 17.9)].reset_index(drop=True)
    by_id = listed["source_id"].isin(cone["source_id"]).sum()
    matched = match_to_cone(listed, cone)
    assert by_id < len(matched)
    assert len(matched) > 0.98 * len(listed)


def thresholds(probability, n_listed=30, **changes):
    settings = {"prob_threshold": 1.0, "n_min_members": 15} | changes
    return training_member_ids(pd.Series(probability, dtype=float), "NGC_1", n_listed=n_listed, **settings)


def test_messages_say_what_would_help():
    with pytest.raises(TooFewMembersError, match="not in the member list: .*--members_path"):
        thresholds([], n_listed=0)
    with pytest.raises(TooFewMembersError, match="none of its 30 listed members is in the cone"):
        thresholds([])
    with pytest.raises(
        TooFewMembersError, match=r"has 9 members with PMemb >= 1 .*at least 15 .*--prob_threshold"
    ):
        thresholds([1.0] * 9 + [0.5] * 9)
    assert len(thresholds(np.array([1.0] * 9 + [0.5] * 9), prob_threshold=0.5)) == 18


def test_the_index_of_a_list_finds_what_a_search_through_it_finds():
    clusters = ["NGC_1", "M 2", "ngc 1", "Other", "NGC-1", "m2"] * 3
    listed = pd.DataFrame({"cluster": clusters, "source_id": range(18), "PMemb": 1.0})
    rows = rows_by_cluster(listed)
    assert sorted(rows) == ["m2", "ngc1", "other"]
    for name, positions in rows.items():
        found = listed.iloc[positions].reset_index(drop=True)
        pd.testing.assert_frame_equal(found, listed_members(listed, name))
    assert rows_by_cluster(listed.iloc[:0]) == {}


def test_position_matches_do_not_depend_on_where_a_strip_of_declination_ends():
    rng = np.random.default_rng(3)
    n = 400
    dec = 10 + np.arange(n) / 3600 + rng.uniform(-0.5, 0.5, n) / 3600  # one star in each second of arc
    cone = pd.DataFrame(
        {"source_id": np.arange(n), "ra": rng.uniform(50, 51, n), "dec": dec, "phot_g_mean_mag": 15.0}
    )
    offset = 0.98 * MATCH_RADIUS / 3600 * rng.choice([-1, 1], n)
    listed = cone.assign(source_id=-1 - np.arange(n), PMemb=1.0, dec=dec + offset)
    assert set(match_to_cone(listed, cone).index) == set(range(n))
    assert match_to_cone(listed.assign(dec=dec + offset * 1.1), cone).empty


def test_the_threshold_that_would_be_enough_is_said():
    probability = pd.Series([1.0] * 10 + [0.7] * 16 + [0.3], index=range(27))
    call = {"n_listed": 30, "prob_threshold": 1.0}
    with pytest.raises(TooFewMembersError, match=r"are needed: --prob_threshold 0\.7 would give 26\."):
        training_member_ids(probability, "X_1", n_min_members=15, **call)
    with pytest.raises(TooFewMembersError, match=r"lower --n_min_members, or .*--find_first_members"):
        training_member_ids(probability, "X_1", n_min_members=40, **call)
    with pytest.raises(TooFewMembersError, match=r"--prob_threshold 0\.3 would give 27"):
        training_member_ids(probability, "X_1", n_min_members=27, **call)
    with pytest.raises(TooFewMembersError, match=r"build_sets\.py --find_first_members"):
        training_member_ids(probability, "X_1", n_min_members=15, n_listed=0, prob_threshold=1)
