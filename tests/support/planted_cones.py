"""Sets of planted clusters with their truth: one of mere random numbers, and those of the simulator."""

import numpy as np
import pandas as pd

from gaia_oc_amd.candidates import SelectionLimits
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import calibrate
from gaia_oc_amd.isochrones import Isochrone, nearest_age
from gaia_oc_amd.set_building import divide_cone
from gaia_oc_amd.simulation.schematic_isochrones import schematic_isochrones
from gaia_oc_amd.simulation.simulate import simulate_cluster
from gaia_oc_amd.source_sets import SourceSets

CLUSTER = Cluster("Toy", 120.0, -20.0, -1.0, 2.0, 1.0, 0.05, 0.05, 0.05, 8.5, 0.3, 1000.0)


def make_cone(seed=1, *, n_members=150, n_field=900):
    """Stars of a cluster in a broad field, G to 20, and sets in which 40 members are listed."""
    rng, n = np.random.default_rng(seed), n_members + n_field
    is_member = np.arange(n) < n_members
    error = 10 ** rng.uniform(-1.7, -0.3, n)

    def around(mean, field_spread):
        return mean + np.where(is_member, 0, rng.normal(0, field_spread, n)) + rng.normal(0, error)

    radius = np.where(is_member, np.abs(rng.normal(0, 3, n)), 50 * np.sqrt(rng.random(n)))
    angle = rng.uniform(0, 2 * np.pi, n)
    degrees = np.degrees(radius / CLUSTER.dist)
    stars = pd.DataFrame(
        {
            "source_id": rng.permutation(n) + 10**18,
            "ra": CLUSTER.ra + degrees * np.sin(angle) / np.cos(np.radians(CLUSTER.dec)),
            "dec": CLUSTER.dec + degrees * np.cos(angle),
            "parallax": around(CLUSTER.parallax, 0.3),
            "pmra": around(CLUSTER.pmra, 1.0),
            "pmdec": around(CLUSTER.pmdec, 1.0),
            "phot_g_mean_mag": 18 + 2 * np.log10(error / 0.1),
            **{name: error for name in ("parallax_error", "pmra_error", "pmdec_error")},
            **dict.fromkeys(("parallax_pmra_corr", "parallax_pmdec_corr", "pmra_pmdec_corr"), 0.0),
            **dict.fromkeys(("g_rp", "bp_rp", "ruwe", "phot_bp_rp_excess_factor"), 1.0),
            "g_rp_error": 0.01,
            "f_c": np.where(is_member, 0, 0.1) + rng.normal(0, 0.1, n),
            "f_g": 0.0,
        }
    )
    limits = SelectionLimits(pm=0.3, parallax_far=0.1, parallax_near=0.1, colour=0.2, g=1.6)
    isochrone = Isochrone(np.array([0.0, 1.0]), np.array([10.0, 20.0]))
    parts = {"members": stars.iloc[:40], "candidates": stars.iloc[40:], "non_members": stars.iloc[:0]}
    return (
        SourceSets(CLUSTER, limits, isochrone, "g_rp", **parts, comparison=stars.iloc[:0]),
        stars,
        is_member,
    )


def simulated_sets(options, seed):
    """Sets of a simulated cluster, and the identifiers of its true members."""
    isochrones = schematic_isochrones(np.arange(8.0, 9.01, 0.1).round(1))
    simulated = simulate_cluster(options, isochrones, rng=np.random.default_rng(seed))
    listed = simulated.members[simulated.members["PMemb"] == 1].set_index("source_id")["PMemb"]
    row = simulated.parameters.iloc[0].to_dict()
    sets = divide_cone(calibrate(simulated.cone), Cluster(**row), listed, nearest_age(isochrones, row["age"]))
    return sets, simulated.truth.loc[simulated.truth["is_member"], "source_id"]
