from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gaia_oc_amd.astrometry import (
    angular_separation,
    astrometric_covariance,
    nested_pixels,
    parallax_zero_point,
    source_ids,
    unit_vectors,
)
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.cone import cone_region, radius_on_sky
from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.simulation.catalogue import draw_cluster
from gaia_oc_amd.simulation.cluster import HALO_EXTENT, cluster_stars, king_fraction, sample_king_radii
from gaia_oc_amd.simulation.errors import (
    ScanningLaw,
    draw_error_factors,
    draw_ruwe,
    flux_errors,
    mean_parallax_error,
)
from gaia_oc_amd.simulation.field import ConeCut, field_stars
from gaia_oc_amd.simulation.galaxy import Dust, circular_velocity
from gaia_oc_amd.simulation.measurement import measure
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.schematic_isochrones import schematic_isochrones
from gaia_oc_amd.simulation.simulate import SimulatedCluster, simulate_cluster, vary_options
from gaia_oc_amd.simulation.space import (
    Patches,
    ecliptic_latitude,
    galactic_coordinates,
    seen_from_the_sun,
    space_velocity,
)
from gaia_oc_amd.simulation.stars import absolute_magnitudes, draw_mass_ratios, in_order_of_mass
from gaia_oc_amd.stages.simulate import MARKER, simulate_clusters

SMALL = SimulationOptions(cone_radius=16, field_density=3000, n_members=200)


def cone_radius_of(options):
    return radius_on_sky(options.cone_radius, options.dist)


def cone_area(options):
    """Solid angle of the cone [deg^2]."""
    return 2 * np.pi * (1 - np.cos(np.radians(cone_radius_of(options)))) * np.degrees(1) ** 2


@pytest.fixture(scope="module")
def isochrones():
    return schematic_isochrones([8.4, 8.5, 8.6])


@pytest.fixture(scope="module")
def simulated(isochrones):
    return simulate_cluster(SMALL, isochrones, rng=np.random.default_rng(1))


@pytest.fixture(scope="module")
def whole_cone(isochrones):
    """All stars of the cone, no cut in proper motion or parallax."""
    options = replace(SMALL, cone_pm_sigmas=np.inf, cone_plx_sigmas=np.inf)
    return simulate_cluster(options, isochrones, rng=np.random.default_rng(2))


def make_stars(size, g, rng):
    colour = rng.uniform(0.5, 2.5, size)
    return pd.DataFrame(
        {
            "ra": rng.uniform(0, 360, size),
            "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, size))),
            "parallax": 1.0,
            "pmra": -2.0,
            "pmdec": 3.0,
            "g": g,
            "bp": g + 0.4 * colour,
            "rp": g - 0.6 * colour,
        }
    )


# measurement


def test_errors_are_near_those_of_pygaia():
    """DPAC's predictions for the mean sky, an independent fit, within 40 %."""
    from pygaia.errors.astrometric import parallax_uncertainty

    rng = np.random.default_rng(0)
    for g in (14.0, 16.0, 18.0, 19.5, 20.5):
        table = measure(make_stars(500, np.full(500, g), rng), ScanningLaw(), rng=rng)
        expected = parallax_uncertainty(g, "dr3") / 1000
        assert table["parallax_error"].median() == pytest.approx(expected, rel=0.4)
        assert table["parallax_error"].median() == pytest.approx(mean_parallax_error(g), rel=0.1)
        assert table["pmra_error"].median() == pytest.approx(table["parallax_error"].median(), rel=0.25)


def test_faint_stars_are_observed_less_often_and_measured_worse():
    rng = np.random.default_rng(1)
    tables = [measure(make_stars(500, np.full(500, g), rng), ScanningLaw(), rng=rng) for g in (17.0, 20.5)]
    for band in ("g", "bp", "rp"):
        bright, faint = (table[f"phot_{band}_n_obs"].median() for table in tables)
        assert faint < 0.75 * bright
        error = flux_errors(np.array([17.0, 20.5]), np.array([350, 350]), band, rng=rng)
        assert error[1] > 3 * error[0]


