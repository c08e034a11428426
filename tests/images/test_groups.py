"""Diagrams of groups as images, and the groups to learn from."""

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd.exceptions import TooFewStarsError
from gaia_oc_amd.images.groups import CLASSES, SIZE, diagram, like_magnitudes, simulate_groups
from gaia_oc_amd.simulation.schematic_isochrones import schematic_isochrones


def stars(n=80, seed=1):
    rng = np.random.default_rng(seed)
    g = rng.uniform(11, 18, n)
    return g, 0.2 * (g - 10) + rng.normal(0, 0.03, n)


def test_a_diagram_does_not_know_distance_and_reddening():
    g, colour = stars()
    image = diagram(g, colour)
    assert image.shape == (1, SIZE, SIZE)
    assert image.dtype == np.float32
    np.testing.assert_allclose(diagram(g + 2.5, colour + 0.4), image, atol=0.15)
    np.testing.assert_array_equal(diagram(g[::-1], colour[::-1]), image)


def test_a_diagram_has_bright_stars_above_and_red_ones_right():
    g = np.r_[np.full(20, 16.0), np.full(20, 12.0)]
    image = diagram(g, np.r_[np.full(20, 1.5), np.full(20, 0.5)])[0]
    rows, columns = np.nonzero(image > 0.5 * image.max())
    order = np.argsort(rows)
    assert columns[order][0] < columns[order][-1]


def test_stars_without_colour_are_left_out_and_a_few_are_no_group():
    g, colour = stars()
    more = np.r_[g, 15.0, np.nan], np.r_[colour, np.nan, 1.0]
    np.testing.assert_array_equal(diagram(*more), diagram(g, colour))
    with pytest.raises(TooFewStarsError, match="9 stars have G and BP-RP, at least 10"):
        diagram(g[:9], colour[:9])


def test_like_magnitudes_draws_each_star_once():
    rng = np.random.default_rng(1)
    field = pd.DataFrame({"phot_g_mean_mag": rng.uniform(10, 18, 4000)})
    g = rng.uniform(12, 17, 200)
    found = like_magnitudes(field, g, rng=rng)
    assert found.index.is_unique
    np.testing.assert_allclose(np.sort(found["phot_g_mean_mag"]), np.sort(g), atol=0.1)
    assert len(like_magnitudes(field[:50], g, rng=rng)) == 50


def test_simulated_groups_are_populations_and_field_stars_alike():
    rng = np.random.default_rng(1)
    groups = simulate_groups(1, 3, schematic_isochrones((7.5, 8.0, 8.5, 9.0, 9.5)), rng=rng)
    assert groups.classes == CLASSES
    assert groups.pixels.shape == (len(groups.labels), 1, SIZE, SIZE)
    assert set(groups.labels) == {0, 1}
    assert np.isfinite(groups.pixels).all()
