"""The Deep Sets network in PyTorch: for training, for accelerators, and as the definition of the fast one."""

import warnings

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from gaia_oc_amd.fast_deep_sets import N_EQUIVARIANT_LAYERS, Array, Index, Weights

DROPOUT = 0.5


class EquivariantLayer(nn.Module):
    """Permutation-equivariant layer, Gamma(x) - Lambda(mean of x over the set) (Zaheer et al. 2017).

    Fig. A.1 of van Groeningen et al. (2023); Lambda has no bias.

    Parameters
    ----------
    n_in, n_out : int
        Number of features of each element before and after.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.Gamma = nn.Linear(n_in, n_out)
        self.Lambda = nn.Linear(n_in, n_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map a set to a set of the same size: (batch, support, n_in) -> (batch, support, n_out)."""
        return self.Gamma(x).sub_(
            self.Lambda(x.mean(dim=1, keepdim=True))
        )  # in place: half the memory traffic


class DeepSets(nn.Module):
    """Network of Fig. A.2 of van Groeningen et al. (2023).

    Five equivariant layers with ELU, the mean over the set, and a two-layer classifier with dropout. The
    names of its parameters are those of the published tool.

    Parameters
    ----------
    n_candidate_features : int
        Features of the star to be judged: its source features and the cluster features.
    n_support_features : int
        Source features of a support star.
    hidden_size : int
        Width of all layers.
    dropout : float
        Chance of an element to be dropped in training.
    """

    def __init__(
        self,
        n_candidate_features: int,
        n_support_features: int,
        hidden_size: int = 64,
        dropout: float = DROPOUT,
    ) -> None:
        super().__init__()
        self.n_candidate_features = n_candidate_features
        self.n_support_features = n_support_features
        self.hidden_size = hidden_size
        phi: list[nn.Module] = []
        for layer in range(N_EQUIVARIANT_LAYERS):
            n_in = n_candidate_features + n_support_features if layer == 0 else hidden_size
            phi += [EquivariantLayer(n_in, hidden_size), nn.ELU(inplace=True)]
        self.phi = nn.Sequential(*phi)
        self.ro = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(hidden_size, hidden_size),
            nn.ELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, 2),
        )

    @classmethod
    def of(cls, weights: Weights, n_support_features: int) -> "DeepSets":
        """Network with these weights, ready to judge."""
        hidden_size, n_features = weights["phi.0.Gamma.weight"].shape
        network = cls(n_features - n_support_features, n_support_features, hidden_size)
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
        return network.eval()

    def weights(self) -> dict[str, Array]:
        """Weights and biases now, with memory of their own."""
        return {name: value.numpy().copy() for name, value in self.state_dict().items()}

    @property
    def layers(self) -> list[EquivariantLayer]:
        """The equivariant layers, in their order."""
        return [module for module in self.phi if isinstance(module, EquivariantLayer)]

    def initialise(self, generator: Generator) -> None:
        """Draw all weights anew, uniformly within 1 / sqrt(inputs) as PyTorch's linear layers do."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                bound = module.in_features**-0.5
                for parameter in module.parameters():
                    with torch.no_grad():
                        parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of non-member and member.

        Parameters
        ----------
        x : Tensor, shape (batch, support, n_candidate_features + n_support_features)
            For each support star: the candidate's features, then the support star's.

        Returns
        -------
        Tensor, shape (batch, 2)
        """
        return self.ro(self.phi(x).mean(dim=1))

    def set_logits(self, candidates: Tensor, support: Tensor, chosen: Tensor) -> Tensor:
        """Logits as `forward` gives them, without building its redundant input.

        The first layer is linear, so its support part is computed once per member and its candidate part
        once per candidate, instead of once per pair.

        Parameters
        ----------
        candidates : Tensor, shape (batch, n_candidate_features)
            Standardised features of the stars to be judged.
        support : Tensor, shape (n_members, n_support_features)
            Standardised features of all members.
        chosen : Tensor, shape (batch, support)
            Each star's support set, as row numbers of `support`.

        Returns
        -------
        Tensor, shape (batch, 2)
        """
        first = self.layers[0]
        n = self.n_candidate_features
        weight, set_weight = first.Gamma.weight, first.Lambda.weight
        of_candidate = (
            candidates @ (weight[:, :n] - set_weight[:, :n]).T + first.Gamma.bias
        )  # (batch, hidden)
        of_support = support @ weight[:, n:].T  # (n_members, hidden)
        of_set = functional.embedding_bag(
            chosen, support @ set_weight[:, n:].T, mode="mean"
        )  # (batch, hidden)
        x = of_support[chosen] + (of_candidate - of_set)[:, None]  # (batch, support, hidden)
        return self.ro(self.phi[1:](x).mean(dim=1))


_PAIRS_AT_ONCE_ON_DEVICE = 65_536


class TorchJudge:
    """What `fast_deep_sets.CompiledJudge` does, all by PyTorch, for accelerators and reduced precision.

    Parameters
    ----------
    weights, support
        As for `fast_deep_sets.CompiledJudge`.
    device : str
        PyTorch's name of the accelerator, or "cpu".
    precision : {'float32', 'bfloat16'}
        Of the arithmetic.

    Raises
    ------
    ValueError
        If there is no such device.
    """

    def __init__(self, weights: Weights, support: Array, device: str, precision: str) -> None:
        self._device, self._type = torch_device(device), getattr(torch, precision)
        if self._device.type == "cpu" and precision == "bfloat16" and not _computes_bfloat16():
            warnings.warn("this processor has no bfloat16 arithmetic: float32 is faster here.", stacklevel=3)
        self._network = DeepSets.of(weights, support.shape[1]).to(self._device, self._type)
        self._support = torch.from_numpy(support).to(self._device, self._type)

    def __call__(self, candidates: Array, chosen: Index) -> Array:
        """As `fast_deep_sets.CompiledJudge`."""
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
        torch.zeros(1, device=device).cpu()  # some kinds of devices compute nothing
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"--device {name}: PyTorch finds no such device ({str(error).splitlines()[0]}): use --device cpu, or "
            "install a PyTorch built for the accelerator."
        ) from error
    return device
