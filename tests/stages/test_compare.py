"""Many clusters against another list: each star counts once, and the sum is that of the clusters."""

import re
from dataclasses import replace

import pandas as pd
import pytest
from plot_sets import CLUSTER, example_sets, not_evaluated, without_comparison

from gaia_oc_amd.batch.outcomes import Outcome
from gaia_oc_amd.options import FigureOptions
from gaia_oc_amd.stages import compare
from gaia_oc_amd.stages.compare import COMPARED_LISTS, COMPARED_MEMBERS, compare_cluster, summarise
from gaia_oc_amd.stages.options import CompareOptions


@pytest.fixture
def stored(monkeypatch, tmp_path):
    """Sets that are handed out in the place of those of a folder."""
    sets = {
        "Test_1": example_sets(),
        "Test_2": replace(example_sets(), cluster=replace(CLUSTER, name="Test_2")),
    }
    monkeypatch.setattr(compare, "sets_folder", lambda name, _: tmp_path / name)
    monkeypatch.setattr(compare, "load_sets", lambda name, _: sets[name])
    return sets


def test_every_star_of_the_list_is_counted_once(stored):
    row = compare_cluster("Test_1")
    lost = ("proper motion", "both", "parallax", "isochrone", "low p", "not judged")
    assert row["in field"] == row["shared"] + sum(row[name] for name in lost) == 240
    assert row["listed"] == row["in field"] + row["outside"] == 245
    assert (row["parallax"], row["isochrone"]) == (15, 5)
    assert row["core: shared"] <= min(row["core: ours"], row["core: listed"])


def test_threshold_is_that_of_the_evaluation_unless_one_is_given(stored):
    assert compare_cluster("Test_1")["p>="] == 0.5
    strict = compare_cluster("Test_1", options=CompareOptions(prob_threshold=0.9))
    assert strict["p>="] == 0.9
    assert strict["shared"] < compare_cluster("Test_1")["shared"]


@pytest.mark.parametrize(
    ("change", "message"),
    [(not_evaluated, "never evaluated"), (without_comparison, "no list to compare with")],
)
def test_what_cannot_be_compared_is_said(stored, change, message):
    stored["Test_1"] = change(stored["Test_1"])
    with pytest.raises(ValueError, match=message):
        compare_cluster("Test_1")


def test_sum_is_that_of_the_clusters_and_other_lists_stand_apart(stored, tmp_path):
    stored["Test_3"] = replace(stored["Test_1"], comparison_name="CG18 (training list)")
    outcomes = [Outcome(name, 0.0, compare_cluster(name)) for name in stored]
    outcomes.append(Outcome("Test_4", 0.0, error="Test_4: none"))
    texts = summarise(outcomes, tmp_path, CompareOptions(figures=FigureOptions(plot_format="svg")))
    table = pd.read_csv(tmp_path / f"{COMPARED_LISTS}.csv")
    assert table["cluster"].tolist() == ["Test_1", "Test_2", "Test_3", "all", "all"]
    whole = table[(table["cluster"] == "all") & (table["list"] == "T22")].iloc[0]
    assert whole["shared"] == table["shared"][:2].sum()
    assert (tmp_path / f"{COMPARED_LISTS}.svg").stat().st_size > 1000
    assert (tmp_path / f"{COMPARED_MEMBERS}.svg").read_text().count("Test") == 3  # a row for each
    assert texts[0].startswith("T22 (2 clusters): 480 of 490 stars are in the field; ")
    assert re.search(rf"are shared, the others are lost: .*{100 * 30 / 480:.1f} % by parallax", texts[0])
    assert texts[1].startswith("CG18 (training list) (1 cluster): ")


def test_each_row_has_the_threshold_of_its_cluster(stored, tmp_path):
    options = CompareOptions(figures=FigureOptions(plot_format="svg"))
    limits = {"Test_1": 0.5, "Test_2": 0.9}
    outcomes = [
        Outcome(name, 0.0, compare_cluster(name, options=replace(options, prob_threshold=limit)))
        for name, limit in limits.items()
    ]
    summarise(outcomes, tmp_path, options)
    drawn = (tmp_path / f"{COMPARED_MEMBERS}.svg").read_text()
    for outcome in outcomes:
        ours = outcome.summary["shared"] + outcome.summary["only ours"]
        assert f"ours {ours:,} (p ≥ {limits[outcome.cluster]:g})" in drawn
    assert "members of this work and of T22" in drawn
    summarise(outcomes[1:], tmp_path, options)
    assert "members of this work (p ≥ 0.9) and of T22" in (tmp_path / f"{COMPARED_MEMBERS}.svg").read_text()


def test_rows_of_clusters_may_be_left_out(stored, tmp_path):
    outcomes = [Outcome(name, 0.0, compare_cluster(name)) for name in stored]
    summarise(outcomes, tmp_path, CompareOptions(n_rows=0))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compared_lists.csv", "compared_lists.png"]


def test_of_nothing_nothing_is_written(tmp_path):
    assert summarise([Outcome("Test_4", 0.0, error="Test_4: none")], tmp_path, CompareOptions()) == []
    assert not list(tmp_path.iterdir())
