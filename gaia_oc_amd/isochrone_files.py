"""Isochrone files as PARSEC's CMD web form writes them."""

import io
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from gaia_oc_amd.isochrones import LAST_LABEL

_NEEDED = ("Zini", "logAge", "Mini", "logTe", "logg", "label", "Gmag", "G_BPmag", "G_RPmag")
_FIRST_ROW = re.compile(rb"^(?!#)[^\S\r\n]*[^\s]", re.MULTILINE)


def read_isochrones(path: Path | str) -> pd.DataFrame:
    """Read isochrones as PARSEC's CMD web form writes them.

    The column names are read from the last comment line before the first row of data: they differ between
    the form's versions.

    Parameters
    ----------
    path : path
        The file, by default ``isochrones.dat`` in the data directory.

    Returns
    -------
    DataFrame
        Columns Zini, logAge, Mini, logTe, logg, label, Gmag, G_BPmag, G_RPmag of every point.

    Raises
    ------
    ValueError
        If the file has no such table.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file: run `python download_isochrones.py`.")
    content = path.read_bytes().rstrip()
    table = _rows(content, _column_names(content, path), path)
    if not np.isfinite(table.to_numpy()).all() or not (table["label"] <= LAST_LABEL).any():
        raise ValueError(
            f"{path} has missing values or no star before the asymptotic giant branch: download it again."
        )
    if b"terminated" not in content[content.rfind(b"\n") + 1 :]:
        warnings.warn(f"{path} does not end as PARSEC's files do: is it complete?", stacklevel=2)
    return table


def _column_names(content: bytes, path: Path) -> list[str]:
    """Names in the line before the first row."""
    first = _FIRST_ROW.search(content)
    if first is None or not first.start():
        raise ValueError(f"{path} has no isochrone table: run `python download_isochrones.py`.")
    header = content[: first.start()].decode(errors="replace").splitlines()[-1]
    names = header.lstrip("#").split()
    absent = [name for name in _NEEDED if name not in names]
    if absent:
        raise ValueError(
            f"{path} lacks the columns {', '.join(absent)}: ask the CMD form for the photometric system "
            "'Gaia EDR3' and isochrone tables, or run `python download_isochrones.py`."
        )
    return names


def _rows(content: bytes, names: list[str], path: Path) -> pd.DataFrame:
    """The needed columns as numbers; every row must be as long as the header."""
    try:
        table = pd.read_csv(
            io.BytesIO(content),
            sep=r"\s+",
            header=None,  # the first row says how many columns there are; a longer one is an error
            comment="#",
            low_memory=False,
            encoding_errors="replace",
        )
        unequal = table.shape[1] != len(names) or table.iloc[:, -1].isna().any()
    except pd.errors.ParserError:
        unequal = True
    if unequal:
        raise ValueError(f"{path} has rows of unequal length, it looks truncated: download it again.")
    try:
        return table.set_axis(names, axis=1)[[*_NEEDED]].astype(float)
    except ValueError as error:
        raise ValueError(f"{path} has a value that is no number ({error}): download it again.") from error
