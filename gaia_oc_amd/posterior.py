"""The posterior of a cone's stars: likelihood ratio, calibration, places of the members."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

from gaia_oc_amd.arguments import checked
from gaia_oc_amd.astrometry import astrometric_covariance
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.cluster import update_from_members
from gaia_oc_amd.evidence import (
    ConeReading,
    cone_evidence,
    half_number_radius,
    read_cone,
    star_evidence,
)
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.fast_deep_sets import Judge, draw_support_sets
from gaia_oc_amd.features import draw_normal, require_features
from gaia_oc_amd.options import SamplingOptions
from gaia_oc_amd.parallel import for_each_block, one_thread
from gaia_oc_amd.photometry import photometric_covariance
from gaia_oc_amd.source_sets import SourceSets
from gaia_oc_amd.spatial import (
    LARGEST_LOG_RATIO,
    SpatialModel,
    SpatialSummary,
    ambiguity,
    members_with_error,
    places_of,
    posterior,
    summarise,
)
from gaia_oc_amd.spatial_fit import fit_spatial_model

Index = NDArray[np.int64]
Array = NDArray[np.float64]

KNOTS = (12.0, 15.0, 17.0, 18.0, 19.0, 20.0, 20.7)
"""G magnitudes between which the calibration is interpolated."""
BENDS = (-4.0, -1.0, 2.0, 5.0)
"""Log ratios at which its slope changes."""
_STIFFNESS = 4.0  # of the prior that nothing needs to be changed
_LARGEST_SCATTER = 1.0
_ONE_SIGMA = 0.6827


@dataclass(frozen=True)
class Calibration:
    """Monotone, bending map of a log likelihood ratio, with an intercept that changes with magnitude.

    It changes the ratio and leaves the prior odds of a star's place alone, so that it means the same in a crowded
    cone as in an empty one.

    Parameters
    ----------
    slopes : tuple of float
        Below the first of `BENDS`, between them, and above the last. Positive, so that the order of stars of one
        magnitude does not change.
    intercepts : tuple of float
        At the magnitudes `KNOTS`.
    scatter : float
        Standard deviation between cones of the error of the ratios' logarithm, which the numbers of members in the
        cones that it was fitted on show (`scatter_between_cones`).
    """

    slopes: tuple[float, ...] = (1.0,) * (len(BENDS) + 1)
    intercepts: tuple[float, ...] = (0.0,) * len(KNOTS)
    scatter: float = 0.0

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
            calibration = cls(
                tuple(float(value) for value in content["slopes"]),
                tuple(float(value) for value in content["intercepts"]),
                float(content["scatter"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the model's calibration lacks or garbles {error}: train it again.") from error
        numbers = (*calibration.slopes, *calibration.intercepts, calibration.scatter)
        lengths = (len(calibration.slopes), len(calibration.intercepts))
        if (
            lengths != (len(BENDS) + 1, len(KNOTS))
            or not np.isfinite(numbers).all()
            or min(calibration.slopes) <= 0
            or not 0 <= calibration.scatter <= _LARGEST_SCATTER
        ):
            raise ValueError(f"the model's calibration {calibration} is none: train it again.")
        return calibration

    def as_dict(self) -> dict[str, Any]:
        """Values by name, for the model folder."""
        return asdict(self)

    def __call__(self, log_ratios: Array, g: Array) -> Array:
        """Calibrated log ratios of stars of magnitudes G [mag], all of shape (n,)."""
        return _ramps(log_ratios) @ self.slopes + np.interp(g, KNOTS, self.intercepts)


def _ramps(log_ratios: Array) -> Array:
    """Parts of log ratios that lie in each of the intervals between bends, shape (n, n_slopes); they add up."""
    x = np.clip(log_ratios, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)[:, None]
    edges = np.array([-np.inf, *BENDS, np.inf])
    lower, upper = edges[:-1], edges[1:]
    zero = np.clip(0.0, lower, upper)  # so that an interval below 0 counts downwards from its end
    return np.clip(x, lower, upper) - zero


def fit_calibration(
    log_ratios: Array, log_odds: Array, g: Array, is_member: Array, weight: Array
) -> Calibration:
    """Calibration of largest likelihood, drawn towards changing nothing.

    Parameters
    ----------
    log_ratios, log_odds, g : ndarray, shape (n,)
        Log ratios, prior log odds at the stars' places, and magnitudes [mag].
    is_member : ndarray of bool, shape (n,)
        Truth.
    weight : ndarray, shape (n,)
        Weight of each star.

    Returns
    -------
    Calibration
        Without a scatter between cones.
    """
    ramps, y = _ramps(log_ratios), np.asarray(is_member, float)
    hats = np.stack([np.interp(g, KNOTS, row) for row in np.eye(len(KNOTS))], axis=1)

    def loss(parameters: Array) -> tuple[float, Array]:
        slopes, intercepts = np.exp(parameters[: len(BENDS) + 1]), parameters[len(BENDS) + 1 :]
        z = ramps @ slopes + hats @ intercepts + log_odds
        value = weight @ (np.logaddexp(0, z) - y * z) + _STIFFNESS * parameters @ parameters
        residual = weight * (1 / (1 + np.exp(-z)) - y)
        gradient = np.append((residual @ ramps) * slopes, residual @ hats)
        return float(value), gradient + 2 * _STIFFNESS * parameters

    best = minimize(loss, np.zeros(len(BENDS) + 1 + len(KNOTS)), jac=True, method="L-BFGS-B").x
    slopes, intercepts = np.exp(best[: len(BENDS) + 1]), best[len(BENDS) + 1 :]
    return Calibration(tuple(map(float, slopes)), tuple(map(float, intercepts)))


def scatter_between_cones(cones: list[tuple[Array, Array, float, int]]) -> float:
    """Scatter with which the stated intervals of 68 in 100 cones of known truth contain it.

    Parameters
    ----------
    cones : list of tuple
        Of each: calibrated log ratios, shape (n,), and places, shape (n, 3), of its stars; half-number radius of the
        listed members [pc]; true number of members.

    Returns
    -------
    float
        At most 1; 0 without cones.
    """
    needed = []
    for log_ratios, places, size, true in cones:
        model = fit_spatial_model(log_ratios, places, size=size, calibrated=True)
        log_ratios = model.ratios(log_ratios)
        number, error = members_with_error(model, log_ratios, places)
        offset = np.log(max(number, 1.0) / max(true, 1))
        missing = np.sqrt(max(offset**2 - (error / max(number, 1.0)) ** 2, 0.0))
        chance = np.nan_to_num(posterior(log_ratios, model.log_odds(places)))
        needed.append(missing / max(ambiguity(chance), 1e-3))
    return float(min(np.quantile(needed, _ONE_SIGMA), _LARGEST_SCATTER)) if needed else 0.0


DECIMALS = 6
"""Digits that a posterior is rounded to; it is good to two."""
_BEYOND = 2.0
"""Distance from the isochrone, in limits of the selection, from which no star is a member: there neither class has
stars to learn from, and the ratio of their likelihoods could be anything."""
_UNSEEN_FIELD_SCATTER = 1.2
"""Scatter of the ratios' error where members fill a cone and are more than its field stars, as simulated frames show
it (benchmarks/membership/filled_frames.py). An error feeds itself there: a member that is not known counts for the
field, whose density then hides others."""
_STARS_AT_ONCE, _SETS_AT_ONCE = 20_000, 4096


def support_size(n_members: int, wanted: int) -> int:
    """Size of the support sets: twice the wanted one where half of the members suffice for it."""
    return max(min(max(wanted, min(n_members // 2, 2 * wanted)), n_members - 1), 1)


@dataclass(frozen=True)
class ConeJudge:
    """Gives stars of one cone their posterior membership probability.

    The network gives the logarithm of the ratio of a star's likelihoods as a member and as a field star, from all
    that was measured but its place; the model's calibration corrects it; core and halo of the cluster are fitted to
    the ratios of the cone's stars; Bayes' theorem does the rest.

    Parameters
    ----------
    reading : ConeReading
        What the cone says of cluster and field.
    classifier : Classifier
        Trained for posteriors.
    sampling : SamplingOptions
        Size of the support sets, device and precision.
    spatial : SpatialModel, optional
        Where the members stand; None before it was fitted.
    n_members : tuple of float
        Number of members among training members and candidates, and its standard error.
    of_candidates : ndarray, shape (n_candidates,), optional
        Log ratios of the cone's candidates, from which the places were fitted.
    """

    reading: ConeReading
    classifier: Classifier
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    spatial: SpatialModel | None = None
    n_members: tuple[float, float] = (np.nan, np.nan)
    of_candidates: Array | None = None

    @classmethod
    @checked
    def of(
        cls,
        sets: SourceSets,
        classifier: Classifier,
        *,
        sampling: SamplingOptions | None = None,
        rng: np.random.Generator,
    ) -> "ConeJudge":
        """Learn field, members and their places from a cone.

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
        sampling = sampling or SamplingOptions()
        if len(sets.members) < sampling.size_support_set:
            raise TooFewMembersError(
                f"{sets.cluster.name} has {len(sets.members)} members, a support set needs "
                f"{sampling.size_support_set}: lower --size_support_set or build the sets with a lower "
                "--prob_threshold."
            )
        with one_thread():
            reading = read_cone(sets, rng=rng)
        judge = cls(reading, classifier, sampling)
        stars = pd.concat([sets.candidates, sets.members], ignore_index=True)
        log_ratios, places = judge.log_ratios(stars, rng=rng), places_of(stars, sets.cluster)
        with one_thread():
            size = half_number_radius(sets.members)
            known = np.where(_known_for_places(stars, reading), np.inf, log_ratios)
            spatial = fit_spatial_model(
                known, places, size=size, calibrated=True, field_is_seen=not reading.members_everywhere
            )
            log_ratios = spatial.ratios(log_ratios)
            number = members_with_error(spatial, log_ratios, places, scatter=judge.ratio_scatter)
        of_candidates = log_ratios[: len(sets.candidates)]
        return replace(judge, spatial=spatial, n_members=number, of_candidates=of_candidates)

    def without(self, source_ids: pd.Series) -> "ConeJudge":
        """Judge that knows nothing of some members: neither means nor sequence nor support sets come from them."""
        reading = self.reading
        left = reading.members[~reading.members["source_id"].isin(source_ids)].reset_index(drop=True)
        cluster = update_from_members(reading.sets.cluster, left)
        return replace(self, reading=replace(reading, members=left, cluster=cluster))

    @property
    def fitted(self) -> SpatialModel:
        """Where the members stand.

        Raises
        ------
        ValueError
            If the judge knows the ratios alone.
        """
        if self.spatial is None:
            raise ValueError("core and halo were not fitted to this cone: make the judge by `ConeJudge.of`.")
        return self.spatial

    @property
    def calibration(self) -> Calibration:
        """That of the model."""
        return Calibration.from_dict(self.classifier.hyper_parameters.get("calibration"))

    @property
    def ratio_scatter(self) -> float:
        """Standard deviation of the error of this cone's log ratios, of which the number's error takes account."""
        scatter, reading = self.calibration.scatter, self.reading
        if not reading.members_everywhere:
            return scatter
        return max(scatter, _UNSEEN_FIELD_SCATTER * min(len(reading.members) / reading.density.total, 1.0))

    @checked
    def probabilities(self, stars: pd.DataFrame, *, rng: np.random.Generator) -> Array:
        """Posterior probability of stars with the columns of the sets, shape (n_stars,)."""
        require_features(stars, self.reading.sets.colour, "the stars")
        log_odds = self.fitted.log_odds(places_of(stars, self.reading.sets.cluster))
        known = self.of_candidates if stars is self.reading.sets.candidates else None  # judged already
        log_ratios = self.log_ratios(stars, rng=rng) if known is None else known
        return posterior(log_ratios, log_odds).round(DECIMALS)

    @checked
    def log_odds(self, stars: pd.DataFrame, *, rng: np.random.Generator) -> Array:
        """Logarithm of p / (1 - p) of stars with the columns of the sets, shape (n_stars,)."""
        require_features(stars, self.reading.sets.colour, "the stars")
        prior = self.fitted.log_odds(places_of(stars, self.reading.sets.cluster))
        ratios = self.log_ratios(stars, rng=rng)
        return np.clip(ratios, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO) + prior

    def summary(self, *, rng: np.random.Generator) -> SpatialSummary:
        """Number, radii and halo of the cluster with their errors."""
        sets = self.reading.sets
        outer = max(float(part["f_r"].max()) for part in (sets.members, sets.candidates) if len(part))
        return summarise(self.fitted, self.n_members, outer=outer, rng=rng)

    def log_ratios(self, stars: pd.DataFrame, *, rng: np.random.Generator) -> Array:
        """Logarithm of the likelihood ratio of member and field star, calibrated, place left aside.

        Once places are fitted, the field is that of the cone with the look-alikes found there.

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
            cone_evidence(self.reading),
            device=self.sampling.device,
            precision=self.sampling.precision,
        )
        parts = [stars.iloc[i : i + _STARS_AT_ONCE] for i in range(0, len(stars), _STARS_AT_ONCE)]
        log_ratios = [self._of_part(part, judge, ids, rng) for part in parts]
        found = np.concatenate([np.empty(0), *log_ratios])
        return self.spatial.ratios(found) if self.spatial else found

    def _of_part(
        self,
        stars: pd.DataFrame,
        judge: Judge,
        ids: pd.Index,
        rng: np.random.Generator,
    ) -> Array:
        """Log ratios of some of the stars; their evidence takes more memory than they do."""
        names = list(self.classifier.source_features.names)
        evidence = star_evidence(stars, self.reading)[names].to_numpy(float)
        usable = np.flatnonzero(np.isfinite(evidence).all(axis=1))
        features = evidence[usable]
        own = ids.get_indexer(pd.Index(stars["source_id"]))[usable]
        found = self._logits(judge, len(ids), features, own, rng=rng)
        g = stars["phot_g_mean_mag"].to_numpy(float)
        log_ratios = np.full(len(stars), np.nan)
        log_ratios[usable] = self.calibration(found, g[usable])
        log_ratios[usable[self._off_isochrone(stars)[usable]]] = -np.inf
        return log_ratios

    def _off_isochrone(self, stars: pd.DataFrame) -> NDArray[np.bool_]:
        """Stars beyond `_BEYOND` limits of the selection (Eq. 5, at the nearest point of Eq. 17)."""
        limits, colour = self.reading.sets.limits, self.reading.sets.colour
        weight = self.reading.sets.selection.source_error_weight
        in_colour = stars["f_c"] / (limits.colour + weight * stars[f"{colour}_error"])
        in_g = stars["f_g"] / (limits.g + weight * stars["phot_g_mean_mag_error"])
        return np.hypot(in_colour.to_numpy(float), in_g.to_numpy(float)) >= _BEYOND

    def _support(self) -> tuple[pd.DataFrame, pd.Index]:
        """Evidence of the support stars, and their source_id."""
        names = (self.classifier.support_features or self.classifier.source_features).names
        of_members = star_evidence(self.reading.members, self.reading)[list(names)]
        usable = np.isfinite(of_members.to_numpy()).all(axis=1)
        ids = pd.Index(self.reading.members["source_id"].to_numpy()[usable])
        return of_members[usable], ids

    def _logits(
        self, judge: Judge, n_members: int, features: Array, own: Index, *, rng: np.random.Generator
    ) -> Array:
        """Differences of the logits of each star, with a support set of its own."""
        logits = np.empty(len(features))
        size = support_size(n_members, self.sampling.size_support_set)

        def judged(rows: Index, rng: np.random.Generator) -> None:
            chosen = draw_support_sets(n_members, size, rng=rng, excluded=own[rows])
            logits[rows] = judge(features[rows], chosen)

        name = self.reading.sets.cluster.name
        for_each_block(judged, np.arange(len(features)), _SETS_AT_ONCE, rng=rng, name=name)
        return logits


def _known_for_places(stars: pd.DataFrame, reading: ConeReading) -> NDArray[np.bool_]:
    """Stars that count as members whatever their ratio when places are fitted: none where the field can be seen.

    In a frame that members fill, ratios are near 1 at most, since the field's density is that of the members' own; a
    fit to them may find no cluster at all. There the first reading's sure members hold it.
    """
    if not reading.members_everywhere:
        return np.zeros(len(stars), bool)
    return stars["source_id"].isin(reading.members["source_id"]).to_numpy()


def drawn_within_errors(stars: pd.DataFrame, colour: str, rng: np.random.Generator) -> pd.DataFrame:
    """Stars with parallax, proper motion, magnitude and colour drawn from their errors."""
    drawn: dict[str, Array] = {}
    for names, covariance in (
        (["parallax", "pmra", "pmdec"], astrometric_covariance(stars)),
        (["phot_g_mean_mag", colour], photometric_covariance(stars, colour)),
    ):
        values = draw_normal(stars[names].to_numpy(float), covariance, 1, rng=rng)[:, 0]
        drawn |= dict(zip(names, values.T, strict=True))
    return stars.assign(**drawn)
