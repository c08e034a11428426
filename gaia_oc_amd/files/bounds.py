"""Bounds of what is read from files: looked at before memory is taken for it."""

import io
import mmap
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

LARGEST_HEADER = 1 << 20
"""Bytes of the line with the column names."""
MOST_COLUMNS = 10_000
LONGEST_LINE = 1 << 22
"""Bytes of one row, and so of one field."""
LARGEST_TEXT = 1 << 33
"""Bytes of a table as text, unpacked: 20 million sources with all columns."""
MOST_CELLS = 4 * 10**9
"""Rows times columns of a binary table, which may stand for the same value a million times in a few bytes."""
_CHUNK = 1 << 22

Content = bytes | mmap.mmap


class OutsizedError(ValueError):
    """A file holds, or would unpack to, more than any table that is read here."""


def refuse_outsized_text(content: Content) -> None:
    """Refuse a text table whose header, columns, rows or fields are beyond all measure.

    Parameters
    ----------
    content : bytes or mmap
        The unpacked file. Only the last line end of each 4 MiB is looked for, so this costs next to nothing.

    Raises
    ------
    OutsizedError
        With the bound.
    """
    if len(content) > LARGEST_TEXT:
        raise OutsizedError(f"it has {len(content)} bytes as text, at most {LARGEST_TEXT} are read")
    end = content.find(b"\n", 0, LARGEST_HEADER + 1)
    if end < 0 and len(content) > LARGEST_HEADER:
        raise OutsizedError(f"its first line has more than {LARGEST_HEADER} bytes")
    header = content[: end if end >= 0 else len(content)]
    n_columns = 1 + max(header.count(delimiter) for delimiter in (b",", b"\t", b";", b"|"))
    refuse_columns(n_columns)
    start = 0
    while start + LONGEST_LINE < len(content):
        last = content.rfind(b"\n", start, start + LONGEST_LINE)
        if last < 0:
            raise OutsizedError(f"a line has more than {LONGEST_LINE} bytes")
        start = last + 1


def refuse_columns(n_columns: int) -> None:
    """Refuse a table of more columns than any catalogue has.

    Raises
    ------
    OutsizedError
        With their number and the bound.
    """
    if n_columns > MOST_COLUMNS:
        raise OutsizedError(f"it has {n_columns} columns, at most {MOST_COLUMNS} are read")


def refuse_cells(n_rows: int, n_columns: int) -> None:
    """Refuse a table whose values would not fit into memory, whatever room they take in the file.

    Raises
    ------
    OutsizedError
        With the bound.
    """
    refuse_columns(n_columns)
    if n_rows * n_columns > MOST_CELLS:
        raise OutsizedError(
            f"it has {n_rows} rows of {n_columns} columns, at most {MOST_CELLS} values are read"
        )


def unpacked(packed: Path | bytes, largest: int = LARGEST_TEXT) -> bytes:
    """Content of a file that is compressed with gzip, as far as it stays within a bound.

    Parameters
    ----------
    packed : path or bytes
        The file or its bytes, of one or several gzip members.
    largest : int
        Bytes.

    Raises
    ------
    OutsizedError
        As soon as more was unpacked.
    EOFError, zlib.error
        If it is truncated or damaged; each member's checksum is verified.
    """
    with io.BytesIO(packed) if isinstance(packed, bytes) else packed.open("rb") as file:
        return within_bound(_members(file), largest)


def within_bound(pieces: Iterable[bytes], largest: int = LARGEST_TEXT) -> bytes:
    """Pieces of bounded size put together.

    Raises
    ------
    OutsizedError
        As soon as they are more bytes than the bound.
    """
    parts, size = [], 0
    for part in pieces:
        size += len(part)
        if size > largest:
            raise OutsizedError(f"it unpacks to more than {largest} bytes")
        parts.append(part)
    return b"".join(parts)


def _members(file: BinaryIO) -> Iterator[bytes]:
    """Unpacked pieces of bounded size, one after the other."""
    packed, engine = file.read(_CHUNK), zlib.decompressobj(wbits=31)
    while packed:
        piece = engine.decompress(packed, _CHUNK)
        yield piece
        packed = engine.unconsumed_tail
        if engine.eof:
            packed = (engine.unused_data or b"").lstrip(b"\0") or file.read(_CHUNK).lstrip(b"\0")
            if packed:
                engine = zlib.decompressobj(wbits=31)
        elif not packed:
            packed = file.read(_CHUNK)
    if not engine.eof:
        raise EOFError("it is cut off")
