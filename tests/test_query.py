"""One cone from many sources: the same bytes from each, and what happens when one has nothing to give."""

import json
import logging
import os
import shutil

import pandas as pd
import pytest
from cone_tables import REGION, as_vizier, with_archive_columns
from tap_stub import TapStub, serve
from toy_field import tables, toy_field

from gaia_oc_amd.archive.local_tables import cluster_table
from gaia_oc_amd.exceptions import ArchiveUnavailableError, ClusterError, ConeUnavailableError
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.query import has_new_source, load_cone, stars_in_cone
from gaia_oc_amd.set_building import build_sets
from gaia_oc_amd.source_sets import save_sets

NOBODY = "http://127.0.0.1:9/tap"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Nobody answers at NOBODY, and we do not wait for it to change its mind."""
    try:
        from gaia_oc_amd.archive.session import Patience
    except ImportError:
        return
    monkeypatch.setattr("gaia_oc_amd.archive.results.Patience", lambda: Patience(tries=1))


@pytest.fixture(scope="module")
def field():
    return with_archive_columns(toy_field())


@pytest.fixture(scope="module")
def services(field):
    """The same stars under the archive's names, under VizieR's, and with the few columns of GAVO."""
    few = field.sources.drop(columns=[name for name in field.sources if "flux" in name or "n_obs" in name])
    ratio = {
        f"phot_{band}_mean_flux_over_error": field.sources[f"phot_{band}_mean_flux"]
        / field.sources[f"phot_{band}_mean_flux_error"]
        for band in ("g", "bp", "rp")
    }
    few = few.drop(columns=["bp_rp", "g_rp"]).assign(**ratio)
    schema = pd.DataFrame({"table_name": "gaia.dr3lite", "column_name": list(few)})
    stub = TapStub(
        **{
            "gaiadr3.gaia_source": field.sources,
            "I/355/gaiadr3": as_vizier(field.sources),
            "gaia.dr3lite": few,
            "TAP_SCHEMA.columns": schema,
        }
    )
    server = serve(stub)
    yield stub
    server.shutdown()
    server.server_close()


def source_of(kind, field, services, folder):
    """Make one source of the field's stars; its word for ``--cone_source``."""
    folder.mkdir(parents=True)
    shuffled = field.sources.sample(frac=1, random_state=4)
    if kind == "folder":
        field.sources.to_csv(folder / "toy-1.csv.gz", index=False)
        return str(folder)
    if kind == "parquet":
        shuffled.to_parquet(folder / "all.parquet", index=False, row_group_size=50)
        return str(folder / "all.parquet")
    if kind == "parquet folder":
        for part in range(3):
            shuffled.iloc[part::3].to_parquet(folder / f"part{part}.parquet", index=False)
        return f"parquet:{folder}"
    if kind == "hats":
        lsdb = pytest.importorskip("lsdb", reason='LSDB is not installed: pip install "lsdb>=0.11"')
        catalog = lsdb.from_dataframe(shuffled, ra_column="ra", dec_column="dec", catalog_name="toy")
        catalog.write_catalog(folder / "toy", progress_bar=False)
        return f"hats:{folder / 'toy'}"
    return {"tap": "", "ari": "ari:", "vizier": "vizier:", "gavo": "gavo:"}[kind] + services.url


def build(field, source, folder, **options):
    sets = build_sets("Toy_1", tables(field), folder, cone=ConeOptions(cone_source=source, **options))
    return save_sets(sets, folder)


LSDB_NOISE = pytest.mark.filterwarnings("default")


@LSDB_NOISE
@pytest.mark.parametrize("kind", ["parquet", "parquet folder", "hats", "tap", "ari", "vizier"])
def test_same_sets_to_the_byte_from_every_source(kind, field, services, tmp_path):
    expected = build(field, source_of("folder", field, services, tmp_path / "a"), tmp_path / "expected")
    word = source_of(kind, field, services, tmp_path / "b")
    found = build(field, word, tmp_path / "found")
    for name in ("members.csv", "candidates.csv", "non_members.csv", "comparison.csv"):
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name
    assert json.loads((found / "cone.json").read_text())["source"] == word
    assert (found / "cone.parquet").read_bytes() == (expected / "cone.parquet").read_bytes()


