"""Identifiers and sentences come out of their packing as they went in."""

import base64
import gzip
import json

import numpy as np

from gaia_oc_amd.report.lookup import packed_identifiers, packed_texts


def unpacked(text):
    return gzip.decompress(base64.b64decode(text))


def test_identifiers_are_their_differences():
    rng = np.random.default_rng(1)
    ids = np.sort(rng.integers(2**62, 2**63 - 1, 1000))
    planes = np.frombuffer(unpacked(packed_identifiers(ids)), np.uint8).reshape(8, -1)
    differences = np.ascontiguousarray(planes.T).view(">u8").ravel()
    np.testing.assert_array_equal(np.cumsum(differences.astype(np.uint64)), ids.astype(np.uint64))


def test_identifiers_of_a_cone_take_half_of_their_bytes():
    rng = np.random.default_rng(1)
    ids = 5_853_498_713_190_525_696 + 128 * np.sort(rng.integers(0, 2**44, 50_000))
    assert len(unpacked(packed_identifiers(ids))) == 400_000
    assert len(packed_identifiers(ids)) < 270_000


def filled(packing):
    """The sentences, as report_data.js puts them together."""
    used = [0] * len(packing["patterns"])
    columns = [[column.split(" ") for column in columns] for columns in packing["numbers"]]
    for number in packing["chosen"]:
        parts, row = packing["patterns"][number].split("\0"), used[number]
        used[number] += 1
        values = [column[row] for column in columns[number]]
        yield parts[0] + "".join(value + part for value, part in zip(values, parts[1:], strict=True))


def test_sentences_are_patterns_and_numbers():
    texts = [
        "parallax -3.4 sigma off: -1.402 mas (limit 1.315)",
        "no colour (G-RP)",
        "parallax +12 sigma off: +0.790 mas (limit 0.571)",
        "odds 38,000 times lower",
        '# 5 </script> " of a file that anybody may have written',
        "",
    ]
    packing = json.loads(unpacked(packed_texts(texts)))
    assert len(packing["patterns"]) == 5
    assert list(filled(packing)) == texts


def test_nothing_is_packed_into_nothing():
    assert unpacked(packed_identifiers(np.zeros(0, np.int64))) == b""
    assert json.loads(unpacked(packed_texts([]))) == {"patterns": [], "chosen": [], "numbers": []}
