"""The sets as described tables in the formats of other programs."""

import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd._version import __version__
from gaia_oc_amd.columns import Description, describe
from gaia_oc_amd.files.data_directory import CLUSTER_FILE, read_json, write_atomically
from gaia_oc_amd.files.provenance import (
    Stage,
    read_provenance,
    run_stage,
    value_fingerprint,
)
from gaia_oc_amd.files.tables import read_table, write_rows
from gaia_oc_amd.files.votable import DescribedTable, Value, votable_head, write_votable
from gaia_oc_amd.member_list import MEMBER_LIST
from gaia_oc_amd.options import EXPORT_SUFFIXES
from gaia_oc_amd.source_sets import FIT, SET_FILES, SET_NAMES, SourceSets, load_sets, set_fingerprints

SET_DESCRIPTIONS = {
    "members": "training members of the cluster: listed members that pass the candidate selection",
    "candidates": "candidates: stars that pass the candidate selection, listed members that do not, and after an "
    "evaluation the training members once more, scored without themselves",
    "non_members": "stars of the cone that do not pass the candidate selection",
    "comparison": "stars of the comparison list that are in the cone, whatever set they are in",
    MEMBER_LIST: "member list: all stars that may be members, with their membership probabilities",
}

REFERENCES = (
    "Gaia Collaboration, Vallenari et al. 2023, A&A 674, A1, doi:10.1051/0004-6361/202243940 (data)",
    "van Groeningen et al. 2023, A&A 675, A68, doi:10.1051/0004-6361/202345952 (method)",
)

_LIMITS = {
    "pm": ("mas/yr", "Largest difference in proper motion of a candidate without errors (Eq. 6)"),
    "parallax_far": ("mas", "The same of a parallax below the mean (Eqs. 8 to 10)"),
    "parallax_near": ("mas", "The same of a parallax above the mean (Eqs. 8 to 10)"),
    "colour": ("mag", "The same of the colour, from the isochrone (Eq. 11)"),
    "g": ("mag", "The same of G, from the isochrone (Eq. 12)"),
}
_ENDS = {
    "lower": ": 16 % quantile of its tempered posterior",
    "upper": ": 84 % quantile of its tempered posterior",
}
_NOT_OF_THE_RESULT = ("overwrite_cone",)


def described_set(name: str, rows: pd.DataFrame, folder: Path) -> DescribedTable:
    """One set of a cluster with all that its folder knows of it.

    Parameters
    ----------
    name : str
        ``members``, ``candidates``, ``non_members``, ``comparison`` or ``member_list``.
    rows : DataFrame
        Its stars.
    folder : path
        The cluster's folder.

    Returns
    -------
    DescribedTable
        Without dates and without anything that differs between equal runs.
    """
    text = f"{folder.name}, {SET_DESCRIPTIONS[name]}"
    return DescribedTable(f"{folder.name} {name}", text, rows, tuple(_parameters(folder)))


def _parameters(folder: Path) -> Iterator[tuple[Description, Value]]:
    """What holds for all sets of a cluster; what is unknown (null) is left out."""
    content = read_json(folder / CLUSTER_FILE)
    yield Description("cluster", "", "meta.id;src", "Name of the open cluster"), folder.name
    yield (
        Description("creator", "", "meta.software", "Program that made the sets"),
        f"gaia_oc_amd {content['version']}",
    )
    for number, reference in enumerate(REFERENCES, 1):
        yield Description(f"reference_{number}", "", "meta.bib", "What to cite"), reference
    for name, value in content["cluster"].items():
        if name != "name" and value is not None:
            yield cluster_parameter(name), value
    for name, value in content.get(FIT, {}).items():
        quantity, _, end = name.partition("_")
        about = describe(quantity)
        text = f"{about.text or name}, by fit_isochrone.py{_ENDS.get(end, '')}"
        yield Description(f"fit_{name}", about.unit, about.ucd, text), value
    for name, value in content["limits"].items():
        if value is not None:
            yield Description(f"limit_{name}", _LIMITS[name][0], "", _LIMITS[name][1]), value
    for group in content["options"].values():
        yield from _options("option", group, "Option of build_sets.py")
    cone = _record(folder / "cone.json")
    yield from _options("cone", {"source": cone.get("source")}, "Where the stars were taken from")
    evaluation = read_provenance(folder).get("evaluation", {}).get("made_with", {})
    yield from _options("evaluation", {"model": evaluation.get("model")}, "Fingerprint of the network")
    options = evaluation.get("options", {})
    chosen = options.get("sampling", {}) | {"seed": options.get("seed")}
    yield from _options("evaluation", chosen, "Option of evaluate_clusters.py")


