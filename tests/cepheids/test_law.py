"""The Leavitt law: a known one is found again, shuffled periods give none, negative parallaxes count."""

from dataclasses import replace

import numpy as np
import pytest

from gaia_oc_amd.cepheids.law import distance_from_parallax, fit_leavitt_law, outlier_probability
from gaia_oc_amd.cepheids.model import PARAMETERS, density_index, natural, predicted_parallax, unbounded
from gaia_oc_amd.cepheids.options import LawOptions
from gaia_oc_amd.cepheids.selection import select_cepheids
from gaia_oc_amd.cepheids.simulated import SimulatedCepheids, simulate_cepheids
from gaia_oc_amd.exceptions import ClusterError

TRUTH = SimulatedCepheids(n_milky_way=1500, n_lmc=20)


def calibrating(settings, seed):
    stars = select_cepheids(simulate_cepheids(settings, rng=np.random.default_rng(seed)), "pf")
    return stars[stars["galaxy"] == "Milky Way"]


@pytest.fixture(scope="module")
def stars():
    return calibrating(TRUTH, 1)


def fitted(stars, **options):
    rng = np.random.default_rng(2)
    return fit_leavitt_law(stars, options=LawOptions(**options), sample=False, rng=rng)


@pytest.fixture(scope="module")
def laws(stars):
    return fitted(stars)


def test_the_three_estimators_stand_side_by_side(laws, stars):
    assert list(laws) == ["distances", "parallaxes", "posterior"]
    assert {law.n_stars for law in laws.values()} == {len(stars)}
    posterior = laws["posterior"]
    for name in ("zero_point", "slope", "scatter"):
        assert abs(posterior.values[name] - getattr(TRUTH, name)) < 4 * posterior.errors[name], name
        assert posterior.errors[name] < {"zero_point": 0.25, "slope": 0.15, "scatter": 0.05}[name]


def test_coverage_of_a_few_runs():
    """A reduced version of benchmarks/cepheids/coverage.py: no estimate lies far outside its errors."""
    away = []
    for seed in range(12):
        offset = 0.015 * np.random.default_rng([3, seed]).standard_normal()
        law = fitted(calibrating(replace(TRUTH, offset=offset), seed))["posterior"]
        away.append(
            [(law.values[n] - getattr(TRUTH, n)) / law.errors[n] for n in ("zero_point", "slope", "scatter")]
        )
    assert np.abs(np.mean(away, axis=0)).max() < 1.2
    assert 0.35 <= np.mean(np.abs(away) < 1) <= 0.95


def test_shuffled_periods_give_no_law():
    with pytest.raises(ClusterError, match="No Leavitt law"):
        fitted(calibrating(replace(TRUTH, shuffled=True), 1))


def test_a_slope_from_elsewhere_does_not_make_a_law_of_shuffled_periods(stars):
    shuffled = stars.assign(log_period=np.random.default_rng(5).permutation(stars["log_period"]))
    with pytest.raises(ClusterError, match="No Leavitt law"):
        fit_leavitt_law(shuffled, slope_prior=(-3.3, 0.02), sample=False, rng=np.random.default_rng(1))


def test_too_few_stars_are_one_line(stars):
    with pytest.raises(ClusterError, match="19 Cepheids of the Milky Way are left, at least 20"):
        fitted(stars.head(19))


def test_negative_parallaxes_count(stars, laws):
    """Leaving them out would shift the law; the fit has as many stars as it was given."""
    noisy = stars.assign(
        parallax=stars["parallax"] - 0.4, parallax_error=np.hypot(stars["parallax_error"], 0.05)
    )
    assert (noisy["parallax"] < 0).sum() > 50
    law = fitted(noisy, offset_prior=-0.4)["posterior"]
    assert law.n_stars == len(stars)
    assert abs(law.values["zero_point"] - laws["posterior"].values["zero_point"]) < 0.1


def test_outliers_are_told_and_kept(stars, laws):
    chance = outlier_probability(stars, "dr3", laws["posterior"], LawOptions())
    absolute = TRUTH.zero_point + TRUTH.slope * (stars["log_period"] - TRUTH.pivot)
    predicted = 10 ** (0.2 * (absolute - stars["wesenheit"]) + 2)
    error = np.hypot(stars["parallax_error"], 0.06 * predicted)
    off = (stars["parallax"] - predicted) / error
    assert chance.min() >= 0
    assert chance.max() <= 1
    assert np.median(chance[off > 8]) > 0.9
    assert np.median(chance[np.abs(off) < 1]) < 0.1


def test_a_zero_point_that_is_not_fitted_keeps_its_prior(laws):
    law = laws["posterior"]
    assert abs(law.values["offset"]) < 0.002
    assert law.errors["offset"] == pytest.approx(0.015, rel=0.1)
    correlation = np.corrcoef(law.drawn("offset"), law.drawn("zero_point"))[0, 1]
    assert correlation < -0.5 or correlation > 0.5


def test_coordinates_without_bounds_are_turned_back():
    values = dict.fromkeys(PARAMETERS, 0.3)
    assert natural(unbounded(values)) == pytest.approx(list(values.values()))


def test_predicted_parallax_is_the_mean_of_drawn_ones():
    rng = np.random.default_rng(0)
    mean, variance = predicted_parallax(np.array([-5.0]), np.array([8.0]), np.array([0.3]), 0.0)
    drawn = 10 ** (0.2 * (-5.0 + 0.3 * rng.standard_normal(200_000) - 8.0) + 2)
    assert mean[0] == pytest.approx(drawn.mean(), rel=2e-3)
    assert variance[0] == pytest.approx(drawn.var(), rel=2e-2)


def test_density_index_of_a_disc_is_two():
    rng = np.random.default_rng(4)
    modulus = 5 * np.log10(np.sqrt(rng.uniform(0.01, 1, 4000))) + 15
    inside = (modulus > 12) & (modulus < 13.5)
    assert np.median(density_index(modulus)[inside]) == pytest.approx(2, abs=0.4)


def test_distances_of_good_parallaxes_are_their_inverses():
    distance, width = distance_from_parallax(np.array([1.0, 2.0, -0.1]), np.array([0.01, 0.01, 0.05]))
    assert distance[:2] == pytest.approx([1000, 500], rel=2e-3)
    assert width[:2] == pytest.approx([10, 2.5], rel=0.05)
    assert 2000 < distance[2] < 20_000


def test_the_chain_agrees_with_the_normal_approximation(stars, laws):
    pytest.importorskip(
        "emcee", reason="the posterior is sampled with emcee: pip install 'emcee>=3.1' 'corner>=2.2'"
    )
    options = LawOptions(n_steps=600, n_burn_in=200)
    with pytest.warns(UserWarning, match="--n_steps"):
        sampled = fit_leavitt_law(stars, options=options, rng=np.random.default_rng(2))["posterior"]
    again, error = laws["posterior"].values, laws["posterior"].errors
    for name in ("zero_point", "slope", "scatter"):
        assert abs(sampled.values[name] - again[name]) < 1.0 * error[name], name
