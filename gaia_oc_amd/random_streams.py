"""Random streams that belong to a cluster, whatever else is run beside it."""

import zlib

import numpy as np

from gaia_oc_amd.cluster_names import normalise_name


def cluster_rng(seed: int, name: str) -> np.random.Generator:
    """Random stream of one cluster, the same whatever other clusters there are and however its name is spelt.

    Parameters
    ----------
    seed : int
        Seed of the run.
    name : str
        Cluster name.

    Returns
    -------
    Generator
    """
    return np.random.default_rng([seed, zlib.crc32(normalise_name(name).encode())])
