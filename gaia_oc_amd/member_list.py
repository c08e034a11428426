"""The member list: every star that may be a member, with our probability and what is known of it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from gaia_oc_amd.arguments import Share, Threshold, checked
from gaia_oc_amd.columns import LISTED_PROBABILITY, MAGNITUDE_ERRORS, REJECTED_BY, TRAINING_MEMBER
from gaia_oc_amd.files.provenance import read_provenance
from gaia_oc_amd.source_sets import SET_NAMES, SourceSets

MEMBER_LIST = "member_list"
"""Name of its files, without the ending."""
PROB_THRESHOLD = 0.5
"""From which probability a star is a member: it is more likely one than not."""
LARGEST_RUWE = 1.4
"""RUWE of a good astrometric solution, at most (Lindegren 2018, GAIA-C3-TN-LU-LL-124)."""
_SIX_PARAMETERS = 95

MEMBER_LIST_COLUMNS = (
    *(
        "source_id",
        "ra",
        "dec",
        "l",
        "b",
        "parallax",
        "parallax_error",
        "pmra",
        "pmra_error",
        "pmdec",
        "pmdec_error",
    ),
    *("phot_g_mean_mag", "phot_g_mean_mag_error", "phot_bp_mean_mag", "phot_bp_mean_mag_error"),
    *("phot_rp_mean_mag", "phot_rp_mean_mag_error"),
    *("bp_rp", "bp_rp_error", "g_rp", "g_rp_error", "PMemb", LISTED_PROBABILITY, "origin", TRAINING_MEMBER),
    *("f_r", "f_pm_sigma", "f_plx_sigma", "f_c_sigma", "f_g_sigma", REJECTED_BY, "ruwe", "flags"),
)
"""Columns of member_list.csv, as far as the cone has them."""


@checked
def member_list(sets: SourceSets, *, least_probability: Share = 0.1) -> pd.DataFrame:
    """The stars that may be members, candidates and training members alike.

    Parameters
    ----------
    sets : SourceSets
        The evaluated sets of one cluster.
    least_probability : float
        Smallest PMemb.

    Returns
    -------
    DataFrame
        The columns of `MEMBER_LIST_COLUMNS`, sorted by falling probability, then by source_id.
    """
    stars = sets.scored()
    stars = stars[stars["PMemb"] >= least_probability]
    stars = stars.assign(origin=_origin(stars), flags=_flags(stars), **_band_errors(stars))
    stars = stars.sort_values(["PMemb", "source_id"], ascending=[False, True], ignore_index=True)
    return stars[[name for name in MEMBER_LIST_COLUMNS if name in stars]]


def _band_errors(stars: pd.DataFrame) -> dict[str, pd.Series]:
    """Errors of BP and RP [mag], which those of the colours are the quadratic sums of (`photometry`)."""
    if not set(MAGNITUDE_ERRORS) <= set(stars):
        return {}
    rp = np.square(stars["g_rp_error"]) - np.square(stars["phot_g_mean_mag_error"])
    bp = np.square(stars["bp_rp_error"]) - rp
    return {f"phot_{band}_mean_mag_error": np.sqrt(of.clip(lower=0)) for band, of in (("bp", bp), ("rp", rp))}


def _origin(stars: pd.DataFrame) -> pd.Series:
    listed, failed = stars[LISTED_PROBABILITY].notna(), stars[REJECTED_BY] != ""
    words = np.select([listed & failed, listed], ["listed, failed the cut", "listed"], "new")
    return pd.Series(words, index=stars.index, dtype="str")


def _flags(stars: pd.DataFrame) -> pd.Series:
    nothing = pd.Series(np.nan, index=stars.index)
    found = {
        "ruwe": stars.get("ruwe", nothing) > LARGEST_RUWE,
        "six_parameters": stars.get("astrometric_params_solved", nothing) == _SIX_PARAMETERS,
    }
    table = np.column_stack([values.to_numpy(bool) for values in found.values()])
    words = ["+".join(np.array(list(found))[row]) for row in table]
    return pd.Series(words, index=stars.index, dtype="str")


def threshold_of(folder: Path) -> float:
    """Probability from which the member list in a cluster's folder counts members; 0.5 without a list."""
    made_with = read_provenance(folder).get("member_list", {}).get("made_with", {})
    return float(made_with.get("options", {}).get("prob_threshold", PROB_THRESHOLD))


def probable_candidates(sets: SourceSets, prob_threshold: float) -> pd.DataFrame:
    """Candidates whose PMemb reaches a threshold; none before the evaluation, when PMemb is NaN."""
    return sets.candidates[sets.candidates["PMemb"] >= prob_threshold]


def probable_members(sets: SourceSets, prob_threshold: float) -> pd.DataFrame:
    """Training members whose PMemb of ours reaches a threshold; all of them before the evaluation."""
    if sets.is_evaluated() and len(sets.judged_members):
        return sets.judged_members[sets.judged_members["PMemb"] >= prob_threshold]
    return sets.members


@checked
def our_members(sets: SourceSets, prob_threshold: Threshold) -> pd.DataFrame:
    """The members of a cluster: candidates and training members whose PMemb reaches a threshold.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold : float
        Least PMemb.

    Returns
    -------
    DataFrame
        Training members followed by candidates; before the evaluation the training members.
    """
    parts = [probable_members(sets, prob_threshold), probable_candidates(sets, prob_threshold)]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


@dataclass(frozen=True)
class Count:
    """A number of stars with what their probabilities say of it.

    Parameters
    ----------
    n_stars : int
        How many.
    expected : float
        Sum of their probabilities: how many of them are members.
    """

    n_stars: int
    expected: float

    @classmethod
    def of(cls, stars: pd.DataFrame) -> "Count":
        """Count of judged stars; one without a probability is a member for sure."""
        return cls(len(stars), float(stars["PMemb"].fillna(1.0).sum()))

    @property
    def contamination(self) -> float:
        """Expected share of field stars, the mean of 1 - p; NaN without stars."""
        return 1 - self.expected / self.n_stars if self.n_stars else float("nan")

    def __str__(self) -> str:
        if not self.n_stars:
            return "0"
        return f"{self.n_stars:,}; Σp = {self.expected:,.1f}, {100 * self.contamination:.1f} % field"


def new_members(stars: pd.DataFrame) -> pd.DataFrame:
    """Those of some stars that the member list does not have."""
    return stars[stars[LISTED_PROBABILITY].isna()]


def list_summary(sets: SourceSets, prob_threshold: float = PROB_THRESHOLD) -> dict[str, float]:
    """Numbers of an evaluated cluster for the table that ends a run.

    Parameters
    ----------
    sets : SourceSets
        Evaluated sets.
    prob_threshold : float
        Least PMemb of a member.

    Returns
    -------
    dict
        Training members, candidates, members, the sum of their probabilities, the share of field stars that is
        expected among them [%], and how many of them the member list does not have.
    """
    members = our_members(sets, prob_threshold)
    count = Count.of(members)
    return {
        "training members": len(sets.members),
        "candidates": len(sets.candidates),
        f"p>={prob_threshold:g}": count.n_stars,
        "sum of p": round(count.expected, 1),
        "field [%]": round(100 * count.contamination, 1) if count.n_stars else 0.0,
        "new": len(new_members(members)),
    }


def within_radius(sets: SourceSets, radius: float) -> SourceSets:
    """Sets of the sources within a projected radius [pc]."""
    tables = {name: getattr(sets, name) for name in (*SET_NAMES, "judged_members", "comparison_outside")}
    return replace(sets, **{name: table[table["f_r"] <= radius] for name, table in tables.items()})
