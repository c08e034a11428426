"""Whether a group of stars is one stellar population, by a small network that looks at its diagram."""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.images.classifier import ImageClassifier
from gaia_oc_amd.images.groups import CLASSES, diagram

Array = NDArray[np.float64]

NETWORK = Path(__file__).with_name("population_network.pt")
"""Made by ``benchmarks/images/populations.py train --fields 60 --groups 12``."""


def population_probability(g: Array, bp_rp: Array, *, network: Path | str = NETWORK) -> float:
    """Probability that a group of stars is one population, not stars of the field with the same magnitudes.

    Parameters
    ----------
    g, bp_rp : ndarray, shape (n,)
        Magnitude and colour of the group's stars [mag]; stars without one are left out.
    network : path
        Classifier of diagrams; by default the one that is part of the package.

    Returns
    -------
    float
        0 to 1, where as many groups are populations as are none. Of real groups of field stars with like parallaxes
        two in five get more than 0.5 (docs/other_methods.md).

    Raises
    ------
    TooFewStarsError
        If fewer than 10 stars have both.
    FileNotFoundError, ValueError
        If there is no such network, or it is another kind.
    """
    classifier = _loaded(Path(network))
    return float(classifier.probabilities(diagram(g, bp_rp)[None])[0, CLASSES.index("population")])


@cache
def _loaded(path: Path) -> ImageClassifier:
    classifier = ImageClassifier.load(path)
    if classifier.classes != CLASSES:
        raise ValueError(
            f"{path} tells {', '.join(classifier.classes)}: give a network of benchmarks/images/populations.py."
        )
    return classifier
