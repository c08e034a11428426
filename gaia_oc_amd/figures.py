"""Figures of the sets and member lists on the sky, in proper motion, parallax, colour and magnitude."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib import rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from gaia_oc_amd.data_directory import SET_NAMES
from gaia_oc_amd.plotting import (
    PANELS,
    PROBABILITY_COLOURS,
    STYLE,
    Layer,
    figure_title,
    legend_handles,
    new_figure,
)

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets

NO_COMPARISON = "There is no comparison list."

_SQUARE = (2, 2, (8.4, 8.8))
_ROW = (1, 4, (15.5, 4.4))
_COLOUR_BAR_WIDTH = 1.1


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


@rc_context(STYLE)
def candidates_figure(sets: "SourceSets") -> Figure:
    """Draw members, candidates and non-members in four panels, as Fig. 1 of van Groeningen et al. (2023).

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.

    Returns
    -------
    Figure
    """
    layers = [
        Layer("field", sets.non_members, "non-members"),
        Layer("candidates", sets.candidates, "candidates"),
        Layer("members", sets.members, "training members"),
    ]
    sentence = "" if len(sets.candidates) else "There are no candidates."
    return _panels_figure(sets, layers, "candidate selection", sentence)


@rc_context(STYLE)
def new_members_figure(sets: "SourceSets", *, prob_threshold: float = 0.8) -> Figure:
    """Draw the training members and the new ones, coloured by probability, in four panels.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    prob_threshold : float
        Least PMemb of a new member.

    Returns
    -------
    Figure
    """
    new = probable_candidates(sets, prob_threshold)
    layers = [
        Layer("training", sets.members, "training members"),
        Layer("candidates", new, rf"new members, $p \geq {prob_threshold:g}$", (prob_threshold, 1.0)),
    ]
    sentence = "" if len(new) else f"No candidate has a membership probability of {prob_threshold:g} or more."
    return _panels_figure(sets, layers, "new members", sentence)


@rc_context(STYLE)
def comparison_figure(sets: "SourceSets", *, prob_threshold: float = 0.1) -> Figure:
    """Draw our members and the comparison list's in a row, as Fig. 4 of van Groeningen et al. (2023).

    A filled circle in a square is a member of both lists.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    prob_threshold : float
        Least PMemb of a member, in both lists.

    Returns
    -------
    Figure
    """
    layers = [
        Layer("ours", our_members(sets, prob_threshold), "this work"),
        Layer("comparison", comparison_members(sets, prob_threshold), "comparison list"),
    ]
    title = rf"members with $p \geq {prob_threshold:g}$"
    return _panels_figure(sets, layers, title, _about_comparison(sets), layout=_ROW)


@rc_context(STYLE)
def additional_members_figure(sets: "SourceSets", *, prob_threshold: float = 0.1) -> Figure:
    """Draw our members that the comparison list lacks, in four panels.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    prob_threshold : float
        Least PMemb of a member, in both lists.

    Returns
    -------
    Figure
    """
    listed = comparison_members(sets, prob_threshold)
    ours = our_members(sets, prob_threshold)
    candidates = probable_candidates(sets, prob_threshold)
    candidates = candidates[~candidates["source_id"].isin(listed["source_id"])]
    members = sets.members[~sets.members["source_id"].isin(listed["source_id"])]
    label = rf"additional candidates, $p \geq {prob_threshold:g}$"
    layers = [
        Layer("context", ours[ours["source_id"].isin(listed["source_id"])], "members of both lists"),
        Layer("training", members, "additional training members"),
        Layer("candidates", candidates, label, (prob_threshold, 1.0)),
    ]
    sentence = _about_comparison(sets)
    if not sentence and members.empty and candidates.empty:
        sentence = "The comparison list holds all our members."
    return _panels_figure(sets, layers, "members that the comparison list lacks", sentence)


@rc_context(STYLE)
def missed_members_figure(sets: "SourceSets", *, prob_threshold: float = 0.1) -> Figure:
    """Draw members of the comparison list that are not in ours, by the reason, in four panels.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    prob_threshold : float
        Least PMemb of a member, in both lists.

    Returns
    -------
    Figure
    """
    missed = missed_members(sets, prob_threshold)
    layers = [
        Layer("context", our_members(sets, prob_threshold), "this work"),
        Layer("rejected", missed["non_member"], "not a candidate"),
        Layer("candidates", missed["improbable"], f"candidate, $p < {prob_threshold:g}$"),
    ]
    if len(missed["outside"]):
        layers.append(Layer("elsewhere", missed["outside"], "not in the cone"))
    sentence = _about_comparison(sets)
    if not sentence and not any(len(part) for part in missed.values()):
        sentence = "Our list holds all members of the comparison list."
    return _panels_figure(sets, layers, "comparison members that we lack", sentence)


def _about_comparison(sets: "SourceSets") -> str:
    return "" if len(sets.comparison) else NO_COMPARISON


def _panels_figure(
    sets: "SourceSets",
    layers: Sequence[Layer],
    title: str,
    sentence: str,
    *,
    layout: tuple[int, int, tuple[float, float]] = _SQUARE,
) -> Figure:
    """Compose the four panels, a legend below them, and a colour bar if a layer shows probabilities."""
    ranges = [layer.probabilities for layer in layers if layer.probabilities and len(layer.sources)]
    rows, columns, (width, height) = layout
    size = (width + _COLOUR_BAR_WIDTH, height) if ranges else (width, height)
    figure = new_figure("\n".join(filter(None, [figure_title(sets, title), sentence])), size=size)
    axes = figure.subplots(rows, columns).ravel()
    for ax, panel in zip(axes, PANELS, strict=True):
        panel(ax, sets, layers)
    if ranges:
        mappable = ScalarMappable(Normalize(*ranges[0]), PROBABILITY_COLOURS)
        figure.colorbar(
            mappable, ax=axes, location="right", shrink=0.6, aspect=35, label="membership probability"
        )
    handles = legend_handles(layers)
    figure.legend(handles=handles, loc="outside lower center", ncols=3 if rows > 1 else len(handles))
    return figure
