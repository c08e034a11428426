"""A fully connected and a convolutional network for images, their hyper-parameters, and how they are trained."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from gaia_oc_amd.images.options import AugmentationOptions, TrainingOptions
from gaia_oc_amd.parallel import one_thread

Array = NDArray[np.float64]
Kind = Literal["fully_connected", "convolutional"]

KINDS: tuple[Kind, ...] = ("fully_connected", "convolutional")

_CHANNELS = (12, 24)
"""Of the convolutions; each is followed by pooling of 2 x 2 pixels."""
_POOLED = 4
"""Pixels on a side that the last convolution's image is pooled to, whatever the size of the images."""
_TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True)
class HyperParameters:
    """What a network is made and trained with.

    Parameters
    ----------
    learning_rate, momentum : float
        Of stochastic gradient descent.
    n_layers : int
        Hidden layers; of the convolutional network those after the convolutions.
    n_neurons : int
        Of the first hidden layer.
    descending : bool
        Whether each further layer has half as many, else they have as many.
    dropout : float
        Share of hidden neurons left out in training.
    """

    learning_rate: float = 0.02
    momentum: float = 0.9
    n_layers: int = 1
    n_neurons: int = 64
    descending: bool = False
    dropout: float = 0.2

    def widths(self) -> list[int]:
        """Neurons of each hidden layer."""
        halvings = range(self.n_layers) if self.descending else [0] * self.n_layers
        return [max(self.n_neurons >> n, 2) for n in halvings]


def draw_hyper_parameters(rng: np.random.Generator) -> HyperParameters:
    """Hyper-parameters drawn from the space that the search covers.

    Parameters
    ----------
    rng : Generator
        Source of randomness.

    Returns
    -------
    HyperParameters
        Rate 0.003 to 0.1, momentum 0.5 to 0.95, 1 to 3 layers, 32 to 128 neurons, equal or descending.
    """
    return HyperParameters(
        learning_rate=float(10 ** rng.uniform(-2.5, -1)),
        momentum=float(rng.choice([0.5, 0.8, 0.9, 0.95])),
        n_layers=int(rng.integers(1, 4)),
        n_neurons=int(rng.choice([32, 64, 128])),
        descending=bool(rng.integers(2)),
        dropout=float(rng.choice([0.0, 0.2, 0.4])),
    )


