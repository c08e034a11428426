"""Artificial members: their true properties, their measurement by donors, their fate, and control clusters."""

import logging
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from toy_field import toy_field

from gaia_oc_amd.astrometry import angular_separation, tangent_plane
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import calibrate, cone_region
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.members import find_members
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.set_building import divide_cone
from gaia_oc_amd.simulation.stars import number_below
from gaia_oc_amd.spatial import SpatialModel
from gaia_oc_amd.validation.artificial import (
    ClusterModel,
    artificial_members,
    draw_systems,
    fit_cluster_model,
    king_radii,
    measure_by_donors,
)
from gaia_oc_amd.validation.controls import Place, control_places, directions, look_at_controls, move_stars
from gaia_oc_amd.validation.injection import (
    PROFILE_WEIGHTS,
    Field,
    inject_members,
    inside_cone,
    radii_of_members,
)

EDGES = (0.0, 14.0, 15.0, 16.0, 17.0, 18.0, 21.0)
MODEL = ClusterModel(core_radius=1.5, tidal_radius=8.0, dispersion=(0.3, 0.3))


def accept_all(stars, sets, *, rng):
    return np.ones(len(stars))


@pytest.fixture(scope="module")
def field():
    """The toy field, its candidates judged by a rule of thumb."""
    toy = toy_field(n_field=3000)
    cluster = Cluster.from_dict(toy.parameters.iloc[0].to_dict())
    sources = calibrate(toy.sources)
    members = find_members("Toy_1", sources, toy.members)
    points = nearest_age(toy.isochrones, cluster.age)
    sets = divide_cone(sources, cluster, members, points)
    near = (sets.candidates["f_r"] < 6) & (sets.candidates["f_pm"] < 0.3)
    sets = replace(sets, candidates=sets.candidates.assign(PMemb=near.astype(float)))
    region = replace(cone_region(cluster, ConeOptions()), pm_radius=4.0, parallax_width=2.0)
    return Field(sets, region, points)


def truth_of(field, size, seed=0):
    rng = np.random.default_rng(seed)
    systems = draw_systems(field.points, size, rng=rng)
    return artificial_members(field.sets.cluster, MODEL, systems, king_radii(MODEL, size, rng=rng), rng=rng)


def test_artificial_members_lie_on_the_cluster(field):
    cluster, stars = field.sets.cluster, truth_of(field, 4000)
    radius = cluster.dist * np.radians(angular_separation(stars["ra"], stars["dec"], cluster.ra, cluster.dec))
    assert radius.max() < 8.05
    assert np.median(radius) == pytest.approx(MODEL.radius_of_fraction(0.5), rel=0.1)
    for name in ("pmra", "pmdec"):
        speed = 4.74 * cluster.dist / 1000 * (stars[name] - getattr(cluster, name))
        assert speed.std() == pytest.approx(0.3, rel=0.1)
        assert abs(speed.mean()) < 0.03
    assert stars["parallax"].mean() == pytest.approx(cluster.parallax, abs=0.001)


def test_masses_follow_the_initial_mass_function(field):
    mass = draw_systems(field.points, 20_000, binary_fraction=0.5, rng=np.random.default_rng(1))["mass"]
    low, middle, high = number_below(np.array([0.2, 0.6, 3.0]))
    assert (mass < 0.6).mean() == pytest.approx((middle - low) / (high - low), abs=0.02)


def test_initial_masses_are_needed(field):
    with pytest.raises(ValueError, match="no column Mini"):
        draw_systems(field.points.drop(columns="Mini"), 10, rng=np.random.default_rng(0))


def test_dispersion_is_free_of_errors(field):
    """The toy's members scatter by 0.05 mas/yr, 0.24 km/s; their errors are as large."""
    model = fit_cluster_model(field.sets)
    assert model.dispersion == pytest.approx((0.24, 0.24), abs=0.06)
    assert 2 < model.tidal_radius < 12


