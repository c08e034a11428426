"""The isochrone fit of clusters in a data directory: which stars, files, the table for build_sets, figure, script."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from printable import assert_printable

from gaia_oc_amd.catalogues.tables import InputTables, read_parameter_table
from gaia_oc_amd.exceptions import ClusterError, TooFewMembersError
from gaia_oc_amd.isochrone_fit.fit import fit_isochrone, fit_summary
from gaia_oc_amd.isochrone_fit.members import fitted_members, mean_parallax
from gaia_oc_amd.isochrone_fit.options import FittedMembersOptions, IsochroneFitOptions
from gaia_oc_amd.isochrone_fit.plots import isochrone_fit_figure
from gaia_oc_amd.options import ConeOptions, MemberOptions
from gaia_oc_amd.set_building import build_sets
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.schematic_isochrones import schematic_isochrones, write_isochrones
from gaia_oc_amd.simulation.simulate import simulate_cluster
from gaia_oc_amd.source_sets import save_sets
from gaia_oc_amd.stages.fit_isochrone import FIT_FILE, FITTED_PARAMETERS, merge_fits, save_fit

ROOT = Path(__file__).resolve().parents[2]
NAME = "Simulated_1"
TRUTH = {"age": 8.5, "a0": 0.5, "dist": 900.0}


@pytest.fixture(scope="module")
def isochrones():
    return schematic_isochrones(np.round(np.arange(8.0, 9.05, 0.1), 2))


@pytest.fixture(scope="module")
def simulated(isochrones):
    options = SimulationOptions(
        **TRUTH, n_members=200, cone_radius=15.0, field_density=500.0, differential_reddening=0.0
    )
    return simulate_cluster(options, isochrones, rng=np.random.default_rng(2), name=NAME)


@pytest.fixture(scope="module")
def data_dir(simulated, isochrones, tmp_path_factory):
    """Tables as a user has them, but the parameters lack age, a0 and dist."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "cones").mkdir()
    simulated.cone.to_csv(folder / "cones" / f"{NAME}.csv", index=False)
    simulated.members.to_csv(folder / "cg18_members.csv", index=False)
    simulated.parameters.assign(age=np.nan, a0=np.nan, dist=np.nan).to_csv(
        folder / "cluster_parameters.csv", index=False
    )
    write_isochrones(folder / "isochrones.dat", isochrones)
    return folder


def tables_of(simulated, isochrones, parameters=None):
    return InputTables(
        parameters=simulated.parameters if parameters is None else parameters,
        parameters_path="parameters.csv",
        members=simulated.members,
        comparison=simulated.members.iloc[:0],
        isochrones=isochrones,
        credentials_path=None,
    )


def cone_options(data_dir):
    return ConeOptions(cone_source=(str(data_dir / "cones"),), cone_radius=15.0)


@pytest.fixture(scope="module")
def fitted(simulated, isochrones, data_dir, tmp_path_factory):
    """The listed members of a cluster of unknown age, and their fit."""
    unknown = simulated.parameters.assign(age=np.nan, a0=np.nan, dist=np.nan)
    members = fitted_members(
        NAME,
        tables_of(simulated, isochrones, unknown),
        tmp_path_factory.mktemp("list"),
        cone=cone_options(data_dir),
    )
    parallax, error = mean_parallax(members.stars)
    fit = fit_isochrone(
        members.stars,
        isochrones,
        parallax=parallax,
        parallax_error=error,
        weights=members.stars["PMemb"].to_numpy(),
        options=IsochroneFitOptions(max_a0=1.0),
        rng=np.random.default_rng(1),
    )
    return members, fit


def test_a_cluster_without_age_is_fitted_from_the_list(fitted, simulated):
    members, fit = fitted
    assert members.origin == "list"
    assert members.known == {}
    assert set(members.stars["source_id"]) <= set(simulated.members["source_id"])
    assert (members.stars["PMemb"] >= 0.7 - 1e-9).all()
    assert abs(fit.age - TRUTH["age"]) < max(3 * fit.age_error, 0.15)
    assert abs(fit.a0 - TRUTH["a0"]) < max(3 * fit.a0_error, 0.1)
    assert abs(fit.dist / TRUTH["dist"] - 1) < max(3 * fit.dist_error / fit.dist, 0.05)


def test_the_parallaxes_are_corrected_for_the_zero_point(fitted):
    parallax, error = mean_parallax(fitted[0].stars)
    assert abs(1000 / parallax / TRUTH["dist"] - 1) < 0.02
    assert 0 < error < 0.01


