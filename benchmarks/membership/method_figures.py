"""Figures of membership methods on stars whose truth is known: by bins, with uncertainties from the clusters."""

from itertools import pairwise

import numpy as np
import pandas as pd
from metrics import (
    average_precision,
    brier_score,
    completeness_at_contamination,
    expected_calibration_error,
)
from scipy.special import erf

RELEVANT = 0.02
"""Smallest probability, from any method, of a star that counts for the calibration among relevant stars."""
NO_PROBABILITIES = ("hdbscan",)
"""Methods whose strengths are no probabilities: they do not make a star relevant."""
SURE, ONE_IN = 1e-3, 20
"""Field stars below this probability are represented by one in twenty of them when clusters are resampled."""
CONTAMINATION = 0.15
NEAR = 1000.0
BINS = {
    "G": ("phot_g_mean_mag", (-np.inf, 16, 18, 19, 20, np.inf)),
    "distance [pc]": ("dist", (-np.inf, 1000, 2000, np.inf)),
    "log age": ("age", (-np.inf, 8, 9, np.inf)),
    "members": ("richness", (-np.inf, 200, 500, np.inf)),
    "radius [pc]": ("f_r", (-np.inf, 3, 10, np.inf)),
}
FIGURES = (
    "average_precision",
    "completeness",
    "contamination",
    "completeness_at_15",
    "ece_all",
    "ece_relevant",
    "ece_own",
    "brier",
    "sum_p_ratio",
)


def bins_of(stars):
    """(kind, label, rows) of every bin, all stars first; the last kind is G within 1 kpc."""
    yield "all", "all", np.ones(len(stars), bool)
    for kind, (column, edges) in BINS.items():
        for lower, upper in pairwise(edges):
            yield kind, _label(lower, upper), _within(stars[column], lower, upper)
    edges = BINS["G"][1]
    for lower, upper in pairwise(edges):
        rows = _within(stars["phot_g_mean_mag"], lower, upper) & (stars["dist"] < NEAR).to_numpy()
        yield "G within 1 kpc", _label(lower, upper), rows


def _within(values, lower, upper):
    return ((values >= lower) & (values < upper)).to_numpy()


def _label(lower, upper):
    if np.isinf(lower):
        return f"< {upper:g}"
    return f">= {lower:g}" if np.isinf(upper) else f"{lower:g} - {upper:g}"


def figures(stars, p, weights=None):
    """All figures of one method on some stars; lost members have p = 0.

    Completeness, average precision, Brier score and the sum of p against the truth include the members that the
    selection lost. The calibration errors (ten bins of equal width in p) are about judged stars: all of them, those
    that any method gives p >= 0.02, and those that this method gives p >= 0.02.
    """
    truth = stars["is_member"].to_numpy()
    weights = np.ones(len(p)) if weights is None else weights
    found, n_true = weights @ (p >= 0.5), weights @ truth
    correct = weights @ (truth & (p >= 0.5))
    judged = ~stars["lost"].to_numpy()
    calibration = {
        name: expected_calibration_error(truth[rows], p[rows], weights=weights[rows])
        for name, rows in (
            ("ece_all", judged),
            ("ece_relevant", judged & stars["relevant"].to_numpy()),
            ("ece_own", judged & (p >= RELEVANT)),
        )
    }
    return {
        "average_precision": average_precision(truth, p, weights),
        "completeness": correct / n_true if n_true else np.nan,
        "contamination": 1 - correct / found if found else np.nan,
        "completeness_at_15": completeness_at_contamination(truth, p, CONTAMINATION, weights),
        **calibration,
        "brier": brier_score(truth, p, weights),
        "sum_p_ratio": weights @ p / n_true if n_true else np.nan,
    }


def figures_with_errors(stars, p, n_bootstrap, *, rng):
    """Figures, and as <name>_sd their standard deviation over resampled clusters."""
    order = np.argsort(-p, kind="stable")  # once, so that sorting the resamples costs nothing
    stars, p = stars.iloc[order], p[order]
    result = figures(stars, p)
    n_clusters = stars["cluster"].nunique()
    if n_clusters < 2:
        return result | {f"{name}_sd": np.nan for name in FIGURES}
    sure = ~stars["is_member"].to_numpy() & (p < SURE)
    kept = ~sure | (np.cumsum(sure) % ONE_IN == 0)
    stars, p, weights = stars[kept], p[kept], np.where(sure, ONE_IN, 1.0)[kept]
    index = pd.factorize(stars["cluster"])[0]
    resampled = []
    for _ in range(n_bootstrap):
        often = np.bincount(rng.integers(0, n_clusters, n_clusters), minlength=n_clusters)
        resampled.append(figures(stars, p, often[index] * weights))
    spread = pd.DataFrame(resampled, columns=list(FIGURES)).std(ddof=1)
    return result | {f"{name}_sd": spread[name] for name in FIGURES}


def all_figures(stars, methods, n_bootstrap, *, seed):
    """One row per bin and method.

    Parameters
    ----------
    stars : DataFrame
        Tables of `judged_stars.Cone`, one below the other, with one column of probabilities per method.
    methods : list of str
        Those columns.
    n_bootstrap : int
        Resamples of the clusters.
    seed : int
        Of the resamples, the same for every method.
    """
    asked = [name for name in methods if name not in NO_PROBABILITIES]
    stars = stars.assign(relevant=(stars[asked] >= RELEVANT).any(axis=1))
    rows = []
    for kind, label, chosen in bins_of(stars):
        part = stars[chosen]
        about = {"kind": kind, "bin": label, "n_clusters": part["cluster"].nunique(), "n_stars": len(part)}
        about |= {"n_true": int(part["is_member"].sum()), "n_lost": int(part["lost"].sum())}
        for method in methods:
            p, rng = part[method].to_numpy(), np.random.default_rng(seed)
            rows.append({"method": method, **about, **figures_with_errors(part, p, n_bootstrap, rng=rng)})
    return pd.DataFrame(rows)


def sums_of_p(stars, methods):
    """Sum of p over the true number, for every cluster and method.

    `ratio` is about all true members of the cone, `ratio_judged` about those that the selection kept, `expected` the
    chance that a number drawn from these very probabilities lies within 10 % of their sum: what even perfect
    calibration reaches.
    """
    rows = []
    for name, part in stars.groupby("cluster"):
        n_true, n_judged = part["is_member"].sum(), (part["is_member"] & ~part["lost"]).sum()
        for method in methods:
            p = part[method].to_numpy()
            scatter = np.sqrt(np.sum(p * (1 - p)))
            rows.append(
                {"method": method, "cluster": name, "n_true": n_true, "sum_p": p.sum(), "ratio": p.sum() / n_true,
                 "ratio_judged": p.sum() / n_judged, "expected": _chance_within(0.1 * p.sum(), scatter)}
            )  # fmt: skip
    return pd.DataFrame(rows)


def _chance_within(width, scatter):
    return float(erf(width / scatter / np.sqrt(2))) if scatter > 0 else 1.0
