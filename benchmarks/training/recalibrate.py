"""Fit the calibration of a posterior model anew, with the error between cones that its stated numbers rest on.

On the simulated clusters that the training was validated on, or on others that the model was not trained on; their sets
and truth are in --data_dir. Needed after a change of how places of members are fitted; a training does the same at its
end.

example: python benchmarks/training/recalibrate.py data/deep_sets_model --data_dir data
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.catalogues.names import read_cluster_names
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.training import calibrated
from gaia_oc_amd.truth import read_truth


def validation_clusters(classifier, data_dir):
    """Those of the model whose truth is known."""
    names = classifier.hyper_parameters.get("validation_clusters", [])
    return [name for name in names if read_truth(name, data_dir) is not None]


def without_calibration(classifier):
    """The model as its training left it before it was calibrated."""
    return replace(classifier, hyper_parameters=classifier.hyper_parameters | {"calibration": None})


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model_dir", type=Path)
    parser.add_argument(
        "clusters", nargs="*", help="names, or files with one name a line (default: those of the validation)"
    )
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--seed", type=int, default=42)
    given = parser.parse_args(arguments)
    classifier = Classifier.load(given.model_dir)
    known = validation_clusters(classifier, given.data_dir)
    names = read_cluster_names(given.clusters) if given.clusters else known
    trained = set(classifier.hyper_parameters.get("training_clusters", [])) & set(names)
    if trained:
        raise SystemExit(f"the model was trained on {', '.join(sorted(trained))}: leave them out.")
    if not names:
        raise SystemExit(
            f"{given.data_dir} has no truth.csv of a validation cluster of the model: name clusters to calibrate on."
        )
    # with the old calibration the new one would only say what that left over, and then replace it
    calibrated(without_calibration(classifier), names, given.data_dir, seed=given.seed).save(given.model_dir)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
