"""The published probability: how often a star, drawn anew from its errors, is classified as a member."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from gaia_oc_amd.astrometry import astrometric_covariance
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.features import parallax_separation, proper_motion_separation
from gaia_oc_amd.isochrones import OffsetFinder
from gaia_oc_amd.options import SamplingOptions
from gaia_oc_amd.photometry import photometric_covariance
from gaia_oc_amd.source_sets import SourceSets
from gaia_oc_amd.support_sets import draw_support_sets

Array = NDArray[np.float64]

SAMPLED_FEATURES = ("f_pm", "f_plx", "f_c", "f_g")
"""Features that change with a star's drawn measurements."""

_STARS_AT_ONCE = 256
_PAIRS_AT_ONCE = 256


def vote_probabilities(
    candidates: pd.DataFrame,
    sets: SourceSets,
    classifier: Classifier,
    *,
    options: SamplingOptions | None = None,
    rng: np.random.Generator,
) -> Array:
    """Fraction of samples in which each star is classified as a member.

    Sect. 3.4 of van Groeningen et al. (2023): parallax, proper motion, magnitude and colour are drawn from
    normal distributions with the full covariance of the star's errors; each sample meets a support set of its
    own, which never contains the star itself (so that members can be judged, too).

    Parameters
    ----------
    candidates : DataFrame
        Stars to be judged, with the columns of the source sets.
    sets : SourceSets
        Gives cluster, isochrone, limits and members.
    classifier : Classifier
        Judges each sample.
    options : SamplingOptions, optional
        Number of samples and size of the support sets.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n_candidates,)
        Probabilities; NaN for stars without a usable colour or error.

    Raises
    ------
    TooFewMembersError
        If there are not enough members for a support set.
    """
    options = options or SamplingOptions()
    names = list(classifier.source_features.names)
    members = sets.members[np.isfinite(sets.members[names].to_numpy(float)).all(axis=1)]
    if len(members) < options.size_support_set:
        raise TooFewMembersError(
            f"{sets.cluster.name} has {len(members)} members, a support set needs {options.size_support_set}: "
            "lower --size_support_set or build the sets with a lower --prob_threshold."
        )
    support = classifier.standardise_members(members)
    probabilities = np.full(len(candidates), np.nan)
    usable = np.flatnonzero(can_be_sampled(candidates, sets.colour, names))
    with tqdm(total=len(usable), unit="star", desc=sets.cluster.name, disable=None, leave=False) as progress:
        for rows in range(0, len(usable), _STARS_AT_ONCE):
            part = usable[rows : rows + _STARS_AT_ONCE]
            sources = candidates.iloc[part]
            features = sample_features(sources, sets, names, n_samples=options.n_samples, rng=rng)
            pairs = classifier.standardise_candidates(features.reshape(-1, len(names)), sets.cluster)
            own = np.repeat(
                pd.Index(members["source_id"]).get_indexer(sources["source_id"]), options.n_samples
            )
            chosen = draw_support_sets(len(members), options.size_support_set, rng=rng, excluded=own)
            verdicts = _verdicts(classifier, pairs, support, torch.from_numpy(chosen))
            probabilities[part] = verdicts.reshape(len(part), -1).mean(axis=1)
            progress.update(len(part))
    return probabilities


def can_be_sampled(candidates: pd.DataFrame, colour: str, names: list[str]) -> NDArray[np.bool_]:
    """Which stars have all measurements, errors and those of the named features that are not sampled.

    Parameters
    ----------
    candidates : DataFrame
        With the columns of the source sets.
    colour : {'g_rp', 'bp_rp'}
        The colour that is sampled.
    names : list of str
        Features that the classifier reads.

    Returns
    -------
    ndarray of bool, shape (n_candidates,)
    """
    needed = [
        "phot_g_mean_mag",
        colour,
        "phot_g_mean_mag_error",
        f"{colour}_error",
        "parallax",
        "pmra",
        "pmdec",
    ]
    errors = ["parallax_error", "pmra_error", "pmdec_error"]
    fixed = [name for name in names if name not in SAMPLED_FEATURES]
    return np.isfinite(candidates[[*needed, *errors, *fixed]].to_numpy(float)).all(axis=1)


def sample_features(
    sources: pd.DataFrame, sets: SourceSets, names: list[str], *, n_samples: int, rng: np.random.Generator
) -> Array:
    """Source features of stars drawn anew from their errors.

    Parameters
    ----------
    sources : DataFrame
        Stars with errors and correlations.
    sets : SourceSets
        Gives cluster, isochrone, limits and colour.
    names : list of str
        Features in the wanted order; those that do not change with the sample (f_r, or any other column) are
        repeated.
    n_samples : int
        Samples per star.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n_sources, n_samples, n_features)
    """
    astrometry = sources[["parallax", "pmra", "pmdec"]].to_numpy(float)
    photometry = sources[["phot_g_mean_mag", sets.colour]].to_numpy(float)
    astrometry = draw_normal(astrometry, astrometric_covariance(sources), n_samples, rng=rng)
    photometry = draw_normal(photometry, photometric_covariance(sources, sets.colour), n_samples, rng=rng)
    find_offsets = OffsetFinder(sets.isochrone, sets.limits.colour, sets.limits.g)
    f_c, f_g = find_offsets(photometry[..., 1].ravel(), photometry[..., 0].ravel())
    sampled = {
        "f_pm": proper_motion_separation(astrometry[..., 1], astrometry[..., 2], sets.cluster),
        "f_plx": parallax_separation(astrometry[..., 0], sets.cluster),
        "f_c": f_c.reshape(len(sources), n_samples),
        "f_g": f_g.reshape(len(sources), n_samples),
    }
    fixed = {
        name: np.repeat(sources[name].to_numpy(float)[:, None], n_samples, axis=1)
        for name in names
        if name not in sampled
    }
    return np.stack([(sampled | fixed)[name] for name in names], axis=-1)


def draw_normal(mean: Array, covariance: Array, n_samples: int, *, rng: np.random.Generator) -> Array:
    """Draw from many normal distributions at once; singular covariances are allowed.

    Parameters
    ----------
    mean : ndarray, shape (n, k)
        Means.
    covariance : ndarray, shape (n, k, k)
        Covariances. Eigenvalues that rounding or inconsistent correlations made negative count as 0.
    n_samples : int
        Samples per distribution.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n, n_samples, k)
    """
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]  # (n, k, k)
    normal = rng.standard_normal((len(mean), n_samples, mean.shape[1]))
    return mean[:, None] + np.einsum("nsk,njk->nsj", normal, root)


def _verdicts(classifier: Classifier, pairs: Tensor, support: Tensor, chosen: Tensor) -> NDArray[np.bool_]:
    """Whether each sample is classified as a member; in batches that fit the processor's cache."""
    with torch.inference_mode():
        parts: Iterator[Tensor] = (
            classifier.network.set_logits(
                pairs[i : i + _PAIRS_AT_ONCE], support, chosen[i : i + _PAIRS_AT_ONCE]
            )
            for i in range(0, len(pairs), _PAIRS_AT_ONCE)
        )
        return torch.cat([logits[:, 1] > logits[:, 0] for logits in parts]).numpy()
