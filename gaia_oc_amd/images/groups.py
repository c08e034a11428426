"""Colour-magnitude diagrams as images, and simulated groups of stars that are one population or none."""

import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from gaia_oc_amd.exceptions import TooFewStarsError
from gaia_oc_amd.images.tables import Images
from gaia_oc_amd.simulation.catalogue import vary_options
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.simulate import simulate_cluster

Array = NDArray[np.float64]

CLASSES = ("field", "population")
COLUMNS = ("phot_g_mean_mag", "bp_rp")
LEAST_STARS = 10
SIZE = 32
_COLOURS = (-1.5, 1.7)
"""Window in BP-RP about the median of the group [mag]."""
_MAGNITUDES = (-9.0, 0.6)
"""Window in G about the magnitude that 95 % of the group are brighter than [mag]."""
_BLUR = 0.6
_MOST_FIELD_STARS = 3000
_SUBSETS = (15, 300)
_FAINT_LIMITS = (16.0, 18.5)
_MOST_CONTAMINATION = 0.3
_NEIGHBOURS = 8
_LIKE_PARALLAX = 0.3
"""Share of the field stars, those with parallaxes nearest to the cluster's, that every second group is drawn from."""


def diagram(g: Array, bp_rp: Array) -> NDArray[np.float32]:
    """Colour-magnitude diagram of a group as an image, wherever the group stands and whatever its reddening.

    The counts are taken relative to the median colour and the faint end, slightly blurred, and their roots
    divided by the root of the number of stars, as Castro-Ginard et al. (2020, A&A 635, A45) and Hunt & Reffert (2023,
    A&A 673, A114) give diagrams to networks.

    Parameters
    ----------
    g, bp_rp : ndarray, shape (n,)
        Magnitude and colour [mag]; stars without one are left out.

    Returns
    -------
    ndarray of float32, shape (1, 32, 32)
        Rows from bright to faint, columns from blue to red.

    Raises
    ------
    TooFewStarsError
        If fewer than 10 stars have both.
    """
    g, bp_rp = np.asarray(g, float), np.asarray(bp_rp, float)
    known = np.isfinite(g) & np.isfinite(bp_rp)
    if known.sum() < LEAST_STARS:
        raise TooFewStarsError(
            f"{known.sum()} stars have G and BP-RP, at least {LEAST_STARS} are needed to tell a population."
        )
    g, bp_rp = g[known], bp_rp[known]
    places = [g - np.quantile(g, 0.95), bp_rp - np.median(bp_rp)]
    rows, columns = (
        np.clip(place, low, high) for place, (low, high) in zip(places, (_MAGNITUDES, _COLOURS), strict=True)
    )
    counts, _, _ = np.histogram2d(rows, columns, bins=SIZE, range=np.array([_MAGNITUDES, _COLOURS]))
    blurred = gaussian_filter(counts, _BLUR)
    return np.sqrt(blurred / len(g) * SIZE)[None].astype(np.float32)


def simulate_groups(
    n_fields: int, n_each: int, isochrones: pd.DataFrame, *, rng: np.random.Generator
) -> Images:
    """Diagrams of groups of simulated clusters and of field stars, as many of each.

    Parameters
    ----------
    n_fields : int
        Simulated clusters, each in its field.
    n_each : int
        Groups of cluster stars, and of field stars, from each.
    isochrones : DataFrame
        That the stars lie on.
    rng : Generator
        Source of randomness.

    Returns
    -------
    Images
        15 to 300 stars each, up to 30 % of a population's group are field stars.
    """
    pixels, labels, names = [], [], []
    for number in range(n_fields):
        cone, is_member = simulated_field(isochrones, rng=rng)
        for _ in range(n_each):
            for label, group in enumerate(_pair(cone, is_member, rng)):
                if len(group) >= LEAST_STARS:
                    pixels.append(diagram(*group[list(COLUMNS)].to_numpy().T))
                    labels.append(label)
                    names.append(f"{CLASSES[label]}/field_{number + 1}")
    return Images(np.stack(pixels), np.array(labels), CLASSES, tuple(names))


def simulated_field(
    isochrones: pd.DataFrame, *, rng: np.random.Generator
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Stars of a simulated cluster with any parameters and of its field, and which of them are the cluster's."""
    options = vary_options(SimulationOptions(g_max=_FAINT_LIMITS[1], list_g_max=18.0), rng=rng)
    options = replace(
        options,
        n_members=max(options.n_members, 60),
        cone_radius=1.2 * options.tidal_radius + 5,
        cone_pm_sigmas=np.inf,
        cone_plx_sigmas=np.inf,
        max_field_stars=_MOST_FIELD_STARS,
    )
    with warnings.catch_warnings():  # the youngest isochrone stands for clusters that are younger
        warnings.filterwarnings("ignore", "no isochrone within")
        cluster = simulate_cluster(options, isochrones, rng=rng)
    return cluster.cone, cluster.truth["is_member"].to_numpy(bool)


def _pair(
    cone: pd.DataFrame, is_member: NDArray[np.bool_], rng: np.random.Generator
) -> Iterator[pd.DataFrame]:
    """A group of field stars with the magnitudes of a group of cluster stars, and that."""
    limit = rng.uniform(*_FAINT_LIMITS)
    seen = (cone["phot_g_mean_mag"] < limit) & cone["bp_rp"].notna()
    members, field = cone[seen & is_member], cone[seen & ~is_member]
    size = int(np.exp(rng.uniform(*np.log(_SUBSETS))))
    members = members.sample(min(size, len(members)), random_state=rng)
    parallax = members["parallax"].median()
    if rng.uniform() < 0.5:
        nearest = (field["parallax"] - parallax).abs()
        others = field[nearest <= nearest.quantile(_LIKE_PARALLAX)]
    else:
        others = field
    yield like_magnitudes(others, members["phot_g_mean_mag"].to_numpy(), rng=rng)
    n_others = int(rng.uniform(0, _MOST_CONTAMINATION) * len(members))
    strangers = like_magnitudes(field, members["phot_g_mean_mag"].to_numpy()[:n_others], rng=rng)
    yield pd.concat([members.iloc[n_others:], strangers])


def like_magnitudes(field: pd.DataFrame, g: Array, *, rng: np.random.Generator) -> pd.DataFrame:
    """Stars of a field drawn without repetition whose G magnitudes are like those given.

    Parameters
    ----------
    field : DataFrame
        With phot_g_mean_mag [mag].
    g : ndarray, shape (n,)
        Magnitudes [mag].
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        n rows, fewer if the field has fewer; for each magnitude one of the 8 nearest stars that are left.
    """
    magnitudes = field["phot_g_mean_mag"].to_numpy(float).copy()
    rows = []
    for wanted in g[rng.permutation(len(g))][: len(field)]:
        distance = np.abs(magnitudes - wanted)
        near = np.argsort(distance)[:_NEIGHBOURS]
        near = near[np.isfinite(distance[near])]
        rows.append(int(rng.choice(near)))
        magnitudes[rows[-1]] = np.nan
    return field.iloc[rows]
