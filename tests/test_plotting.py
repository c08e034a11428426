"""The visual language: axis ranges, markers, and how layers are drawn."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from plot_sets import example_sets

import gaia_oc_amd as oc
from gaia_oc_amd.panels import PANELS
from gaia_oc_amd.plot_style import DENSITY_ABOVE, STYLES, marker_area
from gaia_oc_amd.plotting import Layer, common_range, draw_layers, robust_range


@pytest.fixture(scope="module")
def sets():
    return example_sets()


class TestRanges:
    def test_robust_range(self):
        values = np.array([*np.linspace(0, 1, 1000), 50.0, np.nan])
        lower, upper = robust_range(values)
        assert lower == 0
        assert 1 < upper < 1.6

    def test_many_candidates_make_no_outliers_of_the_members(self, sets):
        layers = [Layer("candidates", sets.candidates, ""), Layer("members", sets.members, "")]
        lower, upper = common_range(layers, [np.full(10_000, 5.0), np.array([1.0, 1.1])], (5.0,))
        assert lower < 1
        assert upper > 5


class TestLayers:
    @pytest.mark.parametrize("panel", PANELS)
    def test_dense_field_is_shown_as_density(self, sets, panel):
        dense = pd.concat([sets.non_members] * (DENSITY_ABOVE // 1000 + 1), ignore_index=True)
        layers = [Layer("field", dense, "field"), Layer("members", sets.members, "members")]
        collections = [type(item).__name__ for item in panel(Figure().subplots(), sets, layers).collections]
        assert "PolyCollection" in collections
        points = [
            item for item in panel(Figure().subplots(), sets, layers).collections if "Path" in str(type(item))
        ]
        assert sum(len(item.get_offsets()) for item in points) <= len(sets.members)

    def test_surroundings_have_smaller_markers_than_what_they_surround(self, sets):
        sizes = {}
        for kind in ("candidates", "field", "context"):
            ax = Figure().subplots()
            points = [(np.arange(400.0), np.arange(400.0))]
            draw_layers(ax, [Layer(kind, sets.candidates, kind)], points, ((0, 400), (0, 400)))
            sizes[kind] = float(ax.collections[0].get_sizes()[0])
        assert sizes["field"] == sizes["context"] < sizes["candidates"]

    def test_hollow_markers_hold_filled_ones(self):
        filled = [style.scale for style in STYLES.values() if style.filled]
        assert min(style.scale for style in STYLES.values() if not style.filled) > max(filled)

    def test_markers_shrink_where_there_are_many(self):
        areas = [marker_area(n) for n in (0, 10, 1000, 100_000)]
        assert areas == sorted(areas, reverse=True)
        assert areas[-1] > 1


FIGURES = {
    "candidates_figure": 4,
    "new_members_figure": 4,
    "comparison_figure": 4,
    "additional_members_figure": 4,
    "missed_members_figure": 4,
    "venn_diagram_figure": 2,
    "membership_matrix_figure": 2,
    "density_profile_figure": 1,
}


@pytest.mark.parametrize(("name", "n_axes"), FIGURES.items())
def test_figures_draw_on_axes_that_they_are_given(name, n_axes):
    draw, (figure, axes) = getattr(oc, name), plt.subplots(1, n_axes)
    try:
        given = axes if n_axes > 1 else [axes]
        assert draw(example_sets(), axes=axes) is figure
        assert all(ax.has_data() or ax.patches or ax.texts for ax in given)
        assert figure._suptitle is None
        with pytest.raises(ValueError, match="axes were given, but the figure needs"):
            draw(example_sets(), axes=plt.subplots(1, 3)[1])
    finally:
        plt.close("all")
