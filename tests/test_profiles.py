"""Radial profiles against sampled King clusters and fields."""

import numpy as np
import pytest
from scipy.integrate import quad

from gaia_oc_amd.profiles import (
    UnconstrainedProfileError,
    density_profile,
    field_radius,
    fit_king_profile,
    king_counts,
    king_density,
    king_profile,
)

TRUTH = {"amplitude": 30.0, "core_radius": 1.5, "tidal_radius": 15.0}


BACKGROUND = 0.05


OUTER_RADIUS = 50.0


def sample_cluster(rng, amplitude, core_radius, tidal_radius):
    grid = np.linspace(0, tidal_radius, 20_001)
    within = king_counts(grid, amplitude, core_radius, tidal_radius)
    return np.interp(rng.uniform(size=rng.poisson(within[-1])), within / within[-1], grid)


def sample_field(rng, density, outer_radius):
    return outer_radius * np.sqrt(rng.uniform(size=rng.poisson(density * np.pi * outer_radius**2)))


def sample_profile(seed, *, outer_radius=OUTER_RADIUS, background=BACKGROUND):
    rng = np.random.default_rng(seed)
    radius = np.concatenate([sample_cluster(rng, **TRUTH), sample_field(rng, background, outer_radius)])
    return density_profile(radius, outer_radius=outer_radius)


class TestFieldRadius:
    @pytest.fixture
    def box(self):
        return np.random.default_rng(0).uniform(-2, 2, (2, 20_000))

    def test_box_gives_half_width(self, box):
        assert field_radius(*box) == pytest.approx(2.0, rel=0.005)
        assert field_radius(*box) <= 2.0

    def test_offset_centre_gives_distance_to_nearest_side(self, box):
        assert field_radius(box[0] - 1.5, box[1]) == pytest.approx(0.5, abs=0.01)

    def test_follows_the_unit(self, box):
        assert field_radius(*(60 * box)) == pytest.approx(60 * field_radius(*box))

    def test_centre_outside_gives_zero(self, box):
        assert field_radius(box[0] + 3, box[1]) == 0

    @pytest.mark.parametrize(
        "points", [np.zeros((2, 0)), np.ones((2, 2)), [np.arange(9.0)] * 2, np.zeros((2, 9))]
    )
    def test_no_area_gives_zero(self, points):
        assert field_radius(*points) == 0

    def test_positions_that_are_not_finite_do_not_count(self, box):
        with_gaps = np.concatenate([box, [[np.nan, np.inf], [0, 0]]], axis=1)
        assert field_radius(*with_gaps) == field_radius(*box)


class TestDensityProfile:
    def test_counts_hold_every_source_in_the_field(self):
        radius = np.array([*np.linspace(0.01, 40, 500), np.nan, 60.0])
        profile = density_profile(radius, outer_radius=OUTER_RADIUS)
        assert profile.counts.sum() == 500
        assert profile.edges[0] == 0
        assert profile.edges[-1] == OUTER_RADIUS
        assert profile.area.sum() == pytest.approx(np.pi * OUTER_RADIUS**2)

    def test_uniform_density_is_found_with_poisson_errors(self):
        radius = sample_field(np.random.default_rng(1), 3.0, 20.0)
        profile = density_profile(radius, outer_radius=20.0)
        deviation = (profile.density - 3.0) / profile.density_error
        assert np.sqrt(np.mean(deviation**2)) == pytest.approx(1.0, abs=0.3)
        assert profile.density_error == pytest.approx(profile.density / np.sqrt(profile.counts))

    def test_counts_are_about_equal_where_annuli_are_not_divided(self):
        profile = density_profile(sample_field(np.random.default_rng(2), 3.0, 20.0), n_per_annulus=100)
        inner = profile.counts[profile.radius > 5]
        assert inner.min() > 50
        assert inner.max() < 150

    def test_empty_outskirts_show(self):
        profile = density_profile(np.linspace(0.1, 2, 100), outer_radius=OUTER_RADIUS)
        assert (profile.counts == 0).sum() >= 3

    def test_default_field_ends_at_the_last_source(self):
        assert density_profile(np.arange(1.0, 30)).counts.sum() == 29

    @pytest.mark.parametrize(("radius", "counts"), [([], []), ([1.0], [1]), ([0.0], []), ([2.0] * 30, [30])])
    def test_few_sources(self, radius, counts):
        assert density_profile(np.array(radius)).counts.sum() == sum(counts)


class TestKingProfile:
    def test_counts_are_the_integral_of_the_density(self):
        numerical, _ = quad(lambda r: 2 * np.pi * r * king_density(np.array(r), **TRUTH), 0, 7.0)
        assert king_counts(np.array(7.0), **TRUTH) == pytest.approx(numerical, rel=1e-9)

    def test_density_vanishes_outside_the_tidal_radius(self):
        assert king_density(np.array([15.0, 40.0]), **TRUTH) == pytest.approx([0, 0], abs=1e-12)

    def test_parameters_are_recovered_within_their_errors(self):
        truth = np.array([*TRUTH.values(), BACKGROUND])
        pulls = []
        for seed in range(20):
            king = king_profile(sample_profile(seed))
            found = np.array([king.amplitude, king.core_radius, king.tidal_radius, king.background])
            pulls.append((found - truth) / king.errors)
        assert np.abs(pulls).max() < 4
        assert np.abs(np.mean(pulls, axis=0)).max() < 0.8  # 20 draws: 3.6 standard errors of the mean
        assert np.std(pulls, axis=0) == pytest.approx(np.ones(4), abs=0.5)

    def test_density_includes_the_background(self):
        king = king_profile(sample_profile(3))
        assert king.density(np.array([49.0])) == pytest.approx([king.background])
        assert king.tidal_radius_error == king.errors[2] > 0

    def test_list_without_background(self):
        king = king_profile(sample_profile(4, background=0.0))
        assert king.background == 0
        assert king.tidal_radius == pytest.approx(15, abs=4 * king.tidal_radius_error)

    def test_uniform_field_is_no_cluster(self):
        for seed in range(30):
            radius = sample_field(np.random.default_rng(seed), 1.0, 10.0)
            with pytest.raises(UnconstrainedProfileError, match="uniform"):
                king_profile(density_profile(radius, outer_radius=10.0))

    @pytest.mark.parametrize("outer_radius", [4.0, 8.0, 12.0])
    def test_field_that_ends_inside_the_cluster_gives_no_tidal_radius(self, outer_radius):
        for seed in range(5):
            radius = sample_cluster(np.random.default_rng(seed), **TRUTH)
            with pytest.raises(UnconstrainedProfileError, match="tidal radius may lie outside"):
                king_profile(density_profile(radius, outer_radius=outer_radius))

    @pytest.mark.parametrize(
        ("profile", "reason"),
        [
            (density_profile(np.array([])), "0 members"),
            (density_profile(np.arange(1.0, 12)), "at least 20"),
            (density_profile(np.linspace(0.1, 1, 50), n_per_annulus=25), "annuli"),
            (density_profile(np.ones(50)), "annuli"),
        ],
    )
    def test_too_few_data_give_none_and_the_reason(self, profile, reason):
        with pytest.warns(UserWarning, match=reason):
            assert fit_king_profile(profile) is None

    def test_fit_gives_the_same_profile_without_warning(self):
        assert (
            fit_king_profile(sample_profile(6)).tidal_radius == king_profile(sample_profile(6)).tidal_radius
        )
