"""Tables: every format gives the same table back, and no bad file passes for a good one."""

import base64
import gzip
import io
import re

import numpy as np
import pandas as pd
import pytest
from astropy.io import votable
from astropy.table import MaskedColumn, Table

from gaia_oc_amd.column_names import SOURCES
from gaia_oc_amd.files.containers import from_astropy, read_votable
from gaia_oc_amd.files.tables import read_table, whole_numbers, write_csv, write_table

FORMATS = {"votable": "t.vot.gz", "csv": "t.csv", "csv.gz": "t.csv.gz", "parquet": "t.parquet"}
BIG = 5853498713190525696  # not representable as a float


@pytest.fixture
def sources():
    rng = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "source_id": BIG + np.arange(50) * 3,
            "ra": rng.uniform(0, 360, 50),
            "parallax": np.where(np.arange(50) % 7, rng.normal(size=50), np.nan),
            "phot_g_n_obs": rng.integers(0, 500, 50),
            "name": [f"star {i}" if i % 5 else None for i in range(50)],
        }
    ).astype({"name": "str"})


def test_a_csv_is_compressed_if_its_name_says_so(tmp_path, sources):
    for name in ("a.csv.gz", "b.csv.gz", "c.csv"):
        write_csv(tmp_path / name, sources)
    packed, again, plain = ((tmp_path / name).read_bytes() for name in ("a.csv.gz", "b.csv.gz", "c.csv"))
    assert packed == again
    assert gzip.decompress(packed) == plain


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_read_back_to_the_last_digit(tmp_path, sources, format):
    if format == "votable":  # which knows no missing string
        sources["name"] = sources["name"].fillna("")
    write_table(tmp_path / FORMATS[format], sources, format)
    pd.testing.assert_frame_equal(read_table(tmp_path / FORMATS[format]), sources, check_exact=True)


def test_categories_are_written_as_what_they_stand_for(tmp_path):
    kinds = pd.Categorical(["disc", "halo", None, "disc"], categories=["halo", "disc", "bulge"])
    write_csv(tmp_path / "t.csv", pd.DataFrame({"x": [1, 2, 3, 4], "kind": kinds}))
    assert (tmp_path / "t.csv").read_text().split() == ["x,kind", "1,disc", "2,halo", "3,", "4,disc"]


