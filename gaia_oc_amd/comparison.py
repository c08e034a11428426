"""Our member list against another one: what they share, and why each star that we lack is none of ours."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gaia_oc_amd.absence import BEYOND, CUT
from gaia_oc_amd.arguments import Threshold, checked
from gaia_oc_amd.columns import REJECTED_BY, SIGMA_OFFSETS
from gaia_oc_amd.member_list import our_members, probable_candidates
from gaia_oc_amd.source_sets import SourceSets

MISSED_MEMBERS = "missed_members.csv"
"""Stars of the comparison list that we lack, in the cluster's folder."""
OUTSIDE, CUT_BY_CONE, NOT_FOUND = "outside the cone", "cut by the cone", "not found in the cone"
"""Reasons why a star is missed that is none of the cone's sources: it does not stand in the field; it does, but the
cone's limits in motion and parallax leave it out; it is within all limits."""
PROBABILITY_STEPS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
"""Edges of the cells of `probability_matrix`."""
_LARGEST_RADIUS, _FAINTEST_G = 20.0, 18.0  # pc, mag: of the core of Fig. 3
_REASONS = ("proper_motion", "proper_motion+parallax", "parallax", "isochrone")
_WORDS = {"proper_motion+parallax": "proper motion and parallax", "proper_motion": "proper motion"}


def comparison_list(sets: SourceSets) -> pd.DataFrame:
    """All stars of the comparison list, in the cone or not, with the list's PMemb and the columns of the sets."""
    parts = [part for part in (sets.comparison, sets.comparison_outside) if len(part)]
    if not parts:
        return sets.comparison
    return pd.concat(parts, ignore_index=True).reindex(columns=[*sets.comparison.columns, BEYOND])


def missed_members(sets: SourceSets, prob_threshold: float) -> dict[str, pd.DataFrame]:
    """Stars of the comparison list that are not members of ours, by the reason.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold : float
        Least PMemb of a member of ours.

    Returns
    -------
    dict of str to DataFrame
        Rows of `comparison_list` under 'improbable' (judged below the threshold, or not evaluated), 'non_member'
        (failed the selection) and 'outside' (not among the cone's sources, see `where_outside`).
    """
    listed = comparison_list(sets)
    missed = listed[~listed["source_id"].isin(our_members(sets, prob_threshold)["source_id"])]
    judged = missed["source_id"].isin(sets.candidates["source_id"])
    judged |= missed["source_id"].isin(sets.members["source_id"])
    non_member = missed["source_id"].isin(sets.non_members["source_id"]) & ~judged
    return {
        "improbable": missed[judged],
        "non_member": missed[non_member],
        "outside": missed[~judged & ~non_member],
    }


def where_outside(stars: pd.DataFrame) -> pd.Series:
    """`OUTSIDE`, `CUT_BY_CONE` or `NOT_FOUND` of stars that are none of the cone's sources.

    Parameters
    ----------
    stars : DataFrame
        Rows under 'outside' of `missed_members`. Those of sets of an earlier version count as outside the cone.

    Returns
    -------
    Series of str
    """
    beyond = stars[BEYOND] if BEYOND in stars else pd.Series("radius", stars.index)
    words = np.select([beyond.isin(CUT), beyond == "within"], [CUT_BY_CONE, NOT_FOUND], OUTSIDE)
    return pd.Series(words, index=stars.index, dtype="str")


