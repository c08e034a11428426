"""How large the simulated errors are, against those of PyGaia and against each other."""

import numpy as np
import pytest
from small_simulations import make_stars

from gaia_oc_amd.simulation.errors import (
    ScanningLaw,
    draw_error_factors,
    draw_ruwe,
    flux_errors,
    mean_parallax_error,
)
from gaia_oc_amd.simulation.measurement import measure


def test_errors_are_near_those_of_pygaia():
    """DPAC's predictions for the mean sky, an independent fit, within 40 %."""
    from pygaia.errors.astrometric import parallax_uncertainty

    rng = np.random.default_rng(0)
    for g in (14.0, 16.0, 18.0, 19.5, 20.5):
        table = measure(make_stars(500, np.full(500, g), rng), ScanningLaw(), rng=rng)
        expected = parallax_uncertainty(g, "dr3") / 1000
        assert table["parallax_error"].median() == pytest.approx(expected, rel=0.4)
        assert table["parallax_error"].median() == pytest.approx(mean_parallax_error(g), rel=0.1)
        assert table["pmra_error"].median() == pytest.approx(table["parallax_error"].median(), rel=0.25)


def test_faint_stars_are_observed_less_often_and_measured_worse():
    rng = np.random.default_rng(1)
    tables = [measure(make_stars(500, np.full(500, g), rng), ScanningLaw(), rng=rng) for g in (17.0, 20.5)]
    for band in ("g", "bp", "rp"):
        bright, faint = (table[f"phot_{band}_n_obs"].median() for table in tables)
        assert faint < 0.75 * bright
        error = flux_errors(np.array([17.0, 20.5]), np.array([350, 350]), band, rng=rng)
        assert error[1] > 3 * error[0]


def test_few_scans_make_large_errors():
    rng = np.random.default_rng(2)
    true = make_stars(500, np.full(500, 17.0), rng)
    laws = [
        ScanningLaw.draw(np.random.default_rng(seed), ecl_lat=lat) for lat in (0, 45) for seed in range(15)
    ]
    tables = [measure(true, law, rng=rng) for law in laws]
    error = np.array([table["parallax_error"].median() for table in tables]).reshape(2, -1)
    n_obs = np.array([table["phot_g_n_obs"].median() for table in tables]).reshape(2, -1)
    assert np.median(n_obs[0]) < 0.7 * np.median(n_obs[1])
    assert np.median(error[0]) > 1.1 * np.median(error[1])


def test_binaries_have_bad_solutions_more_often():
    rng = np.random.default_rng(3)
    g, binary = np.full(40_000, 15.0), np.arange(40_000) % 2 == 0
    ruwe = draw_ruwe(g, binary, rng=rng)
    assert np.median(ruwe) == pytest.approx(1.02, abs=0.03)
    assert np.mean(ruwe[binary] > 1.4) > 2 * np.mean(ruwe[~binary] > 1.4)
    assert 0.05 < np.mean(ruwe > 1.4) < 0.2
    factor = draw_error_factors(ruwe, binary, rng=rng)
    assert 0.02 < np.mean(factor > 1) < 0.12
    assert factor.max() <= 4
    assert np.mean(factor[ruwe > 1.4] > 1) > 5 * np.mean(factor[ruwe < 1.4] > 1)
