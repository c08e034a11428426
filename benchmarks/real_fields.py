"""How well a model does on real fields: recovered CG18 stars, and accepted stars that are far from the cluster.

Reads sets that build_sets.py made, and the member list they were made with; prints one Markdown table.

example: python benchmarks/real_fields.py test.txt --model_dirs deep_sets_model DS10_v02
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gaia_oc_amd.candidates import parallax_distance, proper_motion_distance
from gaia_oc_amd.catalogues import read_member_list
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.cluster_names import read_cluster_names
from gaia_oc_amd.member_matching import listed_members, match_to_cone
from gaia_oc_amd.membership import membership_probabilities
from gaia_oc_amd.options import SelectionOptions
from gaia_oc_amd.random_streams import cluster_rng
from gaia_oc_amd.source_sets import load_sets

COUNTS = {
    "CG18 >= 0.8 among candidates": "recovered_candidates",
    "training members (not in their own support set)": "recovered_members",
    "T22 >= 0.5 among candidates": "recovered_comparison",
    "far in proper motion or parallax": "accepted_far",
    "candidates in no list": "new_members",
}


def count(model_dir, cluster, data_dir, member_list, comparison_list, seed):
    """(given p >= 0.5, all) for each kind of star of one cluster."""
    classifier, sets = Classifier.load(model_dir), load_sets(cluster, data_dir)
    stars = pd.concat([sets.members, sets.candidates, sets.non_members], ignore_index=True)
    rng = cluster_rng(seed, sets.cluster.name)
    accepted = membership_probabilities(stars, sets, classifier, rng=rng) >= 0.5
    kind = np.repeat(
        ["member", "candidate", "other"], [sets.counts()[k] for k in ("members", "candidates", "non_members")]
    )
    listed = stars["source_id"].map(match_to_cone(listed_members(member_list, cluster), stars))
    compared = stars["source_id"].map(match_to_cone(listed_members(comparison_list, cluster), stars))
    options = SelectionOptions()
    far = (proper_motion_distance(stars, sets.cluster, sets.limits, options) >= 1) | (
        parallax_distance(stars, sets.cluster, sets.limits, options) >= 1
    )
    candidate = kind == "candidate"
    groups = {
        "recovered_candidates": candidate & (listed >= 0.8 - 1e-9),
        "recovered_members": kind == "member",
        "recovered_comparison": candidate & (compared >= 0.5),
        "accepted_far": (kind == "other") & far,
        "new_members": candidate & listed.isna() & compared.isna(),
    }
    return {name: (int(accepted[group].sum()), int(group.sum())) for name, group in groups.items()}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clusters", nargs="+")
    parser.add_argument("--model_dirs", nargs="+", type=Path, required=True)
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--members_path", type=Path, default=Path("../shared/data/real/cg18_members.csv.gz"))
    parser.add_argument(
        "--comparison_path", type=Path, default=Path("../shared/data/real/t22_members.csv.gz")
    )
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--per_cluster", action="store_true", help="one table per cluster, too")
    arguments = parser.parse_args()
    lists = [read_member_list(path) for path in (arguments.members_path, arguments.comparison_path)]
    clusters = read_cluster_names(arguments.clusters)
    counts = {
        model: {name: count(model, name, arguments.data_dir, *lists, arguments.seed) for name in clusters}
        for model in arguments.model_dirs
    }
    print(table({model: summed(of_clusters.values()) for model, of_clusters in counts.items()}))
    if arguments.per_cluster:
        for name in clusters:
            print(f"\n{name}\n{table({model: of_clusters[name] for model, of_clusters in counts.items()})}")


def summed(results):
    return {key: tuple(np.sum([result[key] for result in results], axis=0)) for key in COUNTS.values()}


def table(counts):
    """Markdown: one row per kind of star, one column per model."""
    lines = [
        f"| share given p >= 0.5 | {' | '.join(model.name for model in counts)} |",
        "| --- |" + " --- |" * len(counts),
    ]
    for label, key in COUNTS.items():
        cells = [
            f"{100 * accepted / n:.2f} % ({accepted} of {n})" if n else "none"
            for accepted, n in (c[key] for c in counts.values())
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
