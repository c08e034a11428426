"""The names that ad hoc analyses import, and what importing them costs."""

import subprocess
import sys

import pytest

import gaia_oc_amd


@pytest.mark.parametrize("name", gaia_oc_amd.__all__)
def test_public_names_exist_and_are_described(name):
    documented = getattr(gaia_oc_amd, name).__doc__
    assert documented
    if not isinstance(getattr(gaia_oc_amd, name), type):
        assert "Parameters\n" in documented
        assert "Returns\n" in documented


def test_unknown_names_are_unknown():
    with pytest.raises(AttributeError, match="nonsense"):
        gaia_oc_amd.nonsense  # noqa: B018


PROBE = """
import socket, sys, time
def refuse(*_, **__): raise RuntimeError("the network was touched")
socket.socket.connect = socket.getaddrinfo = refuse
import gaia_oc_amd
from gaia_oc_amd import build_sets, select_candidates, add_features, query_archive, Cluster, read_isochrones
print("torch" in sys.modules, "astroquery" in sys.modules, "dustapprox" in sys.modules)
"""


def test_importing_touches_neither_torch_nor_the_network():
    result = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False", "False"]
