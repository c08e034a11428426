"""Tables that say what they are, written quickly as VOTable: an XML head, and the rows as one BINARY2 stream.

astropy writes the same stream row by row, which takes half a minute for 200,000 stars.
"""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.columns import Description, describe
from gaia_oc_amd.files.data_directory import write_atomically

Value = str | bool | int | float


@contextmanager
def foreign_units() -> Iterator[None]:
    """Read other people's VOTables in a block, and forget the units that they made up.

    astropy keeps a unit that is none (``electron`` without quotes) for the rest of the process, and reads and
    writes every later table by it.
    """
    from astropy.units.format import VOUnit

    known = VOUnit._custom_units
    before = dict(known)
    try:
        yield
    finally:
        known.clear()
        known.update(before)


@dataclass(frozen=True)
class DescribedTable:
    """A table with what it holds.

    Parameters
    ----------
    name : str
        Short name, ``NGC_2509 members``.
    text : str
        What its rows are.
    rows : DataFrame
        Numbers, booleans and strings.
    parameters : tuple of (Description, value)
        What holds for the whole table: cluster, limits, options, software.
    """

    name: str
    text: str
    rows: pd.DataFrame
    parameters: tuple[tuple[Description, Value], ...] = ()

    def columns(self) -> list[Description]:
        """What its columns mean."""
        return [describe(str(name)) for name in self.rows]


_VERSION = "1.4"
_NAMESPACE = "http://www.ivoa.net/xml/VOTable/v1.3"
"""Of version 1.4 too."""

_UNITS = {"mas/yr": "mas.yr**-1", "electron/s": "'electron'.s**-1", "1/um": "um**-1"}
"""Our units as VOUnits has them; it knows no electron, which therefore stands in quotes as in the Gaia archive."""

_DATATYPES = {"i": ("long", ">i8"), "f": ("double", ">f8"), "b": ("boolean", "S1")}
_ICRS = "gaia_icrs"
_IN_ICRS = ("ra", "dec", "pmra", "pmdec", "parallax")
_LINE = 3 << 17
"""Bytes per line of the stream; a multiple of 3, so that lines can be encoded one by one."""


def write_votable(path: Path, table: DescribedTable) -> None:
    """Write a table as VOTable 1.4 with a BINARY2 stream, as a whole or not at all.

    Parameters
    ----------
    path : path
        The file.
    table : DescribedTable
        What to write, as `votable_content` has it.
    """
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        file.writelines(votable_content(table))


def votable_content(table: DescribedTable) -> Iterator[bytes]:
    """Content of the file that `write_votable` writes, in parts.

    Parameters
    ----------
    table : DescribedTable
        Integers are long, floating-point numbers double with NaN where a value is missing, strings UTF-8 of a fixed
        length, empty where one is missing. Missing values of pandas' nullable integers and booleans are flagged.

    Yields
    ------
    bytes
    """
    fields = [_encoded(table.rows[name]) for name in table.rows]
    head, tail = _document(table, fields).split(_DATA)
    rows = _stream(fields, _missing(table.rows))
    yield head.encode() + _BEFORE
    for start in range(0, len(rows), _LINE):
        yield base64.b64encode(rows[start : start + _LINE]) + b"\n"
    yield _AFTER + tail.encode()


def votable_head(table: DescribedTable) -> str:
    """VOTable of a table's columns and parameters, without its rows."""
    document = _document(table, [_encoded(table.rows[name]) for name in table.rows])
    return document.replace(_DATA, "")


_BEFORE, _AFTER = b'<DATA><BINARY2><STREAM encoding="base64">\n', b"</STREAM></BINARY2></DATA>"
_DATA = "<DATA/>"
"""Holds the place of the rows; no text can be taken for it, for it would be escaped."""


def _encoded(column: pd.Series) -> NDArray[Any]:
    """Column as its bytes stand in the stream."""
    values = (column.fillna(0) if _is_nullable(column) else column).to_numpy()
    kind = values.dtype.kind.replace("u", "i")
    if kind == "b":
        return np.where(values, b"T", b"F").astype("S1")
    if kind in "if":
        return values.astype(_DATATYPES[kind][1])
    text = ["" if value is None or value != value else str(value) for value in values]
    encoded = np.array([value.encode() for value in text] or [b""])[: len(text)]
    return encoded.astype(f"S{max(encoded.dtype.itemsize, 2)}")  # S1 is a boolean


