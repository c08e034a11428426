"""What a user of a member list should be warned of, each warning with its number and its bound."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from gaia_oc_amd.candidates import ZERO_POINT_ERROR
from gaia_oc_amd.installation import script_command
from gaia_oc_amd.isochrone_stages import poor_stages
from gaia_oc_amd.isochrones import Isochrone
from gaia_oc_amd.member_list import PROB_THRESHOLD
from gaia_oc_amd.options import RunOptions

if TYPE_CHECKING:
    from gaia_oc_amd.cluster import Cluster
    from gaia_oc_amd.source_sets import SourceSets


FEW_MEMBERS = 30
"""Training members. With fewer, three stars or less decide on the limits that leave out a tenth of them."""
WIDE_ISOCHRONE = 0.12
"""Delta_C,90 [mag]: half-width in colour of the band around the isochrone that holds 90 % of the members."""
SHIFTED_ISOCHRONE = 0.03
"""Median offset of the training members from the isochrone in colour [mag]."""
CROWDED = 1.0
"""Improbable candidates (p < 0.1) per training member within the members' half-number radius."""
CONTAMINATED = 0.15
"""Mean of 1 - p of the members."""
UNSURE = 0.3
"""Share of the sum of p that stars hold which are no members."""
DOUBTFUL_MEMBERS = 0.1
"""Share of the training members that are no members when they are judged without themselves."""
DISTANCE_SIGMAS, DISTANCE_SHARE = 3.0, 0.1
"""How far 1000 / dist may be from the mean parallax: sigmas of mean and zero point, and share of the parallax."""
BAD_RUWE, MANY_BAD_RUWE = 1.4, 0.1
"""RUWE of a doubtful astrometric solution, and the share of such training members."""
LARGE_EXTINCTION = 3.0
"""A0 [mag]; beyond it differences from star to star are likely to be larger than the isochrone's margin of 0.1 mag."""


@dataclass(frozen=True)
class Caution:
    """Something that a user of the list should know.

    Parameters
    ----------
    level : {'attention', 'note'}
        Whether it may make the list wrong, or only limits what can be said.
    title : str
        A few words.
    text : str
        The number, its bound, and what can be done.
    """

    level: Literal["attention", "note"]
    title: str
    text: str


def cautions(
    sets: "SourceSets",
    *,
    validated: bool = True,
    prob_threshold: float = PROB_THRESHOLD,
    data_dir: Path | str = RunOptions.data_dir,
) -> list[Caution]:
    """What to be warned of in the sets of a cluster.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    validated : bool
        Whether completeness and contamination of this list were measured.
    prob_threshold : float
        Least PMemb of a member.
    data_dir : path
        The data directory, for the commands that help.

    Returns
    -------
    list of Caution
        Those that may make the list wrong first.
    """
    found = [
        _about_members(sets),
        _about_quality(sets.members),
        _about_isochrone(sets),
        _about_distance(sets),
        _about_extinction(sets),
        *_about_probabilities(sets, prob_threshold, data_dir),
        _about_training(sets, prob_threshold),
        _about_crowding(sets),
    ]
    if not len(sets.comparison) and not len(sets.comparison_outside):
        found.append(
            Caution("note", "No comparison list", "There is no other member list to compare this one with.")
        )
    if not validated:
        found.append(
            Caution(
                "note",
                "Not validated",
                "Completeness and contamination were not measured for this cluster: run "
                f"`{script_command('validate_clusters.py', sets.cluster.name, data_dir=data_dir)}`.",
            )
        )
    present = [caution for caution in found if caution is not None]
    return sorted(present, key=lambda caution: caution.level != "attention")


def _about_members(sets: "SourceSets") -> Caution | None:
    number = len(sets.members)
    if number >= FEW_MEMBERS:
        return None
    return Caution(
        "attention",
        "Few training members",
        f"{number} training members, fewer than {FEW_MEMBERS}: selection limits and means rest on few stars. A lower "
        "--prob_threshold or another --members_path gives more.",
    )


def _about_quality(members: pd.DataFrame) -> Caution | None:
    if "ruwe" not in members or members["ruwe"].notna().sum() == 0:
        return None
    share = float((members["ruwe"] > BAD_RUWE).mean())
    if share <= MANY_BAD_RUWE:
        return None
    return Caution(
        "note",
        "Doubtful astrometry",
        f"{100 * share:.0f} % of the training members have RUWE > {BAD_RUWE:g}, more than {100 * MANY_BAD_RUWE:.0f} %: "
        "unresolved binaries, or a crowded field.",
    )


def _about_isochrone(sets: "SourceSets") -> Caution | None:
    if not has_curve(sets.isochrone):
        return Caution("attention", "No isochrone", "The isochrone of these sets is empty: build them again.")
    width = sets.limits.colour - sets.selection.c_margin
    offsets = sets.members["f_c"].to_numpy(float)
    shift = float(np.nanmedian(offsets)) if np.isfinite(offsets).any() else 0.0
    reasons = []
    if width > WIDE_ISOCHRONE:
        reasons.append(
            f"a band of {width:.2f} mag on either side in colour is needed to hold 90 % of the training members, "
            f"more than {WIDE_ISOCHRONE:g} mag"
        )
    if abs(shift) > SHIFTED_ISOCHRONE:
        side = "redder" if shift > 0 else "bluer"
        reasons.append(
            f"half of the members are {abs(shift):.3f} mag or more {side}, over {SHIFTED_ISOCHRONE:g} mag"
        )
    reasons += [f"{stage} than the isochrone" for stage in poor_stages(sets.stage_offsets)]
    if not reasons:
        return None
    text = "; ".join(reasons)
    return Caution(
        "attention",
        "Poor isochrone fit",
        f"{text[0].upper()}{text[1:]}: look at the colour-magnitude diagram, and give other values with --age, --a0 or "
        "--dist. Differential reddening looks alike.",
    )


