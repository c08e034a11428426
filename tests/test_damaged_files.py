"""Files that were damaged at random: the same result, or one line; and no other file is touched."""

import json

import pytest
from damage_kinds import KINDS
from damages import FINE, damage_files, table
from hypothesis import given, settings
from hypothesis import strategies as st

from gaia_oc_amd.files.provenance import PROVENANCE, Stage, run_stage

SEED = 20230675


def test_a_hundred_damages_are_noticed_or_harmless():
    damages = list(damage_files(100, SEED))
    assert [damage for damage in damages if damage.outcome not in FINE] == []
    assert {"same", "refused"} <= {damage.outcome for damage in damages}
    page = table(damages, 100, SEED)
    assert "(100 damages, seed 20230675): 0 silently wrong" in page
    assert all(kind.__name__.replace("_", " ") in page for kind in KINDS)


def test_the_harness_tells_when_something_is_wrong(monkeypatch):
    """Were no fingerprint looked at, damages would go through."""
    monkeypatch.setattr("gaia_oc_amd.source_sets.refuse_changed_sets", lambda *_: None)
    monkeypatch.setattr("gaia_oc_amd.model_files.ModelFiles._changed", lambda _: "")
    assert "silently wrong" in {damage.outcome for damage in damage_files(100, SEED)}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just("../../x.txt"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
RECORDS = st.fixed_dictionaries(
    {}, optional={"files": VALUES | st.dictionaries(st.just("../../x.txt") | st.text(max_size=8), VALUES)}
    | dict.fromkeys(("summary", "made_with", "command", "warnings", "fingerprint"), VALUES)
)  # fmt: skip


@given(
    content=st.dictionaries(st.sampled_from(["sets", "report", "evaluation", "sets_plot"]), RECORDS | VALUES)
)
@settings(max_examples=200, deadline=None, derandomize=True)
@pytest.mark.filterwarnings("ignore:.*function-scoped fixture")
def test_no_record_makes_an_internal_error_or_touches_another_file(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("data") / "clusters" / "Toy_1"
    folder.mkdir(parents=True)
    (folder.parents[1] / "x.txt").write_text("not yours")
    (folder / PROVENANCE).write_text(json.dumps(content))
    for stage in ("evaluation", "sets"):
        assert run_stage(folder, Stage(stage, {"a": 1}), lambda: ({"n": 3}, [])) == {"n": 3}
    assert (folder.parents[1] / "x.txt").read_text() == "not yours"
