"""Core and halo: profiles that agree with themselves, numbers with their errors, and their file."""

from dataclasses import replace

import numpy as np
import pytest
from core_and_halo import OUTER, cone
from scipy.integrate import quad

from gaia_oc_amd.spatial import (
    SpatialModel,
    ambiguity,
    log_odds_at,
    members_with_error,
    number_interval,
    posterior,
    read_spatial,
    save_spatial,
    summarise,
)
from gaia_oc_amd.spatial_fit import fit_spatial_model


@pytest.mark.parametrize(("halo_logit", "slope"), [(-40.0, 4), (40.0, 6)])
def test_each_part_has_half_of_its_stars_within_its_scale_and_its_slope(halo_logit, slope):
    model = SpatialModel(np.array([0.0, halo_logit, 0.4, 1.6, 0, 0, 0]))
    scale = model.scales[int(halo_logit > 0)]
    assert model.fraction_within(scale) == pytest.approx(0.5)
    far = np.array([[1e4 * scale, 0, 18], [1e5 * scale, 0, 18]])
    assert np.diff(model.log_odds(far))[0] == pytest.approx(-slope * np.log(10), rel=1e-6)


def test_density_of_the_odds_adds_up_to_the_fraction_within():
    model = SpatialModel(np.array([1.5, -0.5, 0.4, 1.6, 0, 0, 0]))

    def ring(radius):
        density = np.exp(model.log_odds(np.array([[radius, 0.0, 18.0]]))[0] - 1.5)
        return 2 * np.pi * radius * density

    for radius in (1.0, 5.0, 20.0):
        assert quad(ring, 0, radius)[0] == pytest.approx(model.fraction_within(radius), rel=1e-6)
    half = model.core_radius
    ratio = np.diff(model.log_odds(np.array([[0.0, 0, 18], [half, 0, 18]])))[0]
    assert ratio == pytest.approx(-np.log(2), rel=1e-6)


@pytest.mark.parametrize("ellipticity", [0.0, 0.4])
def test_derivatives_are_those_of_the_density(ellipticity):
    rng = np.random.default_rng(2)
    places = np.column_stack([rng.normal(0, 6, (300, 2)), rng.uniform(12, 20.5, 300)])
    parameters, gradient = np.array([2.0, -1.5, 0.4, 1.6, ellipticity, -ellipticity / 2, 0.05]), [0.01, -0.02]
    _, slopes = log_odds_at(parameters, places, gradient)
    for number, way in enumerate(1e-5 * np.eye(7)):
        after, before = (log_odds_at(parameters + sign * way, places, gradient)[0] for sign in (1, -1))
        np.testing.assert_allclose(slopes[number], (after - before) / 2e-5, atol=1e-8)


def test_density_falls_whatever_the_parameters():
    rng = np.random.default_rng(3)
    radius = np.linspace(0, 60, 200)
    places = np.column_stack([radius, 0 * radius, 0 * radius + 18])
    for _ in range(20):
        model = SpatialModel(rng.normal([0, -1, 0.5, 1.5, 0, 0, 0], [3, 2, 1, 0.5, 0.3, 0.3, 0.1]))
        assert (np.diff(model.log_odds(places)) < 0).all()
        assert 0 < model.core_radius < model.radius_of_fraction(0.5) < model.radius_of_fraction(0.9)


def test_drawn_radii_follow_the_profile():
    model = SpatialModel(np.array([0.0, -1.0, 0.4, 1.6, 0, 0, 0]))
    radii = model.draw_radii(20_000, outer=30.0, rng=np.random.default_rng(2))
    for fraction in (0.2, 0.5, 0.9):
        assert np.quantile(radii, fraction) == pytest.approx(
            model.radius_of_fraction(fraction, 30.0), rel=0.05
        )


def test_files_keep_it_and_damaged_ones_are_refused(tmp_path):
    ratios, places, _ = cone(n_field=3000)
    model = fit_spatial_model(ratios, places, size=2.0)
    summary = summarise(model, (400.0, 20.0), outer=OUTER, rng=np.random.default_rng(0))
    assert read_spatial(tmp_path) is None
    save_spatial(tmp_path, model, summary)
    kept, results = read_spatial(tmp_path)
    assert results == summary
    np.testing.assert_array_equal(kept.covariance, model.covariance)
    before = {name: value for name, value in model.as_dict().items() if name != "look_alikes"}
    assert SpatialModel.from_dict(before).look_alikes == 0
    for wrong in (-0.1, [0.0, 1.0], None):
        save_spatial(tmp_path, replace(model, look_alikes=wrong), summary)
        with pytest.raises(ValueError, match="evaluate the cluster again"):
            read_spatial(tmp_path)
    (tmp_path / "spatial.json").write_text('{"results": {}}')
    with pytest.raises(ValueError, match="evaluate the cluster again"):
        read_spatial(tmp_path)


def test_look_alikes_bound_the_ratio():
    ratios = np.array([-np.inf, -3.0, 0.0, 3.0, 40.0, np.inf, np.nan])
    plain = SpatialModel(np.zeros(7))
    np.testing.assert_array_equal(plain.ratios(ratios), ratios)
    found = replace(plain, look_alikes=0.2).ratios(ratios)
    np.testing.assert_allclose(np.exp(found[1:4]), np.exp(ratios[1:4]) / (1 + 0.2 * np.exp(ratios[1:4])))
    np.testing.assert_allclose(found[4:6], np.log(5.0))
    assert found[0] < -30
    assert np.isnan(found[6])


def test_errors_of_the_ratio_count_where_members_are_in_doubt():
    sure, open_ = np.array([0.0, 1.0, 1.0]), np.array([0.5, 0.5, 0.5])
    assert ambiguity(sure) == 0
    assert ambiguity(open_) == pytest.approx(1.0)
    ratios, places, _ = cone(contrast=3.0)
    model = fit_spatial_model(ratios, places, size=2.0)
    number, error = members_with_error(model, ratios, places)
    wider = members_with_error(model, ratios, places, scatter=0.4)[1]
    doubt = ambiguity(posterior(ratios, model.log_odds(places)))
    assert wider**2 - error**2 == pytest.approx((0.4 * doubt * number) ** 2, rel=1e-6)


def test_interval_of_the_number_is_even_in_its_logarithm_and_positive():
    low, high = number_interval(100.0, 50.0)
    assert low * high == pytest.approx(100.0**2)
    assert 0 < low < 100 < high
    assert number_interval(0.0, 1.0) == (0.0, 0.0)


def test_the_interval_of_next_to_no_members_stays_a_number():
    assert number_interval(4.0, 10.0)[1] == pytest.approx(4 * np.exp(2.5))
    for number in (1e-9, 1e-5, 1e-3):
        low, high = number_interval(number, 0.5)
        assert 0 < low < number < high < 100
