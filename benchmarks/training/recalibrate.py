"""Fit the calibration of a posterior model anew, with the error between cones that its stated numbers rest on.

The clusters must be simulated ones that the model was not trained on, with sets and truth in --data_dir. Needed after
a change of how places of members are fitted; a training does the same at its end.

example: python benchmarks/training/recalibrate.py deep_sets_model data/validation.txt --data_dir data
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.catalogues.names import read_cluster_names
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.training import calibrated


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model_dir", type=Path)
    parser.add_argument("clusters", nargs="+", help="names, or files with one name a line")
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    classifier = Classifier.load(arguments.model_dir)
    names = read_cluster_names(arguments.clusters)
    trained = set(classifier.hyper_parameters.get("training_clusters", [])) & set(names)
    if trained:
        raise SystemExit(f"the model was trained on {', '.join(sorted(trained))}: leave them out.")
    calibrated(classifier, names, arguments.data_dir, seed=arguments.seed).save(arguments.model_dir)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