def has_curve(isochrone: Isochrone) -> bool:
    """Whether an isochrone has two neighbouring points, so that a curve can be drawn."""
    return bool(np.isfinite(np.diff(isochrone.colour) + np.diff(isochrone.g)).any())


def parallax_uncertainty(cluster: "Cluster") -> float:
    """Error of the mean parallax, Gaia's systematic one and the zero point's included [mas]."""
    systematic = np.hypot(cluster.parallax_systematic_error, ZERO_POINT_ERROR)
    return float(np.hypot(np.nan_to_num(cluster.parallax_mean_error), systematic))


def _about_distance(sets: "SourceSets") -> Caution | None:
    cluster = sets.cluster
    parallax, placed = cluster.parallax, 1000 / cluster.dist
    error = parallax_uncertainty(cluster)
    sigmas, share = abs(parallax - placed) / error, abs(parallax - placed) / max(abs(parallax), error)
    if sigmas <= DISTANCE_SIGMAS or share <= DISTANCE_SHARE:
        return None
    return Caution(
        "attention",
        "Distance and parallax disagree",
        f"The isochrone is placed at {cluster.dist:,.0f} pc ({placed:.3f} mas). The members' mean parallax, "
        f"{parallax:.3f} ± {error:.3f} mas with the errors of Gaia and the zero point, is {sigmas:.1f} sigma and "
        f"{100 * share:.0f} % away (bounds: {DISTANCE_SIGMAS:g} sigma and {100 * DISTANCE_SHARE:.0f} %): "
        "give another --dist.",
    )


def _about_extinction(sets: "SourceSets") -> Caution | None:
    if not sets.cluster.a0 > LARGE_EXTINCTION:
        return None
    return Caution(
        "note",
        "Large extinction",
        f"A0 = {sets.cluster.a0:.2f} mag, more than {LARGE_EXTINCTION:g}: it may well differ from star to star, of "
        "which one isochrone knows nothing.",
    )


def _about_probabilities(
    sets: "SourceSets", prob_threshold: float, data_dir: Path | str
) -> list[Caution | None]:
    probability = sets.scored()["PMemb"]
    if sets.candidates.empty:
        return [Caution("attention", "No candidates", "No star passed the candidate selection.")]
    if probability.isna().all():
        command = script_command("evaluate_clusters.py", sets.cluster.name, data_dir=data_dir)
        text = f"No candidate has a membership probability: run `{command}`."
        return [Caution("attention", "Not evaluated", text)]
    return [
        _about_unjudged(probability),
        _about_contamination(probability, prob_threshold),
        _about_unsure(probability, prob_threshold),
    ]


def _about_training(sets: "SourceSets", prob_threshold: float) -> Caution | None:
    """Training members that the others do not vouch for."""
    number = int((sets.judged_members["PMemb"] < prob_threshold).sum())
    if number <= DOUBTFUL_MEMBERS * len(sets.members):
        return None
    return Caution(
        "attention",
        "Doubtful training members",
        f"{number:,} of the {len(sets.members):,} training members have p < {prob_threshold:g} when each is judged "
        f"without itself, more than {100 * DOUBTFUL_MEMBERS:.0f} %: the list that was learnt from holds field stars, "
        "or the cluster's parameters are wrong; a higher --prob_threshold of build_sets.py makes it purer.",
    )


def _about_unjudged(probability: pd.Series) -> Caution | None:
    number = int(probability.isna().sum())
    text = f"{number:,} candidates lack a colour or an error and have no probability."
    return Caution("note", "Not judged", text) if number else None


def _about_contamination(probability: pd.Series, prob_threshold: float) -> Caution | None:
    sure = probability[probability >= prob_threshold]
    contamination = float((1 - sure).mean()) if len(sure) else 0.0
    if contamination <= CONTAMINATED:
        return None
    return Caution(
        "attention",
        "Contaminated list",
        f"By their probabilities, {100 * contamination:.0f} % of the {len(sure):,} members with p ≥ {prob_threshold:g} "
        f"are field stars, more than {100 * CONTAMINATED:.0f} %: take a higher threshold where that matters.",
    )


def _about_unsure(probability: pd.Series, prob_threshold: float) -> Caution | None:
    total = float(probability.sum())
    share = float(probability[probability < prob_threshold].sum() / total) if total > 0 else 0.0
    if share <= UNSURE:
        return None
    return Caution(
        "note",
        "Many unsure members",
        f"{100 * share:.0f} % of the {total:,.0f} members expected are in stars with p < {prob_threshold:g}, "
        f"more than {100 * UNSURE:.0f} %: no threshold gives a complete list. Weight stars by p instead.",
    )


def _about_crowding(sets: "SourceSets") -> Caution | None:
    if sets.members.empty or sets.candidates["PMemb"].isna().all():
        return None
    radius = float(sets.members["f_r"].median())
    members = int((sets.members["f_r"] <= radius).sum())
    field = int(((sets.candidates["PMemb"] < 0.1) & (sets.candidates["f_r"] <= radius)).sum())
    if field <= CROWDED * members:
        return None
    return Caution(
        "note",
        "Dense field",
        f"Within {radius:.1f} pc, which holds half of the training members, there are {field:,} candidates with p < "
        f"0.1, {field / members:.1f} for each training member (bound: {CROWDED:g}): faint members drown among them.",
    )
