"""The real fields and lists of the training, from services on loopback, and what their queries select."""

import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cmd_stub
import fetch_real_fields as script
import numpy as np
import pandas as pd
import pytest
import tap_stub
import vizier_stub
from fetch_real_fields import CLUSTERS, ISOCHRONE_FILES, real_fields
from real_fields import read_almeida
from tap_server import stub_service
from tap_server.faults import FAST

from gaia_oc_amd.catalogues.tables import read_member_list, read_parameter_table
from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.isochrones import read_isochrones

NAMES = (
    "NGC_2509",
    "NGC_3680",
    "BH_144",
)  # of the latter Almeida et al. have no list, the second has a parallax cut
ID = 5853498713190525696  # not representable as a float
TABLE = "gaiaedr3.gaia_source"
STARS_OF_LISTS = {
    "J/A+A/618/A93/members": [("Source", "long", [str(ID)]), ("PMemb", "float", ["0.9"])],
    "J/A+A/659/A59/table2": [("GaiaEDR3", "long", [str(ID)]), ("Proba", "double", ["0.27"])],
}
PARAMETERS = {
    name: ("double", [value])
    for name, value in {
        **{"RA_ICRS": "120.2", "DE_ICRS": "-19.06", "pmRA*": "-2.7", "s_pmRA*": "0.1", "pmDE": "0.8"},
        **{
            "s_pmDE": "0.1",
            "plx": "0.36",
            "s_plx": "0.06",
            "AgeNN": "9.18",
            "AVNN": "0.23",
            "DistPc": "2495",
        },
    }.items()
}
CATALOGUES = {
    table: [[("Cluster", "char", ["NGC_2509"]), *columns]] for table, columns in STARS_OF_LISTS.items()
} | {
    "J/A+A/640/A1/table1": [
        [("Cluster", "char", ["NGC_2509"]), *((name, *rest) for name, rest in PARAMETERS.items())]
    ]
}


def stars_around(field, rng, n=40):
    """Stars in the field and beyond each of its limits, some without astrometry."""
    width, height = field.ra_max - field.ra_min, field.dec_max - field.dec_min
    table = pd.DataFrame({name: rng.uniform(0.1, 1, n) for name in ARCHIVE_COLUMNS})
    table = table.assign(
        source_id=ID + np.arange(n) + 1000 * field.n_sources,
        ra=field.ra_min + width * rng.uniform(-0.2, 1.2, n),
        dec=field.dec_min + height * rng.uniform(-0.2, 1.2, n),
        phot_g_mean_mag=rng.uniform(16, 18.5, n),
        parallax=rng.uniform(0.3, 2, n),
        astrometric_params_solved=31,
    )
    table.loc[:3, ["ra", "dec", "phot_g_mean_mag"]] = [
        field.ra_min + width / 2,
        field.dec_min + height / 2,
        15.0,
    ]
    table.loc[:1, ["parallax", "parallax_error", "pmra", "pmdec"]] = np.nan
    return table


def in_field(stars, field):
    """What the field should hold, found without ADQL."""
    inside = stars["ra"].between(field.ra_min, field.ra_max) & stars["dec"].between(
        field.dec_min, field.dec_max
    )
    inside &= stars["phot_g_mean_mag"] < field.g_max
    if np.isfinite(field.parallax_min):
        inside &= stars["parallax"] >= field.parallax_min
    return stars[inside].sort_values("source_id", ignore_index=True)


class Files:
    """A web server of files by their paths, and what was asked for."""

    def __init__(self):
        self.content, self.asked, self.url = {}, [], ""

    def serve(self):
        files = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                files.asked.append(self.path)
                body = files.content.get(self.path.strip("/"))
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server


def almeida_file(**columns):
    """One of Almeida et al.'s files: a structured array."""
    table = {
        "Source": [ID],
        "Pmemb": [0.98],
        "RA_ICRS": [120.1],
        "DE_ICRS": [-19.0],
        "Gmag": [15.5],
    } | columns
    content = io.BytesIO()
    np.save(content, pd.DataFrame(table).to_records(index=False))
    return content.getvalue()


class Services:
    """All services on loopback, and the command that asks them."""

    def __init__(self, archive, vizier, files, cmd, folder):
        self.archive, self.vizier, self.files, self.cmd, self.folder = archive, vizier, files, cmd, folder

    def fetch(self, *names):
        return script.main(
            [
                *(names or NAMES),
                *("--real", str(self.folder), "--url", self.archive.url, "--server", self.vizier.server),
                *("--almeida_url", self.files.url, "--cmd_url", self.cmd.url),
            ]
        )

    def questions(self):
        return [len(asked) for asked in (self.archive.queries, self.vizier.queries, self.cmd.forms)] + [
            len(self.files.asked)
        ]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "stub.pem"
    vizier_stub.write_certificate(path)
    return path


@pytest.fixture
def sky():
    rng = np.random.default_rng(7)
    return pd.concat([stars_around(field, rng) for field in real_fields(list(NAMES))], ignore_index=True)