@checked
def missed_table(sets: SourceSets, prob_threshold: Threshold) -> pd.DataFrame:
    """Stars of the comparison list that we lack, with the reason of each.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    prob_threshold : float
        Least PMemb of a member of ours.

    Returns
    -------
    DataFrame
        Place, G, PMemb_comparison (the list's), PMemb (ours), offsets in sigmas and reason: the condition of the
        selection that the star failed, "p below 0.5", "not judged", or one of `where_outside`. Sorted by reason, then
        by G.
    """
    ours = sets.scored().drop_duplicates("source_id").set_index("source_id")["PMemb"]
    parts = []
    for kind, stars in missed_members(sets, prob_threshold).items():
        probability = stars["source_id"].map(ours).astype(float)
        low = np.where(probability.isna(), "not judged", f"p below {prob_threshold:g}")
        reason = {"improbable": low, "non_member": stars.get(REJECTED_BY), "outside": where_outside(stars)}[
            kind
        ]
        parts.append(
            stars.assign(
                PMemb_comparison=stars["PMemb"],
                PMemb=probability if kind != "non_member" else 0.0,
                reason=pd.Series(reason, index=stars.index, dtype="str"),
            )
        )
    columns = (
        "source_id",
        "ra",
        "dec",
        "phot_g_mean_mag",
        "PMemb_comparison",
        "PMemb",
        "f_r",
        *SIGMA_OFFSETS,
        "reason",
    )
    table = pd.concat(parts, ignore_index=True).reindex(columns=list(columns))
    return table.sort_values(["reason", "phot_g_mean_mag", "source_id"], ignore_index=True)


@dataclass(frozen=True)
class ComparisonCounts:
    """What became of the stars of a comparison list.

    Parameters
    ----------
    name : str
        What the list is called.
    prob_threshold : float
        Least PMemb of a member of ours.
    shared : int
        Stars of both lists.
    failed : dict of str to int
        Stars that failed the selection, by the condition.
    below, unjudged, outside : int
        Stars below the threshold, without a probability, outside the cone.
    ours_alone : int
        Members of ours that the list does not have.
    cut, not_found : int
        Stars in the field that the cone's limits in motion and parallax leave out, and those that are within these
        and yet none of its sources.
    """

    name: str
    prob_threshold: float
    shared: int
    failed: dict[str, int]
    below: int
    unjudged: int
    outside: int
    ours_alone: int
    cut: int = 0
    not_found: int = 0

    @classmethod
    @checked
    def of(cls, sets: SourceSets, prob_threshold: Threshold) -> "ComparisonCounts":
        """Counts of one cluster."""
        ours, theirs = overlap_sets(sets, prob_threshold)
        missed = missed_table(sets, prob_threshold)["reason"].value_counts().to_dict()
        return cls(
            name=sets.comparison_name,
            prob_threshold=prob_threshold,
            shared=len(ours & theirs),
            failed={reason: missed[reason] for reason in _REASONS if reason in missed},
            below=missed.get(f"p below {prob_threshold:g}", 0),
            unjudged=missed.get("not judged", 0),
            outside=missed.get(OUTSIDE, 0),
            ours_alone=len(ours - theirs),
            cut=missed.get(CUT_BY_CONE, 0),
            not_found=missed.get(NOT_FOUND, 0),
        )

    @property
    def in_cone(self) -> int:
        """Stars of the list that are in the cone."""
        return self.shared + sum(self.failed.values()) + self.below + self.unjudged

    @property
    def in_field(self) -> int:
        """Stars of the list that stand in the field, in the cone or cut by its limits."""
        return self.in_cone + self.cut + self.not_found

    @property
    def listed(self) -> int:
        """All stars of the list."""
        return self.in_field + self.outside

    def lines(self) -> list[str]:
        """The counts in words, in three parts: in the field, judged, outside."""
        conditions = ", ".join(f"{n:,} {_WORDS.get(name, name)}" for name, n in self.failed.items())
        parts = [f"{self.shared:,} shared"]
        if n_failed := sum(self.failed.values()):
            parts.append(f"{n_failed:,} non-member{'s' * (n_failed > 1)} ({conditions})")
        parts.append(f"{self.below:,} below {self.prob_threshold:g}")
        rare = {"not judged": self.unjudged, f"{CUT_BY_CONE}'s limits": self.cut, NOT_FOUND: self.not_found}
        parts += [f"{n:,} {what}" for what, n in rare.items() if n]
        stars = f"{self.name}'s {self.listed:,} stars"
        if " " in self.name:
            stars = f"the {self.listed:,} stars of {self.name}"
        return [
            f"{self.in_field:,} of {stars} are in the field",
            ", ".join(parts),
            f"{self.outside:,} outside the cone",
        ]

    def __str__(self) -> str:
        return "; ".join(self.lines())


