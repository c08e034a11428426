"""Networks that classify images, with the file that they are kept in."""

import pickle
import zipfile
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gaia_oc_amd.exceptions import one_line
from gaia_oc_amd.files.data_directory import write_atomically
from gaia_oc_amd.images.networks import HyperParameters, Kind, build_network, logits_of, probabilities_of

Array = NDArray[np.float64]

_DAMAGES = (
    RuntimeError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OSError,
    EOFError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)
"""What a file that is damaged or of another kind leads to."""


def refuse_other_shape(pixels: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    """Refuse images (n, n_bands, size, size) that are not of the shape (n_bands, size, size) to learn from.

    Raises
    ------
    ValueError
        With both shapes.
    """
    if pixels.shape[1:] != shape:
        ours, theirs = (" x ".join(map(str, each)) for each in (shape, pixels.shape[1:]))
        raise ValueError(
            f"the images have {theirs} bands and pixels, the classifier is for {ours}: give it images of the same "
            "bands, or train another with --images."
        )


@dataclass(frozen=True)
class ImageClassifier:
    """Networks of one kind whose logits are averaged, and what they need to be applied.

    Parameters
    ----------
    kind : str
        One of `networks.KINDS`.
    parameters : HyperParameters
        Layers and neurons.
    classes : tuple of str
        In the order of the probabilities.
    shape : (int, int, int)
        Bands and sides of the images.
    networks : tuple of Sequential
        Trained.
    temperature : float
        That the mean logits are divided by.
    preparation : dict
        Options with which the images were made alike.
    """

    kind: Kind
    parameters: HyperParameters
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    networks: tuple[nn.Sequential, ...]
    temperature: float = 1.0
    preparation: dict[str, Any] = field(default_factory=dict)

    def logits(self, pixels: NDArray[np.float32]) -> Array:
        """Mean logits (n, n_classes) of images (n, n_bands, size, size).

        Raises
        ------
        ValueError
            If the images have another shape than those that were learned from.
        """
        refuse_other_shape(pixels, self.shape)
        return np.mean([logits_of(network, torch.from_numpy(pixels)) for network in self.networks], axis=0)

    def probabilities(self, pixels: NDArray[np.float32]) -> Array:
        """Calibrated probabilities (n, n_classes) of images (n, n_bands, size, size)."""
        return probabilities_of(self.logits(pixels), self.temperature)

    def save(self, path: Path | str) -> None:
        """Write the classifier into one file."""
        content = {
            name: getattr(self, name) for name in ("kind", "classes", "shape", "temperature", "preparation")
        }
        content["parameters"] = asdict(self.parameters)
        content["states"] = [network.state_dict() for network in self.networks]
        with write_atomically(path) as temporary, temporary.open("wb") as file:
            torch.save(content, file)

    @classmethod
    def load(cls, path: Path | str) -> "ImageClassifier":
        """Read a classifier; nothing in the file is executed.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is none, or it is damaged.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} does not exist: train a classifier with classify_images.py --images."
            )
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            parameters = HyperParameters(**content["parameters"])
            shape, classes = tuple(content["shape"]), tuple(content["classes"])
            build = partial(build_network, content["kind"], parameters, shape=shape, n_classes=len(classes))
            networks = tuple(build() for _ in content["states"])
            for network, state in zip(networks, content["states"], strict=True):
                network.load_state_dict(state)
                network.eval()
            return cls(
                content["kind"],
                parameters,
                classes,
                shape,
                networks,
                float(content["temperature"]),
                dict(content["preparation"]),
            )
        except _DAMAGES as error:
            raise ValueError(
                f"{path} is damaged or no classifier of images ({one_line(error, 150)}): train it again."
            ) from error
