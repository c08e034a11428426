"""Cluster names: any spelling finds its row, and lists are read from files a user may have."""

import pandas as pd
import pytest

from gaia_oc_amd.catalogues.names import (
    ABBREVIATIONS,
    ALIASES,
    NameIndex,
    canonical_name,
    normalise_name,
    read_cluster_names,
)
from gaia_oc_amd.exceptions import UnknownClusterError

KNOWN = ["NGC_2506", "NGC_2509", "IC_4651", "ESO_130_06", "UPK_12"]


@pytest.mark.parametrize("name", ["NGC_2509", "ngc 2509", "NGC-2509", " Ngc2509 ", "n_g_c_2509"])
def test_spellings_find_the_tables_own(name):
    assert NameIndex(KNOWN).find(name) == "NGC_2509"


def test_unknown_names_offer_the_nearest():
    with pytest.raises(
        UnknownClusterError,
        match=r"'NGC_2505' is in none of the 5 rows of x\.csv: did you mean NGC_250[69], NGC_250",
    ):
        NameIndex(KNOWN, table="x.csv").find("NGC_2505")


def test_names_like_nothing_get_a_remedy():
    with pytest.raises(UnknownClusterError, match="--cluster_path"):
        NameIndex(KNOWN).find("Andromeda")


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


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("Melotte_22", ["Pleiades", "M45", "M 45", "messier 45", "Mel 22", "Cl Melotte 22", "NAME Pleiades"]),
        ("NGC_188", ["Cl* NGC 188", "NGC\u2011188", "NGC\u00a0188", "NGC\u2009188", "NGC\u200b 188\ufeff"]),
        ("NGC_2632", ["Praesepe", "M44", "Melotte_88", "Beehive"]),
        ("Praesepe", ["NGC 2632", "m_44"]),
        ("NGC_2682", ["M67", "M_67"]),
        ("M_67", ["NGC2682", "Mel 94"]),
        ("Melotte_25", ["Hyades"]),
        ("Melotte_20", ["alpha Persei", "Alpha_Per", "Cr 39"]),
        ("Melotte_111", ["Coma Ber", "coma berenices"]),
        ("NGC_869", ["h Persei"]),
        ("NGC_884", ["chi Per"]),
        ("IC_4725", ["M25"]),
        ("NGC_4755", ["Jewel Box"]),
        ("UBC_7", ["UBC 7", "UBC7", "ubc_007"]),
        ("UBC1001", ["UBC_1001", "ubc 1001"]),
        ("UBC_17a", ["UBC17A", "ubc 17 a"]),
        ("FSR_0133", ["FSR 133", "fsr0133", "FSR-0133"]),
        ("FSR_133", ["FSR_0133"]),
        ("ESO_130_06", ["ESO 130-06", "ESO130-6", "eso 130-006", "ESO13006"]),
        ("LP_866", ["LP_0866", "FoF_866"]),
        ("CWNU_1024", ["cwnu 1024"]),
        ("HSC_7", ["HSC_0007"]),
        ("UPK_12", ["UPK 012"]),
        ("Collinder_69", ["Cr 69", "Coll 69", "Cl Collinder 69"]),
        ("Trumpler_14", ["Tr 14", "tr14"]),
        ("Berkeley_17", ["Be 17", "Berk_17"]),
        ("King_1", ["Ki 1"]),
        ("Czernik_2", ["Cz 2"]),
        ("Ruprecht_44", ["Ru 44", "Rup 44"]),
        ("Stephenson_1", ["Ste 1"]),
        ("BH_99", ["vdBH 99", "vdBergh-Hagen 99"]),
        ("IC_4665", ["IC 4665", "ic4665"]),
    ],
)
def test_aliases_and_formats_find_the_tables_own(table, names):
    decoys = ["Melotte_227", "UBC_17b", "UBC_70", "FSR_1330", "ESO_130_08", "NGC_1960", "Toy_1"]
    for name in names:
        assert NameIndex([*decoys, table]).find(name) == table


