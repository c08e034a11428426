"""The four panels that show sources: sky, parallax, proper motion, colour-magnitude diagram."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.isochrones import isochrone_offsets
from gaia_oc_amd.plot_style import LABELS
from gaia_oc_amd.plotting import (
    Layer,
    Range,
    any_finite,
    common_range,
    draw_contour,
    draw_layers,
    draw_line,
    foreground,
)

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets

Array = NDArray[np.float64]


_SMALLEST_FIELD = 0.01
"""Half the width of the sky panel, at least [deg]."""


_WIDEST_PM = 4


_WIDEST_PARALLAX = 12
"""Half the widths of the proper motion and parallax panels, at most, in units of the limits: the large
errors of faint candidates would squash the rest."""


def sky_panel(ax: Axes, sets: "SourceSets", layers: Sequence[Layer]) -> Axes:
    """Draw the sources' offsets from the cluster centre on the sky, east to the left.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    sets : SourceSets
        Gives the centre.
    layers : sequence of Layer
        With ra and dec [deg].

    Returns
    -------
    Axes
        The axes given, [deg].
    """

    def offsets(sources: pd.DataFrame) -> tuple[Array, Array]:
        ra, dec = sources["ra"].to_numpy(float), sources["dec"].to_numpy(float)
        return tangent_plane(ra, dec, sets.cluster.ra, sets.cluster.dec)

    points = [offsets(layer.sources) for layer in layers]
    reached = np.concatenate([[], *(np.ravel(xy) for xy in points)])
    half = 1.04 * np.nanmax(np.abs(reached)) if any_finite(reached) else 1.0
    half = max(float(half), _SMALLEST_FIELD)
    draw_layers(ax, layers, points, ((half, -half), (-half, half)))
    ax.set_aspect("equal", adjustable="box")
    ax.set_xlabel(LABELS["sky_x"])
    ax.set_ylabel(LABELS["sky_y"])
    return ax


def proper_motion_panel(ax: Axes, sets: "SourceSets", layers: Sequence[Layer]) -> Axes:
    """Draw proper motions, and the limit for sources without uncertainties as a dashed circle.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    sets : SourceSets
        Gives the centre and the limit.
    layers : sequence of Layer
        With pmra and pmdec [mas/yr].

    Returns
    -------
    Axes
        The axes given, [mas/yr].
    """
    centre, limit = (sets.cluster.pmra, sets.cluster.pmdec), sets.limits.pm
    points = [tuple(layer.sources[["pmra", "pmdec"]].to_numpy(float).T) for layer in layers]
    separations = [np.hypot(x - centre[0], y - centre[1]) for x, y in points]
    half = min(common_range(layers, separations, (1.3 * limit,))[1], _WIDEST_PM * limit)
    ranges = tuple((float(value - half), float(value + half)) for value in centre)
    draw_layers(ax, layers, points, ranges)
    angle = np.linspace(0, 2 * np.pi, 200)
    draw_line(ax, centre[0] + limit * np.cos(angle), centre[1] + limit * np.sin(angle), dashed=True)
    ax.set_aspect("equal", adjustable="box")
    ax.set_xlabel(LABELS["pmra"])
    ax.set_ylabel(LABELS["pmdec"])
    return ax


def parallax_panel(ax: Axes, sets: "SourceSets", layers: Sequence[Layer]) -> Axes:
    """Draw parallax against G, and the limits for sources without uncertainties as dashed lines.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    sets : SourceSets
        Gives the mean parallax and the limits.
    layers : sequence of Layer
        With phot_g_mean_mag [mag] and parallax [mas].

    Returns
    -------
    Axes
        The axes given, [mag] and [mas].
    """
    mean, limits = sets.cluster.parallax, sets.limits
    bounds = (mean - limits.parallax_far, mean + limits.parallax_near)
    points = [tuple(layer.sources[["phot_g_mean_mag", "parallax"]].to_numpy(float).T) for layer in layers]
    wide = (mean - 1.3 * limits.parallax_far, mean + 1.3 * limits.parallax_near)
    lower, upper = common_range(layers, [y for _, y in points], wide)
    lower = max(lower, mean - _WIDEST_PARALLAX * limits.parallax_far)
    upper = min(upper, mean + _WIDEST_PARALLAX * limits.parallax_near)
    draw_layers(ax, layers, points, (_magnitude_range(sets, layers), (lower, upper)))
    for bound in bounds:
        draw_line(ax, ax.get_xlim(), (bound, bound), dashed=True)
    ax.set_box_aspect(1)
    ax.set_xlabel(LABELS["phot_g_mean_mag"])
    ax.set_ylabel(LABELS["parallax"])
    return ax


def colour_magnitude_panel(ax: Axes, sets: "SourceSets", layers: Sequence[Layer]) -> Axes:
    """Draw the colour-magnitude diagram, the isochrone, and the limit for sources without uncertainties.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    sets : SourceSets
        Gives the isochrone and the limits of the distance to it.
    layers : sequence of Layer
        With phot_g_mean_mag and the sets' colour [mag].

    Returns
    -------
    Axes
        The axes given, [mag], bright stars at the top.
    """
    columns = [sets.colour, "phot_g_mean_mag"]
    points = [tuple(layer.sources[columns].to_numpy(float).T) for layer in layers]
    bright, faint = _magnitude_range(sets, layers)
    colours = _colour_range(sets, layers, [x for x, _ in points])
    draw_layers(ax, layers, points, (colours, (faint, bright)))
    draw_line(ax, sets.isochrone.colour, sets.isochrone.g)
    _draw_isochrone_boundary(ax, sets, colours, (bright, faint))
    ax.set_box_aspect(1)
    ax.set_xlabel(LABELS[sets.colour])
    ax.set_ylabel(LABELS["phot_g_mean_mag"])
    return ax


PANELS: tuple[Callable[[Axes, "SourceSets", Sequence[Layer]], Axes], ...] = (
    sky_panel,
    parallax_panel,
    proper_motion_panel,
    colour_magnitude_panel,
)


def _colour_range(sets: "SourceSets", layers: Sequence[Layer], values: list[Array]) -> Range:
    """Range of the colour [mag], never narrower than the isochrone's boundary."""
    if not any(map(any_finite, values)):
        values = [sets.isochrone.colour for _ in layers]
    middle = float(np.nanmedian(np.concatenate(foreground(layers, values))))
    width = 2 * sets.limits.colour
    return common_range(layers, values, (middle - width, middle + width), reach=1.0)


