"""Which tables a run reads, a cluster's parameters in them, and clusters that are given by hand."""

import logging
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy_field import toy_field

from gaia_oc_amd.catalogues.lookup import find_cluster
from gaia_oc_amd.catalogues.tables import read_input_tables
from gaia_oc_amd.exceptions import ClusterError, TooFewMembersError, UnknownClusterError
from gaia_oc_amd.options import ConeOptions, GivenCluster, TablePaths
from gaia_oc_amd.set_building import build_sets

ROOT = Path(__file__).resolve().parents[2]
GIVEN = GivenCluster(ra=120.0, dec=-20.0, parallax=1.0, pmra=-3.0, pmdec=2.0)


@pytest.fixture
def data(toy, tmp_path):
    """A data directory with the default catalogues of a toy, whose list and table call it differently."""
    toy.parameters.assign(name="Melotte_22").to_csv(tmp_path / "cluster_parameters.csv", index=False)
    toy.members.assign(cluster="Pleiades").to_csv(tmp_path / "cg18_members.csv", index=False)
    lines = toy.isochrones.to_string(index=False, header=False)
    (tmp_path / "isochrones.dat").write_text(
        f"# {' '.join(toy.isochrones)}\n{lines}\n#isochrone terminated\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (
            {"catalogue": "hunt23"},
            r"hunt23_parameters\.csv .*params\.py --catalogues hunt23 --data_dir \S+` or .*--cluster_path",
        ),
        (
            {"catalogue": "cg20"},
            r"cg20_members\.csv .*params\.py --catalogues cg20 --data_dir \S+` or .*--members_path",
        ),
        ({"comparison_catalogue": "t22"}, r"t22_members\.csv does not exist: .*--catalogues t22"),
    ],
)
def test_a_catalogue_that_is_not_there_names_its_download(data, paths, message):
    with pytest.raises(FileNotFoundError, match=message):
        read_input_tables(data, TablePaths(**paths))


def test_dias_has_no_members_to_compare_with(data):
    with pytest.raises(
        ValueError, match=r"dias21 has no member list to compare with: choose among cg18, cg20"
    ):
        read_input_tables(data, TablePaths(comparison_catalogue="dias21"))


def test_table_and_list_meet_under_different_names(data):
    tables = read_input_tables(data)
    for name in ("M45", "Pleiades", "melotte 22", "Mel 22"):
        cluster = find_cluster(name, tables)
        assert cluster.name == "Melotte_22"
        assert len(tables.listed_members(name)) == len(tables.listed_members(cluster.name)) == 60
    assert tables.listed_members("M44").empty


def test_an_unknown_name_says_which_catalogue_has_it(data, toy):
    toy.parameters.assign(name="HSC_0007").to_csv(data / "hunt24_parameters.csv", index=False)
    tables = read_input_tables(data)
    with pytest.raises(UnknownClusterError, match=r"'HSC 7' .*but hunt24 has it: try --catalogue hunt24"):
        find_cluster("HSC 7", tables)
    with pytest.raises(UnknownClusterError, match=r"none of the 1 rows .*--ra --dec and --members_path"):
        find_cluster("Andromeda", tables)


@pytest.mark.parametrize(
    ("letter", "what"), [("g", "a globular cluster"), ("m", "a moving group"), ("r", "rejected")]
)
def test_other_types_than_open_clusters_are_named(data, toy, letter, what):
    parameters = toy.parameters.assign(name="Melotte_22", type=letter)
    parameters.to_csv(data / "cluster_parameters.csv", index=False)
    with pytest.warns(UserWarning, match=f"Melotte_22 is {what}"):
        find_cluster("M45", read_input_tables(data))
    parameters.assign(type="o").to_csv(data / "cluster_parameters.csv", index=False)
    find_cluster("M45", read_input_tables(data))


def test_a_cluster_that_no_table_knows_is_given(data, toy):
    toy.members.assign(cluster="MyCluster").to_csv(data / "cg18_members.csv", index=False)
    tables = read_input_tables(data)
    whole = replace(GIVEN, age=8.5, a0=0.0, dist=990.0)
    cluster = find_cluster("my cluster", tables, whole)
    assert cluster.name == "my cluster"
    assert asdict(cluster) | whole.values() == asdict(cluster)
    assert cluster.pmra_error == pytest.approx(toy.members["pmra"].std())
    sets = build_sets(
        "MyCluster",
        tables,
        data,
        given=whole,
        cone=ConeOptions(cone_source=_table(toy, data), cone_format="csv"),
    )
    assert len(sets.members) >= 45
    assert sets.cluster.name == "MyCluster"


