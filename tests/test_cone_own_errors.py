"""The cone's cuts grow with a star's own errors, alike in every source of stars."""

import logging
import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cone_tables import REGION, with_archive_columns
from toy_field import toy_field

from gaia_oc_amd.archive.local_tables import HatsCatalogue, LocalTable
from gaia_oc_amd.archive.parquet import ParquetFiles
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import ERROR_WEIGHT, ConeRegion, cone_region, cut_to_region, in_order
from gaia_oc_amd.files.data_directory import read_json, write_json
from gaia_oc_amd.files.provenance import without_seal
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.query import (
    VIZIER_COLUMNS,
    cone_query,
    load_cone,
    motion_conditions,
    stars_in_cone,
)
from gaia_oc_amd.simulation.field import ConeCut
from gaia_oc_amd.source_checks import check_sources

WIDER = replace(REGION, pm_radius=0.4, parallax_width=0.15, error_weight=3.0)
CLUSTER = Cluster("Toy_1", 120.0, -20.0, -3.0, 2.0, 1.0, 0.1, 0.3, 0.05, 8.5, 0.0, 1000.0)


@pytest.fixture(scope="module")
def sources():
    """Stars of which some have errors as large as the cuts."""
    stars = with_archive_columns(toy_field()).sources
    errors = np.random.default_rng(6).exponential(0.15, (3, len(stars))) + 0.01
    return stars.assign(parallax_error=errors[0], pmra_error=errors[1], pmdec_error=errors[2])


@pytest.fixture(scope="module")
def expected(sources):
    return in_order(cut_to_region(check_sources(sources, "all"), WIDER))


def test_cut_star_by_star(sources, expected):
    kept = set(expected["source_id"])
    without = set(cut_to_region(check_sources(sources, "all"), replace(WIDER, error_weight=0.0))["source_id"])
    assert without < kept
    in_motion = 0
    for star in sources.itertuples():
        own = 3 * np.sqrt((star.pmra_error**2 + star.pmdec_error**2) / 2)
        near = np.hypot(star.pmra + 3, star.pmdec - 2) <= 0.4 + own
        near &= abs(star.parallax - 1) <= 0.15 + 3 * star.parallax_error
        in_motion += near
        assert near or star.source_id not in kept
    assert len(kept) > 0.5 * in_motion


def test_adql_selects_the_same(sources, expected):
    """Its conditions, by a database that has POWER, SQRT and ABS."""
    conditions = " AND ".join(motion_conditions(WIDER, {name: name for name in sources}))
    with closing(sqlite3.connect(":memory:")) as database:
        database.create_function("POWER", 2, lambda x, y: x**y)
        database.create_function("SQRT", 1, np.sqrt)
        sources.to_sql("gaia_source", database)
        found = pd.read_sql(f"SELECT * FROM gaia_source WHERE {conditions}", database)
    found = cut_to_region(found, replace(REGION, pm_radius=np.inf, parallax_width=np.inf))
    assert set(found["source_id"]) == set(expected["source_id"])
    text = str(cone_query(WIDER))
    assert "<= 0.4 + 3.0 * SQRT((POWER(pmra_error, 2) + POWER(pmdec_error, 2)) / 2)" in text
    assert "<= 0.15 + 3.0 * parallax_error" in text
    assert '3.0 * "e_Plx"' in str(cone_query(WIDER, columns=VIZIER_COLUMNS))


def test_tables_and_parquet_give_the_same(sources, expected, tmp_path):
    sources.to_csv(tmp_path / "all.csv", index=False)
    sources.to_parquet(tmp_path / "all.parquet")
    single = sources.astype(
        {"pmra_error": np.float32, "pmdec_error": np.float32, "parallax_error": np.float32}
    )
    single.to_parquet(tmp_path / "single.parquet")
    pd.testing.assert_frame_equal(stars_in_cone(LocalTable(tmp_path / "all.csv"), WIDER), expected)
    pd.testing.assert_frame_equal(stars_in_cone(ParquetFiles(tmp_path / "all.parquet"), WIDER), expected)
    alike = stars_in_cone(ParquetFiles(tmp_path / "single.parquet"), WIDER)
    assert len(set(alike["source_id"]) ^ set(expected["source_id"])) <= 1


@pytest.mark.filterwarnings("default")  # LSDB's and Dask's own
def test_a_hats_catalogue_gives_the_same(sources, expected, tmp_path):
    lsdb = pytest.importorskip("lsdb", reason='LSDB is not installed: pip install "lsdb>=0.11"')
    catalogue = lsdb.from_dataframe(
        sources, ra_column="ra", dec_column="dec", catalog_name="toy", lowest_order=5
    )
    catalogue.write_catalog(tmp_path / "toy", progress_bar=False)
    pd.testing.assert_frame_equal(stars_in_cone(HatsCatalogue(str(tmp_path / "toy")), WIDER), expected)


def test_the_simulator_keeps_the_same(sources):
    cut = ConeCut(-3.0, 2.0, 1.0, pm_limit=0.4, parallax_limit=0.15, error_weight=3.0)
    whole_sky = replace(WIDER, radius=180.0)
    assert set(sources["source_id"][cut.keeps(sources)]) == set(
        cut_to_region(sources, whole_sky)["source_id"]
    )


def test_published_cone_has_the_cuts_of_the_paper():
    published = cone_region(CLUSTER, ConeOptions(published_cone=True))
    assert published.pm_radius == pytest.approx(10 * np.sqrt((0.1**2 + 0.3**2) / 2))
    assert published.error_weight == 0
    assert "pmra_error, 2" not in str(cone_query(published))
    own = cone_region(CLUSTER, ConeOptions())
    assert own.error_weight == ERROR_WEIGHT
    assert own.pm_radius > published.pm_radius
    assert own.parallax_width == published.parallax_width


def test_a_cone_made_with_the_other_cut_is_fetched_again(sources, tmp_path, caplog):
    sources.to_csv(tmp_path / "all.csv", index=False)
    options = ConeOptions(cone_source=(str(tmp_path / "all.csv"),), cone_format="csv")
    narrow = replace(WIDER, error_weight=0.0)
    folder = tmp_path / "Toy_1"
    folder.mkdir()
    first = load_cone("Toy_1", narrow, folder, options)
    with caplog.at_level(logging.INFO):
        second = load_cone("Toy_1", WIDER, folder, options)
    assert "it is fetched again" in caplog.text
    assert len(second) > len(first)
    assert read_json(folder / "cone.json")["region"]["error_weight"] == 3.0


def test_a_cone_kept_before_there_was_a_choice_is_one_of_the_paper(sources, tmp_path, caplog):
    sources.to_csv(tmp_path / "all.csv", index=False)
    options = ConeOptions(cone_source=(str(tmp_path / "all.csv"),), cone_format="csv")
    narrow = replace(WIDER, error_weight=0.0, pm_radius=np.inf)
    folder = tmp_path / "Toy_1"
    folder.mkdir()
    kept = load_cone("Toy_1", narrow, folder, options)
    record = without_seal(read_json(folder / "cone.json"))  # earlier records have no fingerprint
    del record["region"]["error_weight"]
    write_json(folder / "cone.json", record)
    assert ConeRegion.from_dict(record["region"]) == narrow
    with caplog.at_level(logging.INFO):
        pd.testing.assert_frame_equal(load_cone("Toy_1", narrow, folder, options), kept)
    assert "fetched again" not in caplog.text
