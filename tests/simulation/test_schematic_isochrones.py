import numpy as np
import pytest

from gaia_oc_amd.isochrones import nearest_age, place_isochrone, read_isochrones
from gaia_oc_amd.simulation import analytic_stars as stars
from gaia_oc_amd.simulation.schematic_isochrones import (
    COLUMNS,
    SCHEMATIC_LOG_AGES,
    gaia_photometry,
    schematic_isochrones,
    write_isochrones,
)
from gaia_oc_amd.simulation.stars import number_below, sample_masses


@pytest.fixture(scope="module")
def isochrones():
    return schematic_isochrones(SCHEMATIC_LOG_AGES)


def test_zero_age_sun_is_that_of_tout():
    assert stars.zams_luminosity(1.0) == pytest.approx(0.698, abs=0.002)
    assert stars.zams_radius(1.0) == pytest.approx(0.888, abs=0.002)


def test_sun_at_its_age():
    luminosity, radius = stars.main_sequence_star(np.array([1.0]), 4.57e9)
    assert abs(np.log10(luminosity[0])) < 0.02
    assert abs(np.log10(radius[0])) < 0.02


@pytest.mark.parametrize(("mass", "time"), [(1.0, 1.10e10), (2.0, 1.16e9), (5.0, 1.0e8), (10.0, 2.43e7)])
def test_main_sequence_lifetimes(mass, time):
    """Lifetimes of the models at Z = 0.02 that HPT fitted (Pols et al. 1998), to 10 %."""
    assert stars.main_sequence_time(mass) == pytest.approx(time, rel=0.1)


@pytest.mark.parametrize(
    "lifetime",
    [stars.main_sequence_time, stars.giant_branch_time, stars.red_giant_time, stars.helium_burning_time],
)
def test_lifetimes_fall_with_mass_and_can_be_inverted(lifetime):
    masses = np.geomspace(0.5, 20, 200)
    assert np.all(np.diff(lifetime(masses)) < 0)
    for mass in (0.9, 2.0, 7.0):
        assert stars.mass_at_time(lifetime, float(lifetime(mass))) == pytest.approx(mass, rel=1e-3)


def test_stages_follow_each_other():
    masses = np.geomspace(0.5, 20, 200)
    times = [
        stars.main_sequence_time,
        stars.giant_branch_time,
        stars.red_giant_time,
        stars.helium_burning_time,
    ]
    assert np.all(np.diff([time(masses) for time in times], axis=0) > 0)


def test_evolved_stars_are_larger_and_brighter():
    masses = np.geomspace(0.8, 10, 50)
    assert np.all(stars.turn_off_luminosity(masses) > 1.5 * stars.zams_luminosity(masses))
    assert np.all(stars.turn_off_radius(masses) > 1.3 * stars.zams_radius(masses))
    assert np.all(stars.helium_ignition_luminosity(masses) > stars.giant_branch_luminosity(masses))


def test_isochrones_are_complete(isochrones):
    assert list(isochrones.columns) == list(COLUMNS)
    assert np.isfinite(isochrones.to_numpy()).all()
    sizes = isochrones.groupby("logAge").size()
    assert sizes.between(150, 300).all()
    assert set(isochrones["label"]) == {1, 2, 3, 4}


@pytest.mark.parametrize("age", [7.5, 8.5, 9.3, 10.0])
def test_isochrone_is_ordered_and_smooth(isochrones, age):
    points = isochrones[isochrones["logAge"] == age]
    assert np.all(np.diff(points["Mini"]) > 0)
    main_sequence = points[points["label"] == 1]
    assert np.all(np.diff(main_sequence["Gmag"]) < 0)
    for _, stage in points.groupby("label"):
        assert np.abs(np.diff(stage["Gmag"])).max() < 0.5
        assert np.abs(np.diff(stage["Gmag"] - stage["G_RPmag"])).max() < 0.12


def test_turn_off_fades_with_age(isochrones):
    turn_offs = isochrones[isochrones["label"] == 1].groupby("logAge")["Gmag"].min()
    assert np.all(np.diff(turn_offs) > 0)


def test_photometry_of_the_sun_and_of_vega():
    bc_g, bp_rp, g_rp = gaia_photometry(np.array([5772.0, 9700.0]))
    assert bp_rp == pytest.approx([0.82, 0.0], abs=0.05)
    assert g_rp == pytest.approx([0.49, 0.0], abs=0.05)
    assert bc_g[0] == pytest.approx(0.07, abs=0.03)


