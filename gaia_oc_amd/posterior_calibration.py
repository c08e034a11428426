"""Calibration of a posterior network on clusters whose truth is known."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from gaia_oc_amd.calibration import Calibration, fit_calibration
from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.posterior import ConeJudge
from gaia_oc_amd.source_sets import load_sets
from gaia_oc_amd.truth import read_labels

logger = logging.getLogger(__name__)


def calibrated(classifier: Classifier, clusters: list[str], data_dir: Path | str, *, seed: int) -> Classifier:
    """Classifier whose posterior probabilities are calibrated on clusters with known truth.

    Parameters
    ----------
    classifier : Classifier
        Trained for posteriors, not on these clusters.
    clusters : list of str
        With sets and labels. Each counts with the square root of its number of members, so that a few rich ones do
        not decide alone.
    data_dir : path
        The data directory.
    seed : int
        Of the support sets.

    Returns
    -------
    Classifier
        The same with another calibration.
    """
    tables = [_judged(classifier, name, data_dir, seed) for name in clusters]
    stars = pd.concat(tables, ignore_index=True)
    columns = (stars[name].to_numpy() for name in ("probability", "g", "is_member", "weight"))
    calibration = fit_calibration(*columns)
    logger.info("calibrated on %d clusters: %s", len(clusters), calibration)
    return replace(
        classifier, hyper_parameters=classifier.hyper_parameters | {"calibration": calibration.as_dict()}
    )


def _judged(classifier: Classifier, name: str, data_dir: Path | str, seed: int) -> pd.DataFrame:
    """Uncalibrated posteriors, magnitudes and truth of the labelled stars of one cluster."""
    sets = load_sets(name, data_dir)
    truth = read_labels(sets.cluster.name, data_dir)["is_member"]
    stars = pd.concat([sets.members, sets.candidates], ignore_index=True)
    stars = stars[stars["source_id"].isin(truth.index)]
    plain = replace(
        classifier, hyper_parameters=classifier.hyper_parameters | {"calibration": Calibration().as_dict()}
    )
    rng = cluster_rng(seed, sets.cluster.name)
    probability = ConeJudge.of(sets, plain, rng=rng).probabilities(stars, rng=rng)
    is_member = truth[stars["source_id"]].to_numpy()
    table = pd.DataFrame(
        {"probability": probability, "g": stars["phot_g_mean_mag"].to_numpy(), "is_member": is_member}
    )
    return table.assign(weight=1 / np.sqrt(max(is_member.sum(), 1))).dropna()