def test_few_scans_make_large_errors():
    rng = np.random.default_rng(2)
    true = make_stars(500, np.full(500, 17.0), rng)
    laws = [
        ScanningLaw.draw(np.random.default_rng(seed), ecl_lat=lat) for lat in (0, 45) for seed in range(15)
    ]
    tables = [measure(true, law, rng=rng) for law in laws]
    error = np.array([table["parallax_error"].median() for table in tables]).reshape(2, -1)
    n_obs = np.array([table["phot_g_n_obs"].median() for table in tables]).reshape(2, -1)
    assert np.median(n_obs[0]) < 0.7 * np.median(n_obs[1])
    assert np.median(error[0]) > 1.1 * np.median(error[1])


def test_binaries_have_bad_solutions_more_often():
    rng = np.random.default_rng(3)
    g, binary = np.full(40_000, 15.0), np.arange(40_000) % 2 == 0
    ruwe = draw_ruwe(g, binary, rng=rng)
    assert np.median(ruwe) == pytest.approx(1.02, abs=0.03)
    assert np.mean(ruwe[binary] > 1.4) > 2 * np.mean(ruwe[~binary] > 1.4)
    assert 0.05 < np.mean(ruwe > 1.4) < 0.2
    factor = draw_error_factors(ruwe, binary, rng=rng)
    assert 0.02 < np.mean(factor > 1) < 0.12
    assert factor.max() <= 4
    assert np.mean(factor[ruwe > 1.4] > 1) > 5 * np.mean(factor[ruwe < 1.4] > 1)


@pytest.mark.parametrize("g", [14.0, 18.0, 20.4])
def test_normalised_residuals_are_standard_normal(g):
    rng = np.random.default_rng(int(g))
    true = make_stars(4000, np.full(4000, g), rng)
    table = measure(true, ScanningLaw((0.3, -0.2, 0.1), crowding=0.0), rng=rng)
    zero_point = {"parallax": parallax_zero_point(table)}
    honest = table["error_factor"] == 1
    for name in ("parallax", "pmra", "pmdec"):
        residual = table[name] - zero_point.get(name, 0) - true[name]
        normalised = residual / table[f"{name}_error"]
        assert stats.kstest(normalised[honest], "norm").pvalue > 1e-3
        assert np.std(normalised[~honest]) > 1.5
    for band in ("g", "bp", "rp"):
        if band != "g" and g > 19:
            continue  # the faint fluxes in BP and RP are biased, as Gaia's are
        residual = table[f"phot_{band}_mean_mag"] - true[band]
        error = table[f"phot_{band}_mean_flux_error"] / table[f"phot_{band}_mean_flux"] * 2.5 / np.log(10)
        spread = np.diff(np.percentile(residual / error, [16, 84]))[0] / 2
        assert spread == pytest.approx(1, abs=0.08)


def test_noise_has_the_covariance_that_is_given():
    rng = np.random.default_rng(5)
    true = make_stars(5000, np.full(5000, 18.0), rng)
    table = measure(true, ScanningLaw((0.4, -0.4, 0.3)), rng=rng)
    honest = table["error_factor"] == 1
    true, table = true[honest], table[honest]
    columns = ["parallax", "pmra", "pmdec"]
    residual = (table[columns] - true[columns]).to_numpy(copy=True)
    residual[:, 0] -= parallax_zero_point(table)
    covariance = astrometric_covariance(table)
    assert np.linalg.eigvalsh(covariance).min() > 0
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), residual[:, :, None])[:, :, 0]
    assert np.cov(whitened.T) == pytest.approx(np.eye(3), abs=0.06)
    assert np.corrcoef(residual.T)[0, 1] == pytest.approx(table["parallax_pmra_corr"].mean(), abs=0.05)


def test_wavenumber_and_pseudocolour_exclude_each_other(whole_cone):
    cone = whole_cone.cone
    six = cone["astrometric_params_solved"] == 95
    assert set(cone["astrometric_params_solved"]) == {31, 95}
    assert cone["pseudocolour"].notna().equals(six)
    assert cone["nu_eff_used_in_astrometry"].isna().equals(six)
    faint = cone["phot_g_mean_mag"] > 20
    assert six[faint].mean() > 5 * six[cone["phot_g_mean_mag"] < 17].mean()


