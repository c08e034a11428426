"""Validation of a cluster's member list in its own cone, by injected members and control clusters."""

import warnings
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.artificial_members import fit_cluster_model
from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.cone import ConeRegion
from gaia_oc_amd.control_clusters import Controls, control_places, look_at_controls
from gaia_oc_amd.files.data_directory import CLUSTER_FILE, cluster_directory, read_json
from gaia_oc_amd.injection import Field, Judge, inject_members
from gaia_oc_amd.isochrones import nearest_age, place_isochrone
from gaia_oc_amd.options import SelectionOptions
from gaia_oc_amd.source_sets import SourceSets, load_sets
from gaia_oc_amd.validation_options import ValidationOptions

Array = NDArray[np.float64]

_RADII_PER_BIN = 5


@dataclass(frozen=True)
class Validation:
    """What injection and controls showed of one cluster.

    Parameters
    ----------
    name : str
        The cluster's name.
    injected : DataFrame
        From `gaia_oc_amd.injection.inject_members`.
    controls : Controls
        From `gaia_oc_amd.control_clusters.look_at_controls`.
    accepted : DataFrame
        Candidates of at least the threshold.
    training : DataFrame
        Training members.
    prob_threshold : float
        Smallest PMemb of an accepted star.
    """

    name: str
    injected: pd.DataFrame
    controls: Controls
    accepted: pd.DataFrame
    training: pd.DataFrame
    prob_threshold: float


def validate_cluster(
    name: str,
    data_dir: Path | str,
    isochrones: pd.DataFrame,
    judge: Judge,
    *,
    options: ValidationOptions | None = None,
    seed: int = 42,
) -> Validation:
    """Measure completeness and contamination of an evaluated cluster in its own cone.

    Parameters
    ----------
    name : str
        Cluster whose sets were built and evaluated.
    data_dir : path
        The data directory.
    isochrones : DataFrame
        From `gaia_oc_amd.isochrone_files.read_isochrones`: those that the sets were built with.
    judge : callable
        ``judge(stars, sets, rng=rng)`` gives the probabilities of stars: `membership_probabilities` with
        classifier and options filled in, as in the evaluation.
    options : ValidationOptions, optional
        How much is injected, and what counts as accepted.
    seed : int
        Together with the name it determines the random streams.

    Returns
    -------
    Validation
        See `gaia_oc_amd.selection_function.selection_function` for its table.

    Raises
    ------
    FileNotFoundError, ValueError
        If the sets were not built or not evaluated, or do not fit the isochrones or the judge.
    TooFewMembersError
        If there are too few members for the judge.
    """
    options = options or ValidationOptions()
    field = load_field(name, data_dir, isochrones)
    sets, threshold = field.sets, options.prob_threshold
    model = fit_cluster_model(sets, prob_threshold=threshold)
    injection_rng, place_rng, control_rng = cluster_rng(seed, sets.cluster.name).spawn(3)
    injected = inject_members(
        field,
        judge,
        n_artificial=options.n_artificial,
        magnitude_edges=options.magnitude_edges,
        binary_fraction=options.binary_fraction,
        model=model,
        rng=injection_rng,
    )
    places = control_places(field, options.n_controls, model=model, rng=place_rng)
    controls = look_at_controls(
        field,
        judge,
        places,
        prob_threshold=threshold,
        removal_threshold=options.removal_threshold,
        radii=_radii_of_bins(options.radius_edges),
        rng=control_rng,
    )
    accepted = sets.candidates[sets.candidates["PMemb"] >= threshold]
    return Validation(sets.cluster.name, injected, controls, accepted, sets.members, threshold)


def load_field(name: str, data_dir: Path | str, isochrones: pd.DataFrame) -> Field:
    """Evaluated sets of a cluster with the cut of its cone and the options they were built with.

    Parameters
    ----------
    name : str
        Cluster name.
    data_dir : path
        The data directory.
    isochrones : DataFrame
        From `gaia_oc_amd.isochrone_files.read_isochrones`.

    Returns
    -------
    Field
        Where ``cone.json`` is absent, as for a cone put there by hand, the cut is what the sources span.

    Raises
    ------
    FileNotFoundError
        If the sets were never built.
    ValueError
        If they were never evaluated.
    """
    sets = load_sets(name, data_dir)
    name = sets.cluster.name
    if not sets.candidates["PMemb"].notna().any():
        raise ValueError(f"{name} was never evaluated: run `python evaluate_clusters.py {name}` first.")
    folder = cluster_directory(data_dir, name)
    made_with = (read_json(folder / CLUSTER_FILE).get("options") or {}).get("selection") or {}
    known = {field.name for field in fields(SelectionOptions)}
    selection = SelectionOptions(
        **{"colour": sets.colour} | {key: value for key, value in made_with.items() if key in known}
    )
    record = folder / "cone.json"
    region = ConeRegion(**read_json(record)["region"]) if record.exists() else spanned_region(sets)
    points = nearest_age(isochrones, sets.cluster.age)
    _compare_isochrones(sets, points)
    return Field(sets, region, selection, points)


def _compare_isochrones(sets: SourceSets, points: pd.DataFrame) -> None:
    placed = place_isochrone(points, sets.cluster.dist, sets.cluster.a0, colour=sets.colour)
    same = len(placed.g) == len(sets.isochrone.g) and np.allclose(
        placed.g, sets.isochrone.g, atol=1e-3, equal_nan=True
    )
    if not same:
        warnings.warn(
            "the isochrones are not those that the sets were built with: artificial members may lie off them. Give "
            "the same --isochrone_path.",
            stacklevel=3,
        )


def spanned_region(sets: SourceSets) -> ConeRegion:
    """Smallest region around a cluster that holds all sources of its cone."""
    cluster = sets.cluster
    stars = pd.concat([sets.members, sets.candidates, sets.non_members])
    offset = np.hypot(stars["pmra"] - cluster.pmra, stars["pmdec"] - cluster.pmdec)
    return ConeRegion(
        ra=cluster.ra,
        dec=cluster.dec,
        radius=float(np.degrees(stars["f_r"].max() / cluster.dist)),
        pmra=cluster.pmra,
        pmdec=cluster.pmdec,
        pm_radius=float(offset.max()),
        parallax=cluster.parallax,
        parallax_width=float(np.abs(stars["parallax"] - cluster.parallax).max()),
    )


def _radii_of_bins(edges: tuple[float, ...]) -> Array:
    """Radii [pc] spread over each bin."""
    steps = (np.arange(_RADII_PER_BIN) + 0.5) / _RADII_PER_BIN
    return np.concatenate([low + (high - low) * steps for low, high in pairwise(edges)])
