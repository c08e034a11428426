r"""The published tool (gaia_oc_amd 0.2.1) and ours, side by side on the same inputs.

The published tool is installed into an environment of its own, if it is not there. A crowded cluster and some training
clusters are simulated, their sets built and written for both tools; then both run in turn, each in processes of
its own, and a Markdown table with medians and ratios of neighbouring runs is printed and written.

example: python benchmarks/speed/published_tool.py
         python benchmarks/speed/published_tool.py --n_candidates 1000 --n_samples 4 --n_runs 2 --field_density 5000 \
             --n_training_clusters 2 --parts probabilities functions
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from published_tool_bench import CLUSTER, ROOT, Bench, prepare, say
from published_tool_env import VERSION, published_python
from published_tool_table import Row, report
from timing import BenchmarkError, Run, alternate, load, run_process

N_EPOCHS = 3
SHIPPED = ROOT / "deep_sets_model"


def probabilities(bench: Bench) -> list[Row]:
    """Votes of all candidates: whole processes, and the call with its files; then how they differ."""
    here = {"name": CLUSTER, "data_dir": bench.data_dir}
    both = {"model_dir": bench.model_dir, "n_samples": bench.n_samples}
    script = (CLUSTER, "--data_dir", bench.data_dir, "--model_dir", bench.model_dir, "--probability", "votes")
    script = (*script, "--n_samples", bench.n_samples, "--no-save_plots")
    theirs, ours = alternate(
        partial(bench.theirs, "probabilities", cluster_dir=bench.clusters_dir / CLUSTER, **both),
        lambda: (
            bench.ours("probabilities", **here, **both, stop_early=True),
            bench.ours("probabilities", **here, **(both | {"model_dir": SHIPPED}), probability="posterior"),
            bench.script("evaluate_clusters.py", *script),
            bench.ours("probabilities", **here, **both),
        ),
        bench.n_runs,
    )
    early, posterior, whole, calls = zip(*ours, strict=True)
    shortcut = bench.ours("shortcut", **here, **both).figures
    differences = bench.ours("compare", **here, cluster_dir=bench.clusters_dir / CLUSTER).figures
    what = f"votes, {bench.n_candidates:,} candidates x {bench.n_samples} samples"
    files, seconds = "files read and written", _figure(theirs, "seconds")
    remark = "imports and `calculate_candidate_probs` there (its script ends in a KeyError), evaluate_clusters.py here"
    return [
        Row(f"{what}: whole process", "s", _each(theirs, "seconds"), _each(whole, "seconds"), remark),
        Row("... processor time", "s", _each(theirs, "cpu"), _each(whole, "cpu")),
        Row("... peak memory", "MiB", _each(theirs, "peak"), _each(whole, "peak")),
        Row(f"... the call, {files}", "s", seconds, _figure(calls, "seconds")),
        Row("... peak memory above the imports", "MiB", _figure(theirs, "peak"), _figure(calls, "peak")),
        Row("probabilities of both", "", (), (), _difference_text(differences)),
        Row(
            "... the call with --stop_early",
            "s",
            seconds,
            _figure(early, "seconds"),
            _shortcut_text(shortcut),
        ),
        Row(
            "... the call of the shipped model, posterior",
            "s",
            seconds,
            _figure(posterior, "seconds"),
            "another definition: no sampling",
        ),
    ]


def _shortcut_text(found: dict[str, Any]) -> str:
    return (
        f"largest change of a probability {found['largest']:.2f} (other random numbers: "
        f"{found['largest_by_chance']:.2f}), {found['other_side']} stars change sides of 0.5 "
        f"({found['other_side_by_chance']}), sum of p times {found['sum']:.3f}"
    )


def _difference_text(found: dict[str, Any]) -> str:
    correlation = "-" if found["correlation"] is None else f"{found['correlation']:.4f}"
    return (
        f"mean difference {found['mean_difference']:.4f}, more than 0.1 for {100 * found['above_0.1']:.2f} %, "
        f"correlation {correlation}, same side of 0.5 for {100 * found['same_verdict']:.2f} % of {found['n']:,} stars: "
        "other random numbers, an isochrone of points there and a curve here, colour drawn independent of G there"
    )


def limit(bench: Bench) -> list[Row]:
    """Matrix products alone, beside our calculation of as many instances without files."""
    products, ours = alternate(
        partial(bench.ours, "limit", n_instances=bench.n_candidates * bench.n_samples),
        partial(
            bench.ours,
            "votes",
            name=CLUSTER,
            data_dir=bench.data_dir,
            model_dir=bench.model_dir,
            n_samples=bench.n_samples,
        ),
        bench.n_runs,
    )
    best = products[-1].figures
    remark = f"left the limit, no tool: {best['gflops']:.0f} Gflop/s in blocks of {best['block']}; ours without files"
    what = "the network's matrix products alone, and our `vote_probabilities`"
    seconds = (_figure(runs, "seconds") for runs in (products, ours))
    return [Row(what, "s", *seconds, remark, inverse=True)]


def functions(bench: Bench) -> list[Row]:
    """Single functions of the evaluation."""
    both = {"model_dir": bench.model_dir, "n_stars": bench.n_stars}
    theirs, ours = alternate(
        partial(bench.theirs, "functions", cluster_dir=bench.clusters_dir / CLUSTER, **both),
        partial(bench.ours, "functions", name=CLUSTER, data_dir=bench.data_dir, **both),
        bench.n_runs,
    )
    points, n = theirs[0].figures["points"], f"{bench.n_candidates:,}"
    names = {
        "isochrone": (
            f"nearest isochrone point of {bench.n_stars:,} stars",
            f"{points} points there, a curve here",
        ),
        "support_sets": (f"drawing {n} support sets of 10", ""),
        "sample_features": (f"standardised features of one sample of {n} stars", "drawn from the errors"),
    }
    rows = []
    for name, (what, remark) in names.items():
        seconds = ([run.figures[name]["seconds"] for run in runs] for runs in (theirs, ours))
        rows.append(Row(what, "s", *map(tuple, seconds), remark))
    return rows


def data_set(bench: Bench) -> list[Row]:
    """Making the training examples of several clusters."""
    clusters = bench.training_clusters
    theirs, ours = alternate(
        partial(bench.theirs, "data_set", clusters_dir=bench.clusters_dir, clusters=clusters),
        partial(bench.ours, "data_set", data_dir=bench.data_dir, clusters=clusters),
        bench.n_runs,
    )
    n = _same_number(theirs, ours)
    there = "there property_mean_and_std and MultiClusterDeepSetsDataset"
    here = "here standardisations, make_training_set and the draw of an epoch"
    remarks = {
        "reading": f"{there} (each reads all files); {here}, all files read once",
        "loaded": "as above, with tables that are in memory (there in place of load_sets and load_cluster)",
    }
    what = f"data set of {len(clusters)} clusters, {n:,} examples"
    rows = []
    for key, remark in remarks.items():
        seconds = ([run.figures[key]["seconds"] for run in runs] for runs in (theirs, ours))
        rows.append(
            Row(f"{what}, {key.replace('loaded', 'without reading')}", "s", *map(tuple, seconds), remark)
        )
    return rows


def epoch(bench: Bench) -> list[Row]:
    """A training epoch with each tool's defaults."""
    clusters = bench.training_clusters
    theirs, ours = alternate(
        partial(bench.theirs, "epoch", clusters_dir=bench.clusters_dir, clusters=clusters),
        partial(bench.ours, "epoch", data_dir=bench.data_dir, clusters=clusters, n_epochs=N_EPOCHS),
        bench.n_runs,
    )
    remark = f"batches of 32 there, of 512 here; here with new support sets, mean of {N_EPOCHS} epochs"
    what = f"training epoch, {_same_number(theirs, ours):,} examples"
    return [Row(what, "s", _figure(theirs, "seconds"), _figure(ours, "seconds"), remark)]


