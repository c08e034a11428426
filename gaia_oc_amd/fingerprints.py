"""Fingerprints by which a later run knows files, tables and code again."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_oc_amd.data_directory import json_text


def file_fingerprint(path: Path | str) -> str:
    """Fingerprint of a file's bytes (BLAKE2b, 128 bits).

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, _hash).hexdigest()


def table_fingerprint(table: pd.DataFrame) -> str:
    """Fingerprint of a table's column names and values, in their order; the index does not count."""
    digest = _hash()
    digest.update(json.dumps([str(name) for name in table]).encode())
    digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def value_fingerprint(value: Any) -> str:
    """Fingerprint of anything that JSON can hold, of arrays, and of paths."""
    digest = _hash()
    digest.update(json_text(value).encode())
    return digest.hexdigest()


def arrays_fingerprint(arrays: dict[str, np.ndarray]) -> str:
    """Fingerprint of named arrays: names, shapes, types and bytes."""
    digest = _hash()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.shape} {array.dtype.str}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _hash() -> Any:
    return hashlib.blake2b(digest_size=16)
