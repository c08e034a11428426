"""Model folders: ours, the published tool's, and damaged or hostile ones."""

import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from gaia_oc_amd.classifier import Classifier, Standardisation
from gaia_oc_amd.deep_sets import DeepSets

ROOT = Path(__file__).resolve().parents[1]
FEATURES = ("f_r", "f_pm", "f_plx", "f_c", "f_g")


@pytest.fixture
def classifier():
    network = DeepSets(8, 5, hidden_size=16)
    network.initialise(torch.Generator().manual_seed(4))
    rng = np.random.default_rng(6)
    return Classifier(
        network.weights(),
        Standardisation(FEATURES, rng.normal(size=5), rng.uniform(0.5, 2, 5)),
        Standardisation(("a0", "age", "parallax"), rng.normal(size=3), rng.uniform(0.5, 2, 3)),
        {"size_support_set": 7, "training_clusters": ["A", "B"]},
    )


def test_saved_and_loaded_gives_equal_output(classifier, tmp_path):
    classifier.save(tmp_path / "model")
    loaded = Classifier.load(tmp_path / "model")
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(12, 5)), columns=list(FEATURES))
    whole, chosen = {"a0": 0.3, "age": 8.5, "parallax": 1.0}, np.tile(np.arange(12), (12, 1))
    one, two = (c.judge(table, whole)(table.to_numpy(), chosen) for c in (classifier, loaded))
    np.testing.assert_array_equal(one, two)
    assert loaded.hyper_parameters["size_support_set"] == 7


@pytest.mark.parametrize("kind", ["votes", "posterior"])
@pytest.mark.parametrize(("n", "size"), [(700, 10), (5, 3), (4, 1)])
def test_stars_are_judged_as_the_network_defines_it(kind, n, size, classifier):
    """In the features' own units, by the plain forward pass in double precision."""
    rng, names = np.random.default_rng(1), FEATURES
    if kind == "posterior":
        names = ("s_1", "s_2", "s_3")
        network = DeepSets(8, 3, hidden_size=16)
        network.initialise(torch.Generator().manual_seed(5))
        of_support = Standardisation(names, rng.normal(size=3), rng.uniform(0.5, 2, 3))
        classifier = replace(classifier, weights=network.weights(), support_features=of_support)
    support = pd.DataFrame(rng.normal(size=(30, len(names))), columns=list(names))
    stars, whole = rng.normal(size=(n, 5)), {"parallax": 1.0, "a0": 0.3, "age": 8.5, "unread": np.nan}
    chosen = np.array([rng.choice(30, size, replace=False) for _ in range(n)])
    found = classifier.judge(support, whole)(stars, chosen)

    def standard(values, kind):
        return (values - kind.means) / kind.stds

    of_whole = standard(np.array([0.3, 8.5, 1.0]), classifier.cluster_features)
    pairs = np.hstack([standard(stars, classifier.source_features), np.tile(of_whole, (n, 1))])
    members = standard(support.to_numpy(), classifier.support_features or classifier.source_features)
    x = np.concatenate([np.repeat(pairs[:, None], size, axis=1), members[chosen]], axis=2)
    with torch.no_grad():
        logits = classifier.network.double()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, logits[:, 1] - logits[:, 0], atol=2e-5)
    assert np.std(found) > 1e-3


def test_standardisation_spans_the_spread_between_clusters():
    table = pd.DataFrame({"f_r": np.r_[np.zeros(50), np.full(50, 10.0)], "f_pm": 3.0})
    standardisation = Standardisation.of(table, ("f_r", "f_pm"))
    np.testing.assert_allclose(standardisation.means, [5, 3])
    np.testing.assert_allclose(standardisation.stds, [5, 1])


@pytest.mark.parametrize("model", ["DS10_v01", "DS10_v02"])
@pytest.mark.parametrize("size", [3, 10])
def test_published_models_give_their_published_logits(shared, model, size):
    folder = shared / "original_models" / model
    parity = np.load(folder / "parity.npz")
    network = Classifier.load(folder).network
    x, expected = parity[f"input_support{size}"], parity[f"logits_support{size}"]
    with torch.no_grad():
        np.testing.assert_allclose(network(torch.from_numpy(x).float()), expected, atol=1e-5)


@pytest.mark.parametrize("model", ["DS10_v01", "DS10_v02"])
def test_published_weights_in_the_split_form(shared, model):
    network = Classifier.load(shared / "original_models" / model).network
    generator = torch.Generator().manual_seed(1)
    candidates, support = torch.randn(50, 8, generator=generator), torch.randn(10, 5, generator=generator)
    whole = torch.cat([candidates[:, None].expand(-1, 10, -1), support.expand(50, -1, -1)], dim=-1)
    with torch.no_grad():
        found = network.set_logits(candidates, support, torch.arange(10).expand(50, -1))
        torch.testing.assert_close(found, network(whole), rtol=1e-4, atol=1e-4)


