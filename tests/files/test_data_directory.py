"""Paths and files: nothing escapes, nothing is left half-written."""

import errno
import json
import stat

import numpy as np
import pytest

from gaia_oc_amd.files.data_directory import cluster_directory, read_json, write_atomically, write_json


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "..", "", "a\0b", "/etc", "a/../../b", ".hidden", "x;rm", "a'b", "…"]
)
def test_names_that_could_escape_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="cannot name a cluster folder"):
        cluster_directory(tmp_path, name)


@pytest.mark.parametrize("name", ["NGC_2509", "Skiff_J0058+68.4", "COIN-Gaia_30", "NGC 2509"])
def test_catalogue_names_are_folders(tmp_path, name):
    assert cluster_directory(tmp_path, name) == tmp_path / "clusters" / name.replace(" ", "_")


def test_every_catalogue_name_is_a_folder(shared, tmp_path):
    import pandas as pd

    names = pd.read_csv(shared / "real" / "cluster_parameters.csv")["name"]
    assert len({cluster_directory(tmp_path, name) for name in names}) == len(names)


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def write_half():
        with write_atomically(path) as temporary:
            temporary.write_text("ha")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_mode_is_set_before_the_content(tmp_path):
    with write_atomically(tmp_path / "secret", mode=0o600) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_json_holds_arrays_and_missing_numbers(tmp_path):
    write_json(tmp_path / "x", {"a": np.array([1.0, np.nan]), "b": np.int64(3), "c": np.inf})
    assert json.loads((tmp_path / "x").read_text()) == {"a": [1.0, None], "b": 3, "c": None}
    (tmp_path / "x").write_text("{")
    with pytest.raises(ValueError, match="not a readable JSON"):
        read_json(tmp_path / "x")


def test_full_disk_is_said_with_the_final_path(tmp_path):
    def fill():
        with write_atomically(tmp_path / "members.csv"):
            raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/.tmp-x")

    with pytest.raises(OSError, match=r"members.csv cannot be written: the disk is full"):
        fill()
    assert not list(tmp_path.iterdir())


def test_file_in_the_place_of_a_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="a part of its path is a file"):
        write_json(tmp_path / "file" / "x", {})
