"""Cluster names: how a user's spelling finds a table's row, and where names are read from."""

import difflib
import logging
import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from gaia_oc_amd.exceptions import UnknownClusterError

_LARGEST_LIST = 2**20
_LIST_SUFFIXES = (".txt", ".lst", ".csv")

logger = logging.getLogger(__name__)


_LONGEST_NAME = 200


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


def find_name(name: str, known_names: Iterable[str], *, table: str = "the cluster parameter table") -> str:
    """Spelling that a table uses for a cluster.

    Parameters
    ----------
    name : str
        Cluster name in any spelling.
    known_names : iterable of str
        Names in the table.
    table : str
        What the table is called in the error message.

    Returns
    -------
    str
        The matching one of `known_names`.

    Raises
    ------
    UnknownClusterError
        If none matches; the message offers up to three that look alike.
    """
    known = {normalise_name(known_name): known_name for known_name in known_names}
    wanted = normalise_name(name)
    if wanted in known:
        return known[wanted]
    alike = [known[match] for match in difflib.get_close_matches(wanted, known, n=3)]
    hint = (
        f"did you mean {', '.join(alike)}?"
        if alike
        else "add it there, or give another table with --cluster_path."
    )
    raise UnknownClusterError(f"{name!r} is in none of the {len(known)} rows of {table}: {hint}")


def read_cluster_names(arguments: Iterable[str]) -> list[str]:
    """Names given on a command line, directly or in files.

    Parameters
    ----------
    arguments : iterable of str
        Names, or files with one name a line. ``#`` starts a comment.

    Returns
    -------
    list of str
        Names in the order given. Of two spellings of a name the first is kept.

    Raises
    ------
    FileNotFoundError
        If an argument looks like a path but does not exist.
    ValueError
        If a file is no list of names, or if no name is left.
    """
    names: dict[str, str] = {}
    for argument in arguments:
        for name in _names_of(argument):
            names.setdefault(normalise_name(name), name)
    if not names:
        raise ValueError("no cluster name was given: name one, as in NGC_2509.")
    return list(names.values())


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
