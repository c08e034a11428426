"""All the figures of an evaluated cluster."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.four_panels import (
    additional_members_figure,
    comparison_figure,
    missed_members_figure,
    new_members_figure,
)
from gaia_oc_amd.options import PlotOptions
from gaia_oc_amd.plot_style import SETTINGS
from gaia_oc_amd.plotting import NO_COMPARISON, figure_title, new_figure, write_note
from gaia_oc_amd.profiles import density_profile, fit_king_profile
from gaia_oc_amd.radial_plots import complete_radius, density_profile_figure, mass_segregation_figure
from gaia_oc_amd.source_sets import comparison_members, membership_matrix, our_members, within_radius
from gaia_oc_amd.venn import venn_diagram_figure

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


@rc_context(SETTINGS)
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


@rc_context(SETTINGS)
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
        percentage = "< 0.1 %" if 0 < share[row, column] < 0.0005 else f"{100 * share[row, column]:.1f} %"
        text = f"{count:,}\n{percentage}"
        ax.text(column, row, text, ha="center", va="center", color=colour)
    ax.set_xticks(
        range(2), [f"{name}\n({n:,})" for name, n in zip(matrix.columns, counts.sum(axis=0), strict=True)]
    )
    ax.set_yticks(range(len(matrix)), matrix.index)
    ax.tick_params(length=0)
    ax.set_xlabel("comparison list (percentages add up in each column)")
    ax.set_ylabel("this work")
    return figure