def test_bolometric_correction_agrees_with_andrae():
    """The polynomials of Andrae et al. (2018, A&A 616, A8), Table 4, an independent source."""
    for low, high, coefficients in (
        (4000, 8000, [6.000e-2, 6.731e-5, -6.647e-8, 2.859e-11, -7.197e-15]),
        (3300, 4000, [1.749, 1.977e-3, 3.737e-7, -8.966e-11, -4.183e-14]),
    ):
        teff = np.linspace(low, high, 50)
        expected = np.polynomial.polynomial.polyval(teff - 5772, coefficients)
        assert np.abs(gaia_photometry(teff)[0] - expected).max() < 0.17


def test_colours_and_correction_are_monotone_in_temperature():
    bc_g, bp_rp, g_rp = gaia_photometry(np.geomspace(2680, 33000, 500))
    assert np.all(np.diff(bp_rp) < 0)
    assert np.all(np.diff(g_rp) < 0)
    assert np.abs(np.diff(bc_g)).max() < 0.06


def test_file_round_trip(isochrones, tmp_path):
    path = tmp_path / "isochrones.dat"
    write_isochrones(path, isochrones)
    assert "SCHEMATIC" in path.read_text().splitlines()[0]
    read = read_isochrones(path)
    for name in ("logAge", "label", "logTe", "Gmag", "G_BPmag", "G_RPmag"):
        assert read[name].to_numpy() == pytest.approx(isochrones[name].to_numpy(), abs=1e-4)


def test_file_can_be_placed_at_a_cluster(isochrones, tmp_path):
    write_isochrones(tmp_path / "isochrones.dat", isochrones)
    placed = place_isochrone(nearest_age(read_isochrones(tmp_path / "isochrones.dat"), 8.5), 1000.0, 0.3)
    assert np.isfinite(placed.g).sum() > 200
    assert 10.0 < np.nanmin(placed.g) + 3 < 13.0


@pytest.mark.parametrize("log_age", [5.0, 11.0])
def test_ages_beyond_the_relations_are_refused(log_age):
    with pytest.raises(ValueError, match="outside"):
        schematic_isochrones([log_age])


def test_mass_function_has_unit_mass_and_kroupa_slopes():
    masses = np.geomspace(0.01, 100, 400_001)
    number = number_below(masses)
    mean = np.sqrt(masses[1:] * masses[:-1])
    assert np.sum(np.diff(number) * mean) == pytest.approx(1.0, rel=1e-4)
    density = np.diff(number) / np.diff(masses)
    slope = np.diff(np.log(density)) / np.diff(np.log(mean))
    for mass, expected in ((0.03, -0.3), (0.2, -1.3), (5.0, -2.3)):
        assert np.interp(mass, mean[1:], slope) == pytest.approx(expected, abs=0.01)


def test_sampled_masses_follow_the_mass_function():
    drawn = sample_masses(0.1, 5.0, 20_000, rng=np.random.default_rng(3))
    expected = (number_below(0.5) - number_below(0.1)) / (number_below(5.0) - number_below(0.1))
    assert drawn.min() >= 0.1
    assert drawn.max() <= 5.0
    assert np.mean(drawn < 0.5) == pytest.approx(float(expected), abs=0.015)
    with pytest.raises(ValueError, match="must lie in"):
        sample_masses(2.0, 1.0, 5, rng=np.random.default_rng(3))


def test_main_sequence_is_close_to_parsec(shared, isochrones):
    parsec = read_isochrones(shared / "real" / "isochrones" / "parsec_z0.0205.dat")
    grid = np.array([0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 1.1, 1.2])
    magnitudes = []
    for table, fraction in ((isochrones, 0.02), (parsec, 0.0205)):
        points = nearest_age(table, 8.4, metal_fraction=fraction)
        points = points[(points["label"] <= 1) & (points["Gmag"] < 14)]
        colour = (points["Gmag"] - points["G_RPmag"]).to_numpy()
        end = np.argmin(colour) + 1
        magnitudes.append(np.interp(grid, colour[:end][::-1], points["Gmag"].to_numpy()[:end][::-1]))
    assert np.abs(magnitudes[0] - magnitudes[1]).max() < 0.35
