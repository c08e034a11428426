"""Which group is the cluster: profiles, significance, and what patchy dust does to it."""

from dataclasses import replace

import numpy as np
import pytest
from search_fields import field

from gaia_oc_amd.first_members.choice import (
    CORE,
    Expectation,
    control_concentration,
    group_profile,
    judge_groups,
    significance,
    surrounding_concentration,
    why_no_cluster,
    widest_motion,
    with_significance,
)
from gaia_oc_amd.first_members.concentration import sky_concentration, sky_map
from gaia_oc_amd.first_members.groups import hdbscan_groups
from gaia_oc_amd.first_members.options import SearchOptions
from gaia_oc_amd.first_members.stars import clustering_stars


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
    assert widest_motion(20.0) == pytest.approx(21.1, abs=0.1)
    for parallax in (0.1, 0.2, 0.5):  # of 10, 5 and 2 kpc, if parallaxes are 0.04 mas too small
        assert 4.74 * widest_motion(parallax - 0.04) / parallax == pytest.approx(5, rel=0.06)
    assert widest_motion(-0.5) == 0.1


def test_significance_is_measured_with_the_same_groups():
    stars = clustering_stars(field())
    sky = sky_map(stars)
    judged = judge_groups(stars, sky, hdbscan_groups(stars, SearchOptions()), Expectation(np.zeros(2)))
    controls = control_concentration(sky, judged, 50, rng=np.random.default_rng(1))
    assert controls.max() < 8
    assert significance(judged[0].sky, controls) > 10
    assert significance(float(controls.mean()), controls) == pytest.approx(0)
    assert control_concentration(sky, [], 5, rng=np.random.default_rng(1)).tolist() == [0] * 5


def behind_patchy_dust(n_far=4000, n_near=2500, clump=0):
    """A field whose distant stars, of like motions, are seen through a hole in the dust only; with a clump of some."""
    rng = np.random.default_rng(4)
    stars = clustering_stars(field(n_field=n_far + n_near, clusters=()))
    far = np.arange(len(stars)) < n_far
    sky = np.where(
        far[:, None], rng.normal(0.3, 0.2, (len(stars), 2)), rng.uniform(-0.9, 0.9, (len(stars), 2))
    )
    alike = rng.uniform([-0.8, -0.8, 0.2], [0.8, 0.8, 0.8], (len(stars), 3))
    alike[:500] = rng.normal([0, 0, 0.5], [0.12, 0.12, 0.04], (500, 3))
    motions = np.where(far[:, None], alike, stars.motions + np.array([0, 0, 1]))
    motions[:clump] = rng.normal([1, 1, 0.5], [0.05, 0.05, 0.02], (clump, 3))
    sky[:clump] = rng.normal(-0.2, 0.05, (clump, 2))
    core = far & (np.abs(motions - [0, 0, 0.5]) < [0.3, 0.3, 0.1]).all(axis=1)
    return replace(stars, sky=sky, motions=motions, errors=np.full((len(stars), 3), 0.03)), core


def judged_core(stars, core, sky):
    labels = np.where(core, 0, -1)
    return judge_groups(stars, sky, [labels], Expectation(np.zeros(2)))[0]


def test_what_dust_makes_patchy_is_not_significant():
    stars, core = behind_patchy_dust()
    sky, rng = sky_map(stars), np.random.default_rng(1)
    group = judged_core(stars, core, sky)
    exchanged = control_concentration(sky, [group], 20, rng=rng)
    assert significance(group.sky, exchanged) > 20
    assert with_significance(group, stars, sky, exchanged, rng=rng).significance < 5
    around = surrounding_concentration(stars, sky, group.profile, 20, rng=rng)
    assert around.mean() > 0.5 * group.sky


def test_a_cluster_behind_patchy_dust_still_is():
    stars, _ = behind_patchy_dust(clump=150)
    sky, rng = sky_map(stars), np.random.default_rng(1)
    group = judged_core(stars, np.arange(len(stars)) < 150, sky)
    exchanged = control_concentration(sky, [group], 20, rng=rng)
    assert with_significance(group, stars, sky, exchanged, rng=rng).significance > 10


def test_without_dust_the_stars_around_are_as_even_as_the_field():
    table = field(n_field=6000)
    stars, rng = clustering_stars(table), np.random.default_rng(1)
    sky = sky_map(stars)
    profile = group_profile(stars, table["is_member"].to_numpy() == 1)
    around = surrounding_concentration(stars, sky, profile, 40, rng=rng)
    assert abs(around.mean()) < 1.5
    assert 0.4 < around.std() < 1.6
    assert sky_concentration(sky, np.flatnonzero(profile.core)) > 20
    lonely = replace(profile, core=np.ones(len(stars), bool), scatter=np.full(3, 1e3))
    assert not surrounding_concentration(stars, sky, lonely, 5, rng=rng).any()


def test_a_trifle_of_the_concentration_under_it_is_no_group():
    table = field()
    stars = clustering_stars(table)
    few = np.where((table["is_member"] == 1) & (np.cumsum(table["is_member"] == 1) <= 10), 0, -1)
    sky = sky_map(stars)
    core = group_profile(stars, few == 0).core
    assert (few == 0).sum() / core.sum() > 0.1
    assert len(judge_groups(stars, sky, [few], Expectation(np.zeros(2)))) == 1
    richer = clustering_stars(field(clusters=((0.0, 0.0, -3.0, 2.0, 1.0, 600),)))
    seed = np.flatnonzero(np.hypot(*(richer.motions[:, :2] - [-3, 2]).T) < 0.05)[:12]
    labels = np.where(np.isin(np.arange(len(richer)), seed), 0, -1)
    assert judge_groups(richer, sky_map(richer), [labels], Expectation(np.zeros(2))) == []


def test_members_are_about_as_many_as_the_core_holds():
    stars, _ = behind_patchy_dust(clump=150)
    group = replace(judged_core(stars, np.arange(len(stars)) < 150, sky_map(stars)), significance=6.0)
    n_above = group.profile.core.sum() - group.profile.expected

    def why(share, group=group):
        return why_no_cluster(group, np.where(np.arange(len(stars)) < share * n_above, 0.9, 0.1))

    assert why(1.0) is why(0.6) is why(1.9) is None
    assert "stars with PMemb >= 0.5 where its core has" in why(0.4)
    assert why(2.1)
    assert why(0.4, replace(group, significance=12.0)) is None
