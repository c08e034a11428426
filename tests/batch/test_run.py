"""Batches: failures stay alone, the order does not matter, killed workers cost only their own cluster."""

import logging
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from batch_work import CountsUnpickling, killed, threads, work
from documented_commands import blocks

from gaia_oc_amd.batch.outcomes import MAX_DEATHS_IN_A_ROW, ClusterQueue, Outcome
from gaia_oc_amd.batch.run import run_batch, summary_table
from gaia_oc_amd.exceptions import ArchiveBusyError, ArchiveUnavailableError, BatchStoppedError
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.stages.simulate import simulate_clusters

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("workers", [1, 2])
def test_one_failure_never_stops_the_others(workers, caplog):
    caplog.set_level(logging.INFO, "gaia_oc_amd")
    outcomes = run_batch(work, ["a", "unknown", "defect", "bb", "doubtful", "leaves"], workers=workers)
    assert [bool(outcome.error) for outcome in outcomes] == [False, True, True, False, False, True]
    assert outcomes[2].error == "defect: internal error: KeyError: 'x'"
    assert outcomes[3].summary == {"length": 2}
    table = summary_table(outcomes)
    assert "3 of 6 failed:" in table
    assert "unknown is in no table: give another." in table
    assert "doubtful: something is odd." in caplog.text
    assert "something happens." in caplog.text


def test_killed_worker_costs_only_its_own_cluster(tmp_path):
    names = [f"cluster_{i}" for i in range(6)]
    outcomes = run_batch(partial(killed, folder=tmp_path), ["killed", "killed_once", *names], workers=2)
    assert outcomes[0].error.startswith("killed: its worker died 3 times")
    assert not any(outcome.error for outcome in outcomes[1:])


def test_workers_share_the_cores_also_in_libraries(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    share = max(1, os.cpu_count() // 2)
    for outcome in run_batch(threads, ["a", "b", "c"], workers=2):
        assert outcome.summary["ours"] <= share
        assert outcome.summary["BLAS"]
        assert max(outcome.summary["BLAS"]) <= share
        assert max(outcome.summary["OpenMP"], default=1) <= share


def test_workers_that_die_of_everything_end_the_batch():
    queue = ClusterQueue(f"cluster_{i}" for i in range(MAX_DEATHS_IN_A_ROW))
    for _ in range(MAX_DEATHS_IN_A_ROW - 1):
        assert queue.worker_died(queue.next()) == []
    with pytest.raises(BatchStoppedError, match="--workers 1"):
        queue.worker_died(queue.next())


def test_clusters_that_a_service_failed_are_tried_once_more():
    asked = []

    def busy(name):
        asked.append(name)
        if name in ("later", "never") and not (name == "later" and asked.count(name) == 2):
            raise ArchiveBusyError(f"{name}: the archive is busy.")
        if name == "wrong":
            raise ArchiveUnavailableError("wrong: no such table.")
        return {}

    outcomes = run_batch(busy, ["later", "never", "wrong", "a"])
    assert asked == ["later", "never", "wrong", "a", "later", "never"]
    assert [bool(outcome.error) for outcome in outcomes] == [False, True, True, False]
    asked.clear()
    assert run_batch(busy, ["never"])[0].may_pass
    assert asked == ["never"], "a service that serves nobody is not asked again"


def test_a_name_that_occurs_twice_is_worked_on_once():
    done = []
    outcomes = run_batch(lambda name: {"n": done.append(name)}, ["a", "b", "a"])
    assert done == ["a", "b"]
    assert [outcome.cluster for outcome in outcomes] == ["a", "b", "a"]


def test_many_clusters_in_processes_get_the_tables_once_each(tmp_path):
    names = [f"cluster_{i}" for i in range(2000)]
    outcomes = run_batch(CountsUnpickling(tmp_path, np.ones(300_000)), names, workers=2)
    assert {outcome.summary["sum"] for outcome in outcomes} == {300_000}
    processes = {outcome.summary["process"] for outcome in outcomes}
    assert os.getpid() not in processes
    assert len(list(tmp_path.glob("unpickled_*"))) == len(processes) <= 2


def test_interrupt_is_not_swallowed():
    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(interrupted, ["a"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_the_processes_and_keeps_what_is_finished(tmp_path, number):
    code = (
        "from functools import partial\nfrom batch_work import slow\nfrom gaia_oc_amd.batch.run import run_batch\n"
        "from gaia_oc_amd.command_line import run\n"
        f"work = partial(slow, folder={str(tmp_path)!r}, seconds=60)\n"
        "if __name__ == '__main__':\n"
        "    run(lambda: run_batch(work, ['quick', 'long_1', 'long_2', 'never'], workers=2))\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests/support'}"}
    with subprocess.Popen(
        [sys.executable, script], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        wait_for(lambda: (tmp_path / "long_2.begun").exists())
        process.send_signal(number)
        _, errors = process.communicate()  # ends when the last process has closed its standard error
    assert process.returncode == 128 + number
    assert "interrupted: every cluster that was finished is kept" in errors
    assert "Traceback" not in errors
    assert {path.name for path in tmp_path.glob("*.done")} == {"quick.done"}
    assert not (tmp_path / "never.begun").exists()


def wait_for(condition):
    while not condition():
        time.sleep(0.05)


def test_table_is_aligned():
    lines = summary_table(run_batch(work, ["a", "long_name"])).split("\n")
    assert len({len(line) for line in lines}) == 1


def test_table_says_once_what_stopped_many_clusters():
    table = summary_table([Outcome(f"cluster_{i}", 0.0, error="it broke.") for i in range(9)])
    assert "9 of 9 failed:" in table
    assert table.count("it broke.") == 1


def test_the_documented_slurm_array_does_every_cluster_once(tmp_path):
    """With the variables that SLURM sets; the second time nothing is left to do."""
    options = SimulationOptions(dist=2000, field_density=4000, cone_radius=20, n_members=250)
    simulate_clusters(["Sim_1", "Sim_2"], tmp_path / "data", options, seed=5)
    (script,) = blocks((ROOT / "docs" / "many_clusters.md").read_text(), "slurm")
    here = script.replace("/shared/data", "data --no-save_plots").replace(
        "python ", f"{sys.executable} {ROOT}/"
    )
    here = here.replace("build_sets.py ", "build_sets.py --cone_source data/cones --cone_radius 20 ")
    (tmp_path / "survey.txt").write_text("Sim_1\nSim_9\nSim_2\n")

    def array(n_tasks):
        tasks = []
        for task in range(n_tasks):
            variables = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": str(n_tasks)}
            tasks.append(
                subprocess.run(
                    ["bash", "-c", here], cwd=tmp_path, env=os.environ | variables | {"TMPDIR": str(tmp_path)},
                    capture_output=True, text=True, check=False,
                )
            )  # fmt: skip
        return tasks

    tasks = array(2)
    assert [task.returncode for task in tasks] == [1, 0], tasks  # the second line, the first and third
    assert "Sim_9" in tasks[0].stdout
    found = {name: tmp_path / "data" / "clusters" / name / "members.csv" for name in ("Sim_1", "Sim_2")}
    made = {name: path.stat().st_mtime_ns for name, path in found.items()}
    assert [task.returncode for task in array(1)] == [1]
    assert made == {name: path.stat().st_mtime_ns for name, path in found.items()}
    assert not list(tmp_path.glob("tmp.*"))