def overlap_sets(sets: SourceSets, prob_threshold: float, *, core: bool = False) -> tuple[set[int], set[int]]:
    """source_id of our members and of the comparison list's stars.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    prob_threshold : float
        Least PMemb of a member of ours.
    core : bool
        Only stars with f_r < 20 pc and G < 18, and of the comparison list only those whose PMemb reaches the
        threshold or that have none: the lower diagram in Fig. 3 of van Groeningen et al. (2023).

    Returns
    -------
    ours, comparison : set of int
    """
    tables = [our_members(sets, prob_threshold), comparison_list(sets)]
    if core:
        tables[1] = tables[1][tables[1]["PMemb"].fillna(1.0) >= prob_threshold]
        tables = [
            table[(table["f_r"] < _LARGEST_RADIUS) & (table["phot_g_mean_mag"] < _FAINTEST_G)]
            for table in tables
        ]
    ours, theirs = (set(table["source_id"].tolist()) for table in tables)
    return ours, theirs


def membership_matrix(
    sets: SourceSets, *, prob_threshold: float = 0.5, least_probability: float = 0.1
) -> pd.DataFrame:
    """Numbers of sources by our verdict, and whether the comparison list has them.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold, least_probability : float
        PMemb of a member, and of a star in the member list; one without PMemb counts as below both.

    Returns
    -------
    DataFrame
        Counts; the rows are our verdicts, the columns 'listed' and 'not listed'. They sum to the number of different
        sources.
    """
    least_probability = min(least_probability, prob_threshold)  # else the labels would overlap
    listed = set(comparison_list(sets)["source_id"].tolist())
    candidates = probable_candidates(sets, prob_threshold)
    unsure = probable_candidates(sets, least_probability)
    verdicts = {
        f"training member, p ≥ {prob_threshold:g}": sets.judged_members.query("PMemb >= @prob_threshold"),
        f"training member, p < {prob_threshold:g}": sets.judged_members,
        "training member": sets.members,
        f"candidate, p ≥ {prob_threshold:g}": candidates,
        f"candidate, {least_probability:g} ≤ p < {prob_threshold:g}": unsure,
        f"candidate, p < {least_probability:g}": sets.candidates,
        "non-member": sets.non_members,
    }
    rows: dict[str, tuple[int, int]] = {}
    seen: set[int] = set()
    for verdict, table in verdicts.items():
        sources = set(table["source_id"].tolist()) - seen
        rows[verdict] = (len(sources & listed), len(sources - listed))
        seen |= sources
    missed = missed_members(sets, prob_threshold)["outside"]
    places = where_outside(missed)[~missed["source_id"].isin(seen)].value_counts()
    rows |= {str(place): (int(n), 0) for place, n in places.items()} | {
        OUTSIDE: (int(places.get(OUTSIDE, 0)), 0)
    }
    if least_probability == prob_threshold:
        del rows[f"candidate, {least_probability:g} ≤ p < {prob_threshold:g}"]
    for verdict in [*verdicts][:2] if sets.judged_members.empty else ["training member"]:
        del rows[verdict]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["listed", "not listed"])


def probability_matrix(sets: SourceSets) -> pd.DataFrame:
    """Numbers of stars by our membership probability and the comparison list's.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.

    Returns
    -------
    DataFrame
        Counts of the stars that have both; the rows are steps of ours, the columns those of the list, labelled by
        their lower edges in `PROBABILITY_STEPS`. Only the last step holds its upper edge.
    """
    judged = pd.concat([sets.candidates, sets.judged_members]).drop_duplicates("source_id", keep="last")
    listed = comparison_list(sets).drop_duplicates("source_id").set_index("source_id")["PMemb"].astype(float)
    ours, theirs = judged["PMemb"].to_numpy(float), judged["source_id"].map(listed).to_numpy(float)
    both = np.isfinite(ours) & np.isfinite(theirs)
    steps = np.array(PROBABILITY_STEPS)
    counts, _, _ = np.histogram2d(ours[both], theirs[both], bins=[steps, steps])
    return pd.DataFrame(counts.astype(int), index=steps[:-1], columns=steps[:-1])
