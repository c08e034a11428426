"""The stars that a report shows one by one: training members and the candidates that may be members."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gaia_oc_amd.astrometry import tangent_plane

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets

LEAST_PROBABILITY = 0.01
"""Candidates below this PMemb are shown as part of the field's density, not one by one."""
MOST_CANDIDATES = 10_000
"""At most so many candidates are shown one by one, the most probable: a report stays small and quick."""

_MEASURED = {
    "ra": "ra",
    "dec": "dec",
    "parallax": "parallax",
    "parallax_error": "parallax_error",
    "pmra": "pmra",
    "pmra_error": "pmra_error",
    "pmdec": "pmdec",
    "pmdec_error": "pmdec_error",
    "g": "phot_g_mean_mag",
    "ruwe": "ruwe",
    "r": "f_r",
    "p": "PMemb",
}


@dataclass(frozen=True)
class ShownStars:
    """What a report shows of a cluster's stars.

    Parameters
    ----------
    stars : DataFrame
        Training members, then candidates by falling probability. Columns: id (source_id as text, for JavaScript's
        numbers have 53 bits), kind ("training member" or "candidate"), listed ("yes", "no": in the comparison
        list), x, y (offsets from the centre [deg]), colour [mag], and g, p, r, ra, dec, parallax, pmra, pmdec with
        errors, ruwe as in the sets (NaN where a column is missing).
    field : DataFrame
        Columns x, y, pmra, pmdec, parallax, g, colour of all other sources of the cone.
    least_probability : float
        Smallest PMemb of a candidate among `stars`.
    n_left_out : int
        Candidates of at least `LEAST_PROBABILITY` that `MOST_CANDIDATES` kept out.
    """

    stars: pd.DataFrame
    field: pd.DataFrame
    least_probability: float
    n_left_out: int


def shown_stars(sets: "SourceSets", *, most: int = MOST_CANDIDATES) -> ShownStars:
    """Choose the stars that a report shows one by one.

    Parameters
    ----------
    sets : SourceSets
        Sets of one cluster; without evaluation no candidate is shown.
    most : int
        Largest number of candidates.

    Returns
    -------
    ShownStars
    """
    probability = sets.candidates["PMemb"].fillna(-1.0).to_numpy(float)
    order = np.argsort(-probability, kind="stable")
    order = order[probability[order] >= LEAST_PROBABILITY]
    chosen, left_out = order[:most], order[most:]
    least = LEAST_PROBABILITY if not len(left_out) else float(np.floor(100 * probability[chosen[-1]]) / 100)
    listed = set(sets.comparison["source_id"].tolist())
    parts = [_star_table(sets.members, sets, "training member", listed)]
    parts.append(_star_table(sets.candidates.iloc[chosen], sets, "candidate", listed))
    others = np.ones(len(sets.candidates), bool)
    others[chosen] = False
    rest = [table for table in (sets.candidates[others], sets.non_members) if len(table)]
    field = pd.concat([_places(table, sets) for table in rest] or [_places(sets.non_members, sets)])
    return ShownStars(pd.concat(parts, ignore_index=True), field, least, len(left_out))


def _star_table(sources: pd.DataFrame, sets: "SourceSets", kind: str, listed: set[int]) -> pd.DataFrame:
    """Rows of one kind with the columns of `ShownStars.stars`."""
    ids = sources["source_id"].tolist()
    table = pd.DataFrame(
        {name: _numbers(sources, column) for name, column in _MEASURED.items()}, index=range(len(ids))
    )
    places = _places(sources, sets)[["x", "y", "colour"]].reset_index(drop=True)
    words = {
        "id": [str(int(i)) for i in ids],
        "kind": kind,
        "listed": ["yes" if i in listed else "no" for i in ids],
    }
    return pd.concat([pd.DataFrame(words, index=range(len(ids)), dtype=object), places, table], axis=1)


def _numbers(sources: pd.DataFrame, column: str) -> np.ndarray:
    return sources[column].to_numpy(float) if column in sources else np.full(len(sources), np.nan)


def _places(sources: pd.DataFrame, sets: "SourceSets") -> pd.DataFrame:
    """Where sources stand in the four panels."""
    ra, dec = sources["ra"].to_numpy(float), sources["dec"].to_numpy(float)
    x, y = tangent_plane(ra, dec, sets.cluster.ra, sets.cluster.dec)
    columns = {
        "pmra": "pmra",
        "pmdec": "pmdec",
        "parallax": "parallax",
        "g": "phot_g_mean_mag",
        "colour": sets.colour,
    }
    return pd.DataFrame(
        {"x": x, "y": y} | {name: _numbers(sources, column) for name, column in columns.items()}
    )
