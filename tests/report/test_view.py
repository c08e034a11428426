"""The panel that all panels are made of, and what its axes and lines are."""

import json
from dataclasses import replace

import numpy as np
import pytest
from bokeh.plotting import figure
from plot_sets import LIMITS, VARIANTS
from report_sets import report_sets

from gaia_oc_amd.isochrones import Isochrone
from gaia_oc_amd.report.stars import AXES, cone_with_reasons, shown_stars
from gaia_oc_amd.report.view import panel_item, probability_palette, view_settings


@pytest.fixture(scope="module")
def sets():
    return report_sets()


def settings_of(sets, folder):
    return view_settings(shown_stars(sets, cone_with_reasons(sets, folder, 0.5)), sets)


def test_a_panel_is_the_same_whatever_was_drawn_before():
    first = panel_item()
    figure()  # which moves Bokeh's running numbers on
    assert panel_item() == first


def test_a_panel_holds_no_star_and_one_tool_of_each_kind():
    text = json.dumps(panel_item())
    for tool in ("PanTool", "BoxZoomTool", "WheelZoomTool", "BoxSelectTool", "LassoSelectTool", "TapTool"):
        assert text.count(f'"name": "{tool}"') == 1
    assert len(text) < 20_000


def test_every_axis_has_a_range(sets, tmp_path):
    ranges = {axis["name"]: axis["range"] for axis in settings_of(sets, tmp_path)["axes"]}
    assert set(ranges) == {axis.name for axis in AXES}
    assert all(np.isfinite(ends).all() and ends[0] != ends[1] for ends in ranges.values())
    assert ranges["g"][0] > ranges["g"][1]  # bright stars at the top
    assert ranges["x"][0] > ranges["x"][1]  # east on the left


def test_lines_are_the_isochrone_and_the_limits(sets, tmp_path):
    lines = settings_of(sets, tmp_path)["lines"]
    motion = np.column_stack([lines["pmra pmdec"]["xs"][0], lines["pmra pmdec"]["ys"][0]])
    distance = np.hypot(*(motion - [sets.cluster.pmra, sets.cluster.pmdec]).T)
    np.testing.assert_allclose(distance, LIMITS.pm, atol=1e-3)
    assert lines["g_rp g"]["dash"][0] == "solid"
    assert set(lines["g_rp g"]["dash"][1:]) == {"dashed"}
    np.testing.assert_allclose(lines["g_rp g"]["ys"][0], sets.isochrone.g, atol=1e-4)
    nothing = replace(sets, isochrone=Isochrone(np.array([]), np.array([])))
    assert settings_of(nothing, tmp_path)["lines"]["g_rp g"]["xs"] == []


@pytest.mark.parametrize("variant", ["empty", "no photometry", "other colour"])
def test_odd_sets_have_a_view(sets, tmp_path, variant):
    found = settings_of(VARIANTS[variant](sets), tmp_path)
    json.dumps(found, allow_nan=False)
    assert found["panels"][0][0] == ("bp_rp" if variant == "other colour" else "g_rp")


def test_the_surest_members_are_darkest():
    colours = [sum(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in probability_palette(5)]
    assert colours[-1] == min(colours)
