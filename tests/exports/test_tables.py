"""Tables for other tools: nothing is lost, everything is said, and no old table stands beside newer sets."""

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits, votable
from astropy.table import Table
from star_tables import full_sets, stars
from toy_field import tables

from gaia_oc_amd.columns import SET_COLUMNS, UNITS, describe
from gaia_oc_amd.exports.tables import WRITERS, described_set, export_tables
from gaia_oc_amd.files.tables import read_table, write_csv
from gaia_oc_amd.files.votable import DescribedTable
from gaia_oc_amd.member_list import member_list
from gaia_oc_amd.options import (
    EXPORT_SUFFIXES,
    ConeOptions,
    ExportOptions,
    FigureOptions,
    SelectionOptions,
)
from gaia_oc_amd.source_sets import SET_NAMES, load_sets, save_candidates, save_sets
from gaia_oc_amd.stages.build import build_cluster
from gaia_oc_amd.stages.options import BuildOptions

NO_ELECTRON = "ignore:.*did not parse as fits unit:astropy.units.UnitsWarning"


@pytest.fixture
def table():
    numbers = [(describe("dist"), 812.5), (describe("count"), 3), (describe("cluster"), "Test_1 & <co>")]
    long = [(replace(describe("note"), text="a note"), "x" * 150), (describe("flag"), True)]
    endless = [(describe("no_cut"), np.inf), (describe("a_long_name"), "y" * 150)]
    return DescribedTable("Test_1 candidates", "candidates", stars(), tuple(numbers + long + endless))


def read_with_astropy(path):
    return Table.read(path, format="parquet" if path.suffix == ".parquet" else None)


def plain(column):
    """Values of a column with NaN or nothing where they are masked."""
    values = np.ma.filled(np.ma.asarray(column), "" if column.dtype.kind in "SU" else None)
    if np.ma.is_masked(column) and column.dtype.kind == "f":
        values = np.where(column.mask, np.nan, values)
    return values.astype(str) if values.dtype.kind == "S" else values


@pytest.mark.filterwarnings(NO_ELECTRON)
@pytest.mark.parametrize("n", [60, 1, 0])
@pytest.mark.parametrize("format", EXPORT_SUFFIXES)
def test_astropy_reads_back_every_value(tmp_path, table, format, n):
    path = tmp_path / f"candidates{EXPORT_SUFFIXES[format]}"
    WRITERS[format](path, replace(table, rows=table.rows.iloc[:n]))
    result = read_with_astropy(path)
    assert result.colnames == list(SET_COLUMNS)
    assert len(result) == n
    for name in SET_COLUMNS:
        np.testing.assert_array_equal(plain(result[name]), table.rows[name].to_numpy()[:n], err_msg=name)
    assert result["source_id"].dtype.newbyteorder("=") == np.int64
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("format", ["votable", "fits", "parquet"])
def test_our_own_reader_reads_it_back(tmp_path, table, format):
    """Which ends in a pandas DataFrame; the index and the dtypes are those of the CSV file."""
    path = tmp_path / f"candidates{EXPORT_SUFFIXES[format]}"
    WRITERS[format](path, table)
    pd.testing.assert_frame_equal(read_table(path), table.rows, check_exact=True)


def test_pandas_reads_ecsv_and_parquet(tmp_path, table):
    for format, read in (("ecsv", lambda path: pd.read_csv(path, comment="#")), ("parquet", pd.read_parquet)):
        path = tmp_path / f"a{EXPORT_SUFFIXES[format]}"
        WRITERS[format](path, table)
        result = read(path).assign(
            rejected_by=lambda rows: rows["rejected_by"].astype(object).fillna("").astype("str")
        )
        pd.testing.assert_frame_equal(result, table.rows, check_exact=True, check_column_type=False)


