"""The figure of a group that was found: sky, parallax, proper motion and colours among the stars of its field."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from gaia_oc_amd.candidates import SelectionLimits
from gaia_oc_amd.canvas import TWO_COLUMNS, Canvas
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.first_members.choice import CORE
from gaia_oc_amd.first_members.results import MemberSearch
from gaia_oc_amd.isochrones import Isochrone, nearest_age, place_isochrone
from gaia_oc_amd.panels import PANELS, legend_handles
from gaia_oc_amd.plot_style import PROBABILITY_COLOURS, SETTINGS
from gaia_oc_amd.plotting import Layer, draw_layers, figure_title
from gaia_oc_amd.source_sets import SourceSets

_SHOWN = 0.1


@rc_context(SETTINGS)
def first_members_figure(search: MemberSearch, isochrones: pd.DataFrame | None = None) -> Figure:
    """Draw the found stars, coloured by PMemb, among the stars of the field in four panels.

    Parameters
    ----------
    search : MemberSearch
        What was found.
    isochrones : DataFrame, optional
        Points of all isochrones; the one of the cluster's age is drawn.

    Returns
    -------
    Figure
    """
    stars = search.found.stars
    is_shown = stars["PMemb"] >= _SHOWN
    layers = [
        Layer("field", stars[~is_shown], "field"),
        Layer("candidates", stars[is_shown], f"first members, p ≥ {_SHOWN:g}", (0.0, 1.0)),
    ]
    sets = _as_sets(search, isochrones)
    text = f"first members ({search.record['options']['search']['method']}, {search.found.significance:.0f} sigma)"
    canvas = Canvas(None, (2, 2), title=figure_title(sets, text), width=TWO_COLUMNS, has_bar=True)
    panels = PANELS if len(sets.isochrone.g) else (*PANELS[:3], _plain_colour_panel)
    for ax, panel in zip(canvas.axes, panels, strict=True):
        panel(ax, sets, layers)
    canvas.colour_bar(ScalarMappable(Normalize(0, 1), PROBABILITY_COLOURS), layers[1].bar_label)
    canvas.fit_panel_titles()
    handles = legend_handles(layers, sets)
    handles[-1].set_label(f"core: {CORE:g} standard deviations of errors and scatter")
    canvas.legend(handles=handles if len(sets.isochrone.g) else [handles[0], handles[-1]], ncols=3)
    return canvas.figure


def _as_sets(search: MemberSearch, isochrones: pd.DataFrame | None) -> SourceSets:
    """What the panels need to know: centre, limits and isochrone; the sets themselves are empty."""
    cluster = Cluster(**search.row)
    profile = search.found.group.profile
    error = np.median(
        search.found.members[["pmra_error", "pmdec_error", "parallax_error"]].to_numpy(float), axis=0
    )
    reach = CORE * np.hypot(profile.scatter, error)
    isochrone = Isochrone(np.array([]), np.array([]))
    if isochrones is not None:
        points = nearest_age(isochrones, cluster.age)
        isochrone = place_isochrone(points, cluster.dist, cluster.a0, colour="bp_rp")
    empty = search.found.stars.iloc[:0]
    limits = SelectionLimits(float(reach[:2].max()), float(reach[2]), float(reach[2]), np.nan, np.nan)
    return SourceSets(cluster, limits, isochrone, "bp_rp", empty, empty, empty, empty)


def _plain_colour_panel(ax: Axes, sets: SourceSets, layers: Sequence[Layer]) -> Axes:
    """Colour-magnitude diagram where there is no isochrone."""
    points = [tuple(layer.sources[["bp_rp", "phot_g_mean_mag"]].to_numpy(float).T) for layer in layers]
    colour = np.concatenate([x for x, _ in points])
    g = np.concatenate([y for _, y in points])
    low, high = np.nanquantile(colour, [0.005, 0.995])
    draw_layers(ax, layers, points, ((low - 0.1, high + 0.1), (np.nanmax(g) + 0.5, np.nanmin(g) - 0.5)))
    ax.set_box_aspect(1)
    ax.set_xlabel(r"$G_\mathrm{BP} - G_\mathrm{RP}$ [mag]")
    ax.set_ylabel("$G$ [mag]")
    return ax
