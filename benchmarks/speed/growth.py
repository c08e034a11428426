r"""How our own tool grows: with candidates, with sources in the cone, with clusters and workers.

Simulates a crowded cluster and many small ones, measures each size in processes of their own, and writes growth.md,
growth.json and growth.png. Votes are those of a network of the published size with random weights, unless a
model folder is given; the posterior is that of the shipped model.

example: python benchmarks/speed/growth.py
         python benchmarks/speed/growth.py --parts candidates --sizes 300 1000 3000 --n_runs 1 --field_density 5000
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from growth_report import Curve, report
from timing import BenchmarkError, Run, alternate, load, run_process

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = "Crowded"
SMALL_OPTIONS = ("--n_members", 250)
N_SAMPLES = 100
"""Samples that the seconds of votes are scaled to."""


@dataclass(frozen=True)
class Bench:
    """Where everything lies, and how much of it is run.

    Parameters
    ----------
    work_dir : path
        Data directory of the simulations, kept.
    model_dir : path, optional
        Network that gives votes; random weights if there is none.
    sizes, cones, clusters : tuple of int
        Numbers of candidates, of sources in a cone, and of clusters.
    n_samples, n_runs, n_parallel : int
        Samples of votes, runs of each size, and clusters that two workers share for the speed-up.
    field_density, small_density : float, optional
        Stars around the crowded cluster and around the small ones [1/deg^2]; None is the Galaxy's.
    """

    work_dir: Path
    model_dir: Path | None
    sizes: tuple[int, ...]
    cones: tuple[int, ...]
    clusters: tuple[int, ...]
    n_samples: int
    n_runs: int
    n_parallel: int
    field_density: float | None
    small_density: float

    @property
    def data_dir(self) -> Path:
        """Data directory of the crowded cluster."""
        return self.work_dir / "crowded"

    @property
    def small_dir(self) -> Path:
        """Data directory of the small clusters."""
        return self.work_dir / f"small_{self.small_density:g}"

    @property
    def field_dir(self) -> Path:
        """Tables of wanted sizes."""
        return self.work_dir / "field"

    def child(self, task: str, **keywords: Any) -> Run:
        """Run a task of `growth_child.py`."""
        child = ROOT / "benchmarks/speed/growth_child.py"
        return run_process([sys.executable, child, task, json.dumps(keywords, default=str)], cwd=ROOT)

    def script(self, name: str, *arguments: Any) -> Run:
        """Run one of our scripts."""
        return run_process([sys.executable, ROOT / name, *arguments], cwd=ROOT)


@dataclass
class Findings:
    """What the parts found, to be written and projected from."""

    curves: list[Curve] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    speed_up: float | None = None


def prepare_crowded(bench: Bench) -> None:
    """Simulate the crowded cluster and build its sets, unless that was done for the same density."""
    done = bench.data_dir / "prepared.json"
    wanted = {"field_density": bench.field_density}
    if done.exists() and json.loads(done.read_text()) == wanted:
        return
    _say("simulating the crowded cluster and building its sets...")
    density = () if bench.field_density is None else ("--field_density", bench.field_density)
    there = ("--data_dir", bench.data_dir)
    bench.script("simulate_clusters.py", CLUSTER, *there, *density)
    cones = bench.data_dir / "cones"
    bench.script("build_sets.py", CLUSTER, *there, "--cone_source", cones, "--no-save_plots")
    bench.child("write_members_only", name=CLUSTER, data_dir=bench.data_dir)
    bench.child("write_model", name=CLUSTER, data_dir=bench.data_dir, model_dir=bench.work_dir / "random")
    done.write_text(json.dumps(wanted))


def candidates(bench: Bench, findings: Findings) -> None:
    """Time and memory of both kinds of probability against the number of candidates."""
    prepare_crowded(bench)
    here = {"name": CLUSTER, "data_dir": bench.data_dir, "folder": bench.field_dir}
    found = bench.child("write_field", **here, sizes=bench.sizes).figures
    kinds = {
        "votes": (bench.model_dir or bench.work_dir / "random", bench.n_samples, N_SAMPLES / bench.n_samples),
        "posterior": (ROOT / "deep_sets_model", 1, 1.0),
    }
    for kind, (model_dir, n_samples, scale) in kinds.items():
        judge = partial(
            bench.child, "judge", **here, model_dir=model_dir, probability=kind, n_samples=n_samples
        )
        label = kind if kind == "posterior" else f"votes, {N_SAMPLES} samples"
        findings.curves.append(_curve(kind, label, "candidates", bench.sizes, judge, bench.n_runs, scale))
    findings.lines.append(
        f"Candidates: drawn from {found['n_candidates']:,} of one simulated cone, with non-members in proportion "
        f"({found['n_non_members'] / found['n_candidates']:.1f} for each), and repeated beyond that. Votes were run "
        f"with {bench.n_samples} samples and scaled to {N_SAMPLES}. Memory is that above the imports, tables included."
    )


def sources(bench: Bench, findings: Findings) -> None:
    """Time and memory of building sets against the number of sources in the cone."""
    prepare_crowded(bench)
    here = {"name": CLUSTER, "data_dir": bench.data_dir}
    found = bench.child("write_cones", **here, folder=bench.field_dir, sizes=bench.cones).figures

    smallest = min(bench.cones)

    def build(n: int) -> Run:
        cones = {
            key: bench.field_dir / f"cone_{size}.parquet" for key, size in (("cone", n), ("first", smallest))
        }
        return bench.child("build", **here, **cones)

    findings.curves.append(_curve("build", "building sets", "sources", bench.cones, build, bench.n_runs))
    findings.lines.append(
        f"Sources: drawn from the {found['n_sources']:,} of the simulated table, which is somewhat wider than the "
        "cone, and repeated beyond that; from a Parquet table to saved CSVs, without plots. "
        "Memory is that above the imports and a small cone."
    )


def _curve(
    kind: str,
    label: str,
    unit: str,
    sizes: tuple[int, ...],
    run: Callable[..., Run],
    n_runs: int,
    scale: float = 1.0,
) -> Curve:
    """The fastest run at each size: what else runs on the machine only ever adds.

    The sizes are gone through anew for each run, so that a slow minute meets all.
    """
    rounds = [[run(n=n).figures for n in sizes] for _ in range(n_runs)]
    by_size = list(zip(*rounds, strict=True))
    seconds = tuple(scale * min(run["seconds"] for run in runs) for runs in by_size)
    peaks = tuple(median(run["peak"] for run in runs) for runs in by_size)
    return Curve(kind, label, unit, sizes, seconds, peaks)


def clusters(bench: Bench, findings: Findings) -> None:
    """Time of building and evaluating many small clusters with one and with two workers."""
    names = [f"Small_{i + 1:02d}" for i in range(max(*bench.clusters, bench.n_parallel))]
    missing = [name for name in names if not (bench.small_dir / "cones" / f"{name}.parquet").exists()]
    if missing:
        _say(f"simulating {len(missing)} small clusters...")
        density = ("--field_density", bench.small_density, *SMALL_OPTIONS)
        bench.script(
            "simulate_clusters.py", *missing, "--data_dir", bench.small_dir, *density, "--workers", 2
        )
    for workers in (1, 2):

        def run(n: int, workers: int = workers) -> Run:
            return _whole_chain(bench, names[:n], workers)

        label = f"build and evaluate, {workers} worker{'s' if workers > 1 else ''}"
        findings.curves.append(_curve(f"workers_{workers}", label, "clusters", bench.clusters, run, 1))
    findings.lines.append(
        "Clusters: whole processes of both scripts, their peak memory with the imports; one run each."
    )
    _parallel(bench, names[: bench.n_parallel], findings)


def _parallel(bench: Bench, names: list[str], findings: Findings) -> None:
    """Speed-up of two workers, from runs in turn."""
    one, two = alternate(
        lambda: _whole_chain(bench, names, 1), lambda: _whole_chain(bench, names, 2), bench.n_runs
    )
    ratios = [a.seconds / b.seconds for a, b in zip(one, two, strict=True)]
    findings.speed_up = median(ratios)
    findings.lines.append(
        f"Two workers on {len(names)} clusters: {median(ratios):.2f} times as fast as one "
        f"({min(ratios):.2f} - {max(ratios):.2f}, {len(ratios)} pairs of runs)."
    )


def _whole_chain(bench: Bench, names: list[str], workers: int) -> Run:
    """build_sets.py and evaluate_clusters.py of some small clusters, without plots."""
    common = (*names, "--data_dir", bench.small_dir, "--no-save_plots", "--workers", workers)
    runs = [
        bench.script("build_sets.py", *common, "--cone_source", bench.small_dir / "cones"),
        bench.script("evaluate_clusters.py", *common),
    ]
    seconds, peak = sum(run.seconds for run in runs), max(run.peak for run in runs)
    return Run(seconds, sum(run.cpu for run in runs), peak, {"seconds": seconds, "peak": peak})


PARTS = {part.__name__: part for part in (candidates, sources, clusters)}


def measure(bench: Bench, parts: list[str], output_dir: Path) -> str:
    """Run the parts; table and figure are written after each.

    Returns
    -------
    str
        Markdown.
    """
    findings, described = Findings(), bench.child("describe").figures["machine"]
    about = f"{described}. Before the runs: {load()}; after them: "
    for part in parts:
        _say(f"{part}...")
        PARTS[part](bench, findings)
        text = report(findings.curves, findings.lines, f"{about}{load()}.", findings.speed_up)
        (output_dir / "growth.md").write_text(text + "\n")
        (output_dir / "growth.json").write_text(json.dumps(asdict(findings), indent=1))
    from growth_plot import plot_growth  # only now: the peak of a child counts the size of its parent

    plot_growth(findings.curves, output_dir / "growth.png")
    return text


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--work_dir", type=Path, default=Path("data/growth"), help="inputs, kept")
    parser.add_argument(
        "--output_dir", type=Path, default=Path("data/benchmarks"), help="growth.md, .json, .png"
    )
    parser.add_argument("--model_dir", type=Path, help="network that gives votes")
    sizes = [1000, 3000, 10_000, 30_000, 100_000, 200_000]
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes, help="candidates")
    parser.add_argument("--cones", type=int, nargs="+", default=[10_000, *sizes[3:]], help="sources")
    parser.add_argument("--clusters", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--n_samples", type=int, default=10, help="of votes, scaled to 100")
    parser.add_argument("--n_runs", type=int, default=3)
    parser.add_argument("--n_parallel", type=int, default=16, help="clusters for the speed-up of two workers")
    parser.add_argument("--field_density", type=float, help="around the crowded cluster [1/deg^2]")
    parser.add_argument(
        "--small_density", type=float, default=4000, help="around the small clusters [1/deg^2]"
    )
    arguments = vars(parser.parse_args())
    parts, output_dir = arguments.pop("parts"), arguments.pop("output_dir")
    try:
        print(_run(arguments, parts, output_dir))
    except (BenchmarkError, OSError) as error:
        _say(f"error: {error}")
        return 1
    return 0


def _run(arguments: dict[str, Any], parts: list[str], output_dir: Path) -> str:
    """The table for a command line."""
    for name in ("sizes", "cones", "clusters"):
        arguments[name] = tuple(sorted(set(arguments[name])))
    numbers = {name: value for name, value in arguments.items() if isinstance(value, int | tuple)}
    too_small = [
        name for name, value in numbers.items() if min(value if isinstance(value, tuple) else (value,)) < 1
    ]
    if too_small:
        raise BenchmarkError(f"{', '.join(too_small)} must be at least 1.")
    arguments |= {name: path.absolute() for name, path in arguments.items() if isinstance(path, Path)}
    bench = Bench(**arguments)
    for folder in (bench.work_dir, bench.field_dir, output_dir):
        folder.mkdir(parents=True, exist_ok=True)
    return measure(bench, parts, output_dir)


if __name__ == "__main__":
    sys.exit(main())
