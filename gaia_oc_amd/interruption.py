"""Ctrl-C and a request to end: noticed at any moment, lost at none, obeyed within two seconds."""

import _thread
import os
import signal
import sys
import threading
import time
from types import FrameType, TracebackType

MESSAGE = "interrupted: every cluster that was finished is kept; the same command goes on with the others.\n"
GRACE = 1.5
"""Seconds in which what runs may remove its temporary files and end its processes."""
_PAUSE = 0.05


class _Request:
    """The first signal that asked this process to end, and whether somebody swallowed the exception made of it."""

    number: int | None = None
    was_raised = False
    was_swallowed = False
    is_watched = False


def listen() -> None:
    """Let Ctrl-C, a termination (SIGTERM) and a closed terminal (SIGHUP) end the program by a KeyboardInterrupt.

    The request is remembered, for the exception alone can get lost: Python ignores one that is raised in a callback
    from C, and libraries turn it into errors of their own. What was ignored is raised again; `exit_code` tells
    the rest. An interrupt that nobody catches gives one line and that exit code. A signal that the caller ignores, as
    nohup and shells do for what runs in the background, stays ignored.
    """
    if _Request.number is None:  # a script ran in this process before
        _Request.was_raised = False
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and (name == "SIGTERM" or signal.getsignal(number) is not signal.SIG_IGN):
            signal.signal(number, _requested)
    sys.unraisablehook = _raise_again
    sys.excepthook = _end


def listen_in_script() -> None:
    """Listen from the first import on if this program is one of our scripts: imports take a second or more.

    As for `installation.scripts`, every file beside the package is one. Other programs that import the package keep
    their own way to end.
    """
    main = str(getattr(sys.modules["__main__"], "__file__", None) or "")
    folder, _, name = main.rpartition(os.sep)
    is_beside = name.endswith(".py") and folder == __file__.rsplit(os.sep, 2)[0]
    is_module = sys.argv[:1] == ["-m"] and "gaia_oc_amd" in sys.orig_argv  # "-m" until it runs
    is_ours = is_beside or is_module or name.startswith("gaia-oc-")
    if is_ours and threading.current_thread() is threading.main_thread():
        listen()


def watch() -> None:
    """End the program in any case some time after it was asked to, whatever it does."""
    if _Request.is_watched or os.name != "posix":
        return
    _Request.is_watched = True
    heard = {int(number) for number in signal.valid_signals() if signal.getsignal(number) is _requested}
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    _thread.start_new_thread(_watch, (reading, heard))  # `threading` would wait for it at the end


def exit_code() -> int | None:
    """Exit code by which a shell knows the signal that asked to end, 130 or 143; None if nobody asked."""
    return None if _Request.number is None else 128 + _Request.number


def obey() -> None:
    """Stop here if somebody asked to: called between two steps.

    Raises
    ------
    KeyboardInterrupt
        If so.
    """
    if _Request.number is not None:
        raise KeyboardInterrupt


def is_over() -> None:
    """Let nothing disturb the program any more: its exit code is settled, and it is about to leave."""
    _Request.was_raised, _Request.was_swallowed = True, False


def _requested(number: int, frame: FrameType | None) -> None:
    if _Request.was_raised and not _Request.was_swallowed:
        return  # it is ending: nothing may disturb it
    _Request.number = _Request.number or number
    _Request.was_raised, _Request.was_swallowed = True, False
    raise KeyboardInterrupt


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An interrupt outside of everything that would handle it: while modules are imported, or an error is reported."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    sys.stderr.write(MESSAGE)
    sys.stderr.flush()
    os._exit(exit_code() or 128 + signal.SIGINT)  # Python itself would end by SIGINT, whatever the signal was


def _raise_again(unraisable: "sys.UnraisableHookArgs") -> None:
    if _Request.number is None or not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    _Request.was_swallowed = True
    _thread.start_new_thread(_ask_again, (_Request.number,))


def _ask_again(number: int) -> None:
    time.sleep(_PAUSE)  # until the callback is over
    _thread.interrupt_main(signal.Signals(number))


def _watch(reading: int, heard: set[int]) -> None:
    """Wait for a signal beside the main thread, which sees none while a library computes, and end when time is up.

    What is left unfinished the next run removes.
    """
    while (number := os.read(reading, 1)[0]) not in heard:
        continue
    _Request.number = _Request.number or number
    time.sleep(GRACE)
    os.write(2, MESSAGE.encode())
    os._exit(exit_code() or 1)
