"""What limits a posterior: the network's ratios, or the fit of where members stand.

On simulated cones the ratios of one model are joined with three kinds of places: core and halo as an evaluation fits
them, as a first reading would (a mean ratio of 1, a small halo), and as the true labels give them. Prints Markdown.

example: python benchmarks/membership/places.py data/validation.txt --data_dir data --model_dir deep_sets_model
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from judged_stars import Cone
from measure import calibration_error
from metrics import average_precision

from gaia_oc_amd.catalogues.names import cluster_rng, read_cluster_names
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.evidence import half_number_radius
from gaia_oc_amd.posterior import ConeJudge
from gaia_oc_amd.spatial import places_of, posterior
from gaia_oc_amd.spatial_fit import fit_spatial_model
from gaia_oc_amd.training_sets import true_log_odds

KINDS = ("as evaluated", "mean ratio 1, small halo", "true labels")
FAR = 10.0  # pc


def judged(name, classifier, data_dir, seed):
    """Stars of one cone with the probability that each kind of places gives; lost members have 0."""
    cone = Cone.load(name, data_dir)
    rng = cluster_rng(seed, cone.name)
    judge = ConeJudge.of(cone.sets, classifier, rng=rng)
    ratios, places = judge.log_ratios(cone.stars, rng=rng), places_of(cone.stars, cone.sets.cluster)
    first = fit_spatial_model(ratios, places, size=half_number_radius(cone.sets.members))
    of_kind = (
        judge.spatial.log_odds(places),
        first.log_odds(places),
        true_log_odds(cone.stars, cone.is_member, cone.sets),
    )
    stars = pd.DataFrame({"cluster": cone.name, "f_r": cone.stars["f_r"], "is_member": cone.is_member})
    for kind, log_odds in zip(KINDS, of_kind, strict=True):
        stars[kind] = np.nan_to_num(posterior(ratios, log_odds))
    lost = pd.DataFrame({"cluster": cone.name, "f_r": cone.lost["f_r"], "is_member": True})
    return pd.concat([stars, lost.assign(**dict.fromkeys(KINDS, 0.0))], ignore_index=True)


def row(stars, kind):
    """One line of the table."""
    p, truth, far = stars[kind].to_numpy(), stars["is_member"].to_numpy(), stars["f_r"].to_numpy() > FAR
    sums = stars.groupby("cluster")[[kind, "is_member"]].sum()
    error = np.log(sums[kind] / sums["is_member"])
    cells = [
        f"{average_precision(truth, p):.3f}",
        f"{average_precision(truth[far], p[far]):.3f}",
        f"{p[far].sum() / truth[far].sum():.2f}",
        f"{(np.abs(np.exp(error) - 1) <= 0.1).sum()} of {len(error)}",
        f"{np.sqrt(np.square(error).mean()):.2f}",
        f"{calibration_error(truth, p):.4f}",
    ]
    return f"| {kind} | {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clusters", nargs="+", help="names, or files with one name a line")
    parser.add_argument("--data_dir", type=Path, required=True, help="where their sets and truth are")
    parser.add_argument("--model_dir", type=Path, default=Path("deep_sets_model"))
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    classifier = Classifier.load(arguments.model_dir)
    names = read_cluster_names(arguments.clusters)
    stars = pd.concat(
        [judged(name, classifier, arguments.data_dir, arguments.seed) for name in names], ignore_index=True
    )
    print("| places | area | r > 10 pc | its sum of p / true | sum within 10 % | ln scatter | ECE |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print("\n".join(row(stars, kind) for kind in KINDS))


if __name__ == "__main__":
    main()
