"""Offsets in units of errors: standard normal for stars that follow the model, whatever their errors."""

import numpy as np
import pandas as pd
import pytest
from plain_reference import nearest_offsets
from scipy import stats
from toy_field import toy_field

from gaia_oc_amd.astrometry import intrinsic_dispersion
from gaia_oc_amd.candidates import failed_conditions
from gaia_oc_amd.cluster import Cluster, update_from_members
from gaia_oc_amd.features import (
    ISOCHRONE_ERRORS,
    draw_normal,
    isochrone_sigmas,
    parallax_sigmas,
    proper_motion_sigmas,
)
from gaia_oc_amd.isochrones import Isochrone

CLUSTER = Cluster(
    **{"name": "Toy", "ra": 10.0, "dec": 5.0, "pmra": -3.0, "pmdec": 2.0, "parallax": 1.0, "pmra_error": 0.3},
    **{
        "pmdec_error": 0.3,
        "parallax_error": 0.1,
        "age": 8.5,
        "a0": 0.1,
        "dist": 1000.0,
        "pm_dispersion": 0.2,
    },
    **{
        "pmra_mean_error": 0.01,
        "pmdec_mean_error": 0.01,
        "parallax_mean_error": 0.01,
        "parallax_dispersion": 0.02,
    },
)


def measured(n, rng):
    """Members of `CLUSTER` with correlated errors of very different sizes."""
    error = rng.choice([0.02, 0.3, 1.0], n)
    stars = pd.DataFrame({name: error for name in ("parallax_error", "pmra_error", "pmdec_error")})
    stars = stars.assign(ra=CLUSTER.ra, dec=CLUSTER.dec)
    correlation = {"parallax_pmra_corr": 0.2, "parallax_pmdec_corr": -0.3, "pmra_pmdec_corr": 0.6}
    stars = stars.assign(**correlation)
    covariance = np.array([[1, 0.2, -0.3], [0.2, 1, 0.6], [-0.3, 0.6, 1]]) * error[:, None, None] ** 2
    noise = draw_normal(np.zeros((n, 3)), covariance, 1, rng=rng)[:, 0]
    true = np.array([1.0, -3.0, 2.0]) + rng.normal(size=(n, 3)) * [0.02, 0.2, 0.2]
    return stars.assign(**dict(zip(("parallax", "pmra", "pmdec"), (true + noise).T, strict=True)))


def test_members_are_offset_as_chance_wants_it():
    stars = measured(20_000, np.random.default_rng(1))
    assert stats.kstest(parallax_sigmas(stars, CLUSTER), "norm").pvalue > 1e-3
    assert stats.kstest(proper_motion_sigmas(stars, CLUSTER), stats.chi(2).cdf).pvalue > 1e-3


def test_stars_with_underestimated_errors_are_not():
    stars = measured(20_000, np.random.default_rng(1))
    stars = stars.assign(
        **{name: stars[name] / 1.5 for name in ("parallax_error", "pmra_error", "pmdec_error")}
    )
    assert stats.kstest(parallax_sigmas(stars, CLUSTER), "norm").pvalue < 1e-6
    assert stats.kstest(proper_motion_sigmas(stars, CLUSTER), stats.chi(2).cdf).pvalue < 1e-6


def test_isochrone_sigmas_equal_a_search_of_all_segments():
    rng = np.random.default_rng(3)
    g = np.linspace(8, 20, 60)
    isochrone = Isochrone(colour=0.3 + 0.05 * (g - 8) + 0.1 * np.sin(g), g=g)
    stars = pd.DataFrame(
        {"phot_g_mean_mag": rng.uniform(9, 20, 200), "g_rp_error": rng.uniform(0.002, 0.3, 200)}
    )
    stars = stars.assign(phot_g_mean_mag_error=0.003, g_rp=rng.uniform(0, 1.2, 200))
    scales = np.hypot(stars[["g_rp_error", "phot_g_mean_mag_error"]].to_numpy(), ISOCHRONE_ERRORS)
    exact = nearest_offsets(isochrone, stars["g_rp"], stars["phot_g_mean_mag"], *scales.T)
    found = np.hypot(*isochrone_sigmas(stars, isochrone, "g_rp"))
    np.testing.assert_allclose(found, np.hypot(*(exact / scales).T), rtol=1e-9)


def test_star_without_colour_has_no_isochrone_offset():
    isochrone = Isochrone(colour=np.array([0.2, 1.0]), g=np.array([10.0, 18.0]))
    stars = pd.DataFrame({"phot_g_mean_mag": [12.0, 13.0], "g_rp": [0.4, np.nan]})
    stars = stars.assign(g_rp_error=0.01, phot_g_mean_mag_error=0.003)
    assert np.isnan(isochrone_sigmas(stars, isochrone, "g_rp")).tolist() == [[False, True], [False, True]]


@pytest.mark.parametrize("dispersion", [0.05, 0.5])
def test_dispersion_is_what_errors_do_not_explain(dispersion):
    rng = np.random.default_rng(5)
    errors = rng.uniform(0.02, 0.3, 4000)
    offsets = rng.normal(0, np.hypot(errors, dispersion))
    offsets[:20] = 50.0  # contaminants
    assert intrinsic_dispersion(offsets, errors) == pytest.approx(dispersion, rel=0.15)


def test_no_dispersion_where_errors_explain_all():
    rng = np.random.default_rng(6)
    errors = rng.uniform(0.1, 0.3, 500)
    assert intrinsic_dispersion(rng.normal(0, 0.8 * errors), errors) == 0
    assert intrinsic_dispersion(np.zeros(5), np.ones(5)) == 0


def test_members_give_their_cluster_a_dispersion():
    field = toy_field()
    members = field.sources[field.sources["source_id"].isin(field.members["source_id"])]
    cluster = update_from_members(Cluster(**field.parameters.iloc[0].to_dict()), members)
    assert cluster.pm_dispersion == pytest.approx(0.05, rel=0.35)  # what toy_field scatters them by
    assert cluster.parallax_dispersion > 0


def test_failed_conditions_are_named():
    passed = pd.DataFrame(
        {
            "proper_motion": [True, False, True, False, True],
            "parallax": [True, True, False, False, True],
            "candidate": [True, False, False, False, False],
        },
        index=[3, 1, 4, 5, 9],
    )
    expected = ["", "proper_motion", "parallax", "proper_motion+parallax", "isochrone"]
    assert failed_conditions(passed).tolist() == expected
    assert failed_conditions(passed).index.tolist() == [3, 1, 4, 5, 9]