def _is_nullable(column: pd.Series) -> bool:
    """Whether pandas keeps apart which of its numbers are missing."""
    return isinstance(column.dtype, pd.api.extensions.ExtensionDtype) and column.dtype.kind in "biuf"


def _missing(rows: pd.DataFrame) -> NDArray[np.uint8]:
    """Flags of BINARY2, a bit for each column of each row: floating-point numbers have NaN, and need none."""
    flags = np.zeros(rows.shape, bool)
    for number, name in enumerate(rows):
        if _is_nullable(rows[name]):
            flags[:, number] = rows[name].isna()
    return np.packbits(flags, axis=1)


def _stream(fields: list[NDArray[Any]], missing: NDArray[np.uint8]) -> bytes:
    """Rows of BINARY2: bits that say what is missing, then the values."""
    names = [f"f{number}" for number in range(len(fields))]
    dtype = [
        ("missing", np.uint8, missing.shape[1:]),
        *zip(names, (field.dtype for field in fields), strict=True),
    ]
    rows = np.empty(len(missing), dtype)
    rows["missing"] = missing
    for name, field in zip(names, fields, strict=True):
        rows[name] = field
    return rows.tobytes()


def _document(table: DescribedTable, fields: list[NDArray[Any]]) -> str:
    """The XML with `_DATA` in the place of the rows."""
    root = ElementTree.Element("VOTABLE", {"version": _VERSION, "xmlns": _NAMESPACE})
    resource = ElementTree.SubElement(root, "RESOURCE", {"type": "results"})
    ElementTree.SubElement(resource, "COOSYS", {"ID": _ICRS, "system": "ICRS", "epoch": "J2016.0"})
    identifier = re.sub(
        r"\W", "_", table.name if table.name[:1].isalpha() else f"_{table.name}", flags=re.ASCII
    )
    about_table = {"ID": identifier, "name": table.name, "nrows": str(len(table.rows))}
    element = ElementTree.SubElement(resource, "TABLE", about_table)
    if table.text:
        ElementTree.SubElement(element, "DESCRIPTION").text = table.text
    for about, value in table.parameters:
        _described(element, "PARAM", about, _datatype_of(value) | {"value": _text(value)})
    for about, field in zip(table.columns(), fields, strict=True):
        frame = {"ref": _ICRS} if about.name in _IN_ICRS else {}
        _described(element, "FIELD", about, _datatype(field) | frame)
    ElementTree.indent(root, " ")
    text = ElementTree.tostring(root, encoding="unicode")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + text.replace("</TABLE>", f"{_DATA}</TABLE>") + "\n"


def _described(parent: ElementTree.Element, tag: str, about: Description, attributes: dict[str, str]) -> None:
    unit = _UNITS.get(about.unit, about.unit if about.unit != "log10(yr)" else "")
    known = {"name": about.name, "ucd": about.ucd, "unit": unit}
    element = ElementTree.SubElement(
        parent, tag, {key: text for key, text in known.items() if text} | attributes
    )
    if about.text:
        ElementTree.SubElement(element, "DESCRIPTION").text = about.text


def _datatype(field: NDArray[Any]) -> dict[str, str]:
    if field.dtype == np.dtype("S1"):
        return {"datatype": "boolean"}
    if field.dtype.kind == "S":
        return {"datatype": "char", "arraysize": str(field.dtype.itemsize)}
    return {"datatype": _DATATYPES[field.dtype.kind][0]}


def _datatype_of(value: Value) -> dict[str, str]:
    """Of a parameter."""
    if isinstance(value, str):
        return {"datatype": "char", "arraysize": "*"}
    return {
        "datatype": "boolean" if isinstance(value, bool) else "long" if isinstance(value, int) else "double"
    }


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(repr(value), str(value))
