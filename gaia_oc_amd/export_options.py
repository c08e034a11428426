"""Options of the tables that a run writes beside the CSV files, and of sending them to TOPCAT."""

import logging
from dataclasses import dataclass
from pathlib import Path

from gaia_oc_amd.options import require

logger = logging.getLogger(__name__)

EXPORT_SUFFIXES = {"votable": ".vot", "fits": ".fits", "ecsv": ".ecsv", "parquet": ".parquet"}
"""Endings of the files of each format, ``members.vot``."""


@dataclass(frozen=True)
class ExportOptions:
    """In which formats the sets are written besides CSV, and whether they are sent to TOPCAT."""

    table_format: tuple[str, ...] = ("csv",)
    send_to_topcat: bool = False

    def __post_init__(self) -> None:
        known = {"csv", *EXPORT_SUFFIXES}
        bound = f"of {', '.join(('csv', *EXPORT_SUFFIXES))}"
        require(len(self.table_format) > 0 and set(self.table_format) <= known, self, "table_format", bound)

    def formats(self) -> list[str]:
        """Formats besides CSV, in a fixed order."""
        return [name for name in EXPORT_SUFFIXES if name in self.table_format]


def remove_exports(folder: Path, names: tuple[str, ...]) -> None:
    """Remove the tables that were written beside CSV files which are about to change.

    Parameters
    ----------
    folder : path
        The cluster's folder.
    names : tuple of str
        The sets.
    """
    paths = [folder / f"{name}{suffix}" for name in names for suffix in EXPORT_SUFFIXES.values()]
    old = [path for path in paths if path.exists()]
    for path in old:
        path.unlink()
    if old:
        kinds = ", ".join(sorted({path.suffix for path in old}))
        logger.info("%s: the exported tables (%s) are of the sets as they were: removed.", folder.name, kinds)
