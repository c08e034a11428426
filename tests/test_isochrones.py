"""Isochrone files and their placement."""

import numpy as np
import pandas as pd
import pytest
from toy_field import toy_field

from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.isochrones import Isochrone, nearest_age, place_isochrone, read_isochrones
from gaia_oc_amd.photometry import passband_extinction

HEADER = "# Zini MH logAge Mini int_IMF Mass logL logTe logg label mbolmag Gmag G_BPmag G_RPmag"
ROW = "0.0152 0.0 8.5 1.0 1.0 1.0 0.0 3.76 4.4 1 4.7 4.6 4.9 4.1"


def write(tmp_path, *lines):
    path = tmp_path / "isochrones.dat"
    path.write_text("\n".join([*lines, "#isochrone terminated"]) + "\n")
    return path


def test_column_names_come_from_the_last_comment_line(tmp_path):
    names, values = HEADER.lstrip("# ").split(), ROW.split()
    path = write(tmp_path, "# something", "# " + " ".join(names[::-1]), " ".join(values[::-1]))
    assert read_isochrones(path)["logTe"].iloc[0] == 3.76


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["# only comments"], "has no isochrone table"),
        ([HEADER.replace("G_RPmag", "Rmag"), ROW], "lacks the columns G_RPmag"),
        ([HEADER, ROW, ROW[:20]], "looks truncated"),
        ([HEADER, ROW[:20]], "looks truncated"),
        ([HEADER, ROW, ROW + " 1"], "looks truncated"),
        ([HEADER, ROW + " 1"], "looks truncated"),
        ([HEADER, ROW.replace("3.76", "nan")], "has missing values"),
        ([HEADER, ROW.replace("3.76", "abc")], "no number"),
    ],
)
def test_damaged_files_are_refused(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        read_isochrones(write(tmp_path, *lines))


def test_file_that_does_not_end_as_it_should_is_doubted(tmp_path):
    path = tmp_path / "isochrones.dat"
    path.write_text(f"{HEADER}\n{ROW}\n")
    with pytest.warns(UserWarning, match="is it complete"):
        read_isochrones(path)


def points(**columns):
    table = pd.DataFrame(
        {
            "Zini": 0.0152,
            "logAge": 8.5,
            "logTe": 3.75,
            "logg": 4.5,
            "label": [1, 3, 4, 8],
            "Mini": [1.0, 1.2, 1.21, 1.3],
            "Gmag": [5.0, 1, 2, 0],
            "G_BPmag": [5.3, 1.5, 2.5, 0],
            "G_RPmag": [4.5, 0.3, 1.3, 0],
        }
    )
    return table.assign(**columns)


def test_nearest_age_and_metal_fraction_are_chosen():
    table = pd.concat([points(logAge=a, Zini=z) for a in (8.4, 8.5, 8.6) for z in (0.01, 0.015, 0.02)])
    chosen = nearest_age(table, 8.47)
    assert set(chosen["logAge"]) == {8.5}
    assert set(chosen["Zini"]) == {0.015}
    assert chosen["label"].max() <= 7
    with pytest.warns(UserWarning, match="no isochrone within 0.2 dex"):
        nearest_age(table, 9.0)
    with pytest.raises(ClusterError, match="is that of 8.60, more than 0.5 dex away"):
        nearest_age(table, 9.9)


def test_placed_isochrone_has_modulus_extinction_and_a_gap_at_the_helium_flash():
    chosen = nearest_age(points(), 8.5)
    isochrone = place_isochrone(chosen, 1000.0, 0.7)
    teff = np.full(1, 10**3.75)
    extinction = {band: passband_extinction(band, teff, 0.7)[0] for band in ("G", "Grp")}
    assert isochrone.g[0] == pytest.approx(5 + 10 + extinction["G"])
    assert isochrone.colour[0] == pytest.approx(0.5 + extinction["G"] - extinction["Grp"])
    assert np.isnan(isochrone.g).tolist() == [False, False, True, False]


def test_extinction_coefficients_are_those_of_dustapprox():
    teff = np.array([4000.0, 6000.0, 20000.0])
    np.testing.assert_allclose(
        passband_extinction("G", teff, 0.7) / 0.7, [0.83873, 0.89550, 1.09468], atol=1e-5
    )
    np.testing.assert_array_equal(passband_extinction("G", [8e4], 0.7), passband_extinction("G", [5e4], 0.7))
    assert passband_extinction("Grp", [6000.0], 0.0)[0] == 0


def test_real_files_of_every_form_version_are_read(shared):
    for path in sorted((shared / "real" / "isochrones").glob("*.dat")):
        chosen = nearest_age(read_isochrones(path), 8.0)
        isochrone = place_isochrone(chosen, 1000.0, 0.3)
        assert len(isochrone.g) > 100
        assert np.nanmax(isochrone.colour) < 2


@pytest.mark.parametrize("colour", ["g_rp", "bp_rp", "bp_g"])
def test_an_isochrone_in_another_colour_is_the_one_placed_in_it(colour):
    table = points(Gmag=[5.0, 1, 2, 0])
    magnitudes = place_isochrone(table, 500.0, 0.4)
    other = magnitudes.in_colour(colour)
    if colour == "bp_g":
        np.testing.assert_allclose(other.colour, magnitudes.bp - magnitudes.g)
    else:
        np.testing.assert_allclose(other.colour, place_isochrone(table, 500.0, 0.4, colour=colour).colour)
    assert len({len(values) for values in vars(other).values()}) == 1
    assert np.isnan(other.mass).tolist() == np.isnan(other.g).tolist()


def test_an_isochrone_of_one_colour_has_no_other():
    with pytest.raises(ValueError, match="build them again"):
        Isochrone(np.array([0.0, 1.0]), np.array([10.0, 12.0])).in_colour("bp_rp")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dist": 0.0}, "dist is 0.0"),
        ({"dist": -5.0}, "dist is -5.0"),
        ({"dist": np.nan}, "dist is nan"),
        ({"a0": np.inf}, "a0 inf"),
        ({"colour": "b_v"}, "colour 'b_v'"),
    ],
)
def test_an_isochrone_is_placed_nowhere_that_cannot_be(changes, message):
    points = nearest_age(toy_field().isochrones, 8.5)
    with pytest.raises(ValueError, match=message):
        place_isochrone(points, **({"dist": 1000.0, "a0": 0.0} | changes))


def test_no_age_has_no_nearest_isochrone():
    table = toy_field().isochrones
    for isochrones, age in ((table, np.nan), (table.iloc[:0], 8.0)):
        with pytest.raises(ValueError, match="no isochrone of"):
            nearest_age(isochrones, age)
    with pytest.raises(ValueError, match=r"lack the column\(s\) Zini, logAge, label: take"):
        nearest_age(table[["Gmag"]], 8.0)
