"""Catalogues: what their entries promise, and downloads from a stub of VizieR over HTTPS on loopback.

The stub answers as VizieR's votable service is known to (a VOTable of TABLEDATA, empty cells for missing
integers, a RESOURCE without a TABLE where nothing is found); astroquery talks to it as to the real one.
"""

import re
import typing

import pytest
from vizier_stub import VizierStub, served, votable, write_certificate

import download_members_and_cluster_params as script
from gaia_oc_amd.catalogues.download import download_catalogues, download_table
from gaia_oc_amd.catalogues.published import (
    CATALOGUES,
    CG18_MEMBERS,
    CG20_PARAMETERS,
    DEFAULT_KEYS,
    DIAS21_PARAMETERS,
    GROENINGEN23_MEMBERS,
    HUNT23_PARAMETERS,
    KEYS,
    T22_MEMBERS,
    find_catalogue,
)
from gaia_oc_amd.catalogues.tables import read_member_list, read_parameter_table
from gaia_oc_amd.exceptions import ArchiveUnavailableError
from gaia_oc_amd.options import CatalogueName

BIG = 5853498713190525696  # not representable as a float

# name, datatype and cells of the columns, as the tables are on VizieR
CG18 = [
    ("RA_ICRS", "double", ["52.5", "52.4", "53.1"]),
    ("DE_ICRS", "double", ["33.6", "33.8", "33.9"]),
    ("Source", "long", [str(BIG), str(BIG + 1), str(BIG + 2)]),
    ("plx", "double", ["1.2", "1.3", ""]),
    ("pmRA*", "double", ["-1.9", "-2.1", "-2.0"]),
    ("pmDE", "double", ["-1.3", "-1.2", "-1.1"]),
    ("Gmag", "double", ["15.4", "17.6", "12.1"]),
    ("PMemb", "float", ["0.2", "0.7", "1.0"]),
    ("Cluster", "char", ["ASCC_10", "ASCC_10", "M_67"]),
]
CG20 = [
    ("GaiaDR2", "long", [str(BIG)]),
    ("Plx", "double", ["1.2"]),
    ("proba", "float", ["0.9"]),
    ("Cluster", "char", ["ASCC_10"]),
]
T22 = [("Cluster", "char", ["ASCC_10"]), ("GaiaEDR3", "long", [str(BIG)]), ("Proba", "double", ["0.27"])]
TABLE1 = [
    ("Cluster", "char", ["ASCC_10", "UBC_1"]),
    ("RA_ICRS", "double", ["51.87", "288.0"]),
    ("DE_ICRS", "double", ["34.98", "56.83"]),
    ("nbstars07", "int", ["71", "47"]),
    ("pmRA*", "double", ["-1.737", "-2.49"]),
    ("s_pmRA*", "double", ["0.159", "0.204"]),
    ("pmDE", "double", ["-1.368", "3.742"]),
    ("s_pmDE", "double", ["0.143", "0.2"]),
    ("plx", "double", ["1.459", "3.045"]),
    ("s_plx", "double", ["0.1", "0.041"]),
    ("AgeNN", "double", ["8.42", ""]),
    ("AVNN", "double", ["0.63", ""]),
    ("DMNN", "double", ["9.1", ""]),
    ("DistPc", "double", ["660", ""]),
]
# Hunt & Reffert's ReadMe of 2024, with the names VizieR gives positions
HUNT = [
    ("Name", "char", ["Melotte_22", "NGC_104", "HSC_7"]),
    ("Type", "char", ["o", "g", ""]),
    ("RA_ICRS", "double", ["56.68", "6.02", "1.5"]),
    ("DE_ICRS", "double", ["24.11", "-72.08", "-1.5"]),
    ("pmRA", "double", ["19.9", "5.25", "1"], "mas/yr"),
    ("s_pmRA", "double", ["1.2", "0.4", "0.1"], "mas/yr"),
    ("e_pmRA", "double", ["0.03", "0.01", "0.01"], "mas/yr"),
    ("pmDE", "double", ["-45.4", "-2.5", "2"], "mas/yr"),
    ("s_pmDE", "double", ["1.6", "0.4", "0.2"], "mas/yr"),
    ("e_pmDE", "double", ["0.04", "0.01", "0.01"], "mas/yr"),
    ("Plx", "double", ["7.38", "0.22", "2"], "mas"),
    ("s_Plx", "double", ["0.23", "0.03", "0.1"], "mas"),
    ("e_Plx", "double", ["0.01", "0.01", "0.01"], "mas"),
    ("dist16", "double", ["134.5", "4400", "480"], "pc"),
    ("dist50", "double", ["134.9", "4450", "490"], "pc"),
    ("dist84", "double", ["135.2", "4500", "500"], "pc"),
    ("logAge16", "double", ["7.9", "", "8.0"], "log(yr)"),
    ("logAge50", "double", ["8.1", "", "8.1"], "log(yr)"),
    ("logAge84", "double", ["8.3", "", "8.2"], "log(yr)"),
    ("AV16", "double", ["0.05", "", "0.1"], "mag"),
    ("AV50", "double", ["0.12", "", "0.2"], "mag"),
    ("AV84", "double", ["0.2", "", "0.3"], "mag"),
]
HUNT_MEMBERS = [
    ("Name", "char", ["Melotte_22"]),
    ("GaiaDR3", "long", [str(BIG)]),
    ("Prob", "double", ["0.75"]),
    ("RA_ICRS", "double", ["56.68"], "deg"),
]
# Dias et al. (2021), table12, as printed copies of it have its columns and units
DIAS = [
    ("Cluster", "char", ["ASCC_107"]),
    ("RA_ICRS", "double", ["297.1623"], "deg"),
    ("DE_ICRS", "double", ["22.0071"], "deg"),
    ("pmRA", "float", ["-0.144"], "mas/yr"),
    ("e_pmRA", "float", ["0.135"], "mas/yr"),
    ("pmDE", "float", ["-5.158"], "mas/yr"),
    ("e_pmDE", "float", ["0.141"], "mas/yr"),
    ("Plx", "float", ["1.118"], "mas"),
    ("e_Plx", "float", ["0.055"], "mas"),
    ("Dist", "short", ["864"], "pc"),
    ("logage", "float", ["7.440"], "log(yr)"),
    ("Av", "float", ["1.372"], "mag"),
]
# Castro-Ginard et al. (2022), ReadMe of 11-Apr-2022
CASTRO = [
    ("Cluster", "char", ["UBC1001"]),
    ("RA_ICRS", "double", ["90.5"], "deg"),
    ("DE_ICRS", "double", ["20.5"], "deg"),
    ("plx", "float", ["0.45"], "mas"),
    ("s_plx", "float", ["0.04"], "mas"),
    ("pmRA", "float", ["-1.5"], "mas/yr"),
    ("s_pmRA", "float", ["0.1"], "mas/yr"),
    ("pmDE", "float", ["0.5"], "mas/yr"),
    ("s_pmDE", "float", ["0.2"], "mas/yr"),
    ("logAge", "float", ["8.25"], "log(yr)"),
    ("Dist", "double", ["2150.5"], "pc"),
    ("AV", "float", ["1.25"]),
]
CASTRO_MEMBERS = [
    ("Cluster", "char", ["UBC1001", "UBC1001"]),
    ("GaiaEDR3", "long", [str(BIG), str(BIG + 1)]),
    ("plx", "double", ["0.44", "0.46"], "mas"),
]
DEEP_SETS = [
    ("Cluster", "char", ["ASCC_10"]),
    ("GaiaDR3", "long", [str(BIG)]),
    ("Prob", "float", ["85"], "%"),
]

