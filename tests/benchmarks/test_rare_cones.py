"""Training cones of rare kinds: each is of its kind, whatever others are drawn beside it."""

import numpy as np
import pytest
import rare_cones

from gaia_oc_amd.simulation.space import galactic_coordinates


def drawn(kind, number):
    return rare_cones.drawn(kind, f"Rare_{number}", 500)


@pytest.mark.parametrize("number", range(1, 6))
def test_near_clusters_are_near_and_their_field_is_bounded(number):
    options = drawn("near", number)
    assert 150 <= options.dist < 300
    assert options.max_field_stars == 500
    assert not options.vary  # what is simulated is what was drawn
    assert 7.0 <= options.age <= 9.5


@pytest.mark.parametrize("number", range(1, 6))
def test_crowded_cones_stand_in_front_of_the_bulge(number):
    options = drawn("crowded", number)
    longitude, latitude = galactic_coordinates(np.array([options.ra]), np.array([options.dec]))
    assert min(longitude[0], 360 - longitude[0]) < 15
    assert abs(latitude[0]) < 6


def test_a_name_determines_its_cluster():
    first = drawn("near", 1)
    drawn("near", 2)
    assert drawn("near", 1) == first
    assert drawn("near", 2) != first


def test_cones_are_written_as_the_simulator_writes_them(tmp_path):
    assert rare_cones.main(["near", "Rare_1", "--data_dir", str(tmp_path), "--max_field_stars", "500"]) == 0
    assert (tmp_path / "cones" / "Rare_1.parquet").exists()
    assert (tmp_path / "clusters" / "Rare_1" / "truth.csv").exists()
