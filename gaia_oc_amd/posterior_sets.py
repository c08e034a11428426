"""Training examples of the posterior network: stars of cones whose truth is known, paired with support sets."""

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
    field_background,
    star_evidence,
)
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.options import TrainingOptions
from gaia_oc_amd.source_sets import load_sets
from gaia_oc_amd.support_sets import draw_support_sets
from gaia_oc_amd.training_sets import Batch
from gaia_oc_amd.truth import read_labels

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_KEPT = {9.0: 1.0, 20.0: 0.3, np.inf: 0.05}
"""Share of field stars that become examples, by squared offset in sigmas: near ones are hard to tell and count."""
_MOST_FIELD = 10_000  # examples of the field from one cone, so that a few crowded ones do not rule


class ConeExamples(NamedTuple):
    """Evidence of the labelled stars of one cone.

    Parameters
    ----------
    name : str
        The cluster's.
    stars : DataFrame
        `STAR_FEATURES` of the stars, with is_member, weight (how many stars each stands for), own (its row in
        `support`, -1 if it is no training member) and selected (whether it is a training member or a candidate).
    support : DataFrame
        `SUPPORT_FEATURES` of the training members.
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
    known = truth.reindex(sets.candidates["source_id"]).fillna(False).to_numpy(bool)
    background = field_background(sets, membership=known.astype(float), rng=rng)
    stars = pd.concat([sets.members, sets.candidates, sets.non_members], ignore_index=True)
    selected = stars.index < len(sets.members) + len(sets.candidates)
    labelled = stars["source_id"].isin(truth.index).to_numpy()
    stars, selected = stars[labelled], selected[labelled]
    evidence = star_evidence(stars, sets, background)
    support = star_evidence(sets.members, sets, background)[list(SUPPORT_FEATURES)]
    usable_support = np.isfinite(support.to_numpy()).all(axis=1)
    member_ids = pd.Index(sets.members["source_id"].to_numpy()[usable_support])
    evidence = evidence[list(STAR_FEATURES)].assign(
        is_member=truth[stars["source_id"]].to_numpy(),
        own=member_ids.get_indexer(stars["source_id"]),
        selected=selected,
        weight=counts[stars["source_id"]].to_numpy(float),
    )
    examples = _thinned(evidence[np.isfinite(evidence[list(STAR_FEATURES)]).all(axis=1)], rng)
    return ConeExamples(sets.cluster.name, examples, support[usable_support], cone_evidence(sets, background))


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
    log_odds : ndarray, shape (n_cones,)
        Logarithm of members over field stars among the labelled training members and candidates of each cone.
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
            Each with the logarithm of its cone's class ratio, so that the network need not learn it.
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
            log_odds=torch.from_numpy(self.log_odds[cone].astype(np.float32)),
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
        selected = cone.stars.loc[cone.stars["selected"], "is_member"]
        if selected.all() or not selected.any():
            raise ValueError(
                f"{cone.name} has only members or only field stars with known truth: leave it out."
            )
    stars = pd.concat([cone.stars for cone in examples], ignore_index=True)
    return PosteriorSet(
        stars=of_stars(stars[list(of_stars.names)].to_numpy(float)),
        members=of_support(np.concatenate([cone.support.to_numpy(float) for cone in examples])),
        cones=of_cones(pd.DataFrame([cone.cone for cone in examples])[list(of_cones.names)].to_numpy(float)),
        cone=np.repeat(np.arange(len(examples)), [len(cone.stars) for cone in examples]),
        own=stars["own"].to_numpy(np.int64),
        is_member=stars["is_member"].to_numpy(np.int64),
        weight=stars["weight"].to_numpy(float),
        log_odds=np.array([_log_odds(cone.stars) for cone in examples]),
        n_members=np.array([len(cone.support) for cone in examples]),
    )


def _log_odds(stars: pd.DataFrame) -> float:
    """As the share of members is estimated when the network is used; non-members are further examples of the field."""
    members, selected = stars["is_member"].to_numpy(bool), stars["selected"].to_numpy(bool)
    weight = stars["weight"].to_numpy()
    return float(np.log(weight[members & selected].sum() / weight[~members & selected].sum()))
