"""The age of a light curve as a prior: read, and refused where it is worth nothing."""

import pytest

from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.light_curves.prior import light_curve_prior

HEAD = "cluster,galaxy,light_curve_age,light_curve_age_error,skill_lower\n"


def write(tmp_path, row):
    (tmp_path / "light_curves").mkdir(exist_ok=True)
    (tmp_path / "light_curves" / "light_curve_ages.csv").write_text(HEAD + row + "\n")


def test_any_spelling_finds_the_age(tmp_path):
    write(tmp_path, "NGC 2509,MW,9.1,0.4,0.2")
    assert light_curve_prior("ngc_2509", tmp_path) == (9.1, 0.4)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("NGC 2509,MW,9.1,0.4,-0.05", "tell no ages .*-5 %"),
        ("NGC 2509,MW,9.1,0.4,", "tell no ages"),
        ("NGC 1,MW,9.1,0.4,0.2", "has no age of NGC_2509"),
        ("NGC 2509,MW,91,0.4,0.2", "which is none"),
        ("NGC 2509,MW,old,0.4,0.2", "make it again"),
    ],
)
def test_what_is_worth_nothing_is_refused(tmp_path, row, words):
    write(tmp_path, row)
    with pytest.raises((ClusterError, ValueError), match=words):
        light_curve_prior("NGC_2509", tmp_path)


def test_no_table(tmp_path):
    with pytest.raises(FileNotFoundError, match="estimate_light_curve_age"):
        light_curve_prior("NGC_2509", tmp_path)
