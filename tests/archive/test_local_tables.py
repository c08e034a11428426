"""Cones from a small HATS catalogue made here; the public one was never met."""

import builtins
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cone_tables import REGION, with_archive_columns
from toy_field import toy_field

from gaia_oc_amd.archive.local_tables import HatsCatalogue, cluster_table
from gaia_oc_amd.cone import ConeRegion, cut_to_region, in_order
from gaia_oc_amd.exceptions import ClusterError, ConeUnavailableError
from gaia_oc_amd.query import stars_in_cone
from gaia_oc_amd.source_checks import check_sources

pytestmark = pytest.mark.filterwarnings("default")  # LSDB's and Dask's own


@pytest.fixture(scope="module")
def lsdb():
    return pytest.importorskip("lsdb", reason='LSDB is not installed: pip install "lsdb>=0.11"')


@pytest.fixture(scope="module")
def sources():
    return with_archive_columns(toy_field()).sources


def write(lsdb, table, path, ra="ra", dec="dec"):
    catalog = lsdb.from_dataframe(table, ra_column=ra, dec_column=dec, catalog_name="toy", lowest_order=5)
    catalog.write_catalog(path, progress_bar=False)
    return str(path)


@pytest.fixture(scope="module")
def catalogue(lsdb, sources, tmp_path_factory):
    return write(lsdb, sources, tmp_path_factory.mktemp("hats") / "toy")


def test_stars_are_those_of_the_whole_table(catalogue, sources, capfd):
    found = stars_in_cone(HatsCatalogue(catalogue), REGION)
    pd.testing.assert_frame_equal(found, in_order(cut_to_region(check_sources(sources, "all"), REGION)))
    assert found["source_id"].dtype == np.int64
    assert "%" not in capfd.readouterr().err  # no progress bars


def test_without_limits_in_motion_all_stars_of_the_circle_come(catalogue, sources):
    no_limits = replace(REGION, pm_radius=np.inf, parallax_width=np.inf)
    found = stars_in_cone(HatsCatalogue(catalogue), no_limits)
    pd.testing.assert_frame_equal(found, in_order(cut_to_region(check_sources(sources, "all"), no_limits)))
    assert len(found) > len(stars_in_cone(HatsCatalogue(catalogue), REGION))


@pytest.mark.parametrize("place", [{"ra": 0.01, "dec": 30.0}, {"ra": 200.0, "dec": 89.5}])
def test_across_the_origin_and_at_the_pole(lsdb, place, tmp_path):
    stars = with_archive_columns(toy_field(**place)).sources
    stars = stars[(stars["dec"].abs() <= 90)]
    region = ConeRegion(**REGION.as_dict() | place)
    found = stars_in_cone(HatsCatalogue(write(lsdb, stars, tmp_path / "toy")), region)
    pd.testing.assert_frame_equal(found, in_order(cut_to_region(check_sources(stars, "all"), region)))


def test_names_in_capitals_and_single_precision(lsdb, sources, tmp_path):
    table = sources.astype({"parallax": np.float32, "pmra": np.float32})
    path = write(lsdb, table.rename(columns=str.upper), tmp_path / "toy", "RA", "DEC")
    found = stars_in_cone(HatsCatalogue(path), REGION)
    assert found["source_id"].isin(sources["source_id"]).all()
    assert found["parallax"].iloc[0] == float(str(np.float32(found["parallax"].iloc[0])))


def test_what_is_no_catalogue_of_the_field_is_one_line(lsdb, catalogue, sources, tmp_path):
    def message(path, region=REGION, kind=ConeUnavailableError):
        with pytest.raises(kind) as caught:
            stars_in_cone(HatsCatalogue(path), region)
        assert type(caught.value) is kind
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "cannot be read" in message(str(tmp_path / "nothing"))
    assert "cannot be read" in message(str(tmp_path))
    assert "cannot be read" in message("http://127.0.0.1:9/gaia")
    elsewhere = ConeRegion(**REGION.as_dict() | {"ra": 10.0})
    assert "no coverage" in message(catalogue, elsewhere)
    moving = ConeRegion(**REGION.as_dict() | {"pmra": 90.0})
    assert "--cone_pm_sigmas" in message(catalogue, moving, ClusterError)
    few = write(lsdb, sources.drop(columns=["pmdec_error", "source_id"]), tmp_path / "few")
    assert "lacks the column(s) source_id, pmdec_error" in message(few)


def test_without_lsdb_the_message_says_what_to_install(monkeypatch):
    real_import = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "lsdb":
            raise ModuleNotFoundError("No module named 'lsdb'")
        return real_import(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConeUnavailableError, match=r'pip install "lsdb>=0\.11"'):
        stars_in_cone(HatsCatalogue("/nowhere"), REGION)


@pytest.mark.parametrize("name", ["Toy 1.csv.bz2", "toy_1.vot.xz", "TOY-1.txt.ZIP", "Toy_1.fits.gz"])
def test_packed_tables_of_a_folder_are_found_by_their_cluster(tmp_path, name):
    (tmp_path / name).write_text("")
    (tmp_path / "Toy_12.csv").write_text("")
    assert cluster_table(tmp_path, "Toy_1").origin == str(tmp_path / name)