def start(bench: Bench) -> list[Row]:
    """Importing the package, and a script's help: whole processes."""
    away, run = bench.work_dir, partial(run_process, may_fail=True)
    import_theirs, judge = [bench.python, "-I", "-c", "import gaia_oc_amd"], "import gaia_oc_amd.membership"
    help_theirs = [bench.python, "-I", "-m", "gaia_oc_amd.build_sets", "--help"]
    commands = {
        "`import gaia_oc_amd`": (import_theirs, [sys.executable, "-c", "import gaia_oc_amd"]),
        "importing what the evaluation needs": (import_theirs, [sys.executable, "-c", judge]),
        "`build_sets --help`": (help_theirs, [sys.executable, ROOT / "build_sets.py", "--help"]),
    }
    rows = []
    for what, (theirs, ours) in commands.items():
        runs = alternate(partial(run, theirs, cwd=away), partial(run, ours, cwd=ROOT), bench.n_runs)
        seconds = (_each(side, "seconds") for side in runs)
        remark = (
            _failures(*(side[-1].error for side in runs)) or "there all is imported, and the archive asked"
        )
        rows.append(Row(what, "s", *seconds, remark))
    return rows


def _failures(theirs: str, ours: str) -> str:
    """Which side failed, and why."""
    said = (f"{who} it fails: {error}" for who, error in (("there", theirs), ("here", ours)) if error)
    return "; ".join(said)


def _each(runs: list[Run], name: str) -> tuple[float, ...]:
    return tuple(getattr(run, name) for run in runs)


def _figure(runs: list[Run], name: str) -> tuple[float, ...]:
    return tuple(run.figures[name] for run in runs)