@pytest.mark.parametrize("format", EXPORT_SUFFIXES)
def test_equal_tables_make_equal_files(tmp_path, table, format):
    for name in "ab":
        WRITERS[format](tmp_path / f"{name}{EXPORT_SUFFIXES[format]}", table)
    first, second = (path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert first == second


@pytest.mark.parametrize("format", ["votable", "ecsv", "parquet"])
def test_units_ucds_and_descriptions_are_read_by_astropy(tmp_path, table, format):
    path = tmp_path / f"a{EXPORT_SUFFIXES[format]}"
    WRITERS[format](path, table)
    result = read_with_astropy(path)
    for name in SET_COLUMNS:
        column, about = result[name], describe(name)
        assert str(column.unit or "").replace(" ", "") == UNITS[name]
        assert column.description == about.text
        assert column.meta["ucd"] == about.ucd


def test_fits_headers_say_it_too(tmp_path, table):
    WRITERS["fits"](tmp_path / "a.fits", table)
    header = fits.getheader(tmp_path / "a.fits", 1)
    for number, name in enumerate(SET_COLUMNS, 1):
        about = describe(name)
        assert header[f"TTYPE{number}"] == name
        assert header[f"TCOMM{number}"] == about.text
        assert header[f"TUCD{number}"] == about.ucd
        assert about.text.startswith(header.comments[f"TTYPE{number}"])
        assert header.comments[f"TTYPE{number}"]
    assert header["TFORM1"] == "K"
    assert header["TUNIT5"] == "mas yr-1"
    assert (header["DIST"], header["CLUSTER"], header["FLAG"]) == (812.5, "Test_1 & <co>", True)
    comments = str(header["COMMENT"]).replace("\n", "")
    assert header["NOTE"] == "x" * 150
    assert header["A_LONG_NAME"] == "y" * 150
    assert "no_cut = inf" in comments


def test_parameters_are_read_from_votable_ecsv_and_parquet(tmp_path, table):
    for format, suffix in EXPORT_SUFFIXES.items():
        WRITERS[format](tmp_path / f"a{suffix}", table)
    expected = {about.name: value for about, value in table.parameters}
    params = votable.parse_single_table(tmp_path / "a.vot", verify="exception").params
    assert {param.name: param.value for param in params} == expected
    assert next(param.unit for param in params if param.name == "dist") == "pc"
    for path in (tmp_path / "a.ecsv", tmp_path / "a.parquet"):
        meta = read_with_astropy(path).meta
        assert {name: meta[name] for name in expected} == expected


def test_parquet_carries_its_description_as_a_votable(tmp_path, table):
    import pyarrow.parquet as pq

    WRITERS["parquet"](tmp_path / "a.parquet", table)
    schema = pq.read_schema(tmp_path / "a.parquet")
    assert schema.metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    (tmp_path / "head.vot").write_bytes(schema.metadata[b"IVOA.VOTable-Parquet.content"])
    head = votable.parse(tmp_path / "head.vot", verify="exception").get_first_table()
    assert [field.name for field in head.fields] == list(SET_COLUMNS)
    assert schema.field("pmra").metadata[b"unit"] == b"mas/yr"


@pytest.mark.parametrize("format", EXPORT_SUFFIXES)
def test_a_failed_write_keeps_the_old_file(tmp_path, table, format, monkeypatch):
    path = tmp_path / f"a{EXPORT_SUFFIXES[format]}"
    WRITERS[format](path, table)
    before = path.read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="no space"):
        WRITERS[format](path, replace(table, rows=table.rows.iloc[:3]))
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def saved(tmp_path):
    sets = full_sets()
    return sets, save_sets(sets, tmp_path, made_with={"cone": ConeOptions(cone_plx_sigmas=np.inf)})


def exports(folder):
    return {path.name for path in folder.iterdir() if path.suffix in EXPORT_SUFFIXES.values()}


def named(*formats):
    return {f"{name}{EXPORT_SUFFIXES[format]}" for name in SET_NAMES for format in formats}


def test_all_four_sets_are_written_and_hold_what_the_csv_files_hold(tmp_path):
    _, folder = saved(tmp_path)
    export_tables(folder, ExportOptions(("csv", "parquet", "votable")).formats())
    assert exports(folder) == named("votable", "parquet")
    loaded = load_sets(folder.name, tmp_path)
    for name in SET_NAMES:
        for suffix in (".vot", ".parquet"):
            result = read_table(folder / f"{name}{suffix}")
            pd.testing.assert_frame_equal(result, loaded.table(name), check_dtype=False, check_exact=True)


def test_what_is_there_is_left_and_what_is_missing_is_added(tmp_path):
    _, folder = saved(tmp_path)
    export_tables(folder, ["votable"])
    before = (folder / "members.vot").stat().st_mtime_ns
    export_tables(folder, ["votable", "ecsv"])
    assert (folder / "members.vot").stat().st_mtime_ns == before
    assert exports(folder) == named("votable", "ecsv")
    (folder / "members.ecsv").write_text("changed by hand")
    export_tables(folder, ["ecsv"])
    assert (folder / "members.ecsv").read_text().startswith("# %ECSV")


def test_member_list_is_written_in_every_format(tmp_path):
    sets, folder = saved(tmp_path)
    listed = member_list(sets)
    write_csv(folder / "member_list.csv", listed)
    export_tables(folder, [*EXPORT_SUFFIXES, "mrt"])
    for suffix in (".vot", ".fits", ".parquet"):
        result = read_table(folder / f"member_list{suffix}")
        assert result["source_id"].tolist() == listed["source_id"].tolist()
        assert result["origin"].tolist() == listed["origin"].tolist()
        np.testing.assert_array_equal(result["PMemb"], listed["PMemb"])
    assert not list(folder.glob("members.mrt"))


def test_machine_readable_table_is_one_that_astropy_reads(tmp_path):
    sets, folder = saved(tmp_path)
    listed = member_list(sets)
    write_csv(folder / "member_list.csv", listed)
    export_tables(folder, ["mrt"])
    result = Table.read(folder / "member_list.mrt", format="ascii.mrt")
    assert result.colnames == list(listed)
    assert result["source_id"].tolist() == listed["source_id"].tolist()
    np.testing.assert_allclose(result["PMemb"], listed["PMemb"], atol=1e-6)
    np.testing.assert_allclose(result["ra"], listed["ra"], atol=1e-9)
    np.testing.assert_array_equal(np.ma.getmaskarray(result["PMemb_list"]), listed["PMemb_list"].isna())
    assert result["parallax"].unit == "mas"
    assert "Membership probability" in result["PMemb"].description


