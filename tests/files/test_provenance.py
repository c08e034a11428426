"""Stages are done once, done again when anything changes, and never taken for done when they are not."""

import gc
import json
import warnings
import weakref
from dataclasses import dataclass

import pytest

from gaia_oc_amd._version import __version__
from gaia_oc_amd.files.provenance import (
    PROVENANCE,
    Stage,
    forget,
    made_by,
    read_provenance,
    run_stage,
    versions,
)
from gaia_oc_amd.garbage import look_seldom

SETS = Stage("sets", {"options": {"radius": 50.0}, "code": "abc"}, "python build_sets.py X")


class Work:
    """Writes a file, and counts how often."""

    def __init__(self, folder, name="members.csv", text="1"):
        self.folder, self.name, self.text, self.times = folder, name, text, 0

    def __call__(self):
        self.times += 1
        (self.folder / self.name).write_text(self.text)
        return {"members": 7}, [self.name]


def test_a_stage_is_done_once(tmp_path):
    work = Work(tmp_path)
    assert run_stage(tmp_path, SETS, work) == run_stage(tmp_path, SETS, work) == {"members": 7}
    assert work.times == 1
    record = read_provenance(tmp_path)["sets"]
    assert record["command"] == "python build_sets.py X"
    assert record["versions"] == versions()
    assert "numpy" in record["versions"]


@dataclass
class Law:
    pivot: float
    periods: list[float]


@dataclass
class Options:
    law: Law
    figures: None = None


def test_a_result_of_no_cluster_says_how_it_was_made():
    for pivot in (1.0, 2.0):
        record = made_by("python x.py", Options(Law(pivot, [3.0])), "law")
        made_with = {"law": {"pivot": pivot, "periods": [3.0]}}
        assert record == {"version": __version__, "command": "python x.py", "made_with": made_with}


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "members.csv").write_text("2"),
        lambda folder: (folder / "members.csv").unlink(),
        lambda folder: (folder / PROVENANCE).unlink(),
        lambda folder: (folder / PROVENANCE).write_text('{"sets": {"fil'),
        lambda folder: (folder / PROVENANCE).write_text('{"sets": {"files": 3}}'),
        lambda folder: forget(folder, "sets"),
    ],
)
def test_a_stage_is_done_again_when_its_result_is_not_there(tmp_path, change):
    work = Work(tmp_path)
    run_stage(tmp_path, SETS, work)
    change(tmp_path)
    run_stage(tmp_path, SETS, work)
    assert work.times == 2
    assert (tmp_path / "members.csv").read_text() == "1"


def test_other_options_and_the_wish_do_it_again(tmp_path):
    work = Work(tmp_path)
    run_stage(tmp_path, SETS, work)
    run_stage(tmp_path, Stage("sets", {"options": {"radius": 51.0}, "code": "abc"}), work)
    assert work.times == 2
    run_stage(tmp_path, SETS, work, again=True)
    assert work.times == 3


def test_a_failed_stage_is_not_done(tmp_path):
    run_stage(tmp_path, SETS, Work(tmp_path))

    def breaks():
        (tmp_path / ".tmp-half").write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        run_stage(tmp_path, SETS, breaks, again=True)
    assert "sets" not in read_provenance(tmp_path)
    run_stage(tmp_path, SETS, Work(tmp_path))
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_later_stage_may_change_the_file_of_an_earlier_one(tmp_path):
    """An evaluation fills PMemb in; the sets are still the sets."""
    build = Work(tmp_path, "candidates.csv", "no PMemb")
    judge = Work(tmp_path, "candidates.csv", "with PMemb")
    evaluation = Stage("evaluation", {"model": "x"})
    run_stage(tmp_path, SETS, build)
    run_stage(tmp_path, evaluation, judge)
    run_stage(tmp_path, SETS, build)
    assert (build.times, judge.times) == (1, 1)
    run_stage(tmp_path, SETS, build, again=True)
    assert "evaluation" not in read_provenance(tmp_path)


def test_plots_of_what_is_no_more_go_and_measurements_stay(tmp_path):
    run_stage(tmp_path, SETS, Work(tmp_path))
    run_stage(tmp_path, Stage("evaluation_plots", {}), Work(tmp_path, "venn_diagram.png"))
    run_stage(tmp_path, Stage("validation", {}), Work(tmp_path, "selection_function.csv"))
    run_stage(tmp_path, SETS, Work(tmp_path), again=True)
    assert not (tmp_path / "venn_diagram.png").exists()
    assert (tmp_path / "selection_function.csv").exists()
    assert set(read_provenance(tmp_path)) == {"sets"}


def test_warnings_are_recorded_and_passed_on(tmp_path):
    def doubtful():
        warnings.warn("the isochrone fits badly", stacklevel=1)
        return {}, []

    with pytest.warns(UserWarning, match="fits badly"):
        run_stage(tmp_path, SETS, doubtful)
    assert read_provenance(tmp_path)["sets"]["warnings"] == ["the isochrone fits badly"]


def test_equal_runs_give_equal_records(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run_stage(tmp_path / name, SETS, Work(tmp_path / name))
    one, two = ((tmp_path / name / PROVENANCE).read_bytes() for name in ("a", "b"))
    assert one == two
    assert json.loads(one)["sets"]["files"]["members.csv"]


@pytest.mark.parametrize(
    ("file", "is_gone"), [("candidates.png", True), ("report.html", True), ("members.csv", False)]
)
def test_figures_are_freed_as_soon_as_they_are_saved(tmp_path, file, is_gone):
    class Figure:
        def __init__(self):
            self.itself = self

    figures = []

    def draw():
        figures.append(weakref.ref(Figure()))
        return Work(tmp_path, file)()

    look_seldom()
    gc.disable()
    try:
        stage = {"candidates.png": "sets_plot", "report.html": "report"}.get(file, "sets")
        run_stage(tmp_path, Stage(stage, {}), draw)
        assert (figures[0]() is None) == is_gone
    finally:
        gc.enable()
        gc.collect()