def test_magnitudes_fluxes_and_colours_agree(whole_cone):
    cone = whole_cone.cone
    for band, zero_point in (("g", 25.6873668671), ("bp", 25.3385422158), ("rp", 24.7478955012)):
        from_flux = zero_point - 2.5 * np.log10(cone[f"phot_{band}_mean_flux"])
        # fluxes have three decimals: 0.0005 of the faintest, 2 electron/s, is 3e-4 mag
        assert from_flux.to_numpy() == pytest.approx(cone[f"phot_{band}_mean_mag"], abs=3e-4)
    assert (cone["phot_bp_mean_mag"] - cone["phot_rp_mean_mag"]).to_numpy() == pytest.approx(cone["bp_rp"])
    assert (cone["phot_g_mean_mag"] - cone["phot_rp_mean_mag"]).to_numpy() == pytest.approx(cone["g_rp"])


def test_coordinates_agree_with_astropy():
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(7)
    ra, dec = rng.uniform(0, 360, 200), np.degrees(np.arcsin(rng.uniform(-1, 1, 200)))
    sky = SkyCoord(ra, dec, unit="deg")
    longitude, latitude = galactic_coordinates(ra, dec)
    assert longitude == pytest.approx(sky.galactic.l.deg, abs=1e-7)
    assert latitude == pytest.approx(sky.galactic.b.deg, abs=1e-7)
    assert ecliptic_latitude(ra, dec) == pytest.approx(sky.barycentricmeanecliptic.lat.deg, abs=1e-5)


def test_space_motion_agrees_with_astropy():
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    sky = SkyCoord(
        ra=[10, 200] * u.deg,
        dec=[-70, 30] * u.deg,
        distance=[100, 1500] * u.pc,
        pm_ra_cosdec=[5, -2] * u.mas / u.yr,
        pm_dec=[-3, 1] * u.mas / u.yr,
        radial_velocity=[40, -10] * u.km / u.s,
    )
    velocity = sky.velocity.d_xyz.to_value(u.km / u.s).T
    ours = space_velocity(200, 30, 1500, (-2, 1), -10)
    assert ours == pytest.approx(velocity[1], abs=1e-6)
    seen = seen_from_the_sun(sky.cartesian.xyz.to_value(u.pc).T, velocity)
    assert seen[["ra", "dec"]].to_numpy() == pytest.approx(np.array([[10, -70], [200, 30]]))
    assert seen[["parallax", "pmra", "pmdec"]].to_numpy() == pytest.approx(
        np.array([[10, 5, -3], [1 / 1.5, -2, 1]])
    )


# source identifiers


@pytest.mark.parametrize(
    ("source_id", "ra", "dec"),
    [
        (5853498713190525696, 217.392321, -62.676075),  # Proxima Centauri
        (2947050466531873024, 101.286626, -16.720933),  # Sirius B
        (2635476908753563008, 346.6264, -5.0435),  # TRAPPIST-1
        (1779546757669063552, 330.79502, 18.88432),  # HD 209458
        (576402619921510144, 37.665, 89.2606),  # Polaris B
    ],
)
def test_pixels_are_those_in_published_gaia_identifiers(source_id, ra, dec):
    assert nested_pixels(np.array([ra]), np.array([dec]))[0] == source_id >> 35


def test_source_ids_are_unique_and_hold_their_pixel(simulated):
    cone = simulated.cone
    assert cone["source_id"].dtype == np.int64
    assert cone["source_id"].is_unique
    assert cone["source_id"].is_monotonic_increasing
    pixels = nested_pixels(cone["ra"].to_numpy(), cone["dec"].to_numpy())
    # ids are given before positions are rounded to 4 micro-arcsec
    assert np.mean(cone["source_id"].to_numpy() >> 35 == pixels) > 0.9999


def test_source_ids_of_one_direction_are_unique():
    same = np.full(3000, 12.5)
    assert len(np.unique(source_ids(same, same, rng=np.random.default_rng(0)))) == 3000


# cluster


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


# field


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


# dust


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


# parts of a cluster


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


