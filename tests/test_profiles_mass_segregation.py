"""Mass segregation of planted clusters, trees against a search by hand."""

import numpy as np
import pytest

from gaia_oc_amd.profiles import mass_segregation, tree_length


def prim_length(points):
    """Minimum spanning tree by Prim's algorithm, vertex by vertex."""
    outside = set(range(1, len(points)))
    nearest = {i: np.hypot(*(points[i] - points[0])) for i in outside}
    length = 0.0
    while outside:
        vertex = min(outside, key=nearest.get)
        length += nearest[vertex]
        outside.remove(vertex)
        for i in outside:
            nearest[i] = min(nearest[i], np.hypot(*(points[i] - points[vertex])))
    return length


class TestTreeLength:
    @pytest.mark.parametrize("n", [2, 3, 10, 59, 61, 200])
    def test_agrees_with_prim(self, n):
        points = np.random.default_rng(n).normal(size=(n, 2))
        assert tree_length(*points.T) == pytest.approx(prim_length(points), rel=1e-12)

    def test_coincident_points_add_nothing(self):
        points = np.random.default_rng(1).normal(size=(100, 2))
        assert tree_length(*np.repeat(points, 3, axis=0).T) == pytest.approx(prim_length(points), rel=1e-12)

    @pytest.mark.parametrize("n", [10, 100])
    def test_points_on_a_line(self, n):
        assert tree_length(np.arange(n), np.zeros(n)) == pytest.approx(n - 1)

    @pytest.mark.parametrize("n", [0, 1])
    def test_no_tree(self, n):
        assert tree_length(np.zeros(n), np.zeros(n)) == 0


class TestMassSegregation:
    N_BRIGHTEST = np.array([10, 30, 100])

    def segregation(self, spread_of_bright, seed=0):
        rng = np.random.default_rng(seed)
        g = np.sort(rng.uniform(8, 18, 300))
        scale = np.where(np.arange(300) < 30, spread_of_bright, 3.0)
        return mass_segregation(
            *(scale * rng.normal(size=(2, 300))), g, rng=rng, n_brightest=self.N_BRIGHTEST
        )

    def test_unsegregated_cluster_gives_one(self):
        found = [self.segregation(3.0, seed) for seed in range(12)]
        pulls = [(segregation.ratio - 1) / segregation.ratio_error for segregation in found]
        assert np.abs(np.mean(pulls)) < 0.5
        assert np.abs(pulls).max() < 4

    def test_planted_segregation_is_found(self):
        found = self.segregation(0.6)
        assert (found.ratio[:2] > 1 + 3 * found.ratio_error[:2]).all()
        assert found.ratio[1] > found.ratio[2]

    def test_inverse_segregation_is_below_one(self):
        assert self.segregation(15.0).ratio[1] < 1

    def test_same_seed_same_result(self):
        assert (self.segregation(1.0).ratio == self.segregation(1.0).ratio).all()

    def test_sources_without_magnitude_or_position_do_not_count(self):
        points = np.random.default_rng(0).normal(size=(3, 40))
        gaps = np.array([[np.nan, 0, 0], [0, np.nan, 0], [0, 0, np.nan]])
        results = [
            mass_segregation(*table, rng=np.random.default_rng(1))
            for table in (points, np.concatenate([points, gaps], axis=1))
        ]
        assert (results[0].ratio == results[1].ratio).all()

    @pytest.mark.parametrize("n", [0, 1, 9])
    def test_too_few_sources_give_no_rows(self, n):
        assert len(mass_segregation(*np.zeros((3, n)), rng=np.random.default_rng(0)).n_brightest) == 0

    def test_coincident_brightest_give_nan(self):
        g = np.arange(20.0)
        east = np.where(g < 5, 0.0, g)
        found = mass_segregation(east, east, g, rng=np.random.default_rng(0), n_brightest=np.array([5]))
        assert np.isnan(found.ratio).all()
