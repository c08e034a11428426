"""Sexagesimal positions are those of astropy; hours and degrees are told apart."""

import logging

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table

from gaia_oc_amd.column_names import MEMBERS
from gaia_oc_amd.files.sexagesimal import in_degrees
from gaia_oc_amd.files.tables import read_table

BIG = 5853498713190525697
PLACES = SkyCoord([100.33541667, 0.25, 359.99], [9.8833333, -0.5033333, -89.5], unit="deg")


@pytest.mark.parametrize("style", [{"sep": ":"}, {"sep": " "}, {"sep": "hms"}])
def test_hours_and_degrees_of_every_style(style):
    ra = pd.Series(PLACES.ra.to_string(unit="hourangle", precision=6, pad=True, **style))
    if style["sep"] == "hms":
        style = {"sep": "dms"}
    dec = pd.Series(PLACES.dec.to_string(unit="deg", precision=6, alwayssign=True, pad=True, **style))
    np.testing.assert_allclose(in_degrees(ra, "ra", "", "t"), PLACES.ra.deg, atol=1e-8)
    np.testing.assert_allclose(in_degrees(dec, "dec", "", "t"), PLACES.dec.deg, atol=1e-8)


def test_without_seconds_and_with_missing_values():
    values = in_degrees(pd.Series(["6h41m", None, "06 41.5"]), "ra", "", "t")
    np.testing.assert_allclose(values, [100.25, np.nan, 100.375])
    np.testing.assert_allclose(in_degrees(pd.Series(["\u221200 30"]), "dec", "", "t"), -0.5)


@pytest.mark.parametrize(
    ("text", "unit"), [(["100 30 00", "20 00 00"], ""), (["20 30 00"], '"d:m:s"'), (["20d30m00s"], "")]
)
def test_a_right_ascension_in_degrees(text, unit):
    assert in_degrees(pd.Series(text), "ra", unit, "t").iloc[0] == pytest.approx(
        float(text[0][:3].strip("d ")) + 0.5
    )


@pytest.mark.parametrize("text", ["06:61:00", "NGC 2509", "5 to 6", "2024-01-02", ""])
def test_what_is_no_position_stays_text(text):
    assert in_degrees(pd.Series([text, "06 41 20"]), "ra", "", "t") is None


def test_a_list_with_them_says_how_it_was_read(tmp_path, caplog):
    (tmp_path / "m.tsv").write_text(
        'Source\tRAJ2000\tDEJ2000\n\t"h:m:s"\t"d:m:s"\n---\t---\t---\n'
        f"{BIG}\t06 41 20.5\t+09 53 00\n{BIG + 2}\t06 41 21.5\t-00 53 00\n"
    )
    with caplog.at_level(logging.INFO):
        table = read_table(tmp_path / "m.tsv", names=MEMBERS)
    np.testing.assert_allclose(table["ra"], [100.335416667, 100.339583333])
    np.testing.assert_allclose(table["dec"], [9 + 53 / 60, -53 / 60])
    assert "m.tsv has ra as '06 41 20.5': taken as hours, minutes and seconds." in caplog.text


def test_the_columns_that_cds_divides_a_position_into(tmp_path):
    (tmp_path / "m.tsv").write_text(
        f"Source\tRAh\tRAm\tRAs\tDE-\tDEd\tDEm\tDEs\n{BIG}\t6\t41\t20.5\t-\t0\t53\t06\n{BIG + 2}\t6\t41\t\t+\t0\t53\t\n"
    )
    table = read_table(tmp_path / "m.tsv", names=MEMBERS)
    np.testing.assert_allclose(table["ra"], [100.335416667, 100.25])
    np.testing.assert_allclose(table["dec"], [-0.885, 53 / 60])


@pytest.mark.parametrize("unit", ["hourangle", "h"])
def test_a_unit_of_hours_becomes_degrees(tmp_path, unit):
    table = Table({"source_id": [BIG], "ra": [6.5], "dec": [1.0]})
    table["ra"].unit = unit
    table.write(tmp_path / "m.ecsv")
    assert read_table(tmp_path / "m.ecsv", names=MEMBERS)["ra"].tolist() == pytest.approx([97.5])