def test_disc_motion_has_oorts_signature():
    """Towards l = 180 on the plane a star on a circular orbit shows the Sun's own motion only."""
    from astropy.coordinates import SkyCoord

    anticentre = SkyCoord(l=180, b=0, unit="deg", frame="galactic").icrs
    position = 1000.0 * unit_vectors([anticentre.ra.deg], [anticentre.dec.deg])
    pm = seen_from_the_sun(position, circular_velocity(position))[["pmra", "pmdec"]].to_numpy()
    # star at rest relative to the Galaxy moves 238 km/s; seen: 238 - (238 + 12.24) along, -7.25 km/s up
    assert np.linalg.norm(pm) == pytest.approx(np.hypot(12.24, 7.25) / 4.74047, rel=1e-3)


# the cluster as a whole


def test_tables_fit_together(simulated):
    assert isinstance(simulated, SimulatedCluster)
    assert list(simulated.cone.columns) == list(ARCHIVE_COLUMNS)
    assert np.array_equal(simulated.cone["source_id"], simulated.truth["source_id"])
    assert simulated.cone.drop(columns=["pseudocolour", "nu_eff_used_in_astrometry"]).notna().all(axis=None)
    for listed in (simulated.members, simulated.comparison):
        assert listed["source_id"].isin(simulated.cone["source_id"]).all()
        assert (listed["phot_g_mean_mag"] < SMALL.list_g_max).all()
        assert listed["PMemb"].between(0, 1).all()
    assert simulated.members["PMemb"].mul(10).round(6).mod(1).eq(0).all()
    assert (simulated.members["PMemb"] == 1).mean() > 0.5


def test_lists_are_incomplete_and_slightly_contaminated(simulated):
    true = set(simulated.truth.loc[simulated.truth["is_member"], "source_id"])
    bright = simulated.cone[simulated.cone["phot_g_mean_mag"] < SMALL.list_g_max]["source_id"]
    for listed in (simulated.members, simulated.comparison):
        found = listed["source_id"].isin(true)
        assert 0.8 < found.mean() <= 1
        assert 0.4 < found.sum() / bright.isin(true).sum() < 0.95


def test_parameters_are_near_the_truth(simulated):
    row = simulated.parameters.iloc[0]
    assert row["pmra"] == pytest.approx(SMALL.pmra, abs=0.1)
    assert row["parallax"] == pytest.approx(1.0, abs=0.08)
    assert row["parallax_error"] == pytest.approx(simulated.members["parallax"].std(), abs=1e-3)
    assert row["dist"] == pytest.approx(SMALL.dist, rel=0.1)
    assert row["age"] == pytest.approx(SMALL.age, abs=0.4)


def test_nothing_but_physics_tells_members_from_field(whole_cone):
    """Quantities that depend on Gaia only have one distribution for both, at the same magnitudes."""
    cone, truth = whole_cone.cone, whole_cone.truth
    alike = (cone["phot_g_mean_mag"].between(15, 17.5) & ~truth["is_binary"]).to_numpy()
    cone, is_member = cone[alike], truth["is_member"].to_numpy()[alike]
    cone = cone.assign(running_number=(cone["source_id"].to_numpy() >> 7) & (2**25 - 1))
    for name in ("ruwe", "phot_g_n_obs", "phot_bp_n_obs", "parallax_pmra_corr", "running_number"):
        assert stats.ks_2samp(cone[name][is_member], cone[name][~is_member]).pvalue > 1e-3


def test_cone_keeps_what_build_sets_needs(simulated, isochrones):
    row, cone = simulated.parameters.iloc[0], simulated.cone
    pm_limit = 10 * np.sqrt((row["pmra_error"] ** 2 + row["pmdec_error"] ** 2) / 2)
    own = 3 * np.hypot(cone["pmra_error"], cone["pmdec_error"]) / np.sqrt(2)
    distance = np.hypot(cone["pmra"] - row["pmra"], cone["pmdec"] - row["pmdec"]) - own
    turn = cone_region(Cluster(**row.to_dict()), ConeOptions()).pm_radius - pm_limit
    assert 0 < turn < 0.5 * pm_limit
    assert pm_limit * 0.95 < distance.max() < 1.3 * pm_limit + turn
    aside = (cone["parallax"] - row["parallax"]).abs() - 3 * cone["parallax_error"]
    assert aside.max() < 13 * row["parallax_error"]


