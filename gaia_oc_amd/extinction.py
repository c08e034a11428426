"""Interstellar extinction in Gaia's passbands."""

import warnings
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

TEFF_RANGE = (3500.0, 50000.0)
"""Effective temperatures [K] that the model was fitted on; outside, the value at the edge is used."""
A0_RANGE = (0.01, 20.0)
"""Extinctions at 550 nm [mag] that the model was fitted on."""


@cache
def _extinction_models() -> dict[str, Any]:
    """Polynomial models of dustapprox, found by name because their order is the file system's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # import-time noise of dustapprox's dependencies
        from dustapprox.models import PrecomputedModel

        library = PrecomputedModel()
        (info,) = library.find(passband="GAIA_GAIA3", extinction="Fitzpatrick (1999)", kind="polynomial")
        return {band: library.load_model(info, passband=f"GAIA_GAIA3.{band}") for band in ("G", "Gbp", "Grp")}


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
    inside = pd.DataFrame({"teff": np.clip(teff, *TEFF_RANGE), "A0": np.clip(a0, *A0_RANGE)})
    return np.asarray(_extinction_models()[band].predict(inside), float) * a0
