"""Batches on a real Dask cluster: a scheduler and workers of their own on loopback, which are killed and refused."""

import http.server
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from batch_work import CountsUnpickling, killed, slow, work

import gaia_oc_amd
from gaia_oc_amd.batch import dask as dask_connection
from gaia_oc_amd.batch.run import run_batch
from gaia_oc_amd.exceptions import BatchStoppedError
from gaia_oc_amd.options import (
    ConeOptions,
    FigureOptions,
    RunOptions,
)
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.stages.simulate import simulate_clusters

pytest.importorskip("distributed")
import dask

ROOT = Path(__file__).resolve().parents[2]
OURS = f"{ROOT}{os.pathsep}{ROOT / 'tests/support'}"


@contextmanager
def program(name, *arguments, folder, path=""):
    """`dask scheduler` or `dask worker` as a process of its own, ended with all that it started."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{name}", *map(str, arguments), "--no-dashboard"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(10 if number == signal.SIGTERM else None)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass


@contextmanager
def scheduler_in(folder):
    """A scheduler without workers: its process and its file."""
    file = folder / "scheduler.json"
    where = ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", file]
    with program("scheduler", *where, folder=folder) as process:
        wait_for(lambda: file.exists() and file.read_text().rstrip().endswith("}"))  # written to its end
        yield process, file


def worker_of(file, *, n_threads=1, path=OURS):
    return program("worker", "--scheduler-file", file, "--nthreads", n_threads, folder=file.parent, path=path)


def wait_for(condition):
    while not condition():
        time.sleep(0.05)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The file of a scheduler with two workers, one of them with two threads."""
    folder = tmp_path_factory.mktemp("dask")
    with scheduler_in(folder) as (_, file), worker_of(file), worker_of(file, n_threads=2):
        yield str(file)


@pytest.fixture(scope="module")
def empty_scheduler(tmp_path_factory):
    """The file of a scheduler that has no workers yet."""
    with scheduler_in(tmp_path_factory.mktemp("empty")) as (_, file):
        yield file


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    options = SimulationOptions(dist=2000, field_density=4000, cone_radius=20, n_members=250)
    simulate_clusters(["Sim_1", "Sim_2"], folder, options, seed=5)
    return folder


def build_and_evaluate(data_dir, cones, **where):
    """Two clusters through two stages; the files that come of it."""
    from gaia_oc_amd.catalogues.tables import read_input_tables
    from gaia_oc_amd.model_files import ModelFiles
    from gaia_oc_amd.stages.build import build_cluster
    from gaia_oc_amd.stages.evaluate import evaluate_cluster
    from gaia_oc_amd.stages.options import BuildOptions, EvaluateOptions

    figures = FigureOptions(save_plots=False)
    build = partial(
        build_cluster,
        tables=read_input_tables(data_dir),
        data_dir=data_dir,
        options=BuildOptions(cone=ConeOptions(cone_source=str(cones), cone_radius=20), figures=figures),
    )
    evaluate = partial(
        evaluate_cluster,
        data_dir=data_dir,
        options=EvaluateOptions(figures=figures),
        model=ModelFiles.read(ROOT / "deep_sets_model"),
    )
    for task in (build, evaluate):
        outcomes = run_batch(task, ["Sim_1", "Sim_2"], data_dir=data_dir, **where)
        assert [outcome.error for outcome in outcomes] == ["", ""]
    return {path.relative_to(data_dir): path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}


def test_files_are_the_same_in_turn_in_processes_and_with_a_scheduler(scheduler, simulated, tmp_path):
    files = []
    for i, where in enumerate([{}, {"workers": 2}, {"scheduler": scheduler}]):
        shutil.copytree(simulated, tmp_path / str(i))
        files.append(build_and_evaluate(tmp_path / str(i), simulated / "cones", **where))
    assert len(files[0]) > 10
    assert files[0] == files[1]
    assert files[0] == files[2]


