"""Venn diagram of our member list and the comparison list, its areas true to the counts."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch
from scipy.optimize import brentq

from gaia_oc_amd.plot_style import BOTH_LISTS, SETTINGS, STYLES
from gaia_oc_amd.plotting import NO_COMPARISON, figure_title, new_figure, write_note
from gaia_oc_amd.source_sets import overlap_sets

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


_OPACITY = 0.75
"""Of the parts in one list only."""


@rc_context(SETTINGS)
def venn_diagram_figure(sets: "SourceSets", *, prob_threshold: float = 0.1) -> Figure:
    """Draw how our list and the comparison list overlap, as Fig. 3 of van Groeningen et al. (2023).

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster. A comparison source without a probability counts as a sure member.
    prob_threshold : float
        Least PMemb in the upper diagram; the lower one has p >= 0.5, f_r < 20 pc and G < 18.

    Returns
    -------
    Figure
    """
    figure = new_figure(figure_title(sets, "overlap with the comparison list"), size=(5.6, 7.6))
    if sets.comparison.empty:
        write_note(figure.subplots(), NO_COMPARISON)
        return figure
    axes = figure.subplots(2, 1)
    for ax, threshold, core in ((axes[0], prob_threshold, False), (axes[1], 0.5, True)):
        ours, theirs = overlap_sets(sets, threshold, core=core)
        draw_venn(ax, len(ours), len(theirs), len(ours & theirs), names=("this work", "comparison"))
        ax.set_title(rf"$p \geq {threshold:g}$" + (r", $f_r < 20$ pc, $G < 18$" if core else ""))
    return figure


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
    faces = [(colour, _OPACITY) for colour in colours]
    labels = (f"only {names[0]}", "both", f"only {names[1]}")
    union = sum(counts)
    patches = [
        Patch(facecolor=colour, label=f"{label}\n{count:,} ({100 * count / union:.1f} %)", lw=0)
        for colour, label, count in zip((faces[0], BOTH_LISTS, faces[1]), labels, counts, strict=True)
    ]
    ax.legend(handles=patches, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3)
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