def test_options_are_checked():
    for name, value in (
        ("dist", -1),
        ("ra", 360),
        ("tidal_radius", 1.0),
        ("list_completeness", 0),
        ("g_max", 25),
    ):
        with pytest.raises(ValueError, match=name):
            SimulationOptions(**{name: value})


def test_varied_clusters_are_valid_and_differ():
    drawn = [vary_options(SMALL, rng=np.random.default_rng(seed)) for seed in range(40)]
    assert len({options.dist for options in drawn}) == 40
    for options in drawn:
        _, latitude = galactic_coordinates(np.array([options.ra]), np.array([options.dec]))
        assert abs(latitude[0]) <= 60.001
        assert 150 <= options.dist <= 5000
        assert np.hypot(options.pmra, options.pmdec) < 150
    # as the catalogue of Cantat-Gaudin et al. (2020): median distance 2.2 kpc, log age 8.25, a0 1.2
    medians = {name: np.median([getattr(o, name) for o in drawn]) for name in ("dist", "age", "a0")}
    assert 1000 < medians["dist"] < 3000
    assert 7.8 < medians["age"] < 8.7
    assert 0.4 < medians["a0"] < 1.8


# files

TINY = SimulationOptions(cone_radius=13, field_density=300, n_members=80)


def read_all(folder):
    files = sorted(path for path in folder.rglob("*.csv*") if path.is_file())
    return {str(path.relative_to(folder)): pd.read_csv(path) for path in files}


def test_data_directory_has_what_build_sets_reads(tmp_path):
    simulate_clusters(["My cluster"], tmp_path, TINY, seed=1)
    tables = read_all(tmp_path)
    assert set(tables) == {
        "cluster_parameters.csv",
        "cg18_members.csv",
        "t22_members.csv",
        "cones/My_cluster.csv.gz",
        "clusters/My_cluster/truth.csv",
    }
    assert list(tables["cones/My_cluster.csv.gz"].columns) == list(ARCHIVE_COLUMNS)
    assert "SCHEMATIC" in (tmp_path / "isochrones.dat").read_text()[:200]
    assert "SIMULATED" in (tmp_path / "README.txt").read_text()
    assert (tmp_path / MARKER).exists()
    assert set(tables["cg18_members.csv"]["cluster"]) == {"My_cluster"}


def test_seed_and_name_alone_make_a_cluster(tmp_path):
    simulate_clusters(["B", "A"], tmp_path / "one", TINY, seed=7)
    simulate_clusters(["A"], tmp_path / "two", TINY, seed=7)
    simulate_clusters(["B"], tmp_path / "two", TINY, seed=7)
    one, two = read_all(tmp_path / "one"), read_all(tmp_path / "two")
    assert set(one) == set(two)
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, two[name])
    assert not one["cones/A.csv.gz"].equals(one["cones/B.csv.gz"])
    simulate_clusters(["A"], tmp_path / "three", TINY, seed=8)
    assert not read_all(tmp_path / "three")["cones/A.csv.gz"].equals(one["cones/A.csv.gz"])


def test_workers_change_nothing(tmp_path):
    for workers in (1, 2):
        simulate_clusters(["A", "B"], tmp_path / str(workers), TINY, seed=7, workers=workers)
    one, two = read_all(tmp_path / "1"), read_all(tmp_path / "2")
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, two[name])


def test_drawn_clusters_can_be_listed(isochrones):
    from gaia_oc_amd.simulation.schematic_isochrones import SCHEMATIC_LOG_AGES

    grid = schematic_isochrones(SCHEMATIC_LOG_AGES[::5])
    options = draw_cluster(replace(SMALL, vary=True), grid, rng=np.random.default_rng(2))
    assert options.n_members >= 30
    with pytest.raises(ValueError, match="list_g_max"):
        draw_cluster(replace(SMALL, list_g_max=6.0), grid, rng=np.random.default_rng(2))


def test_vary_gives_each_cluster_its_own_parameters(tmp_path):
    options = replace(TINY, vary=True, cone_radius=20, cone_pm_sigmas=3, cone_plx_sigmas=3)
    rows = simulate_clusters(["A", "B"], tmp_path, options, seed=3)
    assert rows["dist"].nunique() == 2
    assert np.abs(np.diff(rows["ra"])[0]) > 1


