"""What Gaia would publish: residuals, magnitudes, identifiers."""

import numpy as np
import pytest
from scipy import stats
from small_simulations import make_stars

from gaia_oc_amd.astrometry import astrometric_covariance, nested_pixels, parallax_zero_point, source_ids
from gaia_oc_amd.simulation.errors import ScanningLaw
from gaia_oc_amd.simulation.measurement import measure


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
