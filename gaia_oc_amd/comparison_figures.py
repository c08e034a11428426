"""Figures that compare two lists: Venn diagram, matrix."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch

from gaia_oc_amd.arguments import Share, Threshold, checked
from gaia_oc_amd.canvas import NO_COMPARISON, TWO_COLUMNS, Canvas, write_note
from gaia_oc_amd.comparison import (
    PROBABILITY_STEPS,
    ComparisonCounts,
    membership_matrix,
    missed_members,
    overlap_sets,
    probability_matrix,
)
from gaia_oc_amd.isochrone_stages import poor_stages
from gaia_oc_amd.member_list import PROB_THRESHOLD, our_members
from gaia_oc_amd.panels import PANEL_NAMES
from gaia_oc_amd.plot_style import BOTH_LISTS, SETTINGS, STYLES
from gaia_oc_amd.plotting import Layer, field_layer, figure_title, line_handles, style_handle
from gaia_oc_amd.source_sets import SourceSets

_ROW_LABEL = 11.0
"""Space for the name of a cluster on the left of its row [mm]."""


_VENN_LEGEND = 16.0
"""Space below a Venn diagram [mm]."""


_VERDICT_LETTER = 1.42
"""Mean width of a letter of a verdict [mm]."""


_OPACITY = 0.75
"""Of the parts in one list only."""


@rc_context(SETTINGS)
@checked
def venn_diagram_figure(
    sets: SourceSets, *, prob_threshold: Threshold = PROB_THRESHOLD, axes: Sequence[Axes] | None = None
) -> Figure:
    """Draw how our list and the comparison list overlap, as Fig. 3 of van Groeningen et al. (2023).

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster. A comparison source without a probability counts as a sure member.
    prob_threshold : float
        Least PMemb of a member of ours. The left diagram has the whole comparison list, in the cone or not; the
        right one what has p >= the threshold in both lists, f_r < 20 pc and G < 18.
    axes : sequence of two Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Figure
    """
    listed = has_comparison(sets)
    title = figure_title(sets, f"overlap with {sets.comparison_name}")
    if listed:
        title += "\n" + about_comparison(sets, prob_threshold)
    elif axes is not None:
        axes = list(np.ravel(np.asarray(axes, object)))[:1]
    shape = (1, 2) if listed else (1, 1)
    canvas = Canvas(axes, shape, title=title, width=TWO_COLUMNS, heights=0.72, bottom=_VENN_LEGEND)
    if not listed:
        write_note(canvas.axes[0], NO_COMPARISON)
        return canvas.figure
    pairs = [overlap_sets(sets, prob_threshold, core=core) for core in (False, True)]
    numbers = [(len(ours), len(theirs), len(ours & theirs)) for ours, theirs in pairs]
    draw_two_venns(canvas.axes, numbers, sets.comparison_name, prob_threshold)
    canvas.fit_panel_titles()
    return canvas.figure


def about_comparison(sets: SourceSets, prob_threshold: float) -> str:
    """What became of the comparison list, on two lines.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold : float
        Least PMemb of a member of ours.

    Returns
    -------
    str
    """
    if not has_comparison(sets):
        return NO_COMPARISON
    field, *rest = ComparisonCounts.of(sets, prob_threshold).lines()
    return f"{field};\n{'; '.join(rest)}"


def has_comparison(sets: SourceSets) -> bool:
    """Whether there is any star to compare with."""
    return bool(len(sets.comparison) or len(sets.comparison_outside))


@rc_context(SETTINGS)
def two_venns_figure(
    numbers: Sequence[tuple[int, int, int]], name: str, prob_threshold: float, title: str
) -> Figure:
    """Draw the two diagrams of `draw_two_venns` in a figure of their own, as for many clusters together.

    Parameters
    ----------
    numbers, name, prob_threshold
        See `draw_two_venns`.
    title : str
        Of the figure.

    Returns
    -------
    Figure
    """
    canvas = Canvas(None, (1, 2), title=title, width=TWO_COLUMNS, heights=0.72, bottom=_VENN_LEGEND)
    draw_two_venns(canvas.axes, numbers, name, prob_threshold)
    canvas.fit_panel_titles()
    return canvas.figure


def draw_two_venns(
    axes: Sequence[Axes], numbers: Sequence[tuple[int, int, int]], name: str, prob_threshold: float
) -> None:
    """Draw the two diagrams of Fig. 3 of van Groeningen et al. (2023).

    Parameters
    ----------
    axes : sequence of two Axes
        Where to draw.
    numbers : sequence of (int, int, int)
        Of all stars and of those in the core: members of ours, stars of the comparison list, shared stars.
    name : str
        What the comparison list is called.
    prob_threshold : float
        Least PMemb of a member.
    """
    words = (
        f"this work with p ≥ {prob_threshold:g}",
        f"p ≥ {prob_threshold:g}, projected radius < 20 pc, G < 18",
    )
    for ax, counts, text in zip(axes, numbers, words, strict=True):
        draw_venn(ax, *counts, names=("this work", name))
        ax.set_title(text)


def draw_venn(ax: Axes, n_left: int, n_right: int, n_both: int, *, names: tuple[str, str]) -> Axes:
    """Draw two sets as circles true to area, with counts and percentages of the union below.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    n_left, n_right, n_both : int
        Sizes of the sets and of what they share.
    names : (str, str)
        Names of the sets.

    Returns
    -------
    Axes
        The axes given.
    """
    if n_left + n_right == 0:
        return write_note(ax, "Neither list has a member here.")
    left, right, distance = venn_circles(n_left, n_right, n_both)
    colours = STYLES["ours"].colour, STYLES["comparison"].colour
    lens = Circle((distance, 0), right, facecolor=BOTH_LISTS, lw=0)
    for x, radius, colour in ((0, left, colours[0]), (distance, right, colours[1])):
        ax.add_patch(Circle((x, 0), radius, facecolor=colour, alpha=_OPACITY, lw=0))
    whole = Circle((0, 0), left, transform=ax.transData)
    ax.add_patch(lens)
    lens.set_clip_path(whole)
    for x, radius in ((0, left), (distance, right)):
        ax.add_patch(Circle((x, 0), radius, fill=False, lw=1.2, ec="black"))
    counts = (n_left - n_both, n_both, n_right - n_both)
    faces = [to_rgba(colour, _OPACITY) for colour in colours]
    labels = (f"only {names[0]}", "both", f"only {names[1]}")
    union = sum(counts)
    patches = [
        Patch(facecolor=colour, label=f"{label}: {count:,} ({100 * count / union:.1f} %)", lw=0)
        for colour, label, count in zip(
            (faces[0], to_rgba(BOTH_LISTS), faces[1]), labels, counts, strict=True
        )
    ]
    ax.legend(handles=patches, loc="upper center", bbox_to_anchor=(0.5, 0.0))
    ax.set_xlim(-1.08 * max(left, right - distance), 1.08 * max(distance + right, left))
    ax.set_ylim(-1.08 * max(left, right), 1.08 * max(left, right))
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def venn_circles(n_left: int, n_right: int, n_both: int) -> tuple[float, float, float]:
    """Circles whose areas, and that of their overlap, equal the numbers of sources.

    Parameters
    ----------
    n_left, n_right : int
        Sizes of two sets.
    n_both : int
        Number of sources in both.

    Returns
    -------
    radius_left, radius_right, distance : float
        Distance between the centres.
    """
    left, right = np.sqrt(n_left / np.pi), np.sqrt(n_right / np.pi)
    if n_both == 0:
        return float(left), float(right), float(1.05 * (left + right))
    if n_both >= min(n_left, n_right):
        return float(left), float(right), float(abs(left - right))
    from scipy.optimize import brentq  # here: its import is slow, and build_sets.py draws no such figure

    distance = brentq(lambda d: lens_area(left, right, d) - n_both, abs(left - right), left + right)
    return float(left), float(right), float(distance)


def lens_area(radius_1: float, radius_2: float, distance: float) -> float:
    """Area that two circles share.

    Parameters
    ----------
    radius_1, radius_2 : float
        Radii.
    distance : float
        Distance of the centres.

    Returns
    -------
    float
        In squared units of the radii.
    """
    small, large = sorted((radius_1, radius_2))
    if distance >= small + large:
        return 0.0
    if distance <= large - small:
        return float(np.pi * small**2)
    # the common chord cuts a segment from each circle
    chord_1 = (distance**2 + small**2 - large**2) / (2 * distance)
    return _segment_area(small, chord_1) + _segment_area(large, distance - chord_1)


def _segment_area(radius: float, chord_distance: float) -> float:
    """Area of the part of a circle beyond a chord; a negative distance gives the larger part."""
    cosine = np.clip(chord_distance / radius, -1, 1)
    return float(radius**2 * (np.arccos(cosine) - cosine * np.sqrt(1 - cosine**2)))


def comparison_layers(sets: SourceSets, prob_threshold: float) -> list[Layer]:
    """The field, our members, the comparison list, and its stars that failed our selection."""
    ours = our_members(sets, prob_threshold)
    words = f"this work, p ≥ {prob_threshold:g}"
    failed = missed_members(sets, prob_threshold)["non_member"]
    return [
        field_layer(sets),
        Layer("ours", ours, words, judged=sets.is_evaluated()),
        Layer("comparison", sets.comparison, f"{sets.comparison_name} in the field"),
        Layer("rejected", failed, "in that list, but failed the selection"),
    ]


@rc_context(SETTINGS)
def comparison_rows_figure(
    clusters: "Sequence[SourceSets]", *, prob_threshold: float | Sequence[float] = PROB_THRESHOLD
) -> Figure:
    """Draw our members and the comparison list's, a row for each cluster: Fig. 4 of van Groeningen et al. (2023).

    Parameters
    ----------
    clusters : sequence of SourceSets
        The evaluated sets of each cluster.
    prob_threshold : float or sequence of float
        Least PMemb of a member of ours, the same for all clusters or that of each; those that differ stand at the rows.

    Returns
    -------
    Figure
        Sky, parallax, proper motion and colour-magnitude diagram from left to right.
    """
    names = " and ".join(dict.fromkeys(sets.comparison_name for sets in clusters))
    thresholds = np.broadcast_to(prob_threshold, len(clusters)).tolist()
    differ = len(set(thresholds)) > 1
    title = f"members of this work{'' if differ else f' (p ≥ {thresholds[0]:g})'} and of {names}"
    canvas = Canvas(None, (len(clusters), 4), title=title, width=TWO_COLUMNS, left=_ROW_LABEL + 14.0)
    far = False
    rows = [canvas.axes[start : start + 4] for start in range(0, len(canvas.axes), 4)]
    for sets, threshold, row in zip(clusters, thresholds, rows, strict=True):
        layers = comparison_layers(sets, threshold)
        for ax, draw in zip(row, PANEL_NAMES.values(), strict=True):
            draw(ax, sets, layers)
        row[0].annotate(
            _row_label(sets, layers, f" (p ≥ {threshold:g})" if differ else ""),
            (-0.5, 0.5),
            xycoords="axes fraction",
            rotation=90,
            fontsize=7,
            ha="right",
            va="center",
            multialignment="center",
        )
        far |= bool(poor_stages(sets.stage_offsets))
    canvas.place_labels()
    canvas.fit_panel_titles()
    handles = [style_handle(kind, word) for kind, word in _ROW_WORDS.items()]
    canvas.legend(handles=[*handles, *line_handles(far=far)], ncols=4)
    return canvas.figure


_ROW_WORDS = {
    "field": "non-members",
    "ours": "this work",
    "comparison": "the other list, in the field",
    "rejected": "in that list, but failed the selection",
}
"""Legend of the rows, whose numbers differ from row to row."""


def _row_label(sets: SourceSets, layers: Sequence[Layer], limit: str) -> str:
    """Name of a cluster and sizes of both lists, with the limit of ours."""
    ours, theirs = (set(layer.sources["source_id"].tolist()) for layer in layers[1:3])
    numbers = f"ours {len(ours):,}{limit}, theirs {len(theirs):,}\nin both {len(ours & theirs):,}"
    return f"{sets.cluster.name.replace('_', ' ')}\n{numbers}"


@rc_context(SETTINGS)
@checked
def membership_matrix_figure(
    sets: SourceSets,
    *,
    prob_threshold: Threshold = PROB_THRESHOLD,
    least_probability: Share = 0.1,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw our verdicts on the stars of the comparison list and on others, and both lists' probabilities.

    On the left stand counts and percentages of each column; on the right the counts of stars of both lists in steps
    of either probability.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold, least_probability : float
        PMemb of a member, and of a star in the member list.
    axes : sequence of two Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Figure
    """
    title = figure_title(sets, "verdicts on each source, and probabilities of the judged stars of both lists")
    verdicts = membership_matrix(sets, prob_threshold=prob_threshold, least_probability=least_probability)
    left = _VERDICT_LETTER * max(map(len, verdicts.index)) + 2.0
    canvas = Canvas(axes, (1, 2), title=title, width=TWO_COLUMNS, left=left)
    if not has_comparison(sets):
        for ax in canvas.axes:
            write_note(ax, NO_COMPARISON)
        return canvas.figure
    draw_verdicts(canvas.axes[0], verdicts, sets.comparison_name)
    draw_probabilities(canvas.axes[1], probability_matrix(sets), sets.comparison_name)
    canvas.fit_panel_titles()
    return canvas.figure


