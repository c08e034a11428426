"""The network of Deep Embedded Clustering (Xie, Girshick & Farhadi 2016, ICML): an encoder trained to divide."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Autoencoder:
    """An encoder, and the decoder that mirrors it.

    Parameters
    ----------
    encoder : Sequential
        From features to the latent space.
    decoder : Sequential
        And back.
    """

    encoder: nn.Sequential
    decoder: nn.Sequential

    @classmethod
    def with_sizes(cls, sizes: list[int], generator: Generator) -> "Autoencoder":
        """Random weights; sizes are those of the features, the hidden layers, and the latent space."""
        return cls(_layers(sizes, generator), _layers(sizes[::-1], generator))

    def embed(self, values: Array) -> Array:
        """Place stars in the latent space, shape (n_stars, latent)."""
        with torch.inference_mode():
            return self.encoder(as_tensor(values)).numpy().astype(float)


def as_tensor(values: Array) -> Tensor:
    """Values in single precision."""
    return torch.from_numpy(values.astype(np.float32))


def _layers(sizes: list[int], generator: Generator) -> nn.Sequential:
    """Linear layers with ReLU between them; weights as He et al. (2015) advise."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        linear = nn.utils.skip_init(nn.Linear, n_in, n_out)  # does not touch the global random stream
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])  # latent space and reconstruction are not bounded


def reconstruct(
    network: Autoencoder, stars: Tensor, *, n_epochs: int, batch_size: int, lr: float, generator: Generator
) -> list[float]:
    """Train a network to reconstruct the stars' features; returns the mean squared error of each epoch."""
    parameters = [*network.encoder.parameters(), *network.decoder.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=lr)
    errors = []
    for _ in range(n_epochs):
        total = 0.0
        for batch in torch.randperm(len(stars), generator=generator).split(batch_size):
            features = stars[batch]  # (batch, n_features)
            loss = functional.mse_loss(network.decoder(network.encoder(features)), features)
            _step(optimiser, loss)
            total += float(loss.detach()) * len(batch)
        errors.append(total / len(stars))
    return errors


def soft_assignment(latent: Tensor, centres: Tensor) -> Tensor:
    """Soft assignment q of Eq. 1: Student's t with one degree of freedom, shape (n_stars, n_groups); rows sum to 1."""
    kernel = 1 / (1 + torch.cdist(latent, centres, compute_mode="donot_use_mm_for_euclid_dist").square())
    return kernel / kernel.sum(dim=1, keepdim=True)


def target_distribution(assignment: Tensor) -> Tensor:
    """Target p of Eq. 3: q^2 / f with the groups' soft sizes f, normalised for each star; sharper than q."""
    weight = assignment.square() / assignment.sum(dim=0)
    return weight / weight.sum(dim=1, keepdim=True)


def changed_share(before: Tensor | None, after: Tensor) -> float:
    """Share of the stars whose group changed; 1 if there was none before."""
    return 1.0 if before is None else float((before != after).float().mean())


def sharpen(
    network: Autoencoder,
    stars: Tensor,
    first_centres: Array,
    *,
    n_steps: int,
    n_between: int,
    min_changed: float,
    batch_size: int,
    lr: float,
    generator: Generator,
) -> tuple[Array, int]:
    """Train encoder and centres to divide: minimise the divergence KL(p || q) of Eq. 2.

    Parameters
    ----------
    network : Autoencoder
        Trained to reconstruct; its encoder is changed.
    stars : Tensor, shape (n_stars, n_features)
        Features.
    first_centres : ndarray, shape (n_groups, latent)
        Where the groups begin.
    n_steps : int
        Most steps.
    n_between : int
        Steps after which the target is computed anew.
    min_changed : float
        Training ends when a smaller share of the stars changed its group since the last target.
    batch_size : int
        Stars in a step.
    lr : float
        Learning rate of Adam.
    generator : Generator
        Order of the stars.

    Returns
    -------
    centres : ndarray, shape (n_groups, latent)
        Trained.
    n_done : int
        Steps until the end.
    """
    centres = nn.Parameter(as_tensor(first_centres))
    optimiser = torch.optim.Adam([*network.encoder.parameters(), centres], lr=lr)
    groups = None
    for n_done in range(n_steps):
        if n_done % n_between == 0:
            with torch.no_grad():
                assignment = soft_assignment(network.encoder(stars), centres)
            target, before, groups = target_distribution(assignment), groups, assignment.argmax(dim=1)
            if changed_share(before, groups) < min_changed:
                return centres.detach().numpy().astype(float), n_done
        batch = torch.randint(len(stars), (min(batch_size, len(stars)),), generator=generator)
        assignment = soft_assignment(network.encoder(stars[batch]), centres)  # (batch, n_groups)
        _step(optimiser, functional.kl_div(assignment.log(), target[batch], reduction="batchmean"))
    return centres.detach().numpy().astype(float), n_steps


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def nearest_centre(latent: Array, centres: Array) -> NDArray[np.int64]:
    """Group of the largest soft assignment of each star."""
    return soft_assignment(torch.from_numpy(latent), torch.from_numpy(centres)).argmax(dim=1).numpy()
