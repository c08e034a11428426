"""What each stage costs per cluster, and from it a survey: the tables of docs/many_clusters.md.

Simulates a few clusters, and runs every stage on all of them and once more with nothing to do; the difference, divided
by their number, is the cost of one. Processor time counts, with one thread: on an idle core that is the time it takes,
and a busy machine does not change it.

example: python benchmarks/speed/survey.py
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from timing import Run, load, machine, markdown_table, run_process, short

ROOT = Path(__file__).resolve().parents[2]
STAGES = (
    ("cone and sets", ("build_sets.py", "--no-save_plots")),
    ("figure of the sets", ("build_sets.py",)),
    ("evaluation and member list", ("evaluate_clusters.py", "--no-save_plots")),
    ("figures of the evaluation", ("evaluate_clusters.py",)),
    ("report", ("evaluate_clusters.py", "--report")),
)
N_SURVEY = 7000


@dataclass(frozen=True)
class Cost:
    """What a stage costs: processor time and disk for each cluster, of the start, and memory of the process."""

    name: str
    seconds: float
    start: float
    peak: float
    disk: float


def measure(names: list[str], data_dir: Path, work_dir: Path) -> list[Cost]:
    """All stages in turn, each of which finds those before it done."""
    costs, before = [], 0.0
    for stage, (script, *options) in STAGES:
        cones = ["--cone_source", data_dir / "cones"] if script == "build_sets.py" else []
        command = [sys.executable, ROOT / script, *names, "--data_dir", data_dir, *cones, *options]
        full = run_process(command, cwd=work_dir)
        # a report is written in any case, so that its start is that of the stage before
        idle = run_process([part for part in command if part != "--report"], cwd=work_dir)
        size = (
            sum(path.stat().st_size for path in (data_dir / "clusters").rglob("*") if path.is_file()) / 2**20
        )
        costs.append(_cost(stage, full, idle, len(names), size - before))
        before = size
    return costs


def _cost(stage: str, full: Run, idle: Run, n_clusters: int, disk: float) -> Cost:
    return Cost(stage, (full.cpu - idle.cpu) / n_clusters, idle.cpu, full.peak, disk / n_clusters)


def stage_table(costs: list[Cost]) -> str:
    """A row for each stage, and one for all of them."""
    rows = [[c.name, *(short(v) for v in (c.seconds, c.start, c.peak, c.disk))] for c in costs]
    seconds, disk = sum(c.seconds for c in costs), sum(c.disk for c in costs)
    rows.append(["all", short(seconds), "-", short(max(c.peak for c in costs)), short(disk)])
    header = [
        "stage",
        "per cluster [s of one core]",
        "start [s]",
        "peak memory of a process [MiB]",
        "disk per cluster [MiB]",
    ]
    return markdown_table(header, rows)


def survey_table(costs: list[Cost]) -> str:
    """What a survey takes on machines of several sizes, if the cores are its own."""
    seconds, starts = sum(c.seconds for c in costs), sum(c.start for c in costs)
    peak, disk = max(c.peak for c in costs) / 1024, N_SURVEY * sum(c.disk for c in costs) / 1024
    rows = []
    for place, n_cores in (("this machine", os.cpu_count() or 1), ("a server", 32), ("a SLURM array", 100)):
        hours = (N_SURVEY * seconds / n_cores + starts) / 3600
        rows.append([f"{place} ({n_cores} cores)", short(hours), f"{short(n_cores * peak)}", short(disk)])
    return markdown_table(["where", f"{N_SURVEY:,} clusters [h]", "memory [GiB]", "disk [GiB]"], rows)


def main() -> None:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clusters", type=int, default=4, help="how many are simulated")
    parser.add_argument("--field_density", type=float, default=20000, help="stars around them [1/deg^2]")
    parser.add_argument(
        "--work_dir", type=Path, required=True, help="empty folder for the simulation and its results"
    )
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    names = [f"Simulated_{i + 1}" for i in range(options.clusters)]
    data_dir = options.work_dir.resolve() / "data"
    simulate = [sys.executable, ROOT / "simulate_clusters.py", *names, "--data_dir", data_dir]
    run_process([*simulate, "--field_density", options.field_density], cwd=options.work_dir)
    costs = measure(names, data_dir, options.work_dir)
    stars = [sum(1 for _ in path.open()) - 1 for path in (data_dir / "clusters").glob("*/candidates.csv")]
    about = f"{options.clusters} simulated clusters with {min(stars):,} to {max(stars):,} candidates"
    sys.stdout.write(f"{machine()}; {load()}. {about}.\n\n{stage_table(costs)}\n\n{survey_table(costs)}\n")


if __name__ == "__main__":
    main()
