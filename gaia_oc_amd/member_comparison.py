"""Our member list and the comparison list: what each holds, and where they differ."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from gaia_oc_amd.source_sets import SET_NAMES

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


def probable_candidates(sets: "SourceSets", prob_threshold: float) -> pd.DataFrame:
    """Candidates whose PMemb reaches a threshold; none before the evaluation, when PMemb is NaN."""
    return sets.candidates[sets.candidates["PMemb"] >= prob_threshold]


def our_members(sets: "SourceSets", prob_threshold: float) -> pd.DataFrame:
    """Our member list: the training members and the candidates whose PMemb reaches a threshold.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold : float
        Least PMemb of a candidate.

    Returns
    -------
    DataFrame
        Rows of `sets.members` followed by rows of `sets.candidates`.
    """
    parts = [part for part in (sets.members, probable_candidates(sets, prob_threshold)) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else sets.members


def comparison_members(sets: "SourceSets", prob_threshold: float) -> pd.DataFrame:
    """Sources of the comparison list whose PMemb reaches a threshold, or that have none."""
    return sets.comparison[sets.comparison["PMemb"].fillna(1.0) >= prob_threshold]


def missed_members(sets: "SourceSets", prob_threshold: float) -> dict[str, pd.DataFrame]:
    """Members of the comparison list that are not in ours, by the reason.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold : float
        Least PMemb of a member, in both lists.

    Returns
    -------
    dict of str to DataFrame
        Rows of `sets.comparison` under 'improbable' (candidates below the threshold, or not evaluated),
        'non_member' (failed the selection) and 'outside' (not among the cone's sources).
    """
    comparison = comparison_members(sets, prob_threshold)
    ours = comparison["source_id"].isin(our_members(sets, prob_threshold)["source_id"])
    missed = comparison[~ours]
    candidate = missed["source_id"].isin(sets.candidates["source_id"])
    non_member = missed["source_id"].isin(sets.non_members["source_id"]) & ~candidate
    return {
        "improbable": missed[candidate],
        "non_member": missed[non_member],
        "outside": missed[~candidate & ~non_member],
    }


def overlap_sets(
    sets: "SourceSets", prob_threshold: float, *, core: bool = False
) -> tuple[set[int], set[int]]:
    """source_id of our members and of the comparison list's, above a probability.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    prob_threshold : float
        Least PMemb.
    core : bool
        Only sources with f_r < 20 pc and G < 18.

    Returns
    -------
    ours, comparison : set of int
    """
    tables = [our_members(sets, prob_threshold), comparison_members(sets, prob_threshold)]
    if core:
        tables = [table[(table["f_r"] < 20) & (table["phot_g_mean_mag"] < 18)] for table in tables]
    ours, theirs = (set(table["source_id"].tolist()) for table in tables)
    return ours, theirs


def membership_matrix(
    sets: "SourceSets", *, prob_threshold: float = 0.1, high_prob_threshold: float = 0.8
) -> pd.DataFrame:
    """Numbers of sources by our verdict and by the comparison list's.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold, high_prob_threshold : float
        PMemb that divides the candidates in three; one without PMemb counts as below both.

    Returns
    -------
    DataFrame
        Counts; the rows are our verdicts, the columns 'member' and 'not member' the comparison list's.
        They sum to the number of different sources. Comparison sources below
        `prob_threshold` are no members of that list.
    """
    listed = set(comparison_members(sets, prob_threshold)["source_id"].tolist())
    probability = sets.candidates["PMemb"].fillna(-1.0)
    low, high = probability < prob_threshold, probability >= high_prob_threshold
    verdicts = {
        "training member": sets.members,
        f"candidate, p ≥ {high_prob_threshold:g}": sets.candidates[high & ~low],
        f"candidate, {prob_threshold:g} ≤ p < {high_prob_threshold:g}": sets.candidates[~low & ~high],
        f"candidate, p < {prob_threshold:g}": sets.candidates[low],
        "non-member": sets.non_members,
    }
    rows, seen = {}, set()
    for verdict, table in verdicts.items():
        sources = set(table["source_id"].tolist()) - seen
        rows[verdict] = (len(sources & listed), len(sources - listed))
        seen |= sources
    rows["not in the cone"] = (len(listed - seen), 0)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["member", "not member"])


def within_radius(sets: "SourceSets", radius: float) -> "SourceSets":
    """Sets of the sources within a projected radius [pc]."""
    return replace(
        sets, **{name: getattr(sets, name)[getattr(sets, name)["f_r"] <= radius] for name in SET_NAMES}
    )
