"""Figures of the radial structure of the member lists: surface density, mass segregation."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.plot_style import SETTINGS, STYLES
from gaia_oc_amd.plotting import figure_title, new_figure, write_note
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
from gaia_oc_amd.source_sets import comparison_members, our_members

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


_POISSON_UPPER_LIMIT = 1.841
"""Upper limit (84 %) of the mean where nothing was counted (Gehrels 1986)."""


@rc_context(SETTINGS)
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


def _member_lists(sets: "SourceSets", prob_threshold: float) -> dict[str, tuple[str, pd.DataFrame]]:
    """Key of the style and sources of each member list that is not empty, by label.

    Ours is left out where it holds the training members only, which would hide it.
    """
    ours, probable = our_members(sets, prob_threshold), rf"$p \geq {prob_threshold:g}$"
    lists = [
        (f"this work, {probable}", "ours", ours),
        ("training members", "members", sets.members),
        ("comparison list", "comparison", comparison_members(sets, prob_threshold)),
    ]
    if len(ours) == len(sets.members):
        lists[:2] = [(f"training members, no candidate with {probable}", "members", sets.members)]
    return {label: (kind, sources) for label, kind, sources in lists if len(sources)}


def _number_logarithmic_axis(ax: Axes) -> None:
    """Make the x axis logarithmic with plain numbers at 1, 2 and 5."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