@pytest.fixture
def services(sky, certificate, monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for module in ("gaia_oc_amd.archive.results", "fetch_real_fields"):
        monkeypatch.setattr(f"{module}.Patience", lambda: FAST)
    archive, files = tap_stub.TapStub(**{TABLE: sky}), Files()
    files.content = {f"{name}_data_stars.npy": almeida_file() for name in NAMES[:2]}
    servers = [tap_stub.serve(archive), files.serve()]
    vizier = vizier_stub.VizierStub(CATALOGUES)
    with vizier_stub.served(vizier, certificate), cmd_stub.served() as cmd:
        yield Services(archive, vizier, files, cmd, tmp_path / "real")
    for server in servers:
        server.shutdown()
        server.server_close()


def written(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_everything_arrives_in_the_form_that_the_training_reads(services, sky):
    assert services.fetch() == 0
    for field in real_fields(list(NAMES)):
        stars = pd.read_csv(services.folder / "cones" / f"{field.cluster}.csv.gz")
        expected = in_field(sky, field)
        assert 4 <= len(expected) < 40
        pd.testing.assert_frame_equal(stars, expected[list(ARCHIVE_COLUMNS)], check_exact=True)
    for name in ("cg18_members.csv.gz", "t22_members.csv.gz"):
        assert read_member_list(services.folder / name)["source_id"].tolist() == [ID]
    assert read_parameter_table(services.folder / "cluster_parameters.csv")["dist"].tolist() == [2495]
    almeida = services.folder / "almeida23_members.parquet"
    assert read_almeida(almeida)[["cluster", "source_id", "PMemb"]].to_numpy().tolist() == [
        [name, ID, 0.98] for name in NAMES[:2]
    ]
    for name, (fractions, (first, last, step)) in ISOCHRONE_FILES.items():
        points = read_isochrones(services.folder / "isochrones" / name)
        assert points["Zini"].unique() == pytest.approx(fractions)
        assert np.diff(points["logAge"].unique()) == pytest.approx(step)
        assert (points["logAge"].min(), points["logAge"].max()) == pytest.approx((first, last))


def test_nothing_that_is_there_is_asked_for_again(services, capsys):
    assert services.fetch() == 0
    asked, files = services.questions(), written(services.folder)
    assert asked[0] == len(NAMES)
    content = [(services.folder / name).read_bytes() for name in files]
    assert services.fetch() == services.fetch("NGC_2509") == 0  # of fewer clusters all others stay
    assert services.questions() == asked
    assert written(services.folder) == files
    assert [(services.folder / name).read_bytes() for name in files] == content
    assert capsys.readouterr().out == ""


def test_a_cluster_that_is_asked_for_later_joins_the_others(services):
    assert services.fetch("NGC_3680") == services.fetch("NGC_2509") == 0
    almeida = read_almeida(services.folder / "almeida23_members.parquet")
    assert almeida["cluster"].tolist() == list(NAMES[:2])


def test_a_run_that_was_interrupted_goes_on(services, monkeypatch):
    """In the middle of writing the second field; nothing half-written is left."""
    calls = []

    def interrupted(path, *arguments):
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        write(path, *arguments)

    write = script.write_table
    monkeypatch.setattr(script, "write_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        services.fetch()
    assert written(services.folder) == ["cones/NGC_2509.csv.gz"]
    assert services.fetch() == 0
    fields = [query for query in services.archive.queries if "120.0 AND 120.35" in query]
    assert len(fields) == 1  # the first field was asked for once


def test_a_job_that_was_left_at_the_archive_is_fetched_from_there(services, sky, monkeypatch):
    field = real_fields(["BH_144"])[0]
    archive = stub_service.Stub(in_field(sky, field), last_phase="EXECUTING")
    server = stub_service.serve(archive)
    services.archive = archive
    try:
        monkeypatch.setattr("gaia_oc_amd.archive.tap.ArchiveSession.time_left", lambda session: 0.0)
        assert services.fetch("BH_144") == 1
        assert "cones/BH_144_job.json" in written(services.folder)
        monkeypatch.undo()
        archive.last_phase = "COMPLETED"
        archive.jobs["1"].phase = "COMPLETED"
        script.fetch_field(field, services.folder, url=archive.url, table=TABLE)
    finally:
        server.shutdown()
        server.server_close()
    assert len(archive.queries) == 1
    assert "cones/BH_144_job.json" not in written(services.folder)
    assert len(pd.read_csv(services.folder / "cones" / "BH_144.csv.gz")) == len(archive.table)


class Careless(tap_stub.TapStub):
    """A service that forgets the conditions after some, or some columns."""

    dropped = None

    def run(self, query):
        kept, found, _ = query.partition(self.dropped)
        return super().run(kept.rstrip().removesuffix("AND") if found else query)


@pytest.mark.parametrize(
    ("dropped", "message"),
    [
        ("ra BETWEEN", "rows with ra outside what was asked for"),
        ("phot_g_mean_mag <", "rows with phot_g_mean_mag outside what was asked for"),
        ("parallax >=", "rows with parallax outside what was asked for"),
        ("WHERE", "rows outside what was asked for"),
    ],
)
def test_an_answer_to_another_question_is_not_kept(services, sky, capsys, dropped, message):
    careless = Careless(**{TABLE: sky})
    careless.dropped = dropped
    server = tap_stub.serve(careless)
    services.archive = careless
    assert services.fetch("NGC_3680") == 1
    server.shutdown()
    server.server_close()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("NGC_3680's field is missing: ")
    assert "gave a wrong result twice" in lines[0]
    assert message in lines[0]
    assert "--cone_source" not in lines[0]
    assert lines[-1].endswith("run the same command again, it asks for what is missing.")
    assert not [name for name in written(services.folder) if name.startswith("cones/")]


def test_one_bad_answer_does_not_keep_the_others_from_being_asked(services, capsys):
    services.archive.body = b"<html>maintenance</html>"
    services.vizier.tables.pop("J/A+A/659/A59/table2")
    assert services.fetch() == 1
    out = capsys.readouterr().out.splitlines()
    assert "NGC_2509's field is missing" in out[0]
    assert "the answer is not a whole job or VOTable" in out[0]
    assert "NGC_3680's field is missing" in out[1]
    assert "is not asked for the other 1." in out[2]
    assert out[3].startswith("t22_members.csv.gz is missing: VizieR at ")
    assert len(out) == 5
    services.archive.body, services.vizier.tables = None, dict(CATALOGUES)
    asked = services.questions()
    assert services.fetch() == 0
    more = [now - then for now, then in zip(services.questions(), asked, strict=True)]
    assert more == [3, 1, 0, 0]


def pickled():
    content = io.BytesIO()
    np.save(content, np.array([{"Source": ID}], dtype=object), allow_pickle=True)
    return content.getvalue()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "it answered 404"),
        (almeida_file()[:-5], "no table of numbers"),
        (pickled(), "no table of numbers"),
        (b"<html>", "no table of numbers"),
        (almeida_file(Pmemb=[np.nan]), "no row that can be used"),
    ],
    ids=["not there", "truncated", "pickled", "page", "no probability"],
)
def test_a_missing_list_of_almeida_is_one_line_and_no_cluster_that_they_do_not_know(
    services, capsys, body, message
):
    services.files.content["NGC_3680_data_stars.npy"] = body
    assert services.fetch() == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "Almeida et al.'s list of NGC_3680 is missing" in lines[0]
    assert message in lines[0]
    assert "almeida23_members.parquet" not in written(services.folder)
    services.files.content["NGC_3680_data_stars.npy"] = almeida_file()
    services.files.asked.clear()
    assert services.fetch() == 0
    assert services.files.asked == ["/NGC_3680_data_stars.npy"]
    assert "almeida23_members.parquet" in written(services.folder)