def test_errors_are_those_of_real_stars_of_like_magnitude(field):
    truth = truth_of(field, 3000)
    truth = truth[truth["g"].between(12, 18)].reset_index(drop=True)
    stars = measure_by_donors(truth, field.sources, rng=np.random.default_rng(2))
    assert set(stars["parallax_error"]) <= set(field.sources["parallax_error"])
    assert set(stars["pmra_pmdec_corr"]) <= set(field.sources["pmra_pmdec_corr"])
    expected = 0.02 * 10 ** (0.2 * (truth["g"] - 15).clip(0))
    assert np.median(np.abs(stars["parallax_error"] / expected - 1)) < 0.05
    assert (stars["source_id"] < 0).all()
    assert stars["source_id"].is_unique
    assert np.isfinite(stars[["phot_g_mean_mag_error", "g_rp_error", "bp_rp_error"]]).all(axis=None)


def test_noise_is_as_large_as_the_errors_and_correlated_as_they_are(field):
    truth = truth_of(field, 6000)
    stars = measure_by_donors(truth, field.sources, rng=np.random.default_rng(3))
    deviates = {
        name: (stars[name] - truth[name]) / stars[f"{name}_error"] for name in ("parallax", "pmra", "pmdec")
    }
    for values in deviates.values():
        assert 1.4826 * np.median(np.abs(values)) == pytest.approx(1, abs=0.05)
        assert abs(values.mean()) < 0.06
    product = deviates["pmra"] * deviates["pmdec"]
    positive = stars["pmra_pmdec_corr"] > 0.1
    negative = stars["pmra_pmdec_corr"] < -0.1
    assert product[positive].mean() > 0.1
    assert product[negative].mean() < -0.1


def test_every_star_has_one_fate(field):
    stars = inject_members(
        field, accept_all, n_artificial=1200, magnitude_edges=EDGES, model=MODEL, rng=np.random.default_rng(4)
    )
    assert not (stars["selected"] & ~stars["in_cone"]).any()
    assert (stars["PMemb"].notna() == stars["selected"]).all()
    king = stars[stars["like_cluster"]]
    assert king["selected"].mean() > 0.9
    assert king["f_r"].max() < 8.1
    counts = np.histogram(stars["phot_g_mean_mag"], EDGES)[0]
    assert (np.abs(counts[:5] - 200) < 45).all()  # noise moves a few across an edge
    assert stars["weight"].sum() <= 1


def test_weights_give_back_the_luminosity_function(field):
    stars = inject_members(
        field, accept_all, n_artificial=1200, magnitude_edges=EDGES, model=MODEL, rng=np.random.default_rng(4)
    )
    g = truth_of(field, 30_000)["g"]
    limit = field.sources["phot_g_mean_mag"].max()
    expected = (g < 16).sum() / (g < limit).sum()
    bright = stars["phot_g_mean_mag"] < 16
    assert stars.loc[bright, "weight"].sum() / stars["weight"].sum() == pytest.approx(expected, rel=0.1)


def segregated(field):
    """The field with certain members: bright ones within 10 pc, faint ones farther out, nobody else."""
    sets = field.sets
    stars = pd.concat([sets.candidates, sets.non_members], ignore_index=True)
    radius, g = stars["f_r"], stars["phot_g_mean_mag"]
    inside = ((g < 15) & (radius < 10)) | ((g >= 15) & radius.between(15, 25))
    stars = stars.assign(PMemb=inside.astype(float))
    nobody = sets.members.iloc[:0]
    return replace(
        field, sets=replace(sets, candidates=stars, non_members=nobody, members=nobody, judged_members=nobody)
    )


SPATIAL = SpatialModel(np.array([4.0, -2.0, np.log(2.0), 1.5, 0.0, 0.0, 0.0]))
UNSURE = replace(SPATIAL, covariance=np.diag([0.2, 1.0, 0.3, 0.3, 0.01, 0.01, 0.0]) ** 2)


def test_radii_are_those_of_members_of_like_magnitude(field):
    """Far from the edge between both kinds only one of them is near in magnitude."""
    field = segregated(field)
    narrow = replace(field, region=replace(field.region, radius=30.0 / 17.453))  # 30 pc, which the cone fills
    g = np.repeat([12.5, 17.5], 500)
    radius, _ = radii_of_members(narrow, SPATIAL, g, rng=np.random.default_rng(1))
    assert radius[:500].max() < 10
    assert np.median(radius[:500]) > 3
    assert radius[500:].min() >= 15
    assert radius[500:].max() <= 25


