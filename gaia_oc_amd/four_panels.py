"""Figures that show the sets and member lists in the four panels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib import rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from gaia_oc_amd.panels import PANELS
from gaia_oc_amd.plot_style import PROBABILITY_COLOURS, SETTINGS
from gaia_oc_amd.plotting import NO_COMPARISON, Layer, figure_title, legend_handles, new_figure
from gaia_oc_amd.source_sets import comparison_members, missed_members, our_members, probable_candidates

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


_SQUARE = (2, 2, (8.4, 8.8))


_ROW = (1, 4, (15.5, 4.4))


_COLOUR_BAR_WIDTH = 1.1


@rc_context(SETTINGS)
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


@rc_context(SETTINGS)
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


@rc_context(SETTINGS)
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


@rc_context(SETTINGS)
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


@rc_context(SETTINGS)
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