def test_vizier_cut_at_a_row_limit_comes_in_parts(field, services, tmp_path, monkeypatch, caplog):
    """By the name that VizieR has for source_id."""
    options = ConeOptions(cone_source=f"vizier:{services.url}")
    expected = load_cone("Toy_1", REGION, tmp_path / "whole", options)
    monkeypatch.setattr(services, "limit", len(expected) // 3)
    with caplog.at_level(logging.INFO):
        found = load_cone("Toy_1", REGION, tmp_path / "parts", options)
    pd.testing.assert_frame_equal(found, expected)
    assert "came in" in caplog.text


@pytest.mark.filterwarnings("ignore:no column")
def test_gavo_gives_the_same_stars_without_what_it_lacks(field, services, tmp_path):
    expected = load_cone("Toy_1", REGION, tmp_path, ConeOptions(cone_source=services.url))
    found = load_cone("Toy_1", REGION, tmp_path, ConeOptions(cone_source=f"gavo:{services.url}"))
    assert found["source_id"].tolist() == expected["source_id"].tolist()
    assert "phot_g_n_obs" not in found
    same = [name for name in found if "flux" not in name and name not in ("bp_rp", "g_rp")]
    pd.testing.assert_frame_equal(found[same], expected[same])
    for name in ("phot_g_mean_flux", "phot_rp_mean_flux_error", "g_rp"):
        assert found[name].to_numpy() == pytest.approx(expected[name].to_numpy(), rel=1e-9)
    services.tables["TAP_SCHEMA.columns"].loc[:, "column_name"] = "ra"
    from gaia_oc_amd import query as mirrors

    mirrors._published_columns.cache_clear()
    with pytest.raises(
        ConeUnavailableError, match=r"gaia.dr3lite at .* lacks the column\(s\) source_id, dec"
    ):
        load_cone("Toy_1", REGION, tmp_path / "x", ConeOptions(cone_source=f"gavo:{services.url}"))


def test_next_source_is_tried_and_recorded(field, services, tmp_path, caplog):
    folder = source_of("folder", field, services, tmp_path / "tables")
    options = ConeOptions(cone_source=(NOBODY, str(tmp_path / "none.csv"), "hats:/nowhere", folder))
    with caplog.at_level(logging.INFO):
        stars = load_cone("Toy 1", REGION, tmp_path / "cone", options)
    lines = [record.getMessage() for record in caplog.records if "no stars from" in record.getMessage()]
    assert [line.split(": ")[1].removeprefix("no stars from ") for line in lines] == [
        NOBODY,
        str(tmp_path / "none.csv"),
        "hats:/nowhere",
    ]
    assert all("\n" not in line for line in lines)
    assert json.loads((tmp_path / "cone" / "cone.json").read_text())["source"] == folder
    # a kept cone serves as long as its source is among those asked for
    shutil.rmtree(folder)
    again = load_cone("Toy 1", REGION, tmp_path / "cone", ConeOptions(cone_source=(folder, NOBODY)))
    pd.testing.assert_frame_equal(again, stars)
    with pytest.raises(ConeUnavailableError, match="neither a file nor a folder"):
        load_cone("Toy 1", REGION, tmp_path / "cone", ConeOptions(cone_source=str(tmp_path / "none.csv")))


def test_a_kept_cone_is_of_the_same_table_wherever_that_lies(field, tmp_path, monkeypatch):
    table, moved = tmp_path / "stars.csv", tmp_path / "elsewhere" / "sky.csv"
    field.sources.to_csv(table, index=False)
    stars = load_cone("Toy_1", REGION, tmp_path / "cone", ConeOptions(cone_source=str(table)))
    kept = (tmp_path / "cone" / "cone.json").read_bytes()
    monkeypatch.chdir(tmp_path)
    moved.parent.mkdir()
    table.rename(moved)
    for word in ("elsewhere/sky.csv", str(moved), str(table)):
        again = load_cone("Toy_1", REGION, tmp_path / "cone", ConeOptions(cone_source=word))
        pd.testing.assert_frame_equal(again, stars)
        assert (tmp_path / "cone" / "cone.json").read_bytes() == kept
    field.sources.iloc[::2].to_csv(moved, index=False)
    other = load_cone("Toy_1", REGION, tmp_path / "cone", ConeOptions(cone_source=str(moved)))
    assert len(other) < len(stars)


def test_a_table_of_all_clusters_is_read_again_when_it_was_changed(field, tmp_path):
    path = tmp_path / "stars.csv"
    field.sources.to_csv(path, index=False)
    before, times = stars_in_cone(cluster_table(path, "Toy_1"), REGION), path.stat()
    path.write_text(path.read_text().replace(",l,b,", ",b,l,", 1))  # as large as before
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as cp -p does it
    after = stars_in_cone(cluster_table(path, "Toy_1"), REGION)
    assert after["l"].equals(before["b"])


def test_if_none_has_the_stars_each_is_named_with_its_reason(tmp_path):
    (tmp_path / "tables").mkdir()
    words = (str(tmp_path / "tables"), NOBODY)
    with pytest.raises(ArchiveUnavailableError) as caught:
        load_cone("Toy_1", REGION, tmp_path / "cone", ConeOptions(cone_source=words))
    message = str(caught.value)
    assert message.startswith("Toy_1: none of the 2 sources has its stars: ")
    assert f"{words[0]}: {words[0]} holds no table for Toy_1" in message
    assert f"| {NOBODY}: {NOBODY} gave no result" in message
    assert "\n" not in message
    assert not (tmp_path / "cone").exists()


def test_table_of_another_field_lets_the_next_be_tried_wrong_data_do_not(field, services, tmp_path):
    folder = source_of("folder", field, services, tmp_path / "right")
    (tmp_path / "wrong").mkdir()
    other = tmp_path / "wrong" / "Toy_1.csv"
    words = ConeOptions(cone_source=(str(other), folder), overwrite_cone=True)
    stars = field.sources
    stars.assign(ra=(stars["ra"] + 90) % 360).to_csv(other, index=False)
    expected = load_cone("Toy_1", REGION, tmp_path / "cone", ConeOptions(cone_source=folder))
    pd.testing.assert_frame_equal(load_cone("Toy_1", REGION, tmp_path / "cone", words), expected)
    wrong = {
        "repeated source_id": pd.concat([stars, stars.iloc[:1].assign(parallax=0.9)]),
        "are ra and dec swapped": stars.assign(dec=-100.0),
        "lacks the column": stars.drop(columns="pmra"),
        "try a larger --cone_pm_sigmas": stars.assign(pmra=500.0),
    }
    for message, table in wrong.items():
        table.to_csv(other, index=False)
        with pytest.raises(ClusterError, match=message):
            load_cone("Toy_1", REGION, tmp_path / "cone", words)
    other.write_bytes(other.read_bytes()[:-40])
    with pytest.raises(ValueError, match="cannot be read as a table"):
        load_cone("Toy_1", REGION, tmp_path / "cone", words)


def test_a_kept_cone_of_other_columns_is_cut_again(field, tmp_path, caplog):
    table = tmp_path / "stars.csv"
    field.sources.assign(other=field.sources["parallax"] + 0.001).to_csv(table, index=False)
    options = ConeOptions(cone_source=str(table))
    plain = load_cone("Toy_1", REGION, tmp_path / "cone", options)
    assert "columns" not in json.loads((tmp_path / "cone" / "cone.json").read_text())
    with caplog.at_level(logging.INFO):
        other = load_cone("Toy_1", REGION, tmp_path / "cone", options, columns=("parallax=other",))
    assert "of other --columns: it is fetched again" in caplog.text
    both = plain.merge(other, on="source_id")
    assert both["parallax_y"].to_numpy() == pytest.approx(both["parallax_x"].to_numpy() + 0.001, abs=1e-9)
    assert has_new_source("Toy_1", tmp_path / "cone", options.cone_source)
    assert not has_new_source("Toy_1", tmp_path / "cone", options.cone_source, ("parallax=other",))
    table.unlink()  # what was cut by these names stays good
    again = load_cone("Toy_1", REGION, tmp_path / "cone", options, columns=("PARALLAX=other",))
    pd.testing.assert_frame_equal(again, other)


def test_service_that_ignores_the_region_gives_no_cone(services, field, tmp_path):
    services.body = TapStub(**{"gaiadr3.gaia_source": field.sources.assign(ra=10.0)}).answer(
        "SELECT * FROM gaiadr3.gaia_source"
    )
    try:
        with pytest.raises(ClusterError, match=r"wrong result twice \(\d+ rows outside what was asked for\)"):
            load_cone("Toy_1", REGION, tmp_path, ConeOptions(cone_source=services.url))
        for body in (b"", b"<html>no</html>", services.body[:3000]):
            services.body = body
            with pytest.raises(ArchiveUnavailableError) as caught:
                load_cone("Toy_1", REGION, tmp_path, ConeOptions(cone_source=services.url))
            assert "\n" not in str(caught.value)
    finally:
        services.body = None


@pytest.mark.parametrize("name", ["../secret", "..", "/etc/passwd", "tables/../../secret", "secret.csv"])
def test_folder_never_reads_outside_itself(name, field, tmp_path):
    field.sources.to_csv(tmp_path / "secret.csv", index=False)
    (tmp_path / "tables").mkdir()
    with pytest.raises(ConeUnavailableError, match="holds no table"):
        load_cone(name, REGION, tmp_path / "cone", ConeOptions(cone_source=str(tmp_path / "tables")))


def test_links_in_a_folder_are_followed(field, tmp_path):
    field.sources.to_csv(tmp_path / "elsewhere.csv", index=False)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "Toy_1.csv").symlink_to(tmp_path / "elsewhere.csv")
    assert len(load_cone("Toy_1", REGION, tmp_path, ConeOptions(cone_source=str(tmp_path / "tables")))) > 50


@pytest.mark.parametrize(
    "source",
    [
        "https://user:s3cret@example.org/tap",
        "HTTPS://s3cret@example.org/tap",
        "vizier:https://u:s3cret@example.org/tap",
        "hats:https://u:s3cret@example.org/gaia",
        "hats:s3://key:s3/cret@bucket/gaia",
        "https://example.org/tap?token=s3cret",
        "https://example.org/tap#s3cret",
        "http:u:s3cret@example.org",
        "https://example.org/\ns3cret",
    ],
)
def test_secrets_in_a_url_are_refused_and_not_repeated(source):
    with pytest.raises(ValueError, match="bare address") as caught:
        ConeOptions(cone_source=("gaia", source))
    assert "cret" not in str(caught.value)


def test_one_source_may_be_a_plain_string():
    assert ConeOptions(cone_source=" gaia ") == ConeOptions(cone_source=["gaia"]) == ConeOptions()
    assert hash(ConeOptions(cone_source=["gaia", "ari"])) == hash(ConeOptions(cone_source=("gaia", "ari")))
    for nothing in ("", (), ("gaia", " ")):
        with pytest.raises(ValueError, match="a source, not empty"):
            ConeOptions(cone_source=nothing)
