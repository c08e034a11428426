"""Field density: right where it is known, without the star itself, and not moved by a cluster elsewhere."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.evidence import MOST_STARS, FieldDensity
from gaia_oc_amd.perspective import local_axes

CLUSTER = Cluster(
    **{
        "name": "Toy",
        "ra": 359.9,
        "dec": 40.0,
        "pmra": 0.0,
        "pmdec": 0.0,
        "parallax": 0.5,
        "pmra_error": 0.3,
    },
    **{"pmdec_error": 0.3, "parallax_error": 0.1, "age": 8.5, "a0": 0.1, "dist": 2000.0},
)
BOX = {
    "pmra": (-4, 4),
    "pmdec": (-4, 4),
    "parallax": (-0.5, 1.5),
    "phot_g_mean_mag": (12, 20),
    "g_rp": (0, 1.5),
}


def uniform_field(n, seed=1):
    """Stars spread evenly over `BOX`."""
    rng = np.random.default_rng(seed)
    stars = pd.DataFrame({name: rng.uniform(*bounds, n) for name, bounds in BOX.items()})
    errors = dict.fromkeys(("pmra_error", "pmdec_error", "parallax_error", "g_rp_error"), 0.05)
    return stars.assign(**errors, source_id=np.arange(n), ra=CLUSTER.ra, dec=CLUSTER.dec)


def density_of(field, **keywords):
    keywords = {"rng": np.random.default_rng(0)} | keywords
    return FieldDensity.of(field, CLUSTER, "g_rp", **keywords)


def inner(stars):
    middle = {name: (sum(bounds) / 2, np.ptp(bounds)) for name, bounds in BOX.items()}
    return stars[np.all([abs(stars[n] - m) < 0.2 * w for n, (m, w) in middle.items()], axis=0)]


@pytest.mark.parametrize("n", [3000, 3 * MOST_STARS])
def test_even_field_has_its_density(n):
    field = uniform_field(n)
    expected = -np.log(np.prod([np.ptp(bounds) for bounds in BOX.values()]))
    found = density_of(field).log_density(inner(uniform_field(2000, seed=2)))
    assert np.median(found) == pytest.approx(expected, abs=0.25)


def test_field_star_does_not_count_at_its_own_place():
    field = uniform_field(20_000)
    density, own, others = density_of(field), inner(field), inner(uniform_field(20_000, seed=2))
    assert np.mean(density.log_density(own)) == pytest.approx(np.mean(density.log_density(others)), abs=0.06)


def test_weights_count_against_each_other_only():
    field, places = uniform_field(20_000), inner(uniform_field(30_000, seed=2))
    even = density_of(field).log_density(places)
    half = density_of(field, weights=np.full(20_000, 0.5)).log_density(places)
    np.testing.assert_allclose(half, even, atol=1e-9)
    redder = np.where(field["g_rp"] > 0.75, 1.0, 0.1)
    found = density_of(field, weights=redder).log_density(places)
    blue, red = (places["g_rp"] < 0.6).to_numpy(), (places["g_rp"] > 0.9).to_numpy()
    assert np.median(found[blue] - even[blue]) == pytest.approx(np.log(0.1 / 0.55), abs=0.15)
    assert np.median(found[red] - even[red]) == pytest.approx(np.log(1 / 0.55), abs=0.15)


def test_density_is_that_of_one_of_the_counted_stars():
    field, places = uniform_field(20_000), inner(uniform_field(500, seed=2))
    all_ = density_of(field).log_density(places)
    few = density_of(field, counted=np.arange(20_000) < 2_000).log_density(places)
    np.testing.assert_allclose(few - all_, np.log(10), atol=1e-9)


def test_star_without_colour_and_empty_field_give_nan():
    field = uniform_field(500)
    stars = field.head(2).assign(g_rp=[0.5, np.nan])
    assert np.isnan(density_of(field).log_density(stars)).tolist() == [False, True]
    assert np.isnan(density_of(field.head(3)).log_density(stars)).all()


def test_density_does_not_depend_on_the_pole():
    """The same field and cluster, turned as one body to declination 89.9, where east points everywhere."""
    rng, moving = np.random.default_rng(6), replace(CLUSTER, pmra=2.0, pmdec=-1.0)
    field = uniform_field(3000)
    field = field.assign(ra=(359.9 + rng.normal(0, 1, 3000)) % 360, dec=40 + rng.normal(0, 1, 3000))
    turn = local_axes(30.0, 89.9).T @ local_axes(359.9, 40.0)
    here = local_axes(field["ra"].to_numpy(), field["dec"].to_numpy())
    x, y, z = (here[:, 2] @ turn.T).T
    ra, dec = np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))
    of_motion = local_axes(ra, dec)[:, :2] @ turn @ np.swapaxes(here[:, :2], 1, 2)
    pmra, pmdec = np.einsum("nij,nj->in", of_motion, field[["pmra", "pmdec"]].to_numpy())
    turned = field.assign(ra=ra, dec=dec, pmra=pmra, pmdec=pmdec)
    found = [
        FieldDensity.of(stars, cluster, "g_rp", rng=np.random.default_rng(0)).log_density(stars)
        for stars, cluster in ((field, moving), (turned, replace(moving, ra=30.0, dec=89.9)))
    ]
    np.testing.assert_allclose(*found, atol=1e-3)
