"""validate_clusters.py as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
FEW = ["--n_artificial", "120", "--n_controls", "1", "--n_samples", "10"]
SMALL = [
    "--dist",
    "2000",
    "--field_density",
    "3000",
    "--cone_radius",
    "25",
    "--n_members",
    "200",
    "--seed",
    "5",
]


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / script), *map(str, arguments)],
        capture_output=True, text=True, cwd=ROOT, check=False, stdin=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def error_line(result):
    assert result.returncode == 1
    assert "Traceback" not in result.stderr + result.stdout
    lines = [line for line in result.stderr.splitlines() if line.lower().startswith("error: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Two simulated clusters, built and evaluated, and a third that was only built."""
    data = tmp_path_factory.mktemp("data")
    names = ["Sim_1", "Sim_2", "Sim_3"]
    results = [run("simulate_clusters.py", *names, "--data_dir", data, *SMALL)]
    build = ["--data_dir", data, "--cone_source", data / "cones", "--cone_radius", "18", "--no-save_plots"]
    results.append(run("build_sets.py", *names, *build))
    evaluate = ["--data_dir", data, "--n_samples", "10", "--no-save_plots"]
    results.append(run("evaluate_clusters.py", *names[:2], *evaluate))
    for result in results:
        assert result.returncode == 0, result.stderr
    return data


def test_table_and_plot_are_the_same_whatever_order_and_workers(evaluated):
    data = ["--data_dir", evaluated]
    result = run("validate_clusters.py", "Sim_1", "sim 2", *data, *FEW)
    assert result.returncode == 0, result.stderr
    assert "contam. (controls)" in result.stdout
    folders = [evaluated / "clusters" / name for name in ("Sim_1", "Sim_2")]
    first = [(folder / "selection_function.csv").read_bytes() for folder in folders]
    assert (folders[0] / "selection_function.png").read_bytes().startswith(b"\x89PNG")
    table = pd.read_csv(folders[0] / "selection_function.csv")
    kinds = {"all", "G", "radius", "G and radius"}
    assert kinds <= set(table["bin"]) <= kinds | {"within the tidal radius"}
    assert table["completeness"].dropna().between(0, 1).all()
    again = run("validate_clusters.py", "Sim_2", "Sim_1", *data, *FEW, "--workers", "2", "--no-save_plots")
    assert again.returncode == 0, again.stderr
    assert [(folder / "selection_function.csv").read_bytes() for folder in folders] == first


def test_a_users_mistakes_are_one_line_and_leave_no_file(evaluated, tmp_path):
    data = ["--data_dir", evaluated, *FEW]
    result = run("validate_clusters.py", "Sim_3", "Sim_9", *data)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "2 of 2 failed" in result.stdout
    for remedy in ("evaluate_clusters.py Sim_3", "build_sets.py Sim_9"):
        assert f"/{remedy} --data_dir {evaluated}` first" in result.stdout
    missing = ["--model_dir", tmp_path / "none"]
    assert "--model_dir" in error_line(run("validate_clusters.py", "Sim_1", *data, *missing))
    assert not list((evaluated / "clusters" / "Sim_3").glob("selection_function*"))


def test_isochrones_without_initial_masses_are_one_line(evaluated, tmp_path):
    lines = (evaluated / "isochrones.dat").read_text().replace(" Mini", " Mxxx")
    (tmp_path / "isochrones.dat").write_text(lines)
    other = ["--isochrone_path", tmp_path / "isochrones.dat"]
    line = error_line(run("validate_clusters.py", "Sim_1", "--data_dir", evaluated, *FEW, *other))
    assert "Mini" in line


@pytest.mark.parametrize(
    "wrong", [["--n_artificial", "0"], ["--radius_edges", "5", "2"], ["--prob_threshold", "1.5"], []]
)
def test_wrong_usage_is_exit_code_2(wrong):
    result = run("validate_clusters.py", *(["NGC_1"] if wrong else []), *wrong)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_real_field(shared, tmp_path):
    """A small box of bright stars, in which only controls in proper motion fit."""
    real = shared / "real"
    isochrones = ["--isochrone_path", real / "isochrones" / "parsec_z0.0205.dat", "--data_dir", tmp_path]
    build = run(
        "build_sets.py", "NGC_2509", "--cone_source", real / "cones", "--no-save_plots",
        "--members_path", real / "cg18_members.csv.gz", "--comparison_path", real / "t22_members.csv.gz",
        "--cluster_path", real / "cluster_parameters.csv", *isochrones,
    )  # fmt: skip
    assert build.returncode == 0, build.stderr
    samples = ["--n_samples", "10", "--data_dir", tmp_path, "--no-save_plots"]
    assert run("evaluate_clusters.py", "NGC_2509", *samples).returncode == 0
    result = run("validate_clusters.py", "NGC_2509", *FEW, *isochrones)
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(tmp_path / "clusters/NGC_2509/selection_function.csv")
    whole, inner = table.iloc[0], table.set_index("bin").loc["within the tidal radius"]
    assert inner["completeness"] > 0.9
    assert whole["n_recovered"] > 0.9 * whole["n_in_cone"]
    assert whole["lost_to_cone"] > inner["lost_to_cone"]  # the box is smaller than the halo may be
    assert whole["contamination_controls"] < 0.3
    assert table.loc[table["g_min"] >= 18, "n_injected"].sum() == 0  # the table ends there
