"""A table is the same in every packing; an archive that leaves open which table is meant is refused."""

import bz2
import gzip
import lzma
import zipfile

import pytest

from gaia_oc_amd.files.bounds import OutsizedError
from gaia_oc_amd.files.packed import file_content
from gaia_oc_amd.files.tables import read_table

TEXT = "source_id,ra\n5853498713190525697,1.5\n5853498713190525699,2.5\n"


def in_zip(path, *names, text=TEXT):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, text)


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("t.csv.gz", gzip.compress),
        ("twice.csv.gz", lambda content: gzip.compress(gzip.compress(content))),
        ("marked.csv.gz", lambda content: gzip.compress(b"\xef\xbb\xbf" + content)),
        ("t.csv.bz2", bz2.compress),
        ("t.csv.xz", lzma.compress),
    ],
)
def test_packings_give_the_same_rows(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(TEXT.encode()))
    table = read_table(tmp_path / name)
    assert table["source_id"].tolist() == [5853498713190525697, 5853498713190525699]
    assert table["ra"].tolist() == [1.5, 2.5]


def test_a_zip_archive_of_one_table_is_that_table(tmp_path):
    in_zip(tmp_path / "t.zip", "members/t.csv", "__MACOSX/members/._t.csv", "members/.DS_Store")
    assert len(read_table(tmp_path / "t.zip")) == 2


def test_archives_of_several_files_and_workbooks_are_refused(tmp_path):
    in_zip(tmp_path / "t.zip", "a.csv", "b.csv")
    with pytest.raises(
        ValueError, match=r"a zip archive of 2 files \(a\.csv, b\.csv\): unpack it, and name one"
    ):
        read_table(tmp_path / "t.zip")
    in_zip(tmp_path / "t.xlsx", "[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml")
    with pytest.raises(
        ValueError, match=r"a workbook of a spreadsheet: save its sheet as CSV, with source_id as"
    ):
        read_table(tmp_path / "t.xlsx")
    (tmp_path / "t.zip").write_bytes((tmp_path / "t.xlsx").read_bytes()[:60])
    with pytest.raises(ValueError, match=r"a zip archive that cannot be unpacked: "):
        read_table(tmp_path / "t.zip")


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, gzip.compress])
def test_nothing_is_unpacked_beyond_the_bound(tmp_path, monkeypatch, pack):
    monkeypatch.setattr("gaia_oc_amd.files.bounds.LARGEST_TEXT", 1000)
    monkeypatch.setattr("gaia_oc_amd.files.bounds.unpacked.__defaults__", (1000,))
    monkeypatch.setattr("gaia_oc_amd.files.bounds.within_bound.__defaults__", (1000,))
    (tmp_path / "t").write_bytes(pack(bytes(100_000)))
    with pytest.raises(OutsizedError, match="it unpacks to more than 1000 bytes"):
        file_content(tmp_path / "t")


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"\x28\xb5\x2f\xfd" + bytes(40), "packed with zstd: unpack it"),
        (b"\x1f\x9d\x90" + bytes(range(40)), "packed with compress: unpack it"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(40), "packed with 7-Zip: unpack it"),
        (bytes(range(65, 90)).ljust(257, b"\0") + b"ustar\x0000", "a tar archive: unpack it"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
            "a workbook of an old spreadsheet: save its sheet",
        ),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), "an HDF5 file: write its table as FITS, Parquet or CSV"),
        (b"\x93NUMPY\x01\x00v\x00", "an array of NumPy: write it as CSV"),
        (rb"{\rtf1\ansi source_id,ra\n}", "a formatted document: save it as plain text"),
        (b'{"error": "no such job"}', "JSON, an error of a server perhaps"),
        (b'[{"source_id": 5}]', "JSON, an error of a server perhaps"),
        (b"%PDF-1.7", "a PDF document: copy its table"),
        (b"\n\n<HTML><body>503</body>", "a web page, an error of the server perhaps"),
        (b"source_id,ra\n" + bytes(512), "no text: it has zero bytes"),
        (b"\x01\x02\x03 abc", "no text: it has control bytes"),
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.dat"])
def test_files_of_other_kinds_are_called_by_their_names(tmp_path, name, head, message):
    (tmp_path / name).write_bytes(head)
    with pytest.raises(ValueError, match=rf"cannot be read as a table \(it is .*{message}") as caught:
        read_table(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["t.vot", "t.fits", "t.csv"])
def test_a_web_page_under_any_name(tmp_path, name):
    (tmp_path / name).write_text("<!DOCTYPE html>\n<html><head><title>503</title></head></html>")
    with pytest.raises(ValueError, match="it is a web page, an error of the server perhaps"):
        read_table(tmp_path / name)
