"""The selection function: a table of completeness and contamination in bins of magnitude and radius."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta, gamma

from gaia_oc_amd.control_clusters import Controls
from gaia_oc_amd.validation import Validation

Array = NDArray[np.float64]

SELECTION_FUNCTION = "selection_function.csv"
ONE_SIGMA = (0.1587, 0.8413)
"""Quantiles of all intervals."""
SUMMARY_EDGES = (-np.inf, 18.0, 19.0, 20.0, np.inf)
"""Edges in G [mag] of the table that ends a run."""

_LEAST_SHARE = 0.1


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
        From `gaia_oc_amd.validation.validate_cluster`.
    magnitude_edges : tuple of float
        Edges of the bins of G [mag].
    radius_edges : tuple of float
        Edges of the bins of projected radius [pc].

    Returns
    -------
    DataFrame, one row per bin
        bin ("all", "G", "radius", "G and radius"); g_min, g_max [mag]; r_min, r_max [pc].
        n_injected, and of these n_in_cone, n_selected, n_recovered : artificial members.
        completeness with completeness_lower, completeness_upper: weighted share that is recovered, of those
        not in the list that the judge learned from; 68 % interval of Jeffreys. Bins of G and "all" take radii
        and magnitudes as the cluster has them, bins of radius magnitudes as it has them.
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
    bins = [Bin("all"), *(Bin("G", g=g) for g in g_bins), *(Bin("radius", r=r) for r in r_bins)]
    bins += [Bin("G and radius", g=g, r=r) for g in g_bins for r in r_bins]
    return pd.DataFrame([_row(part, validation) for part in bins])


def _row(part: Bin, validation: Validation) -> dict[str, Any]:
    row = {"bin": part.kind, "g_min": part.g[0], "g_max": part.g[1], "r_min": part.r[0], "r_max": part.r[1]}
    return row | _completeness(part, validation) | _contamination(part, validation)


def _completeness(part: Bin, validation: Validation) -> dict[str, Any]:
    stars = validation.injected
    inside = part.holds(stars)
    if part.kind in ("all", "G"):
        inside &= stars["like_cluster"].to_numpy(bool)
    stars = stars[inside]
    recovered = (stars["PMemb"] >= validation.prob_threshold).to_numpy()
    in_cone, selected = stars["in_cone"].to_numpy(bool), stars["selected"].to_numpy(bool)
    weight = stars["weight"].to_numpy(float)
    shares = [_share(passed, weight) for passed in (in_cone, selected, recovered)]
    lower, upper = jeffreys_interval(shares[2], effective_number(weight))
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
    row = {"n_training": int(part.holds(validation.training).sum()), "n_accepted": number}
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
    return int((controls.seen[:, inside].mean(axis=1) >= _LEAST_SHARE).sum())


def validation_summary(validation: Validation) -> dict[str, str]:
    """Completeness by magnitude and contamination, in percent, for the table that ends a run.

    Parameters
    ----------
    validation : Validation
        From `gaia_oc_amd.validation.validate_cluster`.

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
