"""The selection function against the truth of simulated clusters, its uncertainties and its figure."""

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hand_made_validation import hand_made
from printable import assert_printable

from gaia_oc_amd.catalogues.tables import read_input_tables
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.isochrones import read_isochrones
from gaia_oc_amd.options import ISOCHRONES, ConeOptions, TablePaths
from gaia_oc_amd.set_building import build_sets
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.source_sets import load_sets, save_candidates, save_sets
from gaia_oc_amd.stages.simulate import simulate_clusters
from gaia_oc_amd.truth import read_truth
from gaia_oc_amd.validation.options import ValidationOptions
from gaia_oc_amd.validation.plots import selection_function_figure
from gaia_oc_amd.validation.validate import (
    _say_what_lies_beyond,
    jeffreys_interval,
    measure_selection,
    poisson_interval,
    selection_function,
    validation_summary,
)

CLUSTERS = ("Sim_1", "Sim_2", "Sim_3")
OPTIONS = ValidationOptions(n_artificial=2400, n_controls=4)
SUMMARY = (-np.inf, 18.0, 19.0, 20.0, np.inf)


def plain_judge(stars, sets, *, rng):
    """Probability of a simple likelihood: worse for faint stars, and false for field stars near the centre."""
    error = stars[["pmra_error", "parallax_error", "g_rp_error"]].to_numpy(float)
    scale = np.hypot(error, [sets.cluster.pmra_error / 2, 0.03, 0.04])
    offset = stars[["f_pm", "f_plx", "f_c"]].to_numpy(float) / scale
    log_odds = (
        11 - 0.5 * np.square(offset).sum(axis=1) - stars["f_r"] / 2.5 - 9 * np.log10(1 + error[:, 0] / 0.1)
    )
    return 1 / (1 + np.exp(-log_odds.to_numpy()))


def accept_all(stars, sets, *, rng):
    return np.ones(len(stars))


def accept_none(stars, sets, *, rng):
    return np.zeros(len(stars))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Three clusters whose sets are built."""
    folder = tmp_path_factory.mktemp("validation")
    simulation = SimulationOptions(dist=1800, field_density=6000, cone_radius=40, n_members=250, age=8.6)
    simulate_clusters(CLUSTERS, folder, simulation, seed=3)
    tables = read_input_tables(folder, TablePaths())
    cone = ConeOptions(cone_source=str(folder / "cones"), cone_radius=40)
    for name in CLUSTERS:
        save_sets(build_sets(name, tables, folder, cone=cone), folder)
    return folder, read_isochrones(folder / ISOCHRONES)


def evaluate(name, folder, judge):
    """Candidates judged, and all true members judged alike, training members among them."""
    sets = load_sets(name, folder)
    candidates = sets.candidates.assign(PMemb=judge(sets.candidates, sets, rng=None))
    save_candidates(replace(sets, candidates=candidates), folder)
    stars = pd.concat([sets.members.assign(PMemb=judge(sets.members, sets, rng=None)), candidates])
    truth = read_truth(name, folder)
    return stars.assign(is_member=stars["source_id"].isin(truth.loc[truth["is_member"], "source_id"]))


def validate(name, simulated, judge, options=OPTIONS):
    return measure_selection(name, *simulated, judge, options=options)


@pytest.fixture(scope="module")
def validated(simulated):
    """Each cluster's stars with the truth beside what the validation says without it."""
    stars = {name: evaluate(name, simulated[0], plain_judge) for name in CLUSTERS}
    return stars, {name: validate(name, simulated, plain_judge) for name in CLUSTERS}


