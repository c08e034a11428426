"""Loss of the network and its gradient, in threads: automatic differentiation around compiled activations."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gaia_oc_amd.deep_sets import DeepSets
from gaia_oc_amd.fast_deep_sets import Array, set_activations
from gaia_oc_amd.parallel import compiled, n_threads

_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def set_gradients(x: Array, of_mean: Array, of_result: Array, of_x: Array, of_shift: Array) -> None:
    """Gradient of `set_activations`.

    Parameters
    ----------
    x : ndarray of float32, shape (batch, support, hidden)
        What `set_activations` made.
    of_mean : ndarray of float32, shape (batch, hidden)
        Gradient with respect to its means.
    of_result : ndarray of float32, shape (batch, support, hidden)
        Gradient with respect to its activations.
    of_x, of_shift : ndarray of float32, shapes (batch, support, hidden) and (batch, hidden)
        Filled with the gradients with respect to its arguments.
    """
    size, n_hidden = x.shape[1], x.shape[2]
    share = _ONE / np.float32(size)
    for b in range(len(x)):
        for h in range(n_hidden):
            of_shift[b, h] = _ZERO
        for s in range(size):
            for h in range(n_hidden):
                slope = min(x[b, s, h], _ZERO) + _ONE
                value = (of_result[b, s, h] + of_mean[b, h] * share) * slope
                of_x[b, s, h] = value
                of_shift[b, h] += value


class _SetActivations(torch.autograd.Function):
    """`set_activations` for automatic differentiation: (batch * support, hidden), (batch, hidden) -> both."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """Activations, in the memory of `x`, and their means over the sets."""
        mean = torch.empty_like(shift)
        set_activations(_sets(x, shift), shift.numpy(), mean.numpy())
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x, mean

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients with respect to `x` and `shift`."""
        of_result, of_mean = (gradient.contiguous() for gradient in gradients)
        (x,) = ctx.saved_tensors
        of_x, of_shift = torch.empty_like(x), torch.empty_like(of_mean)
        set_gradients(
            _sets(x, of_mean),
            of_mean.numpy(),
            _sets(of_result, of_mean),
            _sets(of_x, of_mean),
            of_shift.numpy(),
        )
        return of_x, of_shift


_set_activations: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = _SetActivations.apply


def _sets(x: Tensor, mean: Tensor) -> Array:
    """Rows of all sets as (batch, support, hidden)."""
    return x.view(len(mean), -1, x.shape[1]).numpy()


class Batch(NamedTuple):
    """Examples for the network.

    Parameters
    ----------
    candidates : Tensor, shape (batch, n_source_features + n_cluster_features)
        Standardised features of the stars to be judged.
    chosen : Tensor, shape (batch, support)
        Support stars, as rows of `TrainingSet.members`.
    is_member : Tensor, shape (batch,)
        Labels, 1 for members.
    weight : Tensor, shape (batch,)
        Weights in the loss.
    log_odds : Tensor, shape (batch,)
        What is added to the logit of a member before the loss: the logarithm of the class ratio where the network
        shall not learn it, else 0.
    """

    candidates: Tensor
    chosen: Tensor
    is_member: Tensor
    weight: Tensor
    log_odds: Tensor


_EXAMPLES_AT_ONCE = 256
"""Examples of one piece of work. It fixes the order of sums, so that no result depends on the number of threads."""


