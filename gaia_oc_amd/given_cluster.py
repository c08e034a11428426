"""A cluster given by hand: what it must have, what it overrides, and what is assumed of the rest."""

import logging
import warnings
from collections.abc import Callable

import numpy as np

from gaia_oc_amd.exceptions import UnknownClusterError
from gaia_oc_amd.options import GivenCluster

NEEDED = ("ra", "dec", "parallax", "pmra", "pmdec")
"""What a cluster that no table knows must be given; a distance may stand for the parallax."""

# the parameters of 2,017 clusters of Cantat-Gaudin et al. (2020) have these medians, at all distances within a third
_LOG_AGE = 8.2
_A0_PER_KPC, _LARGEST_A0 = 0.6, 1.5  # mag
_PM_SCATTER, _VELOCITY_SCATTER = 0.1, 0.5  # mas/yr of the measurements, km/s
_PARALLAX_SCATTER, _DEPTH = 0.05, 5.0  # mas of the measurements, pc

logger = logging.getLogger(__name__)


def refuse_incomplete(name: str, given: GivenCluster, unknown: Callable[[], UnknownClusterError]) -> None:
    """Refuse a cluster that no table knows and that is not given by hand either.

    Parameters
    ----------
    name : str
        Its name.
    given : GivenCluster
        What is given of it.
    unknown : callable
        Makes the error for a cluster of which nothing is given.

    Raises
    ------
    UnknownClusterError
        That of `unknown` if nothing is given; else one that says what is missing.
    """
    values = given.values()
    if not values:
        raise unknown()
    missing = [key for key in NEEDED if key not in values and not (key == "parallax" and "dist" in values)]
    if missing:
        options = " ".join(f"--{key}" for key in missing)
        raise UnknownClusterError(
            f"{name!r} is in no row of the parameter table, so it must be given whole: add {options}."
        )


def override(name: str, values: dict[str, float], given: GivenCluster) -> dict[str, float]:
    """Parameters with those in place that were given by hand.

    Parameters
    ----------
    name : str
        Cluster name, for the log.
    values : dict of str to float
        The table's parameters, NaN where it has none.
    given : GivenCluster
        What goes before them. A given parallax also replaces a distance that is not given, and a given distance a
        parallax that is missing.

    Returns
    -------
    dict of str to float
    """
    chosen = given.values()
    if "parallax" in chosen and "dist" not in chosen:
        chosen["dist"] = 1000 / chosen["parallax"]
    if "dist" in chosen and "parallax" not in chosen and not np.isfinite(values["parallax"]):
        chosen["parallax"] = 1000 / chosen["dist"]
    replaced = [f"{key} {values[key]:g} by {chosen[key]:g}" for key in chosen if np.isfinite(values[key])]
    if replaced:
        logger.info("%s: the given values replace the table's: %s", name, ", ".join(replaced))
    return values | chosen


def fill_gaps(name: str, values: dict[str, float]) -> dict[str, float]:
    """Parameters of a cluster that no table knows, typical ones where none are given.

    Log age 8.2; A0 of 0.6 mag per kpc, at most 1.5 mag; standard deviations of the members of 0.1 mas/yr and
    0.05 mas together with 0.5 km/s and 5 pc at the cluster's distance. They are medians of known clusters; a warning
    names what was assumed.

    Parameters
    ----------
    name : str
        Cluster name, for the warning.
    values : dict of str to float
        Its parameters with a distance, NaN where there are none.

    Returns
    -------
    dict of str to float
    """
    kpc = values["dist"] / 1000
    scatter = float(np.hypot(_PM_SCATTER, _VELOCITY_SCATTER / (4.74 * kpc)))
    typical = {
        "pmra_error": scatter,
        "pmdec_error": scatter,
        "parallax_error": float(np.hypot(_PARALLAX_SCATTER, _DEPTH / 1000 / kpc**2)),
        "age": _LOG_AGE,
        "a0": min(_A0_PER_KPC * kpc, _LARGEST_A0),
    }
    assumed = {key: value for key, value in typical.items() if not np.isfinite(values[key])}
    if assumed:
        warnings.warn(
            f"{name}: {', '.join(f'{key} {value:.3g}' for key, value in assumed.items())} is assumed, as of a typical "
            f"cluster at {values['dist']:.0f} pc: give {' '.join(f'--{key}' for key in assumed)} if you know better.",
            stacklevel=3,
        )
    return values | assumed
