"""The network of deep_sets.py once more, for speed; tests hold the two together."""

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gaia_oc_amd.deep_sets import DeepSets
from gaia_oc_amd.parallel import compiled, n_threads, one_thread

Index = NDArray[np.int64]


Array = NDArray[np.float32]

_LOG2_E = np.float32(1.4426950408889634)
_LOWEST = np.float32(-25.0)
"""2^-25 is nothing beside 1 in single precision."""
_ROUNDER = np.float32(12582912.0)
"""1.5 * 2^23: adding and subtracting it rounds to the nearest integer."""
_C1, _C2, _C3 = np.float32(0.693146977599), np.float32(0.240222420846), np.float32(0.0555073374357)
_C4, _C5 = np.float32(0.00967151268815), np.float32(0.00132647272471)
"""Polynomial of 2^x - 1 for |x| <= 1/2, fitted to the smallest largest error: 9.1e-8 of 2^x."""
_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def elu(x: np.float32) -> np.float32:
    """Exponential linear unit of a number: x, or exp(x) - 1 where x is negative; good to 2e-7."""
    power = max(min(x, _ZERO) * _LOG2_E, _LOWEST)
    whole = (power + _ROUNDER) - _ROUNDER
    part = power - whole
    rest = part * (_C1 + part * (_C2 + part * (_C3 + part * (_C4 + part * _C5))))  # 2^part - 1
    scale = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)  # 2^whole
    return max(x, _ZERO) + (scale * rest + (scale - _ONE))


@compiled
def first_activations(
    of_candidates: Array, of_support: Array, set_part: Array, chosen: NDArray[np.int64], x: Array, mean: Array
) -> None:
    """First layer from the parts that were computed once per candidate and once per support star.

    Parameters
    ----------
    of_candidates : ndarray of float32, shape (batch, hidden)
        Part of the candidates, bias included.
    of_support, set_part : ndarray of float32, shape (n_members, hidden)
        Parts of the support stars: their own, and what they add to the mean over their set.
    chosen : ndarray of int64, shape (batch, support)
        Each candidate's support set.
    x, mean : ndarray of float32, shapes (batch, support, hidden) and (batch, hidden)
        Filled with the activations and their means over the set.
    """
    size, n_hidden = chosen.shape[1], mean.shape[1]
    share = _ONE / np.float32(size)
    shift = np.empty(n_hidden, np.float32)
    for b in range(len(mean)):
        shift[:] = _ZERO
        for s in range(size):
            member = chosen[b, s]
            for h in range(n_hidden):
                shift[h] += set_part[member, h]
        for h in range(n_hidden):
            shift[h] = of_candidates[b, h] - shift[h] * share
            mean[b, h] = _ZERO
        for s in range(size):
            member = chosen[b, s]
            for h in range(n_hidden):
                value = elu(of_support[member, h] + shift[h])
                x[b, s, h] = value
                mean[b, h] += value
        for h in range(n_hidden):
            mean[b, h] *= share


@compiled
def set_activations(x: Array, shift: Array, mean: Array) -> None:
    """ELU of a set's elements after a shift that they share, and the mean over the set.

    Parameters
    ----------
    x : ndarray of float32, shape (batch, support, hidden)
        Replaced by ELU(x + shift).
    shift : ndarray of float32, shape (batch, hidden)
        Added to all elements of a set.
    mean : ndarray of float32, shape (batch, hidden)
        Filled with the means of the result.
    """
    size, n_hidden = x.shape[1], x.shape[2]
    share = _ONE / np.float32(size)
    for b in range(len(x)):
        for h in range(n_hidden):
            mean[b, h] = _ZERO
        for s in range(size):
            for h in range(n_hidden):
                value = elu(x[b, s, h] + shift[b, h])
                x[b, s, h] = value
                mean[b, h] += value
        for h in range(n_hidden):
            mean[b, h] *= share


@compiled
def activations(x: Array) -> None:
    """Replace the elements of a two-dimensional array by their ELU."""
    for b in range(len(x)):
        for h in range(x.shape[1]):
            x[b, h] = elu(x[b, h])


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


_PAIRS_AT_ONCE = 512
"""Stars with their support sets in one batch: few enough for the cache, enough to outweigh Python's overhead."""
_PAIRS_AT_ONCE_ON_DEVICE = 65_536


class Judge(Protocol):
    """Gives the evidence for membership of stars, each with its own support set."""

    def __call__(self, candidates: NDArray[np.floating], chosen: Index) -> Array:
        """Logit of a member minus that of a non-member.

        Parameters
        ----------
        candidates : ndarray, shape (n, n_features)
            Features of the stars, as they are.
        chosen : ndarray of int64, shape (n, support)
            Each star's support set, as rows of the members.

        Returns
        -------
        ndarray of float32, shape (n,)
        """


