"""Read text tables of any dialect: encoding, delimiter, comments, header, units and missing values are found out.

pandas reads the rows, astropy tables that describe themselves. What stands here refuses what pandas would fill or cut
in silence; `files.text_layout` finds the header that pandas needs.
"""

import codecs
import io
import mmap
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from gaia_oc_amd.files.bounds import refuse_outsized_text
from gaia_oc_amd.files.containers import FileTable
from gaia_oc_amd.files.described_text import read_beside, read_described
from gaia_oc_amd.files.packed import TableError, file_content, is_packed
from gaia_oc_amd.files.text_layout import (
    BLANKS,
    Content,
    HeaderlessError,
    Layout,
    decoded,
    fields_of,
    fits,
    layouts,
    lines_from,
)
from gaia_oc_amd.files.text_values import (
    digits,
    is_number,
    lost_digits,
    number_or_text,
    stripped,
    without_empty_rows,
)

_END = rb"\[EOD\]|\(\d+ rows?\)|\x1a"
"""What TST, psql and CP/M write after the last row."""
_COMMENT = re.compile(rb"^[ \t]*(?:(?:#|//|[%!])[^\n]*|(?:" + _END + rb")[ \t\r]*)(?:\n|\Z)", re.MULTILINE)
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x19\x1c-\x1f]")
_TAIL = 4096
"""Bytes in which what follows the last row is looked for."""
_MOSTLY = 0.7
"""Share of zeros among every other byte of text in UTF-16."""


class _Mapped(mmap.mmap):
    """A file in memory as far as it is looked at; what is read to the end is read faster from the file itself."""

    file: BinaryIO


