"""Classifiers of images: skill where there is something to learn, none where there is nothing."""

from dataclasses import replace

import numpy as np
import pytest

from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.images.classification import (
    LINEAR,
    METHODS,
    calibration_error,
    classify,
    divide,
    judge_images,
    reliability,
)
from gaia_oc_amd.images.classifier import ImageClassifier
from gaia_oc_amd.images.options import AugmentationOptions, TrainingOptions
from gaia_oc_amd.images.tables import Images

SHORT = TrainingOptions(n_search=1, n_seeds=2, max_epochs=12, patience=6, batch_size=16)
PLAIN = AugmentationOptions(noise=0.0)


def rings_and_blobs(n=90, seed=1):
    """Rings or discs, bright on dark or dark on bright, so that no linear function of the pixels tells them."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    y, x = np.indices((10, 10)) - 4.5
    radius = np.hypot(x, y)
    shapes = np.array([radius < 2, (radius > 2) & (radius < 3.3)], float)
    pixels = shapes[labels] * rng.choice([-1.0, 1.0], n)[:, None, None] + rng.normal(0, 0.1, (n, 10, 10))
    names = tuple(f"image_{i}" for i in range(n))
    return Images(pixels[:, None].astype(np.float32), labels, ("blob", "ring"), names)


@pytest.fixture(scope="module")
def images():
    return rings_and_blobs()


@pytest.fixture(scope="module")
def judgement(images):
    return judge_images(images, SHORT, PLAIN, seed=4)


def test_a_network_beats_the_linear_classifier_and_chance(judgement):
    row = judgement.accuracies.loc[judgement.chosen]
    assert row["accuracy"] > 0.85
    assert row["lower"] > judgement.chance
    assert row["over_linear"] == row["accuracy"] - judgement.accuracies.loc[LINEAR, "accuracy"]
    assert row["over_linear_lower"] > 0


def test_confusion_and_shares_of_the_test_images_agree(judgement):
    assert judgement.n_images == (54, 18, 18)
    for method in METHODS:
        confusion = judgement.confusion(method)
        assert confusion.to_numpy().sum() == 18
        accuracy = np.trace(confusion.to_numpy()) / 18
        assert judgement.accuracies.loc[method, "accuracy"] == pytest.approx(accuracy)
        table = judgement.by_class(method)
        assert np.average(table["recall"], weights=table["n_images"]) == pytest.approx(accuracy)
        np.testing.assert_allclose(judgement.probabilities(method).sum(axis=1), 1)


def test_shuffled_labels_give_chance_accuracy(images):
    rng = np.random.default_rng(8)
    shuffled = Images(images.pixels, rng.permutation(images.labels), images.classes, images.names)
    found = judge_images(shuffled, SHORT, PLAIN, seed=4)
    assert (found.accuracies["lower"] <= found.chance).all()
    assert (found.accuracies["accuracy"] < 0.85).all()


def test_the_parts_share_no_image_and_hold_each_class_alike(images):
    parts = divide(images, TrainingOptions(), rng=np.random.default_rng(1))
    rows = np.concatenate(parts)
    assert sorted(rows) == list(range(90))
    for part in parts:
        assert images.labels[part].mean() == pytest.approx(0.5, abs=0.03)


def test_one_class_and_small_classes_are_refused(images):
    rows = np.flatnonzero(images.labels == 0)
    one = Images(images.pixels[rows], images.labels[rows], ("blob",), images.names[: len(rows)])
    with pytest.raises(ClusterError, match="there is 1 class, at least 2 are needed"):
        judge_images(one, SHORT, seed=1)
    few = images.part(np.concatenate([rows, np.flatnonzero(images.labels == 1)[:4]]))
    with pytest.raises(ClusterError, match="ring has 4 images, at least 10"):
        judge_images(few, SHORT, seed=1)
    with pytest.raises(
        ClusterError, match=r"of which --test_fraction 0.01 leaves none: give at least 0\.\d+,"
    ):
        judge_images(images, replace(SHORT, test_fraction=0.01), seed=1)


def test_the_same_seed_gives_the_same_judgement(images, judgement):
    again = judge_images(images, SHORT, PLAIN, seed=4)
    assert again.test.equals(judgement.test)
    assert again.accuracies.equals(judgement.accuracies)


def test_a_classifier_is_kept_in_a_file(images, judgement, tmp_path):
    classifier = judgement.classifiers[judgement.chosen]
    classifier.save(tmp_path / "classifier.pt")
    again = ImageClassifier.load(tmp_path / "classifier.pt")
    table = classify(again, images)
    assert table.equals(classify(classifier, images))
    assert (table["class"] == np.array(images.classes)[images.labels]).mean() > 0.85
    np.testing.assert_allclose(table["probability"], table[["p_blob", "p_ring"]].max(axis=1))


def test_reliability_of_right_and_of_boastful_probabilities():
    rng = np.random.default_rng(1)
    stated = rng.uniform(0.5, 1, 20_000)
    labels = (rng.uniform(size=20_000) > stated).astype(int)
    right = np.column_stack([stated, 1 - stated])
    assert calibration_error(right, labels) < 0.02
    boastful = np.where(right > 0.5, 0.999, 0.001)
    assert calibration_error(boastful, labels) == pytest.approx(0.25, abs=0.02)
    table = reliability(right, labels)
    assert table["n_images"].sum() == 20_000
    assert len(table) == 10
