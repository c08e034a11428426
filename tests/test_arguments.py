"""Arguments of public functions and values of options: right, or refused in one line with the value and the remedy."""

import dataclasses
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.table import Table
from numpy.typing import NDArray

import gaia_oc_amd as oc
from gaia_oc_amd.arguments import Bounds, Seed, Share, Threshold, checked, fitting, settle
from gaia_oc_amd.options import ConeOptions, GivenCluster, MemberOptions, SamplingOptions, TablePaths


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (np.float32(0.5), float, 0.5),
        (np.array(0.5), float, 0.5),
        (1, float, 1.0),
        (np.int64(7), int, 7),
        (np.True_, bool, True),
        ("x", Path, Path("x")),
        (Path("names.txt"), str, "names.txt"),
        ("x", Path | str, "x"),
        ("NGC_2509", list[str], ["NGC_2509"]),
        (pd.Series(["a", "b"], index=[5, 5]), list[str], ["a", "b"]),
        (np.array([1, 2]), tuple[int, ...], (1, 2)),
        ([0.0, 5], tuple[float, ...], (0.0, 5.0)),
        ("g_rp", Literal["g_rp", "bp_rp"], "g_rp"),
        (None, float | None, None),
        (3, Any, 3),
    ],
    ids=str,
)
def test_what_means_the_same_is_taken(value, hint, expected):
    found = fitting(value, hint, "it")
    assert found == expected
    assert type(found) is type(expected)


def test_an_array_is_made_of_a_list_and_of_a_series():
    for value in ([1, 2], pd.Series([1, 2], index=[9, 8]), pd.array([1, 2], dtype="Int64")):
        np.testing.assert_array_equal(fitting(value, NDArray[np.float64] | None, "weights"), [1.0, 2.0])


REFUSED = [
    ("0.5", float, "it is '0.5', but must be a number"),
    (True, float, "it is True, but must be a number"),
    (None, float, "it is None, but must be a number"),
    ([0.5], float, r"it is \[0.5\], but must be a number"),
    (2.5, int, "it is 2.5, but must be a whole number"),
    (
        0.5 * u.one,
        float,
        r"it is a Quantity, but must be a number: take its plain value, quantity.to_value\(unit\)",
    ),
    ("False", bool, "it is 'False', but must be True or False"),
    (5, str, "it is 5, but must be a text"),
    (5, Path | str, "it is 5, but must be a path or a text"),
    ([1], list[str], r"it is \[1\], but must be a list of values, each a text"),
    ({"a": 1}, list[str], "it is a dict"),
    (pd.DataFrame({"a": ["b"]}), list[str], "it is a DataFrame"),
    ([1.0], tuple[float, float], "must be a list of 2 values, each a number"),
    (3, Literal["g_rp", "bp_rp"], "it is 3, but must be g_rp or bp_rp"),
    (
        Table({"a": [1]}),
        pd.DataFrame,
        r"it is a Table, but must be a pandas DataFrame: .*Table.to_pandas\(\)",
    ),
    (3, np.random.Generator, r"it is 3, but must be a Generator: take numpy.random.default_rng\(seed\)"),
    (oc.Cluster, oc.Cluster, "it is the class Cluster, but must be a Cluster"),
    (3, Callable, "it is 3, but must be a Callable"),
    ([1], Mapping[str, str], "must be a Mapping"),
    (["a"], NDArray[np.float64], "it is \\['a'\\], but must be an array of numbers"),
    ("x" * 100, int, r"it is 'x{56}\.\.\., but"),
]


@pytest.mark.parametrize(("value", "hint", "message"), REFUSED, ids=[message[:30] for *_, message in REFUSED])
def test_what_does_not_fit_is_refused_in_one_line(value, hint, message):
    with pytest.raises(TypeError, match=message) as refused:
        fitting(value, hint, "it")
    assert "\n" not in str(refused.value)


def test_a_text_that_is_none_of_the_choices_is_a_wrong_value():
    with pytest.raises(ValueError, match="panel is 'map', but must be cmd or sky or None"):
        fitting("map", Literal["cmd", "sky"] | None, "panel")


@pytest.mark.parametrize(
    ("value", "hint", "bound"),
    [
        (np.nan, Threshold, "greater than 0 and at most 1"),
        (0, Threshold, "greater than 0 and at most 1"),
        (0, Threshold | None, "greater than 0 and at most 1"),
        (np.float32(2), Threshold, "greater than 0 and at most 1"),
        (-0.1, Share, "between 0 and 1"),
        (np.inf, Share, "between 0 and 1"),
        (-1, Seed, "at least 0 and less than"),
        (10**400, Threshold, "greater than 0 and at most 1"),
        (np.inf, Annotated[float, Bounds(at_least=0)], "at least 0 and finite"),
    ],
)
def test_numbers_out_of_bounds_are_refused(value, hint, bound):
    with pytest.raises(ValueError, match=f"p is .*, but must be {bound}"):
        fitting(value, hint, "p")