def _table(toy, folder):
    toy.sources.to_csv(folder / "field.csv", index=False)
    return str(folder / "field.csv")


def test_what_is_assumed_of_a_given_cluster_is_said(data):
    tables = read_input_tables(data)
    with pytest.warns(UserWarning, match=r"age 8\.2, a0 0\.6 is assumed, .* 1000 pc: give .*--age --a0 if"):
        cluster = find_cluster("MyCluster", tables, GIVEN)
    assert cluster.dist == 1000
    assert cluster.pmra_error == pytest.approx(np.hypot(0.1, 0.5 / 4.74))
    near = replace(GIVEN, parallax=None, dist=200.0)
    with pytest.warns(UserWarning, match="is assumed"):
        cluster = find_cluster("MyCluster", tables, near)
    assert cluster.parallax == 5.0
    assert cluster.parallax_error == pytest.approx(np.hypot(0.05, 0.125))
    with pytest.warns(UserWarning, match="is assumed"):
        assert find_cluster("MyCluster", tables, replace(GIVEN, parallax=0.1)).a0 == 1.5


def test_members_without_a_distance_ask_for_one(data, toy):
    toy.members.assign(cluster="MyCluster", parallax=toy.members["parallax"] - 1.2).to_csv(
        data / "cg18_members.csv", index=False
    )
    tables, given = read_input_tables(data), replace(GIVEN, parallax=None)
    with pytest.raises(
        ClusterError, match=r"MyCluster: .* parallax of -0\.198 mas, .* no distance: add --dist"
    ):
        find_cluster("MyCluster", tables, replace(given, age=8.5))
    with pytest.warns(UserWarning, match="at 9000 pc"):
        assert find_cluster("MyCluster", tables, replace(given, dist=9000.0)).dist == 9000


def test_assumed_scatters_are_those_of_real_clusters(data, shared):
    """Within a third of the median of real clusters at the same distance."""
    real = pd.read_csv(shared / "real" / "cluster_parameters.csv")
    tables = read_input_tables(data)
    for lower, upper in ((300, 600), (600, 1000), (1000, 2000), (2000, 3000)):
        median = real[real["dist"].between(lower, upper)].median(numeric_only=True)
        with pytest.warns(UserWarning, match="is assumed"):
            cluster = find_cluster("X 1", tables, replace(GIVEN, parallax=1000 / median["dist"]))
        for name in ("pmra_error", "pmdec_error", "parallax_error", "a0"):
            assert getattr(cluster, name) == pytest.approx(median[name], rel=1 / 3)


def test_given_values_replace_the_tables(data, caplog):
    tables = read_input_tables(data)
    with caplog.at_level(logging.INFO):
        cluster = find_cluster("M45", tables, GivenCluster(age=8.0, parallax=0.9))
    assert (cluster.name, cluster.age, cluster.parallax, cluster.ra) == ("Melotte_22", 8.0, 0.9, 120.0)
    assert cluster.dist == pytest.approx(1000 / 0.9)
    assert (
        "M45: the given values replace the table's: parallax 1 by 0.9, age 8.5 by 8, dist 1000 by 1111.11"
        in (caplog.text)
    )


def test_a_gap_of_the_table_is_filled_by_hand(data, toy):
    gap = toy.parameters.assign(name="Melotte_22", age=np.nan)
    gap.to_csv(data / "cluster_parameters.csv", index=False)
    tables = read_input_tables(data)
    with pytest.raises(
        ClusterError, match=r"has no age in the parameter table: give --age, or another table"
    ):
        find_cluster("M45", tables)
    assert find_cluster("M45", tables, GivenCluster(age=8.1)).age == 8.1


def test_what_is_missing_of_a_given_cluster_is_named(data):
    tables = read_input_tables(data)
    with pytest.raises(
        UnknownClusterError, match=r"'X 1' .* row of the parameter table: add --dec --parallax --pmdec, or"
    ):
        find_cluster("X 1", tables, GivenCluster(ra=1.0, pmra=2.0))


