"""Content of files that are compressed, in whatever way: gzip, bzip2, xz, or a zip archive of one table."""

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from gaia_oc_amd.exceptions import one_line
from gaia_oc_amd.files.bounds import unpacked, within_bound

_GZIP = b"\x1f\x8b"
_PIECE = 1 << 22
_OF_SYSTEMS = ("__MACOSX/", ".", "Thumbs.db", "desktop.ini")
"""How names begin of what operating systems add to archives."""


class TableError(ValueError):
    """Why a file gives no table, in words that need no more explanation."""


def is_packed(file: BinaryIO) -> bool:
    """Whether a file that is open at its beginning is compressed; it is left there."""
    head = file.read(6)
    file.seek(0)
    return any(head.startswith(magic) for magic in (_GZIP, *_OPENERS))


def file_content(path: Path) -> bytes:
    """Content of a file, unpacked if it is compressed, whatever its name; twice if it was compressed twice.

    Raises
    ------
    TableError
        If it is an archive of several files.
    OutsizedError
        If it unpacks to more than is read.
    """
    with path.open("rb") as file:
        head = file.read(6)
    if head.startswith(_GZIP):
        content = unpacked(path)
        return unpacked(content) if content.startswith(_GZIP) else content
    for magic, opener in _OPENERS.items():
        if head.startswith(magic):
            return within_bound(opener(path))
    return path.read_bytes()


def first_bytes(path: Path, number: int) -> bytes:
    """How a file begins, unpacked if it is compressed."""
    with path.open("rb") as file:
        if not is_packed(file):
            return file.read(number)
        if file.read(2) == _GZIP:
            file.seek(0)
            with gzip.open(file) as content:
                head = content.read(number)
            if not head.startswith(_GZIP):
                return head
    return file_content(path)[:number]


def _of_bzip2(path: Path) -> Iterator[bytes]:
    with bz2.open(path) as file:
        yield from iter(lambda: file.read(_PIECE), b"")


def _of_xz(path: Path) -> Iterator[bytes]:
    with lzma.open(path) as file:
        yield from iter(lambda: file.read(_PIECE), b"")


def _of_zip(path: Path) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_only_file(archive)) as file:
            yield from iter(lambda: file.read(_PIECE), b"")
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:  # encrypted, or of a new packing
        raise TableError(f"it is a zip archive that cannot be unpacked: {one_line(error, 100)}") from error


def _only_file(archive: zipfile.ZipFile) -> str:
    names = [item.filename for item in archive.infolist() if not item.is_dir()]
    if any(name.startswith("xl/") for name in names) or "mimetype" in names:
        raise TableError("it is a workbook of a spreadsheet: save its sheet as CSV, with source_id as text")
    own = [name for name in names if not name.rpartition("/")[2].startswith(_OF_SYSTEMS)]
    own = [name for name in own if not name.startswith(_OF_SYSTEMS)]
    if len(own) != 1:
        listed = ", ".join(own[:5]) + (", ..." if len(own) > 5 else "")
        raise TableError(
            f"it is a zip archive of {len(own)} files ({listed}): unpack it, and name one of them"
        )
    return own[0]


_OPENERS: dict[bytes, Callable[[Path], Iterator[bytes]]] = {
    b"BZh": _of_bzip2,
    b"\xfd7zXZ": _of_xz,
    b"PK\x03\x04": _of_zip,
}
