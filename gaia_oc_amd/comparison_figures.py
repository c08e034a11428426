"""Figures that compare two lists: Venn diagram, matrix, density profile, mass segregation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.comparison import ComparisonCounts, comparison_list, membership_matrix, overlap_sets
from gaia_oc_amd.member_list import PROB_THRESHOLD, Count, our_members
from gaia_oc_amd.plot_style import BOTH_LISTS, SETTINGS, STYLES
from gaia_oc_amd.plotting import NO_COMPARISON, Canvas, figure_title, write_note
from gaia_oc_amd.profiles import (
    DensityProfile,
    KingProfile,
    MassSegregation,
    UnconstrainedProfileError,
    density_profile,
    field_radius,
    king_profile,
    mass_segregation,
)

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


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
        Least PMemb of a member of ours. The upper diagram has the whole comparison list, in the cone or not; the
        lower one what has p >= the threshold in both lists, f_r < 20 pc and G < 18.
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
    canvas = Canvas(axes, (2, 1) if listed else (1, 1), title=title, size=(6.2, 8.2))
    if not listed:
        write_note(canvas.axes[0], NO_COMPARISON)
        return canvas.figure
    pairs = [overlap_sets(sets, prob_threshold, core=core) for core in (False, True)]
    numbers = [(len(ours), len(theirs), len(ours & theirs)) for ours, theirs in pairs]
    draw_two_venns(canvas.axes, numbers, sets.comparison_name, prob_threshold)
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
    canvas = Canvas(None, (2, 1), title=title, size=(6.2, 8.2))
    draw_two_venns(canvas.axes, numbers, name, prob_threshold)
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
        rf"$p \geq {prob_threshold:g}$, $f_r < 20$ pc, $G < 18$",
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
    axes: Axes | None = None,
) -> Figure:
    """Draw our verdicts on the stars of the comparison list and on others, counts and percentages of each column.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold, least_probability : float
        PMemb of a member, and of a star in the member list.
    axes : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Figure
    """
    canvas = Canvas(axes, (1, 1), title=figure_title(sets, "verdicts on each source"), size=(6.4, 5.8))
    ax = canvas.axes[0]
    if not len(comparison_list(sets)):
        write_note(ax, NO_COMPARISON)
        return canvas.figure
    matrix = membership_matrix(sets, prob_threshold=prob_threshold, least_probability=least_probability)
    counts = matrix.to_numpy()
    share = counts / np.maximum(counts.sum(axis=0), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if share[row, column] > 0.55 else "black"
        percentage = "< 0.1 %" if 0 < share[row, column] < 0.0005 else f"{100 * share[row, column]:.1f} %"
        text = f"{count:,}\n{percentage}"
        ax.text(column, row, text, ha="center", va="center", color=colour)
    ax.set_xticks(
        range(2), [f"{name}\n({n:,})" for name, n in zip(matrix.columns, counts.sum(axis=0), strict=True)]
    )
    ax.set_yticks(range(len(matrix)), matrix.index)
    ax.tick_params(length=0)
    ax.set_xlabel(f"{sets.comparison_name} (percentages add up in each column)")
    ax.set_ylabel("this work")
    return canvas.figure


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
    canvas = Canvas(axes, (1, 1), title=figure_title(sets, "surface density of the members"), size=(6.8, 6.6))
    ax = canvas.axes[0]
    outer_radius = complete_radius(sets)
    lists = _member_lists(sets, prob_threshold)
    if not lists or not outer_radius:
        write_note(
            ax, "There are no members." if not lists else "The field does not surround the cluster's centre."
        )
        return canvas.figure
    ax.set_yscale("log")
    _number_logarithmic_axis(ax)
    densities = []
    for label, (kind, sources) in lists.items():
        profile = density_profile(sources["f_r"].to_numpy(float), outer_radius=outer_radius)
        number = f"{profile.counts.sum():,}" + (f" of {Count.of(sources)}" if kind == "ours" else "")
        draw_density_profile(ax, profile, kind=kind, label=f"{label} ({number})")
        densities.append(profile.density[profile.counts > 0])
    shown = np.concatenate(densities)
    if len(shown):
        ax.set_ylim(0.2 * shown.min(), 4 * shown.max())
    ax.set_xlabel(f"$f_r$ [pc] (field complete to {outer_radius:.1f} pc; ▽: upper limit, no source)")
    ax.set_ylabel("surface density [pc$^{-2}$]")
    canvas.legend()
    return canvas.figure


def draw_density_profile(ax: Axes, profile: DensityProfile, *, kind: str, label: str) -> Axes:
    """Draw densities with errors, upper limits where nothing was counted, and the King profile.

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
    style, some = STYLES[kind], profile.counts > 0
    try:
        king = king_profile(profile)
        label += "\n" + _king_text(king)
        radius = np.geomspace(profile.radius[0] / 2, profile.edges[-1], 300)
        ax.plot(radius, king.density(radius), color=style.colour)
        ax.axvline(king.tidal_radius, color=style.colour, ls=":")
    except UnconstrainedProfileError as error:
        label += f"\nno King profile: {error}"
    look = {"color": style.colour, "ls": "", "marker": style.marker, "ms": 4, "capsize": 2}
    look["mfc"] = style.colour if style.filled else "white"
    errors = np.minimum(profile.density_error, 0.999 * profile.density)[some], profile.density_error[some]
    ax.errorbar(profile.radius[some], profile.density[some], errors, label=label, **look)
    limits = _POISSON_UPPER_LIMIT / profile.area[~some]
    size = 4 if style.filled else 7  # lists without sources share their annuli and limits
    ax.plot(profile.radius[~some], limits, ls="", marker="v", ms=size, mfc="none", color=style.colour)
    return ax


