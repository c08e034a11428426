"""A region without limits in proper motion and parallax gives the same stars from every source."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cone_tables import REGION, with_archive_columns
from toy_field import toy_field

from gaia_oc_amd.archive.parquet import ParquetFiles
from gaia_oc_amd.cone import ConeRegion, cut_to_region, in_order
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.query import VIZIER_COLUMNS, cone_query, load_cone, stars_in_cone
from gaia_oc_amd.source_checks import check_sources

NO_LIMITS = replace(REGION, pm_radius=np.inf, parallax_width=np.inf)


@pytest.fixture(scope="module")
def sources():
    return with_archive_columns(toy_field()).sources


def expected(sources, region):
    return in_order(cut_to_region(check_sources(sources, "all"), region))


@pytest.mark.parametrize(
    "region", [NO_LIMITS, replace(NO_LIMITS, pm_radius=1.0), replace(NO_LIMITS, parallax_width=0.5)]
)
def test_a_parquet_scan_gives_all_stars_of_the_cone(sources, region, tmp_path):
    sources.to_parquet(tmp_path / "all.parquet")
    found = stars_in_cone(ParquetFiles(tmp_path / "all.parquet"), region)
    pd.testing.assert_frame_equal(found, expected(sources, region))
    assert len(found) > len(expected(sources, REGION))


def test_the_whole_circle_on_the_sky_is_there(sources):
    offset = np.hypot((sources["ra"] - 120) * np.cos(np.radians(20)), sources["dec"] + 20)
    near = (offset < 2.4).sum()
    assert len(expected(sources, NO_LIMITS)) >= near > len(expected(sources, REGION))


def test_queries_have_no_infinity_in_them():
    vizier = str(cone_query(NO_LIMITS, columns=VIZIER_COLUMNS))
    for query, name in ((str(cone_query(NO_LIMITS)), "pmra"), (vizier, '"pmRA"')):
        assert "inf" not in query.lower().replace('"', "")
        assert "POWER" not in query
        assert "ABS" not in query
        assert f"{name} IS NOT NULL" in query
        assert "CONTAINS" in query
    one = str(cone_query(replace(REGION, pm_radius=np.inf)))
    assert "POWER" not in one
    assert "ABS(parallax" in one


def test_a_query_with_limits_is_as_it_was():
    text = str(cone_query(REGION))
    assert "SQRT(POWER(pmra - (-3.0), 2) + POWER(pmdec - (2.0), 2)) <= 1.0" in text
    assert text.endswith("AND ABS(parallax - (1.0)) <= 0.5")


def test_a_kept_cone_without_limits_is_known_again(sources, tmp_path):
    sources.to_csv(tmp_path / "all.csv", index=False)
    options = ConeOptions((str(tmp_path / "all.csv"),))
    one = load_cone("Toy_1", NO_LIMITS, tmp_path / "kept", options)
    before = (tmp_path / "kept" / "cone.parquet").stat().st_mtime_ns
    two = load_cone("Toy_1", NO_LIMITS, tmp_path / "kept", options)
    assert (tmp_path / "kept" / "cone.parquet").stat().st_mtime_ns == before
    pd.testing.assert_frame_equal(one, two)
    load_cone("Toy_1", REGION, tmp_path / "kept", options)  # a cone with limits is another one
    assert (tmp_path / "kept" / "cone.parquet").stat().st_mtime_ns != before


def test_no_limit_is_none_in_files():
    assert NO_LIMITS.as_dict()["pm_radius"] is None
    assert ConeRegion(**REGION.as_dict()) == REGION
    assert set(REGION.motion_intervals) == {"pmra", "pmdec", "parallax"}
    assert NO_LIMITS.motion_intervals == {}
