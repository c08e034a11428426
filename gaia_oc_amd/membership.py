"""Membership probabilities: votes of the network on noisy samples, or its posterior."""

import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

from gaia_oc_amd.arguments import Seed, checked
from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.cluster import update_from_members
from gaia_oc_amd.columns import REJECTED_BY
from gaia_oc_amd.evidence import CONE_FEATURES, STAR_FEATURES, SUPPORT_FEATURES
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.fast_deep_sets import Judge, draw_support_sets
from gaia_oc_amd.features import add_features, can_be_sampled, require_features, sample_features
from gaia_oc_amd.member_list import PROB_THRESHOLD
from gaia_oc_amd.options import SamplingOptions
from gaia_oc_amd.parallel import for_each_block, progress_bar
from gaia_oc_amd.posterior import ConeJudge, drawn_within_errors
from gaia_oc_amd.source_sets import SourceSets, load_sets, save_candidates, sets_folder
from gaia_oc_amd.spatial import number_interval, remove_spatial, save_spatial

Array = NDArray[np.float64]
Index = NDArray[np.int64]
STAGES = ((10, 3.0), (20, 2.5))
"""Numbers of samples after which a star is left, if its mean logit is so many standard deviations from 0."""
_SAMPLES_AT_ONCE = 25_600
"""Samples that one thread holds at a time: 10 MB."""
_MOST_CONTAMINATION, _LARGEST_RELATIVE_ERROR = 0.15, 0.3
"""Share of field stars among the accepted, and error of the number, that one standard error may reach before a cluster
counts as hidden."""
_CERTAIN = 1 - 1e-6  # a posterior has six digits
N_FOLDS = 5
"""Parts that the training members are judged in; more where a fifth is more than the support sets can spare."""


@checked
def judge_candidates(
    name: str,
    data_dir: Path | str,
    classifier: Classifier,
    *,
    options: SamplingOptions | None = None,
    seed: Seed = 42,
) -> SourceSets:
    """Judge candidates and training members of a cluster, rewrite its candidates.csv and write its spatial.json.

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
        As `judge_sets` gives them.

    Raises
    ------
    FileNotFoundError, ValueError
        If the sets were not built, are damaged, or do not fit the classifier.
    TooFewMembersError
        If there are not enough members for a support set.
    """
    sets = load_sets(name, data_dir)
    rng = cluster_rng(seed, sets.cluster.name)
    judged, judge = _judged(sets, classifier, options or SamplingOptions(), rng)
    unjudged = judged.candidates["PMemb"].isna().sum()
    if unjudged:
        warnings.warn(f"{unjudged} candidates lack a colour or an error and get no PMemb.", stacklevel=3)
    save_candidates(judged, data_dir)
    warn_of_refused(judged.judged_members["PMemb"].to_numpy(float))
    if judge:
        save_spatial(sets_folder(name, data_dir), judge.fitted, judge.summary(rng=rng))
        chance = judged.candidates["PMemb"].to_numpy(float)
        warn_of_doubt(chance, judge.n_members, judge.calibration.scatter)
    else:
        remove_spatial(sets_folder(name, data_dir))
    return judged


def warn_of_refused(chance: Array) -> None:
    """Warn where most training members are no members by what the cone shows: the list may be of other stars.

    Parameters
    ----------
    chance : ndarray, shape (n,)
        Probabilities of the training members, each judged by the others.
    """
    n_accepted = int((chance >= PROB_THRESHOLD).sum())
    if n_accepted < len(chance) / 2:
        warnings.warn(
            f"{n_accepted} of the {len(chance)} training members have p >= {PROB_THRESHOLD:g}: the list and the "
            "members found here are mostly different stars. Are the list and the cluster's parameters right?",
            stacklevel=4,
        )


