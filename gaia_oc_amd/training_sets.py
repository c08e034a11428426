"""Examples for the training of both networks."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.classifier import Standardisation
from gaia_oc_amd.evidence import (
    CONE_FEATURES,
    STAR_FEATURES,
    SUPPORT_FEATURES,
    cone_evidence,
    half_number_radius,
    read_cone,
    star_evidence,
)
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.fast_deep_sets import draw_support_sets
from gaia_oc_amd.gradients import Batch
from gaia_oc_amd.options import TrainingOptions
from gaia_oc_amd.source_sets import SourceSets, load_sets
from gaia_oc_amd.spatial import places_of
from gaia_oc_amd.spatial_fit import fit_spatial_model
from gaia_oc_amd.truth import read_labels

Array = NDArray[np.float64]


Index = NDArray[np.int64]


@dataclass(frozen=True)
class TrainingSet:
    """Members and non-members of several clusters, from which examples are drawn.

    Parameters
    ----------
    members, non_members : Tensor, shape (n, n_source_features)
        Standardised source features, cluster after cluster.
    clusters : Tensor, shape (n_clusters, n_cluster_features)
        Standardised cluster features.
    n_members, n_non_members : ndarray, shape (n_clusters,)
        How many rows belong to each cluster.
    """

    members: Tensor
    non_members: Tensor
    clusters: Tensor
    n_members: Index
    n_non_members: Index

    def draw(self, options: TrainingOptions, *, rng: np.random.Generator) -> list[Batch]:
        """Draw one epoch (Sect. 3.2 of van Groeningen et al. 2023).

        Each member appears ``n_pos_duplicates`` times, each time with another support set that does not
        contain it, with ``neg_pos_ratio`` non-members for each appearance; the order is random.

        Parameters
        ----------
        options : TrainingOptions
            Numbers and sizes.
        rng : Generator
            Source of randomness.

        Returns
        -------
        list of Batch
        """
        star, cluster, is_member = self._draw_stars(options, rng)
        first_member = np.cumsum(self.n_members) - self.n_members
        own_index = np.where(is_member, star - first_member[cluster], -1)
        chosen = draw_support_sets(
            self.n_members[cluster], options.size_support_set, rng=rng, excluded=own_index
        )
        chosen = chosen + first_member[cluster][:, None]
        order = rng.permutation(len(star))
        row = (star + np.where(is_member, 0, len(self.members)))[order]
        label = torch.from_numpy(is_member[order])
        sources = torch.cat([self.members, self.non_members])[torch.from_numpy(row)]
        whole = Batch(
            candidates=torch.cat([sources, self.clusters[torch.from_numpy(cluster[order])]], dim=1),
            chosen=torch.from_numpy(chosen[order]),
            is_member=label,
            weight=torch.tensor([1.0, options.weight_imbalance])[label],
            log_odds=torch.zeros(len(label)),
        )
        return [
            Batch(*parts) for parts in zip(*(part.split(options.batch_size) for part in whole), strict=True)
        ]

    def _draw_stars(self, options: TrainingOptions, rng: np.random.Generator) -> tuple[Index, Index, Index]:
        """Rows of members or non-members, their clusters, and which of the two they are."""
        first = np.cumsum(self.n_non_members) - self.n_non_members
        member_cluster = np.repeat(np.arange(len(self.n_members)), self.n_members)
        positives = np.tile(np.arange(len(member_cluster)), options.n_pos_duplicates)
        wanted = options.n_pos_duplicates * options.neg_pos_ratio * self.n_members
        negatives = np.concatenate(
            [first[i] + _draw_padded(n, wanted[i], rng) for i, n in enumerate(self.n_non_members)]
        )
        negative_cluster = np.repeat(np.arange(len(wanted)), wanted)
        return (
            np.concatenate([positives, negatives]),
            np.concatenate([np.tile(member_cluster, options.n_pos_duplicates), negative_cluster]),
            np.repeat([1, 0], [len(positives), len(negatives)]),
        )


def _draw_padded(available: int, wanted: int, rng: np.random.Generator) -> Index:
    """Different indices as far as they go, then every one once more, and at last a random part."""
    whole, rest = divmod(wanted, available)
    return np.concatenate([np.tile(np.arange(available), whole), rng.choice(available, rest, replace=False)])


def make_training_set(
    all_sets: list[SourceSets],
    source_features: Standardisation,
    cluster_features: Standardisation,
    *,
    size_support_set: int,
) -> TrainingSet:
    """Standardise and join the members and non-members of several clusters.

    Parameters
    ----------
    all_sets : list of SourceSets
        One entry per cluster. Stars with a feature that is not finite are left out.
    source_features, cluster_features : Standardisation
        Made from the training clusters.
    size_support_set : int
        Every cluster needs one member more.

    Returns
    -------
    TrainingSet

    Raises
    ------
    TooFewMembersError
        If a cluster has too few members, or no non-members.
    """
    members = [_finite(sets.members, source_features.names) for sets in all_sets]
    non_members = [_finite(sets.non_members, source_features.names) for sets in all_sets]
    for sets, own, others in zip(all_sets, members, non_members, strict=True):
        if len(own) <= size_support_set or len(others) == 0:
            raise TooFewMembersError(
                f"{sets.cluster.name} has {len(own)} usable members and {len(others)} non-members; training needs at "
                f"least {size_support_set + 1} and 1: lower --size_support_set or leave the cluster out."
            )
    clusters = cluster_table(all_sets)[list(cluster_features.names)].to_numpy(float)
    return TrainingSet(
        members=torch.from_numpy(source_features(np.concatenate(members))),
        non_members=torch.from_numpy(source_features(np.concatenate(non_members))),
        clusters=torch.from_numpy(cluster_features(clusters)),
        n_members=np.array([len(own) for own in members]),
        n_non_members=np.array([len(others) for others in non_members]),
    )


def _finite(sources: pd.DataFrame, names: tuple[str, ...]) -> NDArray[np.float64]:
    values = sources[list(names)].to_numpy(float)
    return values[np.isfinite(values).all(axis=1)]


def cluster_table(all_sets: list[SourceSets]) -> pd.DataFrame:
    """Parameters of several clusters, one row each."""
    return pd.DataFrame([sets.cluster.as_dict() for sets in all_sets])


def standardisations(
    all_sets: list[SourceSets], options: TrainingOptions
) -> tuple[Standardisation, Standardisation]:
    """Standardisations of source and cluster features, from all sources of all training clusters together.

    Members and non-members of all clusters form one sample, so that the spread between clusters counts; the
    published tool averages the spreads within clusters. Cluster features weigh every cluster equally.

    Raises
    ------
    ValueError
        If a feature is not a column of the sets or not a parameter of the clusters.
    """
    clusters = cluster_table(all_sets)
    for names, table, what in (
        (options.source_features, all_sets[0].members, "source feature"),
        (options.cluster_features, clusters, "cluster feature"),
    ):
        unknown = [name for name in names if name not in table]
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is no {what}: the sets have no such thing.")
    parts = [
        _finite(part, options.source_features)
        for sets in all_sets
        for part in (sets.members, sets.non_members)
    ]
    sources = pd.DataFrame(np.concatenate(parts), columns=list(options.source_features))
    return Standardisation.of(sources, options.source_features), Standardisation.of(
        clusters, options.cluster_features
    )


def split_clusters(
    names: list[str], validation_fraction: float, *, rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Split clusters at random into training and validation clusters, whatever order they are given in.

    Returns
    -------
    training, validation : list of str
        Sorted; at least one is for training.

    Raises
    ------
    ValueError
        If there is no cluster.
    """
    if not names:
        raise ValueError("no cluster is named to train on: name some whose sets were built.")
    shuffled = [str(name) for name in rng.permutation(sorted(names))]
    n_validation = min(round(validation_fraction * len(names)), len(names) - 1)
    return sorted(shuffled[n_validation:]), sorted(shuffled[:n_validation])