def test_a_cluster_without_a_field_is_named(services, capsys):
    with pytest.raises(SystemExit):
        services.fetch("NGC_1")
    assert "real_fields.csv has no field of NGC_1: choose among its clusters." in capsys.readouterr().err


@pytest.fixture(scope="module")
def shared_fields(shared):
    fields = {field.cluster: field for field in real_fields(list(CLUSTERS))}
    return {
        name: (field, pd.read_csv(shared / "real" / "cones" / f"{name}.csv.gz"))
        for name, field in fields.items()
    }


def test_queries_select_what_the_fields_of_the_shipped_model_hold(shared_fields):
    assert len(shared_fields) == 39
    for name, (field, stars) in shared_fields.items():
        rows = tap_stub.TapStub(**{TABLE: stars}).run(str(field.query()))
        assert len(rows) == len(stars) == field.n_sources, name
        assert set(rows) == set(stars) == set(ARCHIVE_COLUMNS)
        assert field.complaint(stars) is None


def test_boxes_are_no_larger_than_the_fields(shared_fields):
    """Beyond the outermost star an edge lies as far as stars lie apart; it is never more than 8 times that."""
    gaps = []
    for field, stars in shared_fields.values():
        for axis in ("ra", "dec"):
            apart = np.ptp(stars[axis]) / len(stars)
            low, high = getattr(field, f"{axis}_min"), getattr(field, f"{axis}_max")
            gaps += [(stars[axis].min() - low) / apart, (high - stars[axis].max()) / apart]
    assert np.mean(gaps) == pytest.approx(1, abs=0.5)
    assert max(gaps) < 8


def test_fields_lack_no_star_that_a_list_has_within_their_limits(shared, shared_fields):
    """So that there was no other condition."""
    t22 = pd.read_csv(shared / "real" / "t22_members.csv.gz")
    almeida = pd.read_parquet(
        shared / "real" / "almeida23_members.parquet", columns=["Source", "RA_ICRS", "DE_ICRS", "Gmag"]
    ).set_axis(["source_id", "ra", "dec", "phot_g_mean_mag"], axis=1)
    n_found = 0
    for name, (field, stars) in shared_fields.items():
        for listed in (t22, almeida):
            inside = listed["ra"].between(field.ra_min, field.ra_max)
            inside &= listed["dec"].between(field.dec_min, field.dec_max)
            inside &= listed["phot_g_mean_mag"] < field.g_max
            found = listed[inside]["source_id"].isin(stars["source_id"])
            assert found.all(), name
            n_found += len(found)
    assert n_found > 5000
