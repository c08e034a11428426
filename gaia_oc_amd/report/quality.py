"""How good a member list is: a letter with its reasons, and the sentence that a report opens with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.columns import REJECTED_BY
from gaia_oc_amd.isochrone_stages import poor_stages
from gaia_oc_amd.member_list import Count, our_members

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets

Array = NDArray[np.float64]

LETTERS = "ABCD"
SIGNIFICANT = (10.0, 5.0, 3.0)
"""Least significance of the overdensity for A, B and C [sigma]."""
COMPLETE = (0.90, 0.75, 0.50)
"""Least completeness to `DEPTH` for A, B and C."""
CONTAMINATED = (0.05, 0.10, 0.20)
"""Largest expected share of field stars for A, B and C."""
OFF_ISOCHRONE = (0.03, 0.06, 0.10)
"""Largest offset of the members' sequence from the isochrone in colour for A, B and C [mag]."""
DEPTH = 18.0
"""Magnitude to which completeness counts: where the lists end that are learnt from [mag]."""
WELL_COMPLETE = 0.9
"""Completeness of the stars brighter than the magnitude that the sentence names."""

_FEWEST_PER_BIN = 15
_MOST_BINS = 4
_OUTSIDE = 0.9
"""Share of the training members within the radius beyond which the field is counted."""
_LEAST_OUTSIDE = 0.2
"""Least share of the non-members beyond that radius; with fewer the cone ends where the members do."""


@dataclass(frozen=True)
class Grade:
    """How good a list is in one respect.

    Parameters
    ----------
    criterion : str
        What is graded.
    letter : str
        A, B, C or D; empty where it was not measured.
    text : str
        The number, or why there is none.
    """

    criterion: str
    letter: str
    text: str


@dataclass(frozen=True)
class Quality:
    """The class of a member list.

    Parameters
    ----------
    grades : tuple of Grade
        One for each criterion.
    """

    grades: tuple[Grade, ...]

    @property
    def letter(self) -> str:
        """The worst of the letters; empty if nothing was measured."""
        return max((grade.letter for grade in self.grades), default="")

    @property
    def reasons(self) -> str:
        """What decides on the letter, in words."""
        worst = [grade.text for grade in self.grades if grade.letter == self.letter and grade.letter]
        return "; ".join(worst)


@dataclass(frozen=True)
class Measured:
    """Completeness and contamination of a list, as far as they were measured.

    Parameters
    ----------
    completeness : float
        Of the stars brighter than `DEPTH`; NaN where it was not measured.
    complete_to : float
        Faintest magnitude to which at least `WELL_COMPLETE` of the stars are found [mag]; NaN if there is none.
    completeness_there : float
        Completeness of the stars brighter than that; of all stars if there is no such magnitude.
    contamination : float
        Share of field stars in the list: what control clusters found among the accepted candidates, or
        what the truth says; NaN where it was not measured.
    """

    completeness: float = np.nan
    complete_to: float = np.nan
    completeness_there: float = np.nan
    contamination: float = np.nan


def measured(table: pd.DataFrame) -> Measured:
    """Completeness and contamination by magnitude.

    Parameters
    ----------
    table : DataFrame
        Rows of rising, adjoining magnitudes. Columns: faint (end of the bin [mag]), expected (how many members there
        are, in any unit), completeness, accepted (stars of the list), contamination.

    Returns
    -------
    Measured
        NaN where there is nothing to measure by.
    """
    rows = table[(table["expected"] > 0) & table["completeness"].notna()]
    if rows.empty:
        return Measured()
    expected, found = rows["expected"].cumsum(), (rows["expected"] * rows["completeness"]).cumsum()
    share = (found / expected).to_numpy(float)
    faint = rows["faint"].to_numpy(float)
    bright = np.flatnonzero(faint <= DEPTH)
    well = np.flatnonzero((share >= WELL_COMPLETE) & np.isfinite(faint))
    accepted = table[(table["accepted"] > 0) & table["contamination"].notna()]
    false = float((accepted["accepted"] * accepted["contamination"]).sum())
    return Measured(
        completeness=float(share[bright[-1]]) if len(bright) else np.nan,
        complete_to=float(faint[well[-1]]) if len(well) else np.nan,
        completeness_there=float(share[well[-1] if len(well) else -1]),
        contamination=false / float(accepted["accepted"].sum()) if len(accepted) else np.nan,
    )


