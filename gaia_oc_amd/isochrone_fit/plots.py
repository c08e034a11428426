"""Figure of an isochrone fit: the colour-magnitude diagram, and age against extinction."""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gaia_oc_amd.canvas import TWO_COLUMNS, Canvas, n_beyond
from gaia_oc_amd.isochrone_fit.fit import IsochroneFit
from gaia_oc_amd.isochrone_fit.options import IsochroneFitOptions
from gaia_oc_amd.isochrones import FARTHEST_AGE, Isochrone, one_isochrone, place_isochrone
from gaia_oc_amd.plot_style import LABELS, LINE_COLOURS, SETTINGS, STYLES, LineLook, marker_area

_FITTED, _KNOWN, _STARS = LINE_COLOURS[2], LINE_COLOURS[3], STYLES["members"].colour
_BAND: LineLook = {"color": _FITTED, "lw": 0.8, "alpha": 0.06, "zorder": 1.5}
_N_CURVES = 60
_AGE_TICKS = 5
"""Numbers at the axis of the age, at most; more of three decimals would touch."""


@rc_context(SETTINGS)
def isochrone_fit_figure(
    name: str,
    stars: pd.DataFrame,
    fit: IsochroneFit,
    isochrones: pd.DataFrame,
    known: dict[str, float],
    options: IsochroneFitOptions,
) -> Figure:
    """Draw the stars with the fitted isochrone and its band, and the posterior of age and extinction.

    Parameters
    ----------
    name : str
        Cluster name.
    stars : DataFrame
        The members, with the colour of the options and phot_g_mean_mag [mag].
    fit : IsochroneFit
        What was fitted.
    isochrones : DataFrame
        The table that was fitted.
    known : dict of str to float
        age, a0 and dist of a catalogue, where it has them all; else they are not drawn.
    options : IsochroneFitOptions
        Of the fit.

    Returns
    -------
    Figure
        Two panels.
    """
    limit = {"upper": ", an upper limit", "lower": ", a lower limit", "both": ", undetermined"}
    title = (
        f"{name.replace('_', ' ')}: log age {_interval(fit, 'age', 2)}{limit.get(fit.age_limit(), '')}, "
        f"A0 {_interval(fit, 'a0', 2)} mag, {_interval(fit, 'dist', 0)} pc"
    )
    canvas = Canvas(None, (1, 2), title=title, width=TWO_COLUMNS)
    diagram, posterior = canvas.axes
    draw_diagram(diagram, stars, fit, isochrones, known, options)
    draw_posterior(posterior, fit, known)
    canvas.fit_panel_titles()
    handles, labels = diagram.get_legend_handles_labels()
    canvas.legend(handles=handles, labels=labels, ncols=4)
    return canvas.figure


def _interval(fit: IsochroneFit, name: str, digits: int) -> str:
    middle, lower, upper = (getattr(fit, key) for key in (name, f"{name}_lower", f"{name}_upper"))
    return f"{middle:.{digits}f} (+{upper - middle:.{digits}f} \N{MINUS SIGN}{middle - lower:.{digits}f})"


def draw_diagram(
    ax: Axes,
    stars: pd.DataFrame,
    fit: IsochroneFit,
    isochrones: pd.DataFrame,
    known: dict[str, float],
    options: IsochroneFitOptions,
) -> Axes:
    """Draw stars, the fitted isochrone, draws from its posterior, and the catalogue's isochrone dashed."""
    colour, g = (stars[column].to_numpy(float) for column in (options.colour, "phot_g_mean_mag"))

    def curve(age: float, a0: float, dist: float) -> Isochrone:
        points = one_isochrone(isochrones, age, metal_fraction=options.metal_fraction)
        return place_isochrone(points, dist, a0, colour=options.colour)

    for age, a0, modulus in fit.draws[:_N_CURVES]:
        drawn = curve(age, a0, 10 ** (0.2 * modulus + 1))
        ax.plot(drawn.colour, drawn.g, **_BAND)
    fitted = f"; {fit.n_stars:,} fitted" if fit.n_stars < len(stars) else ""
    label = f"members ({len(stars):,}{fitted})"
    ax.scatter(colour, g, s=marker_area(len(stars)), color=_STARS, lw=0, zorder=3, label=label)
    best = curve(fit.best_age, fit.best_a0, fit.best_dist)
    ax.plot(best.colour, best.g, color=_FITTED, lw=1.2, zorder=4, label=f"fit, with {_N_CURVES} draws")
    if len(known) == 3 and fit.youngest - FARTHEST_AGE < known["age"] < fit.oldest + FARTHEST_AGE:
        table = curve(known["age"], known["a0"], known["dist"])
        ax.plot(table.colour, table.g, color=_KNOWN, lw=1.2, ls=(0, (4, 3)), zorder=3.5, label="catalogue")
    ends = [np.nanquantile(colour, (0.005, 0.995)), (np.nanmin(g), np.nanmax(g))]
    ax.set_xlim(ends[0][0] - 0.3, ends[0][1] + 0.3)
    ax.set_ylim(ends[1][1] + 0.5, ends[1][0] - 0.8)
    if n := n_beyond(ax, colour, g):
        ax.set_title(f"{n:,} star{'s' * (n > 1)} beyond the axes")
    ax.minorticks_on()
    ax.set_box_aspect(1)
    ax.set_xlabel(LABELS[options.colour])
    ax.set_ylabel("$G$ [mag]")
    return ax


def draw_posterior(ax: Axes, fit: IsochroneFit, known: dict[str, float]) -> Axes:
    """Draw age against A0: draws from the posterior, the 16 to 84 % ranges, and the catalogue's values."""
    rng = np.random.default_rng(0)  # spreads the draws over their cells; says nothing else
    steps = [np.min(np.diff(np.unique(values)), initial=0.05) for values in fit.draws[:, :2].T]
    places = fit.draws[:, :2] + rng.uniform(-0.5, 0.5, (len(fit.draws), 2)) * steps
    ax.scatter(places[:, 0], places[:, 1], s=6, color=_FITTED, alpha=0.3, lw=0, label="draws")
    errors = [
        [
            [getattr(fit, key) - getattr(fit, f"{key}_lower")],
            [getattr(fit, f"{key}_upper") - getattr(fit, key)],
        ]
        for key in ("age", "a0")
    ]
    ax.errorbar(fit.age, fit.a0, errors[1], errors[0], color="black", marker="o", ms=4, capsize=3, lw=1.2)
    if {"age", "a0"} <= set(known):
        ax.plot(known["age"], known["a0"], marker="s", ms=7, mfc="none", mew=1.5, ls="", color=_KNOWN)
    ax.xaxis.set_major_locator(MaxNLocator(_AGE_TICKS))
    ax.minorticks_on()
    ax.set_box_aspect(1)
    ax.set_xlabel(r"$\log_{10}$(age / yr)")
    ax.set_ylabel("$A_0$ [mag]")
    return ax