def test_weights_of_the_models_say_how_far_the_halo_is_unknown(field):
    """One certain model gives one weight; unsure ones disagree, the more the larger the error of the ratios."""
    stars = field.sets.candidates
    doubtful = replace(field.sets, candidates=stars.assign(PMemb=np.where(stars["f_r"] < 5, 0.9, 0.1)))
    field = replace(field, sets=doubtful)
    g = np.full(400, 16.0)

    def scatter(spatial, error):
        radius, weights = radii_of_members(
            field, spatial, g, ratio_scatter=error, rng=np.random.default_rng(2)
        )
        assert weights.shape == (len(radius), len(PROFILE_WEIGHTS))
        np.testing.assert_allclose(weights.mean(axis=1), 1)  # the stars are drawn from all models together
        far = radius > 5
        return (weights[far].sum(axis=0) / weights.sum(axis=0)).std()

    assert scatter(SPATIAL, 0.0) == pytest.approx(0, abs=1e-9)
    assert scatter(UNSURE, 0.0) > 0.01
    assert scatter(SPATIAL, 0.5) > 0.001


def test_one_star_of_a_wrong_flux_makes_no_catalogue_deeper(field):
    def faintest(sets):
        stars = inject_members(
            replace(field, sets=sets), accept_all, n_artificial=600, magnitude_edges=(0.0, 17.0, 18.0, 25.0),
            model=MODEL, rng=np.random.default_rng(0),
        )  # fmt: skip
        return stars["phot_g_mean_mag"].max()

    stars = field.sets.non_members
    magnitude = stars["phot_g_mean_mag"].to_numpy().copy()
    magnitude[0] = 22.0
    odd = replace(field.sets, non_members=stars.assign(phot_g_mean_mag=magnitude))
    assert faintest(odd) == pytest.approx(faintest(field.sets), abs=0.1)


def test_where_the_cone_shows_nothing_radii_follow_the_model(field):
    """Members beyond the cone's edge are lost to the cone, as many as the model has there."""
    small = small_on_the_sky(field)
    inner = small.sets.cluster.dist * np.radians(small.coverage.inner_radius)
    wide = replace(SPATIAL, parameters=SPATIAL.parameters + np.array([0, 2, np.log(3), 0, 0, 0, 0]))
    radius, _ = radii_of_members(small, wide, np.full(4000, 15.0), rng=np.random.default_rng(3))
    expected = 1 - wide.fraction_within(inner) / wide.fraction_within(small.radius)
    assert (radius > inner).mean() == pytest.approx(expected, abs=0.03)
    assert expected > 0.3
    stars = inject_members(
        small, accept_all, n_artificial=1200, magnitude_edges=EDGES, model=MODEL, spatial=wide,
        rng=np.random.default_rng(4),
    )  # fmt: skip
    assert set(PROFILE_WEIGHTS) <= set(stars)
    like = stars[stars["like_cluster"]]
    assert 1 - like["in_field"].mean() == pytest.approx(expected, abs=0.1)
    assert not (like["in_cone"] & ~like["in_field"]).any()
    assert 1 - like["in_cone"].mean() == pytest.approx(expected, abs=0.1)


def test_stars_outside_the_cut_are_lost_to_the_cone(field):
    stars = field.sources.query("f_r < 45")
    assert inside_cone(stars, field).mean() > 0.98
    assert not inside_cone(stars.assign(pmra=stars["pmra"] + 10), field).any()
    assert not inside_cone(stars.assign(parallax=stars["parallax"] + 5), field).any()
    assert not inside_cone(stars.assign(dec=stars["dec"] + 9), field).any()


def test_of_artificial_stars_nobody_hears_that_their_zero_point_is_undefined(field, caplog):
    stars = field.sources[:200].copy()
    stars.loc[stars.index[0], "astrometric_params_solved"] = 3
    with warnings.catch_warnings(), caplog.at_level(logging.INFO):
        warnings.simplefilter("error")
        inside_cone(stars, field)
    assert not caplog.text