def _same_number(theirs: list[Run], ours: list[Run]) -> int:
    """Number of examples.

    Raises
    ------
    BenchmarkError
        If the tools did not have equally many.
    """
    numbers = {run.figures["n_examples"] for run in (*theirs, *ours)}
    if len(numbers) > 1:
        raise BenchmarkError(
            f"the tools made different numbers of examples, {sorted(numbers)}: nothing to compare."
        )
    return numbers.pop()


PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    part.__name__: part for part in (probabilities, limit, functions, data_set, epoch, start)
}


def measure(bench: Bench, parts: list[str], field_density: float | None, output_dir: Path) -> str:
    """Run the parts; the table is written after each, so that an interruption loses one at most.

    Returns
    -------
    str
        Markdown.
    """
    counts = prepare(bench, field_density)
    _warm_up(bench)
    rows, about = [], f"{_about(bench, counts)} Before the runs: {load()}; after them: "
    for part in parts:
        say(f"{part}, {bench.n_runs} pairs of runs...")
        rows += PARTS[part](bench)
        text = report(rows, f"{about}{load()}.")
        (output_dir / "published_tool.md").write_text(text + "\n")
        content = {"about": about, "rows": [asdict(row) for row in rows]}
        (output_dir / "published_tool.json").write_text(json.dumps(content, indent=1))
    return text


def _warm_up(bench: Bench) -> None:
    """Machine code and byte code of both tools are on disk before anything is timed, as after anybody's first use."""
    bench.theirs("describe")
    bench.ours("probabilities", name=CLUSTER, data_dir=bench.data_dir, model_dir=bench.model_dir, n_samples=1)


def _about(bench: Bench, counts: dict[str, Any]) -> str:
    ours, theirs = bench.ours("describe").figures, bench.theirs("describe").figures
    threads = " and ".join(str(figures["threads"]) for figures in (theirs, ours))
    return (
        f"Published tool {VERSION} (left) and ours (right), {bench.n_runs} pairs of runs in turn. {ours['machine']}; "
        f"PyTorch {theirs['torch']} and {ours['torch']} with {threads} threads. "
        f"One simulated cluster of {counts['n_members']} members: {bench.n_candidates:,} candidates drawn from "
        f"{counts['n_found']:,} found in its cone, {counts['n_non_members']:,} non-members. "
        f"Model {bench.model_dir.name}. Medians; ratios of neighbouring runs, median (smallest - largest)."
    )


def main() -> int:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env_dir", type=Path, default=Path.home() / ".cache" / "gaia_oc_amd_published")
    parser.add_argument("--work_dir", type=Path, default=Path("data/published_tool"), help="inputs, kept")
    parser.add_argument(
        "--output_dir", type=Path, default=Path("data/benchmarks"), help="published_tool.md, .json"
    )
    parser.add_argument(
        "--model_dir", type=Path, help="by default DS10_v02, which the published tool carries"
    )
    parser.add_argument("--n_candidates", type=int, default=20_000)
    parser.add_argument("--n_samples", type=int, default=100)
    parser.add_argument("--n_stars", type=int, default=100_000, help="stars beside the isochrone")
    parser.add_argument("--n_training_clusters", type=int, default=10)
    parser.add_argument("--n_runs", type=int, default=5, help="pairs of runs")
    parser.add_argument(
        "--field_density", type=float, help="of the crowded cluster [1/deg^2], by default the Galaxy's"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = vars(parser.parse_args())
    parts, field_density = arguments.pop("parts"), arguments.pop("field_density")
    env_dir, output_dir = arguments.pop("env_dir"), arguments.pop("output_dir")
    try:
        print(_run(arguments, parts, field_density, env_dir=env_dir, output_dir=output_dir))
    except (BenchmarkError, OSError) as error:
        say(f"error: {error}")
        return 1
    return 0


def _run(
    arguments: dict[str, Any],
    parts: list[str],
    field_density: float | None,
    *,
    env_dir: Path,
    output_dir: Path,
) -> str:
    """The table for a command line."""
    too_small = [name for name, value in arguments.items() if isinstance(value, int) and value < 1]
    if too_small:
        raise BenchmarkError(f"{', '.join(too_small)} must be at least 1.")
    arguments["work_dir"] = arguments["work_dir"].absolute()
    for folder in (arguments["work_dir"], output_dir):
        folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(published_python(env_dir), **arguments)
    model_dir = Path(bench.model_dir or bench.theirs("describe").figures["model_dir"]).absolute()
    if not (model_dir / "hyper_parameters").exists():
        raise BenchmarkError(f"{model_dir} is no model folder: give another --model_dir, or none.")
    bench = Bench(**(vars(bench) | {"model_dir": model_dir}))
    return measure(bench, parts, field_density, output_dir)


if __name__ == "__main__":
    sys.exit(main())
