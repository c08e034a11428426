"""The fit of core and halo: what is planted is found, with errors that hold; nothing gives nothing."""

import numpy as np
import pytest
from core_and_halo import OUTER, cone, deep

from gaia_oc_amd.spatial import members_with_error, posterior, summarise
from gaia_oc_amd.spatial_fit import _PRIOR_SCALE, field_gradient, fit_spatial_model


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


@pytest.mark.parametrize("n_members", [0, 5, 400])
@pytest.mark.parametrize("calibrated", [False, True])
def test_nothing_is_known_worse_than_by_the_prior(n_members, calibrated):
    ratios, places, _ = cone(n_members, 0, 4000, contrast=3.0)
    model = fit_spatial_model(ratios, deep(places), size=1.5, calibrated=calibrated)
    values, vectors = np.linalg.eigh(model.covariance / np.outer(_PRIOR_SCALE, _PRIOR_SCALE))
    assert (values > 0).all(), vectors
    assert values.max() <= 1 + 1e-6
    summary = summarise(model, (1.0, 1.0), outer=OUTER, rng=np.random.default_rng(0))
    assert summary.core_radius_error < 0.5 * summary.core_radius
    assert summary.half_number_radius_error < summary.half_number_radius
    assert summary.halo_share_error < 0.5


def field_of_look_alikes(share=0.2, n_field=8000):
    """Ratios and places of a field without a cluster, of which a share measures as members would."""
    ratios, places, _ = cone(0, 0, n_field, contrast=3.0)
    alike = np.random.default_rng(3).uniform(size=len(ratios)) < share
    return ratios + np.where(alike, 9.0, 0.0), deep(places), alike


@pytest.mark.parametrize("size", [3.0, 25.0])
def test_field_stars_that_look_like_members_make_no_cluster(size):
    ratios, places, alike = field_of_look_alikes()
    model = fit_spatial_model(ratios, places, size=size, calibrated=True)
    number, error = members_with_error(model, model.ratios(ratios), places)
    assert alike.sum() > 1500
    assert number < 30
    assert number < 3 * error
    assert model.look_alikes == pytest.approx(0.25, rel=0.2)


def test_members_that_fill_a_frame_are_no_look_alikes():
    ratios, places, is_member = cone(3000, 0, 6000, contrast=4.0)
    frame = np.abs(places[:, :2]).max(axis=1) < 1.0
    known = np.where(is_member, np.inf, ratios)[frame]
    model = fit_spatial_model(known, places[frame], size=4.0, calibrated=True, field_is_seen=False)
    assert model.look_alikes == 0
    number, _ = members_with_error(model, ratios[frame], places[frame])
    assert number == pytest.approx(is_member[frame].sum(), rel=0.1)


def test_a_cluster_among_look_alikes_is_found():
    ratios, places, _ = field_of_look_alikes(0.05)
    own_ratios, own_places, is_member = cone(150, 0, 1, contrast=3.0, seed=4)
    ratios, places = np.append(ratios, own_ratios), np.vstack([places, deep(own_places)])
    model = fit_spatial_model(ratios, places, size=1.5, calibrated=True)
    number, _ = members_with_error(model, model.ratios(ratios), places)
    assert number == pytest.approx(is_member.sum(), rel=0.35)


@pytest.mark.parametrize("n_members", [30, 400])
def test_a_cluster_has_no_look_alikes_in_its_field(n_members):
    ratios, places, is_member = cone(n_members, 0, 8000, contrast=4.0)
    model = fit_spatial_model(ratios, deep(places), size=1.5, calibrated=True)
    assert model.look_alikes == 0
    number, error = members_with_error(model, ratios, places)
    assert abs(number - is_member.sum()) < 3 * error


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
