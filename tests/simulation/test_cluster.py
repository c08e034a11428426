"""The stars of a simulated cluster: profile, motion, binaries, halo."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_simulations import SMALL

from gaia_oc_amd.astrometry import angular_separation
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.simulation.cluster import HALO_EXTENT, cluster_stars, king_fraction, sample_king_radii
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.simulate import simulate_cluster
from gaia_oc_amd.simulation.stars import absolute_magnitudes, draw_mass_ratios, in_order_of_mass


def test_king_fraction_is_the_integral_of_the_profile():
    radii = np.linspace(0, 12, 20_001)
    profile = np.square(1 / np.sqrt(1 + (radii / 1.5) ** 2) - 1 / np.sqrt(1 + (12 / 1.5) ** 2))
    steps = (profile * radii)[1:] + (profile * radii)[:-1]
    cumulative = np.concatenate([[0], np.cumsum(steps)]) / steps.sum()
    assert king_fraction(radii, 1.5, 12) == pytest.approx(cumulative, abs=1e-6)


def test_members_follow_the_king_profile(isochrones):
    options = replace(SMALL, n_members=1500, halo_fraction=0.0)
    stars_ = cluster_stars(options, nearest_age(isochrones, 8.5), rng=np.random.default_rng(3))
    separation = angular_separation(
        stars_["ra"].to_numpy(), stars_["dec"].to_numpy(), options.ra, options.dec
    )
    radii = np.radians(separation) * options.dist
    assert stats.kstest(radii, lambda r: king_fraction(r, 1.5, 12)).pvalue > 1e-3
    assert stats.kstest(radii, lambda r: king_fraction(r, 2.5, 12)).pvalue < 1e-3


def test_king_radii_end_at_the_tidal_radius():
    radii = sample_king_radii(1.0, 5.0, 10_000, rng=np.random.default_rng(0))
    assert radii.max() <= 5.0


def test_members_move_with_the_cluster(isochrones):
    options = replace(SMALL, n_members=1500, velocity_dispersion=0.8, halo_fraction=0.0)
    members = cluster_stars(options, nearest_age(isochrones, 8.5), rng=np.random.default_rng(4))
    dispersion = 0.8 / 4.74047
    for name, mean in (("pmra", options.pmra), ("pmdec", options.pmdec)):
        assert members[name].mean() == pytest.approx(mean, abs=4 * dispersion / np.sqrt(1500))
        assert members[name].std() == pytest.approx(dispersion, rel=0.08)
    assert members["distance"].mean() == pytest.approx(1000, abs=0.5)


def test_binaries_are_brighter_than_their_primaries(isochrones):
    points = in_order_of_mass(nearest_age(isochrones, 8.5))
    mass = np.geomspace(0.5, 3, 100)
    single = absolute_magnitudes(points, mass, np.zeros(100))
    twins = absolute_magnitudes(points, mass, np.ones(100))
    for band in ("g", "bp", "rp"):
        assert (single[band] - twins[band]).to_numpy() == pytest.approx(2.5 * np.log10(2))
    ratio = draw_mass_ratios(10_000, 0.3, rng=np.random.default_rng(0))
    assert np.mean(ratio > 0) == pytest.approx(0.3, abs=0.02)
    assert ratio[ratio > 0].mean() == pytest.approx(0.5, abs=0.02)


def test_clusters_too_faint_to_see_are_refused(isochrones):
    faint = replace(SMALL, dist=20000, a0=10, g_max=8, list_g_max=8, n_members=2000)
    with pytest.raises(ValueError, match="no star"):
        cluster_stars(faint, nearest_age(isochrones, 8.5), rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="list_g_max"):
        simulate_cluster(replace(SMALL, list_g_max=5.0), isochrones, rng=np.random.default_rng(0))


def test_members_lie_on_the_nearest_metallicity(isochrones):
    poor = isochrones.assign(Zini=0.005, G_RPmag=isochrones["G_RPmag"] + 0.3)
    grid = pd.concat([isochrones, poor], ignore_index=True)
    options = replace(SMALL, cone_radius=13, field_density=200, n_members=100)
    colours = [
        simulate_cluster(replace(options, metal_fraction=z), grid, rng=np.random.default_rng(1))
        for z in (0.02, 0.006)
    ]
    rich, poor = (c.cone.loc[c.truth["is_member"], "g_rp"].median() for c in colours)
    assert poor < rich - 0.2


def test_halo_tails_and_segregation(isochrones):
    points = nearest_age(isochrones, 8.5)
    options = replace(
        SMALL, cone_radius=60, n_members=3000, halo_fraction=0.3, tail_fraction=0.2, mass_segregation=0.8
    )
    members = cluster_stars(options, points, rng=np.random.default_rng(5))
    share = members["population"].value_counts(normalize=True)
    assert share["cluster halo"] == pytest.approx(0.3, abs=0.04)
    assert share["tidal tail"] == pytest.approx(0.2, abs=0.04)
    radius = (
        np.radians(
            angular_separation(members["ra"].to_numpy(), members["dec"].to_numpy(), SMALL.ra, SMALL.dec)
        )
        * options.dist
    )
    assert radius[members["population"] == "cluster halo"].max() < 2.6 * options.tidal_radius
    massive = members["mass"] > members["mass"].median()
    assert np.median(radius[massive]) < 0.8 * np.median(radius[~massive])
    mixed = cluster_stars(replace(options, mass_segregation=0.0), points, rng=np.random.default_rng(5))
    radius = angular_separation(mixed["ra"].to_numpy(), mixed["dec"].to_numpy(), SMALL.ra, SMALL.dec)
    massive = mixed["mass"] > mixed["mass"].median()
    assert stats.ks_2samp(radius[massive], radius[~massive]).pvalue > 1e-3


@pytest.mark.parametrize("profile", ["king", "plummer", "exponential"])
def test_bodies_end_at_the_tidal_radius(isochrones, profile):
    options = SimulationOptions(halo_fraction=0, n_members=3000, mass_segregation=0, profile=profile)
    stars = cluster_stars(options, nearest_age(isochrones, 8.5), rng=np.random.default_rng(1))
    radius = members_radius(stars, options)
    assert radius.max() < 1.01 * options.tidal_radius
    assert 0.5 * options.core_radius < np.median(radius) < 3 * options.core_radius


@pytest.mark.parametrize("halo_profile", ["inverse_square", "plummer", "flat", "exponential"])
def test_halos_reach_beyond_the_tidal_radius(isochrones, halo_profile):
    options = SimulationOptions(
        halo_fraction=1.0, n_members=2000, mass_segregation=0, halo_profile=halo_profile
    )
    stars = cluster_stars(options, nearest_age(isochrones, 8.5), rng=np.random.default_rng(1))
    radius = members_radius(stars, options)
    assert radius.max() < 1.01 * HALO_EXTENT * options.tidal_radius
    assert (radius > options.tidal_radius).mean() > 0.1


def test_elliptical_clusters_are_elliptical_at_equal_area(isochrones):
    for ellipticity in (0.0, 0.5):
        options = SimulationOptions(
            halo_fraction=0, n_members=4000, mass_segregation=0, ellipticity=ellipticity
        )
        stars = cluster_stars(options, nearest_age(isochrones, 8.5), rng=np.random.default_rng(1))
        east = (stars["ra"] - options.ra) * np.cos(np.radians(options.dec))
        axes = np.sqrt(np.linalg.eigvalsh(np.cov(np.vstack([east, stars["dec"] - options.dec]))))
        assert axes[0] / axes[1] == pytest.approx(1 - ellipticity, abs=0.08)


def members_radius(stars, options):
    """Projected radii [pc]."""
    separation = angular_separation(stars["ra"].to_numpy(), stars["dec"].to_numpy(), options.ra, options.dec)
    return options.dist * np.radians(separation)