def cluster_parameter(name: str) -> Description:
    """Description of a parameter of a cluster; that of the column of the same name is about a star.

    Parameters
    ----------
    name : str
        A field of `cluster.Cluster`, but its name.

    Returns
    -------
    Description
        Its name begins with ``cluster_``.
    """
    about = describe(name)
    scatter = "Standard deviation of the members' " + name.removesuffix("_error")
    mean = {
        "ra": "Mean right ascension of the members, ICRS",
        "dec": "Mean declination of the members, ICRS",
        "pmra": "Weighted mean of the members' pmra",
        "pmdec": "Weighted mean of the members' pmdec",
        "parallax": "Weighted mean of the members' parallaxes",
        **dict.fromkeys(("pmra_error", "pmdec_error", "parallax_error"), scatter),
    }
    ucd = about.ucd.replace(";meta.main", "")
    if name in ("pmra_error", "pmdec_error", "parallax_error"):
        ucd = ucd.replace("stat.error", "stat.stdev")
    return Description(f"cluster_{name}", about.unit, ucd, mean.get(name, about.text))


def _options(prefix: str, values: dict[str, Any], text: str) -> Iterator[tuple[Description, Value]]:
    """Options that have a value; several values in one are joined by spaces."""
    for name, value in values.items():
        if value is None or name in _NOT_OF_THE_RESULT:
            continue
        plain = " ".join(map(str, value)) if isinstance(value, list | tuple) else value
        if isinstance(plain, str):  # a path may hold what no table format does
            plain = "".join(letter if letter.isprintable() else "?" for letter in plain)
        yield Description(f"{prefix}_{name}", "", "", text), plain


