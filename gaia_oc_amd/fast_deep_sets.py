"""The network of deep_sets.py without PyTorch, for speed, and its support sets; tests hold the networks together."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.parallel import compiled

Index = NDArray[np.int64]
Array = NDArray[np.float32]
Weights = Mapping[str, Array]
"""Weights and biases of a network, as `deep_sets.DeepSets` names them."""

N_EQUIVARIANT_LAYERS = 5

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
    of_candidates: Array, of_support: Array, set_part: Array, chosen: Index, x: Array, mean: Array
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


_PAIRS_AT_ONCE = 512
"""Stars with their support sets in one batch: few enough for the cache, enough to outweigh Python's overhead."""


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


def weight_shapes(n_candidate: int, n_support: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's weights, which are those of the published tool.

    Parameters
    ----------
    n_candidate, n_support : int
        Features of the star to be judged, those of its cluster included, and of a support star.
    hidden_size : int
        Width of all layers.

    Returns
    -------
    dict
        In the order of the layers.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(N_EQUIVARIANT_LAYERS):
        matrix = (hidden_size, hidden_size if layer else n_candidate + n_support)
        name = f"phi.{2 * layer}"
        shapes |= {
            f"{name}.Gamma.weight": matrix,
            f"{name}.Gamma.bias": matrix[:1],
            f"{name}.Lambda.weight": matrix,
        }
    for layer, size in ((1, hidden_size), (4, 2)):
        shapes |= {f"ro.{layer}.weight": (size, hidden_size), f"ro.{layer}.bias": (size,)}
    return shapes


class CompiledJudge:
    """Matrix products by NumPy's BLAS, everything between them in one compiled pass.

    Parameters
    ----------
    weights : mapping
        Of the network, as `weight_shapes` says.
    support : ndarray of float32, shape (n_members, n_support)
        Standardised features of the members.
    """

    def __init__(self, weights: Weights, support: Array) -> None:
        gamma, bias, set_weight = (
            [weights[f"phi.{2 * layer}.{part}"] for layer in range(N_EQUIVARIANT_LAYERS)]
            for part in ("Gamma.weight", "Gamma.bias", "Lambda.weight")
        )
        n = gamma[0].shape[1] - support.shape[1]
        self._first = np.ascontiguousarray((gamma[0][:, :n] - set_weight[0][:, :n]).T), bias[0]
        self._of_support = support @ gamma[0][:, n:].T
        self._set_part = support @ set_weight[0][:, n:].T
        self._layers = [
            (np.ascontiguousarray(gamma[k].T), bias[k], np.ascontiguousarray(-set_weight[k].T))
            for k in range(1, N_EQUIVARIANT_LAYERS)
        ]
        self._hidden = np.ascontiguousarray(weights["ro.1.weight"].T), weights["ro.1.bias"]
        self._last = tuple(
            weights[f"ro.4.{part}"][1] - weights[f"ro.4.{part}"][0] for part in ("weight", "bias")
        )

    def __call__(self, candidates: Array, chosen: Index) -> Array:
        """As `Judge`, of standardised features of star and cluster, shape (n, n_candidate)."""
        verdicts = np.empty(len(candidates), np.float32)
        size, width = chosen.shape[1], self._of_support.shape[1]
        x = np.empty((min(len(candidates), _PAIRS_AT_ONCE), size, width), np.float32)
        z, mean = np.empty_like(x), np.empty((len(x), width), np.float32)
        for start in range(0, len(candidates), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            n = len(verdicts[part])
            verdicts[part] = self._batch(candidates[part], chosen[part], x[:n], z[:n], mean[:n])
        return verdicts

    def _batch(self, candidates: Array, chosen: Index, x: Array, z: Array, mean: Array) -> Array:
        """Verdicts of one batch; `x`, `z` (batch, support, hidden) and `mean` (batch, hidden) are work space."""
        weight, bias = self._first
        shift = candidates @ weight + bias
        first_activations(shift, self._of_support, self._set_part, chosen, x, mean)
        rows = len(x) * x.shape[1]
        for weight, bias, set_weight in self._layers:
            np.matmul(x.reshape(rows, -1), weight, out=z.reshape(rows, -1))
            np.matmul(mean, set_weight, out=shift)
            shift += bias
            set_activations(z, shift, mean)
            x, z = z, x
        weight, bias = self._hidden
        shift = mean @ weight + bias
        activations(shift)
        weight, bias = self._last
        return shift @ weight + bias


def draw_support_sets(
    n_members: ArrayLike,
    size: int,
    *,
    rng: np.random.Generator,
    excluded: ArrayLike | None = None,
    n_sets: int | None = None,
) -> Index:
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
def _choose(uniform: NDArray[np.float64], available: Index, excluded: Index, chosen: Index) -> None:
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
