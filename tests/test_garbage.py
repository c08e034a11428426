"""Garbage is looked for seldom, and at once where that is asked for."""

import gc
import weakref

import pytest

from gaia_oc_amd.garbage import look_now, look_seldom


class Ring:
    """Something that only a search frees."""

    def __init__(self):
        self.itself = self


@pytest.fixture(autouse=True)
def often():
    """Python's own thresholds: what else this process has run may have changed them."""
    gc.set_threshold(700, 10, 10)


def test_it_is_found_at_once_where_python_looks_seldom():
    look_seldom()
    assert gc.get_threshold() > (700, 10, 10)
    gone = weakref.ref(Ring())
    look_now()
    assert gone() is None


def test_elsewhere_nothing_is_looked_for(monkeypatch):
    monkeypatch.setattr(gc, "collect", lambda: pytest.fail("a search"))
    look_now()
