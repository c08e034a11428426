"""Baselines that a membership method must beat, and the bound that it may approach.

HDBSCAN and a Gaussian mixture know what a user knows: the stars and the listed members. Boosted trees are told the
truth of the same cones, out of fold: what a flexible classifier can get out of these features, no method of ours.
"""

import sys
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import HDBSCAN
from sklearn.ensemble import HistGradientBoostingClassifier

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.astrometry import astrometric_covariance, tangent_plane

SMALLEST_CLUSTERS = (15, 30, 60)
"""Sizes that HDBSCAN is tried with (min_cluster_size)."""
MOST_CLUSTERED = 20_000
"""Stars, counted from the centre, that HDBSCAN gets: its time grows with the square of their number."""
N_FOLDS = 5
DOUBTFUL = -7.0
"""Mixture's log odds above which trees learn from every field star."""
_MIXTURE_STEPS = 60
_STARS_PER_ERROR_BIN = 400
_ERROR_BINS = 6
_TINY = 1e-300


def offsets(stars, cluster):
    """Parallax and proper motion offsets from the cluster's mean, shape (n, 3) [mas, mas/yr]."""
    return np.column_stack([stars[name] - getattr(cluster, name) for name in ("parallax", "pmra", "pmdec")])


def positions(stars, cluster):
    """Offsets from the centre in the tangent plane, shape (n, 2) [pc]."""
    plane = tangent_plane(stars["ra"].to_numpy(), stars["dec"].to_numpy(), cluster.ra, cluster.dec)
    return cluster.dist * np.radians(np.column_stack(plane))


def hdbscan_probabilities(stars, sets):
    """Membership strength in the HDBSCAN cluster that holds most listed members, 0 outside it.

    As Tarricq et al. (2022) did: standardised proper motion and parallax, with and without position. Which size and
    which space is decided without the truth, by what the cluster holds of the listed members and of all others. In
    cones of more than MOST_CLUSTERED stars those farthest from the centre are left out and get 0.
    """
    listed = stars["source_id"].isin(sets.members["source_id"]).to_numpy()
    place = positions(stars, sets.cluster)
    nearest = np.argsort(np.hypot(*place.T))[:MOST_CLUSTERED]
    features = np.column_stack([offsets(stars, sets.cluster), place])[nearest]
    strength = np.zeros(len(stars))
    strength[nearest] = _clustered(features, listed[nearest])
    return strength


def _clustered(features, listed):
    """Strength of the best of several clusterings, by completeness squared over the share of stars inside.

    That is proportional to completeness times purity where only some members are known (Lee & Liu 2003).
    """
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    best, best_merit = np.zeros(len(listed)), 0.0
    for n_features, size, single in product((3, 5), SMALLEST_CLUSTERS, (False, True)):
        tree = HDBSCAN(min_cluster_size=size, allow_single_cluster=single, copy=True)
        found = tree.fit(scaled[:, :n_features])
        labels = found.labels_[listed & (found.labels_ >= 0)]
        if not len(labels):
            continue
        inside = found.labels_ == np.bincount(labels).argmax()
        merit = np.square(inside[listed].mean()) / inside.mean()
        if merit > best_merit:
            best, best_merit = np.where(inside, found.probabilities_, 0.0), merit
    return best


@dataclass(frozen=True)
class Mixture:
    """A cluster in a field, in parallax, proper motion and position.

    The cluster is a Gaussian about the known mean, widened by each star's own errors, with two concentric Gaussians
    in position. The field is uniform in position; in every bin of error it has its own two Gaussians of the measured
    values, because the candidate selection opens with the error. The share of the cluster differs between the bins.
    """

    intrinsic: np.ndarray  # (3, 3)
    widths: np.ndarray  # (2,) [pc]
    core_shares: np.ndarray  # (2,)
    cluster_shares: np.ndarray  # (n_error_bins,)
    field_shares: np.ndarray  # (n_error_bins, 2)
    field_means: np.ndarray  # (n_error_bins, 2, 3)
    field_covariances: np.ndarray  # (n_error_bins, 2, 3, 3)


