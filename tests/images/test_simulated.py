"""Simulated images of three classes."""

import numpy as np
import pytest

from gaia_oc_amd.images.options import ImageOptions
from gaia_oc_amd.images.simulated import CLASSES, N_BANDS, simulate_images

pytest.importorskip("skimage", reason="scikit-image is the extra [images]")


def test_images_of_each_class_are_made():
    options = ImageOptions(size=16)
    images = simulate_images(4, options, rng=np.random.default_rng(1))
    assert images.pixels.shape == (12, N_BANDS, 16, 16)
    assert images.classes == tuple(sorted(CLASSES))
    assert np.bincount(images.labels).tolist() == [4, 4, 4]
    assert all(
        name.startswith(CLASSES[label]) for name, label in zip(images.names, images.labels, strict=True)
    )
    again = simulate_images(4, options, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(again.pixels, images.pixels)


def test_a_galaxy_is_more_compact_than_a_cloud():
    images = simulate_images(
        25, ImageOptions(size=24, stretch="linear"), signal_to_noise=50, rng=np.random.default_rng(1)
    )
    bright = (images.pixels[:, 1] > 0.5).mean(axis=(1, 2))
    share = [np.median(bright[images.labels == label]) for label in range(3)]
    assert share[CLASSES.index("radio_galaxy")] < share[CLASSES.index("HII_region")]
