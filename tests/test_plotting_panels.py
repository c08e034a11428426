"""The four panels: orientation, units, limits and axis ranges."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from plot_sets import CLUSTER, ISOCHRONE, LIMITS, example_sets

from gaia_oc_amd.isochrones import isochrone_offsets
from gaia_oc_amd.plotting import (
    PANELS,
    Layer,
    colour_magnitude_panel,
    parallax_panel,
    proper_motion_panel,
    sky_panel,
)


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
