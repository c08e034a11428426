"""Which files are read: the defaults, a chosen catalogue, a path; what a list is called."""

from pathlib import Path

import pytest

from gaia_oc_amd.catalogues.paths import existing_file, list_name, published_list, table_paths
from gaia_oc_amd.catalogues.published import CATALOGUES, CG18_MEMBERS, T22_MEMBERS
from gaia_oc_amd.options import TablePaths


def test_by_default_members_are_of_2018_and_parameters_of_2020(tmp_path):
    for name in ("cluster_parameters.csv", "cg18_members.csv"):
        (tmp_path / name).touch()
    names = [path.name if path else None for path in table_paths(tmp_path, TablePaths())]
    assert names == ["cluster_parameters.csv", "cg18_members.csv", None]
    (tmp_path / "t22_members.csv").touch()
    assert table_paths(tmp_path, TablePaths())[2].name == "t22_members.csv"


@pytest.mark.parametrize("catalogue", [entry for entry in CATALOGUES if entry.key != "parameters"])
def test_every_catalogue_can_be_chosen(tmp_path, catalogue):
    names = [table.file_name for table in catalogue.tables]
    for name in {*names, "cluster_parameters.csv", "cg18_members.csv"}:
        (tmp_path / name).touch()
    chosen = table_paths(tmp_path, TablePaths(catalogue=catalogue.key))
    assert set(names) <= {path.name for path in chosen if path}
    if catalogue.members:
        chosen = table_paths(tmp_path, TablePaths(comparison_catalogue=catalogue.key))
        assert chosen[2].name == catalogue.members.file_name


def test_a_path_goes_before_a_catalogue(tmp_path):
    mine = tmp_path / "mine.csv"
    mine.touch()
    paths = TablePaths(catalogue="hunt23", members_path=mine, cluster_path=mine, comparison_path=mine)
    assert table_paths(tmp_path, paths) == (mine, mine, mine)


@pytest.mark.parametrize(
    ("file", "name", "published"),
    [
        ("t22_members.csv", "T22", T22_MEMBERS),
        ("cg18_members.fits.gz", "CG18", CG18_MEMBERS),
        ("my_stars.csv", "my stars", None),
    ],
)
def test_a_list_is_called_like_its_catalogue_or_its_file(file, name, published):
    assert list_name(Path("somewhere") / file) == name
    assert published_list(Path("somewhere") / file) is published


def test_a_file_that_is_not_there_is_said_with_what_makes_it(tmp_path):
    path = tmp_path / "t22_members.csv"
    with pytest.raises(
        FileNotFoundError, match=r"--catalogues t22 --data_dir \S+` or name another .* --x_path"
    ):
        existing_file(path, "--x_path")
    with pytest.raises(
        FileNotFoundError, match=r"t22_members.csv does not exist: name another file with --x_path"
    ):
        existing_file(path, "--x_path", is_given=True)
    path.touch()
    assert existing_file(path, "--x_path") == path
