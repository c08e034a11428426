"""Loops that are compiled to machine code."""

from collections.abc import Callable
from typing import Any

import numba

_OPTIONS = {
    "nogil": True,  # threads run side by side
    "error_model": "numpy",  # a division by zero gives inf, no exception
    "fastmath": {"contract", "nsz"},  # multiply-add in one step; NaN and order of sums keep their meaning
}


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of NumPy arrays and numbers at its first call.

    The machine code is kept on disk beside the source or in the user's cache, so that later runs start at once;
    where neither can be written, each run compiles anew.

    Parameters
    ----------
    function : callable
        Uses the part of Python and NumPy that numba compiles.

    Returns
    -------
    callable
        The same function, some hundred times faster; it does not hold Python's global lock.
    """
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no folder for the machine code
        return numba.njit(**_OPTIONS)(function)