_KEPT = {9.0: 1.0, 20.0: 0.3, np.inf: 0.05}
"""Share of field stars that become examples, by squared offset in sigmas: near ones are hard to tell and count."""
_MOST_FIELD = 6_000  # examples of the field from one cone, so that a few crowded ones do not rule


class ConeExamples(NamedTuple):
    """Evidence of the labelled stars of one cone.

    Parameters
    ----------
    name : str
        The cluster's.
    stars : DataFrame
        `STAR_FEATURES` of the stars, with is_member, weight (how many stars each stands for), own (its row in
        `support`, -1 if it is none) and log_odds, the logarithm of members over field stars where it stands.
    support : DataFrame
        `SUPPORT_FEATURES` of the sure members.
    cone : dict
        `CONE_FEATURES`.
    """

    name: str
    stars: pd.DataFrame
    support: pd.DataFrame
    cone: dict[str, float]


def cone_examples(name: str, data_dir: Path | str, *, seed: int) -> ConeExamples:
    """Examples of one cluster whose sets were built and whose truth is known.

    Parameters
    ----------
    name : str
        Cluster.
    data_dir : path
        Holds its sets and, in their folder, what `gaia_oc_amd.truth.read_labels` reads. Unlabelled stars are left
        out.
    seed : int
        Of the thinning of far field stars, of which one in twenty is kept with twenty times the weight.

    Returns
    -------
    ConeExamples

    Raises
    ------
    FileNotFoundError, ValueError
        If there are no labels, or they cannot be used.
    """
    sets = load_sets(name, data_dir)
    labels = read_labels(sets.cluster.name, data_dir)
    truth, counts = labels["is_member"], labels["weight"]
    rng = cluster_rng(seed, sets.cluster.name)
    reading = read_cone(sets, rng=rng)
    stars = pd.concat([sets.members, sets.candidates], ignore_index=True)
    stars = stars[stars["source_id"].isin(truth.index).to_numpy()]
    is_member = truth[stars["source_id"]].to_numpy()
    support = star_evidence(reading.members, reading)[list(SUPPORT_FEATURES)]
    usable_support = np.isfinite(support.to_numpy()).all(axis=1)
    member_ids = pd.Index(reading.members["source_id"].to_numpy()[usable_support])
    evidence = star_evidence(stars, reading)[list(STAR_FEATURES)].assign(
        is_member=is_member,
        own=member_ids.get_indexer(stars["source_id"]),
        weight=counts[stars["source_id"]].to_numpy(float),
        log_odds=true_log_odds(stars, is_member, sets),
    )
    usable = np.isfinite(evidence[list(STAR_FEATURES)].to_numpy(float)).all(axis=1)
    examples = _thinned(evidence.loc[usable], rng)
    return ConeExamples(sets.cluster.name, examples, support[usable_support], cone_evidence(reading))


