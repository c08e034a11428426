"""What a posterior model gives on simulated cones: the numbers that its card states.

Every model and baseline judges the same stars (training members, judged without themselves, and candidates); members
that the selection lost have p = 0. Prints Markdown: area under precision-recall by magnitude, completeness and purity
at p >= 0.5 in the parts where members are hard to find, calibration, and the number of members of every cluster with
its stated interval. Verdicts are kept in --cache_dir; those of another version of the program can be put there.

example: python benchmarks/membership/measure.py data/independent.txt --data_dir data --model_dirs deep_sets_model
"""

import argparse
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import baselines
from judged_stars import Cone
from metrics import average_precision, completeness_at_contamination

from gaia_oc_amd.catalogues.names import cluster_rng, read_cluster_names
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.membership import membership_probabilities
from gaia_oc_amd.options import SamplingOptions
from gaia_oc_amd.posterior import ConeJudge
from gaia_oc_amd.spatial import number_interval

PARTS = {
    "all": lambda s: np.ones(len(s), bool),
    "r > 10 pc": lambda s: s["f_r"] > 10,
    "r > 20 pc": lambda s: s["f_r"] > 20,
    "G < 15": lambda s: s["g"] < 15,
    "G 15-18": lambda s: (s["g"] >= 15) & (s["g"] < 18),
    "G 18-19": lambda s: (s["g"] >= 18) & (s["g"] < 19),
    "G 19-20": lambda s: (s["g"] >= 19) & (s["g"] < 20),
    "G >= 20": lambda s: s["g"] >= 20,
    "dist < 300 pc": lambda s: s["dist"] < 300,
}
PURITIES = {"r > 10 pc": 0.7, "G 19-20": 0.88, "G >= 20": 0.7}
"""At which the completeness of a part is asked for, whatever the threshold."""
MOST_FIELD = 30
"""Sure field stars per member that the trees of the bound learn from; weights make up for the others."""
LEAST = 0.02
RELIABILITY = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0001)


def judged_by_model(cone, classifier, options, seed):
    """Probabilities, and number of members with its error where the model states it."""
    rng = cluster_rng(seed, cone.name)
    if (options.probability or classifier.probability) == "posterior":
        judge = ConeJudge.of(cone.sets, classifier, sampling=options, rng=rng)
        p = judge.probabilities(cone.stars, rng=rng)
        return pd.DataFrame({"p": p}), judge.n_members[1]
    return pd.DataFrame(
        {"p": membership_probabilities(cone.stars, cone.sets, classifier, options=options, rng=rng)}
    ), np.nan


def judged_by_mixture(cone, seed):
    """Probabilities of a Gaussian mixture, which states no error of their sum."""
    return pd.DataFrame({"p": baselines.mixture_probabilities(cone.stars, cone.sets)}), np.nan


def judged_by_trees(cone, seed):
    """Out-of-fold probabilities of boosted trees that are told the truth of the same cone, places included."""
    mixture = baselines.mixture_probabilities(cone.stars, cone.sets)
    p = baselines.boosted_tree_probabilities(
        baselines.tree_features(cone.stars, cone.sets, mixture),
        cone.is_member,
        np.zeros(len(mixture)),
        repetitions=1,
        most_field=MOST_FIELD,
        rng=cluster_rng(seed, cone.name),
    )
    return pd.DataFrame({"p": p}), np.nan


def verdict(cone, method, folder, compute):
    """Table of source_id, p and the stated error of the number, from the cache or made anew."""
    path = folder / f"{cone.name}.parquet"
    if not path.exists():
        start = time.monotonic()
        table, error = compute(cone)
        table = table.assign(source_id=cone.stars["source_id"].to_numpy(), error=error)
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(path)
        print(
            f"{method} {cone.name} {len(table)} {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True
        )
    return pd.read_parquet(path).set_index("source_id")


def stars_of(cone, verdicts):
    """One table of the stars of a cone, lost members with p = 0."""
    stars = pd.concat([cone.stars, cone.lost], ignore_index=True)
    table = pd.DataFrame(
        {
            "cluster": cone.name,
            "g": stars["phot_g_mean_mag"],
            "f_r": stars["f_r"],
            "dist": cone.sets.cluster.dist,
            "is_member": np.append(cone.is_member, np.ones(len(cone.lost), bool)),
        }
    )
    for method, found in verdicts.items():
        table[method] = found["p"].reindex(stars["source_id"]).fillna(0.0).to_numpy()
    return table


def parts_table(stars, methods):
    """Area, completeness / purity and sum of p over the truth in every part."""
    lines = [f"| stars | true | {' | '.join(methods)} |", "| --- | --- |" + " --- |" * len(methods)]
    for label, choose in PARTS.items():
        part = stars[np.asarray(choose(stars))]
        truth, cells = part["is_member"].to_numpy(), []
        for method in methods:
            p = part[method].to_numpy()
            found, right = (p >= 0.5).sum(), (truth & (p >= 0.5)).sum()
            complete, pure, total = (
                right / max(truth.sum(), 1),
                right / max(found, 1),
                p.sum() / max(truth.sum(), 1),
            )
            cells.append(f"**{average_precision(truth, p):.3f}**; {complete:.2f} / {pure:.2f}; {total:.2f}")
        lines.append(f"| {label} | {truth.sum()} | {' | '.join(cells)} |")
    return "\n".join(lines)


def purity_table(stars, methods):
    """Completeness of the parts of `PURITIES` at the threshold that gives each method the most at that purity."""
    lines = [f"| stars | purity | {' | '.join(methods)} |", "| --- | --- |" + " --- |" * len(methods)]
    for label, purity in PURITIES.items():
        part = stars[np.asarray(PARTS[label](stars))]
        cells = [completeness_at_contamination(part["is_member"], part[m], 1 - purity) for m in methods]
        lines.append(f"| {label} | {purity:g} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")
    return "\n".join(lines)