def script(name, *arguments, path="", **environment):
    return subprocess.run(
        [sys.executable, str(ROOT / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path} | environment,
        stdin=subprocess.DEVNULL,
        cwd=environment.get("PWD"),
    )


def test_a_script_sends_its_own_functions_and_paths_relative_to_its_folder(scheduler, simulated, tmp_path):
    shutil.copytree(simulated, tmp_path / "data")
    result = script(
        "build_sets.py", "Sim_1", "Sim_9", "--data_dir", "data", "--cone_source", "data/cones",
        "--cone_radius", "20", "--scheduler", scheduler, PWD=str(tmp_path),
    )  # fmt: skip
    assert result.returncode == 1
    assert "1 of 2 failed:" in result.stdout
    assert "did you mean Sim_" in result.stdout
    assert "Traceback" not in result.stderr
    assert (tmp_path / "data" / "clusters" / "Sim_1" / "candidates.png").exists()


def test_failures_and_killed_workers_cost_only_their_own_clusters(scheduler, tmp_path, caplog):
    caplog.set_level(logging.INFO, "gaia_oc_amd")
    names = ["killed", "killed_once", "unknown", "defect", "doubtful", *(f"c_{i}" for i in range(20))]
    outcomes = run_batch(partial(killed, folder=tmp_path), [*names, "c_1"], scheduler=scheduler)
    assert [outcome.cluster for outcome in outcomes] == [*names, "c_1"]
    errors = {outcome.cluster: outcome.error for outcome in outcomes if outcome.error}
    assert errors.keys() == {"killed", "unknown", "defect"}
    assert errors["killed"].startswith("killed: its worker died 3 times")
    assert errors["defect"] == "defect: internal error: KeyError: 'x'"
    assert "doubtful: something is odd." in caplog.text
    assert "doubtful: something happens." in caplog.text


def test_large_tables_are_sent_once_to_every_worker_and_forgotten(scheduler, tmp_path):
    names = [f"cluster_{i}" for i in range(200)]
    outcomes = run_batch(CountsUnpickling(tmp_path, np.ones(300_000)), names, scheduler=scheduler)
    assert {outcome.summary["sum"] for outcome in outcomes} == {300_000}
    processes = {outcome.summary["process"] for outcome in outcomes}
    assert len(list(tmp_path.glob("unpickled_*"))) == len(processes) == 2
    assert on_every_worker(scheduler, "_WORK") == [0, 0]
    assert on_every_worker(scheduler, "_ASSIGNMENTS") == [0, 0]


def on_every_worker(scheduler, name):
    """Length of a store in each worker."""
    from distributed import Client

    def length(name):
        from gaia_oc_amd.batch import processes as batch_worker

        return len(getattr(batch_worker, name))

    with Client(scheduler_file=scheduler, set_as_default=False) as client:
        return list(client.run(length, name).values())


def test_interrupt_takes_back_what_has_not_begun(scheduler, tmp_path):
    from distributed import Client

    code = (
        "from functools import partial\nfrom batch_work import waiting\nfrom gaia_oc_amd.batch.run import run_batch\n"
        "from gaia_oc_amd.command_line import run\n"
        f"work = partial(waiting, folder={str(tmp_path)!r})\n"
        f"names, scheduler = ['quick', *(f'long_{{i}}' for i in range(9))], {scheduler!r}\n"
        "run(lambda: run_batch(work, names, scheduler=scheduler))\n"
    )
    (tmp_path / "script.py").write_text(code)
    with subprocess.Popen(
        [sys.executable, tmp_path / "script.py"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": OURS},
    ) as process:
        wait_for(lambda: len(list(tmp_path.glob("long_*.begun"))) == 2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert errors.splitlines()[-1].startswith("interrupted: every cluster that was finished is kept")
    assert "Traceback" not in errors
    (tmp_path / "go").touch()  # what has begun may end
    with Client(scheduler_file=scheduler, set_as_default=False) as client:
        wait_for(lambda: len(list(tmp_path.glob("long_*.done"))) == 2)
        wait_for(lambda: not any(client.processing().values()))
    assert len(list(tmp_path.glob("*.begun"))) == 3


def test_a_worker_that_does_not_see_the_data_directory(scheduler, tmp_path):
    """A path through this process's own open files leads nowhere in others, as on a machine without the folder."""
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(ValueError, match="does not see .* file system that all machines share"):
            run_batch(work, ["a", "b"], scheduler=scheduler, data_dir=f"/proc/self/fd/{folder}")
    finally:
        os.close(folder)
    assert not list(tmp_path.iterdir())


def test_a_scheduler_without_workers(empty_scheduler):
    with (
        dask.config.set({"gaia_oc_amd.wait-for-workers": "1s"}),
        pytest.raises(
            BatchStoppedError, match="has had no worker for 1 s: start some with `dask worker tcp://"
        ),
    ):
        run_batch(work, ["a", "b"], scheduler=str(empty_scheduler))


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("__version__ = '0.0.1'", "has gaia_oc_amd 0.0.1, not"),
        ("raise ImportError", "has no gaia_oc_amd"),
        (f"__version__ = {gaia_oc_amd.__version__!r}", "of other source files"),
    ],
)
def test_a_worker_with_another_package_is_refused(package, message, empty_scheduler, tmp_path):
    (tmp_path / "gaia_oc_amd").mkdir()
    (tmp_path / "gaia_oc_amd" / "__init__.py").write_text(package)
    with (
        worker_of(empty_scheduler, path=str(tmp_path)),
        pytest.raises(ValueError, match=message),
    ):
        run_batch(work, ["a", "b"], scheduler=str(empty_scheduler))


def test_a_scheduler_that_dies_costs_what_is_not_finished(tmp_path, caplog):
    with scheduler_in(tmp_path) as (process, file), worker_of(file):
        killer = threading.Thread(target=lambda: (wait_for((tmp_path / "long.begun").exists), process.kill()))
        killer.start()
        task = partial(slow, folder=tmp_path, seconds=10_000)
        outcomes = run_batch(task, ["quick", "long", "never"], scheduler=str(file))
        killer.join()
    assert [bool(outcome.error) for outcome in outcomes] == [False, True, True]
    assert "does not answer any more: start it again" in outcomes[2].error
    assert caplog.text.count("does not answer any more") == 1


def test_a_client_that_has_given_up_its_scheduler_says_so(scheduler):
    """Dask's client closes itself where the scheduler stays away, and has no address from then on."""
    from distributed import Client

    with Client(scheduler_file=scheduler, set_as_default=False) as client:
        pass
    with pytest.raises(BatchStoppedError, match="does not answer any more: start it again"):
        dask_connection.ask(client, client.nthreads)


def test_nothing_of_dask_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_connection, "CONNECT_SECONDS", 1)
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (9, web.server_port, silent.getsockname()[1]):
            address = f"tcp://127.0.0.1:{port}"
            with pytest.raises(ConnectionError, match=f"no Dask scheduler answers at {address}"):
                run_batch(work, ["a", "b"], scheduler=address)
    web.shutdown()
    web.server_close()
    with pytest.raises(ConnectionError, match="no Dask scheduler answers at tcp://no.such.host.invalid:8786"):
        run_batch(work, ["a", "b"], scheduler="tcp://no.such.host.invalid:8786")


