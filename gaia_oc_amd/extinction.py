"""Interstellar extinction in Gaia's passbands."""

from functools import cache
from importlib import resources
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

TEFF_RANGE = (3500.0, 50000.0)
"""Effective temperatures [K] that the model was fitted on; outside, the value at the edge is used."""
A0_RANGE = (0.01, 20.0)
"""Extinctions at 550 nm [mag] that the model was fitted on."""


_MODELS = "data/precomputed/polynomial/f99/kurucz/gaia_kurucz_f99_a0_teff.ecsv"
"""The file of dustapprox with the models for Fitzpatrick (1999) in Gaia EDR3's passbands."""
_TERMS = ["1", "A0", "teffnorm", "A0^2", "A0 teffnorm", "teffnorm^2"]
_TERMS += ["A0^3", "A0^2 teffnorm", "A0 teffnorm^2", "teffnorm^3"]


@cache
def _coefficients() -> dict[str, NDArray[np.float64]]:
    """Coefficients of `_TERMS` by passband.

    Read from dustapprox's file, since importing its models (scikit-learn, pyphot, every file of the library) takes
    two seconds.
    """
    table = pd.read_csv(resources.files("dustapprox") / _MODELS, comment="#", index_col="passband")
    return {
        band: table.loc[f"GAIA_GAIA3.{band}", _TERMS].to_numpy(float, copy=True)
        for band in ("G", "Gbp", "Grp")
    }


def passband_extinction(
    band: Literal["G", "Gbp", "Grp"], teff: ArrayLike, a0: ArrayLike
) -> NDArray[np.float64]:
    """Extinction in a Gaia EDR3 passband, from the precomputed models of dustapprox.

    Fitzpatrick (1999) law with R0 = 3.1 on Kurucz atmospheres (Fouesneau et al. 2022). Effective
    temperatures and extinctions outside the fitted range take the coefficient at its edge.

    Parameters
    ----------
    band : {'G', 'Gbp', 'Grp'}
        Passband.
    teff : array_like, shape (n,)
        Effective temperature [K].
    a0 : array_like, scalar or shape (n,)
        Extinction at 550 nm [mag].

    Returns
    -------
    ndarray, shape (n,)
        Extinction [mag].
    """
    teff, a0 = np.broadcast_arrays(np.atleast_1d(np.asarray(teff, float)), np.asarray(a0, float))
    t, a = np.clip(teff, *TEFF_RANGE) / 5040, np.clip(a0, *A0_RANGE)
    squares = a * a, a * t, t * t
    cubes = a * squares[0], a * squares[1], a * squares[2], t * squares[2]
    terms = np.column_stack([np.ones_like(t), a, t, *squares, *cubes])
    return np.inner(_coefficients()[band], terms) * a0
