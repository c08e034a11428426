"""Loss and gradient of the network on a batch, at the speed of its matrix products."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gaia_oc_amd.activations import set_activations, set_gradients
from gaia_oc_amd.deep_sets import N_EQUIVARIANT_LAYERS, DeepSets
from gaia_oc_amd.parallel import n_threads, one_thread
from gaia_oc_amd.training_sets import Batch

Array = NDArray[np.float32]

_EXAMPLES_AT_ONCE = 256
"""Examples of one piece of work. It fixes the order of sums, so that no result depends on the number of threads."""
_LAST = slice(3 * N_EQUIVARIANT_LAYERS, None)


class GradientEngine:
    """Loss and gradient of a network, by backpropagation written out for it, in several threads.

    Equal to what automatic differentiation gives up to rounding, some times faster. To be used as a context.

    Parameters
    ----------
    network : DeepSets
        Its parameters become views of one vector, `parameters`, which an optimiser can change.
    """

    def __init__(self, network: DeepSets) -> None:
        self._network = network
        self.parameters = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in network.parameters()]))
        self._views = self._divided(self.parameters.data)
        for parameter, view in zip(network.parameters(), self._views, strict=True):
            parameter.data = view
        self._work = threading.local()
        self._open = ExitStack()

    def __enter__(self) -> "GradientEngine":
        """Start the threads."""
        self._pool = self._open.enter_context(ThreadPoolExecutor(n_threads()))
        self._open.enter_context(one_thread())
        return self

    def __exit__(self, *_: Any) -> None:
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
            What ``batch.run.chosen`` points to.

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
        p = self._network.ro[0].p
        shape = 2, len(batch.is_member), self._network.hidden_size
        kept = (rng.random(shape, np.float32) >= p).astype(np.float32) / np.float32(1 - p)
        return self._in_pieces(batch, support, torch.from_numpy(kept))

    def _in_pieces(
        self, batch: Batch, support: Tensor, kept: Tensor | None
    ) -> tuple[float, NDArray[np.bool_]]:
        starts = range(0, len(batch.is_member), _EXAMPLES_AT_ONCE)
        gradients = torch.empty((len(starts) if kept is not None else 0, len(self.parameters)))
        total = batch.weight.sum()

        def work(i: int) -> tuple[float, NDArray[np.bool_]]:
            rows = slice(starts[i], starts[i] + _EXAMPLES_AT_ONCE)
            piece = Batch(*(part[rows] for part in batch))
            with torch.inference_mode():
                if kept is None:
                    return _Pass(self._views, self._buffer).forward(piece, support)
                there_and_back = _Pass(self._views, self._buffer, kept[:, rows])
                answer = there_and_back.forward(piece, support)
                there_and_back.backward(self._divided(gradients[i]), total)
                return answer

        losses, verdicts = zip(*self._pool.map(work, range(len(starts))), strict=True)
        if kept is not None:
            self.parameters.grad = gradients.sum(dim=0)
        return sum(losses), np.concatenate(verdicts)

    def _buffer(self, name: str, *shape: int) -> Tensor:
        """Memory of this thread that is used again."""
        known = vars(self._work)
        if name not in known or known[name].shape[1:] != shape[1:] or len(known[name]) < shape[0]:
            known[name] = torch.empty(shape)
        return known[name][: shape[0]]


class _Pass:
    """One pass through the network and back, for one piece of a batch.

    `kept` (2, batch, hidden) holds what the two dropouts multiply with.
    """

    def __init__(
        self, parameters: list[Tensor], buffer: Callable[..., Tensor], kept: Tensor | None = None
    ) -> None:
        self._parameters = parameters
        self._buffer = buffer
        self._kept = kept

    def _layer(self, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """Weights and bias of Gamma, and weights of Lambda."""
        weight, bias, set_weight = self._parameters[3 * k : 3 * k + 3]
        return weight, bias, set_weight

    def forward(self, piece: Batch, support: Tensor) -> tuple[float, NDArray[np.bool_]]:
        """Loss and verdicts; all activations are kept for the way back."""
        self._piece, self._n = piece, piece.candidates.shape[1]
        x = support[piece.chosen]  # (batch, support, features)
        self._x, self._means = [x], [x.mean(dim=1)]
        weight, bias, set_weight = self._layer(0)
        shift = torch.addmm(bias, piece.candidates, (weight[:, : self._n] - set_weight[:, : self._n]).T)
        self._equivariant(0, weight[:, self._n :], set_weight[:, self._n :], shift)
        for k in range(1, N_EQUIVARIANT_LAYERS):
            weight, bias, set_weight = self._layer(k)
            self._equivariant(k, weight, set_weight, bias.expand(len(x), -1))
        return self._classify(self._means[-1])

    def _equivariant(self, k: int, weight: Tensor, set_weight: Tensor, shift: Tensor) -> None:
        x, mean = self._x[-1], self._means[-1]
        n, size, width = len(x), x.shape[1], len(weight)
        z = self._buffer(f"activations {k}", n, size, width)
        torch.mm(x.reshape(n * size, -1), weight.T, out=z.view(n * size, width))
        shift = torch.addmm(shift, mean, set_weight.T, alpha=-1)
        mean = torch.empty_like(shift)
        set_activations(z.numpy(), shift.numpy(), mean.numpy())
        self._x.append(z)
        self._means.append(mean)

    def _classify(self, mean: Tensor) -> tuple[float, NDArray[np.bool_]]:
        weight, bias, last_weight, last_bias = self._parameters[_LAST]
        piece, kept = self._piece, self._kept if self._kept is not None else (1.0, 1.0)
        self._input = mean * kept[0]
        self._hidden = nn.functional.elu(torch.addmm(bias, self._input, weight.T))
        self._output = self._hidden * kept[1]
        logit = self._output @ (last_weight[1] - last_weight[0]) + (last_bias[1] - last_bias[0])
        self._sign = 2.0 * piece.is_member - 1.0
        self._margin = self._sign * (logit + piece.log_odds)
        loss = nn.functional.softplus(-self._margin) @ piece.weight
        return float(loss), (logit + piece.log_odds > 0).numpy()

    def backward(self, gradients: list[Tensor], total_weight: Tensor) -> None:
        """Fill `gradients`, shaped as the parameters, with those of the loss divided by the total weight."""
        of_mean = self._back_through_classifier(gradients[_LAST], total_weight)
        x = self._x[-1]
        gradient = self._buffer("gradient 0", *x.shape).zero_()
        of_shift = torch.empty_like(of_mean)
        rows = len(x) * x.shape[1]
        for k in reversed(range(N_EQUIVARIANT_LAYERS)):
            set_gradients(self._x[k + 1].numpy(), of_mean.numpy(), gradient.numpy(), of_shift.numpy())
            n = self._n if k == 0 else 0
            of_weight, of_bias, of_set_weight = gradients[3 * k : 3 * k + 3]
            of_weight[:, n:] = gradient.view(rows, -1).T @ self._x[k].reshape(rows, -1)
            of_set_weight[:, n:] = -(of_shift.T @ self._means[k])
            of_bias[:] = of_shift.sum(dim=0)
            if k == 0:
                of_weight[:, :n] = of_shift.T @ self._piece.candidates
                of_set_weight[:, :n] = -of_weight[:, :n]
                return
            weight, _, set_weight = self._layer(k)
            of_mean = -(of_shift @ set_weight)
            new = self._buffer(f"gradient {(N_EQUIVARIANT_LAYERS - k) % 2}", *gradient.shape)
            torch.mm(gradient.view(rows, -1), weight, out=new.view(rows, -1))
            gradient = new

    def _back_through_classifier(self, gradients: list[Tensor], total_weight: Tensor) -> Tensor:
        """Gradient with respect to the mean over the set, shape (batch, hidden)."""
        weight, _, last_weight, _ = self._parameters[_LAST]
        of_weight, of_bias, of_last_weight, of_last_bias = gradients
        of_logit = -self._sign * torch.sigmoid(-self._margin) * self._piece.weight / total_weight
        of_last_weight[1] = of_logit @ self._output
        of_last_weight[0] = -of_last_weight[1]
        of_last_bias[1] = of_logit.sum()
        of_last_bias[0] = -of_last_bias[1]
        slope = self._hidden.clamp_max(0) + 1
        of_hidden = of_logit[:, None] * (last_weight[1] - last_weight[0]) * self._kept[1] * slope
        of_weight[:] = of_hidden.T @ self._input
        of_bias[:] = of_hidden.sum(dim=0)
        return of_hidden @ weight * self._kept[0]
