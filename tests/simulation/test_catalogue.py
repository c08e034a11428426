"""What catalogues would hold of a simulated cluster."""

from dataclasses import replace

import numpy as np
import pytest
from small_simulations import SMALL

from gaia_oc_amd.simulation.catalogue import draw_cluster
from gaia_oc_amd.simulation.schematic_isochrones import schematic_isochrones


def test_lists_are_incomplete_and_slightly_contaminated(simulated):
    true = set(simulated.truth.loc[simulated.truth["is_member"], "source_id"])
    bright = simulated.cone[simulated.cone["phot_g_mean_mag"] < SMALL.list_g_max]["source_id"]
    for listed in (simulated.members, simulated.comparison):
        found = listed["source_id"].isin(true)
        assert 0.8 < found.mean() <= 1
        assert 0.4 < found.sum() / bright.isin(true).sum() < 0.95


def test_parameters_are_near_the_truth(simulated):
    row = simulated.parameters.iloc[0]
    assert row["pmra"] == pytest.approx(SMALL.pmra, abs=0.1)
    assert row["parallax"] == pytest.approx(1.0, abs=0.08)
    assert row["parallax_error"] == pytest.approx(simulated.members["parallax"].std(), abs=1e-3)
    assert row["dist"] == pytest.approx(SMALL.dist, rel=0.1)
    assert row["age"] == pytest.approx(SMALL.age, abs=0.4)


def test_drawn_clusters_can_be_listed(isochrones):
    from gaia_oc_amd.simulation.schematic_isochrones import SCHEMATIC_LOG_AGES

    grid = schematic_isochrones(SCHEMATIC_LOG_AGES[::5])
    options = draw_cluster(replace(SMALL, vary=True), grid, rng=np.random.default_rng(2))
    assert options.n_members >= 30
    with pytest.raises(ValueError, match="list_g_max"):
        draw_cluster(replace(SMALL, list_g_max=6.0), grid, rng=np.random.default_rng(2))