def test_completeness_agrees_with_the_truth(validated, simulated):
    """Of the true members in three cones, as many are accepted as injection says, in each interval of G."""
    stars, results = validated
    true, found, expected, variance = np.zeros((4, 4))
    for name in CLUSTERS:
        members = stars[name][stars[name]["is_member"]]
        non_members = load_sets(name, simulated[0]).non_members
        truth = read_truth(name, simulated[0])
        lost = non_members[non_members["source_id"].isin(truth.loc[truth["is_member"], "source_id"])]
        table = selection_function(results[name], SUMMARY, (0.0, np.inf))
        g = table[table["bin"] == "G"]
        of_cone = (g["completeness"] / (1 - g["lost_to_cone"])).to_numpy()
        counts = [np.histogram(part["phot_g_mean_mag"], SUMMARY)[0] for part in (members, lost)]
        accepted = np.histogram(members["phot_g_mean_mag"][members["PMemb"] >= 0.5], SUMMARY)[0]
        true += counts[0] + counts[1]
        found += accepted
        expected += of_cone * (counts[0] + counts[1])
        variance += of_cone * (1 - of_cone) * (counts[0] + counts[1])
    assert (np.abs(found - expected) < 3.5 * np.sqrt(variance) + 0.03 * true + 1).all(), (
        found,
        expected,
        true,
    )
    assert expected[0] / true[0] > expected[-1] / true[-1] + 0.1  # the judge is worse for faint stars


def test_share_lost_to_the_cone_is_the_right_one(simulated, validated):
    """The simulator was asked for 250 members each, before the cone was cut."""
    lost = np.mean(
        [selection_function(v, SUMMARY, (0.0, np.inf)).iloc[0]["lost_to_cone"] for v in validated[1].values()]
    )
    members = 0
    for name in CLUSTERS:
        sets, truth = load_sets(name, simulated[0]), read_truth(name, simulated[0])
        ids = pd.concat([sets.members, sets.candidates, sets.non_members])["source_id"]
        members += ids.isin(truth.loc[truth["is_member"], "source_id"]).sum()
    assert 1 - members / (3 * 250) == pytest.approx(lost, abs=0.06)


def test_contamination_agrees_with_the_truth(validated):
    """Controls find as many false members as there are among the accepted candidates."""
    stars, results = validated
    false = expected = 0.0
    for name in CLUSTERS:
        candidates = stars[name][~stars[name]["source_id"].isin(results[name].training["source_id"])]
        false += ((candidates["PMemb"] >= 0.5) & ~candidates["is_member"]).sum()
        expected += selection_function(results[name], SUMMARY, (0.0, np.inf)).iloc[0]["false_members"]
    assert false > 20  # else this says nothing
    assert abs(false - expected) < 3.5 * np.sqrt(false * 1.25) + 0.1 * false, (false, expected)


def test_controls_find_no_true_members(validated):
    stars, results = validated
    members = set().union(*(set(s["source_id"][s["is_member"]]) for s in stars.values()))
    false = pd.concat([v.controls.false_members for v in results.values()])
    assert false["source_id"].isin(members).mean() < 0.1  # a few of the halo lie beyond the King profile


def test_judge_that_accepts_everything_is_complete_and_contaminated(simulated):
    evaluate("Sim_1", simulated[0], accept_all)
    result = validate("Sim_1", simulated, accept_all, replace(OPTIONS, n_artificial=700))
    whole = selection_function(result, SUMMARY, (0.0, np.inf)).iloc[0]
    assert whole["lost_to_probability"] == 0
    assert whole["completeness"] == pytest.approx(1 - whole["lost_to_cone"] - whole["lost_to_selection"])
    assert (
        whole["contamination_controls"] > 0.6
    )  # not 1: what it accepts near the cluster counts as the cluster's


def test_judge_that_accepts_nothing_is_empty(simulated):
    evaluate("Sim_1", simulated[0], accept_none)
    result = validate("Sim_1", simulated, accept_none, replace(OPTIONS, n_artificial=700))
    whole = selection_function(result, SUMMARY, (0.0, np.inf)).iloc[0]
    assert whole["completeness"] == whole["n_accepted"] == whole["false_members"] == 0
    assert np.isnan(whole["contamination_controls"])
    assert validation_summary(result)["contam. (controls)"] == "-"


