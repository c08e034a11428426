"""CSV files hold the same values as those of pandas, bit for bit."""

import errno
import io

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from gaia_oc_amd.files.tables import read_table, write_rows

BIG = 5853498713190525696  # not representable as a float


@pytest.fixture
def table():
    """Everything that makes numbers and strings hard to write."""
    rng = np.random.default_rng(11)
    n = 5000
    bits = rng.integers(0, 2**64, n, dtype=np.uint64).view(np.float64)  # of every size, NaN among them
    special = [
        0.0,
        -0.0,
        np.inf,
        -np.inf,
        np.nan,
        5e-324,
        np.finfo(float).max,
        1e15,
        1e16,
        1e17,
        1e-5,
        1e-7,
        0.1 + 0.2,
    ]
    words = ["", "isochrone", "proper_motion+parallax", "M 67", "\N{GREEK SMALL LETTER ALPHA} Per", " x "]
    return pd.DataFrame(
        {
            "source_id": BIG + rng.integers(0, 2**60, n),
            "bits": bits,
            "special": np.resize(special, n),
            "whole": np.resize([0.0, -0.0, 1.0, np.nan, 1e15, 1e22, -3.0, np.inf], n),
            "counts": rng.integers(-500, 500, n),
            "empty": np.nan,
            "words": pd.Series(np.resize(words, n), dtype="str"),
            "missing": pd.Series(np.resize(["a", None], n), dtype="str"),
            'a name, "quoted"': rng.normal(size=n),
        }
    )


def written(table):
    file = io.BytesIO()
    write_rows(file, table)
    return file.getvalue()


def assert_same(result, expected):
    pd.testing.assert_frame_equal(result, expected, check_exact=True)
    for name in expected.select_dtypes(float):
        np.testing.assert_array_equal(np.signbit(result[name]), np.signbit(expected[name]))


QUOTED = ["x,y", 'say "x"', "two\nlines", "a\rb", "plain"]


@pytest.mark.parametrize("change", [
    lambda table: table,
    lambda table: table.iloc[:0],
    lambda table: table.iloc[:1],
    lambda table: table.iloc[::-7],  # strides and another index
    lambda table: table.assign(words=pd.Series(np.resize(QUOTED, len(table)), dtype="str")),
    lambda table: table.assign(words=table["source_id"] > BIG + 2**59),
    lambda table: table.astype({"counts": "Int64"}),
    lambda table: table.assign(bits=np.float32(0.1)),
    lambda table: table[["whole"]],
    lambda table: table.astype({"words": object}),
])  # fmt: skip
def test_values_and_types_are_those_of_a_plain_pandas_round_trip(table, change):
    table = change(table)
    plain = pd.read_csv(io.StringIO(table.to_csv(index=False)), low_memory=False)
    assert_same(pd.read_csv(io.BytesIO(written(table)), low_memory=False), plain)


def test_numbers_come_back_bit_for_bit(table, tmp_path):
    (tmp_path / "t.csv").write_bytes(written(table.iloc[:, :-1]))
    result = read_table(tmp_path / "t.csv")
    for name in ("source_id", "bits", "special", "whole", "counts", "empty"):
        assert result[name].dtype == table[name].dtype
        number = table[name].notna()
        expected = table[name][number].to_numpy().view(np.int64)
        np.testing.assert_array_equal(result[name][number].to_numpy().view(np.int64), expected)
        assert result[name][~number].isna().all()


def test_the_header_and_the_quotes_are_those_of_pandas(table):
    table = (
        table[["source_id", 'a name, "quoted"', "words", "counts"]]
        .iloc[:40]
        .assign(words=np.resize(QUOTED, 40))
    )
    assert written(table).decode() == table.to_csv(index=False)


def test_whole_numbers_keep_their_decimal_point_and_words_need_no_quotes():
    table = pd.DataFrame({"PMemb": [1.0, 0.0, np.nan], "rejected_by": ["", "parallax", "isochrone"]})
    assert written(table) == b"PMemb,rejected_by\n1.0,\n0.0,parallax\n,isochrone\n"


def test_astropy_reads_the_same(table):
    table = table.drop(columns=["bits", "special", "whole", "missing", "words"])  # beyond its own reader
    result = Table.read(written(table).decode(), format="ascii.csv", fast_reader=False)
    assert result.colnames == list(table)
    np.testing.assert_array_equal(result["source_id"], table["source_id"])
    np.testing.assert_array_equal(result['a name, "quoted"'], table['a name, "quoted"'])


def test_a_full_disk_is_named_by_its_error(table):
    class Full(io.BytesIO):
        def write(self, content):
            if self.tell() > 1000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(content)

    with pytest.raises(OSError) as caught:  # noqa: PT011
        write_rows(Full(), table)
    assert caught.value.errno == errno.ENOSPC


def test_strings_of_joined_tables_are_written_whole():
    """pyarrow 26 writes zeros and neighbouring columns in their place if they are handed over as they are."""
    new = pd.DataFrame({"cluster": "Simulated_1", "source_id": np.arange(900)})
    file = io.BytesIO()
    write_rows(file, new)
    old = pd.read_csv(io.BytesIO(file.getvalue()), dtype={"cluster": str})
    rows = pd.concat([old[old["cluster"] == "none"], new]).sort_values("cluster", kind="stable")
    file = io.BytesIO()
    write_rows(file, rows)
    assert file.getvalue().decode().splitlines()[1:] == [f"Simulated_1,{number}" for number in range(900)]