def make_judge(
    network: DeepSets,
    support: Tensor,
    *,
    device: str = "cpu",
    precision: Literal["float32", "bfloat16"] = "float32",
) -> Callable[[Array, Index], Array]:
    """Make a network ready for judging many stars against the members of one cluster.

    Parameters
    ----------
    network : DeepSets
        Trained; its dropout plays no part.
    support : Tensor, shape (n_members, n_support_features)
        Standardised features of the members.
    device : str
        "cpu", "cuda" or "cuda:N".
    precision : {'float32', 'bfloat16'}
        Of the network's arithmetic.

    Returns
    -------
    callable
        As `Judge`, but for standardised features of star and cluster, as float32. It may be called from several threads
        at once, and what it says of a star does not depend on their number.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    if device == "cpu" and precision == "float32":
        return _CompiledJudge(network, support)
    return _TorchJudge(network, support, device, precision)


class _CompiledJudge:
    """Matrix products by PyTorch, everything between them in one compiled pass."""

    def __init__(self, network: DeepSets, support: Tensor) -> None:
        n = network.n_candidate_features
        first, *layers = network.layers
        weight, set_weight = first.Gamma.weight.detach(), first.Lambda.weight.detach()
        self._first = (weight[:, :n] - set_weight[:, :n]).T.contiguous(), first.Gamma.bias.detach()
        self._of_support = (support @ weight[:, n:].T).numpy()
        self._set_part = (support @ set_weight[:, n:].T).numpy()
        self._layers = [
            tuple(
                part.detach().contiguous()
                for part in (layer.Gamma.weight.T, layer.Gamma.bias, -layer.Lambda.weight.T)
            )
            for layer in layers
        ]
        hidden, last = (module for module in network.ro if isinstance(module, nn.Linear))
        self._hidden = hidden.weight.detach().T.contiguous(), hidden.bias.detach()
        self._last = (last.weight[1] - last.weight[0]).detach(), (last.bias[1] - last.bias[0]).detach()

    def __call__(self, candidates: Array, chosen: Index) -> Array:
        """See `Judge`."""
        verdicts = np.empty(len(candidates), np.float32)
        size, width = chosen.shape[1], self._of_support.shape[1]
        x = np.empty((min(len(candidates), _PAIRS_AT_ONCE), size, width), np.float32)
        z, mean = np.empty_like(x), np.empty((len(x), width), np.float32)
        with torch.inference_mode():
            for start in range(0, len(candidates), _PAIRS_AT_ONCE):
                part = slice(start, start + _PAIRS_AT_ONCE)
                n = len(verdicts[part])
                verdicts[part] = self._batch(candidates[part], chosen[part], x[:n], z[:n], mean[:n])
        return verdicts

    def _batch(self, candidates: Array, chosen: Index, x: Array, z: Array, mean: Array) -> Array:
        """Verdicts of one batch; `x`, `z` (batch, support, hidden) and `mean` (batch, hidden) are work space."""
        weight, bias = self._first
        shift = torch.addmm(bias, torch.from_numpy(candidates), weight)
        first_activations(shift.numpy(), self._of_support, self._set_part, chosen, x, mean)
        rows = len(x) * x.shape[1]
        for weight, bias, set_weight in self._layers:
            torch.mm(torch.from_numpy(x).view(rows, -1), weight, out=torch.from_numpy(z).view(rows, -1))
            torch.addmm(bias, torch.from_numpy(mean), set_weight, out=shift)
            set_activations(z, shift.numpy(), mean)
            x, z = z, x
        weight, bias = self._hidden
        torch.addmm(bias, torch.from_numpy(mean), weight, out=shift)
        activations(shift.numpy())
        weight, bias = self._last
        return torch.addmv(bias, shift, weight).numpy()


class _TorchJudge:
    """All by PyTorch, for accelerators and reduced precision."""

    def __init__(self, network: DeepSets, support: Tensor, device: str, precision: str) -> None:
        self._device, self._type = torch_device(device), getattr(torch, precision)
        if self._device.type == "cpu" and precision == "bfloat16" and not _computes_bfloat16():
            warnings.warn("this processor has no bfloat16 arithmetic: float32 is faster here.", stacklevel=3)
        copied = DeepSets(
            network.n_candidate_features,
            network.n_support_features,
            network.hidden_size,
        )
        copied.load_state_dict(network.state_dict())
        self._network = copied.eval().to(self._device, self._type)
        self._support = support.to(self._device, self._type)

    def __call__(self, candidates: Array, chosen: Index) -> Array:
        """See `Judge`."""
        parts = [np.empty(0, np.float32)]
        with torch.inference_mode():
            for start in range(0, len(candidates), _PAIRS_AT_ONCE_ON_DEVICE):
                part = slice(start, start + _PAIRS_AT_ONCE_ON_DEVICE)
                pairs = torch.from_numpy(candidates[part]).to(self._device, self._type)
                logits = self._network.set_logits(
                    pairs, self._support, torch.from_numpy(chosen[part]).to(self._device)
                )
                parts.append((logits[:, 1] - logits[:, 0]).float().cpu().numpy())
        return np.concatenate(parts)


def _computes_bfloat16() -> bool:
    """Whether the processor multiplies matrices of bfloat16, as far as PyTorch can tell."""
    known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(known.get(name, True) for name in ("avx512_bf16", "amx_bf16"))


def torch_device(name: str) -> torch.device:
    """PyTorch's device of a name.

    Raises
    ------
    ValueError
        If this machine has none of that name.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"--device {name}: PyTorch finds no such device ({str(error).splitlines()[0]}): use --device cpu, or "
            "install a PyTorch built for the accelerator."
        ) from error
    return device


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
        self._open.enter_context(one_thread())
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
