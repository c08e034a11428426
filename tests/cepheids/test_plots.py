"""The figures of the Leavitt law can be printed, and none of their axes is empty."""

import numpy as np
import pytest
from matplotlib import colormaps
from printable import assert_printable

from gaia_oc_amd.cepheids.law import fit_leavitt_law, outlier_probability
from gaia_oc_amd.cepheids.options import LawOptions
from gaia_oc_amd.cepheids.plots import law_figure, sky_figure
from gaia_oc_amd.cepheids.selection import select_cepheids
from gaia_oc_amd.cepheids.simulated import SimulatedCepheids, simulate_cepheids


@pytest.fixture(scope="module")
def stars():
    simulated = simulate_cepheids(SimulatedCepheids(n_milky_way=200, n_lmc=100), rng=np.random.default_rng(1))
    return select_cepheids(simulated, "pf")


def test_law(stars):
    ours = stars[stars["galaxy"] == "Milky Way"]
    laws = fit_leavitt_law(ours, options=LawOptions(), sample=False, rng=np.random.default_rng(2))
    probability = outlier_probability(ours, "dr3", laws["posterior"], LawOptions())
    judged = stars.assign(outlier_probability=0.0)
    judged.loc[ours.index, "outlier_probability"] = probability
    figure = law_figure(judged, laws, None)
    assert_printable(figure)
    assert all(ax.has_data() for ax in figure.axes)
    following = colormaps["plasma"](0.0)
    words = {handle.get_label().partition(",")[0]: handle for handle in figure.axes[0].collections}
    assert words["Milky Way"].get_facecolor()[0] == pytest.approx(following)  # not that of an outlier
    assert [entry.get_text() for entry in figure.legends[0].get_texts()][-1] == "posterior"


def test_sky(stars):
    figure = sky_figure(stars)
    figure.draw_without_rendering()
    assert len(figure.axes[0].collections) == 3
    assert figure.legends[0].get_window_extent().y1 < figure.axes[0].get_window_extent().y0
