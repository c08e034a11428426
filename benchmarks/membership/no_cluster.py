"""What a list of field stars is made into: cones without their cluster, and members that are none.

From simulated cones every true member is taken away, and the list becomes 30 to 100 stars of the field brighter than
G = 18, candidates of the cluster that was there. They are drawn in three ways in turn: all over the cone (`scattered`),
of the stars nearest to its centre (`central`), and of those nearest to made-up means of proper motion and parallax
(`elsewhere`). Whatever is accepted is false. Prints Markdown: candidates with p >= 0.5, number of members with its 68 %
interval, and whether the evaluation warns.

example: python benchmarks/membership/no_cluster.py data/validation.txt --data_dir data \
             --isochrones ../shared/data/real/isochrones/parsec_z0.0205.dat
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks" / "membership")]

from judged_stars import Cone

from gaia_oc_amd.catalogues.names import cluster_rng, read_cluster_names
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.isochrones import nearest_age, read_isochrones
from gaia_oc_amd.membership import warn_of_doubt
from gaia_oc_amd.posterior import ConeJudge
from gaia_oc_amd.set_building import divide_cone
from gaia_oc_amd.spatial import number_interval

KINDS = ("scattered", "central", "elsewhere")
SIZES = (30, 45, 65, 100)
CENTRAL = 8.0  # pc
MOVED = 1.5
"""Scatters of the listed members, by which made-up means lie aside in each measurement."""
BRIGHT = 18.0
"""mag, to which lists reach."""
COLUMNS = ("pmra", "pmdec", "parallax")


def listed_field_stars(cone, kind, size, rng):
    """PMemb by source_id of a list of field stars."""
    sets, field = cone.sets, cone.stars[~cone.is_member]
    field = field[field["phot_g_mean_mag"] < BRIGHT]
    if kind == "central":
        field = field[field["f_r"] < max(CENTRAL, field["f_r"].nsmallest(2 * size).max())]
    if kind == "elsewhere":
        scatter = sets.members[list(COLUMNS)].std().to_numpy()
        means = sets.members[list(COLUMNS)].mean().to_numpy() + MOVED * scatter * rng.choice([-1, 1], 3)
        errors = field[[f"{name}_error" for name in COLUMNS]].to_numpy()
        offset = (field[list(COLUMNS)].to_numpy() - means) / np.hypot(scatter, errors)
        field = field.iloc[np.argsort(np.square(offset).sum(axis=1))[: 2 * size]]
    chosen = field["source_id"].sample(min(size, len(field)), random_state=int(rng.integers(2**31)))
    return pd.Series(1.0, index=chosen.to_numpy())


def without_cluster(cone, points, kind, size, *, rng):
    """Sets of a cone without its true members, built with a list of field stars."""
    sets, members = cone.sets, listed_field_stars(cone, kind, size, rng)
    sources = pd.concat([cone.stars[~cone.is_member], sets.non_members], ignore_index=True)
    sources = sources[~sources["source_id"].isin(cone.lost["source_id"])].reset_index(drop=True)
    return divide_cone(sources, sets.cluster, members, points)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clusters", nargs="+", help="names, or files with one name a line")
    parser.add_argument("--data_dir", type=Path, required=True, help="where their sets and truth are")
    parser.add_argument("--isochrones", type=Path, required=True, help="that the sets were built with")
    parser.add_argument("--model_dir", type=Path, default=ROOT / "deep_sets_model")
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    classifier, isochrones = Classifier.load(arguments.model_dir), read_isochrones(arguments.isochrones)
    print("| cone | list | training members | candidates | p >= 0.5 | members, 68 % | warned |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    total = 0
    for number, name in enumerate(read_cluster_names(arguments.clusters)):
        cone, kind = Cone.load(name, arguments.data_dir), KINDS[number % len(KINDS)]
        rng = cluster_rng(arguments.seed, cone.name)
        points = nearest_age(isochrones, cone.sets.cluster.age)
        try:
            sets = without_cluster(cone, points, kind, SIZES[number % len(SIZES)], rng=rng)
            judge = ConeJudge.of(sets, classifier, rng=rng)
        except ClusterError as error:
            print(f"| {cone.name} | {kind} | {error} | | | | |")
            continue
        chance = judge.probabilities(sets.candidates, rng=rng)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warn_of_doubt(chance, judge.n_members, judge.calibration.scatter)
        low, high = number_interval(*judge.n_members)
        accepted = int((chance >= 0.5).sum())
        total += accepted
        print(
            f"| {cone.name} | {kind} | {len(sets.members)} | {len(sets.candidates)} | {accepted} "
            f"| {judge.n_members[0]:.1f}, {low:.1f} to {high:.1f} | {'yes' if caught else 'no'} |",
            flush=True,
        )
    print(f"{total} false members.")


if __name__ == "__main__":
    main()
