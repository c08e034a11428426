"""The benchmark at the pole: a cone that is turned away and back is the cone that it was."""

import numpy as np
import pandas as pd
import pytest
from pole import LISTS, NAME, write_turned

from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.stages.simulate import simulate_clusters

CONE = f"cones/{NAME}.parquet"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A simulated data directory near declination 60, the same at the pole, and that turned back."""
    here, there, back = (tmp_path_factory.mktemp(name) for name in ("here", "there", "back"))
    small = SimulationOptions(
        ra=80.0, dec=60.0, dist=500.0, n_members=60, field_density=100.0, cone_radius=15.0
    )
    simulate_clusters([NAME], here, small, seed=1)
    write_turned(here, there, 89.85)
    write_turned(there, back, pd.read_csv(here / "cluster_parameters.csv")["dec"].iloc[0])
    return here, there, back


def test_the_cluster_stands_at_the_pole(folders):
    parameters = pd.read_csv(folders[1] / "cluster_parameters.csv")
    assert parameters["dec"].iloc[0] == pytest.approx(89.85, abs=1e-9)
    stars = pd.read_parquet(folders[1] / CONE)
    assert stars["dec"].min() > 88
    assert np.ptp(stars["ra"]) > 90


@pytest.mark.parametrize("name", [CONE, *LISTS])
def test_turned_back_nothing_has_changed(folders, name):
    read = pd.read_parquet if name == CONE else pd.read_csv
    before, after = read(folders[0] / name), read(folders[2] / name)
    turning = [column for column in before if column.startswith(("ra", "dec", "pm")) or "pm" in column]
    assert len(turning) >= 4
    pd.testing.assert_frame_equal(after[turning], before[turning], rtol=1e-5, atol=1e-5, check_dtype=False)
    pd.testing.assert_frame_equal(after.drop(columns=turning), before.drop(columns=turning))


def test_speeds_are_the_same_at_the_pole(folders):
    here, there = (pd.read_parquet(folder / CONE) for folder in folders[:2])
    speeds = [np.hypot(stars["pmra"], stars["pmdec"]) for stars in (here, there)]
    np.testing.assert_allclose(speeds[1], speeds[0], rtol=1e-5)
    assert not np.allclose(here["pmra"], there["pmra"], atol=0.1)
