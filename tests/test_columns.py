"""Every column has a unit, a valid UCD and a sentence, and the documentation says the same."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from astropy.io.votable.ucd import check_ucd
from astropy.units import Unit
from hand_made_validation import hand_made

from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.columns import SET_COLUMNS, UNITS, describe
from gaia_oc_amd.exports.tables import cluster_parameter
from gaia_oc_amd.simulation.simulate import TRUTH_COLUMNS
from gaia_oc_amd.validation.validate import selection_function

FORMATS = Path(__file__).resolve().parents[1] / "docs" / "file_formats.md"


@pytest.mark.parametrize("name", UNITS)
def test_every_column_is_described(name):
    about = describe(name)
    assert about.text
    assert about.text.isascii()  # FITS headers hold nothing else
    assert "|" not in about.text
    assert check_ucd(about.ucd, check_controlled_vocabulary=True), about.ucd
    if about.unit and about.unit != "log10(yr)":
        Unit(about.unit)


def test_a_wrong_ucd_would_be_found():
    assert not check_ucd("arith.diff;pos.pm", check_controlled_vocabulary=True)
    assert not check_ucd("phot.mag;em.opt.G", check_controlled_vocabulary=True)


def test_no_column_and_no_parameter_is_forgotten():
    assert set(SET_COLUMNS) <= set(UNITS)
    assert {field.name for field in fields(Cluster)} - {"name"} <= set(UNITS)


def test_errors_and_correlations_point_to_what_they_are_of():
    for name in ("parallax", "pmra", "pmdec", "phot_g_mean_mag", "bp_rp", "g_rp", "phot_g_mean_flux"):
        assert describe(f"{name}_error").ucd == f"stat.error;{describe(name).ucd}"
        assert describe(f"{name}_error").unit == describe(name).unit


def test_unknown_columns_have_only_their_name():
    about = describe("my_own")
    assert (about.name, about.unit, about.ucd, about.text) == ("my_own", "", "", "")


def markdown_table(columns):
    rows = ["| column | unit | UCD | what it is |", "| --- | --- | --- | --- |"]
    for about in columns:
        ucd = f"`{about.ucd}`" if about.ucd else ""
        rows.append(f"| `{about.name}` | {about.unit} | {ucd} | {about.text} |")
    return "\n".join(rows)


def test_the_documentation_holds_the_same_tables():
    """If this fails, put the table into the document that the comparison shows."""
    parameters = [field.name for field in fields(Cluster) if field.name != "name"]
    text = FORMATS.read_text()
    assert markdown_table(map(describe, SET_COLUMNS)) in text
    assert markdown_table(map(cluster_parameter, parameters)) in text


def rows_of(heading):
    """Names in the first column of the table under a heading."""
    part = FORMATS.read_text().split(f"### {heading}\n")[1].split("\n#")[0]
    return re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)


def test_the_documentation_knows_the_columns_of_the_other_tables():
    assert rows_of("truth.csv") == list(TRUTH_COLUMNS)
    assert rows_of("selection_function.csv") == list(
        selection_function(hand_made(), (17.0, 18.0), (0.0, 2.0))
    )


def test_the_documentation_names_every_file_that_the_package_writes():
    text = FORMATS.read_text()
    package = FORMATS.parents[1]
    sources = "".join(path.read_text() for path in sorted((package / "gaia_oc_amd").rglob("*.py")))
    written = set(re.findall(r'"(\w+\.(?:csv|json|dat|npz|parquet|lock))"', sources))
    assert {"cluster.json", "candidates.csv", "cone.json", "isochrones.dat", "truth.csv"} <= written
    assert not {name for name in written if f"`{name}`" not in text}
