"""Read text tables of any dialect: encoding, delimiter, comments, header, units and missing values are found out.

pandas reads the rows. What stands here finds the header that pandas needs, and refuses what it would fill or cut in
silence.
"""

import codecs
import csv
import io
import itertools
import mmap
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_oc_amd.files.bounds import refuse_outsized_text
from gaia_oc_amd.files.containers import FileTable, TableError, file_content, is_packed
from gaia_oc_amd.files.text_values import (
    digits,
    is_number,
    lost_digits,
    number_or_text,
    stripped,
    without_empty_rows,
)

Content = bytes | mmap.mmap

_DELIMITERS = (",", "\t", ";", "|")
_BLANKS = r"\s+"
_SAMPLE = 40
"""Lines after the header that the delimiter is judged by."""
_HEAD = 1 << 16
"""Bytes before a line of dashes in which the header is looked for."""
_COMMENT = re.compile(rb"^[ \t]*(?:#[^\n]*|\[EOD\][ \t\r]*)(?:\n|\Z)", re.MULTILINE)
_RULE = re.compile(rb"^[ \t]*[-=]{2,}[-=\t;,| ]*\r?$", re.MULTILINE)
"""A line of dashes, which VizieR and others draw between header and rows."""
_UNIT = re.compile(
    r"[\[(]?(?:|-+|none|deg|degree|degrees|rad|arcsec|arcmin|m?as|mag|pc|kpc|d|day|yr|myr|gyr|k|solmass|"
    r"[munk]?as[ ./]*(?:yr|a)(?:\*\*|\^)?(?:-1)?|log.*|\"h:m:s\"|\"d:m:s\"|h:m:s|d:m:s|%|(?:e-|electron)/s)[\])]?",
    re.IGNORECASE,
)
_PART = 1 << 20
_MOSTLY = 0.7
"""Share of zeros among every other byte of text in UTF-16."""


@dataclass(frozen=True)
class _Layout:
    """Where a table stands in a text, and how it is written."""

    names: tuple[str, ...]
    delimiter: str
    start: int
    """Where its rows begin."""
    end: int
    header_at: int | None = None
    """Where the line with the names begins, if the rows follow it at once and nothing stands before it."""
    units: dict[str, str] = field(default_factory=dict)
    strings: frozenset[str] = frozenset()
    """Columns that the file says are text."""
    arrays: frozenset[str] = frozenset()
    spans: tuple[tuple[int, int], ...] = ()
    """Columns of characters that the columns of a table of fixed width stand in."""
    has_blanks: bool = False
    """Whether blanks stand between delimiter and value."""


