"""The published probability: how often a star, drawn anew from its errors, is classified as a member."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr

from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.features import (
    can_be_sampled,
    sample_features,
)
from gaia_oc_amd.inference import Judge, make_judge
from gaia_oc_amd.options import SamplingOptions
from gaia_oc_amd.parallel import for_each_block
from gaia_oc_amd.source_sets import SourceSets
from gaia_oc_amd.support_sets import draw_support_sets

Array = NDArray[np.float64]
Index = NDArray[np.int64]

STAGES = ((10, 3.0), (20, 2.5))
"""Numbers of samples after which a star is left, if its mean logit is so many standard deviations from 0."""
_SAMPLES_AT_ONCE = 25_600
"""Samples that one thread holds at a time: 10 MB."""


def vote_probabilities(
    candidates: pd.DataFrame,
    sets: SourceSets,
    classifier: Classifier,
    *,
    options: SamplingOptions | None = None,
    rng: np.random.Generator,
) -> Array:
    """Fraction of samples in which each star is classified as a member.

    Sect. 3.4 of van Groeningen et al. (2023): parallax, proper motion, magnitude and colour are drawn from
    normal distributions with the full covariance of the star's errors; each sample meets a support set of its
    own, which never contains the star itself (so that members can be judged, too).

    Parameters
    ----------
    candidates : DataFrame
        Stars to be judged, with the columns of the source sets.
    sets : SourceSets
        Gives cluster, isochrone, limits and members.
    classifier : Classifier
        Judges each sample.
    options : SamplingOptions, optional
        Number of samples and size of the support sets.
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
    """
    options = options or SamplingOptions()
    sampler = VoteSampler.of(sets, classifier, options)
    usable = np.flatnonzero(can_be_sampled(candidates, sets.colour, sampler.names))
    probabilities = np.full(len(candidates), np.nan)

    def vote(rows: Index, rng: np.random.Generator) -> None:
        probabilities[rows] = sampler.share_of_votes(candidates.iloc[rows], options, rng=rng)

    n_samples = min(options.n_samples, STAGES[0][0]) if options.stop_early else options.n_samples
    stars_at_once = max(_SAMPLES_AT_ONCE // n_samples, 1)
    for_each_block(vote, usable, stars_at_once, rng=rng, name=sets.cluster.name)
    return probabilities


@dataclass(frozen=True)
class VoteSampler:
    """Draws stars anew from their errors and asks the network what it makes of each sample.

    Parameters
    ----------
    sets : SourceSets
        Cluster, isochrone and limits.
    classifier : Classifier
        Gives features and standardisation.
    judge : Judge
        The network, ready for the members of the cluster.
    member_ids : Index
        source_id of the members, in the order of the judge.
    """

    sets: SourceSets
    classifier: Classifier
    judge: Judge
    member_ids: pd.Index

    @classmethod
    def of(cls, sets: SourceSets, classifier: Classifier, options: SamplingOptions) -> "VoteSampler":
        """Sampler for the stars of one cone.

        Raises
        ------
        TooFewMembersError
            If there are not enough members for a support set.
        """
        features = sets.members[list(classifier.source_features.names)].to_numpy(float)
        members = sets.members[np.isfinite(features).all(axis=1)]
        if len(members) < options.size_support_set:
            raise TooFewMembersError(
                f"{sets.cluster.name} has {len(members)} members, a support set needs {options.size_support_set}: "
                "lower --size_support_set or build the sets with a lower --prob_threshold."
            )
        support = classifier.standardise_members(members)
        judge = make_judge(classifier.network, support, device=options.device, precision=options.precision)
        return cls(sets, classifier, judge, pd.Index(members["source_id"]))

    @property
    def names(self) -> list[str]:
        """Features that the network reads."""
        return list(self.classifier.source_features.names)

    def share_of_votes(
        self, sources: pd.DataFrame, options: SamplingOptions, *, rng: np.random.Generator
    ) -> Array:
        """Share of its samples in which each star is called a member.

        Parameters
        ----------
        sources : DataFrame
            Stars with all that `can_be_sampled` asks for.
        options : SamplingOptions
            Number of samples, size of the support sets, and whether a clear case is left early.
        rng : Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (n_sources,)
            Of a star that is left early, the chance that a further sample is called a member.
        """
        shares = np.empty(len(sources))
        logits, open_ = np.empty((len(sources), 0), np.float32), np.arange(len(sources))
        stages = [stage for stage in STAGES if stage[0] < options.n_samples] if options.stop_early else []
        for n_samples, certainty in (*stages, (options.n_samples, 0.0)):
            n_new = n_samples - logits.shape[1]
            new = self.sample_logits(sources.iloc[open_], n_new, options.size_support_set, rng=rng)
            logits = np.hstack([logits, new])
            if not certainty:
                shares[open_] = (logits > 0).mean(axis=1)
                break
            mean, std = logits.mean(axis=1), logits.std(axis=1, ddof=1)
            doubtful = np.abs(mean) <= certainty * std
            shares[open_[~doubtful]] = _chance_of_a_vote(mean[~doubtful], std[~doubtful], n_samples)
            logits, open_ = logits[doubtful], open_[doubtful]
        return shares

    def sample_logits(
        self, sources: pd.DataFrame, n_samples: int, size_support_set: int, *, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Logit of a member minus that of a non-member for samples of stars, shape (n_sources, n_samples)."""
        features = sample_features(sources, self.sets, self.names, n_samples=n_samples, rng=rng)
        pairs = self.classifier.standardise_candidates(
            features.reshape(-1, len(self.names)), self.sets.cluster
        )
        own = np.repeat(self.member_ids.get_indexer(sources["source_id"]), n_samples)
        chosen = draw_support_sets(len(self.member_ids), size_support_set, rng=rng, excluded=own)
        return self.judge(pairs.numpy(), chosen).reshape(len(sources), n_samples)


def _chance_of_a_vote(mean: Array, std: Array, n_samples: int) -> Array:
    """Chance that a further logit is positive, by Student's t-distribution: the logits taken as normal."""
    with np.errstate(divide="ignore"):
        return stdtr(n_samples - 1, mean / (std * np.sqrt(1 + 1 / n_samples)))
