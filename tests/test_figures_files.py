"""Figures as files: valid in each format, equal between equal runs, never two formats of one picture."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context

from gaia_oc_amd.canvas import Canvas
from gaia_oc_amd.figures import save_and_show
from gaia_oc_amd.options import FigureOptions
from gaia_oc_amd.plot_style import DENSITY_ABOVE, SETTINGS
from gaia_oc_amd.plotting import Layer, draw_layers

BEGINNINGS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


def figure(n=50_000):
    """Many stars of the field and many candidates."""
    rng = np.random.default_rng(1)
    points = rng.normal(size=(2, n))
    stars = pd.DataFrame({"x": points[0], "y": points[1]})
    drawn = Canvas(None, (1, 1), title="a title").figure
    layers = [Layer("field", stars, "field"), Layer("candidates", stars.iloc[: DENSITY_ABOVE // 2], "some")]
    values = [(layer.sources["x"].to_numpy(), layer.sources["y"].to_numpy()) for layer in layers]
    draw_layers(drawn.axes[0], layers, values, ((-3, 3), (-3, 3)))
    return drawn


@pytest.mark.parametrize("plot_format", BEGINNINGS)
def test_each_format_is_whole_small_and_the_same_again(tmp_path, plot_format):
    options = FigureOptions(plot_format=plot_format)
    for folder in ("a", "b"):
        assert save_and_show({"picture": figure()}, tmp_path / folder, options) == [f"picture.{plot_format}"]
    one, two = ((tmp_path / folder / f"picture.{plot_format}").read_bytes() for folder in "ab")
    assert one == two
    assert one.startswith(BEGINNINGS[plot_format])
    assert len(one) < 600_000


def test_the_same_picture_in_another_format_goes(tmp_path):
    (tmp_path / "other.pdf").write_bytes(b"of somebody else")
    for plot_format in BEGINNINGS:
        save_and_show({"picture": figure(100)}, tmp_path, FigureOptions(plot_format=plot_format))
        assert {path.name for path in tmp_path.iterdir()} == {"other.pdf", f"picture.{plot_format}"}
    save_and_show({"picture": figure(100)}, tmp_path, FigureOptions(save_plots=False, plot_format="png"))
    assert (tmp_path / "picture.svg").exists()


@pytest.mark.parametrize(
    "style",
    [
        {"text.usetex": True, "text.latex.preamble": r"\usepackage{no_such_package}"},
        {"savefig.bbox": "tight", "figure.constrained_layout.use": True},
        {"font.family": "monospace", "axes.grid": True, "axes.facecolor": "black"},
    ],
)
def test_a_users_own_style_changes_no_figure(tmp_path, style):
    drawn = rc_context(SETTINGS)(figure)
    save_and_show({"picture": drawn(100)}, tmp_path / "without", FigureOptions())
    with rc_context(style):
        save_and_show({"picture": drawn(100)}, tmp_path / "with", FigureOptions())
    without, its = ((tmp_path / folder / "picture.png").read_bytes() for folder in ("without", "with"))
    assert its == without
