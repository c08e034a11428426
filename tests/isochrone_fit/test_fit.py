"""The isochrone fit on clusters made from a known isochrone: recovery, honesty of the errors, mistakes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaia_oc_amd.exceptions import ClusterError, TooFewMembersError
from gaia_oc_amd.isochrone_fit.fit import fit_isochrone
from gaia_oc_amd.isochrone_fit.model import ObservedStars, log_likelihood, predicted_stars
from gaia_oc_amd.isochrone_fit.options import IsochroneFitOptions
from gaia_oc_amd.isochrone_fit.posterior import Posterior
from gaia_oc_amd.isochrones import nearest_age, place_isochrone
from gaia_oc_amd.simulation.schematic_isochrones import schematic_isochrones
from gaia_oc_amd.simulation.stars import (
    absolute_magnitudes,
    apparent_magnitudes,
    draw_mass_ratios,
    in_order_of_mass,
    sample_masses,
)

AGE_STEP = 0.1


@pytest.fixture(scope="module")
def isochrones():
    return schematic_isochrones(np.round(np.arange(7.6, 9.35, AGE_STEP), 2))


def cluster(isochrones, *, age=8.8, a0=0.6, dist=1000.0, n=150, seed=1, binaries=0.4, faint=17.5, noise=0.0):
    """Stars of an isochrone by the initial mass function, brighter than a limit."""
    rng = np.random.default_rng(seed)
    points = in_order_of_mass(nearest_age(isochrones, age))
    mass = sample_masses(0.5, float(points["Mini"].max()), 40 * n, rng=rng)
    systems = absolute_magnitudes(points, mass, draw_mass_ratios(len(mass), binaries, rng=rng))
    magnitudes = apparent_magnitudes(systems, np.full(len(mass), dist), a0)
    magnitudes = magnitudes[magnitudes["g"] < faint].head(n)
    assert len(magnitudes) == n
    bands = magnitudes + rng.normal(0, noise, magnitudes.shape)
    return pd.DataFrame(
        {
            "phot_g_mean_mag": bands["g"],
            "bp_rp": bands["bp"] - bands["rp"],
            "g_rp": bands["g"] - bands["rp"],
            "phot_g_mean_mag_error": 0.003,
            "bp_rp_error": max(noise, 0.003),
            "g_rp_error": max(noise, 0.003),
        }
    ).reset_index(drop=True)


def fitted(members, isochrones, *, dist=1000.0, weights=None, **options):
    return fit_isochrone(
        members,
        isochrones,
        parallax=1000 / dist,
        parallax_error=0.01,
        weights=weights,
        options=IsochroneFitOptions(**{"max_a0": 1.5} | options),
        rng=np.random.default_rng(3),
    )


@pytest.fixture(scope="module")
def rich(isochrones):
    return cluster(isochrones)


@pytest.fixture(scope="module")
def rich_fit(rich, isochrones):
    return fitted(rich, isochrones)


@pytest.mark.parametrize("colour", ["bp_rp", "g_rp"])
def test_a_noise_free_cluster_is_recovered_within_the_steps_of_the_grid(rich, isochrones, colour):
    fit = fitted(rich, isochrones, colour=colour)
    assert fit.best_age == pytest.approx(8.8, abs=1e-9)
    assert fit.a0 == pytest.approx(0.6, abs=0.06)
    assert 5 * np.log10(fit.dist / 1000) == pytest.approx(0, abs=0.08)


def test_a_wrong_isochrone_is_less_likely(rich, isochrones, rich_fit):
    others = isochrones[np.abs(isochrones["logAge"] - 8.8) > 0.25]
    wrong = fitted(rich, others)
    assert wrong.log_likelihood < rich_fit.log_likelihood - 20


def test_the_order_of_the_stars_does_not_matter(rich, isochrones, rich_fit):
    order = np.random.default_rng(5).permutation(len(rich))
    weights = np.linspace(0.7, 1, len(rich))
    one = fitted(rich, isochrones, weights=weights)
    two = fitted(rich.iloc[order], isochrones, weights=weights[order])
    assert two.as_dict()["covariance"]["values"] == pytest.approx(
        np.array(one.as_dict()["covariance"]["values"])
    )
    for name in ("age", "a0", "dist", "age_lower", "age_upper", "log_likelihood"):
        assert getattr(two, name) == pytest.approx(getattr(one, name), rel=1e-9)


def test_errors_shrink_with_more_stars(rich, isochrones, rich_fit):
    few = fitted(rich.sample(20, random_state=1), isochrones, n_independent=np.inf)
    many = fitted(rich, isochrones, n_independent=np.inf)
    assert few.a0_error > 1.7 * many.a0_error
    assert few.dist_error > 1.3 * many.dist_error
    assert few.age_error >= many.age_error
    assert rich_fit.a0_error > 1.5 * many.a0_error  # models err for all stars alike


def test_outliers_do_not_move_the_fit_by_more_than_its_error(rich, isochrones, rich_fit):
    rng = np.random.default_rng(7)
    outliers = rich.sample(12, random_state=2).assign(
        bp_rp=rng.uniform(0, 2.5, 12), phot_g_mean_mag=rng.uniform(9, 17.5, 12)
    )
    fit = fitted(pd.concat([rich, outliers], ignore_index=True), isochrones)
    assert abs(fit.age - rich_fit.age) < max(rich_fit.age_error, AGE_STEP / 2)
    assert abs(fit.a0 - rich_fit.a0) < 2 * rich_fit.a0_error
    assert abs(fit.dist - rich_fit.dist) < 2 * rich_fit.dist_error


def test_stars_of_small_weight_count_little(rich, isochrones, rich_fit):
    """Twice as many stars on a redder sequence: with weight they win, without they do not."""
    right = rich.head(60)
    wrong = pd.concat([right, right]).assign(bp_rp=lambda t: t["bp_rp"] + 0.25)
    both = pd.concat([right, wrong], ignore_index=True)
    trusted = fitted(both, isochrones)
    doubted = fitted(both, isochrones, weights=np.repeat([1.0, 0.01], [60, 120]))
    assert doubted.a0 == pytest.approx(rich_fit.a0, abs=2 * rich_fit.a0_error)
    assert trusted.a0 > rich_fit.a0 + 0.3


def test_a_young_cluster_without_evolved_stars_gets_a_one_sided_age(isochrones):
    """Unevolved stars fit every young isochrone: the age is an upper limit, the extinction is not lost."""
    fit = fitted(cluster(isochrones, age=7.6, n=25, seed=4), isochrones)
    assert fit.age_limit() == "upper"
    assert fit.age_lower <= 7.75
    assert fit.age_upper - fit.age_lower > 0.25
    assert fit.a0 == pytest.approx(0.6, abs=3 * fit.a0_error)


def test_intervals_hold_the_truth_about_as_often_as_they_say(isochrones):
    """10 clusters; a fit whose errors were three times too small would hold fewer than half as many."""
    held = {"a0": 0, "dist": 0}
    near = isochrones[np.abs(isochrones["logAge"] - 8.8) < 0.35]
    for seed in range(10):
        members = cluster(isochrones, n=60, seed=seed, noise=0.02)
        fit = fitted(members, near, n_independent=np.inf, max_a0=1.2)
        held["a0"] += fit.a0_lower <= 0.6 <= fit.a0_upper
        held["dist"] += fit.dist_lower <= 1000 <= fit.dist_upper
    assert all(count >= 4 for count in held.values()), held


def test_the_same_seed_gives_the_same_fit(rich, isochrones, rich_fit):
    again = fitted(rich, isochrones)
    assert again.as_dict() == rich_fit.as_dict()
    np.testing.assert_array_equal(again.draws, rich_fit.draws)


def test_an_age_from_elsewhere_draws_the_fit_to_it_as_its_error_allows(rich, isochrones, rich_fit):
    wide = fitted(rich, isochrones, age_prior=rich_fit.age - 0.4, age_prior_error=3.0)
    narrow = fitted(rich, isochrones, age_prior=rich_fit.age - 0.4, age_prior_error=0.02)
    assert wide.age == pytest.approx(rich_fit.age, abs=0.02)
    assert narrow.age < rich_fit.age - 0.1


def test_as_dict_is_plain_and_complete(rich_fit):
    import json

    content = json.loads(json.dumps(rich_fit.as_dict()))
    assert {"age", "age_error", "a0", "a0_error", "dist", "dist_error", "n_stars", "log_likelihood"} <= set(
        content
    )
    assert content["age_lower"] <= content["age"] <= content["age_upper"]
    assert np.linalg.eigvalsh(content["covariance"]["values"]).min() > 0


def test_the_draws_follow_the_posterior(rich_fit):
    assert np.abs(rich_fit.draws[:, 1].mean() - rich_fit.a0) < 0.5 * rich_fit.a0_error + 0.02


def test_mistakes_are_one_line(rich, isochrones):
    with pytest.raises(TooFewMembersError, match="9 of 9 members .* at least 10"):
        fitted(rich.head(9), isochrones)
    with pytest.raises(TooFewMembersError, match="--n_min_stars"):
        fitted(rich.assign(bp_rp=np.nan), isochrones)
    with pytest.raises(ClusterError, match="no bp_rp"):
        fitted(rich.drop(columns="bp_rp"), isochrones)
    with pytest.raises(ClusterError, match="neither bp_rp_error nor"):
        fitted(rich.drop(columns="bp_rp_error"), isochrones)
    with pytest.raises(ClusterError, match="1 age .* --isochrone_path"):
        fitted(rich, isochrones[isochrones["logAge"] == 8.8])
    with pytest.raises(ValueError, match="weights"):
        fitted(rich, isochrones, weights=np.full(len(rich), 1.2))
    with pytest.raises(ValueError, match="weights"):
        fitted(rich, isochrones, weights=np.ones(3))
    with pytest.raises(ClusterError, match="parallax"):
        fit_isochrone(rich, isochrones, parallax=np.nan, parallax_error=0.1, rng=np.random.default_rng(1))


@pytest.mark.parametrize(
    ("name", "value"), [("outlier_fraction", 0.0), ("colour_width", 0.0), ("n_min_stars", 2), ("max_a0", 0.0)]
)
def test_options_out_of_bounds_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        IsochroneFitOptions(**{name: value})


def test_very_many_stars_are_thinned_with_a_warning(rich, isochrones):
    with pytest.warns(UserWarning, match="50 of 150 stars"):
        assert fitted(rich, isochrones, n_max_stars=50).n_stars == 50


def test_predicted_stars_lie_on_the_isochrone_and_count_like_the_mass_function(isochrones):
    predicted = predicted_stars(isochrones, 8.8, "bp_rp", metal_fraction=0.02, binary_fraction=0.0)
    colour, g = predicted.reddened(0.6)
    curve = place_isochrone(nearest_age(isochrones, 8.8), 10.0, 0.6, colour="bp_rp")
    single = predicted.weight > 0
    steps = np.linspace(0, len(curve.g) - 1, 100 * len(curve.g))
    dense = [np.interp(steps, np.arange(len(curve.g)), values) for values in (curve.colour, curve.g)]
    nearest = np.hypot(colour[single, None] - dense[0], g[single, None] - dense[1])
    assert (np.nanmin(nearest, axis=1) > 0.02).sum() <= 1  # one may stand between tip and clump
    stars = cluster(isochrones, dist=10.0, n=3000, binaries=0.0, faint=7.0)
    seen = single & (g < 7.0)
    shares = [predicted.weight[seen & (g < edge)].sum() / predicted.weight[seen].sum() for edge in (4.0, 5.5)]
    counted = [(stars["phot_g_mean_mag"] < edge).mean() for edge in (4.0, 5.5)]
    assert shares == pytest.approx(counted, abs=0.03)


def test_the_likelihood_is_that_of_the_definition(isochrones):
    """Against a plain sum over all points."""
    options = IsochroneFitOptions(reddening_width=0.2, colour="g_rp")
    predicted = predicted_stars(isochrones, 8.8, "g_rp", metal_fraction=0.02, binary_fraction=0.4)
    rng = np.random.default_rng(2)
    g = rng.uniform(12, 15, 6)
    covariance = np.tile([[4e-4, 4e-4], [4e-4, 9e-4]], (6, 1, 1))
    stars = ObservedStars(rng.uniform(0.2, 0.7, 6), g, covariance, rng.uniform(0.5, 1, 6))
    moduli = np.array([9.8, 10.0, 10.2])
    result = log_likelihood(stars, predicted, 0.8, moduli, options)
    colour, points = predicted.reddened(0.8)
    towards = np.array([0.83, 0.20]) * 0.2 * 0.8
    total = covariance[0] + np.diag([0.05**2, 0.03**2]) + np.outer(towards, towards)
    inverse, root = np.linalg.inv(total), np.sqrt(np.linalg.det(total))
    for modulus, value in zip(moduli, result, strict=True):
        cumulative = np.interp(
            g.max() - modulus, np.sort(points), np.cumsum(predicted.weight[np.argsort(points)])
        )
        expected = 0.0
        for star in range(6):
            offset = np.stack([g[star] - points - modulus, stars.colour[star] - colour])
            square = np.einsum("in,ij,jn->n", offset, inverse, offset)
            density = (predicted.weight * np.exp(-square / 2)).sum() / (2 * np.pi * root) / cumulative
            member = stars.weight[star] * 0.9
            expected += np.log(member * density + (1 - member) * stars.outlier_density())
        assert value == pytest.approx(expected, rel=1e-3)


@given(st.floats(-3, 3), st.floats(0.2, 2))
@settings(max_examples=20, deadline=None)
def test_quantiles_of_a_normal_posterior(centre, width):
    axis = np.linspace(centre - 6 * width, centre + 6 * width, 61)
    log = -0.5 * ((axis - centre) / width) ** 2
    grid = np.broadcast_to(log, (3, 4, 61))
    posterior = Posterior(np.arange(3.0), np.arange(4.0), axis, grid, grid)
    expected = centre + width * np.array([-0.9945, 0, 0.9945])
    assert posterior.quantiles(2, (0.16, 0.5, 0.84)) == pytest.approx(expected, abs=0.03 * width)
