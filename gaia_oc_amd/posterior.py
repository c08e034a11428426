"""The posterior of a cone's stars: likelihood ratio, share of members, calibration."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

from gaia_oc_amd.astrometry import astrometric_covariance
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.deep_sets import draw_support_sets
from gaia_oc_amd.evidence import Background, cone_evidence, field_background, star_evidence
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.fast_deep_sets import Judge
from gaia_oc_amd.features import draw_normal
from gaia_oc_amd.options import SamplingOptions, SelectionOptions
from gaia_oc_amd.parallel import for_each_block
from gaia_oc_amd.photometry import photometric_covariance
from gaia_oc_amd.source_sets import SourceSets

Index = NDArray[np.int64]


Array = NDArray[np.float64]

LARGEST_FRACTION = 0.98
_LARGEST_LOG_RATIO = 50.0
_MOST_STEPS, _PRECISION = 1000, 1e-10


def member_fraction(log_ratios: Array) -> float:
    """Fraction of members among stars with known likelihood ratios, by maximum likelihood.

    Expectation maximisation of the mixture proportion, as Saerens, Latinne & Decaestecker (2002, Neural
    Computation 14, 21) adjust a classifier to a new ratio of its classes. The likelihood is concave in the
    fraction, so that the start does not matter.

    Parameters
    ----------
    log_ratios : ndarray, shape (n,)
        Logarithm of each star's likelihood as a member over that as a field star; NaN does not count.

    Returns
    -------
    float
        Between 0 and 0.98, as no cone is without a field; 0 without stars.
    """
    log_ratios = log_ratios[~np.isnan(log_ratios)]
    if not len(log_ratios):
        return 0.0
    fraction = 0.1
    for _ in range(_MOST_STEPS):
        updated = float(np.mean(posterior(log_ratios, fraction)))
        if abs(updated - fraction) <= _PRECISION * updated:
            break
        fraction = updated
    return min(fraction, LARGEST_FRACTION)


def posterior(log_ratios: Array, fraction: float) -> Array:
    """Probability of being a member, by Bayes' theorem.

    Parameters
    ----------
    log_ratios : ndarray, shape (n,)
        See `member_fraction`.
    fraction : float
        Fraction of members, the probability before anything is known of a star.

    Returns
    -------
    ndarray, shape (n,)
    """
    return 1 / (1 + np.exp(-(bounded(log_ratios) + prior_log_odds(fraction))))


def prior_log_odds(fraction: float) -> float:
    """Logarithm of members over field stars; finite for a fraction of 0 or 1, too."""
    return float(np.log(max(fraction, 1e-12)) - np.log(max(1 - fraction, 1e-12)))


def bounded(log_ratios: Array) -> Array:
    """Log ratios within what exp can take."""
    return np.clip(log_ratios, -_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO)


KNOTS = (16.0, 18.0, 19.0, 20.0, 20.7)
"""G magnitudes between which the calibration is interpolated."""
_STIFFNESS = 20.0  # of the prior that nothing needs to be changed
_SMALLEST = 1e-9


@dataclass(frozen=True)
class Calibration:
    """Linear map of the logit of a probability, with an intercept that changes with magnitude (Platt 1999).

    Parameters
    ----------
    slope : float
        Positive, so that the order of stars of one magnitude does not change.
    intercepts : tuple of float
        At the magnitudes `KNOTS`.
    """

    slope: float = 1.0
    intercepts: tuple[float, ...] = (0.0,) * len(KNOTS)

    @classmethod
    def from_dict(cls, content: dict[str, Any] | None) -> "Calibration":
        """Calibration as a model folder keeps it; none changes nothing.

        Raises
        ------
        ValueError
            If the content is not that of a calibration.
        """
        if content is None:
            return cls()
        try:
            calibration = cls(float(content["slope"]), tuple(float(value) for value in content["intercepts"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the model's calibration lacks or garbles {error}: train it again.") from error
        numbers = (calibration.slope, *calibration.intercepts)
        if (
            len(calibration.intercepts) != len(KNOTS)
            or not np.isfinite(numbers).all()
            or calibration.slope <= 0
        ):
            raise ValueError(f"the model's calibration {calibration} is none: train it again.")
        return calibration

    def as_dict(self) -> dict[str, Any]:
        """Values by name, for the model folder."""
        return asdict(self)

    def __call__(self, probability: Array, g: Array) -> Array:
        """Calibrated probabilities of stars of magnitudes G [mag], both of shape (n,)."""
        shift = np.interp(g, KNOTS, self.intercepts)
        return 1 / (1 + np.exp(-(self.slope * log_odds(probability) + shift)))


def log_odds(probability: Array) -> Array:
    """Logarithm of p / (1 - p), kept finite."""
    bounded = np.clip(probability, _SMALLEST, 1 - _SMALLEST)
    return np.log(bounded) - np.log1p(-bounded)


def fit_calibration(probability: Array, g: Array, is_member: Array, weight: Array) -> Calibration:
    """Calibration of largest likelihood, drawn towards changing nothing.

    Parameters
    ----------
    probability, g : ndarray, shape (n,)
        Probabilities and magnitudes [mag].
    is_member : ndarray of bool, shape (n,)
        Truth.
    weight : ndarray, shape (n,)
        Weight of each star.

    Returns
    -------
    Calibration
    """
    x, y = log_odds(probability), np.asarray(is_member, float)
    hats = np.stack([np.interp(g, KNOTS, row) for row in np.eye(len(KNOTS))], axis=1)

    def loss(parameters: Array) -> tuple[float, Array]:
        slope, intercepts = np.exp(parameters[0]), parameters[1:]
        z = slope * x + hats @ intercepts
        value = weight @ (np.logaddexp(0, z) - y * z) + _STIFFNESS * parameters @ parameters
        residual = weight * (1 / (1 + np.exp(-z)) - y)
        return value, np.append(residual @ (slope * x), residual @ hats) + 2 * _STIFFNESS * parameters

    best = minimize(loss, np.zeros(1 + len(KNOTS)), jac=True, method="L-BFGS-B").x
    return Calibration(float(np.exp(best[0])), tuple(map(float, best[1:])))


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
        judge = self.classifier.judge(
            support,
            cone_evidence(self.sets, self.background),
            device=self.sampling.device,
            precision=self.sampling.precision,
        )
        parts = [stars.iloc[i : i + _STARS_AT_ONCE] for i in range(0, len(stars), _STARS_AT_ONCE)]
        log_ratios = [self._of_part(part, judge, ids, rng) for part in parts]
        return np.concatenate([np.empty(0), *log_ratios])

    def _of_part(
        self,
        stars: pd.DataFrame,
        judge: Judge,
        ids: pd.Index,
        rng: np.random.Generator,
    ) -> Array:
        """Log ratios of some of the stars; their evidence takes more memory than they do."""
        names = list(self.classifier.source_features.names)
        evidence = star_evidence(stars, self.sets, self.background)[names].to_numpy(float)
        usable = np.flatnonzero(np.isfinite(evidence).all(axis=1))
        features = evidence[usable]
        own = ids.get_indexer(stars["source_id"])[usable]
        found = self._mean_logits(judge, len(ids), features, own, 1, rng=rng)
        open_ = np.flatnonzero(found > _CLEAR)
        more = self._mean_logits(judge, len(ids), features[open_], own[open_], SUPPORT_DRAWS - 1, rng=rng)
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

    def _support(self) -> tuple[pd.DataFrame, pd.Index]:
        """Evidence of the support stars, and their source_id."""
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
        return of_members[usable], ids

    def _mean_logits(
        self,
        judge: Judge,
        n_members: int,
        features: Array,
        own: Index,
        n_draws: int,
        *,
        rng: np.random.Generator,
    ) -> Array:
        """Differences of the logits of each star, averaged over support sets of its own."""
        means = np.empty(len(features))

        def average(rows: Index, rng: np.random.Generator) -> None:
            chosen = draw_support_sets(
                n_members, self.sampling.size_support_set, rng=rng, excluded=np.repeat(own[rows], n_draws)
            )
            difference = judge(np.repeat(features[rows], n_draws, axis=0), chosen)
            means[rows] = difference.reshape(len(rows), n_draws).mean(axis=1, dtype=float)

        stars_at_once = max(_DRAWS_AT_ONCE // n_draws, 1)
        for_each_block(average, np.arange(len(features)), stars_at_once, rng=rng, name=self.sets.cluster.name)
        return means


def drawn_within_errors(stars: pd.DataFrame, colour: str, rng: np.random.Generator) -> pd.DataFrame:
    """Stars with parallax, proper motion, magnitude and colour drawn from their errors."""
    drawn = {}
    for names, covariance in (
        (["parallax", "pmra", "pmdec"], astrometric_covariance(stars)),
        (["phot_g_mean_mag", colour], photometric_covariance(stars, colour)),
    ):
        values = draw_normal(stars[names].to_numpy(float), covariance, 1, rng=rng)[:, 0]
        drawn |= dict(zip(names, values.T, strict=True))
    return stars.assign(**drawn)
