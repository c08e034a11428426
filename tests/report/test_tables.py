"""Tables of numbers, of the selection function and of how everything was made."""

import shlex
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from hand_made_validation import hand_made
from report_sets import report_sets

from gaia_oc_amd.command_line import add_options, collect, make_parser
from gaia_oc_amd.files.data_directory import write_json
from gaia_oc_amd.member_list import our_members
from gaia_oc_amd.options import ConeOptions, GivenCluster, MemberOptions, SelectionOptions
from gaia_oc_amd.report.page import SELECTION_FUNCTION
from gaia_oc_amd.report.tables import commands, number_table, recorded, selection_function_table, truth_table
from gaia_oc_amd.validation import validate as selection_function


@pytest.fixture(scope="module")
def sets():
    return report_sets()


def test_numbers_by_magnitude_add_up(sets):
    table = number_table(sets, 0.5)
    numbers = (
        pd.DataFrame(table.rows, columns=table.columns).set_index("G [mag]").drop(columns="expected field")
    )
    numbers = numbers.apply(lambda column: column.str.replace(",", "").astype(float))
    np.testing.assert_allclose(numbers.iloc[1:].sum(), numbers.loc["all"], atol=0.3)
    ours = our_members(sets, 0.5)
    assert numbers.loc["all", "members, p ≥ 0.5"] == len(ours)
    assert numbers.loc["all", "Σ p"] == pytest.approx(ours["PMemb"].sum(), abs=0.06)
    assert numbers.loc["all", "new"] == (sets.candidates["PMemb"][40:] >= 0.5).sum()
    assert table.rows[0][table.columns.index("expected field")] == f"{100 * (1 - ours['PMemb'].mean()):.1f} %"


def test_selection_function_is_shown_as_it_was_measured():
    assert selection_function.SELECTION_FUNCTION == SELECTION_FUNCTION
    measured = selection_function.selection_function(hand_made(), (17.0, 18.0), (0.0, 2.0))
    table = selection_function_table(measured)
    assert [row[0] for row in table.rows] == ["all", "G 17 – 18", "0 – 2 pc"]
    assert table.rows[1][1].startswith("60.0 % (")
    assert table.rows[1][6].startswith("12.5 % (")
    with pytest.raises(ValueError, match="lacks the columns g_min"):
        selection_function_table(pd.DataFrame({"bin": ["all"]}))


def test_shares_that_do_not_exist_are_dashes():
    nothing = {"true": 2, "found": 0, "correct": 0, "completeness": 0.5, "contamination": np.nan}
    scores = pd.DataFrame([{"G": "x"} | nothing] * 6)
    assert truth_table(scores, 0.5).rows[0] == ["all", "2", "0", "0", "50.0 %", "–"]


def test_recorded_commands_are_shown_once():
    provenance = {
        "cone": {"command": ["python", "build_sets.py", "NGC 2509"]},
        "sets": {"command": "python build_sets.py 'NGC 2509'"},
        "evaluation": [{"nested": {"commands": ["python evaluate_clusters.py NGC_2509"]}}],
    }
    assert commands(provenance, "NGC_2509", "data") == (
        ["python build_sets.py 'NGC 2509'", "python evaluate_clusters.py NGC_2509"],
        True,
    )


def test_command_from_options_gives_these_options(tmp_path):
    """What the report reconstructs is parsed by build_sets' own parser to the options that were recorded."""
    made_with = {
        "cone": ConeOptions(cone_source=("my tables", "gaia"), cone_radius=30.0, overwrite_cone=True),
        "member": MemberOptions(prob_threshold=0.7, bootstrap_members=True),
        "selection": SelectionOptions(colour="bp_rp"),
        "given": GivenCluster(ra=12.5, dec=-3.25),
    }
    write_json(
        tmp_path / "cluster.json", {"options": {name: asdict(part) for name, part in made_with.items()}}
    )
    lines, were_recorded = commands(recorded(tmp_path), "Test_1", "elsewhere")
    assert not were_recorded
    words = shlex.split(lines[0])
    assert words[:3] + words[-2:] == ["python", "build_sets.py", "Test_1", "--data_dir", "elsewhere"]
    parser = make_parser("")
    for options in made_with.values():
        add_options(parser, type(options))
    arguments = parser.parse_args(words[3:-2])
    assert {name: collect(type(part), arguments) for name, part in made_with.items()} == made_with


def test_unreadable_provenance_is_said_so(tmp_path):
    (tmp_path / "cluster.json").write_text("{")
    assert "not a readable JSON file" in recorded(tmp_path)["sets"]["unreadable"]
