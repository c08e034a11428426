"""The four panels: sky, parallax, proper motion, colour-magnitude diagram."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.canvas import is_narrow, n_beyond
from gaia_oc_amd.isochrone_stages import StageOffset, poor_stages
from gaia_oc_amd.isochrones import isochrone_boundary
from gaia_oc_amd.plot_style import LABELS, OFFSET, OFFSET_WORDS, PAPER, LineLook
from gaia_oc_amd.plotting import (
    Array,
    Layer,
    Range,
    any_finite,
    common_range,
    draw_contour,
    draw_layers,
    draw_line,
    foreground,
    layer_handle,
    line_handles,
)

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets

_SMALLEST_FIELD = 0.01
"""Half the width of the sky panel, at least [deg]."""
_SKY_ZOOM = 3.0
"""Half the width of the sky panel, at most, in units of the radius that holds most members."""
_MOST = 0.9
"""Share of the members whose radius that is."""
_MEMBERS = ("members", "training", "ours", "context")
"""Kinds of sources whose radius sets the width of the sky panel."""
_USUAL_LIMIT = 0.2
"""Limit in colour that stands for an unknown one in the range of the colour axis [mag]."""
_WIDEST_PM = 4
_WIDEST_PARALLAX = 12
"""Half the widths of the proper motion and parallax panels, at most, in units of the limits: the large
errors of faint candidates would squash the rest."""


def sky_panel(ax: Axes, sets: "SourceSets", layers: Sequence[Layer]) -> Axes:
    """Draw the sources' offsets from the cluster centre on the sky, east to the left.

    A field of more than three times the radius of 90 % of the members is cut there. As in each panel, the title counts
    the stars that are not drawn, without those of the field.

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
    separations = [np.hypot(*xy) for xy in points]
    half = max(min(float(half), _member_field(layers, separations)), _SMALLEST_FIELD)
    draw_layers(ax, layers, points, ((half, -half), (-half, half)))
    _count_undrawn(ax, layers, points, beyond="further out", unmeasured="a position")
    ax.set_aspect("equal", adjustable="box")
    ax.set_xlabel(LABELS["sky_x"])
    ax.set_ylabel(LABELS["sky_y"])
    return ax


def _count_undrawn(
    ax: Axes,
    layers: Sequence[Layer],
    points: list[Any],
    *,
    beyond: str = "beyond the axes",
    unmeasured: str,
) -> None:
    """Title that counts the stars beyond the axes and those without a measurement, but for the stars of the field."""
    counted = [place for place in zip(layers, points, strict=True) if place[0].kind != "field"]
    if not counted:
        return
    stars = pd.concat(
        [pd.DataFrame({"star": layer.sources["source_id"], "x": x, "y": y}) for layer, (x, y) in counted]
    ).drop_duplicates("star")  # one of two lists is drawn in both layers
    x, y = stars["x"].to_numpy(float), stars["y"].to_numpy(float)
    known = np.isfinite(x) & np.isfinite(y)
    numbers = {beyond: n_beyond(ax, x[known], y[known]), f"without {unmeasured}": int((~known).sum())}
    words = [f"{n:,} star{'s' * (n > 1)} {what}" for what, n in numbers.items() if n]
    if words:
        ax.set_title("\n".join(words), fontsize=7) if is_narrow(ax) else ax.set_title(", ".join(words))


def _member_field(layers: Sequence[Layer], separations: list[Array]) -> float:
    """Half the width of the field that shows the members [deg]; infinite where no layer is theirs."""
    theirs = [part for layer, part in zip(layers, separations, strict=True) if layer.kind in _MEMBERS]
    shown = np.concatenate([[], *theirs])
    shown = shown[np.isfinite(shown)]
    return _SKY_ZOOM * float(np.quantile(shown, _MOST)) if len(shown) > 1 else np.inf


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
    ranges = [(float(value - half), float(value + half)) for value in centre]
    draw_layers(ax, layers, points, (ranges[0], ranges[1]))
    _count_undrawn(ax, layers, points, unmeasured="a proper motion")
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
    _count_undrawn(ax, layers, points, unmeasured="a parallax or G")
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
    _count_undrawn(ax, layers, points, unmeasured="a colour")
    draw_line(ax, sets.isochrone.colour, sets.isochrone.g)
    if np.isfinite(sets.limits.colour):
        grid = isochrone_boundary(
            sets.isochrone, colours, (bright, faint), (sets.limits.colour, sets.limits.g)
        )
        draw_contour(ax, *grid, level=1.0)
    for stage in poor_stages(sets.stage_offsets):
        _draw_offset(ax, stage)
    ax.set_box_aspect(1)
    ax.set_xlabel(LABELS[sets.colour])
    ax.set_ylabel(LABELS["phot_g_mean_mag"])
    return ax


