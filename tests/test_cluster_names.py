"""Cluster names: any spelling finds its row, and lists are read from files a user may have."""

import pandas as pd
import pytest

from gaia_oc_amd.cluster_names import find_name, normalise_name, read_cluster_names
from gaia_oc_amd.exceptions import UnknownClusterError

KNOWN = ["NGC_2506", "NGC_2509", "IC_4651", "ESO_130_06", "UPK_12"]


@pytest.mark.parametrize("name", ["NGC_2509", "ngc 2509", "NGC-2509", " Ngc2509 ", "n_g_c_2509"])
def test_spellings_find_the_tables_own(name):
    assert find_name(name, KNOWN) == "NGC_2509"


def test_unknown_names_offer_the_nearest():
    with pytest.raises(
        UnknownClusterError,
        match=r"'NGC_2505' is in none of the 5 rows of x\.csv: did you mean NGC_250[69], NGC_250",
    ):
        find_name("NGC_2505", KNOWN, table="x.csv")


def test_names_like_nothing_get_a_remedy():
    with pytest.raises(UnknownClusterError, match="--cluster_path"):
        find_name("Andromeda", KNOWN)


def test_no_two_real_clusters_share_a_normalised_name(shared):
    names = pd.read_csv(shared / "real" / "cluster_parameters.csv")["name"]
    assert names.map(normalise_name).is_unique


def test_names_and_files_are_mixed_in_order_without_duplicates(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbf# my clusters\r\nNGC 2509\r\n\r\nIC_4651  # old\r\nngc_2506\r\n")
    assert read_cluster_names(["UPK_12", str(path), "NGC_2506"]) == [
        "UPK_12",
        "NGC 2509",
        "IC_4651",
        "ngc_2506",
    ]


@pytest.mark.parametrize("content", ["", "\n\n", "# NGC_2509\n", "- _\n"])
def test_a_list_without_names_is_refused(tmp_path, content):
    (tmp_path / "list.txt").write_text(content)
    with pytest.raises(ValueError, match=r"list\.txt has no cluster name"):
        read_cluster_names([str(tmp_path / "list.txt")])


@pytest.mark.parametrize("arguments", [[], [" "], ["_"]])
def test_no_name_at_all_is_refused(arguments):
    with pytest.raises(ValueError, match="no cluster name was given"):
        read_cluster_names(arguments)


@pytest.mark.parametrize(
    "argument", ["clusters.txt", "CLUSTERS.LST", "clusters.csv", "some/where", "../NGC_2509"]
)
def test_a_path_that_does_not_exist_is_no_name(tmp_path, monkeypatch, argument):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist: give a cluster name"):
        read_cluster_names([argument])


def test_a_folder_is_no_list(tmp_path):
    with pytest.raises(FileNotFoundError, match="is a folder"):
        read_cluster_names([str(tmp_path)])


@pytest.mark.parametrize("content", [b"NGC_2509\0", b"\x1f\x8b\xff\xfe"])
def test_a_binary_file_is_refused(tmp_path, content):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(ValueError, match="not a text file"):
        read_cluster_names([str(tmp_path / "list.txt")])


def test_a_huge_file_is_refused_unread(tmp_path):
    (tmp_path / "cone.csv").write_text("NGC_2509\n" * 200_000)
    with pytest.raises(ValueError, match=r"has 1800000 bytes, at most 1048576"):
        read_cluster_names([str(tmp_path / "cone.csv")])