def _magnitude_range(sets: "SourceSets", layers: Sequence[Layer]) -> Range:
    """Range of G [mag] of the foreground, without regard to outliers: the few brightest stars matter."""
    magnitudes = [layer.sources["phot_g_mean_mag"].to_numpy(float) for layer in layers]
    shown = np.concatenate([[], *foreground(layers, magnitudes)])
    shown = shown[np.isfinite(shown)]
    if not len(shown):
        shown = sets.isochrone.g[np.isfinite(sets.isochrone.g)]
    return float(shown.min()) - 0.5, float(shown.max()) + 0.5


def _draw_isochrone_boundary(ax: Axes, sets: "SourceSets", colours: Range, magnitudes: Range) -> None:
    """Draw where the distance to the isochrone, in units of the limits, is 1."""
    scales = (sets.limits.colour, sets.limits.g)
    n_points = [
        int(np.clip(8 * np.ptp(ends) / s, 60, 400))
        for ends, s in zip((colours, magnitudes), scales, strict=True)
    ]
    colour, g = np.meshgrid(
        *(np.linspace(*ends, n) for ends, n in zip((colours, magnitudes), n_points, strict=True))
    )
    f_c, f_g = isochrone_offsets(sets.isochrone, colour.ravel(), g.ravel(), *scales)
    distance = np.hypot(f_c / scales[0], f_g / scales[1]).reshape(colour.shape)
    draw_contour(ax, colour, g, distance, level=1.0)