def test_published_models_get_the_isochrone_features_turned(shared):
    folder = shared / "original_models" / "DS10_v02"
    content = json.loads((folder / "hyper_parameters").read_text())
    classifier = Classifier.load(folder)
    star = dict.fromkeys(FEATURES, 0.0) | {"f_r": 3.0, "f_c": 0.2, "f_g": -0.5}
    found = classifier.source_features(np.array([list(star.values())]))[0]
    as_published = dict(star, f_c=-0.2, f_g=0.5)
    means, stds = np.array(content["source_feature_means"]), np.array(content["source_feature_stds"])
    np.testing.assert_allclose(found, (np.array(list(as_published.values())) - means) / stds, rtol=1e-5)


def test_weights_that_pytorch_wrote_are_the_same(classifier, tmp_path):
    classifier.save(tmp_path)
    torch.save(classifier.network.state_dict(), tmp_path / "model_parameters")
    loaded = Classifier.load(tmp_path, accept_changes=True)
    assert list(loaded.weights) == list(classifier.weights)
    for name, value in loaded.weights.items():
        np.testing.assert_array_equal(value, classifier.weights[name])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ro.4.bias": np.array([None, "x"])}, "Object arrays cannot be loaded"),
        ({"ro.4.bias": np.array([1, 2])}, "ro.4.bias has not the shape"),
        ({"ro.4.bias": np.zeros(3, np.float32)}, "ro.4.bias has not the shape"),
        ({"ro.4.bias": np.array([0, np.inf])}, r"a weight is not within 1e\+06 of 0"),
        ({"ro.4.bias": np.array([0, 1e300])}, r"a weight is not within 1e\+06 of 0"),
        ({"ro.5.bias": np.zeros(3)}, "ro.5.bias is missing or unknown"),
        ({"ro.4.bias": None}, "ro.4.bias is missing or unknown"),
    ],
)
def test_arrays_that_are_no_weights_of_the_network_are_refused(classifier, tmp_path, changed, message):
    classifier.save(tmp_path)
    arrays = {name: value for name, value in ({**classifier.weights} | changed).items() if value is not None}
    np.savez(tmp_path / "weights.npz", **arrays)
    (tmp_path / "weights.npz").rename(tmp_path / "model_parameters")
    with pytest.raises(ValueError, match=f"does not hold the weights.*{message}"):
        Classifier.load(tmp_path, accept_changes=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:5000], "it is truncated"),
        (lambda content: b"<html>", "it is a file of neither NumPy nor PyTorch"),
        (lambda content: b"", "it is a file of neither NumPy nor PyTorch"),
    ],
)
def test_files_that_are_none_are_told_without_pytorch(classifier, tmp_path, change, message, monkeypatch):
    classifier.save(tmp_path)
    path = tmp_path / "model_parameters"
    path.write_bytes(change(path.read_bytes()))
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match=f"does not hold the weights.*{message}"):
        Classifier.load(tmp_path, accept_changes=True)


def test_judging_needs_no_pytorch():
    code = """
import sys
import numpy as np, pandas as pd
from gaia_oc_amd.classifier import Classifier
model = Classifier.load("deep_sets_model")
support = pd.DataFrame(np.zeros((9, len(model.support_features.names))), columns=list(model.support_features.names))
judge = model.judge(support, dict.fromkeys(model.cluster_features.names, 1.0))
print(judge(np.zeros((2, len(model.source_features.names))), np.zeros((2, 3), int)).shape, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "(2,) False"


class Hostile:
    def __reduce__(self):
        return (print, ("code from a model file was run",))


def test_pickled_code_is_not_run(classifier, tmp_path, capsys):
    classifier.save(tmp_path)
    (tmp_path / "model_parameters").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ValueError, match="does not hold the weights"):
        Classifier.load(tmp_path, accept_changes=True)
    torch.save({"phi.0.Gamma.weight": Hostile()}, tmp_path / "model_parameters")
    with pytest.raises(ValueError, match="does not hold the weights"):
        Classifier.load(tmp_path, accept_changes=True)
    assert "was run" not in capsys.readouterr().out


def test_folder_that_does_not_fit_its_features(classifier, tmp_path):
    classifier.save(tmp_path)
    content = json.loads((tmp_path / "hyper_parameters").read_text())
    fewer = {key: content[key][:-1] for key in content if key.startswith("source_feature")}
    (tmp_path / "hyper_parameters").write_text(json.dumps(content | fewer))
    with pytest.raises(ValueError, match="does not fit the features"):
        Classifier.load(tmp_path, accept_changes=True)
    (tmp_path / "hyper_parameters").write_text(json.dumps(content | {"source_feature_means": [1.0]}))
    with pytest.raises(ValueError, match="the source features: 5 names, 1 means and 5 stand"):
        Classifier.load(tmp_path, accept_changes=True)
    (tmp_path / "hyper_parameters").write_text("{}")
    with pytest.raises(ValueError, match="lacks or garbles 'source_features'"):
        Classifier.load(tmp_path, accept_changes=True)


def test_missing_and_truncated_files(classifier, tmp_path):
    with pytest.raises(FileNotFoundError, match="--model_dir"):
        Classifier.load(tmp_path / "nowhere")
    classifier.save(tmp_path)
    path = tmp_path / "model_parameters"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="does not hold the weights"):
        Classifier.load(tmp_path, accept_changes=True)
    shutil.copy(path, tmp_path / "hyper_parameters")
    with pytest.raises(ValueError, match="not a readable JSON"):
        Classifier.load(tmp_path, accept_changes=True)