def _king_text(king: KingProfile) -> str:
    k, core, tidal, background = king.errors
    return (
        f"King: $k$ = {_with_error(king.amplitude, k)} pc$^{{-2}}$, "
        rf"$r_\mathrm{{c}}$ = {_with_error(king.core_radius, core)} pc, "
        rf"$r_\mathrm{{t}}$ = {_with_error(king.tidal_radius, tidal)} pc (dotted),"
        + "\n"
        + (
            f"background {_with_error(king.background, background)} pc$^{{-2}}$"
            if king.background
            else "no background"
        )
    )


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
    canvas = Canvas(axes, (1, 1), title=figure_title(sets, "mass segregation"), size=(6.8, 5.0))
    ax = canvas.axes[0]
    drawn = 0
    for label, (kind, sources) in _member_lists(sets, prob_threshold).items():
        ra, dec = sources[["ra", "dec"]].to_numpy(float).T
        positions = tangent_plane(ra, dec, sets.cluster.ra, sets.cluster.dec)
        segregation = mass_segregation(*positions, sources["phot_g_mean_mag"].to_numpy(), rng=rng)
        if len(segregation.n_brightest):
            number = Count.of(sources) if kind == "ours" else f"{len(sources):,}"
            draw_mass_segregation(ax, segregation, kind=kind, label=f"{label} ({number})")
            drawn += 1
    if not drawn:
        write_note(ax, "No list has the 10 members that a mass segregation ratio needs.")
        return canvas.figure
    ax.axhline(1, color="black", lw=0.8)
    _number_logarithmic_axis(ax)
    ax.set_xlabel("number of brightest members ($G$)")
    ax.set_ylabel(r"$\Lambda_\mathrm{MSR}$ (1: not segregated)")
    canvas.legend(ncols=3)
    return canvas.figure


def draw_mass_segregation(ax: Axes, segregation: MassSegregation, *, kind: str, label: str) -> Axes:
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

    Returns
    -------
    Axes
        The axes given.
    """
    style = STYLES[kind]
    face = style.colour if style.filled else "white"
    n, ratio, error = segregation.n_brightest, segregation.ratio, segregation.ratio_error
    ax.fill_between(n, ratio - error, ratio + error, color=style.colour, alpha=0.2, lw=0)
    ax.plot(n, ratio, color=style.colour, marker=style.marker, mfc=face, ms=4, label=label)
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