def by_injection(selection: pd.DataFrame) -> pd.DataFrame:
    """What `measured` takes, from selection_function.csv.

    A bin's number of members is that of the accepted stars and training members over its completeness.
    """
    bins = selection[selection["bin"] == "G"].sort_values("g_max")
    stars = bins["n_accepted"] + bins["n_training"]
    return pd.DataFrame(
        {
            "faint": bins["g_max"],
            "expected": stars / bins["completeness"].clip(lower=0.05),
            "completeness": bins["completeness"],
            "accepted": bins["n_accepted"],
            "contamination": bins["contamination_controls"],
        }
    )


def by_truth(scores: pd.DataFrame, edges: tuple[float, ...]) -> pd.DataFrame:
    """What `measured` takes, from `truth.score_against_truth`, whose first row is all stars."""
    bins = scores.iloc[1:]
    return pd.DataFrame(
        {
            "faint": edges[1:],
            "expected": bins["true"].to_numpy(float),
            "completeness": bins["completeness"].to_numpy(float),
            "accepted": bins["found"].to_numpy(float),
            "contamination": bins["contamination"].to_numpy(float),
        }
    )


def overdensity(sets: "SourceSets") -> float:
    """Significance of the cluster as an overdensity of stars that pass the selection [sigma].

    Stars that pass are counted within the half-number radius of the training members, and beyond the radius that
    holds nine tenths of them. Stars that fail the selection, counted at both places, tell how many of those that
    pass would be field stars, whatever the shape of the cone, its crowding and gaps. Only stars as bright as the
    faintest training member count. No probability is used. Eq. 17 of Li & Ma (1983, ApJ 272, 317).

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.

    Returns
    -------
    float
        Negative where there are fewer stars than expected; NaN without members, or field stars at either place.
    """
    if sets.members.empty:
        return np.nan
    faintest = float(sets.members["phot_g_mean_mag"].max())
    inner, outer = sets.members["f_r"].quantile([0.5, _OUTSIDE])
    passed = pd.concat([table[table[REJECTED_BY] == ""] for table in (sets.members, sets.candidates)])
    on, off = _two_places(passed, faintest, float(inner), float(outer))
    field_on, field_off = _two_places(sets.non_members, faintest, float(inner), float(outer))
    bright = int((sets.non_members["phot_g_mean_mag"] <= faintest).sum())
    if not field_on or not field_off or field_off < _LEAST_OUTSIDE * bright or not on + off:
        return np.nan
    ratio = field_on / field_off
    excess = 0.0
    for counts, share in ((on, ratio / (1 + ratio)), (off, 1 / (1 + ratio))):
        excess += counts * np.log(counts / (share * (on + off))) if counts else 0.0
    return float(np.copysign(np.sqrt(max(2 * excess, 0.0)), on - ratio * off))


def _two_places(stars: pd.DataFrame, faintest: float, inner: float, outer: float) -> tuple[int, int]:
    bright = stars.loc[stars["phot_g_mean_mag"] <= faintest, "f_r"]
    return int((bright <= inner).sum()), int((bright > outer).sum())


