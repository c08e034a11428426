"""Figures that compare two lists: Venn diagram, matrix, density profile, mass segregation."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.canvas import NO_COMPARISON, TWO_COLUMNS, Canvas, write_note
from gaia_oc_amd.comparison import (
    PROBABILITY_STEPS,
    ComparisonCounts,
    comparison_list,
    membership_matrix,
    overlap_sets,
    probability_matrix,
)
from gaia_oc_amd.member_list import PROB_THRESHOLD, Count, our_members
from gaia_oc_amd.plot_style import BOTH_LISTS, SETTINGS, STYLES
from gaia_oc_amd.plotting import figure_title
from gaia_oc_amd.profiles import (
    DensityProfile,
    KingProfile,
    MassSegregation,
    UnconstrainedProfileError,
    density_profile,
    field_radius,
    joined_annuli,
    king_profile,
    mass_segregation,
)

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


_LEGEND_LETTERS = 52
"""Longest line in the legend of a figure of one column."""


_VENN_LEGEND = 16.0
"""Space below a Venn diagram [mm]."""


_OPACITY = 0.75
"""Of the parts in one list only."""


@rc_context(SETTINGS)
def venn_diagram_figure(
    sets: "SourceSets", *, prob_threshold: float = PROB_THRESHOLD, axes: Sequence[Axes] | None = None
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
    listed = len(comparison_list(sets))
    title = figure_title(sets, f"overlap with {sets.comparison_name}")
    if listed:
        title += "\n" + ";\n".join(ComparisonCounts.of(sets, prob_threshold).lines())
    elif axes is not None:
        axes = list(np.ravel(axes))[:1]  # type: ignore[arg-type]
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
        rf"this work with $p \geq {prob_threshold:g}$",
        rf"$p \geq {prob_threshold:g}$, projected radius $< 20$ pc, $G < 18$",
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
    faces = [(colour, _OPACITY) for colour in colours]
    labels = (f"only {names[0]}", "both", f"only {names[1]}")
    union = sum(counts)
    patches = [
        Patch(facecolor=colour, label=f"{label}: {count:,} ({100 * count / union:.1f} %)", lw=0)
        for colour, label, count in zip((faces[0], BOTH_LISTS, faces[1]), labels, counts, strict=True)
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


@rc_context(SETTINGS)
def membership_matrix_figure(
    sets: "SourceSets",
    *,
    prob_threshold: float = PROB_THRESHOLD,
    least_probability: float = 0.1,
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
    canvas = Canvas(axes, (1, 2), title=title, width=TWO_COLUMNS, left=36.0)
    if not len(comparison_list(sets)):
        for ax in canvas.axes:
            write_note(ax, NO_COMPARISON)
        return canvas.figure
    verdicts = membership_matrix(sets, prob_threshold=prob_threshold, least_probability=least_probability)
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


_POISSON_UPPER_LIMIT = 1.841
"""Upper limit (84 %) of the mean where nothing was counted (Gehrels 1986)."""


@rc_context(SETTINGS)
def density_profile_figure(
    sets: "SourceSets", *, prob_threshold: float = PROB_THRESHOLD, axes: Axes | None = None
) -> Figure:
    """Draw the surface density of each member list with its King profile.

    The profiles end at the largest circle that the sources of the cone fill.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold : float
        Least PMemb of a member of ours.
    axes : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Figure
    """
    outer_radius = complete_radius(sets)
    title = figure_title(sets, f"surface density\nThe cone is complete to {outer_radius:.1f} pc.")
    canvas = Canvas(axes, (1, 1), title=title, heights=0.9)
    ax = canvas.axes[0]
    lists = _member_lists(sets, prob_threshold)
    if not lists or not outer_radius:
        write_note(
            ax, "There are no members." if not lists else "The field does not surround the cluster's centre."
        )
        return canvas.figure
    ax.set_yscale("log")
    _number_logarithmic_axis(ax)
    for label, (kind, sources) in lists.items():
        profile = density_profile(sources["f_r"].to_numpy(float), outer_radius=outer_radius)
        number = f"{profile.counts.sum():,}" + (f" of {Count.of(sources)}" if kind == "ours" else "")
        draw_density_profile(ax, profile, kind=kind, label=f"{label} ({number})")
    _show_no_empty_decades(ax)
    ax.set_xlabel("projected radius [pc]")
    ax.set_ylabel("surface density [pc$^{-2}$]")
    handles, labels = ax.get_legend_handles_labels()
    if any(line.get_marker() == "v" for line in ax.lines):
        handles.append(Line2D([], [], ls="", marker="v", ms=4, mfc="none", color="black"))
        labels.append("upper limit (84 %) where there is no star")
    canvas.legend(handles=handles, labels=labels)
    return canvas.figure


def _show_no_empty_decades(ax: Axes) -> None:
    """End the axes at the drawn densities with their errors, and at most a decade below for upper limits."""
    drawn = [line for line in ax.lines if line.get_marker() not in ("None", "", None)]
    points = np.concatenate([line.get_xydata() for line in drawn] or [np.ones((1, 2))])
    counted = np.concatenate([line.get_ydata() for line in drawn if line.get_marker() != "v"] or [np.ones(1)])
    counted = counted[counted > 0]
    if not len(points) or not len(counted):
        return
    ax.set_xlim(points[:, 0].min() / 1.4, points[:, 0].max() * 1.25)
    ax.set_ylim(max(points[:, 1].min(), counted.min() / 10) / 2, points[:, 1].max() * 2)


def draw_density_profile(ax: Axes, profile: DensityProfile, *, kind: str, label: str) -> Axes:
    """Draw densities with errors, upper limits where nothing was counted, and the King profile.

    Annuli are joined until they are 0.05 dex wide; the King profile is fitted to the narrower ones.

    Parameters
    ----------
    ax : Axes
        With logarithmic scales.
    profile : DensityProfile
        What to draw.
    kind : str
        Key of `STYLES`.
    label : str
        Legend entry; the parameters of the King profile, or why there is none, are added.

    Returns
    -------
    Axes
        The axes given.
    """
    style = STYLES[kind]
    try:
        king = king_profile(profile)
        label += "\n" + _king_text(king)
        radius = np.geomspace(profile.radius[0] / 2, profile.edges[-1], 300)
        ax.plot(radius, king.density(radius), color=style.colour)
        ax.axvline(king.tidal_radius, color=style.colour, ls=":")
    except UnconstrainedProfileError as error:
        label += "\n" + textwrap.fill(f"no King profile: {error}", _LEGEND_LETTERS)
    profile = joined_annuli(profile)
    some = profile.counts > 0
    look = {"color": style.colour, "ls": "", "marker": style.marker, "ms": 3.5, "capsize": 1.5}
    look["mfc"] = style.colour if style.filled else "white"
    errors = np.minimum(profile.density_error, 0.999 * profile.density)[some], profile.density_error[some]
    ax.errorbar(profile.radius[some], profile.density[some], errors, label=label, **look)
    limits = _POISSON_UPPER_LIMIT / profile.area[~some]
    size = 3.5 if style.filled else 6  # lists without sources share their annuli and limits
    if not some.all():
        ax.plot(profile.radius[~some], limits, ls="", marker="v", ms=size, mfc="none", color=style.colour)
    return ax


def _king_text(king: KingProfile) -> str:
    k, core, tidal, background = king.errors
    lines = (
        rf"King: $k$ = {_with_error(king.amplitude, k)} pc$^{{-2}}$, "
        rf"$r_\mathrm{{c}}$ = {_with_error(king.core_radius, core)} pc,",
        rf"$r_\mathrm{{t}}$ = {_with_error(king.tidal_radius, tidal)} pc (dotted),",
        f"background {_with_error(king.background, background)} pc$^{{-2}}$"
        if king.background
        else "no background",
    )
    return "\n".join(lines)


def _with_error(value: float, error: float) -> str:
    """Value and error to two digits of the error."""
    decimals = max(0, 1 - int(np.floor(np.log10(error)))) if error > 0 else 3
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def complete_radius(sets: "SourceSets") -> float:
    """Largest projected radius [pc] around the cluster's centre that the sources of the cone fill."""
    tables = [
        table[["ra", "dec"]] for table in (sets.members, sets.candidates, sets.non_members) if len(table)
    ]
    if not tables:
        return 0.0
    ra, dec = pd.concat(tables).to_numpy(float).T
    return sets.cluster.dist * np.radians(
        field_radius(*tangent_plane(ra, dec, sets.cluster.ra, sets.cluster.dec))
    )


