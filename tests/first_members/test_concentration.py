"""How a group is concentrated on the sky and along a sequence of colours."""

import numpy as np
import pytest
from search_fields import field

from gaia_oc_amd.first_members.concentration import (
    sequence_concentration,
    sky_concentration,
    sky_map,
    sky_peaks,
)
from gaia_oc_amd.first_members.stars import clustering_stars


def test_the_sky_statistic_has_mean_0_and_deviation_1_for_random_draws():
    stars = clustering_stars(field(clusters=()))
    sky, rng = sky_map(stars), np.random.default_rng(2)
    for n in (20, 100, 500):
        values = [sky_concentration(sky, rng.choice(1200, n, replace=False)) for _ in range(200)]
        assert abs(np.mean(values) - 0.3) < 0.4  # the largest of three scales is a little above 0
        assert 0.6 < np.std(values) < 1.4
    inner = np.argsort((stars.sky**2).sum(axis=1))[:100]
    assert sky_concentration(sky, inner) > 30


def test_the_sequence_statistic_has_mean_0_and_deviation_1_for_random_draws():
    table = field(clusters=((0.0, 0.0, -3.0, 2.0, 1.0, 100),))
    stars, rng = clustering_stars(table), np.random.default_rng(2)
    values = [sequence_concentration(stars, rng.choice(1300, 100, replace=False)) for _ in range(200)]
    assert abs(np.mean(values)) < 0.4
    assert 0.6 < np.std(values) < 1.5
    assert sequence_concentration(stars, np.flatnonzero(table["is_member"] == 1)) > 8


@pytest.mark.parametrize("seed", range(4))
def test_a_single_cluster_stays_one(seed):
    stars = field(seed=seed)
    group = np.flatnonzero(stars["is_member"] > 0)
    assert len(sky_peaks(sky_map(clustering_stars(stars)), group)) == 1
