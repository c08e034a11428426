"""The figures of a cluster's folder as parts of a page that needs no other file."""

import base64
from dataclasses import dataclass
from pathlib import Path

LARGEST_FIGURE = 3_000_000
"""Bytes; a larger figure is linked instead: a report stays quick."""
_STALE = 60.0  # seconds; files that were copied one after the other differ by less

_CAPTIONS = {
    "new_members": "Training members and new members, coloured by probability.",
    "candidates": "Candidate selection: training members, candidates and the field.",
    "comparison": "Our members and those of the comparison list.",
    "additional_members": "Members that the comparison list lacks.",
    "missed_members": "Members of the comparison list that we lack, by the reason.",
    "venn_diagram": "Overlap of the two lists.",
    "membership_matrix": "Our verdict on each source against the comparison list's.",
    "density_profile": "Surface density with King profile.",
    "mass_segregation": "Mass segregation ratio.",
    "selection_function": "Completeness and contamination against magnitude and radius.",
}
_TYPES = {".png": "image/png", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Picture:
    """A figure and what stands below it.

    Parameters
    ----------
    name : str
        Name of its file without the ending.
    caption : str
        What it shows.
    address : str
        A ``data:`` URL, or the file's name where it is not embedded.
    embedded : bool
        Whether it is in the page.
    stale : bool
        Whether the file is older than the evaluation.
    """

    name: str
    caption: str
    address: str
    embedded: bool
    stale: bool


def pictures(folder: Path) -> list[Picture]:
    """The figures that a cluster's folder holds.

    Parameters
    ----------
    folder : path
        A cluster's folder.

    Returns
    -------
    list of Picture
        In a fixed order; of a figure in several formats the newest.
    """
    found = []
    for name, caption in _CAPTIONS.items():
        files = [folder / f"{name}{suffix}" for suffix in (*_TYPES, ".pdf")]
        present = [path for path in files if path.is_file()]
        if present:
            found.append(_picture(max(present, key=lambda path: path.stat().st_mtime), caption))
    return found


def _picture(path: Path, caption: str) -> Picture:
    embedded = path.suffix in _TYPES and path.stat().st_size <= LARGEST_FIGURE
    address = path.name
    if embedded:
        address = f"data:{_TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
    compared = "cluster.json" if path.stem == "candidates" else "candidates.csv"
    return Picture(path.stem, caption, address, embedded, is_older(path, path.parent / compared))


def is_older(path: Path, than: Path) -> bool:
    """Whether a file was written well before another, so that it may show what is no longer so."""
    return path.exists() and than.exists() and path.stat().st_mtime < than.stat().st_mtime - _STALE
