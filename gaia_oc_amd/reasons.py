"""Why stars of a cone are members, or the first reason why they are none, in words and for many at once."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.candidates import parallax_distance, proper_motion_distance
from gaia_oc_amd.columns import REJECTED_BY
from gaia_oc_amd.features import proper_motion_offset
from gaia_oc_amd.source_sets import SourceSets

Array = NDArray[np.float64]

TERMS = ("odds_motion", "odds_parallax", "odds_photometry", "odds_place")
"""What the odds of a star are split into, beside odds_share, of members among the candidates."""
FIELD_DENSITY = "field_density"
"""Density of field stars with a star's measurements, in units of that of stars like it with the cluster's motion."""

_WORTH_A_WORD = np.log(2.0)
"""Terms that change the odds by less are not mentioned."""
_MANY_TIMES = 1e6
_DENSER = 2.0
"""The field's density is mentioned where it is so many times that at the cluster's motion."""
_SIGMAS_WORTH_A_WORD = 2.0
"""Without terms of the odds, offsets below are not mentioned, nor places within the radius of `_INSIDE` of members."""
_INSIDE = 0.9
_MOST_WORDS = 2
_COLOURS = {"g_rp": "G-RP", "bp_rp": "BP-RP"}
_LIKE_THE_FIELD = "the field has as many stars like it"


def whole_cone(sets: SourceSets) -> pd.DataFrame:
    """All sources of a cone with the set that each is in.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.

    Returns
    -------
    DataFrame
        Columns of the sets and ``group`` (training member, candidate, non-member); the PMemb of a training member is
        ours, missing where it was not judged.
    """
    members = sets.judged_members if len(sets.judged_members) else sets.members.assign(PMemb=np.nan)
    parts = [
        members.assign(group="training member"),
        sets.candidates.assign(group="candidate"),
        sets.non_members.assign(group="non-member"),
    ]
    return pd.concat([part for part in parts if len(part)] or [parts[0]], ignore_index=True)


def verdicts(stars: pd.DataFrame, sets: SourceSets, *, prob_threshold: float) -> pd.DataFrame:
    """Verdict on stars of a cone, and the first reason for it that applies.

    Parameters
    ----------
    stars : DataFrame
        Rows of `whole_cone`; with the columns `TERMS`, odds_share and `FIELD_DENSITY` a low probability is explained
        by them, else by the largest offsets.
    sets : SourceSets
        The cluster.
    prob_threshold : float
        Least probability of a member.

    Returns
    -------
    DataFrame
        ``verdict`` (member, candidate, non-member) and ``reason``, one row per star in their order.
    """
    probability, group = stars["PMemb"].to_numpy(float), stars["group"].to_numpy(str)
    rejected = stars[REJECTED_BY].to_numpy(str)
    is_member = (group != "non-member") & (probability >= prob_threshold)
    colour = stars[[sets.colour, f"{sets.colour}_error"]].to_numpy(float)
    rules = {
        "member": is_member,
        "colour": ~is_member & ~np.isfinite(colour).all(axis=1),
        "failed": rejected != "",
        "unjudged": np.isnan(probability),
    }
    rule = np.select(list(rules.values()), list(rules), "improbable")
    reason = np.full(len(stars), "", object)
    words = {"member": _of_members, "colour": _without_colour, "failed": _of_failed, "unjudged": _of_unjudged,
             "improbable": _of_improbable}  # fmt: skip
    for name, tell in words.items():
        chosen = rule == name
        if chosen.any():
            reason[chosen] = tell(stars[chosen], sets)
    verdict = np.where(group == "non-member", "non-member", "candidate").astype(object)
    verdict[is_member] = "member"
    without = rule == "colour"
    verdict[without] = group[without]
    return pd.DataFrame({"verdict": verdict, "reason": reason}, index=stars.index, dtype="str")


def _of_members(stars: pd.DataFrame, sets: SourceSets) -> list[str]:
    rows = zip(stars["group"], stars["PMemb"], stars[REJECTED_BY], strict=True)
    return [
        f"{'training member' if group == 'training member' else 'member'} with {_p(probability)}"
        + (f", although it fails the selection ({rejected})" if rejected else "")
        for group, probability, rejected in rows
    ]


def _without_colour(stars: pd.DataFrame, sets: SourceSets) -> list[str]:
    return [f"no colour ({_COLOURS[sets.colour]})"] * len(stars)


def _of_unjudged(stars: pd.DataFrame, sets: SourceSets) -> list[str]:
    return [
        f"{group} that cannot be judged: a measurement or its error is missing" for group in stars["group"]
    ]


def _of_failed(stars: pd.DataFrame, sets: SourceSets) -> list[str]:
    """The first condition of the selection that each star fails, with its offset and limit."""
    condition = stars[REJECTED_BY].str.partition("+")[0].to_numpy(str)
    told = np.full(len(stars), "", object)
    for name, tell in {"proper_motion": _off_in_motion, "parallax": _off_in_parallax}.items():
        chosen = condition == name
        if chosen.any():
            told[chosen] = tell(stars[chosen], sets)
    rest = ~np.isin(condition, ("proper_motion", "parallax"))
    told[rest] = _off_the_isochrone(stars[rest], sets)
    return list(told)


def _off_in_motion(stars: pd.DataFrame, sets: SourceSets) -> list[str]:
    share = proper_motion_distance(stars, sets.cluster, sets.limits, sets.selection)
    off = np.hypot(*proper_motion_offset(stars, sets.cluster).T)
    return [
        f"proper motion {_short(sigma)} sigma off: {value:.2f} mas/yr (limit {limit:.2f})"
        for sigma, value, limit in zip(stars["f_pm_sigma"], off, off / share, strict=True)
    ]


def _off_in_parallax(stars: pd.DataFrame, sets: SourceSets) -> list[str]:
    limit = stars["f_plx"].abs() / parallax_distance(stars, sets.cluster, sets.limits, sets.selection)
    return [
        f"parallax {_short(sigma, sign='+')} sigma off: {value:+.3f} mas (limit {most:.3f})"
        for sigma, value, most in zip(stars["f_plx_sigma"], stars["f_plx"], limit, strict=True)
    ]


def _off_the_isochrone(stars: pd.DataFrame, sets: SourceSets) -> list[str]:
    limits = f"(limits {sets.limits.colour:.2f} and {sets.limits.g:.2f}, and its errors)"
    rows = zip(np.hypot(stars["f_c_sigma"], stars["f_g_sigma"]), stars["f_c"], stars["f_g"], strict=True)
    return [
        f"{_short(sigma)} sigma from the isochrone: {f_c:+.2f} mag in {_COLOURS[sets.colour]} and {f_g:+.2f} mag in G "
        f"{limits}"
        for sigma, f_c, f_g in rows
    ]


def _of_improbable(stars: pd.DataFrame, sets: SourceSets) -> list[str]:
    against = _by_odds(stars) if set(TERMS) <= set(stars) else _by_offsets(stars, sets)
    rows = zip(stars["group"], stars["PMemb"], against, strict=True)
    return [f"{group} with {_p(probability)}: {', '.join(words)}" for group, probability, words in rows]


def _offset_words(stars: pd.DataFrame) -> list[list[str]]:
    """What there is to say against each star by motion, parallax, photometry and place, in the order of `TERMS`."""
    sigmas = (
        stars["f_pm_sigma"],
        stars["f_plx_sigma"].abs(),
        np.hypot(stars["f_c_sigma"], stars["f_g_sigma"]),
    )
    ways = ("sigma in motion", "sigma in parallax", "sigma from the isochrone")
    columns = [
        [f"{_short(value)} {way}" for value in values] for values, way in zip(sigmas, ways, strict=True)
    ]
    columns.append([f"{_short(radius)} pc from the centre" for radius in stars["f_r"]])
    return [list(row) for row in zip(*columns, strict=True)]


def _by_odds(stars: pd.DataFrame) -> list[list[str]]:
    """What speaks most against each star, at most two things, and how rare members are."""
    terms = np.nan_to_num(stars[list(TERMS)].to_numpy(float))
    order = np.argsort(terms, axis=1, kind="stable")[:, :_MOST_WORDS]
    rows = zip(_offset_words(stars), terms, order, stars["odds_share"], stars[FIELD_DENSITY], strict=True)
    told = []
    for words, row, ranked, rare, density in rows:
        found = [f"{words[i]} (odds {_times(row[i])} lower)" for i in ranked if row[i] < -_WORTH_A_WORD]
        if density > _DENSER:
            found.append(f"the field is {_rounded(density)} times denser there")
        if rare < -_WORTH_A_WORD:
            found.append(f"only one candidate in {1 + np.exp(-rare):.0f} is a member")
        told.append(found or [_LIKE_THE_FIELD])
    return told


def _by_offsets(stars: pd.DataFrame, sets: SourceSets) -> list[list[str]]:
    """The largest offsets of each star, at most two, in units of what is worth a word."""
    edge = float(sets.members["f_r"].quantile(_INSIDE)) if len(sets.members) else np.inf
    photometry = np.hypot(stars["f_c_sigma"], stars["f_g_sigma"])
    size = np.column_stack(
        [
            stars["f_pm_sigma"],
            stars["f_plx_sigma"].abs(),
            photometry,
            _SIGMAS_WORTH_A_WORD * stars["f_r"] / edge,
        ]
    )
    size = np.nan_to_num(size) / _SIGMAS_WORTH_A_WORD
    order = np.argsort(-size, axis=1, kind="stable")[:, :_MOST_WORDS]
    rows = zip(_offset_words(stars), size, order, strict=True)
    return [[words[i] for i in ranked if row[i] > 1] or [_LIKE_THE_FIELD] for words, row, ranked in rows]


def _p(probability: float) -> str:
    if probability < 0.001:
        return "p < 0.001"
    return f"p = {probability:.3f}" if probability < 0.1 else f"p = {probability:.2f}"


def _short(value: float, *, sign: str = "") -> str:
    """Number with one decimal, without it where it says nothing."""
    return f"{value:{sign}.{0 if abs(value) >= 10 else 1}f}"


def _times(term: float) -> str:
    factor = float(np.exp(min(-term, 50.0)))
    return "over a million times" if factor > _MANY_TIMES else f"{_rounded(factor)} times"


def _rounded(factor: float) -> str:
    """Number with two digits that count."""
    digits = int(np.floor(np.log10(factor)))
    return f"{round(factor, 1 - digits):,.{max(1 - digits, 0)}f}"
