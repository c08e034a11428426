"""Figures of the Leavitt law: the law with residuals, its posterior, the sky, and the modulus of the LMC."""

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from gaia_oc_amd.canvas import TWO_COLUMNS, Canvas, n_beyond
from gaia_oc_amd.cepheids.distance import LITERATURE_MODULUS, Modulus
from gaia_oc_amd.cepheids.law import LeavittLaw
from gaia_oc_amd.cepheids.model import K
from gaia_oc_amd.plot_style import (
    LINE_COLOURS,
    PAPER,
    PROBABILITY_COLOURS,
    SETTINGS,
    STYLES,
    PointLook,
    marker_area,
)

_CORNER = {
    "zero_point": r"zero point [mag]",
    "slope": "slope [mag]",
    "scatter": "scatter [mag]",
    "offset": r"$\varpi_0$ [mas]",
    "offset_slope": "d$\\varpi_0$/d$G$\n[mas/mag]",
    "outlier_fraction": "share of outliers",
}
_LINES = (("#E69F00", 1.4), ("#56B4E9", 3.4), ("#000000", 1.0))
"""Colours and widths of the three laws; the last two often lie on one another."""
_GOOD = 5.0
"""Parallaxes over their errors: only of these a magnitude can be shown."""


@rc_context(SETTINGS)
def law_figure(stars: pd.DataFrame, laws: dict[str, LeavittLaw], modulus: Modulus | None) -> Figure:
    """Absolute Wesenheit magnitudes against periods, with the laws, and below them residuals in parallax.

    Parameters
    ----------
    stars : DataFrame
        Selected Cepheids of both galaxies, with outlier_probability.
    laws : dict of str to LeavittLaw
        Of the three estimators.
    modulus : Modulus or None
        Of the LMC, at which its stars are drawn.
    """
    title = "Leavitt law of Cepheids in the Milky Way"
    canvas = Canvas(None, (2, 1), title=title, width=TWO_COLUMNS, heights=(0.62, 0.28), has_bar=True)
    top, bottom = canvas.axes
    bottom.sharex(top)
    law = laws["posterior"]
    ours, far = stars[stars["galaxy"] == "Milky Way"], stars[stars["galaxy"] == "LMC"]
    field: PointLook = {"color": STYLES["field"].colour, "lw": 0, "s": marker_area(len(far))}
    if modulus and len(far):
        label = f"LMC at {modulus.value:.2f} mag ({len(far):,})"
        top.scatter(
            far["log_period"], far["wesenheit"] - modulus.value, label=label, rasterized=True, **field
        )
    parallax = ours["parallax"] - law.values["offset"]
    good = ours[parallax > _GOOD * ours["parallax_error"]]
    absolute = good["wesenheit"] + 5 * np.log10(parallax[good.index] / 1000) + 5
    look: PointLook = {"cmap": PROBABILITY_COLOURS.removesuffix("_r"), "vmin": 0, "vmax": 1, "s": 14, "lw": 0}
    label = f"Milky Way, parallax over {_GOOD:g} errors ({len(good):,})"
    top.scatter([], [], s=look["s"], lw=0, color=colormaps[look["cmap"]](0.0), label=label)  # as most are
    drawn = top.scatter(good["log_period"], absolute, c=good["outlier_probability"], zorder=3, **look)
    x = np.linspace(stars["log_period"].min(), stars["log_period"].max(), 100)
    for (method, each), (colour, width) in zip(laws.items(), _LINES, strict=True):
        top.plot(x, each.absolute(x), color=colour, lw=width, zorder=4, label=_words(method))
    centre = law.absolute(np.array([stars["log_period"].median()]))[0]
    top.set_ylim(centre + 6, centre - 5)
    top.set_ylabel("$M_W$ [mag]")
    predicted = 10 ** (0.2 * (law.absolute(ours["log_period"].to_numpy(float)) - ours["wesenheit"]) + 2)
    error = np.hypot(ours["parallax_error"], K * law.values["scatter"] * predicted)
    residual = (parallax - predicted) / error
    bottom.scatter(ours["log_period"], residual, c=ours["outlier_probability"], **look)
    bottom.axhline(0, color="#000000", lw=1)
    bottom.set_ylim(-6, 8)
    bottom.set_xlabel(r"$\log_{10}(P\,/\,\mathrm{d})$")
    bottom.set_ylabel(r"$(\varpi - \mathrm{law})\,/\,\sigma$")
    for ax, periods, values in ((top, good["log_period"], absolute), (bottom, ours["log_period"], residual)):
        if n := n_beyond(ax, periods, values):
            ax.set_title(f"{n:,} star{'s' * (n > 1)} of the Milky Way beyond the axes")
    canvas.colour_bar(drawn, "probability to follow no law")
    canvas.fit_panel_titles()
    canvas.legend(handles=top.get_legend_handles_labels()[0], ncols=2)
    return canvas.figure


