"""Magnitude errors: scaling with observations, edges, fallbacks; covariance of magnitude and colour."""

import numpy as np
import pytest

from gaia_oc_amd.photometry import (
    add_magnitude_errors,
    flux_magnitude_error,
    magnitude_error,
    photometric_covariance,
)


def test_error_scales_with_the_number_of_observations():
    g = np.array([14.0, 18.0, 20.5])
    one, four = magnitude_error(g, np.full(3, 100), "g"), magnitude_error(g, np.full(3, 400), "g")
    np.testing.assert_allclose(one, 2 * four)
    assert (np.diff(one) > 0).all()


def test_error_outside_the_splines_is_that_of_the_edge():
    n_obs = np.full(2, 40)
    np.testing.assert_array_equal(
        magnitude_error(np.array([2.0, 22.5]), n_obs, "bp"),
        magnitude_error(np.array([4.0, 21.0]), n_obs, "bp"),
    )


def test_missing_values_stay_missing():
    error = magnitude_error(np.array([15.0, np.nan, 15.0]), np.array([100, 100, 0]), "g")
    assert np.isfinite(error).tolist() == [True, False, False]


def test_flux_error_becomes_magnitude_error():
    flux, flux_error = np.array([1000.0]), np.array([10.0])
    expected = np.hypot(-2.5 * np.log10(0.99), 0.0027553202)
    assert flux_magnitude_error(flux, flux_error, "g")[0] == pytest.approx(expected, rel=0.01)


def test_fluxes_serve_where_observations_are_missing(toy):
    fluxes = {f"phot_{band}_mean_flux{end}": value for band in ("g", "bp", "rp")
              for end, value in (("", 1000.0), ("_error", 10.0))}  # fmt: skip
    sources = toy.sources.drop(columns=["phot_g_n_obs"]).assign(**fluxes)
    errors = add_magnitude_errors(sources)
    np.testing.assert_allclose(errors["phot_g_mean_mag_error"], flux_magnitude_error(1000.0, 10.0, "g"))
    with pytest.warns(UserWarning, match="neither phot_g_n_obs nor phot_g_mean_flux"):
        typical = add_magnitude_errors(toy.sources.drop(columns=["phot_g_n_obs"]))
    assumed = add_magnitude_errors(toy.sources.assign(phot_g_n_obs=351))
    np.testing.assert_allclose(typical["g_rp_error"], assumed["g_rp_error"])


def test_errors_agree_with_the_real_flux_errors(shared):
    """DPAC's splines describe the flux errors (without zero point) of real stars: medians within 20 % per mag."""
    import pandas as pd

    stars = pd.read_csv(shared / "real" / "cones" / "field_ber29.csv.gz")
    spline = magnitude_error(stars["phot_g_mean_mag"].to_numpy(), stars["phot_g_n_obs"].to_numpy(), "g")
    measured = (2.5 / np.log(10) * stars["phot_g_mean_flux_error"] / stars["phot_g_mean_flux"]).to_numpy()
    for magnitude in range(16, 21):
        bin_ = (stars["phot_g_mean_mag"] // 1 == magnitude).to_numpy()
        assert np.nanmedian(spline[bin_] / measured[bin_]) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("colour", ["g_rp", "bp_rp"])
def test_photometric_covariance_is_that_of_simulated_bands(colour, toy):
    rng = np.random.default_rng(5)
    star = add_magnitude_errors(toy.sources.iloc[[3]])
    g_error = star["phot_g_mean_mag_error"].iloc[0]
    other = np.sqrt(star[f"{colour}_error"].iloc[0] ** 2 - (g_error**2 if colour == "g_rp" else 0))
    g, rest = rng.normal(0, g_error, 200_000), rng.normal(0, other, 200_000)
    simulated = np.cov(g, g - rest if colour == "g_rp" else rest)
    np.testing.assert_allclose(
        photometric_covariance(star, colour)[0], simulated, atol=0.02 * simulated.max()
    )
