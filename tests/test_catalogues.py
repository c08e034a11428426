"""Catalogues: downloads from a stub of VizieR over HTTPS on loopback, and the tables that users have.

The stub answers as VizieR's votable service is known to (a VOTable of TABLEDATA, empty cells for missing
integers, a RESOURCE without a TABLE where nothing is found); astroquery talks to it as to the real one.
"""

import datetime
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

import download_members_and_cluster_params as script
from gaia_oc_amd.catalogues import (
    CATALOGUES,
    download_catalogue,
    download_catalogues,
    read_member_list,
    read_parameter_table,
)
from gaia_oc_amd.exceptions import ArchiveUnavailableError
from gaia_oc_amd.tables import write_table

BIG = 5853498713190525696  # not representable as a float
BY_KEY = {catalogue.key: catalogue for catalogue in CATALOGUES}

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
ARRAY_SIZES = {"char": 'arraysize="*"'}
TABLES = {
    "J/A+A/618/A93/members": CG18,
    "J/A+A/640/A1/nodup": CG20,
    "J/A+A/659/A59/table2": T22,
    "J/A+A/640/A1/table1": TABLE1,
}


def votable(name, columns):
    """A document as VizieR writes it."""
    table = ""
    if columns:
        fields = "".join(
            f'<FIELD name="{name}" datatype="{kind}" {ARRAY_SIZES.get(kind, "")}/>'
            for name, kind, _ in columns
        )
        rows = zip(*(cells for _, _, cells in columns), strict=True)
        data = "".join("<TR>" + "".join(f"<TD>{cell}</TD>" for cell in row) + "</TR>\n" for row in rows)
        table = f'<TABLE name="{name}">{fields}<DATA><TABLEDATA>\n{data}</TABLEDATA></DATA></TABLE>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE version="1.4" '
        'xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n<INFO name="-out.max" value="unlimited"/>'
        f'<RESOURCE name="{name}">{table}</RESOURCE>\n</VOTABLE>\n'
    ).encode()