@pytest.mark.parametrize("format", FORMATS)
def test_equal_tables_make_equal_files_and_leave_nothing_else(tmp_path, sources, format):
    for folder in ("a", "b"):
        write_table(tmp_path / folder / FORMATS[format], sources, format)
    first, second = (tmp_path / folder / FORMATS[format] for folder in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert not first.name.endswith(".gz") or first.read_bytes()[4:8] == bytes(4)  # gzip's time
    assert [path.name for path in first.parent.iterdir()] == [FORMATS[format]]


def test_votable_is_understood_by_astropy(tmp_path, sources):
    sources["variable"] = sources["phot_g_n_obs"] > 250
    sources["counts"] = pd.array([None, *range(49)], dtype="Int64")
    write_table(tmp_path / "t.vot", sources, "votable")
    table = votable.parse_single_table(tmp_path / "t.vot", verify="exception").to_table()
    assert table["ra"].unit == "deg"
    assert table["source_id"].dtype == np.int64
    np.testing.assert_array_equal(table["source_id"], sources["source_id"])
    np.testing.assert_array_equal(table["ra"], sources["ra"])
    np.testing.assert_array_equal(table["variable"], sources["variable"])
    assert table["counts"].mask.tolist() == [True] + [False] * 49
    assert read_table(tmp_path / "t.vot")["variable"].dtype == bool


@pytest.mark.parametrize("layout", ["tabledata", "binary", "binary2"])
@pytest.mark.parametrize("characters", ["S", "U"])  # only the first have a fixed size in the stream
def test_votable_of_another_writer(tmp_path, sources, layout, characters):
    table = Table.from_pandas(sources.drop(columns="name"))
    table["flux"] = np.float32([0.7] * 50)
    table["short"] = MaskedColumn(np.arange(50, dtype=np.int16), mask=np.arange(50) == 3, fill_value=-1)
    table["text"] = np.array(["NGC_2509", "M_67"] * 25, dtype=f"{characters}8")
    document = votable.from_table(table)
    document.get_first_table().get_field_by_id("short").values.null = -1
    document.to_xml(str(tmp_path / "t.vot"), tabledata_format=layout)
    result = read_table(tmp_path / "t.vot")
    np.testing.assert_array_equal(result["source_id"], sources["source_id"])
    np.testing.assert_array_equal(result["parallax"], sources["parallax"])
    assert result["flux"].tolist() == [0.7] * 50
    assert result["text"].tolist() == ["NGC_2509", "M_67"] * 25
    assert result["short"].isna().sum() == 1
    assert result.loc[4, "short"] == 4


@pytest.fixture
def numbers(sources):
    """A BINARY2 document of another writer with numbers of every kind, and missing ones."""
    table = Table.from_pandas(sources.drop(columns="name"))
    for kind in ("u1", "i2", "i4", "i8", "f4", "f8"):
        values = np.arange(50).astype(kind) + np.array(0.1).astype(kind)
        table[f"n_{kind}"] = MaskedColumn(values, mask=np.arange(50) % 7 == 3)
    table["n_i8"].unit = "mas"
    document = io.BytesIO()
    votable.from_table(table).to_xml(document, tabledata_format="binary2")
    return document.getvalue()


def test_numbers_of_a_stream_are_those_that_astropy_reads_row_by_row(tmp_path, numbers, monkeypatch):
    (tmp_path / "t.vot").write_bytes(numbers)
    quick, numbers_at_once = read_votable(tmp_path / "t.vot"), []
    monkeypatch.setattr("gaia_oc_amd.files.containers._numbers", lambda *rows: numbers_at_once.append(rows))
    slow = read_votable(tmp_path / "t.vot")
    assert len(numbers_at_once) == 1
    pd.testing.assert_frame_equal(quick[0].rows, slow[0].rows, check_exact=True)
    assert quick[0].units == slow[0].units == {"n_i8": "mas"}
    assert len(quick) == len(slow) == 1


def test_a_stream_is_read_as_a_whole_or_refused(tmp_path, numbers):
    begin, stream, end = re.split(rb"(?<=base64\">)|(?=</STREAM>)", numbers)
    packed = base64.b64decode(stream)
    whole = read_votable_of(tmp_path, numbers)
    spaced = stream.replace(b"\n", b" \r\n\t")
    pd.testing.assert_frame_equal(read_votable_of(tmp_path, begin + spaced + end), whole)
    with pytest.raises(ValueError, match="stream ends within a row"):
        read_votable_of(tmp_path, begin + base64.b64encode(packed[:-5]) + end)
    for damaged in (
        begin,
        begin + stream,
        b"<BINARY2><STREAM encoding='base64'>",
        begin + b"<a>" + stream + end,
    ):
        with pytest.raises(ValueError, match="cannot be read as a table"):
            read_votable_of(tmp_path, damaged)
    second = numbers.replace(
        b"<RESOURCE", b"<RESOURCE><TABLE><FIELD name='x' datatype='int'/></TABLE></RESOURCE><RESOURCE", 1
    )
    pd.testing.assert_frame_equal(read_votable_of(tmp_path, second), whole)


def test_only_what_xml_has_as_the_stream_is_read(tmp_path, numbers):
    """Comments and literal text are astropy's to tell apart; rows that are missing are missed."""
    begin, stream, end = re.split(rb"(?<=base64\">)|(?=</STREAM>)", numbers)
    whole = read_votable_of(tmp_path, numbers)
    left_out = b"<!-- <BINARY2><STREAM encoding='base64'>AAAA</STREAM></BINARY2> --><RESOURCE"
    for same in (
        begin + b"<![CDATA[" + stream + b"]]>" + end,
        begin + stream[: len(stream) // 2] + b"<!-- half -->" + stream[len(stream) // 2 :] + end,
        numbers.replace(b"<RESOURCE", left_out, 1),
        numbers.replace(b"<TABLE", b"<TABLE nrows='50'", 1),
    ):
        pd.testing.assert_frame_equal(read_votable_of(tmp_path, same), whole)
    for rows in (b"49", b"51"):
        with pytest.raises(ValueError, match=rf"it has 50 of its {rows.decode()} rows"):
            read_votable_of(tmp_path, numbers.replace(b"<TABLE", b"<TABLE nrows='" + rows + b"'", 1))


def test_a_votable_without_a_row_is_a_table_without_a_row(tmp_path, sources):
    write_table(tmp_path / "t.vot", sources.iloc[:0].drop(columns="name"), "votable")
    read = read_votable(tmp_path / "t.vot")[0].rows
    assert list(read) == list(sources.drop(columns="name"))
    assert read.empty


def read_votable_of(folder, content):
    (folder / "t.vot").write_bytes(content)
    return read_table(folder / "t.vot", names=SOURCES)


def test_fits_of_another_byte_order_with_masked_and_byte_columns(tmp_path, sources):
    table = Table.from_pandas(sources.drop(columns="name"))
    table["SOURCE_ID"] = table["source_id"]
    table.remove_column("source_id")
    table["text"] = np.array([b"M_67  "] * 50)
    table["n"] = MaskedColumn(np.arange(50), mask=np.arange(50) == 3)
    table["spectrum"] = np.ones((50, 4))
    table.write(tmp_path / "t.fits")
    result = read_table(tmp_path / "t.fits")
    np.testing.assert_array_equal(result["source_id"], sources["source_id"])
    assert all(dtype.isnative for dtype in result.dtypes if isinstance(dtype, np.dtype))
    assert set(result["text"]) == {"M_67"}
    assert result["n"].isna().tolist() == (np.arange(50) == 3).tolist()
    assert "spectrum" not in result


def test_single_precision_has_the_digits_that_were_meant(tmp_path):
    pd.DataFrame({"PMEMB": np.float32([0.1, 0.7, np.nan])}).to_parquet(tmp_path / "t.parquet")
    result = read_table(tmp_path / "t.parquet")["PMemb"]
    assert result.dtype == np.float64
    assert result.tolist()[:2] == [0.1, 0.7]
    assert np.isnan(result[2])


def test_arrow_and_dictionary_columns_become_plain(tmp_path):
    table = pd.DataFrame({"source_id": [BIG], "cluster": ["M_67"], "code": [b"x"]})
    table.astype({"source_id": "int64[pyarrow]", "cluster": "category"}).to_parquet(tmp_path / "t.parquet")
    result = read_table(tmp_path / "t.parquet")
    assert result["source_id"].dtype == np.dtype(np.int64)
    assert result.loc[0].tolist() == [BIG, "M_67", "x"]
    assert not isinstance(result["cluster"].dtype, pd.CategoricalDtype)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.fits", "t.vot"])
def test_missing_source_ids_are_refused_instead_of_rounded(tmp_path, name):
    path = tmp_path / name
    ids = pd.DataFrame({"source_id": pd.array([BIG, None], dtype="Int64"), "ra": [1.0, 2.0]})
    masked = Table({"source_id": MaskedColumn([BIG, 0], mask=[False, True]), "ra": [1.0, 2.0]})
    if name == "t.csv":
        ids.to_csv(path, index=False)
    elif name == "t.parquet":
        ids.to_parquet(path)
    else:
        masked.write(path, format="fits" if name == "t.fits" else "votable")
    with pytest.raises(ValueError, match=r"source_id .*missing in 1"):
        read_table(path)


@pytest.mark.parametrize("text", ["1.5", "5.8e18", "Gaia DR4 12", "99999999999999999999"])
def test_source_ids_that_are_no_integers_are_refused(tmp_path, text):
    (tmp_path / "t.csv").write_text(f"source_id,ra\n{text},1\n")
    with pytest.raises(ValueError, match=r"source_id in .*t\.csv is .*not an integer"):
        read_table(tmp_path / "t.csv")


def test_source_ids_in_strings_are_exact():
    assert whole_numbers(pd.Series([f" {BIG}", "-1"]), "source_id").tolist() == [BIG, -1]


@pytest.mark.parametrize(
    "designation", ["Gaia DR3 {}", "Gaia EDR3 {}", "DR3 {}", "gaia_dr2_{}", " Gaia DR3  {} "]
)
def test_designations_are_identifiers(tmp_path, designation):
    (tmp_path / "t.csv").write_text(f"source_id,ra\n{designation.format(BIG)},1\n{designation.format(7)},2\n")
    assert read_table(tmp_path / "t.csv")["source_id"].tolist() == [BIG, 7]


@pytest.mark.parametrize("format", FORMATS)
def test_a_truncated_file_is_named(tmp_path, sources, format):
    path = tmp_path / FORMATS[format]
    write_table(path, sources, format)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=rf"{path.name} cannot be read as a table"):
        read_table(path)


def test_a_truncated_votable_stream_is_named(tmp_path, sources):
    path = tmp_path / "t.vot"
    write_table(path, sources, "votable")
    whole = path.read_text()
    path.write_text(whole[: whole.index("</STREAM>") - 200])
    with pytest.raises(ValueError, match=r"t\.vot cannot be read"):
        read_table(path)


def test_a_truncated_fits_file_is_named(tmp_path, sources):
    Table.from_pandas(sources[["source_id", "ra"]]).write(tmp_path / "t.fits")
    (tmp_path / "t.fits").write_bytes((tmp_path / "t.fits").read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"t\.fits cannot be read"):
        read_table(tmp_path / "t.fits")


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.vot", "t.fits", "t.parquet"])
@pytest.mark.parametrize("content", [b"", b"<html>Not Found</html>", bytes(range(256)) * 8])
def test_files_of_another_kind_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} cannot be read"):
        read_table(tmp_path / name)


