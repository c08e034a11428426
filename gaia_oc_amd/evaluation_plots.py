"""Figures that judge member lists and networks, and all the figures of an evaluation together."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from scipy.optimize import brentq

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.figures import (
    NO_COMPARISON,
    additional_members_figure,
    candidates_figure,
    comparison_figure,
    comparison_members,
    membership_matrix,
    missed_members_figure,
    new_members_figure,
    our_members,
    overlap_sets,
    within_radius,
)
from gaia_oc_amd.options import PlotOptions
from gaia_oc_amd.plotting import STYLE, STYLES, figure_title, new_figure, write_note
from gaia_oc_amd.profiles import (
    DensityProfile,
    KingProfile,
    MassSegregation,
    UnconstrainedProfileError,
    density_profile,
    field_radius,
    fit_king_profile,
    king_profile,
    mass_segregation,
)

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets

__all__ = [
    "candidates_figure",
    "density_profile_figure",
    "evaluation_figures",
    "mass_segregation_figure",
    "membership_matrix_figure",
    "training_metrics_figure",
    "venn_diagram_figure",
]

_BOTH = "#F0E442"
_POISSON_UPPER_LIMIT = 1.841
"""Upper limit (84 %) of the mean where nothing was counted (Gehrels 1986)."""
_METRICS = {
    "f1": ("F1", "#000000"),
    "precision": ("precision", "#0072B2"),
    "recall": ("recall", "#D55E00"),
    "selectivity": ("selectivity", "#009E73"),
    "accuracy": ("accuracy", "#E69F00"),
    "balanced_accuracy": ("balanced accuracy", "#CC79A7"),
}
_PARTS = (
    ("train", "training (dashed)", {"ls": "--", "lw": 0.9}),
    ("validation", "validation (solid)", {"lw": 1.3}),
)


@rc_context(STYLE)
def evaluation_figures(
    sets: "SourceSets", options: PlotOptions | None = None, *, seed: int = 42
) -> dict[str, Figure]:
    """Draw the figures of an evaluated cluster.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    options : PlotOptions, optional
        Which figures, with which thresholds, and whether only within a tidal radius (the smaller one if both
        are wanted). The density profile always shows all.
    seed : int
        Seed of the random samples of the mass segregation ratio.

    Returns
    -------
    dict of str to Figure
        By the name of the option without its ending ``_plot``.
    """
    from gaia_oc_amd.membership import cluster_rng

    options = options or PlotOptions()
    least = {"prob_threshold": options.candidate_prob_threshold}
    high = {"prob_threshold": options.new_members_prob_threshold}
    draw = {
        "new_members": partial(new_members_figure, **high),
        "comparison": partial(comparison_figure, **least),
        "additional_members": partial(additional_members_figure, **least),
        "missed_members": partial(missed_members_figure, **least),
        "venn_diagram": partial(venn_diagram_figure, **least),
        "membership_matrix": partial(
            membership_matrix_figure, **least, high_prob_threshold=options.new_members_prob_threshold
        ),
        "mass_segregation": partial(
            mass_segregation_figure, **least, rng=cluster_rng(seed, sets.cluster.name)
        ),
    }
    radius = _chosen_radius(sets, options)
    inner, note = (sets, "") if radius is None else (within_radius(sets, radius), f"\nwithin {radius:.1f} pc")
    figures = {}
    for name in options.switched_on():
        if name == "density_profile":
            figures[name] = density_profile_figure(sets, **least)
        else:
            figures[name] = draw[name](inner)
            figures[name].suptitle(figures[name].get_suptitle() + note)
    return figures


def _chosen_radius(sets: "SourceSets", options: PlotOptions) -> float | None:
    """Smallest of the wanted tidal radii [pc]; None, with a warning from the fit, if there is none."""
    lists = []
    if options.use_tidal_radius:
        lists.append(our_members(sets, options.candidate_prob_threshold))
    if options.use_comparison_tidal_radius:
        lists.append(comparison_members(sets, options.candidate_prob_threshold))
    outer_radius = complete_radius(sets)
    profiles = [density_profile(table["f_r"].to_numpy(float), outer_radius=outer_radius) for table in lists]
    kings = [fit_king_profile(profile) for profile in profiles]
    return min((king.tidal_radius for king in kings if king), default=None)


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
    lens = Circle((distance, 0), right, facecolor=_BOTH, lw=0)
    for x, radius, colour in ((0, left, colours[0]), (distance, right, colours[1])):
        ax.add_patch(Circle((x, 0), radius, facecolor=colour, alpha=0.75, lw=0))
    whole = Circle((0, 0), left, transform=ax.transData)
    ax.add_patch(lens)
    lens.set_clip_path(whole)
    for x, radius in ((0, left), (distance, right)):
        ax.add_patch(Circle((x, 0), radius, fill=False, lw=1.2, ec="black"))
    counts = (n_left - n_both, n_both, n_right - n_both)
    labels = (f"only {names[0]}", "both", f"only {names[1]}")
    union = sum(counts)
    patches = [
        Patch(facecolor=colour, label=f"{label}\n{count:,} ({100 * count / union:.1f} %)")
        for colour, label, count in zip((colours[0], _BOTH, colours[1]), labels, counts, strict=True)
    ]
    ax.legend(handles=patches, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3)
    ax.set_xlim(-1.08 * max(left, right - distance), 1.08 * max(distance + right, left))
    ax.set_ylim(-1.08 * max(left, right), 1.08 * max(left, right))
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


@rc_context(STYLE)
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
    axes = figure.subplots(2, 1)
    if sets.comparison.empty:
        for ax in axes:
            write_note(ax, NO_COMPARISON)
        return figure
    for ax, threshold, core in ((axes[0], prob_threshold, False), (axes[1], 0.5, True)):
        ours, theirs = overlap_sets(sets, threshold, core=core)
        draw_venn(ax, len(ours), len(theirs), len(ours & theirs), names=("this work", "comparison"))
        ax.set_title(rf"$p \geq {threshold:g}$" + (r", $f_r < 20$ pc, $G < 18$" if core else ""))
    return figure


@rc_context(STYLE)
def membership_matrix_figure(
    sets: "SourceSets", *, prob_threshold: float = 0.1, high_prob_threshold: float = 0.8
) -> Figure:
    """Draw our verdicts against those of the comparison list, counts and percentages of each column.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold, high_prob_threshold : float
        PMemb that divides the candidates in three.

    Returns
    -------
    Figure
    """
    figure = new_figure(figure_title(sets, "verdicts on each source"), size=(6.4, 5.2))
    ax = figure.subplots()
    if sets.comparison.empty:
        write_note(ax, NO_COMPARISON)
        return figure
    matrix = membership_matrix(sets, prob_threshold=prob_threshold, high_prob_threshold=high_prob_threshold)
    counts = matrix.to_numpy()
    share = counts / np.maximum(counts.sum(axis=0), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if share[row, column] > 0.55 else "black"
        text = f"{count:,}\n{100 * share[row, column]:.1f} %"
        ax.text(column, row, text, ha="center", va="center", color=colour)
    ax.set_xticks(
        range(2), [f"{name}\n({n:,})" for name, n in zip(matrix.columns, counts.sum(axis=0), strict=True)]
    )
    ax.set_yticks(range(len(matrix)), matrix.index)
    ax.tick_params(length=0)
    ax.set_xlabel("comparison list (percentages add up in each column)")
    ax.set_ylabel("this work")
    return figure


def _member_lists(sets: "SourceSets", prob_threshold: float) -> dict[str, tuple[str, pd.DataFrame]]:
    """Key of the style and sources of each member list that is not empty, by label."""
    lists = {
        rf"this work, $p \geq {prob_threshold:g}$": ("ours", our_members(sets, prob_threshold)),
        "training members": ("members", sets.members),
        "comparison list": ("comparison", sets.comparison),
    }
    return {label: entry for label, entry in lists.items() if len(entry[1])}


@rc_context(STYLE)
def density_profile_figure(sets: "SourceSets", *, prob_threshold: float = 0.1) -> Figure:
    """Draw the surface density of each member list with its King profile.

    The profiles end at the largest circle that the sources of the cone fill.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold : float
        Least PMemb of a candidate that counts as ours.

    Returns
    -------
    Figure
    """
    figure = new_figure(figure_title(sets, "surface density of the members"), size=(6.8, 6.6))
    ax = figure.subplots()
    outer_radius = complete_radius(sets)
    lists = _member_lists(sets, prob_threshold)
    if not lists or not outer_radius:
        write_note(
            ax, "There are no members." if not lists else "The field does not surround the cluster's centre."
        )
        return figure
    ax.set_yscale("log")
    _number_logarithmic_axis(ax)
    densities = []
    for label, (kind, sources) in lists.items():
        profile = density_profile(sources["f_r"].to_numpy(float), outer_radius=outer_radius)
        draw_density_profile(ax, profile, kind=kind, label=f"{label} ({profile.counts.sum():,})")
        densities.append(profile.density[profile.counts > 0])
    shown = np.concatenate(densities)
    if len(shown):
        ax.set_ylim(0.2 * shown.min(), 4 * shown.max())
    ax.set_xlabel(f"$f_r$ [pc] (field complete to {outer_radius:.1f} pc; ▽: upper limit, no source)")
    ax.set_ylabel("surface density [pc$^{-2}$]")
    figure.legend(loc="outside lower center")
    return figure


def _number_logarithmic_axis(ax: Axes) -> None:
    """Make the x axis logarithmic with plain numbers at 1, 2 and 5."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


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
    ax.plot(profile.radius[~some], limits, ls="", marker="v", ms=4, mfc="none", color=style.colour, alpha=0.6)
    return ax


