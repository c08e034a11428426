"""Simulated clusters that the tests of several modules look at."""

from dataclasses import replace

import numpy as np
import pytest
from small_simulations import SMALL

from gaia_oc_amd.simulation.schematic_isochrones import schematic_isochrones
from gaia_oc_amd.simulation.simulate import simulate_cluster


@pytest.fixture(scope="session")
def isochrones():
    return schematic_isochrones([8.4, 8.5, 8.6])


@pytest.fixture(scope="session")
def simulated(isochrones):
    return simulate_cluster(SMALL, isochrones, rng=np.random.default_rng(1))


@pytest.fixture(scope="session")
def whole_cone(isochrones):
    """All stars of the cone, no cut in proper motion or parallax."""
    options = replace(SMALL, cone_pm_sigmas=np.inf, cone_plx_sigmas=np.inf)
    return simulate_cluster(options, isochrones, rng=np.random.default_rng(2))
