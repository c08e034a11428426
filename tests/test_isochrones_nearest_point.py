"""The nearest point of a curve, against a plain search of all its segments."""

import numpy as np
import pytest
from plain_reference import nearest_offsets

from gaia_oc_amd.isochrones import Isochrone, isochrone_offsets


def curly_isochrone():
    t = np.linspace(0, 4, 60)
    return Isochrone(colour=0.4 * np.sin(2 * t) + 0.3 * t, g=10 + 2 * t + np.cos(3 * t))


@pytest.mark.parametrize("own_scales", [False, True])
@pytest.mark.parametrize("gap", [False, True])
def test_offsets_equal_a_search_of_all_segments(own_scales, gap):
    rng = np.random.default_rng(8)
    isochrone = curly_isochrone()
    if gap:
        isochrone.g[[7, 30]] = np.nan
    colour, g = rng.uniform(-1, 3, 500), rng.uniform(5, 25, 500)
    scales = rng.uniform(0.005, 0.5, 500), rng.uniform(0.05, 3, 500)
    if not own_scales:
        scales = 0.15, 1.1
    found = np.column_stack(isochrone_offsets(isochrone, colour, g, *scales))
    plain = nearest_offsets(isochrone, colour, g, *np.broadcast_arrays(*scales, colour)[:2])
    np.testing.assert_allclose(found, plain, atol=1e-12)


def test_ends_of_the_curve_are_found_from_beyond():
    isochrone = Isochrone(
        colour=np.array([0.0, 0.0, np.nan, 0.014, 0.02]), g=np.array([10.0, 11, np.nan, 11.1, 12])
    )
    f_c, f_g = isochrone_offsets(isochrone, np.array([0.0]), np.array([11.049]), 1.0, 1.0)
    np.testing.assert_allclose([f_c[0], f_g[0]], [0.0, 0.049], atol=1e-12)


def test_star_on_the_curve_has_no_offset_between_points():
    isochrone = Isochrone(colour=np.array([0.0, 1.0]), g=np.array([10.0, 20.0]))
    f_c, f_g = isochrone_offsets(isochrone, np.array([0.55]), np.array([15.5]), 0.1, 0.8)
    np.testing.assert_allclose([f_c, f_g], 0, atol=1e-12)


def test_offset_is_star_minus_isochrone():
    isochrone = Isochrone(colour=np.array([0.5, 0.5]), g=np.array([10.0, 20.0]))
    f_c, f_g = isochrone_offsets(isochrone, np.array([0.8, 0.5]), np.array([15.0, 9.0]), 0.1, 0.8)
    np.testing.assert_allclose(f_c, [0.3, 0.0], atol=1e-12)
    np.testing.assert_allclose(f_g, [0.0, -1.0], atol=1e-12)


def test_gap_in_the_curve_is_not_bridged():
    isochrone = Isochrone(
        colour=np.array([0.0, 0.0, np.nan, 1.0, 1.0]), g=np.array([10.0, 11, np.nan, 10, 11])
    )
    f_c, _ = isochrone_offsets(isochrone, np.array([0.4]), np.array([10.5]), 0.1, 0.8)
    np.testing.assert_allclose(f_c, 0.4)


def test_star_without_colour_changes_nothing_for_the_others():
    isochrone = curly_isochrone()
    colour, g = np.array([0.3, np.nan, 0.7]), np.array([12.0, 12.0, 15.0])
    for scales in ((0.1, 0.8), (np.full(3, 0.1), np.full(3, 0.8))):
        f_c, f_g = isochrone_offsets(isochrone, colour, g, *scales)
        assert np.isnan([f_c[1], f_g[1]]).all()
        alone = isochrone_offsets(
            isochrone, colour[[0, 2]], g[[0, 2]], *(s if np.isscalar(s) else s[:2] for s in scales)
        )
        np.testing.assert_array_equal((f_c[[0, 2]], f_g[[0, 2]]), alone)


def test_curve_of_lone_points_is_refused():
    lone = Isochrone(colour=np.array([0.1, np.nan, 0.2]), g=np.array([10.0, np.nan, 11.0]))
    with pytest.raises(ValueError, match="fewer than two neighbouring points"):
        isochrone_offsets(lone, np.array([0.1]), np.array([10.0]), 0.1, 0.8)
