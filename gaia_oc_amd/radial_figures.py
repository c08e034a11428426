"""Figures against the radius: surface density with King profile, mass segregation."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from gaia_oc_amd.arguments import Threshold, checked
from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.canvas import Canvas, write_note
from gaia_oc_amd.member_list import PROB_THRESHOLD, Count, our_members
from gaia_oc_amd.plot_style import SETTINGS, STYLES, LineLook
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
from gaia_oc_amd.source_sets import SourceSets

_LEFT = 17.5
"""Space on the left of a surface density, whose numbers are long [mm]."""

_LEGEND_LETTERS = 52
"""Longest line in the legend of a figure of one column."""

_NO_PROFILE = "no King profile: "
"""What the reason in a legend entry begins with."""

_POISSON_UPPER_LIMIT = 1.841
"""Upper limit (84 %) of the mean where nothing was counted (Gehrels 1986)."""


@rc_context(SETTINGS)
@checked
def density_profile_figure(
    sets: SourceSets, *, prob_threshold: Threshold = PROB_THRESHOLD, axes: Axes | Sequence[Axes] | None = None
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
    canvas = Canvas(axes, (1, 1), title=title, heights=0.9, left=_LEFT)
    ax = canvas.axes[0]
    lists = _member_lists(sets, prob_threshold)
    if not lists or not outer_radius:
        write_note(
            ax, "There are no members." if not lists else "The field does not surround the cluster's centre."
        )
        return canvas.figure
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    _number_logarithmic_axis(ax)
    for label, (kind, sources) in lists.items():
        profile = density_profile(sources["f_r"].to_numpy(float), outer_radius=outer_radius)
        number = f"{profile.counts.sum():,} of {Count.of(sources) if kind == 'ours' else f'{len(sources):,}'}"
        between = " " if len(label) + len(number) < _LEGEND_LETTERS - 3 else "\n"
        words = f"{label}{between}({number})"
        draw_density_profile(ax, profile, kind=kind, label=words)
    _show_no_empty_decades(ax)
    ax.set_xlabel("projected radius [pc]")
    ax.set_ylabel("surface density [pc$^{-2}$]")
    handles, labels = ax.get_legend_handles_labels()
    reasons = {label.partition(_NO_PROFILE)[2] for label in labels}
    if len(reasons) == 1 < len(labels) and (reason := max(reasons)):  # said once, for all lists
        labels = [label.partition(_NO_PROFILE)[0].strip() for label in labels]
        handles.append(Line2D([], [], ls=""))
        labels.append(_NO_PROFILE + reason)
    if any(line.get_marker() == "v" for line in ax.lines):
        handles.append(Line2D([], [], ls="", marker="v", ms=4, mfc="none", color="black"))
        labels.append("upper limit (84 %) where there is no star")
    canvas.legend(handles=handles, labels=labels)
    return canvas.figure


def _show_no_empty_decades(ax: Axes) -> None:
    """End the axes at the drawn densities, and at most a decade below for errors and upper limits."""
    caps = ("_", "|")  # of error bars: that of a single star reaches nearly to 0
    drawn = [line for line in ax.lines if line.get_marker() not in ("None", "", None)]
    points = np.concatenate([line.get_xydata() for line in drawn] or [np.ones((1, 2))])
    counted = np.concatenate(
        [line.get_ydata() for line in drawn if line.get_marker() not in ("v", *caps)] or [np.ones(1)]
    )
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
        label += "\n" + textwrap.fill(f"{_NO_PROFILE}{error}", _LEGEND_LETTERS)
    profile = joined_annuli(profile)
    some = profile.counts > 0
    look: LineLook = {"color": style.colour, "ls": "", "marker": style.marker, "ms": 3.5}
    look["mfc"] = style.colour if style.filled else "white"
    errors = np.minimum(profile.density_error, 0.999 * profile.density)[some], profile.density_error[some]
    ax.errorbar(profile.radius[some], profile.density[some], errors, label=label, capsize=1.5, **look)
    limits = _POISSON_UPPER_LIMIT / profile.area[~some]
    # lists without a star in an annulus have the same limit there
    size = {"ours": 3.5, "training": 4.8}.get(kind, 6.1)
    if not some.all():
        ax.plot(profile.radius[~some], limits, ls="", marker="v", ms=size, mfc="none", color=style.colour)
    return ax


def _king_text(king: KingProfile) -> str:
    k, core, tidal, background = king.errors
    density = "pc\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT TWO}"
    parts = (
        f"King: k = {_with_error(king.amplitude, k)} {density}",
        f"core radius {_with_error(king.core_radius, core)} pc",
        f"tidal radius {_with_error(king.tidal_radius, tidal)} pc (dotted)",
        f"background {_with_error(king.background, background)} {density}"
        if king.background
        else "no background",
    )
    whole = [part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts]
    return textwrap.fill(", ".join(whole), _LEGEND_LETTERS)


def _with_error(value: float, error: float) -> str:
    """Value and error to two digits of the error."""
    decimals = max(0, 1 - int(np.floor(np.log10(error)))) if error > 0 else 3
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def complete_radius(sets: SourceSets) -> float:
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
@checked
def mass_segregation_figure(
    sets: SourceSets,
    *,
    rng: np.random.Generator,
    prob_threshold: Threshold = PROB_THRESHOLD,
    axes: Axes | Sequence[Axes] | None = None,
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
    with_bands = [kind for kind, _ in lists.values() if kind != "training" or len(lists) < 3]
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


def _member_lists(sets: SourceSets, prob_threshold: float) -> dict[str, tuple[str, pd.DataFrame]]:
    """Key of the style and sources of each member list that is not empty, by label.

    Ours is left out where nothing was judged, for it would hide the training members.
    """
    lists = [
        (f"this work, p ≥ {prob_threshold:g}", "ours", our_members(sets, prob_threshold)),
        ("training members", "training", sets.members),
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
