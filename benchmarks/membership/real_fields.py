"""How well a model does on real fields: recovered listed stars, and accepted stars that are far from the cluster.

Reads sets that build_sets.py made, the member list they were made with and two others; prints Markdown tables: the
share of each kind of star that is accepted, where the accepted stars that no list knows lie compared with the listed
members, and whether the first model is as good as the last.

example: python benchmarks/membership/real_fields.py test.txt --model_dirs deep_sets_model DS10_v02
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.candidates import parallax_distance, proper_motion_distance
from gaia_oc_amd.catalogues.names import cluster_rng, read_cluster_names
from gaia_oc_amd.catalogues.tables import read_member_list
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.members import listed_members, match_to_cone
from gaia_oc_amd.membership import membership_probabilities
from gaia_oc_amd.options import SelectionOptions
from gaia_oc_amd.source_sets import load_sets

COUNTS = {
    "CG18 >= 0.8 among candidates": "recovered_candidates",
    "training members (not in their own support set)": "recovered_members",
    "T22 >= 0.5 among candidates": "recovered_comparison",
    "far in proper motion or parallax": "accepted_far",
    "candidates in no list": "new_members",
}
MORE_COUNTS = {
    "Almeida 2023 among candidates": "recovered_third",
    "Almeida 2023, not in CG18 or T22": "recovered_third_only",
    "candidates in none of the three lists": "new_of_three",
    "of these, beyond the radius of 90 % of the CG18 members": "new_outside",
    "of these, within it": "new_inside",
}
HIGHER_IS_BETTER = {
    "recovered_candidates": True,
    "recovered_members": True,
    "recovered_comparison": True,
    "recovered_third": True,
    "accepted_far": False,
}
"""What the lists can decide; stars in no list may be members or not."""
OFFSETS = {
    "radius / the cluster's median": "r_ratio",
    "proper motion offset [sigma]": "f_pm_sigma",
    "parallax offset [sigma]": "f_plx_sigma",
    "colour offset from the isochrone [sigma]": "f_c_sigma",
    "G offset from the isochrone [sigma]": "f_g_sigma",
    "G": "phot_g_mean_mag",
}


def judge(model_dir, cluster, data_dir, lists, seed):
    """One cluster's stars with the set they are in, whether they get p >= 0.5, and their PMemb in each list."""
    classifier, sets = Classifier.load(model_dir), load_sets(cluster, data_dir)
    stars = pd.concat([sets.members, sets.candidates, sets.non_members], ignore_index=True)
    rng = cluster_rng(seed, sets.cluster.name)
    probabilities = membership_probabilities(stars, sets, classifier, rng=rng)
    options = SelectionOptions()
    far = (proper_motion_distance(stars, sets.cluster, sets.limits, options) >= 1) | (
        parallax_distance(stars, sets.cluster, sets.limits, options) >= 1
    )
    counts = [sets.counts()[kind] for kind in ("members", "candidates", "non_members")]
    listed = {
        name: stars["source_id"].map(match_to_cone(listed_members(members, cluster), stars))
        for name, members in lists.items()
    }
    stars = stars.assign(
        accepted=probabilities >= 0.5,
        kind=np.repeat(["member", "candidate", "other"], counts),
        far=far,
        **listed,
    )
    return stars.assign(r_ratio=stars["f_r"] / stars.loc[is_listed(stars), "f_r"].median())


def is_listed(stars):
    return stars["cg18"] >= 0.8 - 1e-9


def count(stars):
    """(given p >= 0.5, all) for each kind of star of one cluster."""
    candidate = stars["kind"] == "candidate"
    in_two = stars["cg18"].notna() | stars["t22"].notna()
    third, new = candidate & (stars["almeida"] >= 0.5), candidate & ~in_two & stars["almeida"].isna()
    outside = stars["f_r"] > stars.loc[is_listed(stars), "f_r"].quantile(0.9)
    groups = {
        "recovered_candidates": candidate & is_listed(stars),
        "recovered_members": stars["kind"] == "member",
        "recovered_comparison": candidate & (stars["t22"] >= 0.5),
        "accepted_far": (stars["kind"] == "other") & stars["far"],
        "new_members": candidate & ~in_two,
        "recovered_third": third,
        "recovered_third_only": third & ~in_two,
        "new_of_three": new,
        "new_outside": new & outside,
        "new_inside": new & ~outside,
    }
    return {name: (int(stars["accepted"][group].sum()), int(group.sum())) for name, group in groups.items()}