def test_a_scheduler_file_that_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist: start the scheduler"):
        run_batch(work, ["a"], scheduler=str(tmp_path / "none.json"))
    for content in ("{", "[]", json.dumps({"workers": {}}), "\0"):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(ValueError, match="not a file that a Dask scheduler wrote"):
            run_batch(work, ["a"], scheduler=str(tmp_path / "bad.json"))


@pytest.mark.parametrize("text", ["slurm", "", "http://host:8787", "host", "tcp://host", "tcp://:1", "a b:1"])
def test_what_is_no_address_is_refused_before_anything_begins(text):
    with pytest.raises(ValueError, match="must be the address of a Dask scheduler, tcp://host:8786"):
        RunOptions(scheduler=text)


@pytest.mark.parametrize(
    "text", ["tcp://10.0.0.1:8786", "node-7:8786", "tls://h.example:1", "tcp://[::1]:80"]
)
def test_addresses_are_accepted(text):
    assert RunOptions(scheduler=text).scheduler == text


def test_a_scheduler_goes_with_neither_workers_nor_windows():
    with pytest.raises(ValueError, match="workers is 2, but must be 1 with --scheduler"):
        RunOptions(workers=2, scheduler="host:8786")
    with pytest.raises(ValueError, match="--show_plots is not possible with --scheduler"):
        FigureOptions(show_plots=True).refuse_windows_of(RunOptions(scheduler="host:8786"))


def test_without_dask_a_line_says_how_to_get_it_and_all_else_works(tmp_path):
    (tmp_path / "distributed.py").write_text("raise ImportError('not installed')")
    (tmp_path / "dask.py").write_text("raise ImportError('not installed')")
    where = ["--data_dir", tmp_path, "--scheduler", "127.0.0.1:8786"]
    result = script("simulate_clusters.py", *where, path=str(tmp_path))
    assert result.returncode == 1
    assert 'pip install "distributed>=2025.1"' in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert script("build_sets.py", "--help", path=str(tmp_path)).returncode == 0