def read_text(path: Path, wanted: Callable[[str], bool] | None = None) -> list[FileTable]:
    """Read all tables of a text file.

    Commas, tabs, semicolons, bars or blanks divide the columns; a header may begin with ``#`` or stand in comments;
    ECSV, VizieR's tab- and semicolon-separated exports, TOPCAT's ASCII and TST are known.

    Parameters
    ----------
    path : path
        The file, compressed with gzip or not.
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
        refuse_outsized_text(content)
        _refuse_other_kinds(content)
        text = _as_utf8(content)
        plain = path if text is content and isinstance(content, mmap.mmap) else None
        return [_read(text, layout, wanted, plain) for layout in _layouts(text)]


@contextmanager
def _opened(path: Path) -> Iterator[Content]:
    """Content of a file, of which the system reads what is looked at."""
    with path.open("rb") as file:
        if is_packed(file) or file.seek(0, io.SEEK_END) == 0:
            yield file_content(path)
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


def _as_utf8(content: Content) -> Content:
    """Text in UTF-8 with line feeds; the content itself where it is that already."""
    head = content[:4096]
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if head.startswith(mark):
            return _line_feeds(content[:].decode(encoding).encode())
    if b"\0" in head:
        zeros = [head[first::2].count(0) / max(len(head) / 2, 1) for first in (0, 1)]
        if max(zeros) < _MOSTLY:
            raise TableError("it is no text: it has zero bytes")
        return _line_feeds(content[:].decode("utf-16-be" if zeros[0] > zeros[1] else "utf-16-le").encode())
    return _line_feeds(content)


def _line_feeds(content: Content) -> Content:
    if b"\r" in content[:65536] and content.find(b"\n") < 0:  # of old Macintosh spreadsheets
        return content[:].replace(b"\r", b"\n")
    return content


_OTHER_KINDS = (
    (b"PK\x03\x04", "it is a packed archive or a workbook of a spreadsheet: save the sheet as CSV"),
    (b"%PDF", "it is a PDF document: copy its table into a CSV file"),
    (b"BZh", "it is packed with bzip2: unpack it"),
    (b"\xfd7zXZ", "it is packed with xz: unpack it"),
)


def _refuse_other_kinds(text: Content) -> None:
    head = text[:512]
    for magic, reason in _OTHER_KINDS:
        if head.startswith(magic):
            raise TableError(reason)
    if re.match(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml|head|body)", head, re.IGNORECASE):
        raise TableError("it is a web page, an error of the server perhaps: download the table itself")
    if not head.strip():
        raise TableError("it is empty")


def _lines(text: Content, start: int) -> Iterator[tuple[int, str]]:
    """Lines from a place on, each with where it begins."""
    while 0 <= start < len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        yield start, _decoded(text[start:end]).rstrip("\r")
        start = end + 1


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def _layouts(text: Content) -> list[_Layout]:
    """Layouts of all tables of a text, in its order."""
    begin = 3 if text[:3] == codecs.BOM_UTF8 else 0
    rules = [match.start() for match in _RULE.finditer(text[: 1 << 20] if len(text) > 1 << 22 else text)]
    if rules:
        ruled = _ruled_layouts(text, rules, begin)
        if ruled:
            return ruled
    return [_layout(text, begin)]


def _ruled_layouts(text: Content, rules: list[int], begin: int) -> list[_Layout]:
    """Tables with a line of dashes between header and rows; VizieR writes several into one file."""
    layouts: list[_Layout] = []
    for rule in rules:
        near = _lines(text[:rule], max(begin, rule - _HEAD))
        before = [line for line in near if _counts(line[1])][-2:]
        if not before:
            continue
        delimiter = next((mark for mark in _DELIMITERS if mark in before[-1][1]), _BLANKS)
        dashes = next(_lines(text, rule))[1]
        spans = _spans(text, rule, dashes) if delimiter == _BLANKS else ()
        n_columns = len(spans) or len(_fields(dashes, delimiter))
        lines = [
            (at, [line[a:b].strip() for a, b in spans] if spans else _fields(line, delimiter))
            for at, line in before
        ]
        fitting = [(at, fields) for at, fields in lines if len(fields) == n_columns and not _is_data(fields)]
        if not fitting or _is_data(lines[-1][1]):
            continue
        names = fitting[0][1]
        units = dict(zip(names, fitting[-1][1], strict=True)) if len(fitting) > 1 else {}
        if layouts:
            layouts[-1] = replace(layouts[-1], end=fitting[0][0])
        start = text.find(b"\n", rule) + 1
        layouts.append(
            _Layout(
                tuple(name.strip() for name in names),
                delimiter,
                start or len(text),
                len(text),
                units=_stated(units),
                spans=spans,
            )
        )
    return layouts


def _spans(text: Content, rule: int, dashes: str) -> tuple[tuple[int, int], ...]:
    """Where a line of dashes says that columns stand; nothing if the rows do not keep to it."""
    spans = tuple(match.span() for match in re.finditer(r"[-=]+", dashes))
    rows = [line for _, line in _following(text, rule)]
    between = [(end, start) for (_, end), (start, _) in itertools.pairwise(spans)]
    keeps = all(not line[a:b].strip() for line in rows for a, b in [*between, (spans[-1][1], None)])
    return spans if keeps and rows else ()


def _counts(line: str) -> bool:
    """Whether a line is neither blank nor a comment."""
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _stated(units: dict[str, str]) -> dict[str, str]:
    return {name: unit.strip() for name, unit in units.items() if unit.strip().strip("-")}


def _layout(text: Content, begin: int) -> _Layout:
    """Layout of the one table of a text."""
    comments: list[tuple[int, str]] = []
    for first_at, first in _lines(text, begin):
        if _counts(first):
            break
        if first.strip():
            comments.append((first_at, first.strip()))
    else:
        if not comments:
            raise TableError("it is empty")
        first_at, first = comments.pop()  # a header that begins with #, and no row
        first = first.lstrip("#")
    described = _ecsv(comments)
    rest = _following(text, first_at)
    delimiters = (described["delimiter"],) if described else (*_DELIMITERS, _BLANKS)
    delimiter, names, header_at = _header(first, first_at, comments, rest, delimiters)
    units = described["units"] if described else {}
    start = first_at if header_at != first_at else _after(text, first_at)
    at_once = header_at == first_at == begin
    if header_at == first_at and len(rest) > 1 and not described:
        second, third = (_fields(line, delimiter) for _, line in rest[:2])
        is_unit = all(_UNIT.fullmatch(unit.strip()) for unit in second) and any(map(str.strip, second))
        if is_unit and not _is_data(second) and _is_data(third) and len(second) == len(names):
            units, at_once = _stated(dict(zip(names, second, strict=True))), False
            start = _after(text, rest[0][0])
    return _Layout(
        tuple(names),
        delimiter,
        start,
        len(text),
        header_at if at_once else None,
        units,
        described["strings"] if described else frozenset(),
        described["arrays"] if described else frozenset(),
        has_blanks=any(re.search(r"[,;|] |^ ", line) for _, line in rest),
    )


def _after(text: Content, start: int) -> int:
    end = text.find(b"\n", start)
    return len(text) if end < 0 else end + 1


def _following(text: Content, first_at: int) -> list[tuple[int, str]]:
    """Some lines after the first, each with where it begins."""
    lines: list[tuple[int, str]] = []
    for at, line in _lines(text, _after(text, first_at)):
        if _counts(line):
            lines.append((at, line))
        if len(lines) == _SAMPLE:
            break
    return lines


def _header(
    first: str,
    first_at: int,
    comments: list[tuple[int, str]],
    rest: list[tuple[int, str]],
    delimiters: tuple[str, ...],
) -> tuple[str, list[str], int]:
    """Delimiter, names, and where they stand: the first line, or the last comment that fits it if it is a row."""
    best: tuple[tuple[float, int], str, list[str], int] | None = None
    for delimiter in delimiters:
        fields = _fields(first, delimiter)
        agreement = np.mean([_fits(line, delimiter, len(fields)) for _, line in rest]) if rest else 1.0
        heading: tuple[int, list[str]] | None = (first_at, fields)
        if len(fields) == 1 and re.fullmatch(r"\d{15,19}", first.strip()):  # identifiers, and nothing else
            heading = (-1, ["source_id"])
        elif _is_data(fields):
            named = ((at, _fields(line.lstrip("# \t"), delimiter)) for at, line in reversed(comments))
            heading = next(
                ((at, names) for at, names in named if len(names) == len(fields) and not _is_data(names)),
                None,
            )
        is_divided = any(mark in first for mark in _DELIMITERS)
        if heading is None or (
            len(fields) == 1 and len(delimiters) > 1 and (is_divided or delimiter != _BLANKS)
        ):
            continue
        rank = (float(agreement >= 0.5), len(fields) if delimiter != _BLANKS else 1)
        if best is None or rank > best[0]:
            best = (rank, delimiter, heading[1], heading[0])
    if best is None:
        raise TableError(
            f"it has no header: the first line that is no comment is {first.strip()[:60]!r}, a row of values; "
            "write the names of the columns above it"
        )
    delimiter = best[1] if len(best[2]) > 1 else ","  # blanks in a single column divide nothing
    return delimiter, [name.strip().lstrip("#").strip() for name in best[2]], best[3]


def _fields(line: str, delimiter: str) -> list[str]:
    if delimiter == _BLANKS:
        line, delimiter = re.sub(r"[ \t]+", " ", line.strip()), " "
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _fits(line: str, delimiter: str, n_columns: int) -> bool:
    """Whether a line has as many values as there are columns; a delimiter at its end does not count."""
    fields = _fields(line, delimiter)
    return len(fields) == n_columns or (len(fields) == n_columns + 1 and not fields[-1].strip())


def _is_data(fields: list[str]) -> bool:
    """Whether a line is a row: some value in it is a number."""
    return any(is_number(item.strip()) for item in fields)


def _ecsv(comments: list[tuple[int, str]]) -> dict[str, Any] | None:
    """What the header of an ECSV file says; None if it is none, or cannot be understood."""
    if not comments or not re.match(r"#\s*%ECSV", comments[0][1]):
        return None
    from astropy.table import meta

    try:
        lines = [re.sub(r"^#( |$)", "", line) for _, line in comments if not re.match(r"#\s*%ECSV", line)]
        header = meta.get_header_from_yaml(lines)
        columns = [column for column in header["datatype"] if isinstance(column, dict)]
    except (meta.YamlParseError, KeyError, TypeError, ValueError):
        return None
    delimiter = header.get("delimiter", " ")
    return {
        "delimiter": _BLANKS if delimiter == " " else delimiter,
        "units": {c["name"]: str(c["unit"]) for c in columns if c.get("unit")},
        "strings": frozenset(c["name"] for c in columns if c.get("datatype") == "string"),
        "arrays": frozenset(c["name"] for c in columns if c.get("subtype")),
    }


def _read(
    text: Content, layout: _Layout, wanted: Callable[[str], bool] | None, path: Path | None
) -> FileTable:
    """Read the rows of one table, from the file itself where nothing else stands in it."""
    labels = _distinct(layout.names)
    kept = [
        label
        for label, name in zip(labels, layout.names, strict=True)
        if name not in layout.arrays and (wanted is None or wanted(name))
    ]
    has_comments = text.find(b"#", layout.start, layout.end) >= 0 or b"[EOD]" in text[-200:]
    part: Content | None = None
    if path is None or layout.header_at is None or has_comments:
        part = text[layout.start : layout.end]
        has_comments = has_comments and _COMMENT.search(part) is not None
        if has_comments:
            part = _COMMENT.sub(b"", part)
    source = path if path is not None and layout.header_at is not None and not has_comments else None
    rows_text, rows_start = (text, layout.start) if source is not None else (part or b"", 0)
    first_line = None if has_comments else text[: layout.start].count(b"\n") + 1
    _refuse_unequal(rows_text, rows_start, layout, first_line)
    table = _parsed(source, part, layout, labels, kept, first_line)
    table = table[[label for label in labels if label in set(kept)]]
    _refuse_short(table, labels, rows_text, rows_start, layout, first_line)
    table = without_empty_rows(table)
    table = _typed(table, layout, lambda label: _as_text(source, part, layout, labels, label))
    names = dict(zip(labels, layout.names, strict=True))
    return FileTable(table.set_axis([names[label] for label in table], axis=1), layout.units, first_line)


def _distinct(names: tuple[str, ...]) -> list[str]:
    """Names, those that stand a second time made distinct for pandas; a column without a name is numbered."""
    seen: dict[str, int] = {}
    labels = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        labels.append(name if seen[name] == 1 else f"{name}\0{seen[name]}")
    return labels


def _parsed(
    source: Path | None,
    part: Content | None,
    layout: _Layout,
    labels: list[str],
    kept: list[str],
    first_line: int | None,
    dtype: Any = None,
) -> pd.DataFrame:
    if layout.spans:
        text = io.StringIO(_decoded(part[:] if part is not None else b""))
        return pd.read_fwf(text, colspecs=list(layout.spans), names=labels, header=None, dtype=dtype)[kept]
    strings = {label: str for label, name in zip(labels, layout.names, strict=True) if name in layout.strings}
    options = {
        "names": labels,
        "header": 0 if source is not None else None,
        "usecols": kept if len(kept) < len(labels) else None,  # pandas overlooks long rows then
        "sep": layout.delimiter,
        "index_col": False,
        "low_memory": False,
        "compression": None,
        "skipinitialspace": layout.has_blanks,
        "dtype": dtype or {label: kind for label, kind in strings.items() if label in kept},
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)  # of rows that end with a delimiter
            for encoding in ("utf-8", "cp1252", "latin-1"):
                try:
                    rows = source if source is not None else io.BytesIO(part or b"")
                    return pd.read_csv(rows, encoding=encoding, **options)
                except UnicodeDecodeError:
                    continue
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=kept, dtype=float)
    except pd.errors.ParserError as error:
        raise TableError(_reason(error, first_line, source is not None)) from error
    raise TableError("it is no text in UTF-8, UTF-16, cp1252 or Latin-1")


def _reason(error: Exception, first_line: int | None, has_header: bool) -> str:
    """Pandas' reason with the line of the file."""
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if not found:
        return f"{str(error).strip()}: it is truncated or no table"
    where = "" if first_line is None else f"line {int(found[2]) + first_line - 1 - has_header}"
    return f"{where or 'a row'} has {found[3]} values, the header {found[1]} columns"


