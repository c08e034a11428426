"""The same table in every dialect, encoding, container and spelling of a missing value gives the same stars."""

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import zipfile

import numpy as np
import pandas as pd
import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gaia_oc_amd.column_names import MEMBERS, SOURCES
from gaia_oc_amd.files.tables import read_table

BIG = 5853498713190525696  # not representable as a float
N = 30


@pytest.fixture(scope="module")
def stars():
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "source_id": BIG + np.arange(N) * 3,
            "ra": rng.uniform(0, 360, N).round(9),
            "pmra": rng.normal(size=N).round(6),
            "phot_bp_mean_mag": np.where(np.arange(N) % 7 == 3, np.nan, rng.uniform(8, 20, N).round(4)),
            "n_obs": rng.integers(100, 500, N),
            "cluster": pd.Series(np.resize(["NGC 2509", "Cl* \u03b1 Per", "Melotte_22"], N), dtype="str"),
        }
    )


def assert_same(result, stars):
    for name in ("source_id", "ra", "pmra", "phot_bp_mean_mag", "n_obs"):
        np.testing.assert_array_equal(result[name].to_numpy(float), stars[name].to_numpy(float), err_msg=name)
    assert result["source_id"].dtype == np.int64
    assert result["source_id"].tolist() == stars["source_id"].tolist()
    assert result["cluster"].tolist() == stars["cluster"].tolist()


def rows_of(stars, missing, point="."):
    """Cells as text."""
    for row in stars.itertuples(index=False):
        cells = [missing if isinstance(cell, float) and np.isnan(cell) else str(cell) for cell in row]
        yield [
            cell.replace(".", point) if name in FLOATS else cell
            for name, cell in zip(stars, cells, strict=True)
        ]


FLOATS = ("ra", "pmra", "phot_bp_mean_mag")
DELIMITERS = {
    "comma": ",",
    "tab": "\t",
    "semicolon": ";",
    "bar": "|",
    "comma and blank": ", ",
    "blanks": "   ",
}


