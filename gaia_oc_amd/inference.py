"""What a trained network says of many stars and their support sets, at the speed of its matrix products."""

import warnings
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gaia_oc_amd.activations import activations, first_activations, set_activations
from gaia_oc_amd.deep_sets import DeepSets

Array = NDArray[np.float32]
Index = NDArray[np.int64]

_PAIRS_AT_ONCE = 512
"""Stars with their support sets in one batch: few enough for the cache, enough to outweigh Python's overhead."""
_PAIRS_AT_ONCE_ON_DEVICE = 65_536


class Judge(Protocol):
    """Gives the evidence for membership of stars, each with its own support set."""

    def __call__(self, candidates: Array, chosen: Index) -> Array:
        """Logit of a member minus that of a non-member.

        Parameters
        ----------
        candidates : ndarray of float32, shape (n, n_candidate_features)
            Standardised features of the stars.
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
) -> Judge:
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
    Judge
        It may be called from several threads at once, and what it says of a star does not depend on their number.

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
        first, *layers = (network.phi[i] for i in range(0, len(network.phi), 2))
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
        hidden, last = network.ro[1], network.ro[4]
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
    known = getattr(torch.cpu, "get_capabilities", dict)()
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
