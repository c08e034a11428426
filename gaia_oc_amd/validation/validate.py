"""Completeness and contamination of a cluster's list, and the table that states them."""

import logging
import warnings
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import beta, gamma

from gaia_oc_amd.arguments import Scatter, Seed, checked
from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.cone import ConeRegion
from gaia_oc_amd.files.data_directory import cluster_directory
from gaia_oc_amd.installation import script_command
from gaia_oc_amd.isochrones import nearest_age, place_isochrone
from gaia_oc_amd.kept_cone import recorded_region
from gaia_oc_amd.member_list import PROB_THRESHOLD
from gaia_oc_amd.source_sets import SourceSets, load_sets
from gaia_oc_amd.spatial import read_spatial
from gaia_oc_amd.validation.artificial import fit_cluster_model
from gaia_oc_amd.validation.controls import LEAST_SHARE, Controls, control_places, look_at_controls
from gaia_oc_amd.validation.injection import PROFILE_WEIGHTS, Field, StarJudge, inject_members
from gaia_oc_amd.validation.options import ValidationOptions

logger = logging.getLogger(__name__)

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
        From `gaia_oc_amd.validation.injection.inject_members`.
    controls : Controls
        From `gaia_oc_amd.validation.controls.look_at_controls`.
    accepted : DataFrame
        Candidates of at least the threshold.
    training : DataFrame
        Training members.
    prob_threshold : float
        Smallest PMemb of an accepted star.
    tidal_radius : float
        Of the King profile of the members [pc].
    ratio_scatter : float
        Error of the judge's log ratios between cones; 0 if it has none.
    """

    name: str
    injected: pd.DataFrame
    controls: Controls
    accepted: pd.DataFrame
    training: pd.DataFrame
    prob_threshold: float
    tidal_radius: float = np.inf
    ratio_scatter: float = 0.0


@checked
def measure_selection(
    name: str,
    data_dir: Path | str,
    isochrones: pd.DataFrame,
    judge: StarJudge,
    *,
    options: ValidationOptions | None = None,
    ratio_scatter: Scatter = 0.0,
    seed: Seed = 42,
) -> Validation:
    """Measure completeness and contamination of an evaluated cluster in its own cone.

    Parameters
    ----------
    name : str
        Cluster whose sets were built and evaluated.
    data_dir : path
        The data directory.
    isochrones : DataFrame
        From `gaia_oc_amd.isochrones.read_isochrones`: those that the sets were built with.
    judge : callable
        ``judge(stars, sets, rng=rng)`` gives the probabilities of stars: `membership_probabilities` with
        classifier and options filled in, as in the evaluation.
    options : ValidationOptions, optional
        How much is injected, and what counts as accepted.
    ratio_scatter : float
        Error of the judge's log ratios between cones, of which the intervals of the completeness take account.
    seed : int
        Together with the name it determines the random streams.

    Returns
    -------
    Validation
        See `gaia_oc_amd.validation.validate.selection_function` for its table.

    Raises
    ------
    FileNotFoundError, ValueError
        If the sets were not built or not evaluated, or do not fit the isochrones or the judge.
    TooFewMembersError
        If there are too few members for the judge.
    """
    options = options or ValidationOptions()
    field = load_field(name, data_dir, isochrones)
    sets, threshold = field.sets, options.prob_threshold or PROB_THRESHOLD
    model = fit_cluster_model(sets, prob_threshold=threshold)
    fitted = read_spatial(cluster_directory(data_dir, sets.cluster.name))
    injection_rng, place_rng, control_rng = cluster_rng(seed, sets.cluster.name).spawn(3)
    injected = inject_members(
        field,
        judge,
        n_artificial=options.n_artificial,
        magnitude_edges=options.magnitude_edges,
        binary_fraction=options.binary_fraction,
        model=model,
        spatial=fitted[0] if fitted else None,
        ratio_scatter=ratio_scatter,
        rng=injection_rng,
    )
    _say_what_lies_beyond(injected, sets.cluster.name)
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
    return Validation(
        *(sets.cluster.name, injected, controls, accepted, sets.members),
        prob_threshold=threshold,
        tidal_radius=model.tidal_radius,
        ratio_scatter=ratio_scatter,
    )


def _say_what_lies_beyond(injected: pd.DataFrame, name: str) -> None:
    """Say that the table of stars ends before the cluster does, which looks like a poor selection."""
    like_cluster = injected[injected["like_cluster"]]
    beyond = 1 - _share(like_cluster["in_field"].to_numpy(bool), like_cluster["weight"].to_numpy(float))
    if beyond > _MUCH_BEYOND:
        logger.info(
            "%s: the stars of its table do not reach as far as the cluster. %.0f %% of the artificial members lie "
            "beyond them and count as lost. Take the completeness from the rows by radius, or give a larger table.",
            *(name, 100 * beyond),
        )


def load_field(name: str, data_dir: Path | str, isochrones: pd.DataFrame) -> Field:
    """Evaluated sets of a cluster with the cut of its cone and the options they were built with.

    Parameters
    ----------
    name : str
        Cluster name.
    data_dir : path
        The data directory.
    isochrones : DataFrame
        From `gaia_oc_amd.isochrones.read_isochrones`.

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
    if not sets.is_evaluated():
        command = script_command("evaluate_clusters.py", name, data_dir=data_dir)
        raise ValueError(f"{name} was never evaluated: run `{command}` first.")
    folder = cluster_directory(data_dir, name)
    region = recorded_region(folder) or spanned_region(sets)
    points = nearest_age(isochrones, sets.cluster.age)
    _compare_isochrones(sets, points)
    return Field(sets, region, points)