@pytest.mark.parametrize(("ra", "dec"), [(120.0, -20.0), (0.05, 5.0), (200.0, 89.0)])
def test_moved_stars_keep_their_pattern(ra, dec):
    rng = np.random.default_rng(5)
    east, north = rng.normal(0, 0.5, (2, 50))
    stars_ra, stars_dec = directions(east, north, ra, dec)
    np.testing.assert_allclose(tangent_plane(stars_ra, stars_dec, ra, dec), (east, north), atol=1e-9)
    cluster = Cluster.from_dict(toy_field(ra=ra, dec=dec).parameters.iloc[0].to_dict())
    stars = pd.DataFrame({"ra": stars_ra, "dec": stars_dec, "pmra": 1.0, "pmdec": 2.0})
    moved = move_stars(stars, cluster, Place("sky", east=0.7, north=-0.3))
    centre = directions(np.array([0.7]), np.array([-0.3]), ra, dec)
    before = angular_separation(stars_ra, stars_dec, ra, dec)
    after = angular_separation(moved["ra"], moved["dec"], centre[0][0], centre[1][0])
    np.testing.assert_allclose(after, before, atol=1e-9)
    assert (stars["ra"] == stars_ra).all()


def test_controls_lie_beside_the_cluster_and_inside_the_cone(field):
    places = control_places(field, 4, model=MODEL, rng=np.random.default_rng(6))
    free = MODEL.radius_of_fraction(0.9) + MODEL.radius_of_fraction(0.97)
    for place in places:
        offset = field.sets.cluster.dist * np.radians(np.hypot(place.east, place.north))
        assert place.kind == "sky"
        assert offset >= free - 1e-9
    assert sum(place.east for place in places) == pytest.approx(0, abs=1e-9)


def small_on_the_sky(field):
    """Only the stars within 4 pc, so that no control fits beside the cluster."""
    near = {name: getattr(field.sets, name) for name in ("members", "candidates", "non_members")}
    near = {name: table[table["f_r"] < 6].reset_index(drop=True) for name, table in near.items()}
    return replace(field, sets=replace(field.sets, **near))


def test_controls_in_proper_motion_where_the_sky_is_too_small(field):
    small = small_on_the_sky(field)
    places = control_places(small, 3, model=MODEL, rng=np.random.default_rng(7))
    assert [place.kind for place in places] == ["proper motion"] * 3
    for place in places:
        assert np.hypot(place.pmra, place.pmdec) >= small.sets.limits.pm
    controls = look_at_controls(
        small, accept_all, places, radii=np.array([1.0, 40.0]), rng=np.random.default_rng(8)
    )
    assert (controls.false_members["weight"] >= 1).all()
    np.testing.assert_array_equal(controls.seen, [[1, 0]] * 3)


def test_one_warning_where_no_control_fits(field):
    small = small_on_the_sky(field)
    small = replace(small, region=replace(small.region, pm_radius=small.sets.limits.pm))
    with pytest.warns(UserWarning, match="too small for a control cluster") as caught:
        assert control_places(small, 3, model=MODEL, rng=np.random.default_rng(9)) == []
    assert len(caught) == 1


def test_judge_meets_the_moved_cluster_and_real_stars_are_judged(field):
    """As many members train the control, and those that were found are among its candidates, unjudged."""
    met = []

    def judge(stars, sets, *, rng):
        met.append((stars, sets))
        return np.ones(len(stars))

    place = control_places(field, 1, model=MODEL, rng=np.random.default_rng(10))
    controls = look_at_controls(field, judge, place, radii=np.array([1.0]), rng=np.random.default_rng(11))
    stars, sets = met[0]
    real, likely = field.sets, field.sets.candidates["PMemb"] > 0.5
    assert len(sets.members) == len(real.members)
    assert sets.limits.pm == pytest.approx(real.limits.pm, rel=1e-6)
    gone = set(real.members["source_id"]) | set(real.candidates["source_id"][likely])
    assert not gone & set(stars["source_id"])
    assert not gone & set(controls.false_members["source_id"])
    assert (sets.candidates["source_id"].isin(gone)).sum() >= 0.8 * likely.sum()
