"""Groups by density and by mixtures."""

import numpy as np
import pytest
from search_fields import field
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors

from gaia_oc_amd.first_members.groups import (
    density_centres,
    density_tree,
    hdbscan_features,
    mixture_posterior,
)
from gaia_oc_amd.first_members.stars import clustering_stars


def test_near_neighbours_give_the_groups_of_all_distances():
    features = hdbscan_features(clustering_stars(field(n_field=3000)))
    search, distance = density_tree(features, 10)
    whole = HDBSCAN(min_cluster_size=10, min_samples=10, cluster_selection_method="leaf", copy=True).fit(
        features
    )
    nearest = NearestNeighbors(n_neighbors=10).fit(features).kneighbors(features)[0][:, -1]
    np.testing.assert_allclose(distance, nearest)
    for level in np.quantile(distance, (0.02, 0.1, 0.3, 0.6)):
        one, two = (found.dbscan_clustering(level, min_cluster_size=10) for found in (search, whole))
        assert adjusted_rand_score(one, two) == 1
    assert (
        adjusted_rand_score(search.labels_, whole.labels_) > 0.7
    )  # equal distances are joined in another order


def test_parts_that_no_neighbour_joins_are_groups_of_one_tree():
    rng = np.random.default_rng(1)
    clumps = [place + rng.normal(0, 0.1, (60, 3)) for place in (0, 50, 80)]
    search, distance = density_tree(np.concatenate(clumps), 10)
    labels = search.dbscan_clustering(2 * float(distance.max()), min_cluster_size=10)
    assert [len(set(labels[i * 60 : i * 60 + 60])) for i in range(3)] == [1, 1, 1]
    assert set(labels) == {0, 1, 2}


def test_stars_at_one_place_are_neighbours():
    values = np.repeat(np.random.default_rng(1).normal(size=(40, 3)), 3, axis=0)
    search, distance = density_tree(values, 10)
    assert np.isfinite(distance).all()
    assert len(search.labels_) == 120


@pytest.mark.parametrize("kind", ["dbscan", "hdbscan"])
def test_centres_are_where_stars_are_dense(kind):
    rng = np.random.default_rng(1)
    clumps = [np.array(place) + rng.normal(0, 0.1, (80, 2)) for place in ((0, 0), (4, 1))]
    values = np.concatenate([*clumps, rng.uniform(-10, 10, (200, 2))])
    centres = density_centres(values, kind, 20)
    for place in ((0, 0), (4, 1)):
        assert np.hypot(*(centres - place).T).min() < 0.2
    assert density_centres(rng.uniform(-10, 10, (60, 2)), "hdbscan", 40).shape == (0, 2)


def test_the_mixture_gives_the_component_on_the_core():
    rng = np.random.default_rng(1)
    features = np.concatenate([rng.normal(0, 1, (100, 3)), rng.uniform(-20, 20, (400, 3))])
    core = np.arange(500) < 60
    posterior, _ = mixture_posterior(features, core, None, 10, rng=rng)
    assert posterior[:100].mean() > 0.85
    assert posterior[100:].mean() < 0.1
