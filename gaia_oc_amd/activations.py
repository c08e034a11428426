"""The element-wise part of the network's layers, in one pass over the data."""

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.parallel import compiled

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
def set_gradients(x: Array, of_mean: Array, gradient: Array, of_shift: Array) -> None:
    """Gradient of `set_activations`.

    Parameters
    ----------
    x : ndarray of float32, shape (batch, support, hidden)
        What `set_activations` made.
    of_mean : ndarray of float32, shape (batch, hidden)
        Gradient with respect to its means.
    gradient : ndarray of float32, shape (batch, support, hidden)
        Gradient with respect to its activations, replaced by that with respect to their arguments.
    of_shift : ndarray of float32, shape (batch, hidden)
        Filled with the gradient with respect to the shift.
    """
    size, n_hidden = x.shape[1], x.shape[2]
    share = _ONE / np.float32(size)
    for b in range(len(x)):
        for h in range(n_hidden):
            of_shift[b, h] = _ZERO
        for s in range(size):
            for h in range(n_hidden):
                slope = min(x[b, s, h], _ZERO) + _ONE
                value = (gradient[b, s, h] + of_mean[b, h] * share) * slope
                gradient[b, s, h] = value
                of_shift[b, h] += value
