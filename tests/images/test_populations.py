"""The network that is part of the package: simulated clusters are populations, pure fields are none."""

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd.exceptions import TooFewStarsError
from gaia_oc_amd.images.groups import COLUMNS, simulated_field
from gaia_oc_amd.images.populations import NETWORK, population_probability
from gaia_oc_amd.simulation.schematic_isochrones import SCHEMATIC_LOG_AGES, schematic_isochrones


@pytest.fixture(scope="module")
def fields():
    """Stars of six simulated clusters, and of their fields, of other seeds than the network's."""
    isochrones = schematic_isochrones(SCHEMATIC_LOG_AGES[::4])
    found = []
    for seed in range(6):
        cone, is_member = simulated_field(isochrones, rng=np.random.default_rng(1000 + seed))
        bright = (cone["phot_g_mean_mag"] < 17.5).to_numpy()
        found.append((cone[bright & is_member], cone[bright & ~is_member]))
    return found


def probability(stars, n=60, seed=1):
    part = stars.sample(min(n, len(stars)), random_state=seed)
    return population_probability(*part[list(COLUMNS)].to_numpy().T)


def test_clusters_are_populations_and_a_pure_field_is_none(fields):
    clusters = [probability(members) for members, _ in fields]
    pure = [probability(field) for _, field in fields]
    assert np.mean(clusters) > 0.7
    assert np.mean(pure) < 0.3
    assert np.median(clusters) > max(np.median(pure), 0.6)


def test_a_mixture_is_less_a_population_than_the_cluster(fields):
    mixed = [
        probability(pd.concat([members.sample(10, random_state=1), field.sample(50, random_state=1)]))
        for members, field in fields
    ]
    assert np.mean(mixed) < np.mean([probability(members) for members, _ in fields])


def test_too_few_stars_and_an_absent_network_are_one_line(tmp_path):
    with pytest.raises(TooFewStarsError, match="3 stars have G and BP-RP"):
        population_probability([12, 13, 14], [0.5, 0.7, 0.9])
    with pytest.raises(FileNotFoundError, match=r"absent\.pt does not exist"):
        population_probability(np.arange(12.0), np.ones(12), network=tmp_path / "absent.pt")


def test_the_network_is_small():
    assert NETWORK.stat().st_size < 300_000
