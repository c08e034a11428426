"""Fingerprints change with what they stand for, and with nothing else."""

import os
import time

import numpy as np
import pandas as pd

from gaia_oc_amd.files.provenance import (
    arrays_fingerprint,
    file_fingerprint,
    table_fingerprint,
    value_fingerprint,
)

TABLE = pd.DataFrame({"source_id": [2**62 + 1, 2**62 + 2], "PMemb": [1.0, np.nan], "set": ["a", ""]})


def test_tables():
    assert table_fingerprint(TABLE) == table_fingerprint(TABLE.set_index(np.array([5, 6])))
    others = [
        TABLE.iloc[::-1],
        TABLE.rename(columns={"set": "part"}),
        TABLE.assign(PMemb=[1.0, 0.0]),
        TABLE.assign(source_id=TABLE["source_id"] + 1),
        TABLE.assign(set=["a", "b"]),
        TABLE.iloc[:1],
    ]
    assert len({table_fingerprint(table) for table in [TABLE, *others]}) == 1 + len(others)


def test_arrays_and_values():
    one = {"weight": np.arange(6.0).reshape(2, 3), "bias": np.zeros(2)}
    assert arrays_fingerprint(one) == arrays_fingerprint(dict(reversed(one.items())))
    assert arrays_fingerprint(one) != arrays_fingerprint(one | {"weight": one["weight"].reshape(3, 2)})
    assert value_fingerprint({"a": np.float64(1.5)}) == value_fingerprint({"a": 1.5})
    assert value_fingerprint({"a": 1.5}) != value_fingerprint({"a": 1.25})


def test_files(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    (tmp_path / "b").write_bytes(b"x" * 99_999 + b"y")
    assert file_fingerprint(tmp_path / "a") != file_fingerprint(tmp_path / "b")


def test_a_large_file_that_was_changed_and_looks_as_old_as_before(tmp_path):
    path = tmp_path / "large.csv"
    path.write_bytes(b"x" * (1 << 21))
    before, about = file_fingerprint(path), path.stat()
    time.sleep(0.05)  # a tick of the clock that older kernels stamp files with
    with path.open("r+b") as file:
        file.write(b"y")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))  # as `cp -p` and rsync set it
    assert file_fingerprint(path) != before
