"""Command lines made from signatures: types and defaults are read off them, never repeated."""

import argparse
import inspect
import logging
import os
import shlex
import signal
import sys
import types
import typing
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gaia_oc_amd._version import __version__
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.options import RunOptions

Options = TypeVar("Options")


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None:  # "(default: None)" tells nobody anything
            return action.help
        if isinstance(action.default, tuple):
            return f"{action.help} (default: {' '.join(map(str, action.default))})"
        return super()._get_help_string(action)


def make_parser(description: str) -> argparse.ArgumentParser:
    """Parser whose help shows the script's docstring and every default.

    Parameters
    ----------
    description : str
        What the script does, its docstring.

    Returns
    -------
    ArgumentParser
        Knows ``--version``; options are added with `add_options`.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=_HelpFormatter)
    parser.add_argument("--version", action="version", version=f"gaia_oc_amd {__version__}")
    return parser


def add_clusters(parser: argparse.ArgumentParser) -> None:
    """Add the positional ``clusters``: names, or files with one name a line."""
    parser.add_argument(
        "clusters", nargs="+", help="cluster names (NGC_2509, 'ngc 2509'), or a file with one name a line"
    )


def add_options(parser: argparse.ArgumentParser, signature: Callable[..., Any], **helps: str) -> None:
    """Add one option per parameter of a function or dataclass.

    Parameters
    ----------
    parser : ArgumentParser
        Gets the options.
    signature : callable
        Its parameters give name, type and default.
    **helps : str
        Help text by parameter name. Parameters without one are not offered.

    Raises
    ------
    TypeError
        If a help text names something that is not a parameter.
    """
    parameters = inspect.signature(signature).parameters
    hints = typing.get_type_hints(signature)
    for name, text in helps.items():
        if name not in parameters:
            raise TypeError(f"{signature.__name__} has no parameter {name}.")
        parser.add_argument(f"--{name}", help=text, **_argument(hints[name], parameters[name].default))


def _argument(hint: Any, default: Any) -> dict[str, Any]:
    """Keywords of ``add_argument`` for a type hint and a default."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):  # X | None
        hint = next(option for option in typing.get_args(hint) if option is not type(None))
    origin = typing.get_origin(hint)
    keywords: dict[str, Any] = {"default": default}
    if default is inspect.Parameter.empty:
        keywords = {"required": True}
    if hint is bool:
        return keywords | {"action": argparse.BooleanOptionalAction}
    if origin is typing.Literal:
        return keywords | {"choices": typing.get_args(hint)}
    if origin is tuple:
        return keywords | {"nargs": "+", "type": typing.get_args(hint)[0]}
    return keywords | {"type": hint, "metavar": {Path: "PATH", str: "TEXT", int: "N", float: "X"}[hint]}


def add_run_options(parser: argparse.ArgumentParser, *, leave_out: tuple[str, ...] = ()) -> None:
    """Add the options that every script knows, but for those that would do nothing in this one."""
    helps = {
        "data_dir": "data directory",
        "seed": "seed of everything random",
        "workers": "processes that share the clusters",
        "scheduler": "address (tcp://host:8786) or scheduler file of a Dask cluster that shares the clusters",
        "log_level": "how much is reported on the way",
    }
    if "workers" in leave_out:
        leave_out += ("scheduler",)
    add_options(parser, RunOptions, **{name: text for name, text in helps.items() if name not in leave_out})
    for name, level, text in (
        ("quiet", "error", "report errors and the table at the end alone, without progress bars"),
        ("verbose", "debug", "report everything"),
    ):
        parser.add_argument(
            f"--{name}",
            action="store_const",
            dest="log_level",
            const=level,
            help=text,
            default=argparse.SUPPRESS,
        )


def collect(signature: Callable[..., Options], arguments: argparse.Namespace) -> Options:
    """Call `signature` with those parsed arguments that it has parameters for.

    Raises
    ------
    ValueError
        If a value is out of its bounds; `run` turns it into exit code 2.
    """
    given = vars(arguments)
    keywords = {name: given[name] for name in inspect.signature(signature).parameters if name in given}
    keywords = {name: tuple(value) if isinstance(value, list) else value for name, value in keywords.items()}
    return signature(**keywords)


def parse(
    parser: argparse.ArgumentParser, argv: list[str] | None, *signatures: Callable[..., Any]
) -> list[Any]:
    """Parse a command line into the plain namespace and one object per signature.

    Parameters
    ----------
    parser : ArgumentParser
        Made with `make_parser`.
    argv : list of str, optional
        Arguments; by default those of the process.
    *signatures : callable
        Option dataclasses to fill.

    Returns
    -------
    list
        The namespace, then an instance of each signature. A value out of its bounds ends the program
        with exit code 2, as every wrong usage does.
    """
    arguments = parser.parse_args(argv)
    logging.basicConfig(
        level=getattr(arguments, "log_level", "info").upper(), format="%(levelname)s: %(message)s", force=True
    )
    logging.captureWarnings(True)
    warnings.formatwarning = lambda message, *_, **__: str(message)
    try:
        return [arguments, *(collect(signature, arguments) for signature in signatures)]
    except ValueError as error:
        parser.error(str(error))


_OF_THE_RUN = (
    "clusters",
    "workers",
    "scheduler",
    "log_level",
    "show_plots",
    "overwrite",
    "overwrite_cone",
    "send_to_topcat",
)
"""Arguments that do not belong to one cluster's results."""


def command_of(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> str:
    """Shell command, without the names of the clusters, that gives the same results.

    Parameters
    ----------
    parser : ArgumentParser
        Of the script.
    arguments : Namespace
        What it parsed.

    Returns
    -------
    str
        Script, ``{}`` for the cluster, and all options that differ from their defaults.
    """
    words = ["python", Path(parser.prog).name, "{}"]
    for action in parser._actions:
        value = getattr(arguments, action.dest, action.default)
        if action.dest in _OF_THE_RUN or not action.option_strings or value == action.default:
            continue
        if isinstance(action, argparse.BooleanOptionalAction):
            words.append(action.option_strings[0 if value else 1])
        else:
            values = value if isinstance(value, list | tuple) else [value]
            words += [action.option_strings[0], *(shlex.quote(str(v)) for v in values)]
    return " ".join(words)


def run(main: Callable[[], int]) -> None:
    """Run a script's main function and leave with its exit code; a user's mistake is one line.

    Parameters
    ----------
    main : callable
        Returns the exit code.
    """
    end_cleanly()
    try:
        exit_code = main()
        sys.stdout.flush()
        sys.exit(exit_code)
    except BrokenPipeError:  # nobody reads the output any more, `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)  # as the shell reports it; not 0, for a cluster may have failed
    except (ClusterError, ValueError, OSError, ImportError) as error:
        logging.getLogger("gaia_oc_amd").debug("where it happened:", exc_info=True)
        sys.stderr.write(f"error: {one_line(error)}\n")
        sys.exit(1)
    except Exception as error:  # a defect of ours
        logging.getLogger("gaia_oc_amd").debug("where it happened:", exc_info=True)
        sys.stderr.write(
            f"error: internal: {type(error).__name__}: {one_line(error)} (--log_level debug says where)\n"
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write(
            "interrupted: every cluster that was finished is kept; the same command goes on with the others.\n"
        )
        sys.exit(130)


def end_cleanly() -> None:
    """Let a termination (SIGTERM) and a closed terminal (SIGHUP, but for nohup) end the program as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def one_line(error: BaseException) -> str:
    """Message of an error in one line; the type's name where there is no message."""
    return " ".join(str(error).split()) or type(error).__name__
