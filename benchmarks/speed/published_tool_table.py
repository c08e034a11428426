"""The table of a comparison of two tools."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from timing import Ratio, markdown_table, short

HEADER = ("", "unit", "published", "ours", "published / ours", "remark")


@dataclass(frozen=True)
class Row:
    """One thing that was measured.

    Parameters
    ----------
    what, unit : str
        What, in s, MiB or nothing.
    theirs, ours : tuple of float
        Runs that were neighbours in time have the same index; empty where a tool has no such thing.
    remark : str
        What each side includes.
    inverse : bool
        Whether ours / published is of interest, because the left figure is a limit.
    """

    what: str
    unit: str
    theirs: tuple[float, ...]
    ours: tuple[float, ...]
    remark: str = ""
    inverse: bool = False

    def cells(self) -> list[str]:
        """Text of the row: medians, and ratios of pairs."""
        medians = [short(median(values)) if values else "-" for values in (self.theirs, self.ours)]
        return [self.what, self.unit, *medians, self._ratio(), self.remark]

    def _ratio(self) -> str:
        if not (self.theirs and self.ours):
            return "-"
        if self.inverse:
            return f"ours / limit {Ratio.of(self.ours, self.theirs)}"
        return str(Ratio.of(self.theirs, self.ours))


def report(rows: Sequence[Row], about: str) -> str:
    """Table and what it is about, in Markdown."""
    return f"{about}\n\n{markdown_table(HEADER, [row.cells() for row in rows])}"
