"""The region of a cone and its cut."""

from dataclasses import replace

import numpy as np
import pytest

from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import cone_region, cut_to_region
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.source_checks import check_sources

CLUSTER = Cluster("Toy_1", 120.0, -20.0, -3.0, 2.0, 1.0, 0.1, 0.3, 0.05, 8.5, 0.0, 1000.0)


def test_region_is_that_of_equations_1_and_2():
    region = cone_region(CLUSTER, ConeOptions(published_cone=True))
    assert region.radius == pytest.approx(np.degrees(np.arctan(0.05)))
    assert region.pm_radius == pytest.approx(10 * np.sqrt((0.1**2 + 0.3**2) / 2))
    assert region.parallax_width == pytest.approx(0.5)


def test_near_cluster_is_capped_with_a_word(caplog):
    region = cone_region(replace(CLUSTER, dist=20.0), ConeOptions())
    assert region.radius == 60
    assert "68 deg on the sky; the cone is capped at 60 deg" in caplog.text


def test_cut_star_by_star(toy):
    region = cone_region(
        CLUSTER, ConeOptions(cone_radius=20, cone_pm_sigmas=5, cone_plx_sigmas=4, published_cone=True)
    )
    sources = toy.sources.assign(phot_bp_n_obs=np.where(np.arange(460) % 7, 30, 0))
    kept = set(cut_to_region(sources, region)["source_id"])
    for star in sources.itertuples():
        offset = np.radians([(star.ra - 120) * np.cos(np.radians(star.dec)), star.dec + 20])
        inside = (
            np.hypot(*offset) * 1000 < 20
            and np.hypot(star.pmra + 3, star.pmdec - 2) <= region.pm_radius
            and abs(star.parallax - 1) <= 0.2
            and star.phot_bp_n_obs > 0
        )
        if abs(np.hypot(*offset) * 1000 - 20) > 0.1:
            assert (star.source_id in kept) == inside
    assert 50 < len(kept) < 400


def test_colours_are_computed_where_absent(toy):
    table = check_sources(toy.sources.drop(columns=["g_rp", "bp_rp"]), "table")
    np.testing.assert_allclose(table["g_rp"], toy.sources["g_rp"], atol=1e-12)


def test_floating_point_identifiers_are_refused(toy):
    with pytest.raises(ClusterError, match="floating-point numbers, which lose digits"):
        check_sources(toy.sources.astype({"source_id": float}), "table")
