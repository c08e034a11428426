"""Is a group of stars one population? A network trained on simulated groups, tested on groups of real fields.

``train`` simulates clusters in their fields, trains on diagrams of groups, and writes the network that
gaia_oc_amd.images.population_probability uses. ``test`` judges groups of listed members of real fields and groups of
field stars with the same magnitudes, beside a linear classifier of the same simulated groups; none of them trains.

example: python benchmarks/images/populations.py train --fields 60 --groups 12
         python benchmarks/images/populations.py test ../shared/data/real
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.catalogues.tables import read_member_list
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.images.classification import judge_images, linear_classifier
from gaia_oc_amd.images.groups import COLUMNS, LEAST_STARS, diagram, like_magnitudes, simulate_groups
from gaia_oc_amd.images.options import AugmentationOptions, TrainingOptions
from gaia_oc_amd.images.populations import NETWORK, population_probability
from gaia_oc_amd.images.tables import Images
from gaia_oc_amd.members import listed_members, match_to_cone
from gaia_oc_amd.simulation.schematic_isochrones import SCHEMATIC_LOG_AGES, schematic_isochrones

GROUPS = Path("data/population_groups.npz")
AS_THEY_ARE = AugmentationOptions(turns=False, flips=False, max_shift=0.04, noise=0.02)
"""A diagram is never turned; it may be shifted a little, as another extinction or faint limit does."""
LEARNING = TrainingOptions(n_search=2, n_seeds=1, max_epochs=25, patience=5, batch_size=64)


def train(args):
    """Simulate groups, train both networks, keep the convolutional one, print how well it does in simulated tests."""
    rng = np.random.default_rng(args.seed)
    groups = simulate_groups(args.fields, args.groups, schematic_isochrones(SCHEMATIC_LOG_AGES), rng=rng)
    GROUPS.parent.mkdir(exist_ok=True)
    np.savez_compressed(GROUPS, pixels=groups.pixels, labels=groups.labels, names=np.array(groups.names))
    judgement = judge_images(groups, LEARNING, AS_THEY_ARE, seed=args.seed)
    print(judgement.accuracies.to_string(float_format="%.3f"))
    print(judgement.search.to_string(float_format="%.4f"))
    judgement.classifiers["convolutional"].save(NETWORK)
    print(f"{NETWORK}: {NETWORK.stat().st_size / 1000:.0f} kB")


def linear():
    """A linear classifier of four in five of the simulated groups, its penalty chosen by the fifth."""
    with np.load(GROUPS) as file:
        groups = Images(file["pixels"], file["labels"], ("field", "population"), tuple(file["names"]))
    rows = np.random.default_rng(1).permutation(len(groups.labels))
    return linear_classifier(groups.part(rows[len(rows) // 5 :]), groups.part(rows[: len(rows) // 5]))


def groups_of(name, folder, lists, rng, n_most):
    """Groups of one field by kind: listed members, field stars with their magnitudes, and those of like parallax."""
    sources = read_table(folder / "cones" / f"{name}.csv.gz")
    sources = sources.assign(bp_rp=sources["phot_bp_mean_mag"] - sources["phot_rp_mean_mag"])
    sources = sources[sources["bp_rp"].notna()].reset_index(drop=True)
    probability = match_to_cone(listed_members(lists[0], name), sources)
    certain = set(probability.index[probability >= 0.5])
    members = sources[sources["source_id"].isin(certain)]
    known = set(probability.index).union(*(set(each["source_id"]) for each in lists))
    field = sources[~sources["source_id"].isin(known)]
    if n_most:
        members = members.sample(min(n_most, len(members)), random_state=rng)
    g = members["phot_g_mean_mag"].to_numpy()
    away = (field["parallax"] - members["parallax"].median()).abs()
    alike = field[away <= away.quantile(0.3)]
    groups = {
        "members": members,
        "field": like_magnitudes(field, g, rng=rng),
        "field of like parallax": like_magnitudes(alike, g, rng=rng),
    }
    return {kind: group[list(COLUMNS)].to_numpy().T for kind, group in groups.items()}


def almeida(folder):
    table = pd.read_parquet(folder / "almeida23_members.parquet", columns=["Source"])
    return table.rename(columns={"Source": "source_id"})


def test(args):
    """Print accuracy and area under the curve of the network and of the linear classifier."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(args.seed)
    lists = [
        read_member_list(args.folder / "cg18_members.csv.gz"),
        read_member_list(args.folder / "t22_members.csv.gz"),
        almeida(args.folder),
    ]
    names = [name for name in pd.read_csv(args.folder / "cones.csv")["cluster"]]
    model, rows = linear(), []
    for n_most in (None, 60, 30, 15):
        for name in names:
            for kind, stars in groups_of(name, args.folder, lists, rng, n_most).items():
                if stars.shape[1] < LEAST_STARS:
                    continue
                image = diagram(*stars).reshape(1, -1)
                rows.append(
                    {
                        "size": n_most or "all",
                        "field": name,
                        "kind": kind,
                        "n": stars.shape[1],
                        "network": population_probability(*stars),
                        "linear": model.predict_proba(image)[0, 1],
                    }
                )
    table = pd.DataFrame(rows)
    kinds = ("size", "against", "fields", "method", "accuracy", "area", "members_right", "field_right")
    print("| " + " | ".join(kinds) + " |\n|" + " --- |" * len(kinds))
    for size, part in table.groupby("size", sort=False):
        for against in ("field", "field of like parallax"):
            both = part[part["kind"].isin(["members", against])]
            true, n = both["kind"] == "members", both["field"].nunique()
            for method in ("network", "linear"):
                right = (both[method] >= 0.5) == true
                shares = (100 * right.mean(), roc_auc_score(true, both[method]))
                rights = (100 * right[true].mean(), 100 * right[~true].mean())
                words = f"{shares[0]:.0f} % | {shares[1]:.3f} | {rights[0]:.0f} % | {rights[1]:.0f} %"
                print(f"| {size} | {against} | {n} | {method} | {words} |")
    missed = table[(table["size"] == "all") & (table["kind"] == "members") & (table["network"] < 0.5)]
    print(
        "Members called no population:",
        ", ".join(f"{r.field} ({r.network:.2f})" for r in missed.itertuples()) or "none",
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=42)
    parts = parser.add_subparsers(required=True)
    training = parts.add_parser("train")
    training.add_argument("--fields", type=int, default=60)
    training.add_argument("--groups", type=int, default=12, help="of each kind from a field")
    training.set_defaults(work=train)
    testing = parts.add_parser("test")
    testing.add_argument("folder", type=Path, help="with cones and lists")
    testing.set_defaults(work=test)
    args = parser.parse_args()
    args.work(args)


if __name__ == "__main__":
    main()
