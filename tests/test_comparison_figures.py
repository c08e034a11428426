"""Areas of the Venn diagram against counting and against the sizes of the sets."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from gaia_oc_amd.comparison_figures import draw_venn, lens_area, venn_circles


class TestVenn:
    @pytest.mark.parametrize(
        ("r1", "r2", "d"), [(1, 1, 0.5), (1, 3, 2.5), (2, 1, 1.2), (1, 1, 2), (3, 1, 1), (1, 2, 9)]
    )
    def test_lens_area_against_counting(self, r1, r2, d):
        grid = np.linspace(-3, 3, 1501)
        x, y = np.meshgrid(grid, grid)
        inside = (np.hypot(x, y) <= r1) & (np.hypot(x - d, y) <= r2)
        assert lens_area(r1, r2, d) == pytest.approx(inside.mean() * 36, abs=0.03)

    @pytest.mark.parametrize(
        ("left", "right", "both"), [(100, 100, 30), (1000, 50, 20), (10, 9000, 9), (3, 3, 2)]
    )
    def test_areas_are_true_to_the_counts(self, left, right, both):
        r1, r2, distance = venn_circles(left, right, both)
        assert np.pi * r1**2 == pytest.approx(left)
        assert np.pi * r2**2 == pytest.approx(right)
        assert lens_area(r1, r2, distance) == pytest.approx(both, rel=1e-6)

    def test_disjoint_sets_do_not_touch(self):
        r1, r2, distance = venn_circles(10, 20, 0)
        assert distance > r1 + r2

    @pytest.mark.parametrize(("left", "right"), [(20, 20), (20, 70), (70, 20), (20, 0), (0, 20)])
    def test_subset_lies_inside(self, left, right):
        r1, r2, distance = venn_circles(left, right, min(left, right))
        assert (
            lens_area(r1, r2, distance) == pytest.approx(min(left, right), abs=1e-9) or min(left, right) == 0
        )

    def test_drawn_circles_and_counts(self):
        ax = draw_venn(Figure().subplots(), 60, 80, 40, names=("this work", "comparison"))
        radii = {round(patch.get_radius(), 6) for patch in ax.patches if isinstance(patch, Circle)}
        assert radii == {round(np.sqrt(n / np.pi), 6) for n in (60, 80)}
        labels = [text.get_text() for text in ax.get_legend().get_texts()]
        assert labels == ["only this work: 20 (20.0 %)", "both: 40 (40.0 %)", "only comparison: 40 (40.0 %)"]
