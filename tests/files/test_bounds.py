"""Files beyond all measure are refused before memory is taken for them."""

import gzip
import io
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gaia_oc_amd.files import bounds
from gaia_oc_amd.files.tables import read_table


def refused(path, message, megabytes):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as caught:
            read_table(path)
        assert tracemalloc.get_traced_memory()[1] < megabytes * 1e6
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)


def test_a_million_columns(tmp_path):
    names = ",".join(f"c{n}" for n in range(100_000))
    (tmp_path / "t.csv").write_text(f"source_id,{names}\n1,{','.join('1' * 100_000)}\n")
    refused(tmp_path / "t.csv", "it has 100001 columns, at most 10000 are read", 20)
    (tmp_path / "t.csv").write_text(",".join(f"c{n}" for n in range(1_000_000)))
    refused(tmp_path / "t.csv", "its first line has more than 1048576 bytes", 20)


def test_one_field_without_end(tmp_path):
    with (tmp_path / "t.csv").open("wb") as file:
        file.write(b"source_id,note\n1,a\n2,")
        file.seek(640_000_000)
        file.write(b"\n3,c\n")
    refused(tmp_path / "t.csv", "a line has more than 4194304 bytes", 20)


def test_long_tables_of_short_lines_are_read(tmp_path):
    table = pd.DataFrame({"source_id": np.arange(1, 300_001), "g": 12.5, "note": "x" * 20})
    table.to_csv(tmp_path / "t.csv", index=False)
    assert len(read_table(tmp_path / "t.csv")) == 300_000


def test_a_gzip_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds.unpacked, "__defaults__", (50_000_000,))
    with gzip.open(tmp_path / "t.csv.gz", "wb", compresslevel=1) as file:
        for _ in range(100):
            file.write(bytes(1_000_000))
    refused(tmp_path / "t.csv.gz", "it unpacks to more than 50000000 bytes", 80)


def test_unpacking_is_that_of_gzip(tmp_path):
    content = np.random.default_rng(1).integers(0, 9, 9_000_000, dtype=np.uint8).tobytes()
    packed = gzip.compress(content, 1)
    (tmp_path / "two").write_bytes(packed + gzip.compress(b"more") + bytes(100))
    assert bounds.unpacked(tmp_path / "two") == content + b"more"
    (tmp_path / "cut").write_bytes(packed[:-1000])
    with pytest.raises(EOFError):
        bounds.unpacked(tmp_path / "cut")


def test_a_parquet_file_of_the_same_value_a_billion_times(tmp_path):
    """Its footer names one group of a million rows nine hundred times; all of them can be read."""
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000, np.int8)), pa.array([1.5]))
    path, footer = tmp_path / "t.parquet", io.BytesIO()
    pq.write_table(pa.table({f"c{n}": column for n in range(5)}), path)
    once, many = pq.read_metadata(path), pq.read_metadata(path)
    for _ in range(899):
        many.append_row_groups(once)
    many.write_metadata_file(footer)
    rows = path.read_bytes()[
        : -8 - once.serialized_size
    ]  # without the footer, its length and the closing mark
    path.write_bytes(rows + footer.getvalue()[4:])  # without the opening mark
    assert pq.ParquetFile(path).read_row_group(899)["c4"][999_999].as_py() == 1.5
    assert path.stat().st_size < 1_000_000
    refused(
        tmp_path / "t.parquet", "it has 900000000 rows of 5 columns, at most 4000000000 values are read", 60
    )