def _record(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


_FITS_UNITS = {"electron/s": "electron s-1"}
"""Units that the FITS standard does not know, so that astropy would leave them out."""


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
    from astropy.table import Table

    columns = {name: _fits_values(table.rows[name]) for name in table.rows}
    rows = Table(
        columns, units={about.name: about.unit for about in table.columns() if about.unit}, copy=False
    )
    rows.meta = {"EXTNAME": table.name.split(" ")[-1], "RADESYS": "ICRS"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the standard has no electron, and long names are HIERARCH
        unit = fits.table_to_hdu(rows)
        for number, about in enumerate(table.columns(), 1):
            unit.header[f"TUCD{number}"], unit.header[f"TCOMM{number}"] = about.ucd, about.text
            unit.header.comments[f"TTYPE{number}"] = about.text  # cut where the card ends
            if about.unit in _FITS_UNITS:
                unit.columns[number - 1].unit = _FITS_UNITS[about.unit]
        unit.header["COMMENT"] = _ascii(table.text)
        for about, value in table.parameters:
            unit.header.append(_fits_card(about, _ascii(value) if isinstance(value, str) else value))
        with write_atomically(path) as temporary:
            fits.HDUList([fits.PrimaryHDU(), unit]).writeto(temporary, overwrite=True)


def _fits_values(column: pd.Series) -> NDArray[Any]:
    values = column.to_numpy()
    if values.dtype.kind in "bif":
        return values
    return np.array(
        ["" if value is None or value != value else _ascii(str(value)) for value in values], bytes
    )


def _fits_card(about: Description, value: Value) -> Any:
    """A parameter as a card with its unit and meaning, or as a comment where no card can hold it."""
    from astropy.io.fits import Card

    key = f"HIERARCH {about.name.upper()}" if len(about.name) > 8 else about.name
    try:
        card = Card(key, value, f"[{about.unit}] {about.text}" if about.unit else about.text)
        str(card)  # is made only now
    except ValueError:
        card = Card("COMMENT", f"{about.name} = {value}")
    return card


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


def write_mrt(path: Path, table: DescribedTable) -> None:
    """Write a table as the machine-readable table of a paper (the AAS journals' format), by astropy.

    Parameters
    ----------
    path : path
        The file.
    table : DescribedTable
        Columns get unit and meaning in the byte-by-byte description; a missing value is blank. Numbers have as many
        digits as their errors leave them, positions nine decimals (4 microarcseconds).
    """
    from astropy.io import ascii
    from astropy.table import Column, MaskedColumn, Table

    rows, formats = Table(), {}
    for about in table.columns():
        values = table.rows[about.name]
        if values.dtype == bool:
            values = values.astype(int)
        text = values.dtype.kind not in "if"
        column = MaskedColumn if text or values.isna().any() else Column
        plain = values.fillna("").astype(str).to_numpy().astype("U") if text else values.to_numpy()
        missing = (
            {"mask": plain == "" if text else values.isna().to_numpy()} if column is MaskedColumn else {}
        )
        rows[about.name] = column(
            plain, unit=about.unit if about.unit != "log10(yr)" else None, description=about.text, **missing
        )
        if values.dtype.kind == "f":
            formats[about.name] = _MRT_DIGITS.get(
                about.name, "%.5f" if about.name.endswith("_error") else "%.4f"
            )
    with write_atomically(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about units that the standard does not know
        ascii.write(rows, temporary, format="mrt", formats=formats, overwrite=True)


_MRT_DIGITS = dict.fromkeys(("ra", "dec", "l", "b"), "%.9f") | {"PMemb": "%.6f", "f_r": "%.3f"}

WRITERS = {
    "votable": write_votable,
    "fits": write_fits,
    "ecsv": write_ecsv,
    "parquet": write_parquet,
    "mrt": write_mrt,
}
_SUFFIXES = EXPORT_SUFFIXES | {"mrt": ".mrt"}


def export_tables(folder: Path, formats: list[str], command: str = "") -> None:
    """Write sets and member list of a cluster in the formats that are asked for, as far as they are not there.

    The files of an earlier state of the sets are gone already: `source_sets.save_sets` and `save_candidates` remove
    them before they change a CSV file.

    Parameters
    ----------
    folder : path
        The cluster's folder, held by `files.data_directory.locked`.
    formats : list of str
        Of `options.EXPORT_SUFFIXES`, and "mrt", which is written of the member list alone.
    command : str
        Shell command that does it, for provenance.json.
    """
    if not formats:
        return
    sets = load_sets(folder.name, folder.parents[1])
    made_with = {
        "sets": set_fingerprints(folder, (*SET_FILES, f"{MEMBER_LIST}.csv")),
        "parameters": value_fingerprint(
            [
                (about.name, value)
                for about, value in described_set("members", sets.members, folder).parameters
            ]
        ),
        "version": __version__,
    }
    for name in formats:
        stage = Stage(f"tables_{name}", made_with, command)
        run_stage(folder, stage, partial(write_sets, sets, folder, name))


def write_sets(sets: SourceSets, folder: Path, format: str) -> tuple[dict[str, Any], list[str]]:
    """Write sets and member list in one format; returns the names of the files."""
    names: tuple[str, ...] = () if format == "mrt" else SET_NAMES
    tables = {name: sets.table(name) for name in names}
    if (folder / f"{MEMBER_LIST}.csv").exists():
        tables[MEMBER_LIST] = read_member_list(folder)
    files = [f"{name}{_SUFFIXES[format]}" for name in tables]
    for (name, table), file in zip(tables.items(), files, strict=True):
        WRITERS[format](folder / file, described_set(name, table, folder))
    return {}, files


def read_member_list(folder: Path) -> pd.DataFrame:
    """The member list as it was written; what is empty there is an empty word."""
    table = read_table(folder / f"{MEMBER_LIST}.csv")
    words = {name: table[name].astype(object).fillna("").astype("str") for name in _WORDS}
    return table.assign(**words)


_WORDS = ("origin", "rejected_by", "flags")
