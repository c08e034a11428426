"""The stars that a report shows one by one, and what it says of all others of the cone."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from gaia_oc_amd.astrometry import tangent_plane
from gaia_oc_amd.column_names import TableNames
from gaia_oc_amd.columns import LISTED_PROBABILITY
from gaia_oc_amd.files.tables import read_table, whole_numbers
from gaia_oc_amd.reasons import verdicts, whole_cone
from gaia_oc_amd.report.lookup import packed_identifiers, packed_texts

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


LEAST_PROBABILITY = 0.01
"""Candidates below this PMemb are part of the field, but for stars of the comparison list."""
MOST_CANDIDATES = 10_000
"""At most so many candidates are shown one by one, the most probable: a report stays small and quick."""
MOST_FIELD_STARS = 5_000
"""At most so many stars of the field are drawn, chosen at random."""
_SEED = 1
_LESS_OF_FIELD = 2
"""Decimals fewer of a field star, which is a dot and nothing else."""


@dataclass(frozen=True)
class Column:
    """A quantity that the panels, the table or the saved file of a report show.

    Parameters
    ----------
    name : str
        What report.js calls it.
    source : str
        What the sets call it, and the saved file.
    digits : int
        Decimals that are kept.
    label : str
        Of an axis, with the unit; empty for what is no axis.
    heading : str
        Of the table; empty for what is not in it.
    error : str
        Name of the column with its error, to which the table rounds it.
    """

    name: str
    source: str
    digits: int
    label: str = ""
    heading: str = ""
    error: str = ""


COLUMNS = (
    Column("p", "PMemb", 4, "membership probability", "p"),
    Column("g", "phot_g_mean_mag", 4, "G [mag]", "G"),
    Column("bp_rp", "bp_rp", 4, "G_BP − G_RP [mag]", "BP−RP"),
    Column("g_rp", "g_rp", 4, "G − G_RP [mag]"),
    Column("parallax", "parallax", 4, "ϖ [mas]", "ϖ", "parallax_error"),
    Column("pmra", "pmra", 4, "μα cos δ [mas/yr]", "μα*", "pmra_error"),
    Column("pmdec", "pmdec", 4, "μδ [mas/yr]", "μδ", "pmdec_error"),
    Column("r", "f_r", 3, "projected radius [pc]", "r"),
    Column("motion", "f_pm_sigma", 2, "offset in motion [σ]", "motion"),
    Column("distance", "f_plx_sigma", 2, "offset in parallax [σ]", "parallax"),
    Column("photometry", "", 2, "offset from the isochrone [σ]", "isochrone"),
    Column("ruwe", "ruwe", 3, "RUWE", "RUWE"),
    Column("x", "", 5, "Δα cos δ [deg]"),
    Column("y", "", 5, "Δδ [deg]"),
    Column("ra", "ra", 7),
    Column("dec", "dec", 7),
    Column("parallax_error", "parallax_error", 4),
    Column("pmra_error", "pmra_error", 4),
    Column("pmdec_error", "pmdec_error", 4),
)
AXES = tuple(column for column in COLUMNS if column.label)
_OF_FIELD = tuple(column.name for column in AXES if column.name != "p")


@dataclass(frozen=True)
class ShownStars:
    """What a report shows of a cluster's stars.

    Parameters
    ----------
    stars : DataFrame
        Sorted by rising probability, so that the surest are drawn on top. Columns: id (source_id as text, for
        JavaScript's numbers have 53 bits), kind ("training member", "candidate", "non-member"), listed (whether the
        comparison list has it), new (whether the member list lacks it), reason, and those of `COLUMNS` (NaN where the
        sets lack one).
    field : DataFrame
        Columns of `AXES` of a random choice of all other sources of the cone.
    n_field : int
        How many there are to choose from.
    least_probability : float
        Smallest PMemb of a candidate that is shown for its own sake.
    n_left_out : int
        Candidates of at least `LEAST_PROBABILITY` that `MOST_CANDIDATES` kept out.
    """

    stars: pd.DataFrame
    field: pd.DataFrame
    n_field: int
    least_probability: float
    n_left_out: int

    def as_lists(self) -> dict[str, Any]:
        """Both tables as lists for JSON, numbers rounded, null for what is missing."""
        words = {name: self.stars[name].tolist() for name in ("id", "kind", "listed", "new", "reason")}
        return {"stars": words | _rounded(self.stars), "field": _rounded(self.field, fewer=_LESS_OF_FIELD)}


def _rounded(table: pd.DataFrame, *, fewer: int = 0) -> dict[str, list[float | None]]:
    columns = {}
    for column in COLUMNS:
        if column.name in table:
            values = table[column.name].to_numpy(float).round(max(column.digits - fewer, 1))
            columns[column.name] = [value if np.isfinite(value) else None for value in values.tolist()]
    return columns


def cone_with_reasons(sets: "SourceSets", folder: Path, prob_threshold: float) -> pd.DataFrame:
    """All sources of a cone with verdict and reason.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    folder : path
        The cluster's folder: where it holds explanation.csv of explain_stars.py, which weighs the reasons with the
        network, those of candidates of the same probability stand there.
    prob_threshold : float
        Least PMemb of a member.

    Returns
    -------
    DataFrame
        That of `reasons.whole_cone`, with ``verdict`` and ``reason``.
    """
    cone = whole_cone(sets)
    if cone.empty:
        return cone.assign(verdict="", reason="")
    told = verdicts(cone, sets, prob_threshold=prob_threshold)
    cone = cone.assign(**told)
    explained = _explained(folder)
    if explained.empty:
        return cone
    weighed = cone[["source_id", "PMemb", "verdict"]].merge(
        explained, how="left", on=["source_id", "verdict"]
    )
    same = np.isclose(weighed["PMemb_x"].to_numpy(float), weighed["PMemb_y"].to_numpy(float), atol=1e-6)
    return cone.assign(reason=np.where(same, weighed["reason"], cone["reason"]))


def _explained(folder: Path) -> pd.DataFrame:
    """Rows of explanation.csv; none where it cannot be read."""
    columns = ["source_id", "PMemb", "verdict", "reason"]
    path = folder / "explanation.csv"
    try:  # stars that are not in the cone have no identifier there
        table = read_table(path, names=TableNames({}, tuple(columns)), required=columns)[columns].dropna()
        table = table.assign(source_id=whole_numbers(table["source_id"], f"source_id in {path}"))
    except (OSError, ValueError):
        return pd.DataFrame(columns=columns)
    return table.drop_duplicates(["source_id", "verdict"])


def shown_stars(sets: "SourceSets", cone: pd.DataFrame, *, most: int = MOST_CANDIDATES) -> ShownStars:
    """Choose the stars that a report shows one by one.

    Parameters
    ----------
    sets : SourceSets
        Sets of one cluster; without evaluation no candidate is shown for its own sake.
    cone : DataFrame
        From `cone_with_reasons`.
    most : int
        Largest number of candidates, besides the comparison list's.

    Returns
    -------
    ShownStars
    """
    probability = cone["PMemb"].fillna(-1.0).to_numpy(float)
    group = cone["group"].to_numpy(str)
    order = np.argsort(-probability, kind="stable")
    order = order[(probability[order] >= LEAST_PROBABILITY) & (group[order] == "candidate")]
    chosen, left_out = order[:most], order[most:]
    least = LEAST_PROBABILITY if not len(left_out) else float(np.floor(100 * probability[chosen[-1]]) / 100)
    listed = cone["source_id"].isin(sets.comparison["source_id"]).to_numpy()
    shown = (group == "training member") | listed
    shown[chosen] = True
    stars = _star_table(cone[shown], sets, listed[shown])
    field = cone[~shown]
    drawn = field.sample(min(len(field), MOST_FIELD_STARS), random_state=_SEED)
    return ShownStars(stars, _measured(drawn, sets)[list(_OF_FIELD)], len(field), least, len(left_out))


def _star_table(sources: pd.DataFrame, sets: "SourceSets", listed: np.ndarray) -> pd.DataFrame:
    words = pd.DataFrame(
        {
            "id": [str(int(i)) for i in sources["source_id"]],
            "kind": sources["group"].to_numpy(str),
            "listed": listed,
            "new": sources[LISTED_PROBABILITY].isna().to_numpy(),
            "reason": sources["reason"].to_numpy(str),
        },
        index=sources.index,
    )
    table = pd.concat([words, _measured(sources, sets)], axis=1)
    return table.sort_values(["p", "id"], ascending=[True, False], na_position="first", ignore_index=True)


def _measured(sources: pd.DataFrame, sets: "SourceSets") -> pd.DataFrame:
    """The quantities of `COLUMNS`."""
    nothing = np.full(len(sources), np.nan)
    values = {
        column.name: sources[column.source].to_numpy(float) if column.source in sources else nothing
        for column in COLUMNS
    }
    values["x"], values["y"] = tangent_plane(values["ra"], values["dec"], sets.cluster.ra, sets.cluster.dec)
    values["photometry"] = np.hypot(
        sources["f_c_sigma"].to_numpy(float), sources["f_g_sigma"].to_numpy(float)
    )
    return pd.DataFrame(values, index=sources.index)


def packed_cone(cone: pd.DataFrame) -> tuple[Markup, Markup]:
    """Identifiers and reasons of all stars of a cone, packed.

    Parameters
    ----------
    cone : DataFrame
        From `cone_with_reasons`.

    Returns
    -------
    identifiers, reasons : Markup
        See `lookup.packed_identifiers` and `lookup.packed_texts`.
    """
    order = np.argsort(cone["source_id"].to_numpy(np.int64), kind="stable")
    texts = [
        reason if reason.startswith((verdict, "training member")) else f"{verdict}: {reason}"
        for verdict, reason in zip(cone["verdict"].iloc[order], cone["reason"].iloc[order], strict=True)
    ]
    return packed_identifiers(cone["source_id"].to_numpy(np.int64)[order]), packed_texts(texts)
