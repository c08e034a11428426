"""Classification of images from the shell and from Python: files, figures, verdicts, application."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from gaia_oc_amd.exceptions import UsageError
from gaia_oc_amd.images.options import (
    AugmentationOptions,
    ClassifyImagesOptions,
    ImageOptions,
    TrainingOptions,
)
from gaia_oc_amd.options import FigureOptions
from gaia_oc_amd.stages.classify_images import classify_images

pytest.importorskip("skimage", reason="scikit-image is the extra [images]")

ROOT = Path(__file__).resolve().parents[2]
SHORT = TrainingOptions(n_search=1, n_seeds=1, max_epochs=12, patience=6, batch_size=8)
NO_PLOTS = FigureOptions(save_plots=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images of points and of edges in two bands."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(1)
    for kind in ("point", "edge"):
        (root / kind).mkdir()
        for number in range(24):
            data = rng.normal(0, 0.1, (2, 12, 12)).astype(np.float32)
            data[
                (slice(None), slice(5, 7), slice(5, 7)) if kind == "point" else (slice(None), slice(5, 7))
            ] += 3
            fits.writeto(root / kind / f"{number}.fits", data)
    return root


def options(images, *, apply=None, figures=NO_PLOTS):
    given = ImageOptions(None if images is None else str(images), apply, size=12)
    return ClassifyImagesOptions(given, AugmentationOptions(turns=False), SHORT, figures)


def test_verdict_tables_figures_and_application(folder, tmp_path):
    text = classify_images(tmp_path, options(folder, apply=folder / "edge", figures=FigureOptions()), seed=1)
    found = tmp_path / "images"
    assert "Skill" in text.splitlines()[0]
    assert "24 images classified: 2" in text
    record = json.loads((found / "image_skill.json").read_text())
    assert not record["simulated"]
    assert record["n_images"] == {"training": 28, "validation": 10, "test": 10}
    assert set(record["methods"]) == {"fully_connected", "convolutional", "linear"}
    assert len(pd.read_csv(found / "test_images.csv")) == 10
    assert len(pd.read_csv(found / "hyper_parameters.csv")) == 2
    applied = pd.read_csv(found / "classified_images.csv")
    assert (applied["class"] == "edge").mean() > 0.8
    pictures = {path.stem for path in found.glob("*.png")}
    assert pictures == {"image_confusion", "image_training", "image_reliability", "image_mistakes"}
    first = (found / "classified_images.csv").read_bytes()
    again = classify_images(tmp_path, ClassifyImagesOptions(ImageOptions(apply=folder / "edge")), seed=1)
    assert again.startswith("24 images classified")
    assert (found / "classified_images.csv").read_bytes() == first


def test_shuffled_classes_have_no_skill(folder, tmp_path):
    mixed = tmp_path / "mixed"
    paths = np.random.default_rng(3).permutation(sorted(folder.glob("*/*.fits")))
    for number, path in enumerate(paths):
        target = mixed / "ab"[number % 2] / f"{number}.fits"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Path(path).read_bytes())
    assert classify_images(tmp_path, options(mixed), seed=1).startswith("No skill: 10 test images")


def test_nothing_to_do_and_no_classifier_are_one_line(folder, tmp_path):
    with pytest.raises(UsageError, match="give --images to learn from, --apply to classify"):
        classify_images(tmp_path, options(None))
    with pytest.raises(FileNotFoundError, match="train a classifier"):
        classify_images(tmp_path, options(None, apply=folder / "edge"))


def test_what_cannot_be_classified_is_said_before_anything_is_trained(folder, tmp_path, monkeypatch):
    stage = sys.modules[classify_images.__module__]
    monkeypatch.setattr(stage, "judge_images", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(FileNotFoundError, match="none is no folder"):
        classify_images(tmp_path, options(folder, apply=tmp_path / "none"))
    fits.writeto(tmp_path / "one_band.fits", np.random.default_rng(1).normal(size=(12, 12)))
    with pytest.raises(ValueError, match="1 x 12 x 12 bands and pixels, the classifier is for 2 x 12 x 12"):
        classify_images(tmp_path, options(folder, apply=tmp_path))


def test_a_missing_band_is_one_line_from_the_shell(folder, tmp_path):
    for kind, n_bands in (("a", 2), ("b", 1)):
        (tmp_path / kind).mkdir()
        fits.writeto(tmp_path / kind / "x.fits", np.random.default_rng(1).normal(size=(n_bands, 12, 12)))
    command = [
        sys.executable,
        ROOT / "classify_images.py",
        "--images",
        tmp_path,
        "--data_dir",
        tmp_path / "data",
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert "has 1 bands" in result.stderr
    assert "Traceback" not in result.stderr
