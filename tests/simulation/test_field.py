"""The field around a simulated cluster: counts, motions, dust."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_simulations import SMALL, cone_area, cone_radius_of

from gaia_oc_amd.astrometry import angular_separation
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.simulation.cluster import cluster_stars
from gaia_oc_amd.simulation.errors import ScanningLaw
from gaia_oc_amd.simulation.field import ConeCut, field_stars
from gaia_oc_amd.simulation.galaxy import Dust
from gaia_oc_amd.simulation.measurement import measure
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.schematic_isochrones import schematic_isochrones
from gaia_oc_amd.simulation.space import Patches


def central_excess(separation, radius, cone_radius):
    """Probability of so many sources within a radius, or more, if they are uniform over the cone."""
    fraction = (1 - np.cos(np.radians(radius))) / (1 - np.cos(np.radians(cone_radius)))
    return stats.binomtest(
        int(np.sum(separation < radius)), len(separation), fraction, alternative="greater"
    ).pvalue


def test_only_members_make_an_overdensity(simulated):
    cone, is_member = simulated.cone, simulated.truth["is_member"].to_numpy()
    separation = angular_separation(cone["ra"].to_numpy(), cone["dec"].to_numpy(), SMALL.ra, SMALL.dec)
    assert central_excess(separation[~is_member], 0.15, cone_radius_of(SMALL)) > 1e-3
    assert central_excess(separation, 0.15, cone_radius_of(SMALL)) < 1e-6


def test_field_fills_the_cone_to_its_density(whole_cone):
    field = whole_cone.cone[~whole_cone.truth["is_member"].to_numpy()]
    expected = SMALL.field_density * cone_area(SMALL)
    assert len(field) == pytest.approx(expected, abs=5 * np.sqrt(expected))
    separation = angular_separation(field["ra"].to_numpy(), field["dec"].to_numpy(), SMALL.ra, SMALL.dec)
    assert separation.max() < cone_radius_of(SMALL) * (1 + 1e-6)
    enclosed = (1 - np.cos(np.radians(separation))) / (1 - np.cos(np.radians(cone_radius_of(SMALL))))
    assert stats.kstest(enclosed, "uniform").pvalue > 1e-3


def test_field_counts_rise_and_its_motions_narrow_with_distance(whole_cone):
    field = whole_cone.truth[~whole_cone.truth["is_member"]]
    counts = np.histogram(field["g_true"], [14, 16, 18, 20])[0]
    assert np.all(np.diff(counts) > 0)
    sources = whole_cone.cone[~whole_cone.truth["is_member"].to_numpy()]
    far = field["distance"].to_numpy() > 3000
    assert sources["pmra"][far].std() < sources["pmra"][~far].std()


def test_near_cones_are_capped_and_come_in_chunks():
    near = replace(SMALL, dist=22.0, cone_radius=50.0, field_density=3.0, a0=0.0)
    assert cone_radius_of(near) == 60
    size = sum(len(stars_) for stars_ in field_stars(near, rng=np.random.default_rng(0)))
    assert size == pytest.approx(3 * cone_area(near), rel=0.025)


def test_badly_fitted_stars_pass_a_cut_that_grows_with_their_errors_as_often_as_if_all_were_drawn():
    options = replace(SMALL, dist=800.0, cone_radius=12.0, tidal_radius=8.0, field_density=20_000.0)
    cut = ConeCut(0.0, 0.0, 1.25, pm_limit=2.0, parallax_limit=0.2, error_weight=3.0)
    numbers = []
    for early in (cut, None):
        rng = np.random.default_rng(8)
        dust, law = Dust(options, rng=rng), ScanningLaw()
        tables = [measure(s, law, rng=rng) for s in field_stars(options, rng=rng, dust=dust, cut=early)]
        table = pd.concat([part[cut.keeps(part)] for part in tables])
        numbers.append([int((table["ruwe"] >= least).sum()) for least in (0, 1.4, 4)])
    assert numbers[1][2] > 80
    for early, all_ in zip(*numbers, strict=True):
        assert early == pytest.approx(all_, abs=3 * np.sqrt(2 * all_))


def test_what_is_not_drawn_would_not_have_passed():
    """Drawing only what may pass the cut gives the sources that drawing everything gives."""
    options = replace(SMALL, dist=400.0, cone_radius=12.0, tidal_radius=8.0)
    cut = ConeCut(0.0, 0.0, 2.5, pm_limit=6.0, parallax_limit=0.5)
    kept = []
    for early in (cut, None):
        rng = np.random.default_rng(8)
        dust, law = Dust(options, rng=rng), ScanningLaw()
        tables = [measure(s, law, rng=rng) for s in field_stars(options, rng=rng, dust=dust, cut=early)]
        table = pd.concat(tables, ignore_index=True)
        kept.append(table[cut.keeps(table)])
        drawn = len(table)
        if early is not None:
            assert drawn < 0.6 * options.field_density * cone_area(options)
    counts = [len(table) for table in kept]
    assert counts[0] == pytest.approx(counts[1], abs=4 * np.sqrt(2 * counts[1]))
    assert counts[1] > 100
    for name in ("parallax", "pmra", "phot_g_mean_mag", "parallax_error"):
        assert stats.ks_2samp(kept[0][name], kept[1][name]).pvalue > 1e-3


def test_the_model_counts_more_stars_at_low_latitude():
    from astropy.coordinates import SkyCoord

    density = []
    for latitude in (2, 60):
        place = SkyCoord(l=200, b=latitude, unit="deg", frame="galactic").icrs
        options = SimulationOptions(ra=place.ra.deg, dec=place.dec.deg, cone_radius=13, dist=4000, a0=0.5)
        rng = np.random.default_rng(4)
        size = sum(len(stars_) for stars_ in field_stars(options, rng=rng))
        density.append(size / cone_area(options))
    assert 20_000 < density[0] < 120_000
    assert density[0] > 4 * density[1]


def test_dust_gives_the_cluster_its_extinction_and_scatter():
    options = replace(SMALL, a0=1.0, differential_reddening=0.15)
    spread = []
    for seed in range(12):
        dust = Dust(options, rng=np.random.default_rng(seed))
        members = cluster_stars(
            replace(options, halo_fraction=0.0),
            nearest_age(schematic_isochrones([8.5]), 8.5),
            dust=dust,
            rng=np.random.default_rng(seed),
        )
        assert members["a0"].mean() == pytest.approx(1.0, abs=0.5)
        spread.append(members["a0"].std())
    assert np.mean(spread) == pytest.approx(0.15, rel=0.4)
    # near stars share it
    order = members.sort_values("ra").index
    assert members["a0"][order].diff().abs().median() < members["a0"].std()


def test_dust_grows_with_distance():
    dust = Dust(SMALL, rng=np.random.default_rng(0))
    from gaia_oc_amd.simulation.space import local_axes

    sight = dust.along_sight(local_axes(SMALL.ra, SMALL.dec)[2], np.array([100.0, 500, 1000, 5000]))
    assert np.all(np.diff(sight) > 0)
    assert sight[2] == pytest.approx(SMALL.a0, rel=1e-6)
    clear = Dust(replace(SMALL, a0=0.0), rng=np.random.default_rng(0))
    assert np.all(clear.along_sight(local_axes(10, 20)[2], np.array([100.0, 5000])) == 0)


@pytest.mark.parametrize("dist", [1000.0, 150.0, 22.0])
def test_patches_cover_the_cone_evenly(dist):
    patches = Patches.cover(replace(SMALL, dist=dist, cone_radius=50.0))
    rng = np.random.default_rng(0)
    directions = np.concatenate([patches.draw(i, 50, rng) for i in range(len(patches.centres))])
    options = replace(SMALL, dist=dist, cone_radius=50.0)
    assert patches.solid_angle * len(patches.centres) == pytest.approx(
        cone_area(options) * np.radians(1) ** 2
    )
    cosine = directions @ patches.axes[2]
    enclosed = (1 - cosine) / (1 - np.cos(np.radians(cone_radius_of(options))))
    assert stats.kstest(enclosed, "uniform").pvalue > 1e-3
    own = np.repeat(patches.centres, 50, axis=0)
    if len(patches.centres) > 1:
        assert np.mean(np.sum(directions * own, axis=1)) > np.mean(cosine)
