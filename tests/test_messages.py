"""docs/messages.md says what the program says: messages of files and columns from their causes, others by words."""

import ast
import logging
import re
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table

from gaia_oc_amd.archive.local_tables import LocalTable
from gaia_oc_amd.catalogues.tables import InputTables, read_member_list, read_parameter_table
from gaia_oc_amd.column_names import MEMBERS
from gaia_oc_amd.cone import ConeRegion, no_star_in_cone
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.source_checks import check_sources

ROOT = Path(__file__).resolve().parents[1]
BIG = 5853498713190525697
ROW = re.compile(r"^\| (`.*?`(?:, `.*?`)*) \|", re.MULTILINE)


def rows_of(heading):
    """Messages of each row below a heading."""
    text = (ROOT / "docs/messages.md").read_text()
    part = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]
    return [re.findall(r"`(.*?)`", cell) for cell in ROW.findall(part)]


def pattern(message):
    """Expression of a message, of which ``...``, single capitals, numbers and quotes stand for anything."""
    words = re.split(
        r"(\.\.\.|\bt\.csv\b|\bUNIT\b|\b[A-Z]\b|'[^']*'|\d+(?:\.\d+)?|\(a\.csv, b\.csv\))", message
    )
    return "".join(re.escape(word) if not number % 2 else ".*?" for number, word in enumerate(words))


MEMBER_TEXT = "cluster,source_id,ra,dec,PMemb\n" + "".join(
    f"M_67,{BIG + 2 * i},{132.8 + i / 100},11.8,0.7\n" for i in range(12)
)


def written(name, content):
    return lambda folder: (folder / name).write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )


def zipped(folder):
    with zipfile.ZipFile(folder / "t.csv", "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "x")


def workbook(folder):
    with zipfile.ZipFile(folder / "t.csv", "w") as archive:
        archive.writestr("xl/workbook.xml", "x")


def damaged_ipac(folder):
    table = Table({"source_id": [BIG, BIG + 2]})
    table.write(folder / "t.csv", format="ascii.ipac")
    (folder / "t.csv").write_text((folder / "t.csv").read_text().replace(str(BIG), "x" * 19))


VOTABLE = (
    '<?xml version="1.0"?>{before}<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
    '<RESOURCE type="results">{inside}</RESOURCE></VOTABLE>'
)
CAUSES = [
    lambda folder: None,  # no such file
    lambda folder: (folder / "t.csv").mkdir(),
    written("t.csv", ""),
    written("t.csv", "<html>503</html>"),
    written("t.csv", '{"error": 5}'),
    workbook,
    zipped,
    written("t.csv", b"\0" * 257 + b"ustar\x0000"),
    written("t.csv", "%PDF-1.5"),
    written("t.csv", "\\begin{table}\n"),
    written("t.csv", b"source_id\n" + bytes(400)),
    written("t.csv", "5,1.5\n6,2.5\n"),
    written("t.csv", MEMBER_TEXT.replace(f"M_67,{BIG + 4},", "M_67,")),
    written("t.csv", MEMBER_TEXT[:-20]),
    written("t.csv", MEMBER_TEXT + "Note: stars of the halo\n"),
    written("t.csv", MEMBER_TEXT.replace("\nM", "\n1,M")),
    written("t.csv", MEMBER_TEXT.replace(",", " ").replace(" ", ",", 4)),
    damaged_ipac,
    lambda folder: fits.PrimaryHDU(np.zeros((3, 3))).writeto(folder / "t.csv"),
    written("t.csv", VOTABLE.format(before="", inside='<INFO name="QUERY_STATUS" value="OVERFLOW"/>')),
    written("t.csv", VOTABLE.format(before="", inside='<INFO name="QUERY_STATUS" value="ERROR">No</INFO>')),
    written("t.csv", VOTABLE.format(before="", inside="<TABLE><DATA><FITS><STREAM/></FITS></DATA></TABLE>")),
    written("t.csv", VOTABLE.format(before='<!DOCTYPE VOTABLE [<!ENTITY a "b">]>', inside="")),
    written("t.csv", "a," * 20_000),
    written("t.csv", b"SIMPLE  =   T"),
    written("t.csv", "source_id,PMemb\n" + "".join(f"{BIG + 2 * i},1\n" for i in range(50))),
    written("t.csv", MEMBER_TEXT.replace("source_id", "star")),
    written("t.csv", MEMBER_TEXT.replace("source_id", "star").replace("ra,dec", "l,b")),
    written("t.csv", re.sub(r"\d{19},", "2MASS J08514355,", MEMBER_TEXT)),
    lambda folder: fits.BinTableHDU.from_columns(
        [fits.Column("source_id", "K", array=[BIG]), fits.Column("pmra", "D", unit="apples", array=[1.0])]
    ).writeto(folder / "t.csv"),
    written("t.csv", MEMBER_TEXT.replace("PMemb", "ra")),
    written("t.csv", MEMBER_TEXT.replace("\n", "\n-,-,mag,deg,-\n", 1)),
    written("t.csv", re.sub(r",13[23]\.\d+,", ",08 51 24,", MEMBER_TEXT)),
    written("t.csv", MEMBER_TEXT.replace("11.8", "north")),
    written("t.csv", MEMBER_TEXT.replace("11.8", "north", 1)),
    written("t.csv", MEMBER_TEXT.replace("M_67", "", 1)),
    written("t.csv", MEMBER_TEXT.replace("0.7\n", "-1\n")),
    written("t.csv", MEMBER_TEXT.replace("11.8", "118")),
    written("t.csv", MEMBER_TEXT.replace("0.7\n", "700\n")),
    written("t.csv", f"source_id\n{BIG}\n{BIG + 2}\n"),
    written("t.csv", MEMBER_TEXT.replace("0.7\n", "70\n")),
    written("t.csv", MEMBER_TEXT + MEMBER_TEXT.partition("\n")[2]),
    written("t.csv", re.sub(r"\d{4},132", "000,132", MEMBER_TEXT)),
    written("t.csv", re.sub(r"(\d{19}),", lambda number: f"{int(float(number[1]))},", MEMBER_TEXT)),
    written("t.csv", f"source_id,PMemb\n{BIG}.0,1\n{BIG + 2}.0,1\n"),
]


def test_the_page_is_read():
    assert len(rows_of("Files")) > 20
    assert len(rows_of("Columns and values")) > 25
    assert re.fullmatch(pattern("t.csv has dec X deg"), "/tmp/t.csv has dec 118 deg".removeprefix("/tmp/"))


def said(call):
    """All that a call says: its error, its warnings and its lines of information."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("gaia_oc_amd")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                call()
            except (ValueError, OSError, ClusterError) as error:
                lines.append(str(error))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    return lines + [str(warning.message) for warning in caught]


def star_messages(stars, folder):
    """What is said of tables of stars, and of a parameter table."""
    lines = []
    for change in (
        lambda t: t.assign(phot_bp_mean_mag=99.999),
        lambda t: t.assign(pmra=t["pmra"].mask(t.index == 3)),
        lambda t: t.drop(columns=["pmra"]),
        lambda t: t.assign(source_id=t["source_id"].where(t.index != 3, -1)),
        lambda t: t.assign(source_id=-t["source_id"]),
        lambda t: t.assign(parallax_error=t["parallax_error"].mask(t.index == 3, 0.0)),
        lambda t: t.assign(phot_g_mean_mag=50.0),
        lambda t: t.assign(pmra_error=1e3 * t["pmra_error"]),
        lambda t: t.assign(ref_epoch=2015.5),
        lambda t: t.assign(ra=1.0),
        lambda t: t.assign(phot_bp_mean_mag=t["phot_rp_mean_mag"] - 1),
        lambda t: pd.concat([t, t.iloc[:2]]),
        lambda t: pd.concat([t, t.iloc[:2].assign(pmra=0.5)]),
    ):
        change(stars).to_csv(folder / "t.csv", index=False)
        lines += said(lambda: check_sources(LocalTable(folder / "t.csv").whole(), str(folder / "t.csv")))
    lines.append(str(no_star_in_cone(stars, ConeRegion(1.0, 1.0, 0.1, 0, 0, 1, 1, 1), str(folder / "t.csv"))))
    (folder / "t.csv").write_text(
        "name,ra,dec,pmra,pmdec,dist,age\na,1,1,1,1,1,9\nb,1,1,1,1,1,100\nc,1,1,1,1,1,200\n"
    )
    lines += said(lambda: read_parameter_table(folder / "t.csv"))
    twice = "name,ra,dec,pmra,pmdec,parallax\nM_67,1,1,1,1,1\nm 67,1,1,2,1,1\n"
    (folder / "t.csv").write_text(twice)
    read = read_parameter_table(folder / "t.csv")
    tables = InputTables(read, str(folder / "t.csv"), None, None, pd.DataFrame(), None)
    return lines + said(lambda: tables.parameters_of("M_67"))


ELSEWHERE = {
    "the source table has neither phot_g_n_obs nor phot_g_mean_flux ...",
    "--members_path is of one cluster, but N are named.",
}
"""Messages of later steps, whose words are looked for in the code."""


def test_files_and_columns_say_what_the_page_says(tmp_path, toy):
    lines = []
    for number, cause in enumerate(CAUSES):
        (tmp_path / str(number)).mkdir()
        cause(tmp_path / str(number))
        lines += said(lambda path=tmp_path / str(number) / "t.csv": read_member_list(path))
    lines += said(lambda: MEMBERS.with_given(["ra"])) + said(lambda: MEMBERS.with_given(["raa=x"]))
    (tmp_path / "stars").mkdir()
    lines += star_messages(toy.sources, tmp_path / "stars")
    assert [line for line in lines if "\n" in line] == []
    missing = [
        messages
        for messages in (*rows_of("Files"), *rows_of("Columns and values"))
        if messages[0] not in ELSEWHERE
        and not any(re.search(pattern(message), line) for message in messages for line in lines)
    ]
    assert not missing, " / ".join("|".join(messages) for messages in missing)


def words_of_the_code():
    """Constant text of the package, of each formatted string put together."""
    for path in (ROOT / "gaia_oc_amd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.parametrize("heading", ["Inputs against each other", "Isochrones", "First members"])
def test_the_other_messages_are_in_the_code(heading):
    code = "\n".join(words_of_the_code())
    placeholders = (
        r"folder\b|\.\.\.|\bi\.dat\b|\b[A-Z](?:_B)?\b|'\.\.\.'|\d+(?:\.\d+)?(?:, \d\.\d)?|\b(?:PARSEC|MIST)\b"
        r"|G_RPmag|g_rp|phot_\w+|pmra(?=_error)|: |--\w+"
    )
    for message in (*(messages[0] for messages in rows_of(heading)), *ELSEWHERE):
        fragments = [part.strip(" ,.:") for part in re.split(placeholders, message)]
        longest = max(fragments, key=len)
        assert longest in code, message