@rc_context(SETTINGS)
def mass_segregation_figure(
    sets: "SourceSets",
    *,
    rng: np.random.Generator,
    prob_threshold: float = PROB_THRESHOLD,
    axes: Axes | None = None,
) -> Figure:
    """Draw the mass segregation ratio of each member list against the number of brightest members.

    Field stars in a list are faint and spread widely, which looks like mass segregation: compare the lists,
    and use a high threshold or the sets within the tidal radius.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    rng : Generator
        Draws the random samples.
    prob_threshold : float
        Least PMemb of a member of ours.
    axes : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Figure
    """
    canvas = Canvas(axes, (1, 1), title=figure_title(sets, "mass segregation"), heights=0.8)
    ax = canvas.axes[0]
    drawn = 0
    lists = _member_lists(sets, prob_threshold)
    with_bands = [kind for kind, _ in lists.values() if kind != "members" or len(lists) < 3]
    for label, (kind, sources) in lists.items():
        ra, dec = sources[["ra", "dec"]].to_numpy(float).T
        positions = tangent_plane(ra, dec, sets.cluster.ra, sets.cluster.dec)
        segregation = mass_segregation(*positions, sources["phot_g_mean_mag"].to_numpy(), rng=rng)
        if len(segregation.n_brightest):
            number = Count.of(sources) if kind == "ours" else f"{len(sources):,}"
            text, band = f"{label} ({number})", kind in with_bands
            draw_mass_segregation(ax, segregation, kind=kind, label=text, has_band=band)
            drawn += 1
    if not drawn:
        write_note(ax, "No list has the 10 members that a mass segregation ratio needs.")
        return canvas.figure
    ax.axhline(1, color="black", lw=0.8)
    _number_logarithmic_axis(ax)
    ax.set_xlabel("number of brightest members ($G$)")
    ax.set_ylabel(r"$\Lambda_\mathrm{MSR}$ (1: not segregated)")
    canvas.legend(handles=ax.get_legend_handles_labels()[0])
    return canvas.figure


