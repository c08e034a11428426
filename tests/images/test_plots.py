"""The pictures of images that were named wrongly."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from printable import assert_printable

from gaia_oc_amd.images.classification import Judgement
from gaia_oc_amd.images.plots import mistakes_figure
from gaia_oc_amd.images.tables import Images


@pytest.mark.parametrize(("suffix", "red"), [(".png", 0), (".fits", 2)])
def test_colours_are_those_of_the_file(suffix, red):
    """The first band of a PNG is red; of FITS, in the order of wavelengths, the last one is."""
    names = (f"star/one{suffix}", f"galaxy/two{suffix}")
    pixels = np.zeros((2, 3, 4, 4), np.float32)
    pixels[0, red] = 1.0
    table = pd.DataFrame(
        {
            "name": names,
            "class": ["star", "galaxy"],
            "convolutional_class": ["galaxy", "galaxy"],
            "convolutional_galaxy": [0.9, 0.8],
            "convolutional_star": [0.1, 0.2],
        }
    )
    none = pd.DataFrame()
    classifiers = {"convolutional": SimpleNamespace(classes=("galaxy", "star"))}
    judgement = Judgement(table, none, 0.5, none, {}, classifiers, "convolutional", (1, 1, 2))
    images = Images(pixels, np.array([1, 0]), ("galaxy", "star"), names)
    figure = mistakes_figure(judgement, images)
    assert_printable(figure)
    (drawn,) = [ax.images[0] for ax in figure.axes if ax.images]
    assert drawn.get_array()[0, 0].tolist() == [1.0, 0.0, 0.0]
    assert figure.axes[0].get_title() == "star,\nas galaxy (90 %)"