def test_sets_go_before_the_list(simulated, isochrones, data_dir, tmp_path):
    tables = tables_of(simulated, isochrones)
    member = MemberOptions(prob_threshold=0.7)
    sets = build_sets(NAME, tables, tmp_path, cone=cone_options(data_dir), member=member)
    candidates = sets.candidates.assign(PMemb=np.where(np.arange(len(sets.candidates)) < 5, 0.9, 0.1))
    save_sets(replace(sets, candidates=candidates), tmp_path)
    found = fitted_members(NAME, tables, tmp_path)
    assert found.origin == "sets"
    wanted = {*sets.members["source_id"], *candidates["source_id"].head(5)}
    assert set(found.stars["source_id"]) == wanted
    assert found.known == pytest.approx(
        {key: float(simulated.parameters[key].iloc[0]) for key in ("age", "a0", "dist")}
    )
    listed = fitted_members(
        NAME,
        tables,
        tmp_path,
        cone=cone_options(data_dir),
        options=FittedMembersOptions(from_list=True),
    )
    assert listed.origin == "list"
    with pytest.raises(TooFewMembersError, match="0 stars .* --prob_threshold"):
        fitted_members(
            NAME,
            replace(tables, members=simulated.members.assign(PMemb=0.5)),
            tmp_path,
            cone=cone_options(data_dir),
            options=FittedMembersOptions(from_list=True),
        )


def test_an_unknown_cluster_is_one_line(simulated, isochrones, tmp_path):
    with pytest.raises(ClusterError, match="is in none of the 1 rows"):
        fitted_members("NGC_1", tables_of(simulated, isochrones), tmp_path)


def test_outliers_do_not_move_the_mean_parallax():
    stars = pd.DataFrame({"parallax": [1.0] * 50 + [3.0], "parallax_error": [0.02] * 50 + [0.01]})
    assert mean_parallax(stars)[0] == pytest.approx(1.0)


def test_files_hold_the_fit_and_the_table_goes_back_into_build_sets(fitted, tmp_path):
    members, fit = fitted
    folder = save_fit(fit, members, tmp_path, made_with={"fit": asdict(IsochroneFitOptions())})
    content = json.loads((folder / FIT_FILE).read_text())
    assert content["fit"]["age"] == fit.age
    assert content["made_with"]["fit"]["colour"] == "bp_rp"
    path = merge_fits(["simulated 1"], tmp_path)
    other = pd.read_csv(path).assign(name="Other_1")
    spelt_otherwise = pd.read_csv(path).assign(name="simulated 1")
    pd.concat([other, spelt_otherwise]).to_csv(path, index=False)
    table = read_parameter_table(merge_fits([NAME], tmp_path))
    assert path.name == FITTED_PARAMETERS
    assert list(table["name"]) == ["Other_1", NAME]
    row = table[table["name"] == NAME].iloc[0]
    assert row[["age", "a0", "dist"]].tolist() == pytest.approx([fit.age, fit.a0, fit.dist])
    assert row["parallax_error"] == pytest.approx(members.cluster.parallax_error)


def test_the_figure_shows_the_stars_the_fit_and_the_catalogue(fitted, isochrones):
    members, fit = fitted
    options = IsochroneFitOptions()
    with_catalogue, without = (
        isochrone_fit_figure(NAME, members.stars, fit, isochrones, known, options) for known in (TRUTH, {})
    )
    for figure in (with_catalogue, without):
        assert_printable(figure)
    labels = [
        [text.get_text() for text in figure.legends[0].get_texts()] for figure in (with_catalogue, without)
    ]
    assert labels[0] == [f"members ({len(members.stars):,})", "fit, with 60 draws", "catalogue"]
    assert labels[1] == labels[0][:2]
    few = isochrone_fit_figure(NAME, members.stars, replace(fit, n_stars=50), isochrones, {}, options)
    assert few.legends[0].get_texts()[0].get_text() == f"members ({len(members.stars):,}; 50 fitted)"
    diagram = with_catalogue.axes[0]
    low, high = diagram.get_ylim()
    assert low > members.stars["phot_g_mean_mag"].max() > members.stars["phot_g_mean_mag"].min() > high


def test_the_script_writes_what_it_says(data_dir):
    import fit_isochrone as fit_script

    options = ["--cone_source", data_dir / "cones", "--cone_radius", "15", "--max_a0", "1"]
    result = subprocess.run(
        [sys.executable, ROOT / "fit_isochrone.py", "simulated 1", "NGC_1", "--data_dir", data_dir, *options],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 1, result.stderr  # for NGC_1
    assert "1 of 2 failed" in result.stdout
    assert "Traceback" not in result.stderr
    folder = data_dir / "clusters" / NAME
    assert {"isochrone_fit.json", "isochrone_fit.png", "cone.parquet"} <= {p.name for p in folder.iterdir()}
    table = read_parameter_table(data_dir / FITTED_PARAMETERS)
    assert table["age"].iloc[0] == pytest.approx(TRUTH["age"], abs=0.25)
    names = ("isochrone_fit.json", "isochrone_fit.png", "provenance.json")
    before = {name: (folder / name).stat().st_mtime_ns for name in names}
    given = ["simulated 1", "--data_dir", str(data_dir), *map(str, options)]
    assert fit_script.main(given) == 0
    assert {name: (folder / name).stat().st_mtime_ns for name in names} == before  # it is done
    assert fit_script.main([*given, "--outlier_fraction", "0.12"]) == 0
    assert (folder / "isochrone_fit.json").stat().st_mtime_ns != before["isochrone_fit.json"]


def test_the_summary_has_both_ends_of_the_intervals(fitted):
    cells = fit_summary(fitted[1])
    assert list(cells) == ["stars", "log age", "A0", "dist", "age limit"]
    assert "+" in cells["log age"]
