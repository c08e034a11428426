"""Read text tables that describe themselves: IPAC's, those of CDS and AAS (machine-readable tables), by astropy."""

import re
import warnings
from pathlib import Path

from gaia_oc_amd.files.containers import FileTable, file_table
from gaia_oc_amd.files.packed import TableError
from gaia_oc_amd.files.text_layout import Content, decoded, lines_from

_HEAD = 1 << 20
"""Bytes in which a description is looked for."""
_DESCRIPTION = b"Byte-by-byte Description of file"
_OF_FILE = (
    r"^Byte-by-byte Description of file\s*:[^\n]*?(?<![\w.\-]){}(?![\w.\-])[^\n]*\n"
    r".*?(?=^Byte-by-byte|^={{5,}}|\Z)"
)
_IPAC = ("ascii.ipac", "an IPAC table")
_CDS = ("ascii.cds", "a machine-readable table of CDS or AAS")
_READMES = ("ReadMe", "README", "readme.txt", "ReadMe.txt")


def read_described(text: Content) -> list[FileTable]:
    """Read a text whose header says in which bytes each column stands.

    Parameters
    ----------
    text : bytes or mmap
        In UTF-8 or cp1252, with line feeds.

    Returns
    -------
    list of FileTable
        One table with its units; nothing if it is no such text.

    Raises
    ------
    TableError
        If the rows are not as the header says.
    """
    if _is_ipac(text):
        return [_table(decoded(text[:]), _IPAC)]
    if text.find(_DESCRIPTION, 0, _HEAD) >= 0:
        return [_table(decoded(text[:]), _CDS)]
    return []


def read_beside(text: Content, path: Path) -> list[FileTable]:
    """Read rows without a header that the ``ReadMe`` of CDS in the same folder describes; nothing if none does.

    Raises
    ------
    TableError
        If the rows are not as it says.
    """
    description = _description_beside(path)
    rule = "-" * 80
    return [_table(f"{description.rstrip()}\n{rule}\n{decoded(text[:])}", _CDS)] if description else []


def _description_beside(path: Path) -> str:
    """What CDS's ReadMe in the same folder says of a file; empty if there is none."""
    name = path.name.lower().removesuffix(".gz")
    for readme in (path.parent / name for name in _READMES):
        if readme.is_file():
            found = re.search(
                _OF_FILE.format(re.escape(name)),
                decoded(readme.read_bytes()).replace("\r\n", "\n"),
                re.MULTILINE | re.DOTALL | re.IGNORECASE,
            )
            if found:
                return found[0]
    return ""


def _is_ipac(text: Content) -> bool:
    """Whether bars divide the header, and keywords with a backslash may precede it, but blanks divide the rows."""
    n_headers = 0
    for _, line in lines_from(text, 0):
        if line.startswith("\\") or not line.strip():
            continue
        if not line.startswith("|"):
            return n_headers > 0
        if not line.rstrip().endswith("|"):
            return False
        n_headers += 1
        if n_headers > 4:
            return False
    return n_headers > 1


def _table(text: str, kind: tuple[str, str]) -> FileTable:
    from astropy.io.ascii import InconsistentTableError
    from astropy.table import Table

    format, words = kind
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of units that astropy does not know
            return file_table(Table.read(text.lstrip("\ufeff").splitlines(), format=format))
    except (InconsistentTableError, ValueError, IndexError, KeyError, TypeError) as error:
        raise TableError(f"it is {words}, whose rows are not as its header says: {error}") from error
