"""Completeness that validate_clusters.py states for simulated clusters, beside the truth.

Evaluates and validates each cluster, unless that is done. The truth is the share with p >= 0.5 in its member list, in
which training members are judged as stars that nobody has listed, of all its true members, those that the cone's cut or
the candidate selection lost included. Cones have to be built as wide as they were simulated, or artificial members
beyond their edge count as lost. Prints Markdown; the row before the last says how often an estimate without any error
would be within 5 points of the share of so few members.

example: python benchmarks/validation/completeness.py data/independent_built.txt --data_dir data
"""

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.catalogues.names import read_cluster_names
from gaia_oc_amd.files.data_directory import cluster_directory
from gaia_oc_amd.options import FigureOptions, TablePaths
from gaia_oc_amd.source_sets import load_sets
from gaia_oc_amd.stages.evaluate import evaluate_cluster
from gaia_oc_amd.stages.options import EvaluateOptions
from gaia_oc_amd.stages.validate import validate_cluster
from gaia_oc_amd.truth import read_truth
from gaia_oc_amd.validation.options import ValidateOptions, ValidationOptions
from gaia_oc_amd.validation.validate import SELECTION_FUNCTION

ROOT = Path(__file__).resolve().parents[2]
EDGES = (0.0, 18.0, 19.0, 20.0, 21.0)
LABELS = ("G < 18", "18-19", "19-20", "> 20", "r < r_t")
AGREES = 0.05
COLUMNS = ["label", "estimate", "lower", "upper", "true", "error"]


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
    """Estimate, its interval, truth and its standard error in each bin: a table of `COLUMNS`, NaN where nothing is."""
    table = pd.read_csv(cluster_directory(data_dir, name) / SELECTION_FUNCTION)
    members = true_members(name, data_dir)
    parts = [
        (
            (table["bin"] == "G") & np.isclose(table["g_max"], high),
            members["g_true"].between(low, high, "left"),
        )
        for low, high in pairwise(EDGES)
    ]
    whole = table["bin"] == "within the tidal radius"
    tidal = table.loc[whole, "r_max"].max() if whole.any() else np.nan
    parts.append((whole, members["f_r"] < tidal))
    rows = []
    for label, (row, inside) in zip(LABELS, parts, strict=True):
        stated = table.loc[row, ["completeness", "completeness_lower", "completeness_upper"]]
        stated = stated.iloc[0] if len(stated) else [np.nan] * 3
        rows.append((label, *stated, *share_with_error(members.loc[inside, "found"])))
    return pd.DataFrame(rows, columns=COLUMNS)


def true_members(name, data_dir):
    """True members with g_true, f_r (NaN outside the cone's cut) and whether the member list has them."""
    listed = pd.read_csv(cluster_directory(data_dir, name) / "member_list.csv")
    accepted = listed.loc[listed["PMemb"] >= 0.5, "source_id"]
    sets = load_sets(name, data_dir)
    places = pd.concat([sets.members, sets.candidates, sets.non_members])[["source_id", "f_r"]]
    truth = read_truth(name, data_dir)
    members = truth[truth["is_member"]].merge(places, on="source_id", how="left")
    return members.assign(found=members["source_id"].isin(accepted))


def share_with_error(found):
    """Share of the found and its binomial standard error, by Laplace's rule of succession, so that it is not 0."""
    number = len(found)
    if not number:
        return np.nan, np.nan
    likely = (found.sum() + 1) / (number + 2)
    return float(found.mean()), float(np.sqrt(likely * (1 - likely) / number))


def summary(tables):
    """Rows that count agreement over the clusters, from the tables of `compared`."""
    stacked = np.stack([table[COLUMNS[1:]].to_numpy(float) for table in tables])
    estimate, lower, upper, true, error = np.moveaxis(stacked, 2, 0)
    offset, known = estimate - true, np.isfinite(estimate - true)
    half = np.where(offset > 0, estimate - lower, upper - estimate)
    counts = {
        "within 5 points": np.where(known, np.abs(offset) <= AGREES, 0).sum(axis=0),
        "clusters": known.sum(axis=0),
        "truth within the interval and its own error": np.where(
            known, np.abs(offset) <= np.hypot(half, error), 0
        ).sum(axis=0),
    }
    lines = [f"| {label} | {' | '.join(f'{n:.0f}' for n in values)} |" for label, values in counts.items()]
    perfect = np.nansum(np.where(known, 2 * norm.cdf(AGREES / error) - 1, np.nan), axis=0)
    lines.append(
        f"| of an estimate without error within 5 points | {' | '.join(f'{n:.1f}' for n in perfect)} |"
    )
    mean = 100 * np.nanmean(np.where(known, offset, np.nan), axis=0)
    return [*lines, f"| mean of estimate - truth | {' | '.join(f'{value:+.1f}' for value in mean)} |"]


def read_arguments(description):
    """Command line of a benchmark that measures clusters' completeness."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clusters", nargs="+", help="names, or files with one name a line")
    parser.add_argument("--data_dir", type=Path, required=True, help="with their sets and truth")
    parser.add_argument("--model_dir", type=Path, default=ROOT / "deep_sets_model")
    parser.add_argument("--isochrone_path", type=Path, help="that the sets were built with")
    parser.add_argument("--n_artificial", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=42)
    return parser.parse_args()


def main():
    arguments = read_arguments(__doc__)
    lines = [f"| cluster | {' | '.join(LABELS)} |", "| --- |" + " --- |" * len(LABELS)]
    tables = []
    for name in read_cluster_names(arguments.clusters):
        measured(name, arguments)
        tables.append(compared(name, arguments.data_dir))
        cells = [
            f"{100 * row.estimate:.0f} ({100 * row.lower:.0f}-{100 * row.upper:.0f}) / "
            f"{100 * row.true:.0f} ± {100 * row.error:.0f}"
            for row in tables[-1].itertuples()
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    print(
        "Completeness stated (68 % interval) / true ± what so few members leave open [%]:",
        *lines,
        *summary(tables),
        sep="\n",
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
