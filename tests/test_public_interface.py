"""The names that ad hoc analyses import, and what importing them costs."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.table import Table
from toy_field import toy_field, toy_sets

import gaia_oc_amd as oc
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.first_members.options import FieldOptions
from gaia_oc_amd.options import SamplingOptions


@pytest.mark.parametrize("name", oc.__all__)
def test_public_names_exist_and_are_described(name):
    documented = getattr(oc, name).__doc__
    assert documented
    if not isinstance(getattr(oc, name), type):
        assert "Parameters\n" in documented
        assert "Returns\n" in documented


HELD = [name for name in oc.__all__ if hasattr(getattr(oc, name), "__wrapped__")]


def test_public_functions_hold_their_arguments():
    functions = {name for name in oc.__all__ if callable(getattr(oc, name))}
    classes = {name for name in functions if isinstance(getattr(oc, name), type)}
    assert functions - classes == set(HELD)


@pytest.mark.parametrize("name", HELD)
def test_documented_errors_are_the_last_of_the_description(name):
    description, *rest = getattr(oc, name).__doc__.split("\nRaises\n------")
    assert len(rest) == 1
    assert "TypeError, ValueError\n    If an argument is missing" in rest[0]
    assert not re.search(r"\n\w+\n---", rest[0])


def test_unknown_names_are_unknown():
    with pytest.raises(AttributeError, match="nonsense"):
        oc.nonsense  # noqa: B018


PROBE = """
import socket, sys, time
def refuse(*_, **__): raise RuntimeError("the network was touched")
socket.socket.connect = socket.getaddrinfo = refuse
import gaia_oc_amd
from gaia_oc_amd import build_sets, select_candidates, add_features, query_archive, Cluster, read_isochrones
print("torch" in sys.modules, "astroquery" in sys.modules, "dustapprox" in sys.modules)
"""


def test_importing_touches_neither_torch_nor_the_network():
    result = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False", "False"]


SHIPPED = Path(__file__).resolve().parents[1] / "deep_sets_model"
FIGURES = [name for name in oc.__all__ if name.endswith("_figure") and name != "training_metrics_figure"]


@pytest.fixture(scope="module")
def sets():
    return toy_sets(1)


@pytest.fixture(scope="module")
def stars(sets):
    return oc.prepare_stars(toy_field(1).sources, sets)


@pytest.fixture(scope="module")
def model():
    return oc.Classifier.load(SHIPPED)


def rng():
    return np.random.default_rng(1)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_something_else_than_sets_is_refused(name):
    more = {"rng": rng()} if name == "mass_segregation_figure" else {}
    with pytest.raises(
        TypeError, match=f"^{name}: sets is 'Toy_1', but must be a SourceSets: take what `load_sets`"
    ):
        getattr(oc, name)("Toy_1", **more)


THRESHOLDS = {
    "our_members": lambda sets, p: oc.our_members(sets, p),
    "missed_table": lambda sets, p: oc.missed_table(sets, p),
    "ComparisonCounts.of": lambda sets, p: oc.ComparisonCounts.of(sets, p),
    "member_list": lambda sets, p: oc.member_list(sets, least_probability=p),
    "score_against_truth": lambda sets, p: oc.score_against_truth(sets, truth_of(sets), prob_threshold=p),
    "explain": lambda sets, p: oc.explain([1], sets, oc.Classifier.load(SHIPPED), prob_threshold=p),
    "new_members_figure": lambda sets, p: oc.new_members_figure(sets, prob_threshold=p),
    "venn_diagram_figure": lambda sets, p: oc.venn_diagram_figure(sets, prob_threshold=p),
    "density_profile_figure": lambda sets, p: oc.density_profile_figure(sets, prob_threshold=p),
}


def truth_of(sets):
    return sets.members[["source_id"]].assign(is_member=True)


@pytest.mark.parametrize("name", THRESHOLDS)
def test_thresholds_that_are_no_probabilities_are_refused(name, sets):
    for wrong in (np.nan, 2, -1, np.inf):
        with pytest.raises(
            ValueError, match=f"^{name}: (prob_threshold|least_probability) is .*, but must be .*1"
        ):
            THRESHOLDS[name](sets, wrong)
    for wrong in ("0.5", [0.5], None):
        with pytest.raises(
            TypeError, match=f"^{name}: (prob_threshold|least_probability) is .*, but must be a number"
        ):
            THRESHOLDS[name](sets, wrong)


def test_single_names_count_as_lists(tmp_path):
    for train in (oc.train_model, oc.train_deep_sets_model):
        with pytest.raises(FileNotFoundError, match="build_sets.py NGC_2509"):
            train("NGC_2509", tmp_path)


WRONG = {
    "a name that is a number": (lambda _: oc.load_sets(5, "data"), TypeError, "name is 5, but must be a text"),
    "a folder that is none": (lambda _: oc.load_sets("A", None), TypeError, "data_dir is None, but must be a path"),
    "a part that is none": (lambda _: oc.load_sets("A", "data", parts=["member"]), TypeError, "parts is .'member'.,"),
    "a table for a list": (lambda s: oc.find_members("A", s.members, "list.csv"), TypeError, "member_list is"),
    "options as a dictionary": (lambda _: oc.build_cluster("A", "data", {"colour": "g_rp"}), TypeError, "BuildOptions"),
    "no cluster": (lambda _: oc.train_deep_sets_model([], "data"), ValueError, "no cluster is named to train on"),
    "no panel": (lambda s: oc.candidates_figure(s, panel="CMD"), ValueError, "panel is 'CMD', but must be cmd or sky"),
    "another model": (lambda s: oc.judge_sets(s, "deep_sets_model", rng=rng()), TypeError, "what `Classifier.load`"),
    "a seed for a generator": (lambda s: oc.mass_segregation_figure(s, rng=1), TypeError, r"default_rng\(seed\)"),
    "a list of columns": (lambda _: oc.Select(["ra"], "t"), TypeError, "columns is .'ra'., but must be a Mapping"),
    "no isochrones": (
        lambda s: oc.fit_isochrone(s.members, s.members, parallax=1.0, parallax_error=0.1, rng=rng()),
        ValueError,
        "isochrones lack the column.s. Zini",
    ),
    "no parameters": (lambda s: oc.find_target("A", s.members, FieldOptions()), ValueError, "parameters have no names"),
    "a place off the sky": (
        lambda s: oc.find_first_members("A", s.members, ra=999, dec=0, rng=rng()),
        ValueError,
        "ra is 999, but must be between 0 and 360",
    ),
    "a field without colours": (
        lambda s: oc.find_first_members("A", s.members.drop(columns="bp_rp"), ra=9, dec=0, rng=rng()),
        ValueError,
        "the stars lack the column.s. bp_rp",
    ),
    "a field with gaps": (
        lambda s: oc.find_first_members("A", s.members.assign(pmra=np.nan), ra=9, dec=0, rng=rng()),
        ValueError,
        "60 of 60 stars lack a measurement",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_something_else_is_refused_in_one_line(kind, sets):
    call, error, message = WRONG[kind]
    with pytest.raises(error, match=message) as refused:
        call(sets)
    assert "\n" not in str(refused.value)


TABLES = {
    "an astropy table": (Table.from_pandas, TypeError, "a Table, but must be a pandas DataFrame"),
    "no features": (
        lambda t: t.drop(columns=["f_c", "f_c_sigma"]),
        ValueError,
        "lack the column.s. f_c, f_c_sigma: ",
    ),
    "no correlations": (
        lambda t: t.drop(columns="parallax_pmra_corr"),
        ValueError,
        "lack .* parallax_pmra_corr: ",
    ),
    "identifiers as the index": (lambda t: t.set_index("source_id"), ValueError, "lack .* source_id: "),
    "rounded identifiers": (
        lambda t: t.astype({"source_id": float}),
        TypeError,
        "source_id as float64, but it must",
    ),
    "text": (
        lambda t: t.astype({"parallax": str}),
        TypeError,
        "have parallax as str, but it must hold numbers",
    ),
    "quantities": (
        lambda t: t.assign(ra=[value * u.deg for value in t["ra"]]),
        TypeError,
        "have ra as object",
    ),
    "a column twice": (
        lambda t: pd.concat([t, t["ra"]], axis=1),
        ValueError,
        "have the column.s. ra more than once",
    ),
}


@pytest.mark.parametrize("kind", TABLES)
def test_stars_that_cannot_be_judged_are_refused(kind, stars, sets, model):
    change, error, message = TABLES[kind]
    for options in (SamplingOptions(), SamplingOptions(probability="votes", n_samples=2)):
        with pytest.raises(error, match=message):
            oc.membership_probabilities(change(stars), sets, model, options=options, rng=rng())


def test_sets_that_cannot_be_judged_are_refused(sets, model):
    for name in ("members", "candidates"):
        lacking = dataclasses.replace(sets, **{name: getattr(sets, name).drop(columns="f_g_sigma")})
        with pytest.raises(ValueError, match=f"the sets' {name} lack the column.s. f_g_sigma"):
            oc.judge_sets(lacking, model, rng=rng())


def test_a_judge_refuses_stars_without_features(sets, model):
    judge = oc.ConeJudge.of(sets, model, rng=rng())
    for judged in (judge.probabilities, judge.log_odds):
        with pytest.raises(ValueError, match=r"the stars lack the column\(s\) f_r"):
            judged(toy_field(1).sources, rng=rng())


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.convert_dtypes(),
        lambda t: t.convert_dtypes(dtype_backend="pyarrow"),
        lambda t: t.set_axis([7] * len(t)),
        lambda t: t.set_axis([f"star {i}" for i in range(len(t))]),
        lambda t: t.set_index("source_id", drop=False),
    ],
)
def test_another_index_and_nullable_types_change_no_probability(change, stars, sets, model):
    expected = oc.membership_probabilities(stars, sets, model, rng=rng())
    np.testing.assert_array_equal(
        oc.membership_probabilities(change(stars), sets, model, rng=rng()), expected
    )


def test_no_star_has_no_probability(stars, sets, model):
    assert oc.membership_probabilities(stars.iloc[:0], sets, model, rng=rng()).shape == (0,)
    assert (
        len(oc.add_features(pd.DataFrame(columns=stars.columns), sets.cluster, sets.limits, sets.isochrone))
        == 0
    )


OF_SETS = {
    "no table": (lambda t: t["PMemb"], TypeError, "candidates is a Series, but must be a pandas DataFrame"),
    "no probability": (lambda t: t.drop(columns="PMemb"), ValueError, "the candidates lack .* PMemb"),
    "no colour": (lambda t: t.drop(columns="g_rp"), ValueError, "the candidates lack .* g_rp"),
    "identifiers as the index": (
        lambda t: t.set_index("source_id"),
        ValueError,
        "the candidates lack .* source_id",
    ),
    "text": (lambda t: t.astype({"PMemb": str}), TypeError, "the candidates have PMemb as str"),
}


@pytest.mark.parametrize("kind", OF_SETS)
def test_sets_of_tables_that_no_list_can_be_drawn_from_are_refused(kind, sets):
    change, error, message = OF_SETS[kind]
    with pytest.raises(error, match=message):
        dataclasses.replace(sets, candidates=change(sets.candidates))


IDENTIFIERS = {
    "too large": (
        [2**70],
        ValueError,
        "source_id of the stars is 1180591620717411303424, not an integer: give",
    ),
    "another survey's": (["2MASS J08"], ValueError, "source_id of the stars is '2MASS J08', not an integer"),
    "a rounded one": (
        [5e18],
        TypeError,
        "stars is .5e.18., but must be a pandas DataFrame or a list of values, each",
    ),
    "rounded ones": (
        pd.DataFrame({"source_id": [5e18, np.nan]}),
        ValueError,
        r"source_id of the stars is 5e\+18, not an integer \(a float loses its last digits\)",
    ),
    "places as text": (pd.DataFrame({"ra": ["1"], "dec": ["2"]}), TypeError, "the stars have ra as str"),
    "an astropy table": (Table({"source_id": [5]}), TypeError, "stars is a Table"),
    "a number": (5.5, TypeError, "stars is 5.5"),
}


@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_what_identifies_no_star_is_refused(kind, sets, model):
    stars, error, message = IDENTIFIERS[kind]
    with pytest.raises(error, match=message):
        oc.explain(stars, sets, model)


def test_stars_may_be_named_in_any_plain_way(sets, model):
    known = int(sets.candidates["source_id"].iloc[0])
    ways = [known, str(known), f"Gaia DR3 {known}", [known], np.array([known]), pd.Series([known], index=[9])]
    ways.append(pd.DataFrame({"source_id": [known]}))
    found = [oc.explain(way, sets, model) for way in ways]
    for each in found:
        pd.testing.assert_frame_equal(each, found[0])
    assert found[0]["source_id"].tolist() == [known]


@pytest.fixture(scope="module")
def cone():
    field = toy_field(1)
    return field, oc.calibrate(field.sources)


def test_a_list_may_be_of_one_cluster_and_have_a_star_twice(cone):
    field, sources = cone
    found = oc.find_members("Toy_1", sources, field.members)
    own = pd.concat([field.members, field.members.assign(PMemb=0.1)]).drop(columns="cluster")
    pd.testing.assert_series_equal(oc.find_members("My cluster", sources, own.set_axis([0] * 120)), found)


def test_sums_of_probabilities_may_be_a_little_above_1(cone):
    field, sources = cone
    found = oc.find_members("Toy_1", sources, field.members.assign(PMemb=1 + 1e-9))
    assert found.index.equals(oc.find_members("Toy_1", sources, field.members.assign(PMemb=1.0)).index)


def test_percentages_are_no_probabilities(cone):
    field, sources = cone
    with pytest.raises(ValueError, match=r"PMemb up to 100, outside 0\.\.1: divide percentages by 100"):
        oc.find_members("Toy_1", sources, field.members.assign(PMemb=100.0))


def test_members_are_probabilities_by_identifier(cone):
    field, sources = cone
    cluster, points = oc.Cluster(**field.parameters.iloc[0]), oc.nearest_age(field.isochrones, 8.5)
    members = oc.find_members("Toy_1", sources, field.members)
    for wrong in (
        members.reset_index(drop=True),
        sources["source_id"].isin(members.index),
        pd.concat([members] * 2),
    ):
        with pytest.raises(TooFewMembersError, match="give a probability by source_id of each"):
            oc.divide_cone(sources, cluster, wrong, points)
    with pytest.raises(ValueError, match="sources have 460 source_id again"):
        oc.divide_cone(pd.concat([sources] * 2), cluster, members, points)
    with pytest.raises(ValueError, match="dist is 0.0, .* a distance is above 0 pc"):
        oc.divide_cone(sources, dataclasses.replace(cluster, dist=0), members, points)


def test_truth_may_be_ones_and_zeros_and_nothing_else(sets):
    truth = truth_of(sets).assign(is_member=np.arange(60) < 30)
    scores = oc.score_against_truth(sets, truth)
    pd.testing.assert_frame_equal(oc.score_against_truth(sets, truth.astype({"is_member": int})), scores)
    for wrong in (2, np.nan):
        with pytest.raises(ValueError, match="neither True nor False"):
            oc.score_against_truth(sets, truth.assign(is_member=np.append(wrong, np.ones(59))))


def test_a_warning_points_at_the_line_of_its_user(cone):
    field, _ = cone
    with pytest.warns(UserWarning, match="no isochrone within 0.2 dex") as caught:
        oc.nearest_age(field.isochrones, 8.25)
    assert caught[0].filename == __file__
