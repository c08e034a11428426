"""Directions, means and the zero point, against astropy and plain re-computations."""

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from gaia_oc_amd.astrometry import (
    angular_separation,
    astrometric_covariance,
    galactic_coordinates,
    mean_direction,
    parallax_zero_point,
    tangent_plane,
    weighted_mean,
)

longitudes, latitudes = st.floats(0, 360, exclude_max=True), st.floats(-90, 90)


@settings(deadline=None)
@given(longitudes, latitudes, longitudes, latitudes)
def test_separation_agrees_with_astropy(ra, dec, ra_centre, dec_centre):
    expected = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(ra_centre, dec_centre, unit="deg")).deg
    assert angular_separation(np.array([ra]), np.array([dec]), ra_centre, dec_centre)[0] == pytest.approx(
        expected, abs=1e-10
    )


@settings(deadline=None)
@given(longitudes, st.floats(-89.9, 89.9))
def test_galactic_coordinates_are_astropys(ra, dec):
    """To 0.04 arcsec: astropy takes the axes from FK5."""
    expected = SkyCoord(ra, dec, unit="deg").galactic
    longitude, latitude = galactic_coordinates(ra, dec)
    assert 0 <= longitude <= 360
    assert SkyCoord(longitude, latitude, unit="deg", frame="galactic").separation(expected).deg < 1e-5


def test_separation_keeps_precision_at_microarcseconds():
    step = 1e-6 / 3600
    assert angular_separation(np.array([10.0]), np.array([40 + step]), 10.0, 40.0)[0] == pytest.approx(
        step, rel=1e-4
    )


@pytest.mark.parametrize(("ra", "dec"), [(0.01, 5.0), (359.9, -60.0), (200.0, 89.5), (123.0, -89.9)])
def test_projection_agrees_with_astropy_offsets(ra, dec):
    rng = np.random.default_rng(3)
    centre = SkyCoord(ra, dec, unit="deg")
    stars = centre.directional_offset_by(rng.uniform(0, 360, 50) * u.deg, rng.uniform(0, 5, 50) * u.deg)
    east, north = tangent_plane(stars.ra.deg, stars.dec.deg, ra, dec)
    separation, angle = centre.separation(stars), centre.position_angle(stars)
    np.testing.assert_allclose(east, (separation.deg * np.sin(angle.rad)), atol=1e-9)
    np.testing.assert_allclose(north, (separation.deg * np.cos(angle.rad)), atol=1e-9)


def test_mean_direction_across_zero_ra():
    ra, dec = mean_direction(np.array([359.9, 0.1, 359.95, 0.05]), np.full(4, 30.0))
    assert min(ra, 360 - ra) < 1e-9
    assert dec == pytest.approx(30.0, abs=1e-4)


@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_mean_direction_at_a_pole(pole):
    ra = np.arange(0, 360, 45.0)
    _, dec = mean_direction(ra, np.full(8, pole - np.sign(pole) * 0.3))
    assert dec == pytest.approx(pole, abs=1e-9)


def test_weighted_mean_against_plain_sum():
    values, errors = np.array([1.0, 2.0, 4.0]), np.array([0.1, 0.2, 0.4])
    mean, error = weighted_mean(values, errors)
    weights = [100, 25, 6.25]
    assert mean == pytest.approx((100 + 50 + 25) / sum(weights))
    assert error == pytest.approx(sum(weights) ** -0.5)


def test_weighted_mean_error_is_the_scatter_of_means():
    rng = np.random.default_rng(0)
    errors = rng.uniform(0.1, 2, 30)
    means = [weighted_mean(rng.normal(5, errors), errors)[0] for _ in range(4000)]
    assert np.std(means) == pytest.approx(weighted_mean(errors, errors)[1], rel=0.05)


def zero_point_input(**changes):
    row = {
        "phot_g_mean_mag": 15.0, "nu_eff_used_in_astrometry": 1.5, "pseudocolour": np.nan,
        "ecl_lat": 20.0, "astrometric_params_solved": 31,
    }  # fmt: skip
    return pd.DataFrame([row, row | changes])


def test_zero_point_of_lindegren_is_of_the_known_size():
    zero_point = parallax_zero_point(zero_point_input(phot_g_mean_mag=18.0))
    assert ((zero_point < -0.01) & (zero_point > -0.06)).all()


@pytest.mark.parametrize(
    "changes", [{"astrometric_params_solved": 3}, {"phot_g_mean_mag": 3.0}, {"ecl_lat": np.nan}]
)
def test_zero_point_undefined_is_left_and_counted(changes):
    with pytest.warns(UserWarning, match="undefined for 1 of 2"):
        zero_point = parallax_zero_point(zero_point_input(**changes))
    assert zero_point[1] == 0
    assert zero_point[0] == parallax_zero_point(zero_point_input())[0]


def test_zero_point_without_its_columns_warns():
    with pytest.warns(UserWarning, match="no column ecl_lat"):
        assert (parallax_zero_point(zero_point_input().drop(columns="ecl_lat")) == 0).all()


def test_astrometric_covariance_from_the_catalogue_columns(toy):
    covariance = astrometric_covariance(toy.sources)
    star = toy.sources.iloc[7]
    assert covariance[7, 0, 0] == pytest.approx(star.parallax_error**2)
    assert covariance[7, 1, 2] == pytest.approx(star.pmra_pmdec_corr * star.pmra_error * star.pmdec_error)
    np.testing.assert_array_equal(covariance, covariance.transpose(0, 2, 1))
    assert (np.linalg.eigvalsh(covariance) > 0).all()