def _compare_isochrones(sets: SourceSets, points: pd.DataFrame) -> None:
    placed = place_isochrone(points, sets.cluster.dist, sets.cluster.a0, colour=sets.colour)
    same = len(placed.g) == len(sets.isochrone.g) and np.allclose(
        placed.g, sets.isochrone.g, atol=1e-3, equal_nan=True
    )
    if not same:
        warnings.warn(
            "the isochrones are not those that the sets were built with: artificial members may lie off them. Give "
            "the same --isochrone_path.",
            stacklevel=4,
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


SELECTION_FUNCTION = "selection_function.csv"
ONE_SIGMA = (0.1587, 0.8413)
"""Quantiles of all intervals."""
SUMMARY_EDGES = (-np.inf, 18.0, 19.0, 20.0, np.inf)
"""Edges in G [mag] of the table that ends a run."""

_MUCH_BEYOND = 0.05
"""Share of artificial members beyond the stars of the field of which the log speaks."""
_LIKE_CLUSTER = {"all": 0.2, "G": 0.35, "within the tidal radius": 0.2}
"""Bins whose artificial members stand where the cluster's own do, and the scatter between cones of the logarithm of the
odds of their completeness, beyond what else the interval holds: where faint members stand is not known as well as the
fit of the places says. With it 62 to 76 % of the intervals of each bin of G hold the truth, with its own error, in 59
simulated cones that the network was not trained on (benchmarks/validation/completeness.py)."""
_ALL_BUT_CERTAIN = 1 - 1e-6


@dataclass(frozen=True)
class Bin:
    """An interval of G [mag] and of projected radius [pc]; `kind` says which of them it divides."""

    kind: str
    g: tuple[float, float] = (-np.inf, np.inf)
    r: tuple[float, float] = (0.0, np.inf)

    def holds(self, stars: pd.DataFrame) -> NDArray[np.bool_]:
        """Whether each star lies inside."""
        g, r = stars["phot_g_mean_mag"].to_numpy(float), stars["f_r"].to_numpy(float)
        return (g >= self.g[0]) & (g < self.g[1]) & (r >= self.r[0]) & (r < self.r[1])


def selection_function(
    validation: Validation, magnitude_edges: tuple[float, ...], radius_edges: tuple[float, ...]
) -> pd.DataFrame:
    """Table of completeness and contamination in bins of G and of projected radius.

    Parameters
    ----------
    validation : Validation
        From `gaia_oc_amd.validation.validate.measure_selection`.
    magnitude_edges : tuple of float
        Edges of the bins of G [mag].
    radius_edges : tuple of float
        Edges of the bins of projected radius [pc].

    Returns
    -------
    DataFrame, one row per bin
        bin ("all", "G", "within the tidal radius", "radius", "G and radius"); g_min, g_max [mag]; r_min, r_max [pc].
        n_injected, and of these n_in_cone, n_selected, n_recovered : artificial members.
        completeness with completeness_lower, completeness_upper: weighted share that is recovered, of those
        not in the list that the judge learned from; 68 % interval of Jeffreys, widened by the scatter between the
        profiles that the stars allow, by what an error of the ratios in this cone changes and, but in bins of radius,
        by the scatter between cones that simulated ones show.
        Bins of G, "all" and "within the tidal radius" take radii and magnitudes as
        the cluster has them, bins of radius magnitudes as it has them.
        lost_to_cone, lost_to_selection, lost_to_probability: the shares lost at each step; they and the
        completeness add up to 1.
        n_training, n_accepted : training members and accepted candidates of the real list.
        n_controls : control clusters that see this bin.
        false_members : real stars accepted in a control, the mean of the controls, corrected for what a
        control does not see.
        contamination_controls with contamination_controls_lower, contamination_controls_upper: false_members
        over n_accepted, 68 % interval of a Poisson count, at most 1: of the mean, about
        which the number in one list scatters by its own square root. It refers to accepted candidates.
        contamination_probability : mean of 1 - PMemb of the accepted candidates.
        NaN where nothing can be divided.
    """
    g_bins = list(pairwise(magnitude_edges))
    r_bins = list(pairwise(radius_edges))
    tidal = validation.tidal_radius
    within = [Bin("within the tidal radius", r=(0.0, tidal))] if np.isfinite(tidal) else []
    bins = [Bin("all"), *within, *(Bin("G", g=g) for g in g_bins), *(Bin("radius", r=r) for r in r_bins)]
    bins += [Bin("G and radius", g=g, r=r) for g in g_bins for r in r_bins]
    return pd.DataFrame([_row(part, validation) for part in bins])


def _row(part: Bin, validation: Validation) -> dict[str, Any]:
    row = {"bin": part.kind, "g_min": part.g[0], "g_max": part.g[1], "r_min": part.r[0], "r_max": part.r[1]}
    return row | _completeness(part, validation) | _contamination(part, validation)


def _completeness(part: Bin, validation: Validation) -> dict[str, Any]:
    stars = validation.injected
    inside = part.holds(stars)
    if part.kind in _LIKE_CLUSTER:
        inside &= stars["like_cluster"].to_numpy(bool)
    stars = stars[inside]
    recovered = (stars["PMemb"] >= validation.prob_threshold).to_numpy()
    in_cone, selected = stars["in_cone"].to_numpy(bool), stars["selected"].to_numpy(bool)
    weight = stars["weight"].to_numpy(float)
    shares = [_share(passed, weight) for passed in (in_cone, selected, recovered)]
    lower, upper = _interval(part, stars, recovered, validation)
    return {
        "n_injected": len(stars),
        "n_in_cone": int(in_cone.sum()),
        "n_selected": int(selected.sum()),
        "n_recovered": int(recovered.sum()),
        "completeness": shares[2],
        "completeness_lower": lower,
        "completeness_upper": upper,
        "lost_to_cone": 1 - shares[0],
        "lost_to_selection": shares[0] - shares[1],
        "lost_to_probability": shares[1] - shares[2],
    }


def _interval(
    part: Bin, stars: pd.DataFrame, recovered: NDArray[np.bool_], validation: Validation
) -> tuple[float, float]:
    """68 % interval: Jeffreys', a ratio that is wrong here, scatter between profiles and between cones, in squares."""
    weight, p = stars["weight"].to_numpy(float), stars["PMemb"].to_numpy(float)
    share = _share(recovered, weight)
    lower, upper = jeffreys_interval(share, effective_number(weight))
    scatter = _scatter_of_profiles(stars, recovered) if part.kind in _LIKE_CLUSTER else 0.0
    middle = logit(min(validation.prob_threshold, _ALL_BUT_CERTAIN))
    strict, mild = (
        _share(p >= expit(middle + shift), weight) if validation.ratio_scatter else share
        for shift in (validation.ratio_scatter, -validation.ratio_scatter)
    )
    odds = logit(np.clip(share, 1 - _ALL_BUT_CERTAIN, _ALL_BUT_CERTAIN))
    less, more = (expit(odds + sign * _LIKE_CLUSTER.get(part.kind, 0.0)) for sign in (-1, 1))
    below = float(np.linalg.norm([share - lower, scatter, share - strict, share - less]))
    above = float(np.linalg.norm([upper - share, scatter, mild - share, more - share]))
    return max(share - below, 0.0), min(share + above, 1.0)


def _scatter_of_profiles(stars: pd.DataFrame, recovered: NDArray[np.bool_]) -> float:
    """Standard deviation of the completeness between the profiles that the stars allow."""
    profiles = [name for name in PROFILE_WEIGHTS if name in stars]
    if not profiles or not len(stars):
        return 0.0
    weight = stars[profiles].to_numpy(float) * stars[["weight"]].to_numpy(float)
    return float(np.std(weight[recovered].sum(axis=0) / weight.sum(axis=0), ddof=1))


def _share(passed: NDArray[np.bool_], weight: Array) -> float:
    return float(weight[passed].sum() / weight.sum()) if len(weight) else np.nan


def effective_number(weight: Array) -> float:
    """Number of equally weighted stars that are worth as much (Kish): (sum w)^2 / sum w^2."""
    return float(weight.sum() ** 2 / np.square(weight).sum()) if len(weight) else 0.0


def jeffreys_interval(share: float, number: float) -> tuple[float, float]:
    """68 % interval of a binomial share, by Jeffreys' prior (Brown, Cai & DasGupta 2001, Stat. Sci. 16, 101).

    Parameters
    ----------
    share : float
        Successes over trials.
    number : float
        Trials, perhaps an effective number.

    Returns
    -------
    lower, upper : float
        0 or 1 where there was no success or no failure; NaN without trials.
    """
    if not number or not np.isfinite(share):
        return np.nan, np.nan
    successes = share * number
    lower, upper = beta.ppf(ONE_SIGMA, successes + 0.5, number - successes + 0.5)
    return (0.0 if share == 0 else float(lower)), (1.0 if share == 1 else float(upper))


def _contamination(part: Bin, validation: Validation) -> dict[str, Any]:
    accepted = validation.accepted[part.holds(validation.accepted)]
    number = len(accepted)
    n_controls = _controls_that_see(part, validation.controls)
    row: dict[str, float] = {"n_training": int(part.holds(validation.training).sum()), "n_accepted": number}
    row |= {"n_controls": n_controls, "false_members": np.nan}
    shares = [np.nan] * 3
    if n_controls:
        false = validation.controls.false_members
        weight = false.loc[part.holds(false), "weight"].to_numpy(float)
        means = [weight.sum() / n_controls, *(limit / n_controls for limit in poisson_interval(weight))]
        row["false_members"] = means[0]
        shares = [min(mean / number, 1.0) if number else np.nan for mean in means]
    names = ("contamination_controls", "contamination_controls_lower", "contamination_controls_upper")
    row |= dict(zip(names, shares, strict=True))
    return row | {"contamination_probability": float(1 - accepted["PMemb"].mean()) if number else np.nan}


def poisson_interval(weight: Array) -> tuple[float, float]:
    """68 % interval of the mean of a weighted Poisson count (Garwood 1936; the weights' mean scales it)."""
    number = effective_number(weight)
    scale = weight.sum() / number if number else 1.0
    lower = gamma.ppf(ONE_SIGMA[0], number) if number else 0.0
    return float(scale * lower), float(scale * gamma.ppf(ONE_SIGMA[1], number + 1))


def _controls_that_see(part: Bin, controls: Controls) -> int:
    """Number of controls whose surroundings the cone shows in a bin of radius."""
    inside = (controls.radii >= part.r[0]) & (controls.radii < part.r[1])
    if not inside.any():
        return len(controls.places)
    return int((controls.seen[:, inside].mean(axis=1) >= LEAST_SHARE).sum())


def validation_summary(validation: Validation) -> dict[str, str]:
    """Completeness by magnitude and contamination, in percent, for the table that ends a run.

    Parameters
    ----------
    validation : Validation
        From `gaia_oc_amd.validation.validate.measure_selection`.

    Returns
    -------
    dict of str
        "-" where nothing was injected or accepted.
    """
    table = selection_function(validation, SUMMARY_EDGES, (0.0, np.inf))
    g = table[table["bin"] == "G"]
    names = ("compl. < 18", "18-19", "19-20", "> 20")
    row = dict(zip(names, map(_percent, g["completeness"]), strict=True))
    whole = table.iloc[0]
    return row | {
        "accepted": str(whole["n_accepted"]),
        "contam. (controls)": _percent(whole["contamination_controls"]),
        "contam. (1 - p)": _percent(whole["contamination_probability"]),
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if np.isfinite(share) else "-"
