"""The models: what they are given they find, and the width says what is left open."""

import numpy as np
import pytest

from gaia_oc_amd.light_curves.models import SPACES, GaussianNetwork, build_model


def examples(seed=1, n=600):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 4))
    width = np.where(features[:, 1] > 0, 0.6, 0.1)
    return features, 8 + 0.5 * features[:, 0] + rng.normal(size=n) * width, width


def test_the_network_finds_mean_and_width():
    features, values, width = examples()
    network = GaussianNetwork(n_epochs=80, dropout=0.0).fit(features, values)
    inputs, wanted, width = examples(2)
    assert np.corrcoef(network.predict(inputs), inputs[:, 0])[0, 1] > 0.95
    stated = network.predict_width(inputs)
    assert stated[width > 0.5].mean() == pytest.approx(0.6, rel=0.3)
    assert stated[width < 0.5].mean() < 0.3
    pull = (wanted - network.predict(inputs)) / stated
    assert 0.8 < np.std(pull) < 1.4


def test_the_same_seed_gives_the_same_network():
    features, values, _ = examples()
    first, second = (GaussianNetwork(n_epochs=2, seed=7).fit(features, values) for _ in range(2))
    np.testing.assert_array_equal(first.predict(features), second.predict(features))


def test_examples_of_weight_zero_teach_nothing():
    features, values, _ = examples()
    wrong = np.concatenate([values, np.full(600, 20.0)])
    weight = np.repeat([1.0, 0.0], 600)
    network = GaussianNetwork(n_epochs=40).fit(np.vstack([features, features]), wrong, weight)
    assert abs(network.predict(features).mean() - 8) < 0.5


@pytest.mark.parametrize("name", SPACES)
def test_each_model_takes_missing_features_and_weights(name):
    features, values, _ = examples()
    features[::7, 2] = np.nan
    features[:, 3] = np.nan
    parameters = {key: choices[0] for key, choices in SPACES[name].items()}
    model = build_model(name, parameters, n_examples=len(values), seed=1)
    model.fit(features, values, model__sample_weight=np.ones(len(values)))
    assert np.corrcoef(model.predict(features), features[:, 0])[0, 1] > 0.9
