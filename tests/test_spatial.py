"""Core and halo: what is planted is found, with errors that hold; nothing gives nothing."""

import numpy as np
import pytest

from gaia_oc_amd.spatial import (
    SpatialModel,
    ambiguity,
    field_gradient,
    fit_spatial_model,
    members_with_error,
    number_interval,
    posterior,
    read_spatial,
    save_spatial,
    summarise,
)

OUTER = 40.0


def plummer_places(scale, size, rng, stretch=1.0):
    """Places of a Plummer profile, stretched to the east at equal area."""
    share = rng.uniform(size=size)
    radius, angle = scale * np.sqrt(share / (1 - share)), rng.uniform(0, 2 * np.pi, size)
    return np.column_stack([stretch * radius * np.cos(angle), radius * np.sin(angle) / stretch])


def cone(n_core=300, n_halo=100, n_field=20_000, *, seed=1, stretch=1.0, gradient=0.0, contrast=4.0):
    """Log ratios, places and truth of members over a field."""
    rng = np.random.default_rng(seed)
    members = np.vstack(
        [plummer_places(1.5, n_core, rng, stretch), plummer_places(9.0, n_halo, rng, stretch)]
    )
    disc = OUTER * np.sqrt(rng.uniform(size=2 * n_field))[:, None]
    angle = rng.uniform(0, 2 * np.pi, 2 * n_field)
    field = disc * np.column_stack([np.cos(angle), np.sin(angle)])
    kept = rng.uniform(size=len(field)) < (1 + gradient * field[:, 0]) / 2
    members = members[np.hypot(*members.T) < OUTER]
    offsets = np.vstack([members, field[kept]])
    is_member = np.arange(len(offsets)) < len(members)
    measured = rng.normal(np.where(is_member, contrast, 0.0))
    places = np.column_stack([offsets, rng.uniform(12, 20, len(offsets))])
    return contrast * measured - contrast**2 / 2, places, is_member


@pytest.mark.parametrize("contrast", [3.0, 5.0])
def test_planted_core_and_halo_are_found(contrast):
    ratios, places, is_member = cone(contrast=contrast)
    model = fit_spatial_model(ratios, places, size=2.0)
    number, error = members_with_error(model, ratios, places)
    assert abs(number - is_member.sum()) < 3 * error
    assert model.scales[0] == pytest.approx(1.5, rel=0.4)
    assert model.halo_share == pytest.approx(0.25, abs=0.15)
    chance = posterior(ratios, model.log_odds(places))
    halo = np.hypot(*places[:, :2].T) > 10
    assert chance[halo].sum() == pytest.approx(is_member[halo].sum(), rel=0.5)


def test_errors_of_the_number_hold():
    pulls = []
    for seed in range(12):
        ratios, places, is_member = cone(150, 50, 4000, seed=seed, contrast=3.0)
        model = fit_spatial_model(ratios, places, size=2.0)
        number, error = members_with_error(model, ratios, places)
        pulls.append((number - is_member.sum()) / error)
    assert np.abs(np.mean(pulls)) < 1.0
    assert 0.4 < np.std(pulls) < 1.9


def test_cone_without_members_has_none():
    ratios, places, _ = cone(0, 0, 20_000, contrast=4.0)
    model = fit_spatial_model(ratios, places, size=2.0)
    assert members_with_error(model, ratios, places)[0] < 15


def test_order_of_the_stars_does_not_matter():
    ratios, places, _ = cone()
    shuffled = np.random.default_rng(1).permutation(len(ratios))
    one = fit_spatial_model(ratios, places, size=2.0)
    other = fit_spatial_model(ratios[shuffled], places[shuffled], size=2.0)
    np.testing.assert_allclose(one.log_odds(places), other.log_odds(places), atol=0.02)


def test_stars_without_a_ratio_change_nothing():
    ratios, places, _ = cone()
    more = np.append(ratios, np.full(50, np.nan)), np.vstack([places, places[:50]])
    one, other = fit_spatial_model(ratios, places, size=2.0), fit_spatial_model(*more, size=2.0)
    np.testing.assert_allclose(one.parameters, other.parameters)


