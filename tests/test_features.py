"""Source features against their definitions, and across the seams of the sky."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from toy_field import toy_field

from gaia_oc_amd.candidates import SelectionLimits
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.features import add_features
from gaia_oc_amd.isochrones import nearest_age, place_isochrone
from gaia_oc_amd.photometry import add_magnitude_errors

LIMITS = SelectionLimits(pm=0.5, parallax_far=0.1, parallax_near=0.1, colour=0.15, g=1.2)


def toy_features(**where):
    field = toy_field(**where)
    cluster = Cluster(**field.parameters.iloc[0].to_dict())
    isochrone = place_isochrone(nearest_age(field.isochrones, 8.5), cluster.dist, 0.0)
    return add_features(add_magnitude_errors(field.sources), cluster, LIMITS, isochrone), cluster


@pytest.mark.parametrize(("ra", "dec"), [(120.0, -20.0), (0.01, 60.0), (80.0, 86.0)])
def test_radius_is_distance_times_true_separation(ra, dec):
    sources, cluster = toy_features(ra=ra, dec=dec, dist=3000.0)
    stars = SkyCoord(sources["ra"], sources["dec"], unit="deg")
    separation = stars.separation(SkyCoord(cluster.ra, cluster.dec, unit="deg"))
    np.testing.assert_allclose(sources["f_r"], cluster.dist * separation.to_value(u.rad), rtol=1e-9)


def test_signs_and_sizes():
    sources, cluster = toy_features()
    star = sources.iloc[5]
    assert star.f_plx == pytest.approx(star.parallax - cluster.parallax)
    assert star.f_pm == pytest.approx(np.hypot(star.pmra - cluster.pmra, star.pmdec - cluster.pmdec))
    redder = sources[sources["g_rp"] > (sources["phot_g_mean_mag"] - 12) / 8 + 0.01]
    assert (redder["f_c"] > 0).all()


def test_input_is_not_changed():
    field = toy_field()
    sources = add_magnitude_errors(field.sources)
    before = sources.copy()
    cluster = Cluster(**field.parameters.iloc[0].to_dict())
    add_features(sources, cluster, LIMITS, place_isochrone(nearest_age(field.isochrones, 8.5), 1000.0, 0.0))
    assert before.equals(sources)
