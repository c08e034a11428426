"""Units that files state become ours."""

import re

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from gaia_oc_amd.column_names import PARAMETERS
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.files.units import in_our_unit, unit_factor


@pytest.mark.parametrize(
    ("header", "age", "expected"),
    [
        ("age (Gyr)", 1.5, np.log10(1.5e9)),
        ("age [Gyr]", 8.5, np.log10(8.5e9)),  # which a logarithm could be
        ("age (Myr)", 8.5, np.log10(8.5e6)),
        ("age (yr)", 2e8, np.log10(2e8)),
        ("logAge (yr)", 8.5, 8.5),
        ("logAge [Gyr]", 0.2, 0.2),  # refused later, with the cluster's name
        ("age (yr)", 8.5, 8.5),  # a logarithm whose unit is that of its argument
        ("age", 8.5, 8.5),
    ],
)
def test_ages_in_units_of_time_become_logarithms(tmp_path, header, age, expected):
    (tmp_path / "p.csv").write_text(f"name,ra,dec,{header}\nM_67,132.8,11.8,{age}\n")
    assert read_table(tmp_path / "p.csv", names=PARAMETERS)["age"].iloc[0] == pytest.approx(expected)


def test_ages_that_are_missing_or_zero_do_not_decide():
    ages = in_our_unit(pd.Series([0.5, np.nan, 0.0, 2.0]), "Gyr", "age", theirs="Age", origin="p.csv")
    assert ages[[0, 3]].tolist() == pytest.approx(np.log10([5e8, 2e9]))
    assert np.isnan(ages[1])


@pytest.mark.parametrize(
    ("stated", "ours", "factor"),
    [
        ("kpc", "dist", 1000.0),
        ("arcsec/yr", "pmra", 1000.0),
        ("mas.yr-1", "pmra", 1.0),
        ("mas per year", "pmra", 1.0),
        ("milliarcsec/yr", "pmra", 1.0),
        ("MAS/YR", "pmra", 1.0),
        ("degrees", "dec", 1.0),
        ("Radians", "dec", 180 / np.pi),
        ("hours", "ra", 15.0),
        ("milliarcseconds", "parallax", 1.0),
        ("Kiloparsecs", "dist", 1000.0),
        ("Vega mag", "phot_g_mean_mag", 1.0),
        ("mag(Vega)", "phot_g_mean_mag", 1.0),
        ("VEGAMAG", "phot_g_mean_mag", 1.0),
        ("Angle[arcsec]", "parallax", 1000.0),
        ("Angular Velocity[mas/year]", "pmra", 1.0),
        ("mas yr$^{-1}$", "pmdec", 1.0),
        ("mas\u00b7yr-1", "pmdec", 1.0),
        ("magnitudes", "a0", 1.0),
        ("percent", "PMemb", 0.01),
        ("probability", "PMemb", 1.0),
        ("[yr]", "age", 1.0),
        ("PC", "dist", 1.0),  # no petacoulomb
        ("'electron'.s**-1", "phot_g_mean_flux", 1.0),  # in files of the Gaia archive
        ("---", "ra", 1.0),
        ("none", "pmra", 1.0),
    ],
)
def test_units_in_the_words_that_people_write(recwarn, stated, ours, factor):
    assert unit_factor(stated, ours, "p.csv has X") == pytest.approx(factor)
    assert not recwarn.list


@pytest.mark.parametrize("stated", ["apples", "log[pc]", "Vega"])
def test_a_unit_that_nobody_knows_is_said(stated):
    with pytest.warns(
        UserWarning,
        match=rf"p\.csv has X in {re.escape(repr(stated))}, which is no known unit: it is .* in pc",
    ):
        assert unit_factor(stated, "dist", "p.csv has X") == 1


def test_units_in_headers_and_fits_files(tmp_path):
    header = "name,ra (hours),dec (degrees),pmra (mas/year),dist (kiloparsecs)"
    (tmp_path / "p.csv").write_text(f"{header}\nM_67,8.5,11.8,-11.0,0.8\n")
    table = read_table(tmp_path / "p.csv", names=PARAMETERS)
    assert table[["ra", "dec", "pmra", "dist"]].iloc[0].tolist() == pytest.approx([127.5, 11.8, -11.0, 800.0])
    fits.BinTableHDU.from_columns(
        [
            fits.Column("RA", "D", unit="DEGREES", array=[1.0]),
            fits.Column("DEC", "D", unit="Deg", array=[2.0]),
        ]
    ).writeto(tmp_path / "p.fits")
    assert read_table(tmp_path / "p.fits", names=PARAMETERS)[["ra", "dec"]].values.tolist() == [[1.0, 2.0]]


def test_a_unit_of_another_quantity_is_refused():
    with pytest.raises(ValueError, match=r"p\.csv has X in mag, which is no pc: another column may be meant"):
        unit_factor("mag", "dist", "p.csv has X")