def _draw_offset(ax: Axes, stage: StageOffset) -> None:
    """Line from a point of the isochrone to where the members are, with its error."""
    at = stage.at_colour + stage.colour, stage.at_g + (stage.g if stage.stage == "red clump" else 0.0)
    stroke = withStroke(linewidth=2.4, foreground=PAPER)
    look: LineLook = {"path_effects": [stroke], "zorder": 6.5, "color": OFFSET}
    ax.plot([stage.at_colour, at[0]], [stage.at_g, at[1]], lw=1.0, label=OFFSET_WORDS, **look)
    ax.plot(*at, marker="D", ms=2.0 if is_narrow(ax) else 3.2, **look)


PANELS: tuple[Callable[[Axes, "SourceSets", Sequence[Layer]], Axes], ...] = (
    sky_panel,
    parallax_panel,
    proper_motion_panel,
    colour_magnitude_panel,
)
PANEL_NAMES = dict(zip(("sky", "parallax", "motion", "cmd"), PANELS, strict=True))
"""Panels by the names that ``--single_panel`` takes."""


def _colour_range(sets: "SourceSets", layers: Sequence[Layer], values: list[Array]) -> Range:
    """Range of the colour [mag], never narrower than the isochrone's boundary."""
    if not any(map(any_finite, values)):
        values = [sets.isochrone.colour for _ in layers]
    middle = float(np.nanmedian(np.concatenate(foreground(layers, values))))
    width = 2 * (sets.limits.colour if np.isfinite(sets.limits.colour) else _USUAL_LIMIT)
    return common_range(layers, values, (middle - width, middle + width), reach=1.0)


def _magnitude_range(sets: "SourceSets", layers: Sequence[Layer]) -> Range:
    """Range of G [mag] of the foreground, without regard to outliers: the few brightest stars matter."""
    magnitudes = [layer.sources["phot_g_mean_mag"].to_numpy(float) for layer in layers]
    shown = np.concatenate([[], *foreground(layers, magnitudes)])
    shown = shown[np.isfinite(shown)]
    if not len(shown):
        shown = sets.isochrone.g[np.isfinite(sets.isochrone.g)]
    return float(shown.min()) - 0.5, float(shown.max()) + 0.5


def legend_handles(layers: Sequence[Layer], sets: "SourceSets", *, panel: str | None = None) -> list[Line2D]:
    """Legend entries with the numbers of sources, and of the lines; layers with a colour bar have theirs beside it.

    A layer of which the only panel can show no star has no entry.

    Parameters
    ----------
    layers : sequence of Layer
        What is drawn.
    sets : SourceSets
        Say whether the members lie beside the isochrone.
    panel : str, optional
        Key of `PANEL_NAMES`, where there is only this one: some have no isochrone or no limit.

    Returns
    -------
    list of Line2D
    """
    has_limit = panel != "sky" and (panel != "cmd" or bool(np.isfinite(sets.limits.colour)))
    has_isochrone = panel in (None, "cmd")
    is_far = has_isochrone and bool(poor_stages(sets.stage_offsets))
    lines = line_handles(isochrone=has_isochrone, far=is_far, limit=has_limit)
    named = [
        layer for layer in layers if not layer.has_bar and (panel is None or _has_place(layer, sets, panel))
    ]
    return [layer_handle(layer) for layer in named] + lines


def _has_place(layer: Layer, sets: "SourceSets", panel: str) -> bool:
    """Whether a panel can show any star of a layer that has stars."""
    axes = {
        "sky": ["ra", "dec"],
        "parallax": ["phot_g_mean_mag", "parallax"],
        "motion": ["pmra", "pmdec"],
        "cmd": [sets.colour, "phot_g_mean_mag"],
    }
    return layer.sources.empty or bool(layer.sources[axes[panel]].notna().all(axis=1).any())