def isochrone_offset(sets: "SourceSets") -> float:
    """Largest offset of the members' colours from the isochrone [mag].

    It is the median of one of up to four equal parts of the training members by magnitude, or that of an evolutionary
    stage which lies beside its isochrone (`isochrone_stages`), where members that the selection refused count, too.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster; its training members have f_c [mag].

    Returns
    -------
    float
        With its sign, positive where members are redder; NaN where no member has an offset.
    """
    offsets = sets.members.sort_values("phot_g_mean_mag")["f_c"].dropna().to_numpy(float)
    if not len(offsets):
        return np.nan
    parts = np.array_split(offsets, int(np.clip(len(offsets) // _FEWEST_PER_BIN, 1, _MOST_BINS)))
    found = [float(np.median(part)) for part in parts]
    found += [stage.colour for stage in poor_stages(sets.stage_offsets)]
    return max(found, key=abs)


def quality(sets: "SourceSets", found: Measured, *, prob_threshold: float) -> Quality:
    """Class of a member list by significance, completeness, contamination and isochrone.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    found : Measured
        What injection and controls, or the truth, say.
    prob_threshold : float
        Least PMemb of a member.

    Returns
    -------
    Quality
    """
    return Quality(
        (
            _significance(overdensity(sets)),
            _completeness(found),
            _contamination(*contamination(sets, found, prob_threshold)),
            _isochrone(isochrone_offset(sets)),
        )
    )


def contamination(sets: "SourceSets", found: Measured, prob_threshold: float) -> tuple[float, str]:
    """Share of field stars in the list, as measured, else as the mean of 1 - p.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    found : Measured
        What its validation measured.
    prob_threshold : float
        Least PMemb of a member.

    Returns
    -------
    share : float
        NaN before an evaluation.
    words : str
        "4 % contamination", or "4 % expected contamination" by 1 - p.
    """
    if np.isfinite(found.contamination):
        return found.contamination, f"{100 * found.contamination:.0f} % contamination"
    share = Count.of(our_members(sets, prob_threshold)).contamination if sets.is_evaluated() else np.nan
    return share, f"{100 * share:.0f} % expected contamination"


def _significance(sigma: float) -> Grade:
    if not np.isfinite(sigma):
        return Grade(
            "significance", "", "significance not measured: there is too little field around the members"
        )
    return Grade("significance", _letter(-sigma, -np.array(SIGNIFICANT)), f"overdensity of {sigma:.0f} σ")


def _completeness(found: Measured) -> Grade:
    if not np.isfinite(found.completeness):
        return Grade("completeness", "", "completeness not measured")
    text = f"{100 * found.completeness:.0f} % complete to G {DEPTH:g}"
    return Grade("completeness", _letter(-found.completeness, -np.array(COMPLETE)), text)


def _contamination(share: float, words: str) -> Grade:
    if not np.isfinite(share):
        return Grade("contamination", "", "contamination not known: the cluster was not evaluated")
    return Grade("contamination", _letter(share, CONTAMINATED), words)


def _isochrone(offset: float) -> Grade:
    if not np.isfinite(offset):
        return Grade("isochrone", "", "isochrone not compared: no member has a colour")
    side = "redder" if offset > 0 else "bluer"
    text = f"members up to {abs(offset):.2f} mag {side} than the isochrone"
    return Grade("isochrone", _letter(abs(offset), OFF_ISOCHRONE), text)


def _letter(value: float, bounds: "Array | tuple[float, ...]") -> str:
    """Letter of a value that is the better the smaller it is."""
    return LETTERS[int((value > np.asarray(bounds)).sum())]


def sentence(sets: "SourceSets", found: Measured, prob_threshold: float) -> str:
    """What a list is in one sentence: how many members, to which magnitude, how complete, how clean.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    found : Measured
        What injection and controls, or the truth, say.
    prob_threshold : float
        Least PMemb of a member.

    Returns
    -------
    str
        "285 members to G 20.4, 99 % complete to G 18, 4 % contamination", or "... expected contamination" by 1 - p.
    """
    members = our_members(sets, prob_threshold)
    faintest = members["phot_g_mean_mag"].max()
    words = "members" if sets.is_evaluated() else "training members, not evaluated"
    parts = [f"{len(members):,} {words}" + (f" to G {faintest:.1f}" if np.isfinite(faintest) else "")]
    if np.isfinite(found.completeness_there):
        end = f" to G {found.complete_to:g}" if np.isfinite(found.complete_to) else ""
        parts.append(f"{100 * found.completeness_there:.0f} % complete{end}")
    share, clean = contamination(sets, found, prob_threshold)
    if len(members) and np.isfinite(share):
        parts.append(clean)
    return ", ".join(parts)