def test_new_probabilities_and_new_sets_leave_no_old_table(tmp_path):
    sets, folder = saved(tmp_path)
    export_tables(folder, ["votable", "fits"])
    judged = replace(sets, candidates=sets.candidates.assign(PMemb=0.25))
    save_candidates(judged, tmp_path)
    assert not exports(folder)
    export_tables(folder, ["votable"])
    written = read_table(folder / "candidates.vot")
    assert (written.loc[~written["training_member"], "PMemb"] == 0.25).all()
    save_sets(sets, tmp_path)
    assert not exports(folder)


def test_build_sets_writes_them_and_removes_what_is_old(toy, tmp_path):
    toy.sources.to_csv(tmp_path / "toy.csv", index=False)
    cone = ConeOptions(cone_source=str(tmp_path / "toy.csv"), cone_format="csv")
    options = BuildOptions(cone=cone, figures=FigureOptions(save_plots=False))

    def build(*formats, **selection):
        chosen = replace(options, selection=SelectionOptions(**selection), export=ExportOptions(formats))
        build_cluster("Toy_1", tmp_path, chosen, tables=tables(toy))
        return exports(tmp_path / "clusters" / "Toy_1")

    assert build("csv") == set()
    assert build("votable") == named("votable")
    assert build("ecsv") == named("votable", "ecsv")  # of the same sets
    assert build("csv") == named("votable", "ecsv")
    assert build("csv", c_margin=0.2) == set()


def test_tables_of_the_users_own_are_left_alone(tmp_path):
    sets, folder = saved(tmp_path)
    (folder / "my_members.vot").write_text("mine")
    save_sets(sets, tmp_path)
    assert (folder / "my_members.vot").read_text() == "mine"


def test_the_run_is_described(tmp_path):
    sets, folder = saved(tmp_path)
    (folder / "cone.json").write_text('{"source": "gaia"}')
    values = {about.name: value for about, value in described_set("members", sets.members, folder).parameters}
    assert values["cluster"] == "Test_1"
    assert values["cluster_dist"] == sets.cluster.dist
    assert values["limit_pm"] == sets.limits.pm
    assert values["option_cone_source"] == values["cone_source"] == "gaia"
    assert "option_overwrite_cone" not in values
    assert "groeningen" in values["reference_2"].lower()
    assert re.fullmatch(r"gaia_oc_amd \d.*", values["creator"])
    assert not [name for name, value in values.items() if value is None]


def test_unknown_formats_are_refused():
    with pytest.raises(ValueError, match=r"table_format is \('hdf5',\), but must be of csv, votable"):
        ExportOptions(("hdf5",))


@pytest.fixture
def stilts():
    found = shutil.which("stilts")
    if not found:
        pytest.skip("stilts is not there: apt-get install --no-install-recommends stilts")
    return found


def lint(stilts, path):
    """What votlint says of a VOTable: nothing if it is right."""
    result = subprocess.run([stilts, "votlint", str(path)], capture_output=True, text=True, check=False)
    return (result.stdout + result.stderr).strip()


def test_votlint_finds_nothing(stilts, tmp_path, table):
    sets, folder = saved(tmp_path)
    export_tables(folder, ["votable"])
    assert lint(stilts, folder / "candidates.vot") == ""
    WRITERS["votable"](tmp_path / "odd.vot", table)
    assert lint(stilts, tmp_path / "odd.vot") == ""
    text = (tmp_path / "odd.vot").read_text()
    (tmp_path / "bad.vot").write_text(text.replace('datatype="long"', 'datatype="integer"'))
    assert lint(stilts, tmp_path / "bad.vot") != ""


def test_votlint_finds_nothing_in_a_real_cone(stilts, shared, tmp_path):
    cone = read_table(shared / "real" / "cones" / "NGC_2509.csv.gz")
    WRITERS["votable"](tmp_path / "real.vot", DescribedTable("NGC_2509 cone", "real stars", cone))
    assert lint(stilts, tmp_path / "real.vot") == ""


def test_stilts_reads_the_numbers_of_votable_and_fits(stilts, tmp_path, table):
    for format in ("votable", "fits"):
        path = tmp_path / f"a{EXPORT_SUFFIXES[format]}"
        WRITERS[format](path, table)
        out = tmp_path / f"{format}.csv"
        subprocess.run([stilts, "tcopy", str(path), str(out), "ofmt=csv"], check=True, capture_output=True)
        result = read_table(out)
        for name in ("source_id", "ra", "pmra", "phot_g_n_obs", "PMemb"):
            np.testing.assert_array_equal(result[name], table.rows[name], err_msg=name)
        assert result["rejected_by"].fillna("").tolist() == table.rows["rejected_by"].tolist()