def test_an_alias_that_fits_two_rows_lists_them():
    index = NameIndex(["NGC_2682", "M_67", "IC_1"], table="x.csv")
    assert index.get("ngc 2682") == "NGC_2682"  # one is spelled so
    with pytest.raises(
        UnknownClusterError, match=r"'Mel 94' fits 2 rows of x\.csv, NGC_2682, M_67: give one"
    ):
        index.get("Mel 94")


def test_aliases_say_nothing_twice():
    names = [canonical_name(name) for row in ALIASES for name in row]
    assert len(set(names)) == len(ALIASES)
    spelled = [normalise_name(name) for row in ALIASES for name in row]
    assert len(set(spelled)) == len(spelled)
    assert not set(ABBREVIATIONS) & set(ABBREVIATIONS.values())


def test_no_two_real_clusters_mean_the_same(shared):
    names = pd.read_csv(shared / "real" / "cluster_parameters.csv")["name"]
    assert names.map(canonical_name).is_unique
    members = pd.read_csv(shared / "real" / "cg18_members.csv.gz", usecols=["cluster"])["cluster"].unique()
    index = NameIndex(names)
    globular = {"BH_140", "FSR_1716", "FSR_1758"}  # and one dropped: no longer clusters in 2020
    assert {name for name in members if index.get(name) is None} == {*globular, "Harvard_5"}


def test_aliases_in_a_list_are_one_cluster():
    assert read_cluster_names(["M45", "Pleiades", "Melotte_22", "UBC 7", "UBC_007"]) == ["M45", "UBC 7"]


@pytest.mark.parametrize("name", ["NGC_1\x1b[2J", "NGC\u202e1", "a\x07", "NGC_1\x7f"])
def test_names_with_control_characters_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="has a character that cannot be printed") as caught:
        read_cluster_names([name])
    assert str(caught.value).isprintable()


def test_a_name_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="is 5000 characters long, too long for a name") as caught:
        read_cluster_names(["N" * 5000])
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", ["NGC_1\x1b[2J", "NGC\u202e1", "N" * 5000])
def test_a_name_that_can_be_none_costs_its_own_line_of_a_list(tmp_path, name):
    (tmp_path / "list.txt").write_text(f"NGC_2\n{name}\nNGC_3\n")
    assert read_cluster_names([str(tmp_path / "list.txt")]) == ["NGC_2", name, "NGC_3"]
    with pytest.raises(UnknownClusterError, match="is in none of the 1 rows") as caught:
        NameIndex(["Blanco_1"]).find(name)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "name",
    ["'; DROP TABLE gaia_source; --", "x' OR '1'='1", '"><script>', "=cmd|' /C calc'!A0", "NGC_" + "9" * 150],
)
def test_hostile_names_are_just_unknown(name):
    with pytest.raises(UnknownClusterError, match="is in none of the 5 rows") as caught:
        NameIndex(KNOWN).find(name)
    assert "\n" not in str(caught.value)


def test_swapped_digits_are_suggested_first():
    index = NameIndex(["NGC_2509", "NGC_2599", "NGC_2590a", "NGC_2539", "NGC_9025"])
    with pytest.raises(UnknownClusterError, match="did you mean NGC_2509, NGC_9025"):
        index.find("NGC_2590")


def test_names_that_were_copied_from_a_page_are_typed_ones(tmp_path):
    assert read_cluster_names(["ESO\u00a092\u201318\u200b"]) == ["ESO 92-18"]
    (tmp_path / "clusters.txt").write_text("NGC\u00a0188\nUBC\u22127\n", encoding="utf-8")
    assert read_cluster_names([str(tmp_path / "clusters.txt")]) == ["NGC 188", "UBC-7"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_lists_of_names_as_editors_save_them(tmp_path, encoding, ends):
    text = ends.join(["Lyng\u00e5 2", "# a comment", "", "NGC 188  "])
    (tmp_path / "clusters.txt").write_bytes(text.encode(encoding))
    assert read_cluster_names([str(tmp_path / "clusters.txt")]) == ["Lyng\u00e5 2", "NGC 188"]


def test_lists_of_names_as_spreadsheets_save_them(tmp_path):
    (tmp_path / "clusters.csv").write_text('"NGC_188",\n"UBC 7";\t\n,\n')
    assert read_cluster_names([str(tmp_path / "clusters.csv")]) == ["NGC_188", "UBC 7"]
