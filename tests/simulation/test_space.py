"""Places and motions in the Galaxy, against astropy."""

import numpy as np
import pytest

from gaia_oc_amd.astrometry import unit_vectors
from gaia_oc_amd.simulation.galaxy import circular_velocity
from gaia_oc_amd.simulation.space import (
    ecliptic_latitude,
    galactic_coordinates,
    seen_from_the_sun,
    space_velocity,
)


def test_coordinates_agree_with_astropy():
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(7)
    ra, dec = rng.uniform(0, 360, 200), np.degrees(np.arcsin(rng.uniform(-1, 1, 200)))
    sky = SkyCoord(ra, dec, unit="deg")
    longitude, latitude = galactic_coordinates(ra, dec)
    east = (longitude - sky.galactic.l.deg) * np.cos(np.radians(latitude))
    assert (
        np.abs(east).max() < 1e-5
    )  # the axes of Hipparcos, as in Gaia's l and b; astropy's are 0.01 arcsec away
    assert latitude == pytest.approx(sky.galactic.b.deg, abs=1e-5)
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


def test_disc_motion_has_oorts_signature():
    """Towards l = 180 on the plane a star on a circular orbit shows the Sun's own motion only."""
    from astropy.coordinates import SkyCoord

    anticentre = SkyCoord(l=180, b=0, unit="deg", frame="galactic").icrs
    position = 1000.0 * unit_vectors([anticentre.ra.deg], [anticentre.dec.deg])
    pm = seen_from_the_sun(position, circular_velocity(position))[["pmra", "pmdec"]].to_numpy()
    # star at rest relative to the Galaxy moves 238 km/s; seen: 238 - (238 + 12.24) along, -7.25 km/s up
    assert np.linalg.norm(pm) == pytest.approx(np.hypot(12.24, 7.25) / 4.74047, rel=1e-3)
