"""Groups of stars in proper motion and parallax by Gaussian mixtures in parallax slices."""

import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.field_stars import FieldStars
from gaia_oc_amd.hdbscan_groups import hdbscan_features

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

    from gaia_oc_amd.first_members_options import SearchOptions

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]

_SLICES = 5
"""Parallax slices, each with twice its share of the stars, so that every cluster is whole in one of them."""
_COMPONENTS = (2, 4, 6, 8, 11, 15, 20)
_MOST_FITTED = 5000
"""Stars of a slice that a mixture is fitted to; of more, an even sample."""
_LEAST_VARIANCE = 1e-2
"""Added to the variances, in units of the median errors' squares."""


def mixture_groups(stars: FieldStars, options: "SearchOptions", *, rng: np.random.Generator) -> list[Labels]:
    """Components of mixtures with full covariances, fitted in overlapping parallax slices.

    The number of components is that of the least Bayesian information criterion in each slice.

    Parameters
    ----------
    stars : FieldStars
        The field.
    options : SearchOptions
        Gives the smallest group.
    rng : Generator
        Random starts.

    Returns
    -------
    list of ndarray of int, shape (n_stars,)
        One division per slice: the most probable component, -1 for stars outside the slice.
    """
    features = hdbscan_features(stars, options.position_weight)
    edges = np.linspace(0, 1, _SLICES + 2)
    divisions = []
    for lower, upper in zip(edges[:-2], edges[2:], strict=True):
        low, high = np.quantile(stars.motions[:, 2], [lower, upper])
        inside = np.flatnonzero((stars.motions[:, 2] >= low) & (stars.motions[:, 2] <= high))
        if len(inside) < 2 * options.min_group_size:
            continue
        mixture = best_mixture(features[inside], options.min_group_size, rng=rng)
        labels = np.full(len(stars), -1)
        labels[inside] = mixture.predict(features[inside])
        divisions.append(labels)
    return divisions


def mixture_posterior(
    features: Array, core: Mask, n_components: int | None, min_size: int, *, rng: np.random.Generator
) -> tuple[Array, int]:
    """Posterior probability of the components that hold a core, from a bootstrap sample of the stars.

    Parameters
    ----------
    features : ndarray, shape (n_stars, n_features)
        Of the stars around the cluster.
    core : ndarray of bool, shape (n_stars,)
        Stars that the cluster's component should hold.
    n_components : int, optional
        Number of components; by default that of the least Bayesian information criterion.
    min_size : int
        Stars in the smallest group, which bounds the number of components.
    rng : Generator
        Sample and random start.

    Returns
    -------
    posterior : ndarray, shape (n_stars,)
    n_components : int
        The number used.
    """
    sample = features[rng.integers(0, len(features), len(features))]
    mixture = (
        best_mixture(sample, min_size, rng=rng) if n_components is None else _fit(sample, n_components, rng)
    )
    posterior = mixture.predict_proba(features)
    shared = posterior[core].sum(axis=0)
    overlaps = shared / np.maximum(posterior.sum(axis=0) + core.sum() - shared, 1)
    return posterior[:, int(np.argmax(overlaps))], int(mixture.n_components)


def best_mixture(features: Array, min_size: int, *, rng: np.random.Generator) -> "GaussianMixture":
    """Mixture with the least Bayesian information criterion; the search ends when it has risen twice.

    Parameters
    ----------
    features : ndarray, shape (n_stars, n_features)
        The stars.
    min_size : int
        Stars in the smallest group, which bounds the number of components.
    rng : Generator
        Sample and random starts.

    Returns
    -------
    GaussianMixture
    """
    sample = features
    if len(features) > _MOST_FITTED:
        sample = features[rng.choice(len(features), _MOST_FITTED, replace=False)]
    best, risen = _fit(sample, 1, rng), 0
    least = best.bic(sample)
    for n_components in _COMPONENTS:
        if n_components * min_size > len(sample) or risen == 2:
            break
        mixture = _fit(sample, n_components, rng)
        criterion = mixture.bic(sample)
        if criterion < least:
            best, least, risen = mixture, criterion, 0
        else:
            risen += 1
    return best


def _fit(sample: Array, n_components: int, rng: np.random.Generator) -> "GaussianMixture":
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(
        n_components,
        reg_covar=_LEAST_VARIANCE,
        max_iter=200,
        tol=1e-3,
        init_params="k-means++",
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 200 steps are near enough to choose a component
        return mixture.fit(sample)
