"""Whether the evaluation warns of those simulated clusters whose number or list cannot be believed.

For each cluster: sum of p of training members and candidates over the true number, true share of field stars among the
candidates with p >= 0.5, and whether the evaluation warns. Prints Markdown.

example: python benchmarks/membership/doubt.py data/validation.txt --data_dir data
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from judged_stars import Cone

from gaia_oc_amd.catalogues.names import cluster_rng, read_cluster_names
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.membership import warn_of_doubt
from gaia_oc_amd.posterior import ConeJudge

FAR_OFF, CONTAMINATED = 0.3, 0.15


def judged(cone, classifier, seed):
    """Sum of p over the truth, true contamination, and whether the evaluation warns."""
    judge = ConeJudge.of(cone.sets, classifier, rng=cluster_rng(seed, cone.name))
    rng = cluster_rng(seed, cone.name)
    p = judge.probabilities(cone.sets.candidates, rng=rng)
    truth = cone.is_member[len(cone.sets.members) :]  # the stars of a cone begin with the training members
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_doubt(p, judge.n_members, judge.calibration.scatter)
    accepted = p >= 0.5
    contamination = 1 - truth[accepted].mean() if accepted.any() else 0.0
    return judge.n_members[0] / (cone.is_member.sum() + len(cone.lost)), contamination, bool(caught)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clusters", nargs="+", help="names, or files with one name a line")
    parser.add_argument("--data_dir", type=Path, required=True, help="where their sets and truth are")
    parser.add_argument("--model_dir", type=Path, default=ROOT / "deep_sets_model")
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    classifier = Classifier.load(arguments.model_dir)
    print("| cluster | sum p / true | field stars, p >= 0.5 [%] | believable | warned |")
    print("| --- | --- | --- | --- | --- |")
    counts = np.zeros((2, 2), int)
    for name in read_cluster_names(arguments.clusters):
        cone = Cone.load(name, arguments.data_dir)
        ratio, contamination, warned = judged(cone, classifier, arguments.seed)
        bad = abs(ratio - 1) > FAR_OFF or contamination > CONTAMINATED
        counts[int(bad), int(warned)] += 1
        cells = (
            f"{ratio:.2f}",
            f"{100 * contamination:.0f}",
            "no" if bad else "yes",
            "yes" if warned else "no",
        )
        print(f"| {cone.name} | {' | '.join(cells)} |", flush=True)
    print(
        f"Of {counts[1].sum()} that cannot be believed {counts[1, 1]} warn, of {counts[0].sum()} others {counts[0, 1]}."
    )


if __name__ == "__main__":
    main()