def in_zip(content):
    """An archive as a browser or a Macintosh makes it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("stars.txt", content)
        file.writestr("__MACOSX/._stars.txt", b"\0")
    return archive.getvalue()


PACKED = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zip": in_zip}
UNITS = {"ra": "deg", "pmra": "mas/yr", "phot_bp_mean_mag": "mag"}


def written(stars, *, delimiter, missing, header, comments, ends, point="."):
    mark = DELIMITERS[delimiter]
    if mark == "   ":
        quote = '"{}"'.format
        missing = missing.strip() or "--"
    else:
        quote = "{}".format
    names = list(stars)
    lines = [
        mark.join(quote(c) if " " in c else c for c in cells) for cells in rows_of(stars, missing, point)
    ]
    head = mark.join(names)
    above = {
        "plain": [head],
        "hash": ["#" + head],
        "hash and blank": ["# " + head],
        "units": [head, mark.join(UNITS.get(name, "") or "--" for name in names)],
        "vizier": [
            *(
                head,
                mark.join(UNITS.get(name, " ") if mark != "   " else UNITS.get(name, "--") for name in names),
            ),
            mark.join("-" * 8 for _ in names),
        ],
        "dashes": [head, mark.join("-" * 8 for _ in names)],
    }[header]
    if "before" in comments:
        above = ["# a query of 2024, with commas", "#", "", *above]
    if "between" in comments:
        lines = [*lines[:4], "# the next stars are faint", "", *lines[4:]]
    if "after" in comments:
        lines = [*lines, "# 30 rows", "", "   "]
    return ends.join([*above, *lines]) + ends


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    delimiter=st.sampled_from(sorted(DELIMITERS)),
    missing=st.sampled_from(["", " ", "null", "NULL", "--", "---", "\\N", "nan", "NaN", "N/A"]),
    header=st.sampled_from(["plain", "hash", "hash and blank", "units", "vizier", "dashes"]),
    comments=st.sets(st.sampled_from(["before", "between", "after"])),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
    packed=st.sampled_from(sorted(PACKED)),
    suffix=st.sampled_from([".csv", ".tsv", ".TXT", ".dat", ".asc"]),
)
def test_every_dialect_gives_the_same_stars(
    tmp_path, stars, delimiter, missing, header, comments, ends, encoding, packed, suffix
):
    text = written(stars, delimiter=delimiter, missing=missing, header=header, comments=comments, ends=ends)
    content = text.encode(encoding)
    path = tmp_path / f"t{suffix}{packed}"
    path.write_bytes(PACKED[packed](content))
    assert_same(read_table(path), stars)


@pytest.mark.parametrize("delimiter", ["semicolon", "tab"])
def test_decimal_commas_of_european_spreadsheets(tmp_path, stars, delimiter):
    text = written(
        stars, delimiter=delimiter, missing="", header="plain", comments=(), ends="\r\n", point=","
    )
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    assert_same(read_table(tmp_path / "t.csv"), stars)


def test_cp1252_is_read_where_utf_8_is_not_meant(tmp_path):
    (tmp_path / "t.csv").write_bytes("source_id,cluster\n5,Lyngå 7\n6,Tübingen\n".encode("cp1252"))
    assert read_table(tmp_path / "t.csv")["cluster"].tolist() == ["Lyngå 7", "Tübingen"]


def test_a_hash_in_a_value_is_no_comment(tmp_path):
    (tmp_path / "t.csv").write_text("source_id,cluster\n5,Field #2\n6,M 67\n")
    assert read_table(tmp_path / "t.csv")["cluster"].tolist() == ["Field #2", "M 67"]


def test_thousands_are_not_taken_for_decimals(tmp_path):
    (tmp_path / "t.csv").write_text('source_id,dist\n5,"1,234"\n6,"2,345"\n')
    assert read_table(tmp_path / "t.csv")["dist"].tolist() == ["1,234", "2,345"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source_id,ra,dec\n5,1,2\n6,1\n7,1,2\n", r"line 3 has 2 values, the header 3 columns"),
        ("source_id,ra,dec\n5,1,2\n6,1,2,3\n7,1,2\n", r"line 3 has 4 values, the header 3 columns"),
        ("# note\nsource_id,ra,dec\n5,1,2\n6,1\n7,1,2\n", r"line 4 has 2 values"),
        (
            "source_id,ra,dec\n5,1,2\n6,1",
            r"the last row has fewer columns than the header, 2 and 3: it looks truncated",
        ),
        (
            "5,1,2\n6,1,2\n",
            r"it has no header: the first line that is no comment is '5,1,2', a row of values",
        ),
        ("<!DOCTYPE html><html><body>503</body></html>", r"it is a web page"),
        ("[" + '{"source_id": 5, "ra": 1},' * 20_000 + "]", r"it is JSON"),
        ("% a table\n\\begin{table}\na & b \\\\\n5 & 6 \\\\\n", r"it is LaTeX"),
        ("source_id,ra,dec\n5,1,2\nNote: no, errors\n", r"the last line, 'Note: no, errors', is no row"),
        ("\n \n", r"it is empty"),
    ],
)
def test_the_true_reason_is_said_with_its_line(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"t\.csv cannot be read as a table \({message}"):
        read_table(tmp_path / "t.csv")


def test_columns_that_stand_twice(tmp_path):
    (tmp_path / "t.csv").write_text("source_id,x,ra,x,ra\n5,a,1.5,b,1.5\n6,c,2.5,d,2.5\n")
    assert list(read_table(tmp_path / "t.csv")) == ["source_id", "x", "ra"]
    (tmp_path / "t.csv").write_text("source_id,x,ra,x,ra\n5,a,1.5,b,1.5\n6,c,2.5,d,2.6\n")
    with pytest.raises(ValueError, match="has the column ra more than once, with different values"):
        read_table(tmp_path / "t.csv", names=SOURCES)


def test_several_tables_of_vizier_in_one_file(tmp_path):
    one = "#Table\tclusters\nCluster\tRA_ICRS\tDE_ICRS\n\tdeg\tdeg\n-----\t----\t----\nM_67\t132.8\t11.8\n"
    rows = f"M_67\t{BIG}\t0.7\nM_67\t{BIG + 1}\t1.0\n"
    two = f"\n#Table\tmembers\nCluster\tGaiaDR3\tProba\n\t\t\n-----\t----\t----\n{rows}"
    (tmp_path / "t.tsv").write_text(one + two)
    result = read_table(tmp_path / "t.tsv", names=MEMBERS)
    assert result[["cluster", "source_id", "PMemb"]].values.tolist() == [
        ["M_67", BIG, 0.7],
        ["M_67", BIG + 1, 1.0],
    ]


def test_units_that_the_file_states_become_ours(tmp_path, stars):
    table = Table.from_pandas(stars[["source_id", "ra", "pmra"]])
    table["pmra"].unit, table["ra"].unit = "arcsec/yr", "rad"
    for name, format in (("t.ecsv", "ascii.ecsv"), ("t.fits", "fits"), ("t.vot", "votable")):
        table.write(tmp_path / name, format=format)
        result = read_table(tmp_path / name, names=SOURCES)
        np.testing.assert_allclose(result["pmra"], 1000 * stars["pmra"])
        np.testing.assert_allclose(result["ra"], np.degrees(stars["ra"]))
    table["pmra"].unit = "mag"
    table.write(tmp_path / "t.ecsv", overwrite=True)
    with pytest.raises(ValueError, match=r"has pmra in mag, which is no mas/yr: .* --columns pmra=NAME"):
        read_table(tmp_path / "t.ecsv", names=SOURCES)


def astropy_table(stars):
    table = Table.from_pandas(stars)
    mask = stars["phot_bp_mean_mag"].isna()
    table["phot_bp_mean_mag"] = MaskedColumn(stars["phot_bp_mean_mag"].fillna(0), mask=mask)
    table["cluster"] = np.array(stars["cluster"].tolist())
    return table


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("t.ecsv", {}),
        ("t.ecsv", {"delimiter": ","}),
        ("t.csv", {"format": "ascii.csv"}),
        ("t.txt", {"format": "ascii.commented_header"}),
        ("t.txt", {"format": "ascii.basic"}),
        ("t.tsv", {"format": "ascii.tab"}),
        ("t.txt", {"format": "ascii.fixed_width"}),
        ("t.txt", {"format": "ascii.fixed_width_two_line"}),
        ("t.vot", {"format": "votable"}),
        ("t.votable", {"format": "votable", "tabledata_format": "binary2"}),
        ("t.FITS", {"format": "fits"}),
        ("t.fit", {"format": "fits"}),
        ("t.tbl", {"format": "ascii.ipac"}),
        ("t.mrt", {"format": "ascii.mrt"}),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_astropy_writes(tmp_path, stars, name, keywords, packed):
    stars = stars.assign(cluster=stars["cluster"].str.replace("\u03b1", "alpha"))  # FITS is ASCII
    astropy_table(stars).write(tmp_path / name, **keywords)
    if packed:
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    assert_same(read_table(tmp_path / (f"{name}.gz" if packed else name)), stars)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.parquet", "t.PQ", "t.feather"])
def test_what_pandas_writes(tmp_path, stars, name):
    path = tmp_path / name
    if "csv" in name or "tsv" in name:
        stars.to_csv(
            path,
            index=False,
            sep="\t" if "tsv" in name else ",",
            compression="gzip" if ".gz" in name else None,
        )
    elif "feather" in name:
        stars.to_feather(path)
    else:
        stars.to_parquet(path)
    assert_same(read_table(path), stars)


@pytest.mark.parametrize(
    "format",
    [
        *(
            "csv",
            "ascii",
            "tst",
            "ecsv",
            "ipac",
            "votable-tabledata",
            "votable-binary-inline",
            "votable-binary2-inline",
        ),
        *(
            "fits-basic",
            "fits-plus",
            "fits-var",
            "colfits-basic",
            "colfits-plus",
            "feather",
        ),
        "parquet",
    ],
)
def test_what_topcat_writes(tmp_path, stars, format):
    if shutil.which("stilts") is None:
        pytest.skip("the program stilts, TOPCAT's in a shell, is not installed (apt-get install stilts)")
    stars = stars.assign(cluster=stars["cluster"].str.replace("\u03b1", "alpha"))
    astropy_table(stars).write(tmp_path / "in.vot", format="votable")
    command = [
        "stilts",
        "tcopy",
        f"in={tmp_path / 'in.vot'}",
        "ifmt=votable",
        f"out={tmp_path / 'out.dat'}",
        f"ofmt={format}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "No handler for" in done.stderr:
        pytest.skip(f"this stilts writes no {format}: {done.stderr.strip()[:80]}")
    assert done.returncode == 0, done.stderr
    assert_same(read_table(tmp_path / "out.dat"), stars)


def test_the_table_that_has_the_columns_is_taken_of_several(tmp_path, stars):
    from astropy.io import fits, votable

    other = Table({"name": ["a"], "ra": [1.0]})
    wanted = astropy_table(stars.assign(cluster="x"))
    units = [fits.PrimaryHDU(), fits.table_to_hdu(other), fits.table_to_hdu(wanted)]
    fits.HDUList(units).writeto(tmp_path / "t.fits")
    document = votable.from_table(other)
    document.resources[0].tables.append(votable.from_table(wanted).resources[0].tables[0])
    document.to_xml(str(tmp_path / "t.vot"))
    for name in ("t.fits", "t.vot"):
        assert read_table(tmp_path / name, names=MEMBERS)["source_id"].tolist() == stars["source_id"].tolist()


@pytest.mark.parametrize("layout", ["tabledata", "binary2"])
def test_a_result_that_was_cut_off_is_no_result(tmp_path, stars, layout):
    content = io.BytesIO()
    astropy_table(stars).write(content, format="votable", tabledata_format=layout)
    text = content.getvalue().decode()
    text = text.replace("</TABLE>", '</TABLE><INFO name="QUERY_STATUS" value="OVERFLOW"/>')
    (tmp_path / "t.vot").write_text(text)
    with pytest.raises(
        ValueError, match=r"it says QUERY_STATUS OVERFLOW: the service cut the result .* higher MAXREC"
    ):
        read_table(tmp_path / "t.vot")


def test_identifiers_keep_their_digits_beside_missing_ones_and_empty_rows(tmp_path):
    (tmp_path / "t.csv").write_text(
        f"cluster,source_id,PMemb\nM_67,{BIG + 1},1\nM_67,,1\nM_67,{BIG + 3},1\n,,\n,,\n"
    )
    result = read_table(tmp_path / "t.csv", names=MEMBERS)
    assert result["source_id"].tolist()[::2] == [str(BIG + 1), str(BIG + 3)]
    assert len(result) == 3


@pytest.mark.parametrize("mark", ["#", "//", "%", "!"])
def test_comments_after_the_rows_begin_as_those_before_them(tmp_path, mark):
    text = f"{mark} stars, of 2024\nsource_id,ra,share\n5,1,70%\n6,2,http://a\n{mark} 2 rows, all\n"
    (tmp_path / "t.csv").write_text(text)
    table = read_table(tmp_path / "t.csv")
    assert table["source_id"].tolist() == [5, 6]
    assert table["share"].tolist() == ["70%", "http://a"]


@pytest.mark.parametrize("missing", [".", "?", "*", "masked", "INDEF", "#N/A", "#NUM!", "#DIV/0!", "#VALUE!"])
def test_missing_values_of_other_programs(tmp_path, missing):
    (tmp_path / "t.csv").write_text(f"source_id,ra,parallax\n5,1,{missing}\n6,2,0.5\n7,{missing},0.25\n")
    table = read_table(tmp_path / "t.csv")
    np.testing.assert_array_equal(table["parallax"], [np.nan, 0.5, 0.25])
    np.testing.assert_array_equal(table["ra"], [1, 2, np.nan])


@pytest.mark.parametrize("mark", [",", "\t", " "])
def test_files_that_were_written_one_after_the_other(tmp_path, stars, mark):
    text = stars.to_csv(index=False, sep=mark, na_rep="--")
    header, rows = text.split("\n", 1)
    (tmp_path / "t.csv").write_text(text + text + header + "\n")
    table = read_table(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text(text + rows)
    pd.testing.assert_frame_equal(table, read_table(tmp_path / "t.csv"))
    assert len(table) == 2 * len(stars)
