"""Training and validation examples: stars paired with support sets, drawn as index arrays."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from gaia_oc_amd.classifier import Standardisation
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.options import TrainingOptions
from gaia_oc_amd.source_sets import SourceSets
from gaia_oc_amd.support_sets import draw_support_sets

Index = NDArray[np.int64]


class Batch(NamedTuple):
    """Examples for the network.

    Parameters
    ----------
    candidates : Tensor, shape (batch, n_source_features + n_cluster_features)
        Standardised features of the stars to be judged.
    chosen : Tensor, shape (batch, support)
        Support stars, as rows of `TrainingSet.members`.
    is_member : Tensor, shape (batch,)
        Labels, 1 for members.
    weight : Tensor, shape (batch,)
        Weights in the loss.
    log_odds : Tensor, shape (batch,)
        What is added to the logit of a member before the loss: the logarithm of the class ratio where the network
        shall not learn it, else 0.
    """

    candidates: Tensor
    chosen: Tensor
    is_member: Tensor
    weight: Tensor
    log_odds: Tensor


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
    clusters = cluster_table([sets for sets in all_sets])[list(cluster_features.names)].to_numpy(float)
    return TrainingSet(
        members=source_features(np.concatenate(members)),
        non_members=source_features(np.concatenate(non_members)),
        clusters=cluster_features(clusters),
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
) -> tuple[list, list]:
    """Split clusters at random into training and validation clusters, whatever order they are given in.

    Returns
    -------
    training, validation : list of str
        Sorted; at least one is for training.
    """
    shuffled = [str(name) for name in rng.permutation(sorted(names))]
    n_validation = min(round(validation_fraction * len(names)), len(names) - 1)
    return sorted(shuffled[n_validation:]), sorted(shuffled[:n_validation])
