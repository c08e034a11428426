"""Where a table stands in a text and how it is written: delimiter, header, units, lines of dashes, comments."""

import codecs
import csv
import itertools
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gaia_oc_amd.files.packed import TableError
from gaia_oc_amd.files.text_values import is_number

Content = bytes | mmap.mmap

_DELIMITERS = (",", "\t", ";", "|")
BLANKS = r"\s+"
_SAMPLE = 40
"""Lines after the header that the delimiter is judged by."""
_MARKS = "#%!/ \t"
"""What comments begin with."""
_TITLES = 5
"""Lines above a header that are no header: a title, and Excel's ``sep=;``."""
_RULED = 1 << 18
"""Bytes in which the first line of dashes is looked for."""
_HEAD = 1 << 16
"""Bytes before a line of dashes in which the header is looked for."""
_RULE = re.compile(rb"\n([ \t]*[-=]{2,}[-=+\t;,| ]*)\r?(?=\n|\Z)")
"""A line of dashes, which VizieR and others draw between header and rows."""
_UNIT = re.compile(
    r"[\[(]?(?:|-+|none|deg|degrees?|hours?|radians?|magnitudes?|(?:kilo)?parsecs?|years?|ly|rad|arcsec|arcmin|m?as|mag|"
    r"pc|kpc|d|day|yr|myr|gyr|k|solmass|[munk]?as[ ./]*(?:yr|year|a)(?:\*\*|\^)?(?:-1)?|log.*|"
    r"\"h:m:s\"|\"d:m:s\"|h:m:s|d:m:s|%|(?:e-|electron)/s)[\])]?",
    re.IGNORECASE,
)


class HeaderlessError(TableError):
    """A text whose first row is values, without names above it."""


@dataclass(frozen=True)
class Layout:
    """Where a table stands in a text, and how it is written."""

    names: tuple[str, ...]
    delimiter: str
    start: int
    """Where its rows begin."""
    end: int
    units: dict[str, str] = field(default_factory=dict)
    strings: frozenset[str] = frozenset()
    """Columns that the file says are text."""
    arrays: frozenset[str] = frozenset()
    spans: tuple[tuple[int, int], ...] = ()
    """Columns of characters that the columns of a table of fixed width stand in."""
    has_blanks: bool = False
    """Whether blanks stand between delimiter and value."""


def lines_from(text: Content, start: int) -> Iterator[tuple[int, str]]:
    """Lines from a place on, each with where it begins."""
    while 0 <= start < len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        yield start, decoded(text[start:end]).rstrip("\r")
        start = end + 1


def decoded(line: bytes) -> str:
    """Text of bytes in UTF-8, or else in cp1252."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def layouts(text: Content) -> list[Layout]:
    """Layouts of all tables of a text, in its order."""
    begin = 3 if text[:3] == codecs.BOM_UTF8 else 0
    if _RULE.search(text[:_RULED]):
        ruled = _ruled_layouts(text, [match.start(1) for match in _RULE.finditer(text)], begin)
        if ruled:
            return ruled
    return [_layout(text, begin)]


def _ruled_layouts(text: Content, rules: list[int], begin: int) -> list[Layout]:
    """Tables with a line of dashes between header and rows; VizieR writes several into one file."""
    layouts: list[Layout] = []
    for rule in rules:
        near = lines_from(text[:rule], max(begin, rule - _HEAD))
        before = [line for line in near if _counts(line[1])][-2:]
        if not before:
            continue
        delimiter = next((mark for mark in _DELIMITERS if mark in before[-1][1]), BLANKS)
        dashes = next(lines_from(text, rule))[1].replace("+", "|")  # of psql
        spans = _spans(text, rule, dashes) if delimiter == BLANKS else ()
        n_columns = len(spans) or len(fields_of(dashes, delimiter))
        lines = [
            (at, [line[a:b].strip() for a, b in spans] if spans else fields_of(line, delimiter))
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
            Layout(
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
    """Whether a line is neither blank nor a comment, as the header of a file may have them."""
    return bool(line.strip()) and not line.lstrip().startswith(("#", "%", "!", "//"))


def _stated(units: dict[str, str]) -> dict[str, str]:
    return {name: unit.strip() for name, unit in units.items() if unit.strip().strip("-")}


def _layout(text: Content, begin: int) -> Layout:
    """Layout of the one table of a text."""
    comments: list[tuple[int, str]] = []
    for first_at, first in lines_from(text, begin):
        if _counts(first):
            break
        if first.strip():
            comments.append((first_at, first.strip()))
    else:
        if not comments:
            raise TableError("it is empty: save or download it again")
        first_at, first = comments.pop()  # a header that begins with #, and no row
        first = first.lstrip(_MARKS)
    described = _ecsv(comments)
    delimiters = (described["delimiter"],) if described else (*_DELIMITERS, BLANKS)
    if not described:
        first_at, first = _below_titles(text, first_at, first)
    rest = _following(text, first_at)
    delimiter, names, header_at = _header(first, first_at, comments, rest, delimiters)
    units = described["units"] if described else {}
    start = first_at if header_at != first_at else _after(text, first_at)
    if header_at == first_at and len(rest) > 1 and not described:
        second, third = (fields_of(line, delimiter) for _, line in rest[:2])
        is_unit = all(_UNIT.fullmatch(unit.strip()) for unit in second) and any(map(str.strip, second))
        if is_unit and not _is_data(second) and _is_data(third) and len(second) == len(names):
            units = _stated(dict(zip(names, second, strict=True)))
            start = _after(text, rest[0][0])
    names, units = _without_units(names, units)
    return Layout(
        tuple(names),
        delimiter,
        start,
        len(text),
        units,
        described["strings"] if described else frozenset(),
        described["arrays"] if described else frozenset(),
        has_blanks=any(re.search(r"[,;|] |^ ", line) for _, line in rest),
    )


def _below_titles(text: Content, first_at: int, first: str) -> tuple[int, str]:
    """The first line, or the one below lines of a title that rows as long as itself follow."""
    lines = [(first_at, first), *_following(text, first_at)]
    for number, (at, line) in enumerate(lines[: _TITLES + 1]):
        rest = lines[number + 1 :]
        for delimiter in (*_DELIMITERS, BLANKS):
            fields = fields_of(line, delimiter)
            full = [field for field in fields if field.strip()]
            if len(full) < 2 or not rest or any(_is_data([field]) for field in fields):
                continue
            if np.mean([_is_data(fields_of(below, delimiter)) for _, below in rest]) < 0.5:
                continue
            if all(fits(below, delimiter, len(fields)) for _, below in rest):
                return at, line
    return first_at, first


def _without_units(names: list[str], units: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Names such as ``ra [deg]`` or ``pmra(mas/yr)`` without their units, and the units by name."""
    found = [re.fullmatch(r"(.*\S)\s*[\[(]([^\[\]()]+)[\])]", name) for name in names]
    divided = [
        (match[1], match[2]) if match and _UNIT.fullmatch(match[2].strip()) else (name, "")
        for name, match in zip(names, found, strict=True)
    ]
    short = [name for name, _ in divided]
    if len(set(short)) < len(set(names)):
        return names, units
    return short, units | {name: unit for name, unit in divided if unit}