def mixture_probabilities(stars, sets):
    """Posterior probability of the cluster in a Gaussian mixture without photometry."""
    x, errors = offsets(stars, sets.cluster), astrometric_covariance(stars)
    radius_squared = np.square(positions(stars, sets.cluster)).sum(axis=1)
    error_bin = _error_bins(errors)
    listed = stars["source_id"].isin(sets.members["source_id"]).to_numpy()
    mixture = _first_mixture(x, radius_squared, error_bin, listed)
    for _ in range(_MIXTURE_STEPS):
        of_core, of_field, _ = _responsibilities(mixture, x, errors, radius_squared, error_bin)
        mixture = _updated(mixture, x, errors, radius_squared, error_bin, (of_core, of_field))
    return _responsibilities(mixture, x, errors, radius_squared, error_bin)[2]


def _error_bins(errors):
    """Bin of each star by the size of its proper motion error."""
    size = errors[:, 1, 1] * errors[:, 2, 2]
    n_bins = int(np.clip(len(size) // _STARS_PER_ERROR_BIN, 1, _ERROR_BINS))
    return np.searchsorted(np.quantile(size, np.arange(1, n_bins) / n_bins), size, side="right")


def _first_mixture(x, radius_squared, error_bin, listed):
    """Where the iteration starts: spread and size of the listed members, field as wide as all stars."""
    n_bins = error_bin.max() + 1
    spread = np.median(np.abs(x[listed]), axis=0) * 1.5
    core = np.sqrt(np.median(radius_squared[listed]) / 1.39)
    covariances = np.stack([np.cov(x[error_bin == i].T) for i in range(n_bins)])
    return Mixture(
        intrinsic=np.diag(np.square(spread) / 4),
        widths=np.array([core, 3 * core]),
        core_shares=np.array([0.6, 0.4]),
        cluster_shares=np.full(n_bins, max(2 * listed.mean(), 0.02)),
        field_shares=np.full((n_bins, 2), 0.5),
        field_means=np.stack([[x[error_bin == i].mean(axis=0)] * 2 for i in range(n_bins)]),
        field_covariances=np.stack([0.5 * covariances, 1.5 * covariances], axis=1),
    )


def _log_normal(x, covariance):
    """Logarithm of centred normal densities; covariance of shape (3, 3) or (n, 3, 3)."""
    covariance = np.broadcast_to(covariance, (len(x), 3, 3))
    solved = np.linalg.solve(covariance, x[:, :, None])[:, :, 0]
    return -0.5 * (
        np.einsum("ni,ni->n", x, solved) + np.linalg.slogdet(covariance)[1] + 3 * np.log(2 * np.pi)
    )


def _responsibilities(mixture, x, errors, radius_squared, error_bin):
    """Probabilities of the two parts of the cluster (n, 2), those of the field (n, 2), and of the cluster (n,)."""
    motion = np.exp(_log_normal(x, mixture.intrinsic + errors))
    profile = np.exp(-radius_squared[:, None] / (2 * mixture.widths**2)) / (2 * np.pi * mixture.widths**2)
    share = mixture.cluster_shares[error_bin]
    cluster = (share * motion)[:, None] * mixture.core_shares * profile
    field = np.zeros_like(cluster)
    for i, j in np.ndindex(mixture.field_shares.shape):
        stars = error_bin == i
        density = np.exp(_log_normal(x[stars] - mixture.field_means[i, j], mixture.field_covariances[i, j]))
        field[stars, j] = (1 - share[stars]) * mixture.field_shares[i, j] * density
    field /= np.pi * radius_squared.max()
    total = cluster.sum(axis=1) + field.sum(axis=1) + _TINY
    return cluster / total[:, None], field / total[:, None], cluster.sum(axis=1) / total


def _updated(mixture, x, errors, radius_squared, error_bin, responsibilities):
    """The next mixture of the expectation-maximisation algorithm; the cluster's mean stays where it is known."""
    of_core, of_field = responsibilities
    of_cluster = of_core.sum(axis=1)
    n_bins = len(mixture.cluster_shares)
    field_shares = np.stack([of_field[error_bin == i].sum(axis=0) for i in range(n_bins)]) + 1e-6
    fields = [
        [_moments(x[error_bin == i], of_field[error_bin == i, j]) for j in range(2)] for i in range(n_bins)
    ]
    core_sums = of_core.sum(axis=0) + 1e-6
    return replace(
        mixture,
        intrinsic=_deconvolved(mixture.intrinsic, x, errors, of_cluster),
        widths=np.sqrt((of_core * radius_squared[:, None]).sum(axis=0) / (2 * core_sums)).clip(0.1),
        core_shares=core_sums / core_sums.sum(),
        cluster_shares=np.array([of_cluster[error_bin == i].mean() for i in range(n_bins)]).clip(1e-6, 1),
        field_shares=field_shares / field_shares.sum(axis=1, keepdims=True),
        field_means=np.array([[mean for mean, _ in row] for row in fields]),
        field_covariances=np.array([[covariance for _, covariance in row] for row in fields]),
    )


def _moments(x, weights):
    """Weighted mean and covariance; a ridge keeps an empty component from collapsing."""
    weights = weights + 1e-9
    mean = weights @ x / weights.sum()
    covariance = np.einsum("n,ni,nj->ij", weights, x - mean, x - mean) / weights.sum()
    return mean, covariance + np.diag(np.full(3, 1e-6))


def _deconvolved(intrinsic, x, errors, weights):
    """Intrinsic covariance about the known mean, freed of each star's errors (Bovy et al. 2011, Eq. 17)."""
    gain = intrinsic @ np.linalg.inv(intrinsic + errors)
    shifted = np.einsum("nij,nj->ni", gain, x)
    rest = intrinsic - gain @ intrinsic
    moments = np.einsum("n,ni,nj->ij", weights, shifted, shifted) + np.einsum("n,nij->ij", weights, rest)
    return moments / (weights.sum() + 1e-6) + np.diag(np.full(3, 1e-8))


def tree_features(stars, sets, mixture):
    """What an astronomer would give a classifier, and the mixture's log odds as one more summary.

    Offsets stand there raw, in km/s, and in units of their errors; the cluster's own numbers tell trees that learn
    from several cones which is which.
    """
    cluster = sets.cluster
    x, errors = offsets(stars, cluster), astrometric_covariance(stars)
    east, north = positions(stars, cluster).T
    radius = np.hypot(east, north)
    one_km_s = 1 / (4.74e-3 * cluster.dist)  # mas/yr
    with_errors = errors + np.diag(np.square([0.01, one_km_s, one_km_s]))
    size = np.median(radius[stars["source_id"].isin(sets.members["source_id"])])
    odds = np.clip(mixture, 1e-12, 1 - 1e-12)
    colour_error = np.hypot(stars[f"{sets.colour}_error"], 0.02)
    table = {
        "east": east, "north": north, "r": radius, "log_r": np.log(radius + 0.01), "r_over_size": radius / size,
        "plx": x[:, 0], "pmra": x[:, 1], "pmdec": x[:, 2], "pm": np.hypot(x[:, 1], x[:, 2]),
        "plx_error": np.sqrt(errors[:, 0, 0]), "pmra_error": np.sqrt(errors[:, 1, 1]),
        "pmdec_error": np.sqrt(errors[:, 2, 2]), "velocity": np.hypot(x[:, 1], x[:, 2]) * 4.74e-3 * cluster.dist,
        "plx_sigma": x[:, 0] / np.sqrt(with_errors[:, 0, 0]), "chi_all": -_log_normal(x, with_errors),
        "pm_sigma": np.sqrt((x[:, 1:] ** 2 / np.diagonal(with_errors, axis1=1, axis2=2)[:, 1:]).sum(axis=1)),
        "g": stars["phot_g_mean_mag"], "absolute_g": stars["phot_g_mean_mag"] - 5 * np.log10(cluster.dist / 10),
        "g_rp": stars["g_rp"], "bp_rp": stars["bp_rp"], "g_rp_error": stars["g_rp_error"],
        "f_c": stars["f_c"], "f_g": stars["f_g"], "f_c_sigma": stars["f_c"] / colour_error,
        "iso": np.hypot(stars["f_c"] / sets.limits.colour, stars["f_g"] / sets.limits.g),
        "ruwe": stars["ruwe"], "excess": stars["phot_bp_rp_excess_factor"],
        "mixture": np.log(odds / (1 - odds)),
        "age": cluster.age, "dist": cluster.dist, "a0": cluster.a0, "n_members": len(sets.members),
        "n_candidates": len(sets.candidates), "mixture_sum": mixture.sum(),
    }  # fmt: skip
    return pd.DataFrame({name: np.broadcast_to(values, len(stars)) for name, values in table.items()})


def folds(is_member, *, rng):
    """A fold number for each star, members and field stars spread evenly over the folds."""
    fold = np.empty(len(is_member), int)
    for kind in (is_member, ~is_member):
        fold[kind] = rng.permutation(np.arange(kind.sum()) % N_FOLDS)
    return fold


def boosted_tree_probabilities(features, is_member, cone, *, repetitions=3, most_field=np.inf, rng):
    """Out-of-fold probabilities of boosted trees that are told the truth of all other folds.

    Parameters
    ----------
    features : DataFrame
        From `tree_features`, of one cone or of several.
    is_member : ndarray of bool, shape (n,)
        Truth.
    cone : ndarray, shape (n,)
        Which cone a star belongs to: folds divide each cone evenly.
    repetitions : int
        How often, with other folds and other trees; the mean is returned.
    most_field : float
        Most field stars per member, besides the doubtful ones, that the trees learn from; their weights make up
        for the others.
    rng : Generator
        Source of randomness.
    """
    doubtful = features["mixture"].to_numpy() > DOUBTFUL
    features, probabilities = features.to_numpy(np.float32), np.zeros(len(is_member))
    for _ in range(repetitions):
        fold = np.empty(len(is_member), int)
        for name in np.unique(cone):
            fold[cone == name] = folds(is_member[cone == name], rng=rng)
        for held_out in range(N_FOLDS):
            test = fold == held_out
            kept, weights = _thinned(~test, is_member, doubtful, most_field, rng)
            trees = _trees(len(kept), int(rng.integers(2**31)))
            trees.fit(features[kept], is_member[kept], sample_weight=weights)
            probabilities[test] += trees.predict_proba(features[test])[:, 1] / repetitions
    return probabilities


def _thinned(train, is_member, doubtful, most_field, rng):
    """Indices to learn from, and their weights: all that is doubtful, and of the sure field stars a part."""
    sure = np.flatnonzero(train & ~is_member & ~doubtful)
    others = np.flatnonzero(train & (is_member | doubtful))
    n_kept = int(min(len(sure), most_field * np.sum(train & is_member)))
    kept = rng.choice(sure, n_kept, replace=False)
    weights = np.repeat([1.0, len(sure) / max(n_kept, 1)], [len(others), n_kept])
    return np.concatenate([others, kept]), weights


def _trees(n_stars, seed):
    """Small, slow trees that stop early; larger ones where there is more to learn from."""
    many = n_stars > 20_000
    return HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=400,
        max_leaf_nodes=24 if many else 10,
        min_samples_leaf=30 if many else 12,
        l2_regularization=2.0,
        max_features=0.5,
        early_stopping=True,
        validation_fraction=0.15,
        n_iter_no_change=20,
        random_state=seed,
    )
