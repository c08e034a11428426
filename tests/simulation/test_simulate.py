"""A simulated cluster in its field: tables that fit together, options that are checked."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from small_simulations import SMALL

from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.cone import cone_region
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.simulation import simulate
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.simulate import SimulatedCluster, simulate_cluster, vary_options
from gaia_oc_amd.simulation.space import galactic_coordinates


def test_tables_fit_together(simulated):
    assert isinstance(simulated, SimulatedCluster)
    assert list(simulated.cone.columns) == list(ARCHIVE_COLUMNS)
    assert np.array_equal(simulated.cone["source_id"], simulated.truth["source_id"])
    assert simulated.cone.drop(columns=["pseudocolour", "nu_eff_used_in_astrometry"]).notna().all(axis=None)
    for listed in (simulated.members, simulated.comparison):
        assert listed["source_id"].isin(simulated.cone["source_id"]).all()
        assert (listed["phot_g_mean_mag"] < SMALL.list_g_max).all()
        assert listed["PMemb"].between(0, 1).all()
    assert simulated.members["PMemb"].mul(10).round(6).mod(1).eq(0).all()
    assert (simulated.members["PMemb"] == 1).mean() > 0.5


def test_nothing_but_physics_tells_members_from_field(whole_cone):
    """Quantities that depend on Gaia only have one distribution for both, at the same magnitudes."""
    cone, truth = whole_cone.cone, whole_cone.truth
    alike = (cone["phot_g_mean_mag"].between(15, 17.5) & ~truth["is_binary"]).to_numpy()
    cone, is_member = cone[alike], truth["is_member"].to_numpy()[alike]
    cone = cone.assign(running_number=(cone["source_id"].to_numpy() >> 7) & (2**25 - 1))
    for name in ("ruwe", "phot_g_n_obs", "phot_bp_n_obs", "parallax_pmra_corr", "running_number"):
        assert stats.ks_2samp(cone[name][is_member], cone[name][~is_member]).pvalue > 1e-3


def test_cone_keeps_what_build_sets_needs(simulated, isochrones):
    row, cone = simulated.parameters.iloc[0], simulated.cone
    pm_limit = 10 * np.sqrt((row["pmra_error"] ** 2 + row["pmdec_error"] ** 2) / 2)
    own = 3 * np.hypot(cone["pmra_error"], cone["pmdec_error"]) / np.sqrt(2)
    distance = np.hypot(cone["pmra"] - row["pmra"], cone["pmdec"] - row["pmdec"]) - own
    turn = cone_region(Cluster(**row.to_dict()), ConeOptions()).pm_radius - pm_limit
    assert 0 < turn < 0.5 * pm_limit
    assert pm_limit * 0.95 < distance.max() < 1.3 * pm_limit + turn
    aside = (cone["parallax"] - row["parallax"]).abs() - 3 * cone["parallax_error"]
    assert aside.max() < 13 * row["parallax_error"]


def test_options_are_checked():
    for name, value in (
        ("dist", -1),
        ("ra", 360),
        ("tidal_radius", 1.0),
        ("list_completeness", 0),
        ("g_max", 25),
    ):
        with pytest.raises(ValueError, match=name):
            SimulationOptions(**{name: value})


def test_varied_clusters_are_valid_and_differ():
    drawn = [vary_options(SMALL, rng=np.random.default_rng(seed)) for seed in range(40)]
    assert len({options.dist for options in drawn}) == 40
    for options in drawn:
        _, latitude = galactic_coordinates(np.array([options.ra]), np.array([options.dec]))
        assert abs(latitude[0]) <= 60.001
        assert 150 <= options.dist <= 5000
        assert np.hypot(options.pmra, options.pmdec) < 150
    # as the catalogue of Cantat-Gaudin et al. (2020): median distance 2.2 kpc, log age 8.25, a0 1.2
    medians = {name: np.median([getattr(o, name) for o in drawn]) for name in ("dist", "age", "a0")}
    assert 1000 < medians["dist"] < 3000
    assert 7.8 < medians["age"] < 8.7
    assert 0.4 < medians["a0"] < 1.8


def test_crowded_fields_are_thinned_and_say_so(isochrones):
    options = SimulationOptions(cone_radius=20.0, max_field_stars=1000)
    thin = simulate_cluster(options, isochrones, rng=np.random.default_rng(2))
    field = (~thin.truth["is_member"]).sum()
    assert 700 < field < 1400
    assert 0 < thin.field_share < 0.5
    assert thin.truth["is_member"].sum() > 300  # members are not thinned


def test_a_varied_cluster_gets_no_huge_field_unless_that_is_asked(isochrones, monkeypatch):
    """Near ones would have millions of stars; the limit leaves a field that is small enough as it is."""
    rng = np.random.default_rng
    assert vary_options(SMALL, rng=rng(1)).max_field_stars == 290_000
    assert vary_options(replace(SMALL, max_field_stars=10**7), rng=rng(1)).max_field_stars == 10**7
    options = SimulationOptions(cone_radius=20.0, field_density=2000)

    def field_below(most):
        monkeypatch.setattr(simulate, "MOST_VARIED_STARS", most)
        found = simulate_cluster(replace(options, max_field_stars=most), isochrones, rng=rng(2))
        return found.field_share, found.cone["source_id"][~found.truth["is_member"]].to_numpy()

    share, whole = field_below(None)
    assert share == 1
    share, same = field_below(2 * len(whole))
    assert share == 1
    np.testing.assert_array_equal(same, whole)
    share, thin = field_below(len(whole) // 3)
    assert 0.2 < share < 0.5
    assert 0.2 < len(thin) / len(whole) < 0.5


def test_square_frames_hold_nothing_outside(isochrones):
    options = SimulationOptions(cone_radius=20.0, square_half_width=5.0, max_field_stars=3000)
    cone = simulate_cluster(options, isochrones, rng=np.random.default_rng(2)).cone
    north = np.radians(cone["dec"] - options.dec) * options.dist
    assert 4.5 < np.abs(north).max() < 5.05