@pytest.mark.parametrize(
    "name", ["cg18_members.csv", "cluster_parameters.csv", "t22_members.csv", "README.txt"]
)
def test_real_data_are_never_overwritten(tmp_path, name):
    (tmp_path / name).write_text("precious\n")
    with pytest.raises(ValueError, match="not simulated"):
        simulate_clusters(["A"], tmp_path, TINY, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious\n"


def test_own_isochrones_are_used_and_kept(tmp_path):
    header = "# Zini MH logAge Mini int_IMF Mass logL logTe logg label mbolmag Gmag G_BPmag G_RPmag\n"
    masses = np.linspace(0.3, 3, 50)
    rows = [f"0.0152 0 8.5 {m} 0 {m} 0 3.7 4.5 1 0 {8 - 3 * m} {8.5 - 3 * m} {7.5 - 3 * m}\n" for m in masses]
    (tmp_path / "isochrones.dat").write_text(header + "".join(rows) + "#isochrone terminated\n")
    before = (tmp_path / "isochrones.dat").read_bytes()
    simulate_clusters(["A"], tmp_path, replace(TINY, a0=0.0, binary_fraction=0.0), seed=1)
    assert (tmp_path / "isochrones.dat").read_bytes() == before
    tables = read_all(tmp_path)
    truth = tables["clusters/A/truth.csv"]
    members = tables["cones/A.csv.gz"][truth["is_member"] & (truth["g_true"] < 17)]
    assert members["g_rp"].to_numpy() == pytest.approx(0.5, abs=0.05)


def test_unreadable_isochrones_and_bad_names_are_refused(tmp_path):
    (tmp_path / "isochrones.dat").write_text("nothing\n")
    with pytest.raises(ValueError, match="isochrones"):
        simulate_clusters(["A"], tmp_path, TINY, seed=1)
    with pytest.raises(ValueError, match="cannot name"):
        simulate_clusters(["../A"], tmp_path / "b", TINY, seed=1)
    with pytest.raises(ValueError, match="'all' stands for all clusters"):
        simulate_clusters(["all"], tmp_path / "b", TINY, seed=1)
    with pytest.raises(ValueError, match="twice"):
        simulate_clusters(["A b", "a_B"], tmp_path / "b", TINY, seed=1)
    assert not (tmp_path / "b").exists()


def test_script_simulates_and_refuses(tmp_path, capsys):
    import simulate_clusters as script

    small = ["--cone_radius", "13", "--field_density", "300", "--n_members", "60", "--log_level", "error"]
    assert script.main(["--data_dir", str(tmp_path / "data"), *small]) == 0
    assert (tmp_path / "data" / "cones" / "Simulated_1.csv.gz").exists()
    with pytest.raises(SystemExit) as error:
        script.main(["--data_dir", str(tmp_path / "data"), "--dist", "-5"])
    assert error.value.code == 2
    assert "dist" in capsys.readouterr().err


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


def test_crowded_fields_are_thinned_and_say_so(isochrones):
    options = SimulationOptions(cone_radius=20.0, max_field_stars=1000)
    thin = simulate_cluster(options, isochrones, rng=np.random.default_rng(2))
    field = (~thin.truth["is_member"]).sum()
    assert 700 < field < 1400
    assert 0 < thin.field_share < 0.5
    assert thin.truth["is_member"].sum() > 300  # members are not thinned


def test_square_frames_hold_nothing_outside(isochrones):
    options = SimulationOptions(cone_radius=20.0, square_half_width=5.0, max_field_stars=3000)
    cone = simulate_cluster(options, isochrones, rng=np.random.default_rng(2)).cone
    north = np.radians(cone["dec"] - options.dec) * options.dist
    assert 4.5 < np.abs(north).max() < 5.05


def members_radius(stars, options):
    """Projected radii [pc]."""
    separation = angular_separation(stars["ra"].to_numpy(), stars["dec"].to_numpy(), options.ra, options.dec)
    return options.dist * np.radians(separation)