class _Rows(io.IOBase):
    """The rows of a text as pandas takes them, piece by piece: what is counted on the way costs no second pass.

    It is no binary file in the eyes of pandas, which would decode what it reads only to encode it again.
    """

    def __init__(self, text: Content, layout: Layout) -> None:
        self._text, self._start, self._end = text, layout.start, layout.end
        self._at = layout.start
        self._mark = None if layout.delimiter == BLANKS else ord(layout.delimiter)
        self.n_marks = 0
        """Delimiters in what was read."""
        self.has_hash = False
        """Whether a comment may be in it."""

    def whole(self) -> bytes:
        """All of them, read or not."""
        return self._text[self._start : self._end]

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most so many."""
        start, self._at = self._at, self._end if size < 0 else min(self._at + size, self._end)
        if isinstance(self._text, _Mapped):
            self._text.file.seek(start)
            part = self._text.file.read(self._at - start)
        else:
            part = self._text[start : self._at]
        if self._mark is not None:
            self.n_marks += int(np.count_nonzero(np.frombuffer(part, np.uint8) == self._mark))
        self.has_hash = self.has_hash or b"#" in part
        return part


def read_text(path: Path, wanted: Callable[[str], bool] | None = None) -> list[FileTable]:
    """Read all tables of a text file.

    Commas, tabs, semicolons, bars or blanks divide the columns; a header may begin with ``#`` or stand in comments;
    ECSV, VizieR's tab- and semicolon-separated exports, TOPCAT's ASCII and TST are known.

    Parameters
    ----------
    path : path
        The file, compressed with gzip, bzip2 or xz, in a zip archive of its own, or as it is.
    wanted : callable, optional
        Whether a column of a name is read; by default all are.

    Returns
    -------
    list of FileTable
        Columns as `pandas.read_csv` types them: integers where all values are, else floating-point numbers, else
        strings. Whole numbers that a floating-point number cannot hold, with missing values between them, are
        strings of digits.

    Raises
    ------
    TableError
        If it is no text or has no header, or if rows are longer or shorter than the header; the message names the
        line.
    """
    with _opened(path) as content:
        _refuse_other_kinds(content)
        refuse_outsized_text(content)
        text = _as_utf8(content)
        try:
            return read_described(text) or [_read(text, layout, wanted) for layout in layouts(text)]
        except HeaderlessError:
            described = read_beside(text, path)
            if not described:
                raise
            return described


@contextmanager
def _opened(path: Path) -> Iterator[Content]:
    """Content of a file, of which the system reads what is looked at."""
    with path.open("rb") as file:
        if is_packed(file) or file.seek(0, io.SEEK_END) == 0:
            yield file_content(path)
            return
        with _Mapped(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            content.file = file
            yield content


def _as_utf8(content: Content) -> Content:
    """Text in UTF-8 with line feeds; the content itself where it is that already."""
    head = content[:4096]
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if head.startswith(mark):
            return _line_feeds(content[:].decode(encoding).encode())
    if b"\0" in head:
        zeros = [head[first::2].count(0) / max(len(head) / 2, 1) for first in (0, 1)]
        encoding = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        other = head[1::2] if zeros[0] > zeros[1] else head[::2]
        if max(zeros) < _MOSTLY or min(zeros) > 1 - _MOSTLY or _CONTROL.search(other):
            raise TableError(
                "it is no text: it has zero bytes; write the table as CSV, FITS, VOTable or Parquet"
            )
        return _line_feeds(content[:].decode(encoding).encode())
    if _CONTROL.search(head):
        raise TableError(
            "it is no text: it has control bytes; write the table as CSV, FITS, VOTable or Parquet"
        )
    return _line_feeds(content)


def _line_feeds(content: Content) -> Content:
    """Text whose lines all end as those of one system; carriage returns alone are of old Macintosh spreadsheets."""
    if re.search(rb"\r(?!\n|\Z)", content[:65536]):
        return re.sub(rb"\r\n?", b"\n", content)
    return content


_OTHER_KINDS = (
    (rb"%PDF", "it is a PDF document: copy its table into a CSV file"),
    (
        rb"\xd0\xcf\x11\xe0",
        "it is a workbook of an old spreadsheet: save its sheet as CSV, with source_id as text",
    ),
    (rb"\x28\xb5\x2f\xfd", "it is packed with zstd: unpack it"),
    (rb"\x1f\x9d", "it is packed with compress: unpack it"),
    (rb"7z\xbc\xaf", "it is packed with 7-Zip: unpack it"),
    (rb"(?s:.{257})ustar", "it is a tar archive: unpack it, and name the file that is meant"),
    (rb"\x89HDF", "it is an HDF5 file: write its table as FITS, Parquet or CSV"),
    (rb"\x93NUMPY", "it is an array of NumPy: write it as CSV with names of columns"),
    (
        rb"(?s:.*?)^\s*\\(?:begin|documentclass|startdata|tablehead|startlongtable)\b",
        "it is LaTeX: write its rows as CSV, or take the machine-readable table of the paper",
    ),
    (rb"\{\\rtf", "it is a formatted document: save it as plain text"),
    (
        rb"\s*[\[{]\s*[\"{}\[]",
        "it is JSON, an error of a server perhaps: write the table as CSV, or download it again",
    ),
    (
        rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml|head|body|title|table|div|center|h1|p)\b",
        "it is a web page, an error of the server perhaps: download the table itself",
    ),
)


def _refuse_other_kinds(text: Content) -> None:
    head = text[:512]
    for pattern, reason in _OTHER_KINDS:
        if re.match(pattern, head, re.IGNORECASE | re.MULTILINE):
            raise TableError(reason)
    if not head.strip():
        raise TableError("it is empty: save or download it again")


def _read(text: Content, layout: Layout, wanted: Callable[[str], bool] | None) -> FileTable:
    """Read the rows of one table."""
    labels = _distinct(layout.names)
    kept = [
        label
        for label, name in zip(labels, layout.names, strict=True)
        if name not in layout.arrays and (wanted is None or wanted(name))
    ]
    first_line: int | None = text[: layout.start].count(b"\n") + 1
    rows = _Rows(text, layout)
    table, error = _parsed_or_not(rows, layout, labels, kept)
    may_be_comments = error is not None or rows.has_hash or _COMMENT.search(text[-_TAIL:])
    if may_be_comments and _COMMENT.search(text, layout.start, layout.end):
        text = _COMMENT.sub(b"", text[layout.start : layout.end])
        layout, first_line = replace(layout, start=0, end=len(text)), None
        rows = _Rows(text, layout)
        table, error = _parsed_or_not(rows, layout, labels, kept)
    _refuse_unequal(text, layout, first_line)
    if error is not None or table is None:
        raise TableError(_reason(error, first_line)) from error
    if list(table) != kept:
        table = table[kept]
    _refuse_short(table, labels, text, layout, rows.n_marks, first_line)
    table = _without_headers(without_empty_rows(table))
    as_text = partial(_as_text, text, layout, labels)
    table = _typed(table, layout, as_text)
    names = dict(zip(labels, layout.names, strict=True))
    return FileTable(
        table.set_axis([names[label] for label in table.columns], axis=1), layout.units, first_line
    )


def _without_headers(table: pd.DataFrame) -> pd.DataFrame:
    """Rows but for headers that stand there again, as where files were written one after the other."""
    if not len(table.columns) or any(table[label].dtype.kind in "fiub" for label in table):
        return table
    first = table.columns[0]
    again = table.index[table[first].astype("str").str.strip() == str(first).partition("\0")[0]]
    names = [str(label).partition("\0")[0] for label in table]
    headers = [row for row in again if [str(value).strip() for value in table.loc[row]] == names]
    return table.drop(index=headers)


def _distinct(names: tuple[str, ...]) -> list[str]:
    """Names, those that stand a second time made distinct for pandas; a column without a name is numbered."""
    seen: dict[str, int] = {}
    labels = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        labels.append(name if seen[name] == 1 else f"{name}\0{seen[name]}")
    return labels


def _parsed_or_not(
    rows: _Rows, layout: Layout, labels: list[str], kept: list[str]
) -> tuple[pd.DataFrame | None, pd.errors.ParserError | None]:
    """Rows as a table, or why pandas gives none."""
    strings = {label: str for label, name in zip(labels, layout.names, strict=True) if name in layout.strings}
    dtype = {label: kind for label, kind in strings.items() if label in kept}
    try:
        return _parsed(rows, layout, labels, kept, dtype), None
    except pd.errors.ParserError as error:
        return None, error


def _parsed(rows: _Rows, layout: Layout, labels: list[str], kept: list[str], dtype: Any) -> pd.DataFrame:
    if layout.spans:
        text = io.StringIO(decoded(rows.read()))
        return pd.read_fwf(text, colspecs=list(layout.spans), names=labels, header=None, dtype=dtype or None)[
            kept
        ]
    options = {
        "names": labels,
        "header": None,
        "usecols": kept if len(kept) < len(labels) else None,  # pandas overlooks long rows then
        "sep": layout.delimiter,
        "index_col": False,
        "low_memory": False,
        "compression": None,
        "skipinitialspace": layout.has_blanks,
        "dtype": dtype,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # of rows that end with a delimiter
        try:
            return pd.read_csv(rows, encoding="utf-8", **options)
        except pd.errors.EmptyDataError:
            return pd.DataFrame(columns=kept, dtype=float)
        except UnicodeDecodeError:
            pass
        content = rows.whole()
        for encoding in ("cp1252", "latin-1"):  # the latter knows every byte
            try:
                return pd.read_csv(io.BytesIO(content), encoding=encoding, **options)
            except UnicodeDecodeError:
                continue
    raise TableError("it is no text in UTF-8, UTF-16, cp1252 or Latin-1")


def _reason(error: Exception | None, first_line: int | None) -> str:
    """Pandas' reason with the line of the file."""
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if not found:
        return f"{str(error).strip()}: it is truncated or no table"
    where = "" if first_line is None else f"line {int(found[2]) + first_line - 1}"
    return (
        f"{where or 'a row'} has {found[3]} values, the header {found[1]} columns: mend it, and put quotes around a "
        "value with a delimiter in it"
    )


