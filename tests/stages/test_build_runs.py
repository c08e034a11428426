"""What runs say of themselves: paths are remembered, dead links go, and what is removed is named."""

import gc
import logging
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import pandas as pd
import pytest

from gaia_oc_amd.defaults import DEFAULTS_FILE, read_defaults
from gaia_oc_amd.exceptions import UsageError
from gaia_oc_amd.garbage import look_seldom
from gaia_oc_amd.options import (
    ConeOptions,
    FigureOptions,
    GivenCluster,
    MemberOptions,
    PlotOptions,
    RunOptions,
    TablePaths,
)
from gaia_oc_amd.stages.build import build_clusters
from gaia_oc_amd.stages.evaluate import closing_lines, evaluate_clusters
from gaia_oc_amd.stages.many import named_clusters, refuse_several
from gaia_oc_amd.stages.options import BuildOptions, EvaluateOptions

ROOT = Path(__file__).resolve().parents[2]
UNDRAWN = FigureOptions(save_plots=False)
MODEL = EvaluateOptions().model_dir


@pytest.fixture
def inputs(toy, tmp_path):
    """Tables of a toy beside an empty data directory."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    toy.parameters.to_csv(folder / "parameters.csv", index=False)
    toy.members.to_csv(folder / "members.csv", index=False)
    toy.sources.to_csv(folder / "stars.csv", index=False)
    lines = toy.isochrones.to_string(index=False, header=False)
    (folder / "iso.dat").write_text(f"# {' '.join(toy.isochrones)}\n{lines}\n#isochrone terminated\n")
    return folder


@pytest.fixture
def paths(inputs):
    return TablePaths(
        cluster_path=inputs / "parameters.csv",
        members_path=inputs / "members.csv",
        isochrone_path=inputs / "iso.dat",
    )


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def build(data, inputs, paths, *, cone_format="csv", **options):
    cone = ConeOptions(cone_source=(str(inputs / "stars.csv"),), cone_format=cone_format)
    given = BuildOptions(paths=paths, cone=cone, figures=UNDRAWN, **options)
    outcomes = build_clusters(["Toy_1"], given, RunOptions(data_dir=data), command="python build_sets.py {}")
    assert not outcomes[0].error
    return outcomes


def evaluate(data, *, report=True):
    """By votes of nobody: what is judged does not matter here."""
    options = EvaluateOptions(figures=UNDRAWN, plots=PlotOptions(report=report))
    command = "python evaluate_clusters.py {} --report"
    outcomes = evaluate_clusters(["all"], options, RunOptions(data_dir=data), command=command)
    assert not outcomes[0].error
    return outcomes


def test_a_first_build_remembers_its_paths_and_a_later_one_only_if_asked(data, inputs, paths, tmp_path):
    build(data, inputs, paths)
    kept = read_defaults(data)
    assert kept["isochrone_path"] == [str(inputs / "iso.dat")]
    assert kept["members_path"] == [str(inputs / "members.csv")]
    assert kept["cone_source"] == [str(inputs / "stars.csv")]
    other = (inputs / "iso.dat").rename(inputs / "other.dat")
    moved = TablePaths(**vars(paths) | {"isochrone_path": other})
    build(data, inputs, moved)
    assert read_defaults(data) == kept
    build(data, inputs, moved, save_defaults=True)
    assert read_defaults(data)["isochrone_path"] == [str(other)]


def test_a_failed_build_remembers_nothing(data, inputs, paths):
    given = BuildOptions(paths=paths, cone=ConeOptions(cone_source=("nowhere.csv",)), figures=UNDRAWN)
    assert build_clusters(["Toy_1"], given, RunOptions(data_dir=data))[0].error
    assert not (data / DEFAULTS_FILE).exists()


def test_a_cluster_by_hand_needs_only_what_is_said(data, inputs, paths, caplog):
    """In an empty data directory; its list is not remembered for other clusters."""
    by_hand = TablePaths(members_path=paths.members_path, isochrone_path=paths.isochrone_path)
    with caplog.at_level(logging.INFO):
        build(data, inputs, by_hand, given=GivenCluster(ra=120.0, dec=-20.0, age=8.5, a0=0.0))
    assert "of its 60 listed members" in caplog.text
    assert pd.read_csv(data / "clusters/Toy_1/members.csv").shape[0] > 40
    assert "members_path" not in read_defaults(data)
    assert "isochrone_path" in read_defaults(data)


def test_what_is_removed_is_named_and_the_index_has_no_dead_link(data, inputs, paths, caplog):
    build(data, inputs, paths)
    outcomes = evaluate(data)
    assert 'href="clusters/Toy_1/report.html"' in (data / "index.html").read_text()
    (line,) = closing_lines(outcomes, data)
    assert line.startswith("Toy_1: ")
    assert "members (p >= 0.5; expected contamination" in line
    assert line.endswith(f": {data / 'clusters/Toy_1/report.html'}")
    with caplog.at_level(logging.INFO):
        build(data, inputs, paths, member=MemberOptions(prob_threshold=0.8))
    told = next(message for message in caplog.messages if "are removed" in message)
    assert "the probabilities" in told
    assert "the report" in told
    assert told.endswith(f"again: python evaluate_clusters.py Toy_1 --report --data_dir {data}.")
    assert not (data / "clusters/Toy_1/report.html").exists()
    assert not (data / "index.html").exists()


def test_figures_of_the_cluster_before_are_gone_when_others_are_drawn(data, inputs, paths):
    build(data, inputs, paths)
    evaluate(data, report=False)
    figure = type("Figure", (), {})()
    figure.itself, gone = figure, weakref.ref(figure)
    look_seldom()
    gc.disable()
    try:
        del figure
        options = EvaluateOptions(figures=FigureOptions(), plot_only=True)
        assert not evaluate_clusters(["all"], options, RunOptions(data_dir=data))[0].error
        assert gone() is None
    finally:
        gc.enable()


def test_a_copied_data_folder_beside_its_table_is_not_built_again(data, inputs, paths, tmp_path, caplog):
    build(data, inputs, paths)
    there = tmp_path / "there"
    shutil.copytree(data, there / "data")
    shutil.copytree(inputs, there / "inputs")
    shutil.rmtree(data)
    (inputs / "stars.csv").unlink()
    with caplog.at_level(logging.INFO):
        build(there / "data", there / "inputs", paths)
    assert "already there, made in the same way" in caplog.text
    stars = pd.read_csv(there / "inputs" / "stars.csv")
    stars.iloc[::2].to_csv(there / "inputs" / "stars.csv", index=False)
    before = (there / "data/clusters/Toy_1/candidates.csv").read_bytes()
    build(there / "data", there / "inputs", paths)
    assert (there / "data/clusters/Toy_1/candidates.csv").read_bytes() != before


def test_all_are_those_that_are_built(data, inputs, paths):
    with pytest.raises(UsageError, match="no cluster is built"):
        named_clusters(["all"], data)
    build(data, inputs, paths)
    (data / "clusters" / "Unfinished").mkdir()
    assert named_clusters(["all"], data) == ["Toy_1"]
    refuse_several(["all"], ["ra"], data)
    assert named_clusters(["all", "NGC_1"], data) == ["all", "NGC_1"]


PROBE = """
import importlib, sys
code = importlib.import_module(sys.argv[1]).main(sys.argv[2:])
print(code, *sys.modules)
"""


@pytest.mark.parametrize("cone_format", ["parquet", "votable", "csv"])
def test_sets_are_known_again_whatever_the_format_of_the_cone(cone_format, data, inputs, paths, caplog):
    build(data, inputs, paths, cone_format=cone_format)
    evaluate(data, report=False)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        build(data, inputs, paths, cone_format=cone_format)
    assert "left as found" in caplog.text
    assert "tampered" not in caplog.text
    assert (data / "clusters" / "Toy_1" / "member_list.csv").exists()


HEAVY = {"torch", "numba", "scipy", "matplotlib", "astropy", "bokeh", "jinja2"}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_has_nothing_to_do_loads_no_heavy_library(workers, data, inputs, paths, monkeypatch):
    """What such a run takes is what it imports."""
    monkeypatch.chdir(ROOT)
    build(data, inputs, paths)
    evaluate(data)
    options = ["Toy_1", "--data_dir", str(data), "--no-save_plots", "--workers", str(workers)]
    cone = ["--cone_source", str(inputs / "stars.csv"), "--cone_format", "csv"]
    for script, more in {"build_sets": cone, "evaluate_clusters": []}.items():
        command = [sys.executable, "-c", PROBE, script, *options, *more]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        code, *modules = run.stdout.splitlines()[-1].split()
        assert code == "0"
        assert "left as found" in run.stderr
        assert {name.split(".")[0] for name in modules} & HEAVY == set()
