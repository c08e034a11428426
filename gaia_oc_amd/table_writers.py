"""FITS, ECSV and Parquet files of described tables, which astropy, pandas and TOPCAT read with all they hold."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.column_descriptions import Description
from gaia_oc_amd.files.data_directory import write_atomically
from gaia_oc_amd.files.tables import write_rows
from gaia_oc_amd.files.votable import DescribedTable, Value, votable_head

_CARD = 80
"""Characters of a line of a FITS header."""
_FITS_UNITS = {"mas/yr": "mas yr-1", "electron/s": "electron s-1", "1/um": "um-1"}
"""Our units as the FITS standard writes them; it has no electron either."""


def write_fits(path: Path, table: DescribedTable) -> None:
    """Write a table as FITS binary table, as a whole or not at all.

    Parameters
    ----------
    path : path
        The file.
    table : DescribedTable
        Columns get TUNIT, TCOMM (description) and TUCD, as TOPCAT reads them. Parameters with long names are HIERARCH
        cards; those that do not fit into one are comments. Characters beyond ASCII become question marks.
    """
    from astropy.io import fits

    rows = table.rows.rename(columns=str)
    packed = np.zeros(len(rows), [(name, _fits_values(rows[name]).dtype) for name in rows])
    for name in rows:
        packed[name] = _fits_values(rows[name])
    unit = fits.BinTableHDU(packed, name=table.name.split(" ")[-1])
    for number, about in enumerate(table.columns(), 1):
        _describe_fits_column(unit, number, about)
    unit.header["RADESYS"] = ("ICRS", "of ra, dec, pmra, pmdec")
    unit.header["COMMENT"] = _ascii(table.text)
    for about, value in table.parameters:
        _add_card(unit.header, about, value)
    with write_atomically(path) as temporary:
        fits.HDUList([fits.PrimaryHDU(), unit]).writeto(temporary, overwrite=True)


def _fits_values(column: pd.Series) -> NDArray[Any]:
    values = column.to_numpy()
    if values.dtype.kind in "bif":
        return values
    text = ["" if value is None or value != value else _ascii(str(value)) for value in values]
    return np.array([value.encode() for value in text] or [b""])[: len(text)]


def _describe_fits_column(unit: Any, number: int, about: Description) -> None:
    if about.unit:
        unit.columns[number - 1].unit = _FITS_UNITS.get(about.unit, about.unit)
    unit.header.comments[f"TTYPE{number}"] = about.text[: _CARD - len(f"TTYPE000= '{about.name:<18}' / ")]
    for key, text in ((f"TUCD{number}", about.ucd), (f"TCOMM{number}", about.text)):
        if text:
            unit.header[key] = text


def _add_card(header: Any, about: Description, value: Value) -> None:
    """A parameter as a card, or as a comment where it does not fit into one."""
    value = _ascii(value) if isinstance(value, str) else value
    shown = f"'{value}'" if isinstance(value, str) else str(value)
    if (isinstance(value, float) and not np.isfinite(value)) or len(
        f"HIERARCH {about.name} = {shown}"
    ) > _CARD:
        header["COMMENT"] = f"{about.name} = {value}"
        return
    key = about.name.upper()
    note = f"[{about.unit}] {about.text}" if about.unit else about.text
    fits_in = len(f"HIERARCH {key} = {shown:>20} / {note}") <= _CARD
    header[f"HIERARCH {key}" if len(key) > 8 else key] = (value, note if fits_in else "")


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def write_ecsv(path: Path, table: DescribedTable) -> None:
    """Write a table as ECSV: a CSV file with astropy's description of its columns above, as a whole or not at all.

    Parameters
    ----------
    path : path
        The file.
    table : DescribedTable
        Parameters become the table's ``meta``. The rows are those of our CSV files, to the last digit; a
        missing value is empty.
    """
    lines = ["%ECSV 1.0", "---", "delimiter: ','", *_yaml(table)]
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        file.write("".join(f"# {line}\n" for line in lines).encode())
        write_rows(file, table.rows)


def write_parquet(path: Path, table: DescribedTable) -> None:
    """Write a table as Parquet, as a whole or not at all.

    Parameters
    ----------
    path : path
        The file.
    table : DescribedTable
        Its description is kept three times: for pandas, for astropy (``table_meta_yaml``), and as the head of a
        VOTable for TOPCAT and other tools of the Virtual Observatory (IVOA note VOParquet 1.0).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pa.Table.from_pandas(table.rows, preserve_index=False)
    fields = [
        field.with_metadata({"unit": about.unit, "ucd": about.ucd, "description": about.text})
        for field, about in zip(rows.schema, table.columns(), strict=True)
    ]
    words = {
        name: table.rows[name] for name in table.rows if not pd.api.types.is_numeric_dtype(table.rows[name])
    }
    about_all = {
        **rows.schema.metadata,
        "table_meta_yaml": "\n".join(_yaml(table)),
        **{f"table::len::{name}": str(_longest(column)) for name, column in words.items()},
        "IVOA.VOTable-Parquet.version": "1.0",
        "IVOA.VOTable-Parquet.content": votable_head(table),
    }
    few_values = [name for name in table.rows if not pd.api.types.is_float_dtype(table.rows[name])]
    with write_atomically(path) as temporary:
        pq.write_table(
            pa.Table.from_arrays(rows.columns, schema=pa.schema(fields, about_all)),
            temporary,
            use_dictionary=[name for name in few_values if name != "source_id"],
        )


def _longest(column: pd.Series) -> int:
    """Length of the longest string, as astropy wants to know it."""
    return max((len(str(value)) for value in column), default=1) or 1


def _yaml(table: DescribedTable) -> list[str]:
    """Astropy's description of a table, as ECSV and Parquet files hold it."""
    from astropy.table import Column, Table, meta

    empty = Table(meta={"name": table.name, "description": table.text} | _plain(table.parameters))
    for about in table.columns():
        values = table.rows[about.name].to_numpy()[:0]
        empty[about.name] = Column(
            values if values.dtype.kind in "bif" else values.astype("U1"),
            unit=about.unit or None,
            description=about.text or None,
            meta={"ucd": about.ucd} if about.ucd else None,
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return meta.get_yaml_from_table(empty)


def _plain(parameters: tuple[tuple[Description, Value], ...]) -> dict[str, Value]:
    return {about.name: value for about, value in parameters}
