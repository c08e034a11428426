"""Fingerprints change with what they stand for, and with nothing else."""

import numpy as np
import pandas as pd

from gaia_oc_amd import fingerprints
from gaia_oc_amd.fingerprints import (
    arrays_fingerprint,
    code_fingerprint,
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


def test_code_that_is_not_run_does_not_count(tmp_path, monkeypatch):
    files = {
        "sets": "from gaia_oc_amd.stars import f\n",
        "stars": "def f():\n    from gaia_oc_amd.light import g\n",
        "light": "from gaia_oc_amd.sets import h\n",
        "plots": "from gaia_oc_amd.sets import h\n",
    }

    def fingerprint(**changes):
        for name, text in (files | changes).items():
            (tmp_path / f"{name}.py").write_text(text)
        code_fingerprint.cache_clear()
        return code_fingerprint("sets")

    monkeypatch.setattr(fingerprints, "_PACKAGE", tmp_path)
    before = fingerprint()
    assert fingerprint(plots="1\n") == before
    assert fingerprint(light="from gaia_oc_amd.sets import i\n") != before
    assert fingerprint() == before
    code_fingerprint.cache_clear()


def test_the_sets_do_not_depend_on_the_plots():
    assert "plotting" not in fingerprints._sources(("set_building", "source_sets"))
    assert {"candidates", "isochrones", "cone", "extinction"} <= set(fingerprints._sources(("set_building",)))