class Stub:
    """What the next answer is, and what was asked."""

    def __init__(self):
        self.tables = dict(TABLES)
        self.status, self.body, self.cut = 200, None, 0
        self.queries = []

    def answer(self, query):
        self.queries.append(query)
        options = dict(line.partition("=")[::2] for line in query.splitlines())
        body = self.body
        if body is None:
            body = votable(options["-source"], self.tables.get(options["-source"]))
        return self.status, body


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Self-signed certificate for 127.0.0.1: astroquery speaks nothing but HTTPS with VizieR."""
    x509 = pytest.importorskip("cryptography.x509", reason="the stub needs a certificate")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "stub.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def vizier(certificate, monkeypatch, tmp_path):
    """The stub, and its address as ``vizier.server``."""
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.path == "/viz-bin/votable"
            status, body = stub.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) - stub.cut])
            self.close_connection = True

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    stub.server = f"127.0.0.1:{server.server_port}"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield stub
    server.shutdown()
    thread.join()
    server.server_close()


def test_member_list_is_downloaded_to_the_last_digit(vizier, tmp_path):
    path = download_catalogue(BY_KEY["cg18"], tmp_path, server=vizier.server)
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
    assert script.main(["--data_dir", str(tmp_path), "--server", vizier.server]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(entry.file_name for entry in CATALOGUES)
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
        download_catalogue(BY_KEY["t22"], tmp_path, overwrite=True, server=vizier.server)
    assert len(vizier.queries) == 2


@pytest.mark.parametrize("prefix", ["s", "e"])
def test_either_label_of_the_standard_deviations_is_understood(vizier, tmp_path, prefix):
    renamed = [(name.replace("s_", f"{prefix}_").replace("*", "_"), *rest) for name, *rest in TABLE1]
    vizier.tables["J/A+A/640/A1/table1"] = renamed
    path = download_catalogue(BY_KEY["parameters"], tmp_path, server=vizier.server)
    assert read_parameter_table(path)["pmra_error"].tolist() == [0.159, 0.204]


def test_a_missing_column_is_named_with_those_found(vizier, tmp_path):
    vizier.tables["J/A+A/640/A1/table1"] = [column for column in TABLE1 if column[0] != "AVNN"]
    with pytest.raises(
        ValueError, match=r"has no column AVNN for a0, only Cluster, RA_ICRS,.*DistPc: add"
    ) as caught:
        download_catalogue(BY_KEY["parameters"], tmp_path, server=vizier.server)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_source_id_is_refused(vizier, tmp_path):
    vizier.tables["J/A+A/659/A59/table2"] = [T22[0], ("GaiaEDR3", "long", [""]), T22[2]]
    with pytest.raises(
        ValueError, match=r"source_id in VizieR's J/A.A/659/A59/table2 is missing in 1 of 1 rows"
    ):
        download_catalogue(BY_KEY["t22"], tmp_path, server=vizier.server)


def test_an_empty_answer_is_refused(vizier, tmp_path):
    vizier.tables.clear()
    with pytest.raises(ArchiveUnavailableError, match=r"gave no rows of J/A.A/659/A59/table2: try again"):
        download_catalogue(BY_KEY["t22"], tmp_path, server=vizier.server)


@pytest.mark.parametrize(
    ("status", "body", "cut"),
    [
        (500, b"Internal error", 0),
        (200, b"<html>maintenance</html>", 0),
        (200, votable("t", T22)[:-120], 0),
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
        download_catalogue(BY_KEY["t22"], tmp_path, overwrite=True, server=vizier.server)
    assert "\n" not in str(caught.value)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("t22_members.csv", "old")]


def test_a_server_that_is_not_there(tmp_path):
    with pytest.raises(ArchiveUnavailableError, match=r"VizieR at 127\.0\.0\.1:9 gave no readable table"):
        download_catalogue(BY_KEY["t22"], tmp_path, server="127.0.0.1:9")


def test_an_unknown_key_is_named(tmp_path):
    with pytest.raises(ValueError, match="no catalogue 'hunt23': choose among parameters, cg18"):
        download_catalogues(tmp_path, catalogues=("cg18", "hunt23"))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def members():
    return pd.DataFrame(
        {"cluster": ["M_67", "M_67", "IC_1"], "source_id": [BIG, BIG + 1, BIG], "PMemb": [0.1, 1.0, 0.5]}
    )


@pytest.fixture
def parameters():
    columns = ("name", "ra", "dec", "pmra", "pmdec", "parallax")
    return pd.DataFrame(
        [("M_67", 132.8, 11.8, -11.0, -2.9, 1.15), ("IC_1", 2.1, 27.7, 0, 0, 1)], columns=columns
    )


@pytest.mark.parametrize("name", ["m.csv", "m.csv.gz", "m.vot.gz", "m.parquet"])
def test_member_lists_of_every_format(tmp_path, members, name):
    format = {".csv": "csv", ".gz": "votable" if "vot" in name else "csv.gz", ".parquet": "parquet"}
    write_table(tmp_path / name, members, format["." + name.rpartition(".")[2]])
    pd.testing.assert_frame_equal(read_member_list(tmp_path / name), members)


def test_of_members_listed_twice_the_most_probable_row_is_kept(tmp_path, members):
    members.iloc[[0, 1, 2, 0, 1]].assign(PMemb=[0.1, 1.0, 0.5, 0.3, 0.2]).to_csv(
        tmp_path / "m.csv", index=False
    )
    with pytest.warns(UserWarning, match=r"m\.csv lists 2 members more than once"):
        result = read_member_list(tmp_path / "m.csv")
    expected = pd.DataFrame(
        {"cluster": ["M_67", "IC_1", "M_67"], "source_id": [BIG + 1, BIG, BIG], "PMemb": [1.0, 0.5, 0.3]}
    )
    pd.testing.assert_frame_equal(result, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="PMemb"), r"m\.csv has no column PMemb, only cluster, source_id: rename"),
        (lambda t: t.iloc[:0], r"m\.csv has no rows"),
        (lambda t: t.assign(PMemb=[0.1, 70, 90]), r"PMemb 70 in 2 rows.*between 0 and 1"),
        (lambda t: t.assign(PMemb=[0.1, None, 0.5]), r"PMemb nan in 1 rows"),
        (lambda t: t.assign(PMemb=["high", "low", "low"]), r"PMemb that is no number \('high'"),
        (lambda t: t.assign(source_id=t["source_id"] + 0.0), r"source_id in .*m\.csv is .*not an integer"),
        (lambda t: t.assign(cluster=["M_67", None, "IC_1"]), r"1 rows without a cluster"),
        (lambda t: t.assign(dec=[132.8, 0, 0]), r"dec 132\.8 deg, outside -90\.\.90: are ra and dec swapped"),
    ],
)
def test_bad_member_lists_are_refused_in_one_line(tmp_path, members, change, message):
    change(members).to_csv(tmp_path / "m.csv", index=False)
    with pytest.raises(ValueError, match=message) as caught:
        read_member_list(tmp_path / "m.csv")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns=["ra", "dec"]), r"p\.csv has no column ra, dec, only name, pmra"),
        (lambda t: t.iloc[:0], r"p\.csv has no rows"),
        (lambda t: t.assign(name=["IC 1", "ic_1"]), r"ic_1 in more than one row"),
        (lambda t: t.rename(columns={"ra": "dec", "dec": "ra"}), r"dec 132\.8 deg.*swapped\?"),
        (lambda t: t.assign(ra=["08:51:24", "0:8:24"]), r"ra that is no number \('08:51:24'"),
        (lambda t: t.assign(name=["M_67", ""]), r"1 rows without a name"),
    ],
)
def test_bad_parameter_tables_are_refused_in_one_line(tmp_path, parameters, change, message):
    change(parameters).to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(ValueError, match=message) as caught:
        read_parameter_table(tmp_path / "p.csv")
    assert "\n" not in str(caught.value)


def test_what_a_parameter_table_may_lack_is_nan(tmp_path, parameters):
    parameters.assign(n=5).to_csv(tmp_path / "p.csv", index=False)
    result = read_parameter_table(tmp_path / "p.csv")
    assert result[["pmra_error", "age", "a0", "dist"]].isna().all(axis=None)
    assert list(result)[-1] == "n"
    assert result["dist"].dtype == np.float64


def test_real_tables_are_read(shared):
    real = shared / "real"
    assert len(read_parameter_table(real / "cluster_parameters.csv")) == 2017
    for name, n_rows in (("cg18_members.csv.gz", 384_208), ("t22_members.csv.gz", 135_094)):
        members = read_member_list(real / name)
        assert len(members) == n_rows
        assert members["source_id"].dtype == np.int64
    with pytest.raises(ValueError, match="has no column source_id, only pmRApmDEcor"):
        read_member_list(real / "almeida23_members.parquet")


def test_a_truncated_real_list_is_named(shared, tmp_path):
    content = (shared / "real" / "t22_members.csv.gz").read_bytes()
    (tmp_path / "t22_members.csv.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"t22_members\.csv\.gz cannot be read as a table .*truncated"):
        read_member_list(tmp_path / "t22_members.csv.gz")
