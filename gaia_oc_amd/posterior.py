"""Posterior membership probabilities: what the network makes of a star, given the cone that it stands in."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from gaia_oc_amd.astrometry import astrometric_covariance
from gaia_oc_amd.calibration import Calibration
from gaia_oc_amd.class_ratio import member_fraction, posterior
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.evidence import Background, cone_evidence, field_background, star_evidence
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.features import add_features, can_be_sampled, draw_normal
from gaia_oc_amd.inference import Judge, make_judge
from gaia_oc_amd.options import SamplingOptions, SelectionOptions
from gaia_oc_amd.parallel import for_each_block, progress_bar
from gaia_oc_amd.photometry import photometric_covariance
from gaia_oc_amd.source_sets import SourceSets
from gaia_oc_amd.support_sets import draw_support_sets

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SUPPORT_DRAWS = 8
"""Support sets that the logits of a star are averaged over, unless the first leaves no doubt."""
_CLEAR = -3.0
"""Log ratio below which it leaves none: p < 0.006 where one star in ten is a member, less where fewer are."""
DECIMALS = 6
"""Digits that a posterior is rounded to; it is good to two."""
_BACKGROUND_ROUNDS = 3
_LARGEST_CHANCE = 0.9
"""A sure member still counts a tenth for the field: else a small field could vanish altogether."""
_BEYOND = 2.0
"""Distance from the isochrone, in limits of the selection, from which no star is a member: there neither class has
stars to learn from, and the ratio of their likelihoods could be anything."""
_STARS_AT_ONCE, _DRAWS_AT_ONCE = 20_000, 4096


@dataclass(frozen=True)
class ConeJudge:
    """Gives stars of one cone their posterior membership probability.

    The network gives the logarithm of the ratio of a star's likelihoods as a member and as a field star; the
    share of members among the cone's stars is estimated from these ratios; Bayes' theorem and the model's
    calibration do the rest.

    Parameters
    ----------
    sets : SourceSets
        The cone.
    classifier : Classifier
        Trained for posteriors.
    background : Background
        The cone's field.
    fraction : float
        Share of members among training members and candidates.
    sampling : SamplingOptions
        Size of the support sets, device and precision.
    """

    sets: SourceSets
    classifier: Classifier
    background: Background
    fraction: float
    sampling: SamplingOptions = field(default_factory=SamplingOptions)

    @classmethod
    def of(
        cls,
        sets: SourceSets,
        classifier: Classifier,
        *,
        sampling: SamplingOptions | None = None,
        rng: np.random.Generator,
    ) -> "ConeJudge":
        """Learn field and share of members of a cone.

        Where there is too little field outside the cluster, stars count for the field by their probability of
        being none of the members, which is found in three rounds.

        Parameters
        ----------
        sets : SourceSets
            The cone.
        classifier : Classifier
            Trained for posteriors.
        sampling : SamplingOptions, optional
            Size of the support sets, device and precision.
        rng : Generator
            Source of randomness.

        Returns
        -------
        ConeJudge

        Raises
        ------
        TooFewMembersError
            If there are not enough members for a support set.
        """
        judge = cls(sets, classifier, field_background(sets, rng=rng), 0.5, sampling or SamplingOptions())
        for _ in range(_BACKGROUND_ROUNDS if judge.background.whole else 1):
            log_ratios = np.concatenate(
                [judge.log_ratios(stars, rng=rng) for stars in (sets.candidates, sets.members)]
            )
            fraction = member_fraction(log_ratios)
            judge = replace(judge, fraction=fraction)
            if judge.background.whole:
                known = _LARGEST_CHANCE * posterior(log_ratios[: len(sets.candidates)], fraction)
                background = field_background(sets, membership=known, rng=rng)
                judge = replace(judge, background=background)
        return judge

    def probabilities(self, stars: pd.DataFrame, *, rng: np.random.Generator) -> Array:
        """Calibrated posterior probability of stars with the columns of the sets, shape (n_stars,)."""
        log_ratios = self.log_ratios(stars, rng=rng)
        calibration = Calibration.from_dict(self.classifier.hyper_parameters.get("calibration"))
        probability = posterior(log_ratios, self.fraction)
        return calibration(probability, stars["phot_g_mean_mag"].to_numpy(float)).round(DECIMALS)

    def log_ratios(self, stars: pd.DataFrame, *, rng: np.random.Generator) -> Array:
        """Logarithm of the likelihood ratio of member and field star.

        Parameters
        ----------
        stars : DataFrame
            With the columns of the sets.
        rng : Generator
            Draws support sets.

        Returns
        -------
        ndarray, shape (n_stars,)
            NaN for stars without a usable colour or error; minus infinity for those beyond twice the selection's
            limit from the isochrone.

        Raises
        ------
        TooFewMembersError
            If there are not enough members for a support set.
        """
        support, ids = self._support()
        judge = make_judge(
            self.classifier.network, support, device=self.sampling.device, precision=self.sampling.precision
        )
        cone = cone_evidence(self.sets, self.background)
        parts = [stars.iloc[i : i + _STARS_AT_ONCE] for i in range(0, len(stars), _STARS_AT_ONCE)]
        log_ratios = [self._of_part(part, cone, judge, ids, rng) for part in parts]
        return np.concatenate([np.empty(0), *log_ratios])

    def _of_part(
        self,
        stars: pd.DataFrame,
        cone: dict[str, float],
        judge: Judge,
        ids: pd.Index,
        rng: np.random.Generator,
    ) -> Array:
        """Log ratios of some of the stars; their evidence takes more memory than they do."""
        names = list(self.classifier.source_features.names)
        evidence = star_evidence(stars, self.sets, self.background)[names]
        usable = np.flatnonzero(np.isfinite(evidence.to_numpy()).all(axis=1))
        pairs = self.classifier.standardise_evidence(evidence.iloc[usable], cone).numpy()
        own = ids.get_indexer(stars["source_id"])[usable]
        found = self._mean_logits(judge, len(ids), pairs, own, 1, rng=rng)
        open_ = np.flatnonzero(found > _CLEAR)
        more = self._mean_logits(judge, len(ids), pairs[open_], own[open_], SUPPORT_DRAWS - 1, rng=rng)
        found[open_] += (1 - 1 / SUPPORT_DRAWS) * (more - found[open_])
        log_ratios = np.full(len(stars), np.nan)
        log_ratios[usable] = found
        log_ratios[usable[self._off_isochrone(stars)[usable]]] = -np.inf
        return log_ratios

    def _off_isochrone(self, stars: pd.DataFrame) -> NDArray[np.bool_]:
        """Stars beyond `_BEYOND` limits of the selection (Eq. 5, at the nearest point of Eq. 17)."""
        limits, colour = self.sets.limits, self.sets.colour
        weight = SelectionOptions().source_error_weight
        in_colour = stars["f_c"] / (limits.colour + weight * stars[f"{colour}_error"])
        in_g = stars["f_g"] / (limits.g + weight * stars["phot_g_mean_mag_error"])
        return np.hypot(in_colour.to_numpy(float), in_g.to_numpy(float)) >= _BEYOND

    def _support(self) -> tuple[Tensor, pd.Index]:
        """Network input of the support stars, and their source_id."""
        names = (self.classifier.support_features or self.classifier.source_features).names
        of_members = star_evidence(self.sets.members, self.sets, self.background)[list(names)]
        usable = np.isfinite(of_members.to_numpy()).all(axis=1)
        if usable.sum() < self.sampling.size_support_set:
            raise TooFewMembersError(
                f"{self.sets.cluster.name} has {usable.sum()} members, a support set needs "
                f"{self.sampling.size_support_set}: lower --size_support_set or build the sets with a lower "
                "--prob_threshold."
            )
        ids = pd.Index(self.sets.members["source_id"].to_numpy()[usable])
        return self.classifier.standardise_support(of_members[usable]), ids

    def _mean_logits(
        self,
        judge: Judge,
        n_members: int,
        pairs: NDArray[np.float32],
        own: Index,
        n_draws: int,
        *,
        rng: np.random.Generator,
    ) -> Array:
        """Differences of the logits of each star, averaged over support sets of its own."""
        means = np.empty(len(pairs))

        def average(rows: Index, rng: np.random.Generator) -> None:
            chosen = draw_support_sets(
                n_members, self.sampling.size_support_set, rng=rng, excluded=np.repeat(own[rows], n_draws)
            )
            difference = judge(np.repeat(pairs[rows], n_draws, axis=0), chosen)
            means[rows] = difference.reshape(len(rows), n_draws).mean(axis=1, dtype=float)

        stars_at_once = max(_DRAWS_AT_ONCE // n_draws, 1)
        for_each_block(average, np.arange(len(pairs)), stars_at_once, rng=rng, name=self.sets.cluster.name)
        return means


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
    sets, votes = judge.sets, np.zeros(len(stars))
    usable = can_be_sampled(stars, sets.colour, ["f_r"])
    for _ in progress_bar(range(n_samples), unit="sample", desc=sets.cluster.name, leave=False):
        sample = add_features(
            _drawn(stars[usable], sets.colour, rng), sets.cluster, sets.limits, sets.isochrone, sets.colour
        )
        votes[usable] += judge.probabilities(sample, rng=rng) >= 0.5
    return np.where(usable, votes / n_samples, np.nan)


def _drawn(stars: pd.DataFrame, colour: str, rng: np.random.Generator) -> pd.DataFrame:
    """Stars with parallax, proper motion, magnitude and colour drawn from their errors."""
    drawn = {}
    for names, covariance in (
        (["parallax", "pmra", "pmdec"], astrometric_covariance(stars)),
        (["phot_g_mean_mag", colour], photometric_covariance(stars, colour)),
    ):
        values = draw_normal(stars[names].to_numpy(float), covariance, 1, rng=rng)[:, 0]
        drawn |= dict(zip(names, values.T, strict=True))
    return stars.assign(**drawn)
