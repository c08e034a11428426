"""Names of clusters: how they are spelt, their other names, and the random numbers that each one gets."""

import codecs
import difflib
import logging
import os
import re
import zlib
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from gaia_oc_amd.exceptions import UnknownClusterError

ABBREVIATIONS = {
    "am": "arpmadore",
    "ba": "basel",
    "bark": "barkhatova",
    "be": "berkeley",
    "ber": "berkeley",
    "berk": "berkeley",
    "bi": "biurakan",
    "bo": "bochum",
    "coll": "collinder",
    "cr": "collinder",
    "cz": "czernik",
    "do": "dolidze",
    "dodz": "dolidzedzimselejsvili",
    "fof": "lp",
    "haf": "haffner",
    "har": "harvard",
    "ho": "hogg",
    "ki": "king",
    "ly": "lynga",
    "mel": "melotte",
    "messier": "m",
    "mrk": "markarian",
    "pis": "pismis",
    "ro": "roslund",
    "ros": "roslund",
    "ru": "ruprecht",
    "rup": "ruprecht",
    "sau": "saurer",
    "st": "stock",
    "ste": "stephenson",
    "steph": "stephenson",
    "teu": "teutsch",
    "to": "tombaugh",
    "tom": "tombaugh",
    "tr": "trumpler",
    "tru": "trumpler",
    "vdb": "vdbergh",
    "vdbh": "bh",
    "vdberghhagen": "bh",
    "wa": "waterloo",
    "we": "westerlund",
}
"""Normalised short forms before a number, and the catalogue each stands for."""

ALIASES = (
    ("Melotte 20", "Alpha Persei", "alpha Per", "alf Per cluster", "Collinder 39"),
    ("Melotte 22", "Pleiades", "M 45", "Seven Sisters", "Collinder 42"),
    ("Melotte 25", "Hyades", "Collinder 50"),
    ("Melotte 111", "Coma Berenices", "Coma Ber", "Coma star cluster", "Collinder 256"),
    ("NGC 2632", "Praesepe", "M 44", "Beehive", "Beehive cluster", "Melotte 88", "Collinder 189"),
    ("NGC 2682", "M 67", "Melotte 94", "Collinder 204"),
    ("NGC 869", "h Persei", "h Per"),
    ("NGC 884", "chi Persei", "chi Per"),
    ("NGC 4755", "Jewel Box", "kappa Crucis", "kappa Cru"),
    ("NGC 6405", "M 6", "Butterfly cluster"),
    ("NGC 6475", "M 7", "Ptolemy cluster"),
    ("NGC 6705", "M 11", "Wild Duck cluster"),
    ("NGC 6611", "M 16"),
    ("NGC 6613", "M 18"),
    ("NGC 6531", "M 21"),
    ("NGC 6494", "M 23"),
    ("IC 4725", "M 25"),
    ("NGC 6694", "M 26"),
    ("NGC 6913", "M 29"),
    ("NGC 1039", "M 34"),
    ("NGC 2168", "M 35"),
    ("NGC 1960", "M 36"),
    ("NGC 2099", "M 37"),
    ("NGC 1912", "M 38"),
    ("NGC 7092", "M 39"),
    ("NGC 2287", "M 41"),
    ("NGC 2437", "M 46"),
    ("NGC 2422", "M 47"),
    ("NGC 2548", "M 48"),
    ("NGC 2323", "M 50"),
    ("NGC 7654", "M 52"),
    ("NGC 2447", "M 93"),
    ("NGC 581", "M 103"),
    ("IC 2391", "omicron Velorum", "omi Vel cluster"),
    ("IC 2602", "theta Carinae", "theta Car cluster", "Southern Pleiades"),
    ("IC 4665", "Melotte 179", "Collinder 349"),
    ("Collinder 69", "lambda Orionis", "lambda Ori cluster"),
)
"""Names of one cluster a row, in any spelling; the first is the usual one in Gaia's catalogues."""


_LARGEST_LIST = 2**20
_LIST_SUFFIXES = (".txt", ".lst", ".csv")
_LONGEST_NAME = 200
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")

