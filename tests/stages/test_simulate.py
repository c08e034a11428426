"""Simulated clusters as a data directory."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.stages.simulate import MARKER, simulate_clusters

TINY = SimulationOptions(cone_radius=13, field_density=300, n_members=80)


def read_all(folder):
    files = sorted([*folder.rglob("*.csv"), *folder.rglob("*.parquet")])
    return {str(path.relative_to(folder)): read_table(path) for path in files}


def test_data_directory_has_what_build_sets_reads(tmp_path):
    simulate_clusters(["My cluster"], tmp_path, TINY, seed=1)
    tables = read_all(tmp_path)
    assert set(tables) == {
        "cluster_parameters.csv",
        "cg18_members.csv",
        "t22_members.csv",
        "cones/My_cluster.parquet",
        "clusters/My_cluster/truth.csv",
    }
    assert list(tables["cones/My_cluster.parquet"].columns) == list(ARCHIVE_COLUMNS)
    assert "SCHEMATIC" in (tmp_path / "isochrones.dat").read_text()[:200]
    assert "SIMULATED" in (tmp_path / "README.txt").read_text()
    assert (tmp_path / MARKER).exists()
    assert set(tables["cg18_members.csv"]["cluster"]) == {"My_cluster"}


def test_seed_and_name_alone_make_a_cluster(tmp_path):
    simulate_clusters(["B", "A"], tmp_path / "one", TINY, seed=7)
    simulate_clusters(["A"], tmp_path / "two", TINY, seed=7)
    simulate_clusters(["B"], tmp_path / "two", TINY, seed=7)
    one, two = read_all(tmp_path / "one"), read_all(tmp_path / "two")
    assert set(one) == set(two)
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, two[name])
    (tmp_path / "two" / "cones" / "A.csv.gz").touch()  # of an earlier version
    simulate_clusters(["A"], tmp_path / "two", TINY, seed=7)
    assert set(read_all(tmp_path / "two")) == set(one)
    assert not list(tmp_path.rglob("*.csv.gz"))
    assert not one["cones/A.parquet"].equals(one["cones/B.parquet"])
    simulate_clusters(["A"], tmp_path / "three", TINY, seed=8)
    assert not read_all(tmp_path / "three")["cones/A.parquet"].equals(one["cones/A.parquet"])


def test_workers_change_nothing(tmp_path):
    for workers in (1, 2):
        simulate_clusters(["A", "B"], tmp_path / str(workers), TINY, seed=7, workers=workers)
    one, two = read_all(tmp_path / "1"), read_all(tmp_path / "2")
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, two[name])


def test_vary_gives_each_cluster_its_own_parameters(tmp_path):
    options = replace(TINY, vary=True, cone_radius=20, cone_pm_sigmas=3, cone_plx_sigmas=3)
    rows = simulate_clusters(["A", "B"], tmp_path, options, seed=3)
    assert rows["dist"].nunique() == 2
    assert np.abs(np.diff(rows["ra"])[0]) > 1


@pytest.mark.parametrize(
    "name", ["cg18_members.csv", "cluster_parameters.csv", "t22_members.csv", "README.txt"]
)
def test_real_data_are_never_overwritten(tmp_path, name):
    (tmp_path / name).write_text("precious\n")
    with pytest.raises(ValueError, match="not simulated"):
        simulate_clusters(["A"], tmp_path, TINY, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious\n"


def test_own_isochrones_are_used_and_kept(tmp_path):
    header = "# Zini MH logAge Mini int_IMF Mass logL logTe logg label mbolmag Gmag G_BPmag G_RPmag\n"
    masses = np.linspace(0.3, 3, 50)
    rows = [f"0.0152 0 8.5 {m} 0 {m} 0 3.7 4.5 1 0 {8 - 3 * m} {8.5 - 3 * m} {7.5 - 3 * m}\n" for m in masses]
    (tmp_path / "isochrones.dat").write_text(header + "".join(rows) + "#isochrone terminated\n")
    before = (tmp_path / "isochrones.dat").read_bytes()
    simulate_clusters(["A"], tmp_path, replace(TINY, a0=0.0, binary_fraction=0.0), seed=1)
    assert (tmp_path / "isochrones.dat").read_bytes() == before
    tables = read_all(tmp_path)
    truth = tables["clusters/A/truth.csv"]
    members = tables["cones/A.parquet"][truth["is_member"] & (truth["g_true"] < 17)]
    assert members["g_rp"].to_numpy() == pytest.approx(0.5, abs=0.05)


def test_unreadable_isochrones_and_bad_names_are_refused(tmp_path):
    (tmp_path / "isochrones.dat").write_text("nothing\n")
    with pytest.raises(ValueError, match="isochrones"):
        simulate_clusters(["A"], tmp_path, TINY, seed=1)
    with pytest.raises(ValueError, match="cannot name"):
        simulate_clusters(["../A"], tmp_path / "b", TINY, seed=1)
    with pytest.raises(ValueError, match="'all' stands for all clusters"):
        simulate_clusters(["all"], tmp_path / "b", TINY, seed=1)
    with pytest.raises(ValueError, match="twice"):
        simulate_clusters(["A b", "a_B"], tmp_path / "b", TINY, seed=1)
    assert not (tmp_path / "b").exists()


def test_script_simulates_and_refuses(tmp_path, capsys):
    import simulate_clusters as script

    small = ["--cone_radius", "13", "--field_density", "300", "--n_members", "60", "--log_level", "error"]
    assert script.main(["--data_dir", str(tmp_path / "data"), *small]) == 0
    assert (tmp_path / "data" / "cones" / "Simulated_1.parquet").exists()
    with pytest.raises(SystemExit) as error:
        script.main(["--data_dir", str(tmp_path / "data"), "--dist", "-5"])
    assert error.value.code == 2
    assert "dist" in capsys.readouterr().err