def test_what_is_not_given_comes_from_the_members(data, toy, caplog):
    """In a data directory without any table of parameters."""
    (data / "cluster_parameters.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"cluster_parameters\.csv"):
        read_input_tables(data)
    tables = read_input_tables(data, need_parameters=False)
    with caplog.at_level("INFO"):
        cluster = find_cluster("Pleiades", tables, GivenCluster(ra=120.1, dec=-20.0, age=8.5, a0=0))
    assert (cluster.ra, cluster.dec) == (120.1, -20.0)
    sure = toy.members[toy.members["PMemb"] >= 0.5]
    assert cluster.pmra == sure["pmra"].median()
    assert cluster.parallax == sure["parallax"].median()
    assert cluster.dist == pytest.approx(1000 / cluster.parallax)
    assert "pmra -3" in caplog.text
    assert "listed members" in caplog.text
    assert find_cluster("Pleiades", tables, GivenCluster(dist=1010, age=8.5, a0=0)).ra == pytest.approx(
        120.0, abs=0.05
    )
    with pytest.raises(UnknownClusterError, match="is in none of the 0 rows"):
        find_cluster("Pleiades", tables)


def test_members_around_the_zero_of_right_ascension_have_their_own_mean(data):
    field = toy_field(2, ra=0.0, name="Zero_1")
    field.members.to_csv(data / "cg18_members.csv", index=False)
    cluster = find_cluster("Zero_1", read_input_tables(data), GivenCluster(dist=1000, age=8.5, a0=0))
    assert min(cluster.ra, 360 - cluster.ra) < 0.1


def test_a_given_distance_must_fit_the_parallax(data):
    with pytest.raises(ClusterError, match="do not belong together"):
        find_cluster("M45", read_input_tables(data), GivenCluster(dist=90_000.0))


def test_without_members_no_cone_is_fetched(data):
    closed = ConeOptions(cone_source="http://127.0.0.1:9/tap")
    whole = replace(GIVEN, age=8.5, a0=0.0, pmra_error=0.1, pmdec_error=0.1, parallax_error=0.1)
    with pytest.raises(TooFewMembersError, match="X_1 is not in the member list: members are needed"):
        build_sets("X_1", read_input_tables(data), data, cone=closed, given=whole)
    assert not (data / "clusters").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "x'; DROP TABLE", ".."])
def test_given_names_never_leave_the_data_directory(data, name):
    whole = replace(GIVEN, age=8.5, a0=0.0, pmra_error=0.1, pmdec_error=0.1, parallax_error=0.1)
    with pytest.raises(ValueError, match="cannot name a cluster folder"):
        build_sets(name, read_input_tables(data), data, given=whole)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ra": 361.0}, "ra is 361.0, but must be between 0 and 360"),
        ({"dec": -95.0}, "dec is -95.0, but must be between -90 and 90"),
        ({"parallax": -11.0}, "parallax is -11.0, but must be between -10 and 1,000"),
        ({"pmra": float("nan")}, "pmra is nan"),
        ({"pmdec": float("inf")}, "pmdec is inf"),
        ({"age": 3e8}, "age is 300000000.0, but must be between 5 and 10.3"),
        ({"dist": -1.0}, "dist is -1.0"),
        ({"parallax_error": 0.0}, "parallax_error is 0.0"),
    ],
)
def test_bounds_of_given_values(values, message):
    with pytest.raises(ValueError, match=message):
        GivenCluster(**values)


@pytest.mark.parametrize(
    "arguments",
    [
        ["NGC_1", "NGC_2", "--ra", "3"],
        ["NGC_1", "--dec", "-95"],
        ["NGC_1", "--pmra", "fast"],
        ["NGC_1", "--catalogue", "gaia"],
        ["NGC_1", "--comparison_catalogue", "parameters"],
    ],
)
def test_wrong_usage_of_the_script_is_one_line(arguments):
    result = _run(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()[-1]) < 300


def _run(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "build_sets.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def test_the_script_builds_a_given_cluster_from_a_catalogue(data):
    field = toy_field(2, dec=-30.0, name="HSC_7")
    field.members.assign(cluster="HSC_7").to_csv(data / "hunt24_members.csv", index=False)
    field.parameters.assign(name="Other_1").to_csv(data / "hunt24_parameters.csv", index=False)
    source = [
        "--data_dir",
        data,
        "--cone_source",
        _table(field, data),
        "--cone_format",
        "csv",
        "--no-save_plots",
    ]
    options = [
        "--catalogue",
        "hunt24",
        "--ra",
        "120",
        "--dec",
        "-30",
        "--dist",
        "1000",
        "--pmra",
        "-3",
        "--pmdec",
        "2",
    ]
    result = _run("hsc 007", *source, *options, "--age", "8.5", "--a0", "0")
    assert result.returncode == 0, result.stderr
    assert {path.name for path in (data / "clusters").iterdir()} == {"hsc_007"}
    result = _run("HSC_8", *source, "--catalogue", "hunt24")
    assert result.returncode == 1
    assert "'HSC_8' is in none of the 1 rows" in result.stdout