def test_same_seed_gives_the_same_table(simulated):
    options = replace(OPTIONS, n_artificial=300, n_controls=1)
    evaluate("Sim_2", simulated[0], plain_judge)
    one, two = (
        selection_function(validate("Sim_2", simulated, plain_judge, options), (0, 18, 21), (0, 5, 40))
        for _ in "ab"
    )
    pd.testing.assert_frame_equal(one, two)
    assert len(one) == 2 + 2 + 2 + 4
    parts = one[["completeness", "lost_to_cone", "lost_to_selection", "lost_to_probability"]].sum(axis=1)
    np.testing.assert_allclose(parts[one["n_injected"] > 0], 1)


def test_sets_that_were_not_evaluated_are_refused(simulated):
    folder, isochrones = simulated
    sets = load_sets("Sim_3", folder)
    save_candidates(replace(sets, candidates=sets.candidates.assign(PMemb=np.nan)), folder)
    with pytest.raises(
        ValueError, match=r"never evaluated: run `python evaluate_clusters.py Sim_3 --data_dir"
    ):
        measure_selection("Sim_3", folder, isochrones, plain_judge)
    with pytest.raises(FileNotFoundError, match="build_sets.py Sim_9"):
        measure_selection("Sim_9", folder, isochrones, plain_judge)


def test_other_isochrones_are_noticed(simulated):
    folder, isochrones = simulated
    evaluate("Sim_1", folder, plain_judge)
    other = isochrones.assign(Gmag=isochrones["Gmag"] + 0.3)
    options = replace(OPTIONS, n_artificial=50, n_controls=0)
    with pytest.warns(UserWarning, match="isochrones are not those"):
        measure_selection("Sim_1", folder, other, plain_judge, options=options)


def test_too_few_members_for_the_judge_are_passed_on(simulated):
    def judge(stars, sets, *, rng):
        raise TooFewMembersError("too few")

    evaluate("Sim_1", simulated[0], plain_judge)
    with pytest.raises(TooFewMembersError):
        validate("Sim_1", simulated, judge)


@pytest.mark.parametrize("share", [0.03, 0.5, 0.9])
def test_jeffreys_intervals_cover_as_often_as_they_should(share):
    rng = np.random.default_rng(1)
    successes = rng.binomial(60, share, 3000)
    intervals = {n: jeffreys_interval(n / 60, 60) for n in np.unique(successes)}
    covered = np.mean([intervals[n][0] <= share <= intervals[n][1] for n in successes])
    assert 0.58 < covered < 0.80


def test_poisson_intervals_are_those_of_gehrels():
    np.testing.assert_allclose(poisson_interval(np.ones(0)), (0, 1.841), atol=0.002)
    np.testing.assert_allclose(poisson_interval(np.ones(10)), (6.891, 14.267), atol=0.005)
    np.testing.assert_allclose(poisson_interval(np.full(10, 2.0)), (2 * 6.891, 2 * 14.267), atol=0.01)


def test_a_table_that_ends_before_the_cluster_is_said(caplog):
    stars = hand_made().injected
    with caplog.at_level(logging.INFO):
        _say_what_lies_beyond(stars.assign(in_field=True), "Hand_1")
        assert not caplog.text
        _say_what_lies_beyond(stars.assign(in_field=[False] * 2 + [True] * 8), "Hand_1")
    assert "Hand_1: the stars of its table do not reach as far as the cluster. 20 % of" in caplog.text


def test_table_of_a_case_made_by_hand():
    row = selection_function(hand_made(), (17.0, 18.0), (0.0, 2.0)).iloc[1]
    expected = {
        "n_injected": 10, "n_in_cone": 9, "n_selected": 8, "n_recovered": 6, "completeness": 0.6,
        "lost_to_cone": 0.1, "lost_to_selection": 0.1, "lost_to_probability": 0.2, "n_training": 2,
        "n_accepted": 4, "n_controls": 2, "false_members": 0.5, "contamination_controls": 0.125,
        "contamination_probability": 0.15,
    }  # fmt: skip
    for name, value in expected.items():
        assert row[name] == pytest.approx(value), name
    assert row["completeness_lower"] < 0.6 < row["completeness_upper"]
    assert row["contamination_controls_lower"] < 0.125 < row["contamination_controls_upper"]


