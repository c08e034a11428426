"""What both tools are run on: the simulated inputs, where they lie, and how each tool is started."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timing import Run, run_process

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = "Crowded"
TRAINING_OPTIONS = ("--n_members", 1400, "--field_density", 8000)
"""Simulated with these, a training cluster gives about 300 training members: ten give 36,000 examples."""


@dataclass(frozen=True)
class Bench:
    """Where everything lies, and how much of it is run.

    Parameters
    ----------
    python : path
        The published tool's interpreter; ours is the one that runs this.
    work_dir : path
        Holds ``ours``, a data directory, and ``theirs``, its clusters.
    model_dir : path
        The network of both.
    n_candidates, n_samples, n_stars, n_training_clusters, n_runs : int
        Candidates and samples of the evaluation, stars for the isochrone, clusters to train on, pairs of runs.
    """

    python: Path
    work_dir: Path
    model_dir: Path
    n_candidates: int
    n_samples: int
    n_stars: int
    n_training_clusters: int
    n_runs: int

    @property
    def data_dir(self) -> Path:
        """Our data directory."""
        return self.work_dir / "ours"

    @property
    def clusters_dir(self) -> Path:
        """The published tool's clusters."""
        return self.work_dir / "theirs"

    @property
    def training_clusters(self) -> list[str]:
        """Names of the clusters to train on."""
        return [f"Training_{i + 1:02d}" for i in range(self.n_training_clusters)]

    def theirs(self, task: str, **keywords: Any) -> Run:
        """Run a task of `published_tool_child.py`, away from our package."""
        child = ROOT / "benchmarks/speed/published_tool_child.py"
        return run_process([self.python, "-I", child, task, _json(keywords)], cwd=self.work_dir)

    def ours(self, task: str, **keywords: Any) -> Run:
        """Run a task of `published_tool_ours.py`."""
        child = ROOT / "benchmarks/speed/published_tool_ours.py"
        return run_process([sys.executable, child, task, _json(keywords)], cwd=ROOT)

    def script(self, name: str, *arguments: Any) -> Run:
        """Run one of our scripts."""
        return run_process([sys.executable, ROOT / name, *arguments], cwd=ROOT)


def _json(keywords: dict[str, Any]) -> str:
    return json.dumps(keywords, default=str)


def prepare(bench: Bench, field_density: float | None) -> dict[str, Any]:
    """Simulate the clusters and write their sets for both tools; done already for the same numbers, it is skipped.

    Returns
    -------
    dict
        How many stars the crowded cluster has.
    """
    wanted = {
        "n_candidates": bench.n_candidates,
        "field_density": field_density,
        "n_training_clusters": bench.n_training_clusters,
    }
    done = bench.work_dir / "prepared.json"
    if done.exists() and (earlier := json.loads(done.read_text()))["wanted"] == wanted:
        return earlier["counts"]
    for folder in (bench.data_dir, bench.clusters_dir):
        shutil.rmtree(folder, ignore_errors=True)
    bench.data_dir.mkdir(parents=True)
    say("simulating the clusters and building their sets...")
    density = () if field_density is None else ("--field_density", field_density)
    _build(bench, [CLUSTER], density)
    _build(bench, bench.training_clusters, TRAINING_OPTIONS)
    counts = bench.ours(
        "thin", name=CLUSTER, data_dir=bench.data_dir, n_candidates=bench.n_candidates, seed=1
    ).figures
    names = [CLUSTER, *bench.training_clusters]
    bench.ours("write_theirs", clusters=names, data_dir=bench.data_dir, clusters_dir=bench.clusters_dir)
    done.write_text(json.dumps({"wanted": wanted, "counts": counts}))
    return counts


def _build(bench: Bench, names: list[str], options: tuple[Any, ...]) -> None:
    cones = bench.data_dir / "cones"
    bench.script("simulate_clusters.py", *names, "--data_dir", bench.data_dir, *options)
    bench.script(
        "build_sets.py", *names, "--data_dir", bench.data_dir, "--cone_source", cones, "--no-save_plots"
    )


def say(text: str) -> None:
    """Tell how far it is, beside the output."""
    print(text, file=sys.stderr, flush=True)