def calibration_error(truth, p):
    """ECE in ten bins over stars with p >= 0.02."""
    kept = p >= LEAST
    bins = np.minimum((p[kept] * 10).astype(int), 9)
    gaps = [abs(p[kept][bins == i].sum() - truth[kept][bins == i].sum()) for i in range(10)]
    return sum(gaps) / max(kept.sum(), 1)


def reliability_table(stars, methods):
    """True share of members in bins of p, and calibration errors."""
    lines = [f"| p | {' | '.join(methods)} |", "| --- |" + " --- |" * len(methods)]
    truth = stars["is_member"].to_numpy()
    for low, high in pairwise(RELIABILITY):
        cells = []
        for method in methods:
            p = stars[method].to_numpy()
            inside = (p >= low) & (p < high)
            cells.append(
                f"{p[inside].mean():.2f}: {truth[inside].mean():.2f} ({inside.sum()})"
                if inside.any()
                else "-"
            )
        lines.append(f"| {low:g}-{min(high, 1):g} | {' | '.join(cells)} |")
    errors = [f"{calibration_error(truth, stars[m].to_numpy()):.4f}" for m in methods]
    return "\n".join([*lines, f"| ECE, p >= {LEAST} | {' | '.join(errors)} |"])


def numbers_table(stars, verdicts_of, methods):
    """Sum of p over the true number of every cluster, with the stated error, and how many agree."""
    lines = [f"| cluster | true | {' | '.join(methods)} |", "| --- | --- |" + " --- |" * len(methods)]
    within, inside = dict.fromkeys(methods, 0), dict.fromkeys(methods, 0)
    for name, part in stars.groupby("cluster"):
        true, cells = part["is_member"].sum(), []
        for method in methods:
            number, error = part[method].sum(), verdicts_of[name][method]["error"].iloc[0]
            within[method] += abs(number / true - 1) <= 0.1
            low, high = number_interval(number, error)
            inside[method] += low <= true <= high
            contamination = 1 - part["is_member"][part[method] >= 0.5].mean()
            stated = "" if np.isnan(error) else f" ± {error / true:.2f}"
            cells.append(f"{number / true:.2f}{stated} ({100 * contamination:.0f} %)")
        lines.append(f"| {name} | {true} | {' | '.join(cells)} |")
    n = stars["cluster"].nunique()
    lines.append(f"| within 10 % | of {n} | {' | '.join(str(within[m]) for m in methods)} |")
    lines.append(f"| within the stated error | of {n} | {' | '.join(str(inside[m]) for m in methods)} |")
    return "\n".join(lines)


def report(stars, verdicts_of, methods):
    """All tables, with what each of them shows."""
    return "\n\n".join(
        [
            f"{len(verdicts_of)} cones, {len(stars):,} stars, {stars['is_member'].sum():,} members. "
            "Area; completeness / purity at p >= 0.5; sum of p over the true number:",
            parts_table(stars, methods),
            "Completeness at a purity, each method at its own threshold:",
            purity_table(stars, methods),
            "Mean p and true share of members (stars) in bins of p:",
            reliability_table(stars, methods),
            "Sum of p over the true number, stated error, contamination at p >= 0.5:",
            numbers_table(stars, verdicts_of, methods),
        ]
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clusters", nargs="+", help="names, or files with one name a line")
    parser.add_argument("--data_dir", type=Path, required=True, help="where their sets and truth are")
    parser.add_argument("--model_dirs", type=Path, nargs="*", default=[])
    parser.add_argument(
        "--given", nargs="*", default=[], help="methods whose verdicts lie in the cache already"
    )
    parser.add_argument("--mixture", action="store_true", help="a Gaussian mixture, too")
    parser.add_argument(
        "--bound", action="store_true", help="boosted trees that know the truth of each cone, too"
    )
    parser.add_argument("--votes", action="store_true", help="votes of posterior networks, too")
    parser.add_argument("--n_samples", type=int, default=20, help="samples for models that vote")
    parser.add_argument("--cache_dir", type=Path, default=Path("data/verdicts"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    options = SamplingOptions(n_samples=arguments.n_samples)
    methods, versions = {}, {}
    for model_dir in arguments.model_dirs:
        classifier = Classifier.load(model_dir)
        versions[model_dir.name] = classifier.fingerprint()[:10]
        methods[model_dir.name] = lambda cone, c=classifier: judged_by_model(cone, c, options, arguments.seed)
        if arguments.votes and classifier.probability == "posterior":
            name, votes = f"votes of {model_dir.name}", replace(options, probability="votes")
            versions[name] = versions[model_dir.name]
            methods[name] = lambda cone, c=classifier, o=votes: judged_by_model(cone, c, o, arguments.seed)
    for name, wanted, judge in (
        ("mixture", arguments.mixture, judged_by_mixture),
        ("bound", arguments.bound, judged_by_trees),
    ):
        if wanted:
            methods[name] = lambda cone, judge=judge: judge(cone, arguments.seed)
    methods |= dict.fromkeys(arguments.given)
    tables, verdicts_of = [], {}
    for name in read_cluster_names(arguments.clusters):
        cone = Cone.load(name, arguments.data_dir)
        verdicts = {
            method: verdict(cone, method, arguments.cache_dir / method / versions.get(method, ""), make)
            for method, make in methods.items()
        }
        tables.append(stars_of(cone, verdicts))
        verdicts_of[cone.name] = verdicts
    text = report(pd.concat(tables, ignore_index=True), verdicts_of, list(methods))
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