def _refuse_unequal(text: Content, start: int, layout: _Layout, first_line: int | None) -> None:
    """Refuse a first row that is longer than the header, and a last one that is shorter, as of a truncated file."""
    if layout.spans:
        return
    n_columns = len(layout.names)
    lines = ((at, line) for at, line in _lines(text, start) if line.strip() and at < layout.end)
    first = next(lines, None)
    if first is None:
        return
    fields = _fields(first[1], layout.delimiter)
    if len(fields) > n_columns and not _fits(first[1], layout.delimiter, n_columns):
        raise TableError(
            f"its rows have more columns than the header: {len(fields)} and {n_columns}"
            + (f", in line {first_line}" if first_line else "")
        )
    last = _last_row(text, start)
    if last and b'"' not in last and len(_fields(_decoded(last), layout.delimiter)) < n_columns:
        n_values = len(_fields(_decoded(last), layout.delimiter))
        raise TableError(
            f"the last row has fewer columns than the header, {n_values} and {n_columns}: it looks truncated"
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
    start: int,
    layout: _Layout,
    first_line: int | None,
) -> None:
    """Refuse rows with fewer values than the header, which pandas fills: their last value is missing."""
    if layout.spans or table.empty or (labels[-1] in table and not table[labels[-1]].isna().any()):
        return
    mark = layout.delimiter.encode() if layout.delimiter != _BLANKS else None
    n_columns = len(layout.names)
    if mark and _number_of(mark, text, start, layout.end) == len(table) * (n_columns - 1):
        return
    if text.find(b'"', start) >= 0:  # a value may hold a delimiter or a line end
        return
    for number, line in enumerate(text[start : layout.end].split(b"\n")):
        n_values = (line.count(mark) + 1) if mark else len(line.split())
        if n_values < n_columns and line.strip():
            where = (
                f"line {number + first_line}"
                if first_line
                else f"the row {line[:40].decode(errors='replace')!r}"
            )
            raise TableError(f"{where} has {n_values} values, the header {n_columns} columns")


def _number_of(mark: bytes, text: Content, start: int, end: int) -> int:
    """How often a byte stands in a text."""
    parts = (np.frombuffer(text[at : min(at + _PART, end)], np.uint8) for at in range(start, end, _PART))
    return sum(int(np.count_nonzero(part == mark[0])) for part in parts)


def _typed(table: pd.DataFrame, layout: _Layout, as_text: Callable[[str], pd.Series]) -> pd.DataFrame:
    """Table whose text columns are numbers where only the spelling of missing values, or blanks, made them text."""
    changed = {}
    for label in table:
        values = table[label]
        if values.dtype.kind == "f":
            if lost_digits(values):
                changed[label] = digits(as_text(label).loc[table.index], values)
        elif values.dtype.kind not in "iub":
            is_text = str(label).partition("\0")[0] in layout.strings
            changed[label] = (
                stripped(values) if is_text else number_or_text(values, decimal_comma=layout.delimiter != ",")
            )
    table = table.assign(**changed) if changed else table
    return table.reset_index(drop=True)


def _as_text(
    source: Path | None, part: Content | None, layout: _Layout, labels: list[str], label: str
) -> pd.Series:
    return _parsed(source, part, layout, labels, [label], None, dtype=str)[label]