def test_density_falls_whatever_the_parameters():
    rng = np.random.default_rng(3)
    radius = np.linspace(0, 60, 200)
    places = np.column_stack([radius, 0 * radius, 0 * radius + 18])
    for _ in range(20):
        model = SpatialModel(rng.normal([0, -1, 0.5, 1.5, 0, 0, 0], [3, 2, 1, 0.5, 0.3, 0.3, 0.1]))
        assert (np.diff(model.log_odds(places)) < 0).all()
        assert 0 < model.core_radius < model.radius_of_fraction(0.5) < model.radius_of_fraction(0.9)


def test_ellipse_is_found_and_a_round_cluster_is_round():
    for stretch, bounds in ((1.25, (0.2, 0.5)), (1.0, (0.0, 0.15))):
        ratios, places, _ = cone(600, 100, 10_000, stretch=stretch, contrast=5.0)
        model = fit_spatial_model(ratios, places, size=2.0)
        summary = summarise(model, (1.0, 1.0), outer=OUTER, rng=np.random.default_rng(0))
        assert bounds[0] <= summary.ellipticity <= bounds[1]


def test_gradient_of_the_field_is_found():
    _, places, is_member = cone(0, 0, 40_000, gradient=0.015)
    found = field_gradient(places, (~is_member).astype(float))
    np.testing.assert_allclose(found, [0.015, 0], atol=0.0015)


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
    (tmp_path / "spatial.json").write_text('{"results": {}}')
    with pytest.raises(ValueError, match="evaluate the cluster again"):
        read_spatial(tmp_path)


def deep(places, *, seed=5):
    """Places with magnitudes to G = 20 of which the usual share is fainter than 18."""
    rng = np.random.default_rng(seed)
    faint = rng.uniform(size=len(places)) < 0.51
    return np.column_stack(
        [places[:, :2], np.where(faint, *rng.uniform([[18], [12]], [[20], [18]], (2, len(places))))]
    )


def number_over_truth(ratios, places, is_member, **options):
    """Number of members of a fit over the true one."""
    model = fit_spatial_model(ratios, places, size=1.5, **options)
    return members_with_error(model, ratios, places)[0] / is_member.sum()


def test_a_ratio_that_is_too_high_for_faint_stars_makes_no_members_of_them():
    ratios, places, is_member = cone(200, 0, 20_000, contrast=2.0)
    shallow = np.column_stack([places[:, :2], 12 + 0.7 * (places[:, 2] - 12)])  # no star is faint
    for stars, limit, faint_error, bright_error in ((deep(places), 18, 0.7, 0.0), (shallow, 16, 1.0, -2.0)):
        wrong = ratios + np.where(stars[:, 2] > limit, faint_error, bright_error)
        plain, mended = (
            number_over_truth(wrong, stars, is_member, calibrated=calibrated) for calibrated in (False, True)
        )
        assert abs(np.log(mended)) < 0.6 * abs(np.log(plain)), (plain, mended)


def test_a_right_ratio_is_left_alone():
    ratios, places, is_member = cone(contrast=4.0)
    numbers = [number_over_truth(ratios, deep(places), is_member, calibrated=c) for c in (False, True)]
    assert numbers == pytest.approx([1.0, 1.0], rel=0.12)


def test_wide_halos_are_expected_of_calibrated_ratios():
    """Where few stars show it, the halo of the first reading vanishes and that of the final fit does not."""
    shares = []
    for calibrated in (False, True):
        found = []
        for seed in range(6):
            ratios, places, is_member = cone(100, 50, 20_000, seed=seed, contrast=3.5)
            model = fit_spatial_model(ratios, deep(places), size=1.7, calibrated=calibrated)
            far = np.hypot(*places[:, :2].T) > 8
            found.append(posterior(ratios, model.log_odds(deep(places)))[far].sum() / is_member[far].sum())
        shares.append(np.mean(found))
    assert abs(np.log(shares[1])) < abs(np.log(shares[0])), shares


def test_no_stars_give_the_prior():
    model = fit_spatial_model(np.empty(0), np.empty((0, 3)), size=2.0)
    assert np.isfinite(model.parameters).all()


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
