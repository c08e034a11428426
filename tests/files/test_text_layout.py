"""Headers as people and programs write them are found; what leaves them open is refused."""

import pytest

from gaia_oc_amd.catalogues.tables import read_member_list
from gaia_oc_amd.column_names import MEMBERS
from gaia_oc_amd.files.tables import read_table

BIG = 5853498713190525697
ROWS = [
    ("NGC_2509", BIG, 120.5, -19.25, 0.5),
    ("M_67", BIG + 2, 132.5, 11.75, 1.0),
    ("M_67", BIG + 4, 132.0, 12.0, 0.7),
]
NAMES = ["cluster", "source_id", "ra", "dec", "PMemb"]


def text(delimiter=",", names=NAMES, before="", after="", every=""):
    lines = [delimiter.join(map(str, row)) + every for row in ROWS]
    return before + delimiter.join(names) + every + "\n" + "\n".join(lines) + "\n" + after


@pytest.mark.parametrize(
    "content",
    [
        text(before="Members of NGC 2509\n"),
        text(before="Table 1. Members of NGC 2509,,,,\n\n"),
        text(";", before="sep=;\n"),
        text(before="Members\nof two clusters, with probabilities\nby me\n"),
        text(names=["cluster", "source_id", "ra [deg]", "dec(deg)", "PMemb"]),
        text(" ", before="% by me\n"),
        "% " + text(" "),
        "// " + text(" "),
        text(" ", before="! by me\n"),
        text(every=","),
        text(every=",,,,"),
        text(after="\x1a"),
        text(names=[f'" {name} "' for name in NAMES]),
        text("\t\t"),
        "\r".join(text().splitlines()[:2]) + "\n" + "\r\n".join(text().splitlines()[2:]) + "\n",
        " cluster | source_id | ra | dec | PMemb \n---------+----+-----+----+-----\n"
        + "\n".join(" " + " | ".join(map(str, row)) for row in ROWS)
        + "\n(3 rows)\n",
        "| cluster | source_id | ra | dec | PMemb |\n|---|---|---|---|---|\n"
        + "\n".join("| " + " | ".join(map(str, row)) + " |" for row in ROWS)
        + "\n",
        text().replace("120.5", "1.205D+02").replace("-19", "\u221219"),
    ],
)
def test_headers_are_found(tmp_path, content):
    (tmp_path / "m.csv").write_bytes(content.encode())
    table = read_table(tmp_path / "m.csv", names=MEMBERS)
    assert table[NAMES].values.tolist() == [list(row) for row in ROWS]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            ",".join(NAMES) + "\n" + "\n".join(" ".join(map(str, row)) for row in ROWS),
            r"its rows have 1 value\(s\), its header 5 columns: divide both in the same way",
        ),
        (
            "\n".join(line if not k else f"{k},{line}" for k, line in enumerate(text().splitlines())),
            "its rows have more columns than the header: 6 and 5, in line 2",
        ),
        (text(names=["a", "b", "ra [deg]", "ra [rad]", "e"]), "has no column source_id"),
    ],
)
def test_what_leaves_them_open_is_said(tmp_path, content, message):
    (tmp_path / "m.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_member_list(tmp_path / "m.csv")
