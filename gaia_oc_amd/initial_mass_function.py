"""The initial mass function of Kroupa (2001)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_BREAKS = np.array([0.01, 0.08, 0.5, 100.0])
"""Masses between which the slope is constant [Msun]."""
_SLOPES = np.array([0.3, 1.3, 2.3])
"""dN/dM is proportional to M^-slope: Eq. 2 of Kroupa (2001, MNRAS 322, 231)."""


def number_below(mass: ArrayLike) -> Array:
    """Number of stars below a mass in a population of 1 Msun, the column int_IMF of PARSEC's isochrones.

    Parameters
    ----------
    mass : array_like, shape (n,)
        Mass [Msun]; below 0.01 gives 0, above 100 the number of all.

    Returns
    -------
    ndarray, shape (n,)
        Stars per solar mass formed between 0.01 and 100 Msun.
    """
    return _integral(np.asarray(mass, float), 0) / _integral(_BREAKS[-1:], 1)[0]


def sample_masses(lower: float, upper: float, size: int, *, rng: np.random.Generator) -> Array:
    """Masses drawn from the initial mass function.

    Parameters
    ----------
    lower, upper : float
        Bounds [Msun], within 0.01 to 100.
    size : int
        How many.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (size,)
        [Msun].

    Raises
    ------
    ValueError
        If the bounds are not in order, or outside the function's range.
    """
    if not _BREAKS[0] <= lower < upper <= _BREAKS[-1]:
        raise ValueError(
            f"masses from {lower:g} to {upper:g} Msun were asked for, they must lie in 0.01 to 100."
        )
    masses = np.unique(np.concatenate([np.geomspace(lower, upper, 2000), _BREAKS[1:-1]]))
    masses = masses[(masses >= lower) & (masses <= upper)]
    number = number_below(masses)
    return np.interp(rng.uniform(number[0], number[-1], size), number, masses)


def _integral(mass: Array, power: int) -> Array:
    """Integral of M^power dN from the lowest break to each mass, for a continuous dN/dM."""
    steps = _BREAKS[1:-1] ** np.diff(_SLOPES)
    scales = np.concatenate([[1.0], np.cumprod(steps)])
    total = np.zeros(mass.shape)
    for lower, upper, slope, scale in zip(_BREAKS[:-1], _BREAKS[1:], _SLOPES, scales, strict=True):
        exponent = power + 1 - slope
        total += scale * (np.clip(mass, lower, upper) ** exponent - lower**exponent) / exponent
    return total
