"""The Deep Sets network, and the support sets that it looks at."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional

from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.parallel import compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]


N_EQUIVARIANT_LAYERS = 5
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


def draw_support_sets(
    n_members: ArrayLike,
    size: int,
    *,
    rng: np.random.Generator,
    excluded: ArrayLike | None = None,
    n_sets: int | None = None,
) -> NDArray[np.int64]:
    """Draw many sets of different members at once, every set equally likely.

    Floyd's algorithm: `size` steps, whatever the number of members.

    Parameters
    ----------
    n_members : int or array_like of shape (n_sets,)
        Number of members to choose from, of each set's own cluster.
    size : int
        Size of a support set.
    rng : Generator
        Source of randomness.
    excluded : array_like, shape (n_sets,), optional
        Index of a member that its set must not contain; negative where there is none.
    n_sets : int, optional
        Number of sets, needed if `n_members` is one number and nothing is excluded.

    Returns
    -------
    ndarray, shape (n_sets, size)
        Indices of members, within each cluster from 0.

    Raises
    ------
    TooFewMembersError
        If a cluster has fewer members than a set needs.
    """
    excluded = np.full(n_sets or np.size(n_members), -1) if excluded is None else np.asarray(excluded)
    available = np.broadcast_to(n_members, excluded.shape) - (excluded >= 0)
    if available.size and available.min() < size:
        raise TooFewMembersError(
            f"a support set of {size} needs {size} members besides the star itself, there are "
            f"{available.min()}: lower --size_support_set."
        )
    chosen = np.empty((len(available), size), np.int64)
    _choose(rng.random(chosen.shape), np.ascontiguousarray(available), excluded, chosen)
    return chosen


@compiled
def _choose(uniform: Array, available: Index, excluded: Index, chosen: Index) -> None:
    """Fill `chosen` by Floyd's algorithm: each step takes a number up to its own last one, or else that last one."""
    size = chosen.shape[1]
    for i in range(len(chosen)):
        for step in range(size):
            last = available[i] - size + step
            number = int(uniform[i, step] * (last + 1))
            for earlier in range(step):
                if chosen[i, earlier] == number:
                    number = last
            chosen[i, step] = number
        if excluded[i] >= 0:
            for step in range(size):
                chosen[i, step] += chosen[i, step] >= excluded[i]
