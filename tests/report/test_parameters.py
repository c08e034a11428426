"""Parameters with their errors, beside those of the catalogues that are there."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from report_sets import report_sets

from gaia_oc_amd.profiles import KingProfile
from gaia_oc_amd.report.page import write_report
from gaia_oc_amd.report.parameters import king_profile_of, literature_values, parameter_table
from gaia_oc_amd.spatial import SpatialSummary, number_interval


@pytest.fixture(scope="module")
def sets():
    return report_sets()


def rows_of(table):
    """Cells by quantity and heading."""
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


def test_parameters_carry_formal_and_systematic_errors(sets):
    cluster = replace(sets.cluster, parallax_mean_error=0.0042, age=9.3)
    rows = rows_of(parameter_table(replace(sets, cluster=cluster)))
    parallax, distance = rows["parallax ϖ"], rows["distance of 1 / ϖ"]
    assert (parallax["value"], parallax["± formal"]) == ("2.0000", "0.0042")
    assert (parallax["± Gaia's systematic"], parallax["spread of members"]) == ("0.011", "0.050")
    assert (distance["value"], distance["± formal"]) == ("500", "1")
    assert distance["± Gaia's systematic"] == "5"  # 1000 hypot(0.015, 0.011) / 2^2
    assert rows["proper motion μδ"]["± Gaia's systematic"] == "0.026"
    assert rows["proper motion μδ"]["± formal"] == "–"  # not known, not 0
    assert "2.00 Gyr" in rows["log10(age / yr)"]["from"]


def test_a_parallax_that_says_nothing_gives_no_distance(sets):
    cluster = replace(sets.cluster, parallax=0.03, parallax_mean_error=0.01)
    assert rows_of(parameter_table(replace(sets, cluster=cluster)))["distance of 1 / ϖ"]["value"] == "–"


def test_galactic_coordinates_are_those_of_astropy(sets):
    rows = rows_of(parameter_table(sets))
    galactic = SkyCoord(sets.cluster.ra, sets.cluster.dec, unit="deg").galactic
    assert float(rows["galactic longitude l"]["value"]) == pytest.approx(galactic.l.deg, abs=1e-4)
    assert float(rows["galactic latitude b"]["value"]) == pytest.approx(galactic.b.deg, abs=1e-4)


def test_the_tidal_radius_stands_with_its_error_or_the_reason(sets):
    covariance = np.diag([1.0, 0.1, 0.95, 0.1]) ** 2
    king = KingProfile(30.0, 1.2, 14.24, 0.0, covariance=covariance)
    row = rows_of(parameter_table(sets, king=king))["tidal radius"]
    assert (row["value"], row["± formal"]) == ("14.24", "0.95")
    none = rows_of(parameter_table(sets, king="no King profile: few members"))["tidal radius"]
    assert (none["value"], none["from"]) == ("–", "no King profile: few members")
    assert "no members" in king_profile_of(
        replace(
            sets, members=sets.members[:0], judged_members=sets.members[:0], candidates=sets.candidates[:0]
        ),
        0.5,
    )


def test_the_number_of_members_stands_with_its_interval(sets):
    summary = SpatialSummary(364.0, 34.0, 1.2, 0.2, 1.95, 0.25, 0.07, 0.06, 0.06, 0.04, 0.0, 0.01)
    rows = rows_of(parameter_table(sets, spatial=summary))
    low, high = number_interval(364.0, 34.0)
    assert rows["number of members in the cone"]["from"].endswith(f"68 %: {low:.0f} to {high:.0f}")
    half = rows["half-number radius"]
    assert (half["value"], half["± formal"], half["unit"]) == ("1.95", "0.25", "pc")


def test_catalogues_that_are_there_say_what_they_say(sets, tmp_path):
    columns = {"name": ["NGC 1", "Test 1"], "ra": [5.0, 0.25], "dec": [1.0, 60.01], "pmra": [0.0, -2.04]}
    columns |= {"pmdec": [0.0, 1.02], "parallax": [1.0, 1.98], "pmra_error": 0.1, "pmdec_error": 0.1}
    table = pd.DataFrame(
        columns | {"parallax_error": 0.1, "age": [8.0, 8.61], "a0": 0.5, "dist": [1000.0, 507.0]}
    )
    table.to_csv(tmp_path / "hunt23_parameters.csv", index=False)
    (tmp_path / "cluster_parameters.csv").write_text("no table of clusters\n")
    found = literature_values("test_1", tmp_path)
    assert list(found) == ["HUNT23"]
    rows = rows_of(parameter_table(sets, literature=found))
    assert rows["parallax ϖ"]["HUNT23"] == "1.980"
    assert rows["log10(age / yr)"]["HUNT23"] == "8.61"
    assert rows["distance of the isochrone"]["HUNT23"] == "507"
    assert rows["own scatter in parallax"]["HUNT23"] == ""
    assert literature_values("Test_2", tmp_path) == {}


def test_what_a_fit_found_stands_with_its_range(sets, tmp_path):
    fit = {"age": 9.166, "age_lower": 9.137, "age_upper": 9.205, "a0": 0.24, "a0_lower": 0.2, "a0_upper": 0.27,
           "dist": 2434.0, "dist_lower": 2380.0, "dist_upper": 2489.0, "n_stars": 298, "metal_fraction": 0.02,
           "age_limit": ""}  # fmt: skip
    rows = rows_of(parameter_table(sets, fit))
    assert rows["log10(age / yr), fitted"]["value"] == "9.17"
    assert rows["log10(age / yr), fitted"]["± formal"] == "0.03"
    assert rows["distance, fitted"]["from"] == "fit_isochrone.py, 2,380 to 2,489"
    folder = tmp_path / "clusters" / "Test_1"
    folder.mkdir(parents=True)
    assert "no 68 % confidence intervals" not in write_report(sets, tmp_path).read_text()
    (folder / "isochrone_fit.json").write_text(json.dumps({"fit": fit}))
    assert "no 68 % confidence intervals" in write_report(sets, tmp_path).read_text()