def _refuse_unequal(text: Content, layout: Layout, first_line: int | None) -> None:
    """Refuse a first row that is longer than the header, and a last one that is shorter, as of a truncated file."""
    if layout.spans:
        return
    n_columns = len(layout.names)
    lines = ((at, line) for at, line in lines_from(text, layout.start) if line.strip() and at < layout.end)
    first = next(lines, None)
    if first is None:
        return
    fields = fields_of(first[1], layout.delimiter)
    if len(fields) > n_columns and not fits(first[1], layout.delimiter, n_columns):
        raise TableError(
            f"its rows have more columns than the header: {len(fields)} and {n_columns}"
            + (f", in line {first_line}" if first_line else "")
            + "; name every column, and put quotes around a value with a delimiter in it"
        )
    last = _last_row(text, layout.start)
    n_values = len(fields_of(decoded(last), layout.delimiter)) if b'"' not in last else n_columns
    if last and n_values < n_columns and len(fields) == n_values and layout.delimiter != BLANKS:
        raise TableError(
            f"its rows have {n_values} value(s), its header {n_columns} columns: divide both in the same way"
        )
    note = decoded(last).strip()
    if last and n_values < n_columns and not any(is_number(word) for word in re.split(r"[\s,;|]+", note)):
        raise TableError(
            f"the last line, {note[:40]!r}, is no row of the table: remove it, or put # before it; or the table is "
            "truncated, then make or download it again"
        )
    if last and n_values < n_columns:
        raise TableError(
            f"the last row has fewer columns than the header, {n_values} and {n_columns}: it looks truncated, make or "
            "download it again"
        )