def _words(method: str) -> str:
    words = {"distances": "least squares of distances", "parallaxes": "least squares of parallaxes"}
    return words.get(method, "posterior")


@rc_context(SETTINGS)
def corner_figure(law: LeavittLaw) -> Figure:
    """Posterior of the law's parameters, each against each.

    Raises
    ------
    ImportError
        If corner is not installed.
    """
    try:
        import corner
    except ImportError as error:
        raise ImportError("The corner plot needs corner: pip install 'emcee>=3.1' 'corner>=2.2'.") from error
    draws = np.column_stack([law.drawn(name) for name in _CORNER])
    figure = Figure(figsize=(7.09, 7.09))
    corner.corner(
        draws,
        fig=figure,
        labels=list(_CORNER.values()),
        quantiles=(0.16, 0.5, 0.84),
        color=LINE_COLOURS[1],
        plot_datapoints=False,
        labelpad=0.05,
        max_n_ticks=3,  # more would meet those of the panel beside
    )
    figure.subplots_adjust(left=0.09, bottom=0.09)
    figure.suptitle(f"Posterior of the Leavitt law, {law.n_stars:,} Cepheids")
    return figure


@rc_context(SETTINGS)
def sky_figure(stars: pd.DataFrame) -> Figure:
    """Selected Cepheids on the sky, in galactic coordinates, by what they are used for."""
    from astropy.coordinates import SkyCoord

    title = "Cepheids on the sky, galactic coordinates"
    canvas = Canvas(None, (1, 1), title=title, width=TWO_COLUMNS, heights=0.5, projection="mollweide")
    ax = canvas.axes[0]
    place = SkyCoord(stars["ra"].to_numpy(), stars["dec"].to_numpy(), unit="deg").galactic
    longitude, latitude = -place.l.wrap_at("180d").radian, place.b.radian  # longitudes grow to the left
    for galaxy, colour in (
        ("other", STYLES["field"].colour),
        ("Milky Way", LINE_COLOURS[1]),
        ("LMC", LINE_COLOURS[2]),
    ):
        here = (stars["galaxy"] == galaxy).to_numpy()
        words = {"other": "not used", "Milky Way": "calibrate"}.get(galaxy, galaxy)
        label = f"{words} ({here.sum():,})"
        ax.scatter(longitude[here], latitude[here], s=4, lw=0, color=colour, label=label, rasterized=True)
    ax.set_xticks(
        np.radians(np.arange(-120, 121, 60)), [f"{-degree % 360}°" for degree in range(-120, 121, 60)]
    )
    ax.set_xlabel("longitude increases to the left")
    ax.set_axisbelow(False)  # the longitudes stand among the stars
    for number in ax.get_xticklabels():
        number.set_path_effects([withStroke(linewidth=2.0, foreground=PAPER)])
    ax.grid(alpha=0.3, lw=0.5)
    canvas.legend(handles=ax.get_legend_handles_labels()[0], ncols=3, markerscale=2.5)
    return canvas.figure


@rc_context(SETTINGS)
def modulus_figure(moduli: dict[str, Modulus]) -> Figure:
    """Distributions of the modulus of the LMC by each law, beside the literature's value."""
    canvas = Canvas(None, (1, 1), title="Distance modulus of the Large Magellanic Cloud", heights=0.8)
    ax = canvas.axes[0]
    value, error = LITERATURE_MODULUS
    ax.axvspan(value - error, value + error, color=STYLES["field"].colour, alpha=0.5, lw=0)
    ax.axvline(value, color="#000000", lw=1, label=f"eclipsing binaries {value:.3f} $\\pm$ {error:.3f}")
    shown = [each for each in moduli.values() if abs(each.value - value) < 1.5]
    for each, colour in zip(shown, LINE_COLOURS[1:], strict=False):
        label = f"{each.method}: {each.value:.2f} $\\pm$ {each.error:.2f} $\\pm$ {each.systematic:.2f}"
        ax.hist(each.draws, bins=60, density=True, histtype="step", lw=1.4, color=colour, label=label)
    ax.set_xlabel(r"$m - M$ [mag]")
    ax.set_ylabel("density [1/mag]")
    canvas.legend(handles=ax.get_legend_handles_labels()[0])
    return canvas.figure
