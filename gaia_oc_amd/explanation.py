"""Why a star is a member, or the first reason why it is none."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from gaia_oc_amd.absence import BEYOND, why_absent
from gaia_oc_amd.arguments import Seed, Threshold, checked
from gaia_oc_amd.astrometry import angular_separation, unit_vectors
from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.cone import ConeRegion
from gaia_oc_amd.evidence import FieldDensity, half_number_radius
from gaia_oc_amd.features import add_features, can_be_sampled
from gaia_oc_amd.files.tables import require_columns, whole_numbers
from gaia_oc_amd.members import matched_rows
from gaia_oc_amd.membership import VoteSampler, membership_probabilities
from gaia_oc_amd.options import SamplingOptions
from gaia_oc_amd.posterior import ConeJudge
from gaia_oc_amd.reasons import FIELD_DENSITY, TERMS, verdicts, whole_cone
from gaia_oc_amd.source_sets import SourceSets

Array = NDArray[np.float64]

MATCH_RADIUS = 1.0
"""Largest separation of a position from the source that it means [arcsec]."""

_SEQUENCE_MEMBERS = 15
_LOGIT_SAMPLES = 50

_OFFSETS = ("f_r", "f_pm_sigma", "f_plx_sigma", "f_c_sigma", "f_g_sigma")


@checked
def explain(
    stars: pd.DataFrame | list[int | str],
    sets: SourceSets,
    model: Classifier,
    *,
    region: ConeRegion | None = None,
    by_position: bool = False,
    prob_threshold: Threshold = 0.5,
    sampling: SamplingOptions | None = None,
    seed: Seed = 42,
) -> pd.DataFrame:
    """Say of each star whether it is a member, with its probability, or the first reason why it is none.

    The reasons, in this order: no such source in the cone, no colour, a condition of the candidate selection, a low
    probability. A probability is explained by the star's log odds: each term is what they lose when that of the
    star's measurements is set to the cluster's own (its proper motion there, its mean parallax, the members' sequence
    at the star's magnitude, the radius that holds half of the members). The terms of a network that judges all
    measurements together need not sum to the log odds.

    Parameters
    ----------
    stars : DataFrame or list of int
        Identifiers of Gaia DR3, or a table with source_id, or with ra and dec [deg], or both; of a star that is not in
        the cone, pmra and pmdec [mas/yr] and parallax [mas] help to say why.
    sets : SourceSets
        The cluster, from `source_sets.load_sets`.
    model : Classifier
        Explains probabilities, and gives those that the sets lack.
    region : ConeRegion, optional
        What the cone was cut to; without it the sources that it has tell how far it reaches.
    by_position : bool
        Whether a star whose identifier no source of the cone has may be the one at its place, as those of lists from
        DR2; the reason says so. Else an identifier decides, and a place only where there is none.
    prob_threshold : float
        Least probability of a member.
    sampling : SamplingOptions, optional
        As in `membership.membership_probabilities`.
    seed : int
        Of the support sets.

    Returns
    -------
    DataFrame
        One row per star, in their order: ``star`` (what was given), ``source_id`` (missing for what is not in the
        cone), ``verdict`` (member, candidate, non-member, not in the cone), ``PMemb``, ``reason``; offsets f_r [pc],
        f_pm_sigma, f_plx_sigma, f_c_sigma, f_g_sigma; and natural logarithms of odds: ``log_odds``, the terms
        ``odds_motion``, ``odds_parallax``, ``odds_photometry``, ``odds_place`` (negative ones speak against a member)
        and ``odds_share``, of members among the candidates (missing where the model has none); `FIELD_DENSITY`.

    Raises
    ------
    TypeError, ValueError
        If the table has neither identifiers nor positions or others than numbers, an identifier is none or a
        floating-point number, or the model does not fit the sets.
    TooFewMembersError
        If there are not enough members for a support set.
    """
    given, cone = _as_table(stars), whole_cone(sets)
    row = _rows(given, cone, by_position=by_position)
    found = cone.iloc[row[row >= 0]].reset_index(drop=True)
    judged = _judged(found, sets, model, sampling or SamplingOptions(), seed)
    told = verdicts(judged, sets, prob_threshold=prob_threshold)
    words = pd.DataFrame({"verdict": "not in the cone", "reason": ""}, index=given.index, dtype=object)
    words.loc[row >= 0] = told.to_numpy(object)
    absent = _why_absent(given[row < 0], region or _reach(cone, sets), cone, sets)
    words.loc[row < 0, "reason"] = absent
    place = np.where(row >= 0, np.cumsum(row >= 0) - 1, -1)
    measured = judged.assign(source_id=judged["source_id"].astype("Int64")).reindex(place)
    columns = ["source_id", "PMemb", *_OFFSETS, "log_odds", *TERMS, "odds_share", FIELD_DENSITY]
    table = measured[columns].reset_index(drop=True)
    words = words.astype("str")
    words["reason"] = _named_otherwise(given["source_id"], table["source_id"]) + words["reason"]
    table = table.assign(star=pd.Series(_called(given), dtype="str"), **words)
    return table[["star", "source_id", "verdict", "PMemb", "reason", *columns[2:]]]


def _as_table(stars: pd.DataFrame | list[int | str]) -> pd.DataFrame:
    """Stars with a source_id (missing where none is given) and a position (likewise)."""
    if not isinstance(stars, pd.DataFrame):
        stars = pd.DataFrame({"source_id": stars}, dtype=object)
    if "source_id" not in stars and not {"ra", "dec"} <= set(stars):
        raise ValueError(
            f"the stars have neither source_id nor ra and dec, only {', '.join(map(str, stars))}: name the columns so."
        )
    absent = {name: np.nan for name in ("ra", "dec") if name not in stars}
    table = require_columns(stars.assign(**absent).reset_index(drop=True), ("ra", "dec"), "the stars", _STARS)
    if "source_id" not in table:
        return table.assign(source_id=pd.array([pd.NA] * len(table), dtype="Int64"))
    return table.assign(source_id=_whole_identifiers(table["source_id"]))


_STARS = "give 64-bit identifiers of Gaia as integers, or positions in degrees"


def _whole_identifiers(given: pd.Series) -> pd.Series:
    numbers, known = pd.Series(pd.NA, given.index, dtype="Int64"), given.notna()
    numbers[known] = whole_numbers(given[known], "source_id of the stars")
    return numbers


def _called(given: pd.DataFrame) -> list[str]:
    """Identifier of each star as it was given, else its position; lists that lack one have a negative number."""
    return [
        f"{ra:.6f} {dec:+.6f}" if pd.isna(identifier) or identifier <= 0 else str(identifier)
        for identifier, ra, dec in zip(given["source_id"], given["ra"], given["dec"], strict=True)
    ]


def _named_otherwise(given: pd.Series, found: pd.Series) -> pd.Series:
    """What goes before the reason of a star that was found under another identifier than its own."""
    other = given.notna() & (given > 0) & found.notna() & (given != found)
    words = "by its place " + found.astype("str") + ": "
    return words.where(other.fillna(False), "")


def _rows(given: pd.DataFrame, cone: pd.DataFrame, *, by_position: bool) -> NDArray[np.int64]:
    """Row of each star in the cone, -1 for those that are not in it.

    An identifier decides, if there is one; `by_position` lets it be of an earlier release, as the member list's may
    be.
    """
    identifiers, index = given["source_id"].fillna(-1).astype("int64"), pd.Index(cone["source_id"])
    named = (identifiers > 0).to_numpy()
    if by_position:
        found = matched_rows(given.assign(source_id=identifiers), cone)
        row = index.get_indexer(found.reindex(given.index, fill_value=-1))
    else:
        row = index.get_indexer(identifiers)
    unnamed = np.flatnonzero((row < 0) & ~named)
    row[unnamed] = _nearest(given[["ra", "dec"]].to_numpy(float)[unnamed], cone)[0]
    return row


def _nearest(places: Array, cone: pd.DataFrame) -> tuple[NDArray[np.int64], Array]:
    """Row of the source within `MATCH_RADIUS` of each place [deg], -1 for none, and its distance [arcsec]."""
    row, apart = np.full(len(places), -1), np.full(len(places), np.nan)
    placed = np.flatnonzero(np.isfinite(places).all(axis=1))
    if len(placed):
        tree = cKDTree(unit_vectors(cone["ra"].to_numpy(float), cone["dec"].to_numpy(float)))
        within = np.radians(MATCH_RADIUS / 3600)
        distance, nearest = tree.query(unit_vectors(*places[placed].T), distance_upper_bound=within)
        row[placed] = np.where(np.isfinite(distance), nearest, -1)
        apart[placed] = np.degrees(distance) * 3600
    return row, apart


@dataclass(frozen=True)
class _Odds:
    """What a model makes of the stars of a cone: log odds, the share of members in them (NaN if the model has none),
    probabilities, and the density of the field.
    """

    of: Callable[[pd.DataFrame], Array]
    share: float
    probabilities: Callable[[pd.DataFrame], Array]
    density: FieldDensity


def _odds(sets: SourceSets, model: Classifier, sampling: SamplingOptions, seed: int) -> _Odds:
    def rng() -> np.random.Generator:
        return cluster_rng(seed, sets.cluster.name)  # the same support sets for every variant of a star

    def votes(stars: pd.DataFrame) -> Array:
        return membership_probabilities(stars, sets, model, options=sampling, rng=rng())

    if model.probability == "posterior":
        judge = ConeJudge.of(sets, model, sampling=sampling, rng=rng())
        there = np.array(
            [[0.0, -half_number_radius(sets.members), np.median(sets.members["phot_g_mean_mag"])]]
        )
        return _Odds(
            lambda stars: judge.log_odds(stars, rng=rng()),
            float(judge.fitted.log_odds(there)[0]),
            votes if sampling.probability == "votes" else lambda stars: judge.probabilities(stars, rng=rng()),
            judge.reading.density,
        )
    sampler = VoteSampler.of(sets, model, sampling)

    def mean_logits(stars: pd.DataFrame) -> Array:
        usable = can_be_sampled(stars, sets.colour, sampler.names)
        logits, size = np.full(len(stars), np.nan), sampling.size_support_set
        logits[usable] = sampler.sample_logits(stars[usable], _LOGIT_SAMPLES, size, rng=rng()).mean(axis=1)
        return logits

    field = pd.concat([sets.candidates, sets.non_members], ignore_index=True)
    return _Odds(mean_logits, np.nan, votes, FieldDensity.of(field, sets.cluster, sets.colour, rng=rng()))


def _judged(
    found: pd.DataFrame, sets: SourceSets, model: Classifier, sampling: SamplingOptions, seed: int
) -> pd.DataFrame:
    """Stars with their probability, log odds and the terms of these."""
    nothing = dict.fromkeys((*TERMS, "log_odds", "odds_share", FIELD_DENSITY), np.nan)
    if found.empty:
        return found.assign(**nothing)
    odds = _odds(sets, model, sampling, seed)
    missing = (found["PMemb"].isna() & (found["group"] != "non-member")).to_numpy()
    probability = found["PMemb"].to_numpy(float, copy=True)
    if missing.any():
        probability[missing] = odds.probabilities(found[missing])
    own = odds.of(found)
    variants = _neutral(found, sets)
    terms = {f"odds_{name}": own - odds.of(neutral) for name, neutral in variants.items()}
    terms[FIELD_DENSITY] = np.exp(
        odds.density.log_density(found) - odds.density.log_density(variants["motion"])
    )
    return found.assign(PMemb=probability, log_odds=own, odds_share=odds.share, **terms)


def _neutral(stars: pd.DataFrame, sets: SourceSets) -> dict[str, pd.DataFrame]:
    """Stars with one of their measurements set to the cluster's own, by the name of the term."""
    cluster, colour = sets.cluster, sets.colour
    radius = float(np.degrees(np.median(sets.members["f_r"]) / cluster.dist))
    in_colour, in_g = _beside_isochrone(stars, sets.members)
    here = cluster.motion_at(stars["ra"].to_numpy(float), stars["dec"].to_numpy(float))
    dec = cluster.dec + (radius if cluster.dec < 0 else -radius)
    there = cluster.motion_at(np.full(len(stars), cluster.ra), np.full(len(stars), dec))
    moved = stars[["pmra", "pmdec"]].to_numpy(float) - here + there
    changes: dict[str, dict[str, Array | float | pd.Series]] = {
        "motion": {"pmra": here[:, 0], "pmdec": here[:, 1]},
        "parallax": {"parallax": cluster.parallax},
        "photometry": {
            colour: stars[colour] - stars["f_c"] + in_colour,
            "phot_g_mean_mag": stars["phot_g_mean_mag"] - stars["f_g"] + in_g,
        },
        "place": {"ra": cluster.ra, "dec": dec, "pmra": moved[:, 0], "pmdec": moved[:, 1]},
    }
    return {
        name: add_features(stars.assign(**change), cluster, sets.limits, sets.isochrone, colour)
        for name, change in changes.items()
    }


def _beside_isochrone(stars: pd.DataFrame, members: pd.DataFrame) -> tuple[Array, Array]:
    """Median offset in colour and G of the members whose magnitudes are nearest to each star's [mag]."""
    offsets = members[["f_c", "f_g"]].to_numpy(float)
    usable = np.isfinite(offsets).all(axis=1)
    member_g, offsets = members["phot_g_mean_mag"].to_numpy(float)[usable], offsets[usable]
    if not len(member_g):
        return np.zeros(len(stars)), np.zeros(len(stars))
    n_nearest = min(_SEQUENCE_MEMBERS, len(member_g))
    _, nearest = cKDTree(member_g[:, None]).query(stars[["phot_g_mean_mag"]].to_numpy(float), k=n_nearest)
    in_colour, in_g = np.median(offsets[nearest.reshape(len(stars), -1)], axis=1).T
    return in_colour, in_g


def _reach(cone: pd.DataFrame, sets: SourceSets) -> ConeRegion:
    """Region that a cone's own sources span."""
    cluster = sets.cluster
    apart = angular_separation(cone["ra"].to_numpy(), cone["dec"].to_numpy(), cluster.ra, cluster.dec)
    motion = np.hypot(cone["pmra"] - cluster.pmra, cone["pmdec"] - cluster.pmdec)
    return ConeRegion(
        ra=cluster.ra,
        dec=cluster.dec,
        radius=float(apart.max()),
        pmra=cluster.pmra,
        pmdec=cluster.pmdec,
        pm_radius=float(motion.max()),
        parallax=cluster.parallax,
        parallax_width=float(np.abs(cone["parallax"] - cluster.parallax).max()),
    )


def _why_absent(stars: pd.DataFrame, region: ConeRegion, cone: pd.DataFrame, sets: SourceSets) -> list[str]:
    """Why each star is not among the sources of a cone; what the comparison list measured of it counts, too."""
    measured = _with_listed(stars, sets.comparison_outside)
    absent = why_absent(measured, region, cone)
    texts = [
        _beyond(float(apart), float(motion), float(parallax), beyond, region)
        for apart, motion, parallax, beyond in zip(
            absent["apart"], absent["motion"], absent["parallax"], absent[BEYOND], strict=True
        )
    ]
    return [text + note for text, note in zip(texts, _stands_there(measured, cone), strict=True)]


def _with_listed(stars: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    """Stars with the place, motion and parallax that a list has of them where they are not given."""
    names = ["ra", "dec", "pmra", "pmdec", "parallax"]
    known = listed.drop_duplicates("source_id").set_index("source_id").reindex(columns=names)
    known = known.reindex(stars["source_id"].fillna(-1).astype("int64")).set_axis(stars.index)
    given = stars.reindex(columns=names).astype(float)
    return given.combine_first(known.astype(float)).assign(source_id=stars["source_id"])


def _stands_there(stars: pd.DataFrame, cone: pd.DataFrame) -> list[str]:
    """Of each star with an identifier, which other one the source at its place has."""
    nearest, apart = _nearest(stars[["ra", "dec"]].to_numpy(float), cone)
    return [
        f"; {cone['source_id'].iloc[row]}, {arcsec:.2f} arcsec from its place, is another source"
        if row >= 0 and pd.notna(identifier)
        else ""
        for row, arcsec, identifier in zip(nearest, apart, stars["source_id"], strict=True)
    ]


def _beyond(apart: float, motion: float, parallax: float, beyond: str, region: ConeRegion) -> str:
    """Words for a row of `absence.why_absent`."""
    limits = (
        f"proper motion within {region.pm_radius:.2f} mas/yr, parallax within {region.parallax_width:.3f} mas"
    )
    return {
        "unplaced": "no identifier of Gaia, and no position",
        "radius": f"beyond the cone: {apart:.2f} deg from the centre (the cone's radius is {region.radius:.2f})",
        "field": f"beyond the field whose stars there are: {apart:.2f} deg from the centre (a larger table has it)",
        "proper_motion": f"cut by the cone: proper motion {motion:.2f} mas/yr off (the cone ends at "
        f"{region.pm_radius:.2f})",
        "parallax": f"cut by the cone: parallax {parallax:+.3f} mas off (the cone ends at "
        f"{region.parallax_width:.3f})",
        "unmeasured": f"cut by the cone ({limits}) or no source of Gaia: its motion and parallax are not given",
        "within": "Gaia has no such source in the cone, or none with full astrometry and photometry",
    }[beyond]
