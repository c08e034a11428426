"""The motion of a cluster across a round sky, against astropy."""

from dataclasses import replace

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import ICRS, CartesianDifferential, SkyCoord

from gaia_oc_amd.candidates import SelectionLimits, proper_motion_distance
from gaia_oc_amd.cluster import Cluster, check_complete, update_from_members
from gaia_oc_amd.cone import cone_region
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.features import proper_motion_sigmas
from gaia_oc_amd.options import ConeOptions, SelectionOptions
from gaia_oc_amd.perspective import VELOCITY_SCALE, turn_over_cone
from gaia_oc_amd.simulation.space import seen_from_the_sun, space_velocity
from gaia_oc_amd.validation.controls import Place, move_stars, moved_cluster

NEAR = Cluster(
    **{"name": "Near", "ra": 130.0, "dec": 20.0, "pmra": -36.0, "pmdec": -13.0, "parallax": 1000 / 150},
    **{"pmra_error": 1.2, "pmdec_error": 1.2, "parallax_error": 0.2, "age": 8.8, "a0": 0.1, "dist": 150.0},
    **{"pm_dispersion": 1.0, "pmra_mean_error": 0.1, "pmdec_mean_error": 0.1},
    **{"perspective_velocity": 35.0, "perspective_velocity_error": 0.5},
)


def members_of(cluster, velocity, n=300, radius=8.0, dispersion=0.8, error=0.05, seed=1):
    """Stars that move through space together, as measured."""
    rng = np.random.default_rng(seed)
    pm = (cluster.pmra, cluster.pmdec)
    speed = space_velocity(cluster.ra, cluster.dec, cluster.dist, pm, velocity)
    centre = SkyCoord(cluster.ra * u.deg, cluster.dec * u.deg, cluster.dist * u.pc).cartesian.xyz.value
    position = centre + rng.normal(0, radius / 2, (n, 3))
    stars = seen_from_the_sun(position, speed + rng.normal(0, dispersion, (n, 3)))
    for name, scale in (("pmra", 1.0), ("pmdec", 1.0), ("parallax", 1.0)):
        stars[name] += rng.normal(0, error * scale, n)
        stars[f"{name}_error"] = error * scale
    return stars.assign(parallax_pmra_corr=0.0, parallax_pmdec_corr=0.0, pmra_pmdec_corr=0.0)


@pytest.mark.parametrize("dec", [20.0, -65.0, 89.85])
def test_motion_elsewhere_is_that_of_a_parallel_velocity(dec):
    cluster = replace(NEAR, dec=dec)
    centre = SkyCoord(
        ra=cluster.ra * u.deg,
        dec=dec * u.deg,
        distance=cluster.dist * u.pc,
        pm_ra_cosdec=cluster.pmra * u.mas / u.yr,
        pm_dec=cluster.pmdec * u.mas / u.yr,
        radial_velocity=35.0 * u.km / u.s,
    )
    velocity = centre.velocity.d_xyz
    ra, dec = np.array([cluster.ra, 127.0, 140.0, 300.0]), np.array([cluster.dec, dec - 8, dec - 1, 85.0])
    places = SkyCoord(ra * u.deg, dec * u.deg, cluster.dist * u.pc).cartesian
    moving = places.with_differentials(CartesianDifferential(np.repeat(velocity[:, None], 4, axis=1)))
    expected = ICRS(moving)
    motion, unit = cluster.motion_at(ra, dec), u.mas / u.yr
    np.testing.assert_allclose(motion[:, 0], expected.pm_ra_cosdec.to_value(unit), atol=1e-6)
    np.testing.assert_allclose(motion[:, 1], expected.pm_dec.to_value(unit), atol=1e-6)
    np.testing.assert_allclose(motion[0], [cluster.pmra, cluster.pmdec], atol=1e-12)


