"""The four panels: orientation, units, limits and axis ranges."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from plot_sets import CLUSTER, ISOCHRONE, LIMITS, example_sets

from gaia_oc_amd.isochrones import isochrone_offsets
from gaia_oc_amd.panels import (
    PANEL_NAMES,
    PANELS,
    colour_magnitude_panel,
    legend_handles,
    parallax_panel,
    proper_motion_panel,
    sky_panel,
)
from gaia_oc_amd.plotting import Layer


@pytest.fixture(scope="module")
def sets():
    return example_sets()


def draw(panel, sets, kind="candidates"):
    ax = Figure().subplots()
    return panel(ax, sets, [Layer(kind, sets.candidates, "stars")])


class TestPanels:
    @pytest.mark.parametrize("panel", PANELS)
    def test_labels_have_units(self, sets, panel):
        ax = draw(panel, sets)
        for label in (ax.get_xlabel(), ax.get_ylabel()):
            assert any(f"[{unit}]" in label for unit in ("deg", "mag", "mas", "mas yr$^{-1}$"))

    def test_east_is_left_and_north_is_up(self, sets):
        ax = draw(sky_panel, sets)
        assert ax.xaxis_inverted()
        assert not ax.yaxis_inverted()
        assert ax.get_aspect() == 1

    def test_field_across_ra_0_is_whole(self, sets):
        half = draw(sky_panel, sets).get_ylim()[1]
        assert 2.9 < half < 3.3

    def test_bright_stars_are_at_the_top(self, sets):
        assert draw(colour_magnitude_panel, sets).yaxis_inverted()

    @pytest.mark.parametrize("panel", PANELS)
    def test_outliers_do_not_stretch_the_axes(self, sets, panel):
        outlier = sets.candidates[:1].assign(pmra=900.0, pmdec=-900.0, parallax=500.0, g_rp=40.0)
        spoilt = replace(sets, candidates=pd.concat([sets.candidates, outlier]))
        with_outlier, without = draw(panel, spoilt), draw(panel, sets)
        assert np.ptp(with_outlier.get_xlim()) < 2 * np.ptp(without.get_xlim())
        assert np.ptp(with_outlier.get_ylim()) < 2 * np.ptp(without.get_ylim())

    def test_parallax_limits_are_drawn(self, sets):
        lines = [
            line for line in draw(parallax_panel, sets).lines if line.get_linestyle() != "None"
        ]  # no ticks
        heights = {round(float(line.get_ydata()[0]), 6) for line in lines}
        assert heights == {1.85, 2.17}

    def test_proper_motion_limit_is_drawn(self, sets):
        x, y = draw(proper_motion_panel, sets).lines[-1].get_data()
        assert np.hypot(x - CLUSTER.pmra, y - CLUSTER.pmdec) == pytest.approx(np.full(len(x), LIMITS.pm))

    def test_isochrone_boundary_is_at_distance_one(self, sets):
        ax = draw(colour_magnitude_panel, sets)
        contours = [child for child in ax.get_children() if type(child).__name__ == "QuadContourSet"]
        vertices = np.concatenate([path.vertices for path in contours[-1].get_paths()])
        f_c, f_g = isochrone_offsets(ISOCHRONE, *vertices.T, LIMITS.colour, LIMITS.g)
        assert np.hypot(f_c / LIMITS.colour, f_g / LIMITS.g) == pytest.approx(1.0, abs=0.05)


class TestCountsOfWhatIsNotDrawn:
    def far_and_unmeasured(self, sets):
        """Three candidates far away in every measurement, two without any but the magnitude."""
        columns = ["ra", "dec", "parallax", "pmra", "pmdec", "g_rp"]
        spoilt = sets.candidates.copy()
        spoilt.loc[spoilt.index[:3], columns] = (40.0, -60.0, 500.0, 900.0, -900.0, 40.0)
        spoilt.loc[spoilt.index[3:5], columns] = np.nan
        return spoilt

    @pytest.mark.parametrize(
        ("panel", "beyond", "unmeasured"),
        [
            (sky_panel, "further out", "a position"),
            (parallax_panel, "beyond the axes", "a parallax or G"),
            (proper_motion_panel, "beyond the axes", "a proper motion"),
            (colour_magnitude_panel, "beyond the axes", "a colour"),
        ],
    )
    def test_the_title_counts_each_star_once(self, sets, panel, beyond, unmeasured):
        spoilt = self.far_and_unmeasured(sets)
        layers = [
            Layer("ours", spoilt, "ours"),
            Layer("comparison", spoilt[:100], "theirs"),  # the same stars
            Layer("field", spoilt.assign(source_id=-spoilt["source_id"]), "not counted"),
        ]
        ax = panel(Figure(figsize=(5, 5)).subplots(), sets, layers)
        drawn = np.concatenate([np.array(part.get_offsets()) for part in ax.collections[:1]])
        n_beyond = len(spoilt) - 2 - len(drawn)
        assert n_beyond >= 3
        assert ax.get_title() == f"{n_beyond} stars {beyond}, 2 stars without {unmeasured}"

    def test_one_star_is_one_and_none_is_not_mentioned(self, sets):
        near = sets.members[:50]
        one = near.assign(pmra=np.where(np.arange(50) == 7, 900.0, near["pmra"]))
        for stars, title in ((near, ""), (one, "1 star beyond the axes")):
            ax = proper_motion_panel(Figure().subplots(), sets, [Layer("members", stars, "")])
            assert ax.get_title() == title

    def test_a_layer_that_the_only_panel_cannot_show_has_no_entry(self, sets):
        layers = [
            Layer("members", sets.members, "members"),
            Layer("candidates", sets.candidates.assign(g_rp=np.nan), "colourless"),
            Layer("rejected", sets.candidates[:0], "none at all"),
        ]
        named = {
            panel: [handle.get_label() for handle in legend_handles(layers, sets, panel=panel)]
            for panel in (None, *PANEL_NAMES)
        }
        assert all(("colourless (400)" in labels) == (panel != "cmd") for panel, labels in named.items())
        assert all("none at all (0)" in labels for labels in named.values())
