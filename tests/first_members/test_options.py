"""Options that do not fit are refused with their name, the bound and the value."""

import pytest

from gaia_oc_amd.first_members.options import SearchOptions


def test_options_out_of_bounds_are_refused():
    for wrong in ({"n_runs": 0}, {"min_group_size": 2}, {"n_controls": 1}, {"position_weight": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SearchOptions(**wrong)


def test_options_of_another_method_are_refused():
    with pytest.raises(
        ValueError, match="features is divided, but must be motions unless --method is kmeans or dec"
    ):
        SearchOptions(features="divided")
    with pytest.raises(ValueError, match="dec_start is hdbscan, but must be kmeans unless --method is dec"):
        SearchOptions(method="kmeans", dec_start="hdbscan")
    SearchOptions(method="kmeans", features="divided")
    SearchOptions(method="dec", dec_start="dbscan", features="divided")
    with pytest.raises(ValueError, match="tails"):
        SearchOptions(tails=0.5)
