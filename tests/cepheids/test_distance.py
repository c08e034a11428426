"""The distance of the Large Magellanic Cloud, from simulated Cepheids whose distance is known."""

import numpy as np
import pytest

from gaia_oc_amd.cepheids.distance import fit_apparent_law, lmc_modulus
from gaia_oc_amd.cepheids.law import LeavittLaw
from gaia_oc_amd.cepheids.options import LmcOptions
from gaia_oc_amd.cepheids.selection import select_cepheids
from gaia_oc_amd.cepheids.simulated import SimulatedCepheids, simulate_cepheids
from gaia_oc_amd.exceptions import ClusterError

TRUTH = SimulatedCepheids(n_milky_way=5, n_lmc=600, outlier_fraction=0.15)


@pytest.fixture(scope="module")
def far():
    stars = select_cepheids(simulate_cepheids(TRUTH, rng=np.random.default_rng(1)), "pf")
    return stars[stars["galaxy"] == "LMC"]


def true_law():
    rng = np.random.default_rng(0)
    draws = np.column_stack([TRUTH.zero_point + 0.03 * rng.standard_normal(4000), np.full(4000, TRUTH.slope)])
    values = {"zero_point": TRUTH.zero_point, "slope": TRUTH.slope}
    return LeavittLaw("posterior", TRUTH.pivot, values, {"zero_point": 0.03, "slope": 0.0}, draws, 500)


def test_the_law_of_one_distance_is_found_among_outliers(far):
    law = fit_apparent_law(far)
    assert abs(law.slope - TRUTH.slope) < 4 * law.slope_error
    assert law.scatter == pytest.approx(TRUTH.scatter, rel=0.15)
    assert law.level_error < 0.02


def test_modulus_with_the_metallicity_effect(far):
    modulus = lmc_modulus(
        true_law(), fit_apparent_law(far), colour_difference=1.0, rng=np.random.default_rng(2)
    )
    assert abs(modulus.value - TRUTH.lmc_modulus) < 0.04
    assert modulus.error == pytest.approx(0.03, rel=0.2)
    assert modulus.systematic == pytest.approx(np.hypot(0.045, 0.05))
    without = LmcOptions(metallicity_effect=0.0)
    other = lmc_modulus(true_law(), fit_apparent_law(far), options=without, rng=np.random.default_rng(2))
    assert other.value - modulus.value == pytest.approx(0.135, abs=0.001)


def test_too_few_stars_are_one_line(far):
    with pytest.raises(ClusterError, match="3 Cepheids of the LMC are left, at least 10"):
        fit_apparent_law(far.head(3))
