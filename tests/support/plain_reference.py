"""What the fast code computes, written as plainly as the definitions: slow, and the judge of the fast code."""

from itertools import pairwise

import numpy as np
import torch

from gaia_oc_amd.astrometry import astrometric_covariance
from gaia_oc_amd.fast_deep_sets import draw_support_sets
from gaia_oc_amd.photometry import photometric_covariance


def nearest_offsets(isochrone, colour, g, colour_scale, g_scale):
    """Star minus the nearest point of the curve (Eqs. 5 and 17), one star and one segment at a time, (n, 2)."""
    points = np.column_stack([isochrone.colour, isochrone.g])
    segments = [(a, b) for a, b in pairwise(points) if np.isfinite([a, b]).all()]
    found = []
    for star in np.column_stack([colour, g, colour_scale, g_scale]):
        scale, place = star[2:], star[:2]
        offsets = []
        for start, end in segments:
            step = (end - start) / scale
            along = np.dot((place - start) / scale, step) / max(np.dot(step, step), 1e-300)
            offsets.append(place - start - np.clip(along, 0, 1) * (end - start))
        offsets = np.array(offsets)
        found.append(offsets[np.argmin(np.square(offsets / scale).sum(axis=1))])
    return np.array(found)


def vote_shares(candidates, sets, classifier, n_samples, size_support_set, rng):
    """Sect. 3.4 of van Groeningen et al. (2023), one sample at a time, with the whole network input.

    The random numbers are drawn in the order in which the fast code draws them for one block of stars.
    """
    astrometry = drawn(
        candidates, ["parallax", "pmra", "pmdec"], astrometric_covariance(candidates), n_samples, rng
    )
    photometry = drawn(
        candidates,
        ["phot_g_mean_mag", sets.colour],
        photometric_covariance(candidates, sets.colour),
        n_samples,
        rng,
    )
    none = np.full(len(candidates) * n_samples, -1)
    chosen = draw_support_sets(len(sets.members), size_support_set, rng=rng, excluded=none)
    support = classifier.source_features(sets.members[list(classifier.source_features.names)].to_numpy(float))
    of_cluster = [getattr(sets.cluster, name) for name in classifier.cluster_features.names]
    of_cluster = classifier.cluster_features(np.array([of_cluster]))
    votes, network = np.zeros(len(candidates)), classifier.network
    for i in range(len(candidates)):
        for j in range(n_samples):
            features = plain_features(candidates.iloc[i], astrometry[i, j], photometry[i, j], sets)
            ordered = np.array([[features[name] for name in classifier.source_features.names]])
            candidate = np.hstack([classifier.source_features(ordered), of_cluster])
            members = support[chosen[i * n_samples + j]]
            x = np.hstack([np.repeat(candidate, len(members), axis=0), members])[None]
            with torch.no_grad():
                votes[i] += int(network(torch.from_numpy(x)).argmax())
    return votes / n_samples


def drawn(stars, names, covariance, n_samples, rng):
    """Samples of the normal distribution of each star's measurements, (n_stars, n_samples, n_names)."""
    normal = rng.standard_normal((len(stars), n_samples, len(names)))
    samples = np.empty_like(normal)
    for i, (mean, matrix) in enumerate(zip(stars[names].to_numpy(float), covariance, strict=True)):
        values, vectors = np.linalg.eigh(matrix)
        root = vectors @ np.diag(np.sqrt(np.maximum(values, 0)))
        samples[i] = [mean + root @ z for z in normal[i]]
    return samples


def plain_features(star, astrometry, photometry, sets):
    """The features of Sect. 3.1 of one sample of a star."""
    (parallax, pmra, pmdec), (g, colour), cluster = astrometry, photometry, sets.cluster
    f_c, f_g = nearest_offsets(sets.isochrone, [colour], [g], [sets.limits.colour], [sets.limits.g])[0]
    return {
        "f_r": star["f_r"],
        "f_pm": np.hypot(pmra - cluster.pmra, pmdec - cluster.pmdec),
        "f_plx": parallax - cluster.parallax,
        "f_c": f_c,
        "f_g": f_g,
    }