class GradientEngine:
    """Loss of a network and, by automatic differentiation, its gradient, in several threads.

    To be used as a context.

    Parameters
    ----------
    network : DeepSets
        Its parameters become views of one vector, `parameters`, which an optimiser can change.
    """

    def __init__(self, network: DeepSets) -> None:
        self._network = network
        self.parameters = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in network.parameters()]))
        for parameter, view in zip(network.parameters(), self._divided(self.parameters.data), strict=True):
            parameter.data = view
        self._open = ExitStack()

    def __enter__(self) -> "GradientEngine":
        """Start the threads."""
        self._pool = self._open.enter_context(ThreadPoolExecutor(n_threads()))
        self._open.enter_context(_one_thread())
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads."""
        self._open.close()

    def _divided(self, vector: Tensor) -> list[Tensor]:
        """Views of a vector with the shapes of the network's parameters."""
        shapes = [p.shape for p in self._network.parameters()]
        parts = vector.split([shape.numel() for shape in shapes])
        return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]

    def loss(self, batch: Batch, support: Tensor) -> tuple[float, NDArray[np.bool_]]:
        """Weighted loss without dropout.

        Parameters
        ----------
        batch : Batch
            Examples.
        support : Tensor, shape (n_members, n_support_features)
            What ``batch.chosen`` points to.

        Returns
        -------
        loss : float
            Sum of weight times cross-entropy (Eq. 18 of van Groeningen et al. 2023).
        called_member : ndarray of bool, shape (batch,)
        """
        return self._in_pieces(batch, support, None)

    def loss_and_gradient(
        self, batch: Batch, support: Tensor, *, rng: np.random.Generator
    ) -> tuple[float, NDArray[np.bool_]]:
        """Weighted loss with dropout; the gradient of its weighted mean is left in ``parameters.grad``.

        Parameters
        ----------
        batch, support
            As for `loss`.
        rng : Generator
            Draws what is dropped.

        Returns
        -------
        loss, called_member
            As for `loss`.
        """
        (p,) = {module.p for module in self._network.ro if isinstance(module, nn.Dropout)}
        shape = 2, len(batch.is_member), self._network.hidden_size
        kept = (rng.random(shape, np.float32) >= p).astype(np.float32) / np.float32(1 - p)
        return self._in_pieces(batch, support, torch.from_numpy(kept))

    def _in_pieces(
        self, batch: Batch, support: Tensor, kept: Tensor | None
    ) -> tuple[float, NDArray[np.bool_]]:
        total = batch.weight.sum()

        def work(start: int) -> tuple[float, NDArray[np.bool_], Tensor]:
            rows = slice(start, start + _EXAMPLES_AT_ONCE)
            piece = Batch(*(part[rows] for part in batch))
            vector = self.parameters.detach().requires_grad_(kept is not None)
            loss, log_odds = _loss(
                self._divided(vector), piece, support, (1.0, 1.0) if kept is None else kept[:, rows]
            )
            gradient = vector if kept is None else torch.autograd.grad(loss / total, vector)[0]
            return loss.item(), (log_odds > 0).numpy(), gradient

        starts = range(0, len(batch.is_member), _EXAMPLES_AT_ONCE)
        losses, verdicts, gradients = zip(*self._pool.map(work, starts), strict=True)
        if kept is not None:
            self.parameters.grad = torch.stack(gradients).sum(dim=0)
        return sum(losses), np.concatenate(verdicts)


def _loss(
    parameters: list[Tensor], piece: Batch, support: Tensor, kept: Tensor | tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Weighted loss and log odds (batch,) by the forward pass of `DeepSets`; `kept` multiplies at its two dropouts."""
    *layers, weight, bias, last_weight, last_bias = parameters
    x = support[piece.chosen]  # (batch, support, features)
    mean, x = x.mean(dim=1), x.flatten(0, 1)
    n = piece.candidates.shape[1]
    for k in range(0, len(layers), 3):
        gamma, shift, set_weight = layers[k : k + 3]
        if k == 0:
            shift = torch.addmm(shift, piece.candidates, (gamma[:, :n] - set_weight[:, :n]).T)
            gamma, set_weight = gamma[:, n:], set_weight[:, n:]
        x, mean = _set_activations(x @ gamma.T, shift - mean @ set_weight.T)
    hidden = nn.functional.elu(torch.addmm(bias, mean * kept[0], weight.T)) * kept[1]
    logit = hidden @ (last_weight[1] - last_weight[0]) + (last_bias[1] - last_bias[0])
    log_odds = logit + piece.log_odds
    return nn.functional.softplus((1 - 2 * piece.is_member) * log_odds) @ piece.weight, log_odds.detach()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let PyTorch sum in a fixed order, whatever the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