def test_infinity_is_a_number_where_the_bounds_say_so():
    assert fitting(np.inf, Annotated[float, Bounds(above=0, finite=False)], "p") == np.inf
    assert fitting(None, Threshold | None, "p") is None


@checked
def share_of(table: pd.DataFrame, other: pd.DataFrame, *, threshold: Threshold = 0.5) -> int:
    """Count rows."""
    return int((table["p"] > threshold).sum())


def test_a_checked_function_is_the_function():
    table = pd.DataFrame({"p": [0.2, 0.8]})
    assert share_of(table, other=table) == 1
    assert share_of(table, table, threshold=np.float64(0.1)) == 2
    assert share_of.__name__ == "share_of"
    assert share_of.__doc__.startswith(
        "Count rows.\n\nRaises\n------\nTypeError, ValueError\n    If an argument is"
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda t: share_of(t, t, threshold="0.5"),
            TypeError,
            "^share_of: threshold is '0.5', but must be a number",
        ),
        (
            lambda t: share_of(t),
            TypeError,
            "^share_of: missing a required argument: 'other': take what `read_table`",
        ),
        (
            lambda t: share_of(t, t, limit=1),
            TypeError,
            "^share_of: got an unexpected keyword argument 'limit'",
        ),
    ],
)
def test_a_checked_function_names_itself_and_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call(pd.DataFrame({"p": [0.2, 0.8]}))


def test_settled_fields_have_the_types_of_their_hints():
    @dataclass(frozen=True)
    class Place:
        ra: float
        names: tuple[str, ...] = ()

        def __post_init__(self) -> None:
            settle(self)

    assert Place(np.float32(5), "a") == Place(5.0, ("a",))
    with pytest.raises(TypeError, match="ra is '5', but must be a number"):
        Place("5")


OPTIONS = [
    (lambda: MemberOptions(prob_threshold="0.9"), TypeError, "prob_threshold is '0.9', but must be a number"),
    (lambda: MemberOptions(prob_threshold=np.float32("nan")), ValueError, "prob_threshold is nan"),
    (lambda: MemberOptions(prob_threshold=None), TypeError, "prob_threshold is None"),
    (
        lambda: MemberOptions(n_min_members=20.5),
        TypeError,
        "n_min_members is 20.5, but must be a whole number",
    ),
    (lambda: SamplingOptions(n_samples=np.int64(0)), ValueError, "n_samples is 0, but must be at least 1"),
    (lambda: SamplingOptions(stop_early="no"), TypeError, "stop_early is 'no', but must be True or False"),
    (lambda: GivenCluster(dist=1.5 * u.kpc), TypeError, "dist is a Quantity, .*to_value"),
    (lambda: ConeOptions(cone_source=5), TypeError, "cone_source is 5"),
    (lambda: TablePaths(columns="ra"), ValueError, "columns is 'ra', but must be OURS=THEIRS"),
    (lambda: TablePaths(columns=("nonsense=x",)), ValueError, "columns names 'nonsense'"),
]


@pytest.mark.parametrize(("make", "error", "message"), OPTIONS, ids=[message[:20] for *_, message in OPTIONS])
def test_options_of_another_type_are_refused_where_they_are_made(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_options_take_paths_as_text_and_one_text_for_several():
    paths = TablePaths(members_path="list.csv", columns="ra=RAJ2000")
    assert paths == TablePaths(members_path=Path("list.csv"), columns=("ra=RAJ2000",))
    assert ConeOptions(cone_source=[Path("cones")]).cone_source == ("cones",)
    assert type(MemberOptions(prob_threshold=np.float64(1)).prob_threshold) is float


@pytest.mark.parametrize("name", [name for name in oc.__all__ if name != "__version__"])
def test_hints_of_public_names_can_be_resolved(name):
    typing.get_type_hints(getattr(oc, name))


def test_a_cluster_by_hand_has_numbers(toy):
    known = toy.parameters.iloc[0]
    values = {f.name: known.get(f.name, 0.1) for f in dataclasses.fields(oc.Cluster)} | {"name": "By hand"}
    assert type(oc.Cluster(**values).ra) is float
    for name, wrong in (("ra", "120"), ("dist", 1 * u.kpc), ("age", None), ("name", 5)):
        with pytest.raises(TypeError, match=f"^{name} is "):
            oc.Cluster(**values | {name: wrong})


def test_iterables_of_other_things_are_passed_on():
    assert fitting([object], Iterable[type], "it") == [object]