def build_network(
    kind: Kind, parameters: HyperParameters, *, shape: tuple[int, int, int], n_classes: int
) -> nn.Sequential:
    """Network that turns images (n, n_bands, size, size) into logits (n, n_classes).

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    parameters : HyperParameters
        Layers and neurons.
    shape : (int, int, int)
        Bands and sides of an image.
    n_classes : int
        Logits.

    Returns
    -------
    Sequential
    """
    layers: list[nn.Module] = []
    width = int(np.prod(shape))
    if kind == "convolutional":
        n_before = shape[0]
        for channels in _CHANNELS:
            layers += [nn.Conv2d(n_before, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
            layers.append(nn.MaxPool2d(2))
            n_before = channels
        layers.append(nn.AdaptiveAvgPool2d(_POOLED))
        width = n_before * _POOLED**2
    layers.append(nn.Flatten())
    for n_neurons in parameters.widths():
        layers += [nn.Linear(width, n_neurons), nn.ReLU(), nn.Dropout(parameters.dropout)]
        width = n_neurons
    return nn.Sequential(*layers, nn.Linear(width, n_classes))


def augmented(images: Tensor, options: AugmentationOptions) -> Tensor:
    """Images turned, flipped, shifted and made noisy, each in its own way, by torch's generator.

    Parameters
    ----------
    images : Tensor, shape (n, n_bands, size, size)
        As prepared.
    options : AugmentationOptions
        What is done.

    Returns
    -------
    Tensor, shape (n, n_bands, size, size)
    """
    n = len(images)
    if options.turns or options.flips or options.max_shift:
        angle = 2 * np.pi * torch.rand(n) if options.turns else torch.zeros(n)
        flip = 1 - 2.0 * torch.randint(0, 2, (n, 2)) if options.flips else torch.ones(n, 2)
        shift = 2 * options.max_shift * (2 * torch.rand(n, 2) - 1)  # sides of the image are 2 long there
        cos, sin = torch.cos(angle), torch.sin(angle)
        rows = [
            cos * flip[:, 0],
            -sin * flip[:, 1],
            shift[:, 0],
            sin * flip[:, 0],
            cos * flip[:, 1],
            shift[:, 1],
        ]
        matrix = torch.stack(rows, 1).reshape(n, 2, 3)
        grid = nn.functional.affine_grid(matrix, list(images.shape), align_corners=False)
        images = nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    if options.noise:
        images = images + options.noise * torch.rand(n, 1, 1, 1) * torch.randn_like(images)
    return images


@dataclass
class Fit:
    """A trained network and how it came about.

    Parameters
    ----------
    network : Sequential
        With the weights of the epoch of least validation loss.
    history : list of dict
        For each epoch the loss and accuracy of training (with augmentation and dropout) and validation.
    loss : float
        Least mean validation loss.
    """

    network: nn.Sequential
    history: list[dict[str, float]] = field(default_factory=list)
    loss: float = np.inf


def fit_network(
    build: Callable[[], nn.Sequential],
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    *,
    parameters: HyperParameters,
    training: TrainingOptions,
    augmentation: AugmentationOptions,
    seed: int,
) -> Fit:
    """Train a network by stochastic gradient descent until its validation loss no longer falls.

    Parameters
    ----------
    build : callable
        Gives the untrained network.
    train, validation : (Tensor, Tensor)
        Images (n, n_bands, size, size) and labels (n,).
    parameters : HyperParameters
        Rate and momentum.
    training : TrainingOptions
        Epochs, patience, batches.
    augmentation : AugmentationOptions
        Of the training images.
    seed : int
        Of weights, batches, dropout and augmentation.

    Returns
    -------
    Fit
    """
    with (
        torch.random.fork_rng(devices=[]),
        one_thread(),
    ):  # networks so small wait for threads more than they compute
        torch.manual_seed(seed)
        fit = Fit(build())
        network, (images, labels) = fit.network, train
        optimizer = torch.optim.SGD(
            network.parameters(), lr=parameters.learning_rate, momentum=parameters.momentum
        )
        best = {name: values.clone() for name, values in network.state_dict().items()}
        since = 0
        for _ in range(training.max_epochs):
            network.train()
            sums = np.zeros(2)
            for rows in torch.randperm(len(labels)).split(training.batch_size):
                if len(rows) < 2:  # of which batch normalisation knows no spread
                    continue
                logits = network(augmented(images[rows], augmentation))
                loss = nn.functional.cross_entropy(logits, labels[rows])
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                optimizer.step()
                right = (logits.argmax(1) == labels[rows]).sum()
                sums += [len(rows) * loss.item(), right.item()]
            fit.history.append(_epoch(network, sums / len(labels), validation))
            since += 1
            if fit.history[-1]["validation_loss"] < fit.loss:
                fit.loss, since = fit.history[-1]["validation_loss"], 0
                best = {name: values.clone() for name, values in network.state_dict().items()}
            if since >= training.patience:
                break
        network.load_state_dict(best)
        network.eval()
    return fit


def _epoch(network: nn.Sequential, sums: Array, validation: tuple[Tensor, Tensor]) -> dict[str, float]:
    images, labels = validation
    logits = logits_of(network, images)
    return {
        "loss": float(sums[0]),
        "accuracy": float(sums[1]),
        "validation_loss": float(log_loss(logits, labels.numpy())),
        "validation_accuracy": float((logits.argmax(1) == labels.numpy()).mean()),
    }


def logits_of(network: nn.Sequential, images: Tensor) -> Array:
    """Logits (n, n_classes) of images (n, n_bands, size, size), without dropout."""
    network.eval()
    with torch.no_grad(), one_thread():
        parts = [network(part) for part in images.split(512)]
    return torch.cat(parts).double().numpy()


def probabilities_of(logits: Array, temperature: float = 1.0) -> Array:
    """Probabilities (n, n_classes), the softmax of logits over a temperature."""
    scaled = logits / temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return scaled / scaled.sum(axis=1, keepdims=True)


def log_loss(logits: Array, labels: NDArray[np.int64], temperature: float = 1.0) -> float:
    """Mean of -ln of the probability of the true class."""
    scaled = logits / temperature
    top = scaled.max(axis=1)
    norm = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
    return float((norm - scaled[np.arange(len(labels)), labels]).mean())


def fit_temperature(logits: Array, labels: NDArray[np.int64]) -> float:
    """Temperature with the least loss (Guo et al. 2017, ICML 70, 1321), by images that did not train.

    Parameters
    ----------
    logits : ndarray, shape (n, n_classes)
        Of the network.
    labels : ndarray of int64, shape (n,)
        True classes.

    Returns
    -------
    float
        0.05 to 20.
    """
    found = minimize_scalar(
        lambda log_t: log_loss(logits, labels, float(np.exp(log_t))),
        bounds=tuple(np.log(_TEMPERATURES)),
        method="bounded",
    )
    return float(np.exp(found.x))
