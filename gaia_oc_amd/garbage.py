"""Python's search for garbage: seldom in a script, and where figures have become garbage."""

import gc

_SELDOM = (50_000, 10, 10)
"""Thresholds of a script: libraries make a million objects that stay; to look at them so often takes 6 %."""


def look_seldom() -> None:
    """Let Python look for garbage seldom from now on; `look_now` makes up for it."""
    gc.set_threshold(*_SELDOM)


def look_now() -> None:
    """Look for garbage where Python does so seldom; elsewhere it has done so."""
    if gc.get_threshold() == _SELDOM:
        gc.collect()