def warn_of_doubt(chance: Array, n_members: tuple[float, float], ratio_scatter: float) -> None:
    """Warn where there is no cluster, and where the field may hide it: in crowded cones nothing can be trusted.

    Both are judged at one standard error: the upper end of the number's interval, and the share of field stars among
    the accepted candidates if all ratios of the cone are too high by their scatter between cones.

    Parameters
    ----------
    chance : ndarray, shape (n,)
        Posterior probabilities of the candidates.
    n_members : tuple of float
        Number of members and its standard error.
    ratio_scatter : float
        Standard deviation between cones of the error of the ratios' logarithm.
    """
    number, error = n_members
    low, high = number_interval(number, error)
    if error >= number:
        warnings.warn(
            f"the stars of this cone show no cluster: {number:.0f} members, 68 % between {low:.0f} and {high:.0f}. Are "
            "the list of members and the cluster's parameters right?",
            stacklevel=4,
        )
        return
    accepted = np.clip(chance[chance >= PROB_THRESHOLD], PROB_THRESHOLD, _CERTAIN)
    means = [
        expit(logit(accepted) - shift).mean() if len(accepted) else 1.0 for shift in (0.0, ratio_scatter)
    ]
    expected, largest = (100 * (1 - mean) for mean in means)
    if largest > 100 * _MOST_CONTAMINATION or high > (1 + _LARGEST_RELATIVE_ERROR) * number:
        warnings.warn(
            f"the field may hide this cluster: {number:.0f} members, 68 % between {low:.0f} and {high:.0f}, and "
            f"{expected:.0f} % of the candidates with p >= {PROB_THRESHOLD:g} are expected to be field stars, "
            f"{largest:.0f} % if the ratios err by one standard error. Take a higher threshold, and quote the "
            "number with its interval.",
            stacklevel=4,
        )


@checked
def judge_sets(
    sets: SourceSets,
    classifier: Classifier,
    *,
    options: SamplingOptions | None = None,
    rng: np.random.Generator,
) -> SourceSets:
    """Give the candidates and the training members of a cluster their probabilities.

    A training member is judged as one that nobody has listed: in five parts, each by the other four, from which the
    cluster's means and scatter, the members' sequence beside the isochrone and the support sets are made. So are
    listed members that failed the selection and whose means the cluster has. The field and the share of members
    are those of the whole cone: no training member counts for the field.

    Parameters
    ----------
    sets : SourceSets
        Built sets.
    classifier : Classifier
        The network.
    options : SamplingOptions, optional
        See `membership_probabilities`.
    rng : Generator
        Source of randomness.

    Returns
    -------
    SourceSets
        With the candidates' PMemb, and with judged_members.

    Raises
    ------
    TooFewMembersError, ValueError
        As `membership_probabilities`.
    """
    return _judged(sets, classifier, options or SamplingOptions(), rng)[0]


def _judged(
    sets: SourceSets, classifier: Classifier, options: SamplingOptions, rng: np.random.Generator
) -> tuple[SourceSets, ConeJudge | None]:
    """Judged sets, and what a posterior network learned of the cone."""
    judge, learned = _judge_of(sets, classifier, options, rng)
    probability = judge(sets.candidates, sets)
    failed = (sets.candidates[REJECTED_BY] != "").to_numpy()
    listed = pd.concat([sets.members, sets.candidates[failed]], ignore_index=True)
    own = np.empty(len(listed))
    for part in _folds(len(listed), len(sets.members) - options.size_support_set, rng):
        stars, others = _without(listed, part, sets)
        own[part] = judge(stars, others)
    probability[failed] = own[len(sets.members) :]
    judged = replace(
        sets,
        candidates=sets.candidates.assign(PMemb=probability),
        judged_members=sets.members.assign(PMemb=own[: len(sets.members)]),
    )
    return judged, learned


