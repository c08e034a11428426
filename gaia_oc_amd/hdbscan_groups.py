"""Groups of stars in proper motion and parallax by HDBSCAN: its own choice, and cuts through its hierarchy."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.field_stars import FieldStars

if TYPE_CHECKING:
    from gaia_oc_amd.first_members_options import SearchOptions

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

CUTS = tuple(np.linspace(0.02, 0.6, 10))
"""Cuts of the hierarchy of a field, as quantiles of the stars' distance to their nearest neighbours."""
NEAR_CUTS = tuple(np.linspace(0.05, 0.95, 15))
"""The same among the stars around a cluster, most of which may be members."""
_NEIGHBOURS = 10
_LEAST_MOTION = 0.05
"""Added to the errors of proper motion [mas/yr]: no cluster is narrower."""


def hdbscan_features(stars: FieldStars, position_weight: float = 0.0) -> Array:
    """Proper motions and parallaxes in units of the field's median errors, in which a cluster is round.

    Parameters
    ----------
    stars : FieldStars
        The field.
    position_weight : float
        If greater than 0, the positions join, in units of the median separation from the middle over this weight.

    Returns
    -------
    ndarray, shape (n_stars, 3) or (n_stars, 5)
    """
    error = np.median(stars.errors, axis=0)
    scale = np.array([*np.full(2, np.hypot(error[:2].mean(), _LEAST_MOTION)), error[2]])
    features = (stars.motions - np.median(stars.motions, axis=0)) / scale
    if position_weight == 0:
        return features
    middle = np.sqrt(np.median((stars.sky**2).sum(axis=1)))
    return np.column_stack([features, position_weight / middle * stars.sky])


def hdbscan_groups(
    stars: FieldStars, options: "SearchOptions", *, cuts: tuple[float, ...] = CUTS
) -> list[Labels]:
    """Several divisions of a field into groups.

    HDBSCAN alone gives no group where everything but one dense core is spread thinly (the whole field is then its
    only cluster), and cuts some clusters too wide or too narrow. Its hierarchy, cut at several densities, holds the
    group that it missed; which of them is the cluster is for `group_choice` to say.

    Parameters
    ----------
    stars : FieldStars
        At least twice as many stars as the smallest group has.
    options : SearchOptions
        Gives the smallest group and the weight of positions.
    cuts : tuple of float
        Where the hierarchy is cut, as quantiles of the stars' distance to their nearest neighbours.

    Returns
    -------
    list of ndarray of int, shape (n_stars,)
        Labels from 0; -1 for stars in no group.
    """
    from sklearn.cluster import HDBSCAN
    from sklearn.neighbors import NearestNeighbors

    features = hdbscan_features(stars, options.position_weight)
    n_near = min(_NEIGHBOURS, len(stars) - 1)
    search = HDBSCAN(
        min_cluster_size=options.min_group_size,
        min_samples=n_near,
        cluster_selection_method="leaf",
        algorithm="kd_tree",
        copy=True,
    ).fit(features)
    distance = NearestNeighbors(n_neighbors=n_near).fit(features).kneighbors(features)[0][:, -1]
    levels = np.quantile(distance, cuts)
    divisions = [search.dbscan_clustering(level, min_cluster_size=options.min_group_size) for level in levels]
    return [np.asarray(labels, np.int64) for labels in (search.labels_, *divisions)]