def true_log_odds(stars: pd.DataFrame, is_member: NDArray[np.bool_], sets: SourceSets) -> Array:
    """Logarithm of members over field stars at each star's place, from labelled stars, shape (n_stars,)."""
    places = places_of(stars, sets.cluster)
    places[:, 2] = 18.0  # the ratio knows magnitudes, and takes what changes with them
    known = np.where(is_member, np.inf, -np.inf)
    return fit_spatial_model(known, places, size=half_number_radius(sets.members)).log_odds(places)


def _thinned(stars: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """All members and the near field stars, and shares of the farther ones with so much more weight."""
    offset = stars["pm_sigma"] ** 2 + stars["plx_sigma"] ** 2 + stars["c_sequence"] ** 2
    chance = np.array(list(_KEPT.values()))[np.searchsorted(list(_KEPT), offset)]
    chance = chance * min(1.0, _MOST_FIELD / max(chance[~stars["is_member"]].sum(), 1.0))
    chance = np.where(stars["is_member"], 1.0, chance)
    kept = rng.uniform(size=len(stars)) < chance
    return stars.assign(weight=stars["weight"] / chance)[kept]


@dataclass(frozen=True)
class PosteriorSet:
    """Examples of many cones as tensors.

    Parameters
    ----------
    stars : Tensor, shape (n, n_star_features)
        Standardised.
    members : Tensor, shape (n_support, n_support_features)
        Standardised support stars, cone after cone.
    cones : Tensor, shape (n_cones, n_cone_features)
        Standardised.
    cone, own, is_member : ndarray, shape (n,)
        Of each star: its cone, its row among its cone's support stars or -1, and its label.
    weight : ndarray, shape (n,)
        How many stars each stands for.
    log_odds : ndarray, shape (n,)
        Logarithm of members over field stars where each stands.
    n_members : ndarray, shape (n_cones,)
        Support stars of each cone.
    """

    stars: Tensor
    members: Tensor
    cones: Tensor
    cone: Index
    own: Index
    is_member: Index
    weight: Array
    log_odds: Array
    n_members: Index

    def draw(self, options: TrainingOptions, *, rng: np.random.Generator) -> list[Batch]:
        """One epoch: every star once, in random order, with a support set that does not contain it.

        Parameters
        ----------
        options : TrainingOptions
            Size of support sets and batches.
        rng : Generator
            Source of randomness.

        Returns
        -------
        list of Batch
            Each with the prior log odds of its stars' places, so that the network need not learn them.
        """
        first = np.cumsum(self.n_members) - self.n_members
        chosen = draw_support_sets(
            self.n_members[self.cone], options.size_support_set, rng=rng, excluded=self.own
        )
        chosen += first[self.cone][:, None]
        order = rng.permutation(len(self.cone))
        parts = [order[i : i + options.batch_size] for i in range(0, len(order), options.batch_size)]
        return [self._batch(part, chosen[part]) for part in parts]

    def _batch(self, rows: Index, chosen: Index) -> Batch:
        cone = self.cone[rows]
        return Batch(
            candidates=torch.cat(
                [self.stars[torch.from_numpy(rows)], self.cones[torch.from_numpy(cone)]], dim=1
            ),
            chosen=torch.from_numpy(chosen),
            is_member=torch.from_numpy(self.is_member[rows]),
            weight=torch.from_numpy(self.weight[rows].astype(np.float32)),
            log_odds=torch.from_numpy(self.log_odds[rows].astype(np.float32)),
        )


def posterior_standardisations(
    examples: list[ConeExamples],
) -> tuple[Standardisation, Standardisation, Standardisation]:
    """Standardisations of star, support and cone features, every cone with the same weight."""
    stars, support = [], []
    for cone in examples:
        stars.append(cone.stars.sample(2000, replace=True, random_state=0))
        support.append(cone.support.sample(200, replace=True, random_state=0))
    return (
        Standardisation.of(pd.concat(stars), STAR_FEATURES),
        Standardisation.of(pd.concat(support), SUPPORT_FEATURES),
        Standardisation.of(pd.DataFrame([cone.cone for cone in examples]), CONE_FEATURES),
    )


def make_posterior_set(
    examples: list[ConeExamples],
    standardisations: tuple[Standardisation, Standardisation, Standardisation],
    *,
    size_support_set: int,
) -> PosteriorSet:
    """Join the examples of many cones.

    Parameters
    ----------
    examples : list of ConeExamples
        One entry per cone.
    standardisations : tuple of Standardisation
        Of star, support and cone features.
    size_support_set : int
        Every cone needs one support star more.

    Returns
    -------
    PosteriorSet

    Raises
    ------
    TooFewMembersError
        If a cone has too few support stars.
    ValueError
        If a cone has no member or no field star among its labelled stars.
    """
    of_stars, of_support, of_cones = standardisations
    for cone in examples:
        if len(cone.support) <= size_support_set:
            raise TooFewMembersError(
                f"{cone.name} has {len(cone.support)} usable members, training needs {size_support_set + 1}: "
                "lower --size_support_set or leave the cluster out."
            )
        if cone.stars["is_member"].all() or not cone.stars["is_member"].any():
            raise ValueError(
                f"{cone.name} has only members or only field stars with known truth: leave it out."
            )
    stars = pd.concat([cone.stars for cone in examples], ignore_index=True)
    cones = pd.DataFrame([cone.cone for cone in examples])
    support = np.concatenate([cone.support.to_numpy(float) for cone in examples])
    return PosteriorSet(
        stars=torch.from_numpy(of_stars(stars[list(of_stars.names)].to_numpy(float))),
        members=torch.from_numpy(of_support(support)),
        cones=torch.from_numpy(of_cones(cones[list(of_cones.names)].to_numpy(float))),
        cone=np.repeat(np.arange(len(examples)), [len(cone.stars) for cone in examples]),
        own=stars["own"].to_numpy(np.int64),
        is_member=stars["is_member"].to_numpy(np.int64),
        weight=stars["weight"].to_numpy(float),
        log_odds=stars["log_odds"].to_numpy(float),
        n_members=np.array([len(cone.support) for cone in examples]),
    )