def _folds(n_stars: int, to_spare: int, rng: np.random.Generator) -> list[Index]:
    """Rows of the parts, of about the same size, none larger than the support sets can spare."""
    n_folds = min(n_stars, max(N_FOLDS, -(-n_stars // max(to_spare, 1))))
    return np.array_split(rng.permutation(n_stars), n_folds) if n_stars else []


def _without(listed: pd.DataFrame, part: Index, sets: SourceSets) -> tuple[pd.DataFrame, SourceSets]:
    """Some listed stars, and the sets as the other listed stars make them; all with offsets from their means."""
    left = np.setdiff1d(np.arange(len(listed)), part)
    cluster = update_from_members(sets.cluster, listed.iloc[left])
    placed = add_features(listed, cluster, sets.limits, sets.isochrone, sets.colour)
    members = placed.iloc[left[left < len(sets.members)]]
    return placed.iloc[part], replace(sets, cluster=cluster, members=members)


@checked
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
    candidates = require_features(candidates, sets.colour, "candidates")
    return _judge_of(sets, classifier, options or SamplingOptions(), rng)[0](candidates, sets)


def _judge_of(
    sets: SourceSets, classifier: Classifier, options: SamplingOptions, rng: np.random.Generator
) -> tuple[Callable[[pd.DataFrame, SourceSets], Array], ConeJudge | None]:
    """What gives the stars of one cone their probabilities, by the members of these sets or by some of them."""
    for part in ("members", "candidates"):
        require_features(getattr(sets, part), sets.colour, f"the sets' {part}")
    _check_features(classifier, sets)
    wanted = options.probability or classifier.probability
    if classifier.probability != "posterior":
        if wanted == "posterior":
            raise ValueError(
                "this model was trained for --probability votes, it knows no posterior: use --probability votes or "
                "another --model_dir."
            )

        def by_votes(stars: pd.DataFrame, of: SourceSets) -> Array:
            drawn = options if of is sets else _with_sets_of_at_most(len(of.members), options)
            return vote_probabilities(stars, of, classifier, options=drawn, rng=rng)

        return by_votes, None
    judge = ConeJudge.of(sets, classifier, sampling=options, rng=rng)

    def by(stars: pd.DataFrame, of: SourceSets) -> Array:
        without = judge if of is sets else judge.without(stars["source_id"])
        if wanted == "votes":
            return posterior_votes(stars, without, n_samples=options.n_samples, rng=rng)
        return without.probabilities(stars, rng=rng)

    return by, judge


def _with_sets_of_at_most(n_members: int, options: SamplingOptions) -> SamplingOptions:
    """Options whose support sets are no larger than the members that are left without those judged."""
    return replace(options, size_support_set=max(min(options.size_support_set, n_members), 1))


def _check_features(classifier: Classifier, sets: SourceSets) -> None:
    """Refuse a model that reads what the sets do not have."""
    if classifier.probability == "posterior":
        known: Collection[object] = (*STAR_FEATURES, *SUPPORT_FEATURES)
        of_cone: Collection[str] = CONE_FEATURES
        support = classifier.support_features or classifier.source_features
        names = (*classifier.source_features.names, *support.names)
    else:
        known, names = tuple(sets.members), classifier.source_features.names
        of_cone = tuple(vars(sets.cluster))
    lacking = [name for name in names if name not in known]
    lacking += [name for name in classifier.cluster_features.names if name not in of_cone]
    if lacking and classifier.probability == "posterior":
        raise ValueError(
            f"the model reads {', '.join(lacking)}, as posterior models of an earlier version did: use that version, "
            "train again, or take the model that this one ships (--model_dir deep_sets_model)."
        )
    if lacking:
        raise ValueError(
            f"the model needs {', '.join(lacking)}, which the sets lack: use another --model_dir."
        )


def posterior_votes(
    stars: pd.DataFrame, judge: ConeJudge, *, n_samples: int, rng: np.random.Generator
) -> Array:
    """The published definition for a network trained for posteriors.

    Each star is drawn anew from its errors; the vote is that its posterior reaches 0.5. The errors count twice,
    in the sampling and in the network, so faint members lose: it is here to be compared with.

    Parameters
    ----------
    stars : DataFrame
        With the columns of the sets.
    judge : ConeJudge
        Judges each sample.
    n_samples : int
        Samples of each star.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n_stars,)
        Share of the samples that are called members; NaN for stars without a usable colour or error.
    """
    sets, votes = judge.reading.sets, np.zeros(len(stars))
    usable = can_be_sampled(stars, sets.colour, ["f_r"])
    for _ in progress_bar(range(n_samples), unit="sample", desc=sets.cluster.name, leave=False):
        sample = add_features(
            drawn_within_errors(stars[usable], sets.colour, rng),
            sets.cluster,
            sets.limits,
            sets.isochrone,
            sets.colour,
        )
        votes[usable] += judge.probabilities(sample, rng=rng) >= 0.5
    return np.where(usable, votes / n_samples, np.nan)


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
    names : list of str
        Features that the network reads.
    judge : Judge
        The network, ready for the members of the cluster.
    member_ids : Index
        source_id of the members, in the order of the judge.
    """

    sets: SourceSets
    names: list[str]
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
        judge = classifier.judge(
            members, vars(sets.cluster), device=options.device, precision=options.precision
        )
        names = list(classifier.source_features.names)
        return cls(sets, names, judge, pd.Index(members["source_id"]))

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
        own = np.repeat(self.member_ids.get_indexer(pd.Index(sources["source_id"])), n_samples)
        chosen = draw_support_sets(len(self.member_ids), size_support_set, rng=rng, excluded=own)
        return self.judge(features.reshape(-1, len(self.names)), chosen).reshape(len(sources), n_samples)


def _chance_of_a_vote(mean: Array, std: Array, n_samples: int) -> Array:
    """Chance that a further logit is positive, the logits taken as normal.

    The tails of Student's t-distribution would add up over the field stars of a cone to members that are not there.
    """
    with np.errstate(divide="ignore"):
        return ndtr(mean / (std * np.sqrt(1 + 1 / n_samples)))