def _after(text: Content, start: int) -> int:
    end = text.find(b"\n", start)
    return len(text) if end < 0 else end + 1


def _following(text: Content, first_at: int) -> list[tuple[int, str]]:
    """Some lines after the first, each with where it begins."""
    lines: list[tuple[int, str]] = []
    for at, line in lines_from(text, _after(text, first_at)):
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
        fields = fields_of(first, delimiter)
        agreement = np.mean([fits(line, delimiter, len(fields)) for _, line in rest]) if rest else 1.0
        heading: tuple[int, list[str]] | None = (first_at, fields)
        if len(fields) == 1 and re.fullmatch(r"\d{15,19}", first.strip()):  # identifiers, and nothing else
            heading = (-1, ["source_id"])
        elif _is_data(fields):
            named = ((at, fields_of(line.lstrip(_MARKS), delimiter)) for at, line in reversed(comments))
            heading = next(
                ((at, names) for at, names in named if len(names) == len(fields) and not _is_data(names)),
                None,
            )
        is_divided = any(mark in first for mark in _DELIMITERS)
        if heading is None or (
            len(fields) == 1 and len(delimiters) > 1 and (is_divided or delimiter != BLANKS)
        ):
            continue
        rank = (float(agreement >= 0.5), len(fields) if delimiter != BLANKS else 1)
        if best is None or rank > best[0]:
            best = (rank, delimiter, heading[1], heading[0])
    if best is None:
        raise HeaderlessError(
            f"it has no header: the first line that is no comment is {first.strip()[:60]!r}, a row of values; "
            "write the names of the columns above it"
        )
    delimiter = best[1] if len(best[2]) > 1 else ","  # blanks in a single column divide nothing
    return delimiter, [name.strip().lstrip("#").strip() for name in best[2]], best[3]


def fields_of(line: str, delimiter: str) -> list[str]:
    """Values of a line, out of their quotes."""
    if delimiter == BLANKS:
        line, delimiter = re.sub(r"[ \t]+", " ", line.strip()), " "
    line = line.replace("\r", " ")
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def fits(line: str, delimiter: str, n_columns: int) -> bool:
    """Whether a line has as many values as there are columns; a delimiter at its end does not count."""
    fields = fields_of(line, delimiter)
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
        "delimiter": BLANKS if delimiter == " " else delimiter,
        "units": {c["name"]: str(c["unit"]) for c in columns if c.get("unit")},
        "strings": frozenset(c["name"] for c in columns if c.get("datatype") == "string"),
        "arrays": frozenset(c["name"] for c in columns if c.get("subtype")),
    }
