"""How much faster two workers are than one: sets and figures built, judged and drawn for many clusters.

Simulates clusters with about 20,000 candidates each, then runs build_sets.py and evaluate_clusters.py with one worker,
with two, and on a Dask cluster of two, in turn; then twice at once with half of the clusters each, which is what the
machine can give. Every process has one thread. The machine should be quiet: time that passes is what counts, and other
programs take the second core first.

example: python benchmarks/speed/workers.py --work_dir data/workers
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from operator import itemgetter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from timing import BenchmarkError, Ratio, load, machine, markdown_table, run_process, short

ROOT = Path(__file__).resolve().parents[2]
SECONDS_TO_START = 60
Seconds = tuple[float, float]
"""Of build_sets.py and of evaluate_clusters.py."""


def run_script(script: str, *options: object) -> float:
    """Seconds that a script takes."""
    return run_process([sys.executable, ROOT / script, *options, "--log_level", "warning"]).seconds


@contextmanager
def dask_cluster(folder: Path, n_workers: int) -> Iterator[Path]:
    """Scheduler file of a Dask cluster on this machine, whose workers have one thread each."""
    file = folder / "scheduler.json"
    where = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file]
    worker = ["worker", "--scheduler-file", file, "--nthreads", "1", "--no-dashboard"]
    worker += ["--preload", "gaia_oc_amd.membership", "--preload", "gaia_oc_amd.figures"]
    file.unlink(missing_ok=True)
    processes = []
    try:
        for name, *options in (["scheduler", *where], *[worker] * n_workers):
            command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *map(str, options)]
            processes.append(
                subprocess.Popen(
                    command,
                    env=os.environ | {"PYTHONPATH": str(ROOT)},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
            _wait_for(file)
        time.sleep(5)  # until the workers are there
        yield file
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _wait_for(file: Path) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while not file.exists():
        if time.monotonic() > end:
            raise BenchmarkError("no scheduler: pip install distributed")
        time.sleep(0.1)


def built_and_evaluated(names: list[str], simulated: Path, *where: object, folder: str = "run") -> Seconds:
    """Seconds of both scripts, in a data directory of their own."""
    data_dir = simulated.parent / folder
    shutil.rmtree(data_dir, ignore_errors=True)
    data_dir.mkdir()
    for path in simulated.iterdir():
        if path.is_file():
            shutil.copy(path, data_dir)
    options = [*names, "--data_dir", data_dir, *where]
    building = run_script("build_sets.py", *options, "--cone_source", simulated / "cones")
    return building, run_script("evaluate_clusters.py", *options)


def two_runs_at_once(names: list[str], simulated: Path) -> Seconds:
    """Seconds of two runs that know nothing of one another, with half of the clusters each: what the machine allows."""
    halves = {"half_1": names[::2], "half_2": names[1::2]}
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda half: built_and_evaluated(halves[half], simulated, folder=half), halves))
    for half in halves:
        shutil.rmtree(simulated.parent / half)
    return max(run[0] for run in runs), max(run[1] for run in runs)


def measure(names: list[str], simulated: Path, scheduler: Path, rounds: int) -> dict[str, list[Seconds]]:
    """Seconds of each arrangement in each round."""
    one = partial(built_and_evaluated, names, simulated)
    arrangements = {
        "one worker": one,
        "two workers": partial(one, "--workers", 2),
        "a scheduler with two": partial(one, "--scheduler", scheduler),
        "two runs at once, half each": partial(two_runs_at_once, names, simulated),
    }
    seconds: dict[str, list[Seconds]] = {name: [] for name in arrangements}
    for _ in range(rounds):
        for name, run in arrangements.items():
            seconds[name].append(run())
    return seconds


def report(seconds: dict[str, list[Seconds]]) -> str:
    """A row for each arrangement; ratios are of runs in the same round."""
    alone, rows = seconds["one worker"], []
    for name, runs in seconds.items():
        ratios = [
            Ratio.of([part(run) for run in alone], [part(run) for run in runs])
            for part in (itemgetter(0), itemgetter(1), sum)
        ]
        rows.append([name, *map(short, runs[-1]), *map(str, ratios)])
    header = ["", "sets [s]", "evaluation [s]", "times one worker: sets", "evaluation", "both"]
    return markdown_table(header, rows)


def main() -> None:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clusters", type=int, default=16, help="how many are simulated")
    parser.add_argument("--field_density", type=float, default=2500, help="stars around them [1/deg^2]")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each arrangement")
    parser.add_argument(
        "--work_dir", type=Path, required=True, help="folder for the simulation and its results"
    )
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    names = [f"Simulated_{i + 1}" for i in range(arguments.clusters)]
    simulated = arguments.work_dir.resolve() / "simulated"
    if not simulated.exists():
        run_script(
            "simulate_clusters.py", *names, "--data_dir", simulated,
            *("--field_density", arguments.field_density, "--workers", os.cpu_count()),
        )  # fmt: skip
    before = load()
    with dask_cluster(arguments.work_dir.resolve(), 2) as scheduler:
        seconds = measure(names, simulated, scheduler, arguments.rounds)
    built = arguments.work_dir.resolve() / "run" / "clusters"
    stars = [sum(1 for _ in path.open()) - 1 for path in built.glob("*/candidates.csv")]
    about = f"{len(names)} simulated clusters with {min(stars):,} to {max(stars):,} candidates"
    sys.stdout.write(f"{machine()}. Before the runs: {before}. {about}.\n\n{report(seconds)}\n")


if __name__ == "__main__":
    main()