TABLES = {
    "J/A+A/618/A93/members": [CG18],
    "J/A+A/640/A1/nodup": [CG20],
    "J/A+A/659/A59/table2": [T22],
    "J/A+A/640/A1/table1": [TABLE1],
    "J/A+A/673/A114/clusters": [HUNT],
    "J/A+A/673/A114/members": [HUNT_MEMBERS],
    "J/A+A/686/A42/clusters": [HUNT],
    "J/A+A/686/A42/members": [HUNT_MEMBERS],
    "J/MNRAS/504/356/table12": [DIAS],
    "J/A+A/661/A118/table1": [CASTRO],
    "J/A+A/661/A118/table2": [CASTRO_MEMBERS],
    "J/A+A/675/A68": [[("Cluster", "char", ["ASCC_10"]), ("N", "int", ["71"])], DEEP_SETS],
}
ENTRIES = {table.file_name: table for catalogue in CATALOGUES for table in catalogue.tables}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "stub.pem"
    write_certificate(path)
    return path


@pytest.fixture
def vizier(certificate, monkeypatch):
    """The stub, and its address as ``vizier.server``."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with served(VizierStub(TABLES), certificate) as stub:
        yield stub


def test_member_list_is_downloaded_to_the_last_digit(vizier, tmp_path):
    path = download_table(CG18_MEMBERS, tmp_path, server=vizier.server)
    assert path == tmp_path / "cg18_members.csv"
    assert "-out.max=unlimited" in vizier.queries[0]
    text = path.read_text().splitlines()
    assert text[0] == "cluster,source_id,PMemb,ra,dec,pmra,pmdec,parallax,phot_g_mean_mag"
    assert text[1] == f"ASCC_10,{BIG},0.2,52.5,33.6,-1.9,-1.3,1.2,15.4"
    members = read_member_list(path)
    assert members["source_id"].tolist() == [BIG, BIG + 1, BIG + 2]
    assert members["PMemb"].tolist() == [0.2, 0.7, 1.0]
    assert members["parallax"].isna().tolist() == [False, False, True]


def test_all_catalogues_are_downloaded_by_the_script(vizier, tmp_path):
    assert script.main(["--data_dir", str(tmp_path), "--server", vizier.server, "--catalogues", *KEYS]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(ENTRIES)
    assert len(vizier.queries) == len(ENTRIES)  # cg20 and parameters share a table


def test_without_names_the_small_ones_are_downloaded(vizier, tmp_path):
    assert script.main(["--data_dir", str(tmp_path), "--server", vizier.server]) == 0
    names = {table.file_name for key in DEFAULT_KEYS for table in find_catalogue(key).tables}
    assert {path.name for path in tmp_path.iterdir()} == names
    clusters = read_parameter_table(tmp_path / "cluster_parameters.csv")
    assert clusters.loc[0].tolist()[:7] == ["ASCC_10", 51.87, 34.98, -1.737, -1.368, 0.159, 0.143]
    assert clusters.loc[0].tolist()[7:] == [1.459, 0.1, 8.42, 0.63, 660]
    assert clusters.loc[1, ["age", "a0", "dist"]].isna().all()
    assert list(read_member_list(tmp_path / "cg20_members.csv")) == [
        "cluster",
        "source_id",
        "PMemb",
        "parallax",
    ]
    assert read_member_list(tmp_path / "t22_members.csv")["source_id"].tolist() == [BIG]


def test_an_existing_file_is_kept_unless_told(vizier, tmp_path):
    (tmp_path / "t22_members.csv").write_text("mine")
    download_catalogues(tmp_path, catalogues=("t22",), server=vizier.server)
    assert (tmp_path / "t22_members.csv").read_text() == "mine"
    assert vizier.queries == []
    download_catalogues(tmp_path, catalogues=("t22",), server=vizier.server, overwrite=True)
    assert len(read_member_list(tmp_path / "t22_members.csv")) == 1


def test_nothing_comes_from_a_cache(vizier, tmp_path):
    for _ in range(2):
        download_table(T22_MEMBERS, tmp_path, overwrite=True, server=vizier.server)
    assert len(vizier.queries) == 2


@pytest.mark.parametrize("prefix", ["s", "e"])
def test_either_label_of_the_standard_deviations_is_understood(vizier, tmp_path, prefix):
    renamed = [(name.replace("s_", f"{prefix}_").replace("*", "_"), *rest) for name, *rest in TABLE1]
    vizier.tables["J/A+A/640/A1/table1"] = [renamed]
    path = download_table(CG20_PARAMETERS, tmp_path, server=vizier.server)
    assert read_parameter_table(path)["pmra_error"].tolist() == [0.159, 0.204]


def test_a_missing_column_is_named_with_those_found(vizier, tmp_path):
    vizier.tables["J/A+A/640/A1/table1"] = [[column for column in TABLE1 if column[0] != "AVNN"]]
    with pytest.raises(
        ValueError, match=r"has no column AVNN for a0, only Cluster, RA_ICRS,.*DistPc: add"
    ) as caught:
        download_table(CG20_PARAMETERS, tmp_path, server=vizier.server)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_source_id_is_refused(vizier, tmp_path):
    vizier.tables["J/A+A/659/A59/table2"] = [[T22[0], ("GaiaEDR3", "long", [""]), T22[2]]]
    with pytest.raises(
        ValueError, match=r"source_id in VizieR's J/A.A/659/A59/table2 is missing in 1 of 1 rows"
    ):
        download_table(T22_MEMBERS, tmp_path, server=vizier.server)


def test_an_empty_answer_is_refused(vizier, tmp_path):
    vizier.tables.clear()
    with pytest.raises(ArchiveUnavailableError, match=r"gave no rows of J/A.A/659/A59/table2: try again"):
        download_table(T22_MEMBERS, tmp_path, server=vizier.server)


@pytest.mark.parametrize(
    ("status", "body", "cut"),
    [
        (500, b"Internal error", 0),
        (200, b"<html>maintenance</html>", 0),
        (200, votable("t", [T22])[:-120], 0),
        (200, None, 50),
    ],
    ids=["error", "page", "truncated document", "broken connection"],
)
def test_bad_answers_leave_the_old_file_and_one_line(vizier, tmp_path, status, body, cut):
    (tmp_path / "t22_members.csv").write_text("old")
    vizier.status, vizier.body, vizier.cut = status, body, cut
    with pytest.raises(
        ArchiveUnavailableError, match=r"VizieR at 127\.0\.0\.1:\d+ gave no .*try again"
    ) as caught:
        download_table(T22_MEMBERS, tmp_path, overwrite=True, server=vizier.server)
    assert "\n" not in str(caught.value)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("t22_members.csv", "old")]


def test_a_server_that_is_not_there(tmp_path):
    with pytest.raises(
        ArchiveUnavailableError, match=r"gave no readable table \S+ \(Failed to establish .*refused\)"
    ):
        download_table(T22_MEMBERS, tmp_path, server="127.0.0.1:9")


def test_an_unknown_key_is_named(tmp_path):
    with pytest.raises(ValueError, match="no catalogue 'hunt22': choose among parameters, cg18"):
        download_catalogues(tmp_path, catalogues=("cg18", "hunt22"))
    assert list(tmp_path.iterdir()) == []


def read(path):
    return (read_member_list if "members" in path.name else read_parameter_table)(path)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_reads_into_our_columns_with_our_units(vizier, tmp_path, name):
    """Whatever unit VizieR states: lengths in kpc, motions in arcsec/yr give the same numbers."""
    entry = ENTRIES[name]
    plain = read(download_table(entry, tmp_path, server=vizier.server))
    assert set(entry.columns) | set(entry.constants) <= set(plain)
    other = {
        "pc": ("kpc", 1e-3),
        "mas/yr": ("arcsec/yr", 1e-3),
        "mas": ("arcsec", 1e-3),
        "deg": ("arcmin", 60),
    }

    def converted(name, kind, cells, unit=None):
        if unit not in other:
            return (name, kind, cells, unit) if unit else (name, kind, cells)
        unit, factor = other[unit]
        return (name, "double", [str(float(cell) * factor) if cell else cell for cell in cells], unit)

    tables = [[converted(*column) for column in columns] for columns in TABLES[entry.table]]
    vizier.tables[entry.table] = tables
    again = read(download_table(entry, tmp_path / "other", server=vizier.server))
    for column in plain:
        if plain[column].dtype.kind in "if" and column != "source_id":
            assert again[column].to_numpy() == pytest.approx(plain[column].to_numpy(), rel=1e-9, nan_ok=True)
        else:
            assert again[column].equals(plain[column])


def test_hunt_and_reffert_keep_types_and_percentiles(vizier, tmp_path):
    clusters = read_parameter_table(download_table(HUNT23_PARAMETERS, tmp_path, server=vizier.server))
    assert clusters["type"].fillna("").tolist() == ["o", "g", ""]
    first = clusters.loc[0]
    assert first[["pmra_error", "pmdec_error", "parallax_error"]].tolist() == [1.2, 1.6, 0.23]
    assert first[["age", "age_16", "age_84", "a0", "a0_16"]].tolist() == [8.1, 7.9, 8.3, 0.12, 0.05]
    assert first[["dist", "dist_16", "dist_84"]].tolist() == [134.9, 134.5, 135.2]
    assert clusters.loc[1, ["age", "a0"]].isna().all()


def test_a_list_without_probabilities_is_of_certain_members(vizier, tmp_path):
    download_catalogues(tmp_path, catalogues=("castro22",), server=vizier.server)
    assert read_member_list(tmp_path / "castro22_members.csv")["PMemb"].tolist() == [1.0, 1.0]
    row = read_parameter_table(tmp_path / "castro22_parameters.csv").loc[0]
    assert row[["dist", "age", "a0", "parallax_error"]].tolist() == [2150.5, 8.25, 1.25, 0.04]


def test_dias_has_scatters_under_the_name_of_errors(vizier, tmp_path):
    row = read_parameter_table(download_table(DIAS21_PARAMETERS, tmp_path, server=vizier.server)).loc[0]
    assert row[["pmra_error", "pmdec_error", "parallax_error"]].tolist() == [0.135, 0.141, 0.055]
    assert row[["dist", "age", "a0"]].tolist() == [864, 7.44, 1.372]


def test_of_several_tables_the_one_with_the_columns_is_taken(vizier, tmp_path):
    members = read_member_list(download_table(GROENINGEN23_MEMBERS, tmp_path, server=vizier.server))
    assert members["PMemb"].tolist() == [0.85]  # VizieR said 85 %
    vizier.tables["J/A+A/675/A68"] = [TABLES["J/A+A/675/A68"][0]]
    with pytest.raises(
        ValueError, match=r"A68 has no column GaiaDR3 or Source or GaiaEDR3 for source_id, only"
    ):
        download_table(GROENINGEN23_MEMBERS, tmp_path, overwrite=True, server=vizier.server)


def test_a_column_that_is_another_quantity_is_refused(vizier, tmp_path):
    swapped = [(*column[:3], "km") if column[0] == "logage" else column for column in DIAS]
    swapped = [(*column[:3], "km/s") if column[0] == "Dist" else column for column in swapped]
    vizier.tables["J/MNRAS/504/356/table12"] = [swapped]
    with pytest.raises(ValueError, match=r"table12 has Dist in km / s, which is no pc"):
        download_table(DIAS21_PARAMETERS, tmp_path, server=vizier.server)


def test_entries_are_complete():
    assert set(typing.get_args(CatalogueName)) == set(KEYS) - {"parameters"}
    assert len({table.table for table in ENTRIES.values()}) == len(ENTRIES)
    for catalogue in CATALOGUES:
        assert catalogue.tables
        for table in catalogue.tables:
            assert re.fullmatch(r"J/[\w+]+/\d+/A?\d+(/\w+)?", table.table)
            assert table.reference in catalogue.content or catalogue.key == "cg20"
            assert table.known_from
            assert re.fullmatch(r"[a-z0-9_]+\.csv", table.file_name)


def test_help_lists_every_catalogue_with_reference_and_size(capsys):
    with pytest.raises(SystemExit):
        script.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for catalogue in CATALOGUES:
        assert f"{catalogue.key} {catalogue.content}" in text
