"""Completeness that validate_clusters.py states for simulated clusters, beside the truth.

Evaluates and validates each cluster, unless that is done. The truth is the share with p >= 0.5 in its member list, in
which training members are judged as stars that nobody has listed, of all its true members, those that the cone or the
candidate selection lost included. Prints Markdown.

example: python benchmarks/validation/completeness.py data/independent_built.txt --data_dir data
"""

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.catalogues.names import read_cluster_names
from gaia_oc_amd.files.data_directory import cluster_directory
from gaia_oc_amd.options import FigureOptions, TablePaths
from gaia_oc_amd.stages.evaluate import evaluate_cluster
from gaia_oc_amd.stages.options import EvaluateOptions
from gaia_oc_amd.stages.validate import validate_cluster
from gaia_oc_amd.truth import read_truth
from gaia_oc_amd.validation.options import ValidateOptions, ValidationOptions
from gaia_oc_amd.validation.validate import SELECTION_FUNCTION

ROOT = Path(__file__).resolve().parents[2]
EDGES = (0.0, 18.0, 19.0, 20.0, 21.0)
LABELS = ("G < 18", "18-19", "19-20", "> 20")
AGREES = 0.05


def measured(name, arguments):
    """Evaluate and validate one cluster as the commands do."""
    no_plots = FigureOptions(save_plots=False)
    evaluate_cluster(
        name,
        arguments.data_dir,
        EvaluateOptions(model_dir=arguments.model_dir, figures=no_plots),
        seed=arguments.seed,
    )
    validation = ValidationOptions(n_artificial=arguments.n_artificial, n_controls=0, magnitude_edges=EDGES)
    options = ValidateOptions(
        model_dir=arguments.model_dir, validation=validation, figures=no_plots,
        paths=TablePaths(isochrone_path=arguments.isochrone_path),
    )  # fmt: skip
    validate_cluster(name, arguments.data_dir, options, seed=arguments.seed)


def compared(name, data_dir):
    """Estimate, its interval, truth and its standard error in each bin."""
    folder = cluster_directory(data_dir, name)
    table = pd.read_csv(folder / SELECTION_FUNCTION)
    listed = pd.read_csv(folder / "member_list.csv")
    accepted = listed.loc[listed["PMemb"] >= 0.5, "source_id"]
    truth = read_truth(name, data_dir)
    members = truth[truth["is_member"]]
    found = members["source_id"].isin(accepted).to_numpy()
    g = members["g_true"].to_numpy(float)
    rows = []
    for (low, high), label in zip(pairwise(EDGES), LABELS, strict=True):
        part = table[(table["bin"] == "G") & np.isclose(table["g_max"], high)].iloc[0]
        inside = (g >= low) & (g < high)
        share = found[inside].mean() if inside.any() else np.nan
        rows.append(
            (label, part["completeness"], part["completeness_lower"], part["completeness_upper"], share)
        )
    return rows


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clusters", nargs="+", help="names, or files with one name a line")
    parser.add_argument("--data_dir", type=Path, required=True, help="with their sets and truth")
    parser.add_argument("--model_dir", type=Path, default=ROOT / "deep_sets_model")
    parser.add_argument("--isochrone_path", type=Path, help="that the sets were built with")
    parser.add_argument("--n_artificial", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    lines = [f"| cluster | {' | '.join(LABELS)} |", "| --- |" + " --- |" * len(LABELS)]
    offsets, inside = [], []
    for name in read_cluster_names(arguments.clusters):
        measured(name, arguments)
        rows, cells = compared(name, arguments.data_dir), []
        for _, estimate, low, high, true, error in rows:
            cells.append(
                f"{100 * estimate:.0f} ({100 * low:.0f}-{100 * high:.0f}) / {100 * true:.0f} ± {100 * error:.0f}"
            )
        offsets.append([estimate - true for _, estimate, _, _, true, _ in rows])
        inside.append([low <= true <= high for _, _, low, high, true, _ in rows])
        lines.append(f"| {name} | {' | '.join(cells)} |")
    agree = (np.abs(offsets) <= AGREES).sum(axis=0)
    lines.append(f"| within 5 points, of {len(offsets)} | {' | '.join(map(str, agree))} |")
    lines.append(f"| truth within the interval | {' | '.join(map(str, np.sum(inside, axis=0)))} |")
    mean = 100 * np.nanmean(offsets, axis=0)
    lines.append(f"| mean of estimate - truth | {' | '.join(f'{value:+.1f}' for value in mean)} |")
    print(
        "Completeness stated (68 % interval) / true ± what so few members leave open [%]:", *lines, sep="\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