def _last_row(text: Content, start: int) -> bytes:
    end = len(text)
    while end > start and text[end - 1 : end].isspace() and text[end - 1 : end] != b"\t":
        end -= 1
    return text[max(text.rfind(b"\n", start, end) + 1, start) : end]


def _refuse_short(
    table: pd.DataFrame,
    labels: list[str],
    text: Content,
    layout: Layout,
    n_marks: int,
    first_line: int | None,
) -> None:
    """Refuse rows with fewer values than the header, which pandas fills: their last value is missing."""
    if layout.spans or table.empty or (labels[-1] in table and not table[labels[-1]].isna().any()):
        return
    n_columns = len(layout.names)
    mark = layout.delimiter.encode() if layout.delimiter != BLANKS else None
    if mark and n_marks == len(table) * (n_columns - 1):
        return
    if text.find(b'"', layout.start) >= 0:  # a value may hold a delimiter or a line end
        return
    for number, line in enumerate(text[layout.start : layout.end].split(b"\n")):
        n_values = (line.count(mark) + 1) if mark else len(line.split())
        if n_values < n_columns and line.strip():
            where = (
                f"line {number + first_line}"
                if first_line
                else f"the row {line[:40].decode(errors='replace')!r}"
            )
            raise TableError(f"{where} has {n_values} values, the header {n_columns} columns: mend it")


def _typed(table: pd.DataFrame, layout: Layout, as_text: Callable[[str], pd.Series]) -> pd.DataFrame:
    """Table whose text columns are numbers where only the spelling of missing values, or blanks, made them text."""
    changed = {}
    for label in table.columns:
        values = table[label]
        if values.dtype.kind == "f":
            if lost_digits(values):
                changed[label] = digits(as_text(label).loc[table.index], values)
        elif values.dtype.kind not in "iub":
            is_text = str(label).partition("\0")[0] in layout.strings
            if label == "DE-":  # CDS's signs of declinations, of which "-" is no missing value
                continue
            changed[label] = (
                stripped(values) if is_text else number_or_text(values, decimal_comma=layout.delimiter != ",")
            )
    table = table.assign(**changed) if changed else table
    return table if table.index.equals(pd.RangeIndex(len(table))) else table.reset_index(drop=True)


def _as_text(text: Content, layout: Layout, labels: list[str], label: str) -> pd.Series:
    return _parsed(_Rows(text, layout), layout, labels, [label], str)[label]
