"""Which Cepheids are used: type, mode, quality, galaxy."""

import numpy as np
import pytest

from gaia_oc_amd.cepheids.options import CepheidOptions, LmcOptions
from gaia_oc_amd.cepheids.selection import select_cepheids
from gaia_oc_amd.cepheids.simulated import SimulatedCepheids, simulate_cepheids
from gaia_oc_amd.exceptions import ClusterError


@pytest.fixture(scope="module")
def table():
    return simulate_cepheids(SimulatedCepheids(n_milky_way=100, n_lmc=100), rng=np.random.default_rng(1))


def test_other_variables_are_one_line(table):
    with pytest.raises(ClusterError, match="None of 200 stars passes the cut type DCEP: they are 200 RRAB"):
        select_cepheids(table.assign(type_best_classification="RRAB"), "pf")


def test_bad_stars_are_left_out_and_nobody_for_a_parallax(table):
    bad = table.copy()
    bad.loc[0, "pf"] = np.nan
    bad.loc[1, "int_average_bp"] = np.nan
    bad.loc[2, "num_clean_epochs_g"] = 3
    bad.loc[3, "int_average_rp_error"] = 0.5
    bad.loc[4, "mode_best_classification"] = "MULTI"
    bad.loc[5, "parallax"] = -3.0
    stars = select_cepheids(bad.assign(ruwe=np.where(np.arange(200) == 6, 3.0, 1.0)), "pf")
    left = set(bad["source_id"]) - set(stars["source_id"])
    assert left == set(bad["source_id"].iloc[[0, 1, 2, 3, 4, 6]])


def test_wesenheit_magnitude_and_its_error(table):
    stars = select_cepheids(table, "pf", CepheidOptions(wesenheit=2.0))
    colour = stars["int_average_bp"] - stars["int_average_rp"]
    assert stars["wesenheit"].to_numpy() == pytest.approx((stars["int_average_g"] - 2 * colour).to_numpy())
    assert stars["wesenheit_error"].iloc[0] == pytest.approx(np.sqrt(5e-4**2 + 4 * 2 * 3e-3**2))


def test_the_lmc_is_told_by_sky_motion_and_parallax(table):
    moved = table.copy()
    lmc = moved.index[100:]
    moved.loc[lmc[0], "pmra"] += 5
    moved.loc[lmc[1], "parallax"] = 3.0
    moved.loc[lmc[2], "dec"] = -30.0
    stars = select_cepheids(moved, "pf", lmc=LmcOptions(lmc_radius=8)).set_index("source_id")
    galaxy = stars["galaxy"].reindex(table["source_id"])
    assert (galaxy.iloc[100:103] != "LMC").all()
    assert (galaxy.iloc[103:] == "LMC").mean() > 0.95
    assert (galaxy.iloc[:100] != "LMC").all()


def test_errors_of_dr2_are_widened(table):
    stars = select_cepheids(table, "pf", CepheidOptions(release="dr2"))
    row = table.set_index("source_id").loc[stars["source_id"].iloc[0]]
    assert row["int_average_g"] < 13
    assert stars["parallax_error"].iloc[0] == pytest.approx(np.hypot(1.08 * row["parallax_error"], 0.021))
    assert stars["parallax"].iloc[0] == row["parallax"]