def test_a_votable_that_reports_an_error_is_refused(tmp_path):
    (tmp_path / "t.vot").write_text(
        '<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        '<RESOURCE type="results"><INFO name="QUERY_STATUS" value="ERROR">no</INFO></RESOURCE></VOTABLE>'
    )
    with pytest.raises(ValueError, match=r"t\.vot cannot be read"):
        read_table(tmp_path / "t.vot")


def test_wrong_paths_say_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_table(tmp_path / "t.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileNotFoundError, match="is a folder"):
        read_table(tmp_path / "folder.csv")
    with pytest.raises(ValueError, match="no table format 'fits'"):
        write_table(tmp_path / "t.fits", pd.DataFrame(), "fits")


def test_a_column_given_twice_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("ra,ra\n1,2\n")
    with pytest.raises(ValueError, match="has the column ra more than once, with different values"):
        read_table(tmp_path / "t.csv")


def test_csv_with_byte_order_mark_windows_lines_and_nulls(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfsource_id,ra\r\n%d,null\r\n" % BIG)
    result = read_table(tmp_path / "t.csv")
    assert result["source_id"].tolist() == [BIG]
    assert result["ra"].isna().all()


def test_an_empty_table_is_read(tmp_path, sources):
    for format, name in FORMATS.items():
        write_table(tmp_path / name, sources.iloc[:0], format)
        result = read_table(tmp_path / name)
        assert result.empty
        assert list(result) == list(sources)
        assert result["source_id"].dtype == np.int64


def test_a_failed_write_keeps_the_old_file(tmp_path, sources):
    write_table(tmp_path / "t.vot", sources, "votable")
    before = (tmp_path / "t.vot").read_bytes()
    with pytest.raises((TypeError, ValueError)):
        write_table(tmp_path / "t.vot", sources.assign(ra=["1"] * 49 + ["\ud800"]), "votable")
    assert (tmp_path / "t.vot").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_from_astropy_keeps_integers_where_nothing_is_masked():
    table = Table({"a": np.array([1, 2], ">i8"), "b": MaskedColumn([1, 2], mask=[False, True])}, masked=True)
    result = from_astropy(table)
    assert result["a"].dtype == np.dtype(np.int64)
    assert result["b"].isna().tolist() == [False, True]


@pytest.mark.parametrize("format", FORMATS)
def test_a_real_cone_survives_every_format(tmp_path, shared, format):
    path = shared / "real" / "cones" / "NGC_2509.csv.gz"
    cone = read_table(path)
    write_table(tmp_path / FORMATS[format], cone, format)
    again = read_table(tmp_path / FORMATS[format])
    pd.testing.assert_frame_equal(again, cone, check_exact=True, check_dtype=False)
    plain = pd.read_csv(io.BytesIO(gzip.decompress(path.read_bytes())))
    np.testing.assert_array_equal(again["source_id"], plain["source_id"])


def test_identifiers_beyond_64_bits_are_refused(tmp_path):
    for text in ("9223372036854775808", "19223372036854775807"):
        (tmp_path / "t.csv").write_text(f"source_id,ra\n{text},1\n5,2\n")
        with pytest.raises(ValueError, match="source_id in .*t.csv is"):
            read_table(tmp_path / "t.csv")


def test_rows_longer_than_the_header_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("source_id,ra\n5,1,7\n6,2,8\n")
    with pytest.raises(ValueError, match="more columns than the header"):
        read_table(tmp_path / "t.csv")