def _king_text(king: KingProfile) -> str:
    k, core, tidal, background = king.errors
    return (
        f"King: $k$ = {_with_error(king.amplitude, k)} pc$^{{-2}}$, "
        rf"$r_\mathrm{{c}}$ = {_with_error(king.core_radius, core)} pc, "
        rf"$r_\mathrm{{t}}$ = {_with_error(king.tidal_radius, tidal)} pc (dotted)," + "\n"
        f"background {_with_error(king.background, background)} pc$^{{-2}}$"
    )


def _with_error(value: float, error: float) -> str:
    """Value and error to two digits of the error."""
    decimals = max(0, 1 - int(np.floor(np.log10(error)))) if error > 0 else 3
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


@rc_context(STYLE)
def mass_segregation_figure(
    sets: "SourceSets", *, rng: np.random.Generator, prob_threshold: float = 0.1
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
        Least PMemb of a candidate that counts as ours.

    Returns
    -------
    Figure
    """
    figure = new_figure(figure_title(sets, "mass segregation"), size=(6.8, 5.0))
    ax = figure.subplots()
    drawn = 0
    for label, (kind, sources) in _member_lists(sets, prob_threshold).items():
        ra, dec = sources[["ra", "dec"]].to_numpy(float).T
        positions = tangent_plane(ra, dec, sets.cluster.ra, sets.cluster.dec)
        segregation = mass_segregation(*positions, sources["phot_g_mean_mag"].to_numpy(), rng=rng)
        if len(segregation.n_brightest):
            draw_mass_segregation(ax, segregation, kind=kind, label=f"{label} ({len(sources):,})")
            drawn += 1
    if not drawn:
        write_note(ax, "No list has the 10 members that a mass segregation ratio needs.")
        return figure
    ax.axhline(1, color="black", lw=0.8)
    _number_logarithmic_axis(ax)
    ax.set_xlabel("number of brightest members ($G$)")
    ax.set_ylabel(r"$\Lambda_\mathrm{MSR}$ (1: not segregated)")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


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


@rc_context(STYLE)
def training_metrics_figure(metrics: Mapping[str, Any]) -> Figure:
    """Draw loss and classification metrics against epoch, as Fig. 2 of van Groeningen et al. (2023).

    Parameters
    ----------
    metrics : mapping
        'train' and 'validation', each a mapping of 'loss', 'precision', 'recall', 'selectivity', 'accuracy',
        'balanced_accuracy' and 'f1' to lists with a value for each epoch; 'best_epoch', counted from 0.
        What is absent is not drawn.

    Returns
    -------
    Figure
    """
    figure = new_figure("training of the network", size=(7.2, 7.2))
    loss, scores = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.5))
    drawn = 0
    for part, label, look in _PARTS:
        curves = metrics.get(part) or {}
        drawn += _draw_curve(loss, curves.get("loss"), label=label, color="black", **look)
        for name, (_, colour) in _METRICS.items():
            drawn += _draw_curve(scores, curves.get(name), color=colour, **look)
    if not drawn:
        write_note(loss, "There is no training history.")
        scores.set_axis_off()
        return figure
    _mark_best_epoch(loss, scores, metrics.get("best_epoch"))
    loss.set_ylabel("loss")
    scores.set_ylabel("metric")
    scores.set_xlabel("epoch")
    loss.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    handles = [Line2D([], [], color=colour, label=label) for label, colour in _METRICS.values()]
    scores.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _draw_curve(ax: Axes, values: Any, **look: Any) -> int:
    """Draw a curve against epoch; the number of curves drawn, 0 if there are no values."""
    if values is None or not len(values):
        return 0
    marker = "o" if len(values) == 1 else ""
    ax.plot(np.arange(1, len(values) + 1), np.asarray(values, float), marker=marker, **look)
    return 1


def _mark_best_epoch(loss: Axes, scores: Axes, best_epoch: int | None) -> None:
    if best_epoch is None or best_epoch < 0:
        return
    for ax in (loss, scores):
        ax.axvline(best_epoch + 1, color="black", ls=":", lw=1.0, label=f"best epoch: {best_epoch + 1}")
