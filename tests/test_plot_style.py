"""The kinds of sources stay apart in every picture, for the colour-blind, too."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from gaia_oc_amd.plot_style import LINE_COLOURS, LOSSES, STYLES, density_colours

DEUTERANOPIA = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
"""Of linear RGB, full severity (Machado, Oliveira & Fernandes 2009, IEEE TVCG 15, 1291, Table 1)."""
PROTANOPIA = np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]])
NEVER_TOGETHER = ("field", "context")
"""In one picture: the context is our members, in the picture of those that we lack, which shows no field."""
DIFFERENT = 10.0
"""Distance in CIE L*a*b* (1976) that nobody overlooks between markers side by side."""


def lab(colour, sight):
    """CIE L*a*b* of a colour as it is seen (D65)."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(sight @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = to_xyz @ seen / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one, two, sight):
    return float(np.linalg.norm(lab(one, sight) - lab(two, sight)))


SIGHTS = pytest.mark.parametrize("sight", [np.eye(3), DEUTERANOPIA, PROTANOPIA], ids=["all", "green", "red"])


@SIGHTS
def test_kinds_of_sources_are_told_apart_by_colour_or_marker(sight):
    for names in combinations(STYLES, 2):
        one, two = (STYLES[name] for name in names)
        if names != NEVER_TOGETHER and (one.marker, one.filled) == (two.marker, two.filled):
            assert distance(one.colour, two.colour, sight) > DIFFERENT, (one, two)


@pytest.mark.parametrize(
    "kinds",
    [("context", "rejected", "improbable", "elsewhere"), ("ours", "training", "comparison")],
    ids=["missed members", "profiles"],
)
def test_kinds_of_one_picture_are_told_apart_in_grey(kinds):
    assert len({(STYLES[kind].marker, STYLES[kind].filled) for kind in kinds}) == len(kinds)


def test_the_measure_knows_colours_that_the_colour_blind_confuse():
    red, green = "#C0504D", "#7A8B2F"
    assert distance(red, green, np.eye(3)) > 5 * DIFFERENT
    assert distance(red, green, DEUTERANOPIA) < 2 * DIFFERENT


@SIGHTS
def test_shares_of_a_selection_function_are_told_apart(sight):
    assert all(distance(*pair, sight) > DIFFERENT for pair in combinations(LOSSES.values(), 2))
    assert all(distance(*pair, sight) > DIFFERENT for pair in combinations(LINE_COLOURS[:5], 2))


@pytest.mark.parametrize("kind", STYLES)
def test_denser_is_darker(kind):
    shades = [lab(density_colours(kind)(share), np.eye(3))[0] for share in (0.0, 0.5, 1.0)]
    assert shades[0] > shades[1] > shades[2]