_SIMBAD_PREFIX = re.compile(r"(?:cl\*?|name)[\s_]+(?=[a-z])")
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
    return re.sub(r"[\s_\-]+", "", plain_spelling(name)).casefold()


def plain_spelling(name: str) -> str:
    """Name as it is typed, without what word processors and web pages put into it.

    Parameters
    ----------
    name : str
        Cluster name, copied from anywhere.

    Returns
    -------
    str
        With a blank for blanks of any width, a hyphen for typographers' dashes, and without characters of no width.
    """
    seen = re.sub(r"[\u00ad\u200b-\u200d\u2060\ufeff]", "", name)
    seen = re.sub(r"[\u2010-\u2015\u2212]", "-", seen)
    return re.sub(r"[\u00a0\u2000-\u200a\u202f\u205f\u3000]", " ", seen).strip()


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
        alike = _alike(normalise_name(name), self._spelled)
        hint = (
            f"did you mean {', '.join(self._spelled[match] for match in alike)}?"
            if alike
            else "add it there, give another table with --cluster_path, or the cluster itself with --ra --dec and "
            "--members_path, or look for it with --find_first_members."
        )
        raise UnknownClusterError(
            f"{name[:_LONGEST_NAME]!r} is in none of the {len(self._spelled)} rows of {self.table}: {hint}"
        )


def _alike(name: str, names: Iterable[str]) -> list[str]:
    """Up to three names that may be meant: first those of the same letters and digits in another order."""
    known = list(names)
    swapped = [other for other in known if sorted(other) == sorted(name)]
    swapped.sort(key=lambda other: sum(a != b for a, b in zip(other, name, strict=True)))
    return list(dict.fromkeys([*swapped, *difflib.get_close_matches(name, known, n=3)]))[:3]


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
        If a file is no list of names, if an argument can be no name, or if no name is left. A line of a list that can
        be none is kept: it is the error of one cluster.
    """
    names: dict[str, str] = {}
    for argument in arguments:
        for name in _names_of(argument):
            names.setdefault(canonical_name(name), name)
    if not names:
        raise ValueError("no cluster name was given: name one, as in NGC_2509.")
    return list(names.values())


def _names_of(argument: str) -> list[str]:
    if len(argument) > _LONGEST_NAME:
        raise ValueError(f"{argument[:40]!r}... is {len(argument)} characters long, too long for a name.")
    name = plain_spelling(argument)
    if not name.isprintable():
        raise ValueError(
            f"{argument[:40]!r} has a character that cannot be printed: give a plain cluster name."
        )
    if os.path.isfile(argument):  # noqa: PTH113 - pathlib fails on names that are too long for a file
        return _read_list(Path(argument))
    if os.sep in argument or argument.lower().endswith(_LIST_SUFFIXES):
        what = "is a folder" if os.path.isdir(argument) else "does not exist"  # noqa: PTH112
        raise FileNotFoundError(f"{argument} {what}: give a cluster name, or a file with one name a line.")
    return [name] if normalise_name(name) else []


def _read_list(path: Path) -> list[str]:
    size = path.stat().st_size
    if size > _LARGEST_LIST:
        raise ValueError(
            f"{path} has {size} bytes, at most {_LARGEST_LIST} are read: give one cluster name a line."
        )
    content = path.read_bytes()
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
        text = "\0" if _CONTROL.search(text) else text
    if "\0" in text:
        raise ValueError(f"{path} is not a text file: give a file with one cluster name a line.")
    lines = (line.partition("#")[0].strip(" \t\"',;") for line in text.splitlines())
    names = [plain_spelling(line) for line in lines if normalise_name(line)]
    if not names:
        raise ValueError(f"{path} has no cluster name in it: write one a line.")
    logger.info("%d cluster names read from %s", len(names), path)
    return names


def cluster_rng(seed: int, name: str) -> np.random.Generator:
    """Random stream of one cluster, the same whatever other clusters there are and however its name is spelt.

    Parameters
    ----------
    seed : int
        Seed of the run.
    name : str
        Cluster name.

    Returns
    -------
    Generator
    """
    return np.random.default_rng([seed, zlib.crc32(normalise_name(name).encode())])
