"""Results that a service cuts at its row limit: asked for in parts by source_id, joined without gap or copy."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gaia_oc_amd.adql import PlainSelect
from gaia_oc_amd.exceptions import ArchiveBusyError, ClusterError
from gaia_oc_amd.tap import Answer

logger = logging.getLogger(__name__)

MAXIMUM_PARTS = 512
"""Into which one query is split at most."""


@dataclass(frozen=True)
class Extent:
    """How many rows a query has, and the smallest and largest source_id among them."""

    n_rows: int
    low: int
    high: int


@dataclass(frozen=True)
class Part:
    """The rows of a query with low <= source_id < high; None is no bound."""

    select: PlainSelect
    low: int | None = None
    high: int | None = None

    def query(self) -> PlainSelect:
        """Return the query for these rows alone."""
        select, name = self.select, self.select.expression("source_id")
        if self.low is not None:
            select = select.narrowed(f"{name} >= {self.low}")
        if self.high is not None:
            select = select.narrowed(f"{name} < {self.high}")
        return select

    def halves(self, middle: int) -> tuple["Part", "Part"]:
        """Split into the rows below a source_id and those from it on."""
        return Part(self.select, self.low, middle), Part(self.select, middle, self.high)


def fetch_in_parts(
    select: PlainSelect,
    cut: Answer,
    fetch: Callable[[PlainSelect, int | None], Answer],
    measure: Callable[[PlainSelect], Extent | None],
    origin: str,
) -> pd.DataFrame:
    """All rows of a query whose result was cut, in the order of their parts.

    source_id has no missing values and no copies, and orders the sky by HEALPix pixel: halves of its range share no
    row, leave none out, and are compact on the sky.

    Parameters
    ----------
    select : PlainSelect
        The query; source_id is among its columns.
    cut : Answer
        What the service gave for it.
    fetch : callable
        Gives the answer to a query, which must have a number of rows, if that is known.
    measure : callable
        Gives the extent of a query, None if the service will not say.
    origin : str
        The service, for messages.

    Returns
    -------
    DataFrame

    Raises
    ------
    ArchiveBusyError
        If the parts do not have as many rows as the service counted.
    ClusterError
        If a part that cannot be split further is still cut, or there are too many.
    """
    whole, limit, done = measure(select), len(cut.rows), []
    n_rows = whole.n_rows if whole else cut.n_counted
    waiting = _split(Part(select), whole, cut.rows, origin)
    while waiting:
        if len(waiting) + len(done) > MAXIMUM_PARTS:
            raise ClusterError(_too_many(origin, limit))
        part = waiting.pop(0)
        extent = None if whole is None else measure(part.query())
        if extent is not None and extent.n_rows > limit > 0:
            waiting[:0] = _split(part, extent, cut.rows, origin)
            continue
        answer = fetch(part.query(), None if extent is None else extent.n_rows)
        is_full = extent is None and len(answer.rows) >= limit > 1  # as many as came before: cut again
        if answer.is_cut or is_full:
            limit = min(limit, len(answer.rows))
            waiting[:0] = _split(part, extent, answer.rows, origin)
        else:
            done.append(answer.rows)
    logger.info(
        "%s: the result came in %d parts, being above its limit of %d rows.", origin, len(done), limit
    )
    rows = pd.concat(done, ignore_index=True)
    if n_rows is not None and len(rows) != n_rows:
        raise ArchiveBusyError(
            f"{origin} counted {n_rows} rows but gave {len(rows)} in {len(done)} parts: try again later."
        )
    return rows


def _split(part: Part, extent: Extent | None, rows: pd.DataFrame, origin: str) -> list[Part]:
    """Two halves of a part, each of which has rows: about the middle of its range, or that of the rows seen."""
    if extent is not None:
        low, middle = extent.low, (extent.low + extent.high + 1) // 2
    elif len(rows):
        ids = np.sort(rows["source_id"].to_numpy())
        low, middle = int(ids[0]), int(ids[len(ids) // 2])
    else:
        low = middle = 0
    if middle <= low:
        raise ClusterError(_too_many(origin, len(rows)))
    return list(part.halves(middle))


def _too_many(origin: str, limit: int) -> str:
    return (
        f"{origin} cuts results at {limit} rows, too few to fetch the cone in {MAXIMUM_PARTS} parts: use a smaller "
        "--cone_radius, --cone_pm_sigmas or --cone_plx_sigmas, or log in with --credentials_path."
    )
