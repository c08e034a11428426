"""Membership probabilities of a cluster's stars, whichever way they are defined, and the evaluation of a cluster."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.evidence import CONE_FEATURES, STAR_FEATURES, SUPPORT_FEATURES
from gaia_oc_amd.options import SamplingOptions
from gaia_oc_amd.posterior import ConeJudge, posterior_votes
from gaia_oc_amd.source_sets import SourceSets, load_sets, save_candidates
from gaia_oc_amd.votes import vote_probabilities

Array = NDArray[np.float64]


def membership_probabilities(
    candidates: pd.DataFrame,
    sets: SourceSets,
    classifier: Classifier,
    *,
    options: SamplingOptions | None = None,
    rng: np.random.Generator,
) -> Array:
    """Membership probability of stars.

    Parameters
    ----------
    candidates : DataFrame
        Stars to be judged, with the columns of the source sets.
    sets : SourceSets
        The cone that they are judged in. They need not be among its stars; a training member is judged without
        itself in any support set.
    classifier : Classifier
        The network.
    options : SamplingOptions, optional
        With probability "votes" the share of noisy samples that the network calls members (Sect. 3.4 of van
        Groeningen et al. 2023), with "posterior" the calibrated probability, given everything else in the cone;
        None takes what the classifier was trained for.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n_candidates,)
        Probabilities; NaN for stars without a usable colour or error.

    Raises
    ------
    TooFewMembersError
        If there are not enough members for a support set.
    ValueError
        If the classifier needs a feature that the sets do not have, or was not trained for posteriors.
    """
    options = options or SamplingOptions()
    _check_features(classifier, sets)
    wanted = options.probability or classifier.probability
    if classifier.probability == "posterior":
        judge = ConeJudge.of(sets, classifier, sampling=options, rng=rng)
        if wanted == "votes":
            return posterior_votes(candidates, judge, n_samples=options.n_samples, rng=rng)
        return judge.probabilities(candidates, rng=rng)
    if wanted == "posterior":
        raise ValueError(
            "this model was trained for --probability votes, it knows no posterior: use --probability votes or "
            "another --model_dir."
        )
    return vote_probabilities(candidates, sets, classifier, options=options, rng=rng)


def _check_features(classifier: Classifier, sets: SourceSets) -> None:
    """Refuse a model that reads what the sets do not have."""
    if classifier.probability == "posterior":
        known, of_cone = (*STAR_FEATURES, *SUPPORT_FEATURES), CONE_FEATURES
        support = classifier.support_features or classifier.source_features
        names = (*classifier.source_features.names, *support.names)
    else:
        known, names = tuple(sets.members), classifier.source_features.names
        of_cone = tuple(vars(sets.cluster))
    lacking = [name for name in names if name not in known]
    lacking += [name for name in classifier.cluster_features.names if name not in of_cone]
    if lacking:
        raise ValueError(
            f"the model needs {', '.join(lacking)}, which the sets lack: use another --model_dir."
        )


def evaluate_cluster(
    name: str,
    data_dir: Path | str,
    classifier: Classifier,
    *,
    options: SamplingOptions | None = None,
    seed: int = 42,
) -> SourceSets:
    """Judge the candidates of a cluster and rewrite its candidates.csv with PMemb.

    Parameters
    ----------
    name : str
        Cluster whose sets were built.
    data_dir : path
        The data directory.
    classifier : Classifier
        From ``Classifier.load``.
    options : SamplingOptions, optional
        How the probabilities are sampled.
    seed : int
        Together with the name it determines the random stream.

    Returns
    -------
    SourceSets
        With the candidates' PMemb.

    Raises
    ------
    FileNotFoundError, ValueError
        If the sets were not built, are damaged, or do not fit the classifier.
    TooFewMembersError
        If there are not enough members for a support set.
    """
    sets = load_sets(name, data_dir)
    rng = cluster_rng(seed, sets.cluster.name)
    probabilities = membership_probabilities(sets.candidates, sets, classifier, options=options, rng=rng)
    unjudged = np.isnan(probabilities).sum()
    if unjudged:
        warnings.warn(f"{unjudged} candidates lack a colour or an error and get no PMemb.", stacklevel=2)
    judged = replace(sets, candidates=sets.candidates.assign(PMemb=probabilities))
    save_candidates(judged, data_dir)
    return judged


def evaluation_summary(sets: SourceSets, *thresholds: float) -> dict[str, int]:
    """Numbers of stars for the table that ends a run.

    Parameters
    ----------
    sets : SourceSets
        Evaluated sets.
    *thresholds : float
        Probabilities.

    Returns
    -------
    dict
        Training members, candidates, and candidates above each threshold.
    """
    probability = sets.candidates["PMemb"]
    above = {f"p>={threshold:g}": int((probability >= threshold).sum()) for threshold in thresholds}
    return {"members": len(sets.members), "candidates": len(sets.candidates), **above}
