"""Selection limits and conditions against a plain re-computation, star by star, of Eqs. 3 to 12."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd.candidates import (
    isochrone_limit,
    maximum_radius,
    parallax_limits,
    proper_motion_limit,
    recorded_selection,
    select_candidates,
    selection_limits,
)
from gaia_oc_amd.cluster import Cluster, update_from_members
from gaia_oc_amd.cone import calibrate
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.isochrones import Isochrone, isochrone_offsets, nearest_age, place_isochrone
from gaia_oc_amd.options import SelectionOptions


@pytest.fixture
def scene(toy):
    """Calibrated sources, members, cluster and isochrone of the toy field."""
    sources = calibrate(toy.sources)
    row = toy.parameters.iloc[0]
    cluster = Cluster(**row.to_dict())
    members = sources[sources["source_id"].isin(toy.members["source_id"])]
    isochrone = place_isochrone(nearest_age(toy.isochrones, cluster.age), cluster.dist, cluster.a0)
    return sources, members, update_from_members(cluster, members), isochrone


def test_limits_against_a_plain_computation(scene):
    _, members, cluster, isochrone = scene
    limits = selection_limits(cluster, members, isochrone, SelectionOptions())
    mean_error = {
        q: 1 / np.sqrt(sum(1 / e**2 for e in members[f"{q}_error"])) for q in ("pmra", "pmdec", "parallax")
    }
    motion = cluster.motion_at(members["ra"].to_numpy(), members["dec"].to_numpy())
    std = {q: np.std(members[q] - motion[:, i], ddof=1) for i, q in enumerate(("pmra", "pmdec"))}
    expected = np.sqrt(sum((3 * std[q] + 3 * mean_error[q]) ** 2 for q in std))
    assert limits.pm == pytest.approx(expected, rel=1e-12)

    cos = np.cos(np.radians(cluster.dec))
    radii = sorted(
        cluster.dist * np.radians(np.hypot((row.ra - cluster.ra) * cos, row.dec - cluster.dec))
        for row in members.itertuples()
    )
    r_max = radii[int(np.ceil(0.9 * len(radii))) - 1] + 15
    d = 1000 / cluster.parallax
    errors = 3 * mean_error["parallax"] + 3 * 0.015
    assert limits.parallax_far == pytest.approx(cluster.parallax - 1000 / (d + r_max) + errors, rel=1e-4)
    assert limits.parallax_near == pytest.approx(1000 / (d - r_max) - cluster.parallax + errors, rel=1e-4)
    assert limits.g - 0.8 == pytest.approx(8 * (limits.colour - 0.1))


def test_isochrone_limit_is_the_smallest_that_lets_the_fraction_pass(scene):
    _, members, _, isochrone = scene
    members = members.assign(g_rp=members["g_rp"] + np.linspace(0, 0.5, len(members)))
    options = SelectionOptions()
    limit = isochrone_limit(members, isochrone, options)

    def share(value):
        in_colour, in_g = (
            options.source_error_weight * members[f"{name}_error"].to_numpy() + scale
            for name, scale in (("g_rp", value), ("phot_g_mean_mag", 8 * value))
        )
        photometry = (members[name].to_numpy() for name in ("g_rp", "phot_g_mean_mag"))
        f_c, f_g = isochrone_offsets(isochrone, *photometry, in_colour, in_g)
        return (np.hypot(f_c / in_colour, f_g / in_g) < 1).mean()

    assert share(limit) >= 0.9
    assert share(limit - 1e-3) < 0.9
    assert limit > 0.05


def test_isochrone_limit_floor_is_zero(scene):
    _, members, _, isochrone = scene
    assert isochrone_limit(members, isochrone, SelectionOptions(source_error_weight=100.0)) == 0


def test_source_error_weight_of_the_user_is_used(scene):
    _, members, _, isochrone = scene
    members = members.assign(g_rp=members["g_rp"] + np.linspace(0, 0.5, len(members)))
    tight, loose = (
        isochrone_limit(members, isochrone, SelectionOptions(source_error_weight=w)) for w in (1.0, 6.0)
    )
    assert loose < tight


def test_parallax_limit_is_guarded_where_the_radius_reaches_the_sun(scene):
    cluster = replace(scene[2], parallax=100.0, dist=10.0)
    far, near = parallax_limits(cluster, 20.0)
    assert np.isfinite([far, near]).all()
    assert near > 100
    assert far < 100


def test_parallax_limits_without_a_positive_mean_use_the_distance(scene):
    cluster = replace(scene[2], parallax=-0.01, dist=5000.0)
    far, near = parallax_limits(cluster, 20.0)
    assert 0 < far <= near < 1


def test_proper_motion_limit_of_equal_components():
    cluster = Cluster("x", 0, 0, 0, 0, 1, 0.1, 0.1, 0.1, 8, 0, 1000, 0.01, 0.01, 0.01)
    assert proper_motion_limit(cluster) == pytest.approx(np.sqrt(2) * 0.33)


def test_radius_percentile_is_exact():
    cluster = Cluster("x", 0, 0, 0, 0, 1, 0.1, 0.1, 0.1, 8, 0, 1000, 0, 0, 0)
    members = pd.DataFrame({"ra": np.zeros(10), "dec": np.degrees(np.arange(1, 11) / 1000)})
    assert maximum_radius(cluster, members, SelectionOptions(r_max_margin=0.0)) == pytest.approx(9)


def test_conditions_star_by_star(scene):
    sources, members, cluster, isochrone = scene
    limits = selection_limits(cluster, members, isochrone, SelectionOptions())
    selected = select_candidates(sources, cluster, limits, isochrone)
    places = sources["ra"].to_numpy(), sources["dec"].to_numpy()
    motions, unsure = cluster.motion_at(*places), np.abs(cluster.motion_error_at(*places))
    for i, (star, verdict) in enumerate(zip(sources.itertuples(), selected.itertuples(), strict=True)):
        in_ra = (star.pmra - motions[i, 0]) / (3 * (star.pmra_error + unsure[i, 0]) + limits.pm)
        in_dec = (star.pmdec - motions[i, 1]) / (3 * (star.pmdec_error + unsure[i, 1]) + limits.pm)
        near = star.parallax >= cluster.parallax
        limit = 3 * star.parallax_error + (limits.parallax_near if near else limits.parallax_far)
        assert verdict.proper_motion == (in_ra**2 + in_dec**2 < 1)
        assert verdict.parallax == (abs(star.parallax - cluster.parallax) < limit)
        near_isochrone = smallest_distance(star, isochrone, limits)
        if abs(near_isochrone - 1) > 1e-3:
            assert verdict.candidate == (verdict.proper_motion and verdict.parallax and near_isochrone < 1)
    assert 40 < selected["candidate"].sum() < 200


def smallest_distance(star, isochrone, limits):
    """Left side of Eq. 5, by trying 5,000 points of each straight piece."""
    t = np.linspace(0, len(isochrone.g) - 1, 5000 * (len(isochrone.g) - 1))
    knots = np.arange(len(isochrone.g))
    colour, g = np.interp(t, knots, isochrone.colour), np.interp(t, knots, isochrone.g)
    in_colour = (star.g_rp - colour) / (3 * star.g_rp_error + limits.colour)
    in_g = (star.phot_g_mean_mag - g) / (3 * star.phot_g_mean_mag_error + limits.g)
    return np.hypot(in_colour, in_g).min()


def test_most_members_are_selected_and_stars_far_off_are_not(scene):
    sources, members, cluster, isochrone = scene
    limits = selection_limits(cluster, members, isochrone, SelectionOptions())
    assert select_candidates(members, cluster, limits, isochrone)["candidate"].mean() > 0.9
    far = members.assign(pmra=members["pmra"] + 30)
    assert not select_candidates(far, cluster, limits, isochrone)["candidate"].any()


def test_star_without_colour_is_no_candidate_and_changes_no_other(scene):
    sources, members, cluster, isochrone = scene
    limits = selection_limits(cluster, members, isochrone, SelectionOptions())
    expected = select_candidates(sources, cluster, limits, isochrone)["candidate"].copy()
    row = int(np.flatnonzero(expected)[0])
    broken = sources.copy()
    broken.loc[row, "g_rp"] = np.nan
    expected[row] = False
    pd.testing.assert_series_equal(
        select_candidates(broken, cluster, limits, isochrone)["candidate"], expected
    )


@pytest.mark.parametrize("value", [4.6, 85.0, -70.0, 1e20])
def test_a_limit_that_broken_photometry_makes_is_refused_with_its_star(value):
    isochrone = Isochrone(colour=np.array([0.3, 1.5]), g=np.array([12.0, 18.0]))
    members = pd.DataFrame(
        {
            "source_id": 5_000_000_000_000_000_001 + np.arange(20),
            "phot_g_mean_mag": np.linspace(12, 18, 20),
            "g_rp": np.linspace(0.3, 1.5, 20),
            "phot_g_mean_mag_error": 0.01,
            "g_rp_error": 0.01,
        }
    )
    assert isochrone_limit(members, isochrone, SelectionOptions()) < 0.1
    members.loc[3:7, "g_rp"] = value
    with pytest.raises(
        ClusterError,
        match=r"5 of 20 training members lie farther than 3 mag .* source_id 500000000000000000[4-8] with G",
    ):
        isochrone_limit(members, isochrone, SelectionOptions())


def test_recorded_options_are_read_back_and_defaults_fill_what_older_files_lack():
    content = {"colour": "bp_rp", "options": {"selection": {"c_margin": 0.2, "of_an_older_version": 1}}}
    assert recorded_selection(content) == SelectionOptions(colour="bp_rp", c_margin=0.2)
    assert recorded_selection({"colour": "bp_rp"}) == SelectionOptions(colour="bp_rp")
    for wrong in ("wide", -1.0, None):
        content["options"]["selection"]["c_margin"] = wrong
        with pytest.raises((ValueError, TypeError)):
            recorded_selection(content)