def draw_mass_segregation(
    ax: Axes, segregation: MassSegregation, *, kind: str, label: str, has_band: bool = True
) -> Axes:
    """Draw a mass segregation ratio with its band of one standard deviation.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    segregation : MassSegregation
        What to draw.
    kind : str
        Key of `STYLES`.
    label : str
        Legend entry.
    has_band : bool
        Whether the band is drawn; more than two hide one another.

    Returns
    -------
    Axes
        The axes given.
    """
    style = STYLES[kind]
    face = style.colour if style.filled else "white"
    n, ratio, error = segregation.n_brightest, segregation.ratio, segregation.ratio_error
    if has_band:
        ax.fill_between(n, ratio - error, ratio + error, color=style.colour, alpha=0.2, lw=0)
    ax.plot(n, ratio, color=style.colour, marker=style.marker, mfc=face, ms=3.5, label=label)
    return ax


def _member_lists(sets: "SourceSets", prob_threshold: float) -> dict[str, tuple[str, pd.DataFrame]]:
    """Key of the style and sources of each member list that is not empty, by label.

    Ours is left out where nothing was judged, for it would hide the training members.
    """
    lists = [
        (rf"this work, $p \geq {prob_threshold:g}$", "ours", our_members(sets, prob_threshold)),
        ("training members", "members", sets.members),
        (f"{sets.comparison_name} in the field", "comparison", sets.comparison),
    ]
    return {
        label: (kind, sources) for label, kind, sources in lists[not sets.is_evaluated() :] if len(sources)
    }


def _number_logarithmic_axis(ax: Axes) -> None:
    """Make the x axis logarithmic with plain numbers at 1, 2 and 5."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