def test_interval_holds_what_the_profiles_leave_open():
    """Two profiles that give 0.4 and 0.8 of ten stars in place of 0.6: a standard deviation of 0.2 sqrt(2)."""
    validation = hand_made()
    recovered = (validation.injected["PMemb"] >= 0.5).to_numpy()
    weights = {
        "profile_0": np.where(recovered, 0.4 / 0.6, 0.6 / 0.4),
        "profile_1": np.where(recovered, 0.8 / 0.6, 0.5),
    }
    with_profiles = replace(validation, injected=validation.injected.assign(**weights))
    before, after = (
        selection_function(v, (0.0, 20.0), (0.0, 5.0)).iloc[0] for v in (validation, with_profiles)
    )
    assert after["completeness"] == before["completeness"]
    below, above = (abs(row["completeness_lower"] - row["completeness"]) for row in (before, after))
    assert above == pytest.approx(np.hypot(below, 0.2 * np.sqrt(2)), abs=1e-6)


@pytest.mark.parametrize(("row", "scatter"), [(0, 0.2), (1, 0.35), (2, 0.0)])
def test_interval_holds_the_scatter_between_cones_where_members_stand_as_the_cluster_has_them(row, scatter):
    """6 of 10, odds of 1.5; by radius nothing has to be known of where members stand."""
    bin_ = selection_function(hand_made(), (17.0, 18.0), (0.0, 2.0)).iloc[row]
    assert bin_["bin"] == ("all", "G", "radius")[row]
    for limit, drawn, sign in zip(("lower", "upper"), jeffreys_interval(0.6, 10), (-1, 1), strict=True):
        odds = 1.5 * np.exp(sign * scatter)
        expected = np.hypot(drawn - 0.6, odds / (1 + odds) - 0.6)
        assert abs(bin_[f"completeness_{limit}"] - 0.6) == pytest.approx(expected), limit


def test_a_bin_that_no_control_sees_has_no_contamination_by_controls():
    result = hand_made()
    blind = replace(result, controls=replace(result.controls, seen=np.zeros((2, 1))))
    row = selection_function(blind, (17.0, 18.0), (0.0, 2.0)).iloc[2]
    assert row["n_controls"] == 0
    assert np.isnan(row["contamination_controls"])
    assert row["contamination_probability"] == pytest.approx(0.15)


def test_figure_has_units_and_survives_empty_bins():
    for result in (hand_made(), replace(hand_made(), accepted=hand_made().accepted.iloc[:0])):
        table = selection_function(result, (15.0, 17.0, 18.0), (0.0, 2.0, 5.0))
        figure = selection_function_figure(table, "Hand_1", 0.5)
        assert_printable(figure)
        labels = [ax.get_xlabel() for ax in figure.axes]
        assert labels[2:] == ["$G$ [mag]", "projected radius [pc]"]


def test_no_tick_of_the_contamination_is_larger_than_one():
    table = selection_function(hand_made(), (15.0, 18.0), (0.0, 5.0)).assign(contamination_controls_upper=1.0)
    figure = selection_function_figure(table, "Hand_1", 0.5)
    for ax in figure.axes[2:]:
        assert ax.get_ylim()[1] > 1.1
        assert (min(ax.get_yticks()), max(ax.get_yticks())) == pytest.approx((0, 1))


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_artificial", 0), ("n_controls", -1), ("prob_threshold", 0.0), ("magnitude_edges", (3.0, 2.0)),
     ("radius_edges", (1.0,)), ("binary_fraction", 2.0)],
)  # fmt: skip
def test_options_are_bounded(name, value):
    with pytest.raises(ValueError, match=name):
        ValidationOptions(**{name: value})
