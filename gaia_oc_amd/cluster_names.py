"""Cluster names: how a user's spelling or alias finds a table's row, and where names are read from."""

import difflib
import logging
import os
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

from gaia_oc_amd.cluster_aliases import ABBREVIATIONS, ALIASES
from gaia_oc_amd.exceptions import UnknownClusterError

_LARGEST_LIST = 2**20
_LIST_SUFFIXES = (".txt", ".lst", ".csv")
_LONGEST_NAME = 200

_SIMBAD_PREFIX = re.compile(r"(?:cl|name)[\s_]+(?=[a-z])")
_DESIGNATION = re.compile(r"([^\W\d][^\d]*?)[\s_\-.]*(\d[\w\s\-.]*)")
"""A catalogue's name and what follows it, a number in most: ``ESO`` and ``130-06``."""

logger = logging.getLogger(__name__)


@lru_cache(1 << 16)  # each run compares the names of whole catalogues, again for every cluster
def normalise_name(name: str) -> str:
    """Name without what spellings differ in: case, blanks, underscores and hyphens.

    Parameters
    ----------
    name : str
        Cluster name in any spelling.

    Returns
    -------
    str
        ``ngc2509`` for ``NGC_2509``, ``ngc 2509`` and ``NGC-2509``.
    """
    return re.sub(r"[\s_\-]+", "", name).casefold()


@lru_cache(1 << 16)
def canonical_name(name: str) -> str:
    """One and the same name for all names of a cluster.

    Beyond `normalise_name`: short forms of catalogue names (``Cr 69``, ``Tr 14``), leading zeros (``FSR_0133``),
    SIMBAD's ``Cl`` and ``NAME``, and the aliases of `cluster_aliases` (``M45``, ``Pleiades``).

    Parameters
    ----------
    name : str
        Cluster name in any spelling.

    Returns
    -------
    str
        For comparisons only: ``melotte22`` for ``M45``, ``Cl Melotte 22`` and ``Mel 22``; ``eso130-6`` for
        ``ESO 130-06`` and ``ESO_130_06``.
    """
    designation = _designation(name)
    return _aliases().get(designation, designation)


@cache
def _aliases() -> dict[str, str]:
    return {_designation(other): _designation(names[0]) for names in ALIASES for other in names}


def _designation(name: str) -> str:
    """Catalogue and number without what their spellings differ in."""
    text = _SIMBAD_PREFIX.sub("", name.strip().casefold(), count=1)
    match = _DESIGNATION.fullmatch(text)
    if not match:
        return normalise_name(text)
    catalogue = re.sub(r"[\W_]+", "", match[1])
    catalogue = ABBREVIATIONS.get(catalogue, catalogue)
    parts = re.findall(r"\d+|[^\W\d_]+", match[2])
    if catalogue == "eso" and len(parts) == 1 and len(parts[0]) == 5:  # field and number written as one
        parts = [parts[0][:3], parts[0][3:]]
    numbers = "-".join(part.lstrip("0") or "0" for part in parts)
    return catalogue + re.sub(r"-(?=[^\W\d])", "", numbers)  # UBC_17a has a letter, not a second number


class NameIndex:
    """The names of a table, found in any spelling and by any alias.

    Parameters
    ----------
    names : iterable of str
        Names in the table.
    table : str
        What the table is called in error messages.
    """

    def __init__(self, names: Iterable[str], *, table: str = "the cluster parameter table") -> None:
        self.table = table
        self._spelled = {normalise_name(name): name for name in names}
        self._meant: dict[str, list[str]] = {}
        for name in self._spelled.values():
            self._meant.setdefault(canonical_name(name), []).append(name)

    def get(self, name: str) -> str | None:
        """Name that the table has for a cluster, None if it has none.

        Raises
        ------
        UnknownClusterError
            If no row is spelled so and an alias fits several; the message lists them.
        """
        spelled = self._spelled.get(normalise_name(name))
        if spelled is not None:
            return spelled
        meant = self._meant.get(canonical_name(name), [])
        if len(meant) > 1:
            raise UnknownClusterError(
                f"{name!r} fits {len(meant)} rows of {self.table}, {', '.join(meant)}: give one of these names."
            )
        return meant[0] if meant else None

    def find(self, name: str) -> str:
        """As `get`, but a name that the table lacks is an UnknownClusterError with up to three that look alike."""
        found = self.get(name)
        if found is not None:
            return found
        alike = difflib.get_close_matches(normalise_name(name), self._spelled, n=3)
        hint = (
            f"did you mean {', '.join(self._spelled[match] for match in alike)}?"
            if alike
            else "add it there, give another table with --cluster_path, or the cluster itself with --ra --dec "
            "--parallax --pmra --pmdec."
        )
        raise UnknownClusterError(
            f"{name!r} is in none of the {len(self._spelled)} rows of {self.table}: {hint}"
        )


def find_name(name: str, known_names: Iterable[str], *, table: str = "the cluster parameter table") -> str:
    """Spelling that a table uses for a cluster.

    Parameters
    ----------
    name : str
        Cluster name in any spelling, or an alias.
    known_names : iterable of str
        Names in the table.
    table : str
        What the table is called in the error message.

    Returns
    -------
    str
        The matching one of `known_names`; one that is spelled like the name before one that is an alias.

    Raises
    ------
    UnknownClusterError
        If none matches (the message offers up to three that look alike), or if an alias fits several.
    """
    return NameIndex(known_names, table=table).find(name)


def read_cluster_names(arguments: Iterable[str]) -> list[str]:
    """Names given on a command line, directly or in files.

    Parameters
    ----------
    arguments : iterable of str
        Names, or files with one name a line. ``#`` starts a comment.

    Returns
    -------
    list of str
        Names in the order given. Of two spellings or aliases of a name the first is kept.

    Raises
    ------
    FileNotFoundError
        If an argument looks like a path but does not exist.
    ValueError
        If a file is no list of names, if a name has a control character, or if no name is left.
    """
    names: dict[str, str] = {}
    for argument in arguments:
        for name in _names_of(argument):
            names.setdefault(canonical_name(_checked(name)), name)
    if not names:
        raise ValueError("no cluster name was given: name one, as in NGC_2509.")
    return list(names.values())


def _checked(name: str) -> str:
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"{name[:40]!r}... is {len(name)} characters long, too long for a name.")
    if not name.isprintable():
        raise ValueError(f"{name[:40]!r} has a character that cannot be printed: give a plain cluster name.")
    return name


def _names_of(argument: str) -> list[str]:
    path = Path(argument)
    if len(argument) > _LONGEST_NAME:
        raise ValueError(f"{argument[:40]!r}... is {len(argument)} characters long, too long for a name.")
    if path.is_file():
        return _read_list(path)
    if os.sep in argument or argument.lower().endswith(_LIST_SUFFIXES):
        what = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{argument} {what}: give a cluster name, or a file with one name a line.")
    return [argument.strip()] if normalise_name(argument) else []


def _read_list(path: Path) -> list[str]:
    size = path.stat().st_size
    if size > _LARGEST_LIST:
        raise ValueError(
            f"{path} has {size} bytes, at most {_LARGEST_LIST} are read: give one cluster name a line."
        )
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ValueError(f"{path} is not a text file: give a file with one cluster name a line.")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    names = [line for line in lines if normalise_name(line)]
    if not names:
        raise ValueError(f"{path} has no cluster name in it: write one a line.")
    logger.info("%d cluster names read from %s", len(names), path)
    return names
