"""Simulated light curves: sectors, errors, and amplitudes that fall with age."""

import numpy as np

from gaia_oc_amd.light_curves.features import features_of
from gaia_oc_amd.light_curves.simulated import simulate_light_curves


def test_amplitudes_fall_with_age_as_asked():
    for strength, least in ((1.0, 0.8), (0.0, None)):
        known = simulate_light_curves(40, strength=strength, n_sectors=1, rng=np.random.default_rng(1))
        table = features_of(known.curves).set_index("cluster")["log_std"]
        correlation = -np.corrcoef(table, known.clusters["log_age"])[0, 1]
        assert correlation > least if least else abs(correlation) < 0.4


def test_tables_have_what_readers_need():
    known = simulate_light_curves(3, n_sectors=2, galaxies=("MW", "LMC"), rng=np.random.default_rng(1))
    assert known.clusters["galaxy"].tolist() == ["MW", "LMC", "MW"]
    assert known.curves.groupby(["cluster", "sector"]).ngroups == 6
    assert (known.curves["flux_err"] > 0).all()
    gap = np.diff(known.curves["time"][known.curves["cluster"] == "Simulated_001"])
    assert gap.max() > 1