def offsets_table(stars_of):
    """Markdown: median (and 90 % quantile) of the offsets of listed members and of stars that no list knows.

    What a model accepts beyond the lists should lie like the listed members, what it refuses should not.
    """
    columns = {}
    for model, stars in stars_of.items():
        in_list = stars[["cg18", "t22", "almeida"]].notna().any(axis=1)
        unlisted = (stars["kind"] == "candidate") & ~in_list
        columns.setdefault("CG18 >= 0.8", stars[is_listed(stars)])
        columns[f"new with {model.name}"] = stars[unlisted & stars["accepted"]]
        columns[f"refused by {model.name}"] = stars[unlisted & ~stars["accepted"]]
    lines = [
        f"| median (90 %) of absolute offsets | {' | '.join(columns)} |",
        "| --- |" + " --- |" * len(columns),
    ]
    lines.append(f"| stars | {' | '.join(str(len(part)) for part in columns.values())} |")
    for label, name in OFFSETS.items():
        cells = (part[name].abs().quantile([0.5, 0.9]) for part in columns.values())
        lines.append(f"| {label} | {' | '.join(f'{m:.2f} ({high:.2f})' for m, high in cells)} |")
    return "\n".join(lines)


def comparison_lines(first, last):
    """Whether the first model is at least as good as the last in what the lists can decide."""
    for label, key in (COUNTS | MORE_COUNTS).items():
        if key in HIGHER_IS_BETTER and last[key][1]:
            ours, theirs = (100 * counts[key][0] / counts[key][1] for counts in (first, last))
            ok = ours >= theirs if HIGHER_IS_BETTER[key] else ours <= theirs
            yield f"| {label} | {'reached' if ok else 'missed'} | {ours:.2f} % against {theirs:.2f} % |"


def read_almeida(path):
    """The list of Almeida et al. (2023) with our column names; its identifiers are those of DR3."""
    table = pd.read_parquet(path, columns=["cluster", "Source", "Pmemb"])
    return table.rename(columns={"Source": "source_id", "Pmemb": "PMemb"}).drop_duplicates(
        ["cluster", "source_id"]
    )


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
    parser.add_argument(
        "--almeida_path", type=Path, default=Path("../shared/data/real/almeida23_members.parquet")
    )
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--per_cluster", action="store_true", help="one table per cluster, too")
    arguments = parser.parse_args()
    lists = {
        "cg18": read_member_list(arguments.members_path),
        "t22": read_member_list(arguments.comparison_path),
    }
    lists["almeida"] = read_almeida(arguments.almeida_path)
    clusters = read_cluster_names(arguments.clusters)
    stars = {
        model: {name: judge(model, name, arguments.data_dir, lists, arguments.seed) for name in clusters}
        for model in arguments.model_dirs
    }
    counts = {
        model: {name: count(of_cluster) for name, of_cluster in of_model.items()}
        for model, of_model in stars.items()
    }
    pooled = {model: summed(of_clusters.values()) for model, of_clusters in counts.items()}
    print(table(pooled, COUNTS))
    print(f"\n{table(pooled, MORE_COUNTS)}")
    print(f"\n{offsets_table({model: pd.concat(parts.values()) for model, parts in stars.items()})}")
    if len(pooled) > 1:
        first, *_, last = pooled
        print(f"\n| {first.name} not worse than {last.name} | | |\n| --- | --- | --- |")
        print("\n".join(comparison_lines(pooled[first], pooled[last])))
    if arguments.per_cluster:
        for name in clusters:
            of_cluster = {model: of_clusters[name] for model, of_clusters in counts.items()}
            print(f"\n{name}\n{table(of_cluster, COUNTS | MORE_COUNTS)}")


def summed(results):
    results = list(results)
    return {key: tuple(np.sum([result[key] for result in results], axis=0)) for key in results[0]}


def table(counts, labels):
    """Markdown: one row per kind of star, one column per model."""
    lines = [
        f"| share given p >= 0.5 | {' | '.join(model.name for model in counts)} |",
        "| --- |" + " --- |" * len(counts),
    ]
    for label, key in labels.items():
        cells = [
            f"{100 * accepted / n:.2f} % ({accepted} of {n})" if n else "none"
            for accepted, n in (c[key] for c in counts.values())
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