def test_velocity_follows_from_the_gradient_of_the_motions():
    found = update_from_members(NEAR, members_of(NEAR, 35.0))
    assert found.perspective_velocity == pytest.approx(35.0, abs=3 * found.perspective_velocity_error)
    assert found.perspective_velocity_error < 5
    np.testing.assert_allclose([found.pmra, found.pmdec], [-36, -13], atol=0.4)
    assert found.pm_dispersion < 1.8  # 0.8 km/s are 1.1 mas/yr; the depth of the cluster adds to them


def test_velocity_of_the_table_goes_first():
    known = replace(NEAR, radial_velocity=20.0, radial_velocity_error=0.3)
    found = update_from_members(known, members_of(NEAR, 35.0))
    assert (found.perspective_velocity, found.perspective_velocity_error) == (20.0, 0.3)
    with pytest.raises(ClusterError, match=r"radial_velocity 2e\+06.*km/s"):
        check_complete(replace(NEAR, radial_velocity=2e6))


def test_velocity_that_does_not_show_widens_the_scale():
    far = replace(NEAR, dist=3000.0, parallax=1 / 3, pmra=-1.0, pmdec=0.5)
    found = update_from_members(far, members_of(far, 35.0, n=100))
    assert found.perspective_velocity == 0
    assert 0.5 * VELOCITY_SCALE < found.perspective_velocity_error <= VELOCITY_SCALE


def test_far_clusters_are_as_if_the_sky_were_flat():
    far = replace(NEAR, dist=3000.0, parallax=1 / 3, pmra=-1.0, pmdec=0.5)
    stars = members_of(far, 35.0)
    found = update_from_members(far, stars)
    flat = np.hypot(stars["pmra"] - found.pmra, stars["pmdec"] - found.pmdec) / np.hypot(
        found.pm_dispersion, 0.05
    )
    np.testing.assert_allclose(proper_motion_sigmas(stars, found), flat, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("velocity", [0.0, 35.0])
@pytest.mark.parametrize("dec", [20.0, 89.85])
def test_members_keep_their_sigmas_at_every_distance_from_the_centre(velocity, dec):
    slow = replace(NEAR, dec=dec, pmra=-8.0, pmdec=-5.0)  # so that the cluster's depth does not matter
    stars = members_of(slow, velocity, n=600, radius=20.0)
    found = update_from_members(slow, stars)
    sigmas = proper_motion_sigmas(stars, found)
    assert np.sqrt(np.mean(np.square(sigmas)) / 2) == pytest.approx(1.0, abs=0.25)
    limits = SelectionLimits(3 * found.pm_dispersion, 1, 1, 1, 1)
    assert (proper_motion_distance(stars, found, limits, SelectionOptions()) < 1).mean() > 0.97


def test_the_cone_holds_the_members_of_its_edge():
    radius = np.degrees(np.arctan2(50, 150))
    turn = turn_over_cone((130.0, 20.0), radius, 150.0, (-36.0, -13.0), 35.0)
    assert 10 < turn < 40
    table = replace(NEAR, radial_velocity=35.0, radial_velocity_error=0.5)
    region = cone_region(table, ConeOptions())
    assert region.pm_radius == pytest.approx(12.0 + turn, abs=0.5)
    stars = members_of(NEAR, 35.0, n=500, radius=50.0, dispersion=0.0)
    near = np.hypot(stars["ra"] - 130.0, stars["dec"] - 20.0) < radius
    offset = np.hypot(stars["pmra"] - region.pmra, stars["pmdec"] - region.pmdec)
    at_the_distance = np.abs(stars["distance"] - 150) < 15
    assert (offset < region.pm_radius)[near & at_the_distance].all()


@pytest.mark.parametrize("place", [Place("sky", east=6.0, north=-5.0), Place("proper motion", pmra=5.0)])
def test_moved_stars_stand_to_the_moved_cluster_as_before(place):
    stars = members_of(NEAR, 35.0, n=50)
    moved = move_stars(stars, NEAR, place)
    np.testing.assert_allclose(
        proper_motion_sigmas(moved, moved_cluster(NEAR, place)), proper_motion_sigmas(stars, NEAR), rtol=1e-3
    )
    assert isinstance(moved, pd.DataFrame)
