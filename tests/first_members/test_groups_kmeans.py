"""Groups by K-Means and by Deep Embedded Clustering."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from planted_field import planted_field

from gaia_oc_amd.first_members.embedding import EmbeddingOptions, embedded_groups
from gaia_oc_amd.first_members.groups import KMeansOptions, kmeans_groups, number_of_groups
from gaia_oc_amd.first_members.stars import FeatureOptions, clustering_features

GROUPS = KMeansOptions(n_groups=20)
QUICK = EmbeddingOptions(n_epochs=10, n_steps=60, groups=GROUPS)
METHODS = {
    "kmeans": partial(kmeans_groups, options=GROUPS),
    "dec": partial(embedded_groups, options=QUICK),
}


@pytest.fixture(params=METHODS)
def method(request):
    return METHODS[request.param]


def features(**how):
    stars, member = planted_field(**how)
    return clustering_features(stars, FeatureOptions())[0], member


def seed(number=1):
    return np.random.default_rng(number)


def crowding(values, labels):
    """Stars per volume of the most crowded group over the median of the groups."""
    groups = [values[labels == group] for group in range(labels.max() + 1)]
    density = [len(group) / np.prod(group.std(axis=0)) for group in groups]
    return max(density) / np.median(density)


def test_a_planted_cluster_is_isolated(method):
    values, member = features()
    labels = method(values, rng=seed())
    best = labels == np.bincount(labels[member]).argmax()
    assert (best & member).sum() > 0.9 * member.sum()
    assert (best & member).sum() > 0.5 * best.sum()


def test_a_pure_field_has_no_group_as_compact(method):
    uniform = seed().uniform(-2, 2, (1320, 3))
    stars, _ = planted_field()
    values, _ = clustering_features(stars, FeatureOptions())
    motions = stars[
        ["parallax", "pmra", "pmdec"]
    ].to_numpy()  # stars at the bound of a feature fill no volume
    assert 5 * crowding(uniform, method(uniform, rng=seed())) < crowding(motions, method(values, rng=seed()))


def test_a_seed_decides_the_groups_and_leaves_the_global_streams_alone(method):
    import torch

    values, _ = features()
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = method(values, rng=seed())
    assert (first == method(values, rng=seed())).all()
    assert (first != method(values, rng=seed(2))).any()
    assert (torch.random.get_rng_state() == before[0]).all()
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


def test_permuted_stars_have_permuted_labels(method):
    values, _ = features()
    order = seed(5).permutation(len(values))
    assert (method(values[order], rng=seed()) == method(values, rng=seed())[order]).all()


def test_features_that_are_not_finite_are_refused(method):
    values, _ = features()
    values[[4, 7], 1] = np.nan
    with pytest.raises(ValueError, match=r"^2 of 1320 stars have features that are not finite"):
        method(values, rng=seed())


def test_too_few_stars_are_refused(method):
    with pytest.raises(
        ValueError, match=r"^199 stars are too few for 20 groups of at least 10, .*min_group_size\.$"
    ):
        method(seed().normal(size=(199, 3)), rng=seed())


def test_stars_of_small_groups_are_in_none():
    values = np.concatenate([np.random.default_rng(0).normal(size=(60, 2)), [[50.0, 50.0]]])
    labels = kmeans_groups(values, KMeansOptions(n_groups=2), rng=seed())
    assert labels.tolist() == [0] * 60 + [-1]


def test_the_number_of_groups_is_found_where_there_is_one():
    middles = 20 * np.argwhere(np.ones((3, 5)))
    values = (middles[:, None] + seed().normal(size=(15, 40, 2))).reshape(-1, 2)
    options = KMeansOptions(numbers=(10, 15, 20))
    assert number_of_groups(values, options, rng=seed()) == 15
    assert len(np.unique(kmeans_groups(values, options, rng=seed()))) == 15


def test_more_stars_than_are_fitted_are_all_assigned():
    values, member = features()
    few = {"n_compared": 300, "n_max_fitted": 600, "n_groups": 20}
    for labels in (
        kmeans_groups(values, KMeansOptions(**few), rng=seed()),
        embedded_groups(
            values,
            EmbeddingOptions(n_epochs=10, n_steps=60, n_max_fitted=600, groups=KMeansOptions(**few)),
            rng=seed(),
        ),
    ):
        best = labels == np.bincount(labels[member] + 1).argmax() - 1
        assert (best & member).sum() > 0.8 * member.sum()


@pytest.mark.parametrize("bad", [{"n_groups": 1}, {"numbers": ()}, {"min_group_size": 0}, {"n_compared": 5}])
def test_bad_options_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        KMeansOptions(**bad)


def test_bad_options_of_the_network_are_refused():
    with pytest.raises(ValueError, match="latent is 0, but must be at least 1"):
        EmbeddingOptions(latent=0)


def test_the_import_brings_neither_pytorch_nor_scikit_learn():
    code = "import sys, gaia_oc_amd.first_members.embedding; print({'torch', 'sklearn'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
