"""Tables reach a program at a real SAMP hub; where there is none, one line says so."""

import socket
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pandas as pd
import pytest
from pyvo import samp
from star_tables import full_sets

import evaluate_clusters
from gaia_oc_amd.exports.samp import LOAD, SampError, send_cluster, send_tables
from gaia_oc_amd.files.tables import read_table, write_csv
from gaia_oc_amd.member_list import member_list
from gaia_oc_amd.source_sets import save_sets


@pytest.fixture
def lockfile(tmp_path, monkeypatch):
    """Where a hub of this test alone would be found."""
    path = tmp_path / "samp.lock"
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{path.as_uri()}")
    return path


@pytest.fixture
def hub(lockfile):
    with samp.conf.set_temp("use_internet", False):
        server = samp.SAMPHubServer(
            addr="127.0.0.1", lockfile=str(lockfile), web_profile=False, mode="multiple", label="test"
        )
        server.start()
        yield server
        server.stop()


class Viewer:
    """A program that loads tables, as TOPCAT does, and answers."""

    def __init__(self, hub, *, answer="samp.ok"):
        self.hub, self.tables, self.answer = hub, {}, answer
        self.client = samp.SAMPIntegratedClient(name="Viewer", addr="127.0.0.1")
        self.client.connect(hub)
        self.client.bind_receive_call(LOAD, self.load)

    def load(self, private_key, sender_id, msg_id, mtype, params, extra):
        if self.answer == "samp.ok":
            self.tables[params["name"]] = read_table(Path(unquote(urlparse(params["url"]).path)))
        error = None if self.answer == "samp.ok" else {"samp.errortxt": "out of memory"}
        while (
            msg_id not in self.hub._sync_msg_ids_heap
        ):  # pyvo's hub loses an answer that comes before it waits
            time.sleep(0.01)
        self.client.ereply(msg_id, self.answer, result={}, error=error)


@pytest.fixture
def viewer(hub):
    program = Viewer(hub)
    yield program
    program.client.disconnect()


@pytest.fixture
def sets(tmp_path):
    made = full_sets()
    probability = np.linspace(0, 1, len(made.candidates))
    probability[0] = np.nan
    made = replace(made, candidates=made.candidates.assign(PMemb=probability))
    write_csv(save_sets(made, tmp_path) / "member_list.csv", member_list(made))
    return made


def test_members_and_member_list_arrive(viewer, sets, tmp_path):
    assert send_cluster("test 1", tmp_path) == ["Viewer"]
    members, found = viewer.tables["Test_1 members"], viewer.tables["Test_1 member_list"]
    listed = member_list(sets)
    assert 0 < len(listed) < len(sets.scored())
    assert found["source_id"].tolist() == listed["source_id"].tolist()
    assert found["flags"].tolist() == listed["flags"].tolist()
    np.testing.assert_array_equal(found["PMemb"], listed["PMemb"])
    pd.testing.assert_frame_equal(members, sets.members.reset_index(drop=True), check_dtype=False)


def test_nothing_is_left_behind(viewer, sets, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    send_cluster("Test_1", tmp_path)
    assert not list((tmp_path / "temporary").iterdir())
    others = set(viewer.client.get_registered_clients()) - {viewer.client.get_public_id(), "cli#hub"}
    assert not others  # we have left


def test_nobody_but_this_computer_is_asked(viewer, sets, tmp_path, monkeypatch):
    connect, asked = socket.socket.connect, []

    def watched(self, address):
        asked.append(address[0])
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    with samp.conf.set_temp("use_internet", True):  # pyvo's default
        send_cluster("Test_1", tmp_path)
    assert set(asked) == {"127.0.0.1"}


def test_a_program_that_fails_is_named(hub, sets, tmp_path):
    program = Viewer(hub, answer="samp.error")
    try:
        with pytest.raises(SampError, match="Viewer could not load Test_1 members: out of memory"):
            send_cluster("Test_1", tmp_path)
    finally:
        program.client.disconnect()


def test_a_program_that_does_not_answer_is_named(hub, sets, tmp_path, monkeypatch):
    monkeypatch.setattr("gaia_oc_amd.exports.samp.TIMEOUT", 1)
    program = Viewer(hub)
    program.client.bind_receive_call(LOAD, lambda *_: None)
    try:
        with pytest.raises(SampError, match="Viewer did not load Test_1 members within 1 s"):
            send_cluster("Test_1", tmp_path)
    finally:
        program.client.disconnect()


def test_a_hub_where_nobody_loads_tables(hub):
    with pytest.raises(SampError, match="no program at the SAMP hub loads tables: start TOPCAT"):
        send_tables([])


def test_no_hub_is_one_line(lockfile):
    with pytest.raises(SampError, match="no SAMP hub is running: start TOPCAT"):
        send_tables([])


def test_the_lock_of_a_hub_that_died_is_no_hub(lockfile):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    lockfile.write_text(
        f"samp.secret=x\nsamp.hub.xmlrpc.url=http://127.0.0.1:{port}/\nsamp.profile.version=1.3\n"
    )
    with pytest.raises(SampError, match="no SAMP hub is running"):
        send_tables([])
    lockfile.write_text("what is this\n")
    with pytest.raises(SampError, match="no SAMP hub is running"):
        send_tables([])


def plot_only(data_dir, *options):
    """Of sets that were evaluated, for --plot_only needs no model."""
    where = ["Test_1", "--data_dir", str(data_dir), "--plot_only", "--no-save_plots"]
    return evaluate_clusters.main([*where, *options, "--send_to_topcat"])


def test_without_a_hub_all_else_is_done(sets, lockfile, tmp_path, capsys, caplog):
    assert plot_only(tmp_path, "--table_format", "fits") == 1
    shown = capsys.readouterr()
    assert "Test_1" in shown.out  # the table of the run
    (error,) = [line for line in shown.err.splitlines() if line.startswith("ERROR: ")]
    assert error.startswith("ERROR: --send_to_topcat: no SAMP hub is running: start TOPCAT")
    assert (tmp_path / "clusters/Test_1/candidates.fits").exists()


def test_with_a_hub_the_run_succeeds(viewer, sets, tmp_path):
    assert plot_only(tmp_path, "--candidate_prob_threshold", "0.7") == 0
    assert set(viewer.tables) == {"Test_1 members", "Test_1 member_list"}
    assert viewer.tables["Test_1 member_list"]["PMemb"].min() >= 0.7