def draw_verdicts(ax: Axes, matrix: pd.DataFrame, name: str) -> Axes:
    """Draw the counts of `comparison.membership_matrix` with their percentages of each column.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    matrix : DataFrame
        The counts.
    name : str
        What the comparison list is called.

    Returns
    -------
    Axes
        The axes given.
    """
    counts = matrix.to_numpy()
    share = counts / np.maximum(counts.sum(axis=0), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        percentage = "< 0.1 %" if 0 < share[row, column] < 0.0005 else f"{100 * share[row, column]:.1f} %"
        _write_in_cell(ax, row, column, f"{count:,}\n{percentage}", share[row, column])
    ax.set_xticks(
        range(2), [f"{name}\n({n:,})" for name, n in zip(matrix.columns, counts.sum(axis=0), strict=True)]
    )
    ax.set_yticks(range(len(matrix)), matrix.index)
    ax.tick_params(length=0)
    ax.set_title(f"{name}, % of each column")
    return ax


def draw_probabilities(ax: Axes, matrix: pd.DataFrame, name: str) -> Axes:
    """Draw the counts of `comparison.probability_matrix`, the highest of our probabilities at the top.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    matrix : DataFrame
        The counts.
    name : str
        What the comparison list is called.

    Returns
    -------
    Axes
        The axes given.
    """
    counts = matrix.to_numpy()
    if not counts.sum():
        return write_note(ax, "No star has a membership probability in both lists.")
    shade = np.log1p(counts) / np.log1p(counts.max())
    ax.imshow(shade, cmap="Blues", vmin=0, vmax=1, aspect="auto", origin="lower")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            _write_in_cell(ax, row, column, f"{count:,}", shade[row, column])
    edges = [f"{edge:g}" for edge in PROBABILITY_STEPS]
    ax.set_xticks(np.arange(len(edges)) - 0.5, edges)
    ax.set_yticks(np.arange(len(edges)) - 0.5, edges)
    ax.set_xlabel(f"membership probability, {name}")
    ax.set_ylabel("membership probability, this work")
    ax.set_title(f"{counts.sum():,} stars that both lists judge")
    return ax


def _write_in_cell(ax: Axes, row: int, column: int, text: str, shade: float) -> None:
    colour = "white" if shade > 0.55 else "black"
    ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
