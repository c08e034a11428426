"""The file of a classifier, and images that it cannot take."""

import numpy as np
import pytest
import torch

from gaia_oc_amd.images.classifier import ImageClassifier
from gaia_oc_amd.images.networks import HyperParameters, build_network


@pytest.fixture
def classifier():
    shape, parameters = (2, 8, 8), HyperParameters(n_neurons=4)
    networks = tuple(build_network("convolutional", parameters, shape=shape, n_classes=3) for _ in range(2))
    return ImageClassifier("convolutional", parameters, ("a", "b", "c"), shape, networks, 2.0, {"size": 8})


def test_logits_are_averaged_and_divided(classifier):
    pixels = np.random.default_rng(1).normal(size=(5, 2, 8, 8)).astype(np.float32)
    with torch.no_grad():
        mean = sum(network.eval()(torch.from_numpy(pixels)) for network in classifier.networks) / 2
    expected = torch.softmax(mean / 2.0, 1).numpy()
    np.testing.assert_allclose(classifier.probabilities(pixels), expected, atol=1e-6)


def test_save_then_load_gives_equal_probabilities(classifier, tmp_path):
    classifier.save(tmp_path / "a.pt")
    again = ImageClassifier.load(tmp_path / "a.pt")
    pixels = np.random.default_rng(1).normal(size=(5, 2, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(again.probabilities(pixels), classifier.probabilities(pixels))
    assert (again.classes, again.shape, again.preparation) == (("a", "b", "c"), (2, 8, 8), {"size": 8})


def test_images_of_another_shape_are_refused(classifier):
    with pytest.raises(
        ValueError, match="images have 3 x 8 x 8 bands and pixels, the classifier .* 2 x 8 x 8"
    ):
        classifier.probabilities(np.zeros((1, 3, 8, 8), np.float32))


def test_a_file_that_is_none_is_refused(classifier, tmp_path):
    path = tmp_path / "a.pt"
    with pytest.raises(FileNotFoundError, match="train a classifier with classify_images"):
        ImageClassifier.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="damaged or no classifier of images"):
        ImageClassifier.load(path)
    classifier.save(path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(ValueError, match="damaged or no classifier of images"):
        ImageClassifier.load(path)
    torch.save({"kind": "convolutional"}, path)
    with pytest.raises(ValueError, match="damaged or no classifier of images"):
        ImageClassifier.load(path)
