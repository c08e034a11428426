"""Do integrated light curves tell the ages of clusters? The real ones, and the same with ages shuffled.

Prints the verdict and the table of estimate_light_curve_age.py for the light curves of Wainer et al. (2023), then the
skill over the median in each galaxy when the ages are shuffled among its clusters, which must be none.

example: python benchmarks/light_curves/skill.py ../shared/data/light_curves --shuffles 5
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.light_curves.ages import judge_ages
from gaia_oc_amd.light_curves.options import LearningOptions
from gaia_oc_amd.light_curves.tables import read_light_curves
from gaia_oc_amd.stages.estimate_light_curve_age import summary

QUICK = LearningOptions(n_search=1)
"""Of shuffled ages."""


def shuffled(known, seed):
    """The same light curves with the ages exchanged among the clusters of each galaxy."""
    rng = np.random.default_rng(seed)
    ages = known.clusters.groupby("galaxy")["log_age"].transform(rng.permutation)
    return replace(known, clusters=known.clusters.assign(log_age=ages))


def main():
    """Print both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="with light_curves_30min.parquet and clusters.csv")
    parser.add_argument("--shuffles", type=int, default=5)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    known = read_light_curves(args.folder / "light_curves_30min.parquet", ages=args.folder / "clusters.csv")
    print(summary(judge_ages(known, seed=args.seed), None))
    print("\nAges shuffled, skill of the chosen model over the median [%]:")
    for number in range(args.shuffles):
        judgement = judge_ages(shuffled(known, number), QUICK, seed=args.seed + number)
        galaxies = sorted(set(judgement.predictions["galaxy"]))
        rows = {galaxy: judgement.skill(galaxy) for galaxy in galaxies}
        print(
            "; ".join(
                f"{galaxy} {100 * row['skill']:.0f} ({100 * row['lower']:.0f} to {100 * row['upper']:.0f})"
                for galaxy, row in rows.items()
            )
        )


if __name__ == "__main__":
    main()
