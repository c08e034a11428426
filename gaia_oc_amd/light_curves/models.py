"""Three ways from features to an age, with the hyper-parameters that are searched."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import QuantileTransformer

Array = NDArray[np.float64]

SPACES: dict[str, dict[str, list[Any]]] = {
    "gaussian_network": {
        "hidden_size": [16, 32, 64],
        "n_layers": [1, 2, 3],
        "dropout": [0.0, 0.2, 0.4],
        "weight_decay": [1e-4, 1e-3, 1e-2],
        "n_epochs": [20, 40, 80],
    },
    "random_forest": {"min_samples_leaf": [5, 10, 20, 40], "max_features": [0.2, 0.4, 0.8]},
    "regression": {"alpha": [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0]},
}
"""Hyper-parameters of each model, from which the search draws."""

_N_TREES = 100
_MOST_QUANTILES = 200
_LEAST_LOG_WIDTH, _GREATEST_LOG_WIDTH = -3.0, 1.0
_BATCH = 256
_LEARNING_RATE = 3e-3


def build_model(name: str, parameters: dict[str, Any], *, n_examples: int, seed: int) -> Pipeline:
    """Model that fills missing features by their medians, makes each one normally distributed, and is not fitted yet.

    Parameters
    ----------
    name : str
        One of `SPACES`.
    parameters : dict
        Hyper-parameters.
    n_examples : int
        That it will be fitted to.
    seed : int
        Of everything random.
    """
    estimators: dict[str, Callable[[], BaseEstimator]] = {
        "gaussian_network": lambda: GaussianNetwork(seed=seed, **parameters),
        "random_forest": lambda: RandomForestRegressor(_N_TREES, random_state=seed, **parameters),
        "regression": lambda: Ridge(**parameters),
    }
    steps = [
        ("fill", SimpleImputer(strategy="median", keep_empty_features=True)),
        (
            "scale",
            QuantileTransformer(
                n_quantiles=min(_MOST_QUANTILES, n_examples),
                output_distribution="normal",
                subsample=100_000,
                random_state=seed,
            ),
        ),
        ("model", estimators[name]()),
    ]
    return Pipeline(steps)


class GaussianNetwork(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Network with two outputs, mean and width of a normal distribution, of greatest likelihood.

    Nix & Weigend (1994, Proc. IEEE ICNN 1, 55). The widths hold what the features leave open.

    Parameters
    ----------
    hidden_size, n_layers : int
        Neurons of a hidden layer, and hidden layers.
    dropout : float
        Share of hidden neurons left out in training.
    weight_decay : float
        Of AdamW.
    n_epochs : int
        Passes over the examples.
    seed : int
        Of weights, batches and dropout.
    """

    def __init__(
        self,
        hidden_size: int = 32,
        n_layers: int = 2,
        dropout: float = 0.2,
        weight_decay: float = 1e-3,
        n_epochs: int = 40,
        seed: int = 0,
    ) -> None:
        self.hidden_size = hidden_size
        self.n_layers = n_layers
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.n_epochs = n_epochs
        self.seed = seed

    def fit(self, features: Array, values: Array, sample_weight: Array | None = None) -> Self:
        """Fit to values of shape (n,) and features of shape (n, n_features)."""
        weight = np.ones(len(values)) if sample_weight is None else np.asarray(sample_weight)
        self.centre_, self.scale_ = (
            float(np.average(values, weights=weight)),
            float(np.std(values)) or 1.0,
        )
        inputs = torch.tensor(features, dtype=torch.float32)
        wanted = torch.tensor((values - self.centre_) / self.scale_, dtype=torch.float32)
        weights = torch.tensor(weight / weight.mean(), dtype=torch.float32)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.network_ = self._network(inputs.shape[1])
            optimizer = torch.optim.AdamW(
                self.network_.parameters(), lr=_LEARNING_RATE, weight_decay=self.weight_decay
            )
            for _ in range(self.n_epochs):
                for batch in torch.randperm(len(wanted)).split(_BATCH):
                    optimizer.zero_grad()
                    mean, log_width = self._outputs(inputs[batch])
                    loss = 0.5 * torch.square((wanted[batch] - mean) * torch.exp(-log_width)) + log_width
                    (weights[batch] * loss).mean().backward()
                    optimizer.step()
        self.network_.eval()
        return self

    def _network(self, n_features: int) -> torch.nn.Sequential:
        layers: list[torch.nn.Module] = []
        size = n_features
        for _ in range(self.n_layers):
            layers += [
                torch.nn.Linear(size, self.hidden_size),
                torch.nn.ReLU(),
                torch.nn.Dropout(self.dropout),
            ]
            size = self.hidden_size
        return torch.nn.Sequential(*layers, torch.nn.Linear(size, 2))

    def _outputs(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, log_width = self.network_(inputs).unbind(1)
        return mean, log_width.clamp(_LEAST_LOG_WIDTH, _GREATEST_LOG_WIDTH)

    def predict(self, features: Array) -> Array:
        """Means, shape (n,)."""
        return self._predicted(features)[0]

    def predict_width(self, features: Array) -> Array:
        """Standard deviations, shape (n,)."""
        return self._predicted(features)[1]

    def _predicted(self, features: Array) -> tuple[Array, Array]:
        with torch.no_grad():
            mean, log_width = self._outputs(torch.tensor(features, dtype=torch.float32))
        return (
            self.centre_ + self.scale_ * mean.double().numpy(),
            self.scale_ * torch.exp(log_width).double().numpy(),
        )
