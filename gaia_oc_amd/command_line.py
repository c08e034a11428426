"""Command lines made from option classes: types, defaults and help are read off them, never repeated."""

import argparse
import difflib
import io
import logging
import os
import re
import shlex
import signal
import sys
import types
import typing
import warnings
from collections.abc import Callable
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from gaia_oc_amd import published_words
from gaia_oc_amd._version import __version__
from gaia_oc_amd.arguments import type_hints
from gaia_oc_amd.defaults import DEFAULTS_FILE, as_given, read_defaults
from gaia_oc_amd.exceptions import ClusterError, UsageError, one_line
from gaia_oc_amd.garbage import look_seldom
from gaia_oc_amd.installation import as_called, command, program
from gaia_oc_amd.interruption import MESSAGE, exit_code, is_over, listen, obey, watch
from gaia_oc_amd.options import Options, RunOptions

OptionsT = TypeVar("OptionsT", bound=Options)

logger = logging.getLogger(__name__)


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def format_help(self) -> str:
        return as_called(super().format_help())

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, ()):  # "(default: None)" tells nobody anything
            return action.help
        if isinstance(action.default, tuple):
            return f"{action.help} (default: {' '.join(map(str, action.default))})"
        return super()._get_help_string(action)


class _LogFormatter(logging.Formatter):
    """Names scripts as the user calls them."""

    def format(self, record: logging.LogRecord) -> str:
        return as_called(super().format(record))


_SWITCHED = {"true": True, "false": False}


class Parser(argparse.ArgumentParser):
    """A parser that knows the published tool's words, and says what is wrong in one line, with what may be meant."""

    def error(self, message: str) -> NoReturn:
        """End the program with exit code 2."""
        if message == "the following arguments are required: clusters":
            message = f"no cluster is named: {command()} NGC_2509"
        self.exit(2, f"error: {message} ({command()} --help lists the options)\n")

    def action_of(self, name: str) -> argparse.Action | None:
        """The option of a name, without dashes; None if the script does not have it."""
        return self._option_string_actions.get(f"--{name}")

    def in_our_words(self, words: list[str]) -> list[str]:
        """Command line with names of ours, and switches without a value.

        Parameters
        ----------
        words : list of str
            Arguments. A name that is neither ours nor the published tool's ends the program.

        Returns
        -------
        list of str
        """
        ours: list[str] = []
        switch, takes_one = None, False  # the switch that the word before was; whether it wants one value
        for word in self._list_first(words):
            if takes_one and re.match("-(?!-|h$).", word):  # -inf, -1e-3: argparse takes them for options
                ours[-1], takes_one = f"{ours[-1]}={word}", False
                continue
            value = word.lower()
            if switch and value in _SWITCHED:
                ours[-1] = switch.option_strings[0 if _SWITCHED[value] else 1]
                switch = None
                continue
            name, equals, value = word.partition("=")
            if name.startswith("--") and name != "--" and name not in self._option_string_actions:
                name = self._our_name(name)
            action = self._option_string_actions.get(name)
            switch = action if isinstance(action, argparse.BooleanOptionalAction) else None
            if switch and value.lower() in _SWITCHED:
                name, equals, value = switch.option_strings[0 if _SWITCHED[value.lower()] else 1], "", ""
            takes_one = isinstance(action, argparse._StoreAction) and action.nargs is None and not equals
            ours.append(f"{name}{equals}{value}")
        return ours

    def _list_first(self, words: list[str]) -> list[str]:
        """Command line on which the clusters are not called ``--clusters``, as another option would take them."""
        for place, word in enumerate(words):
            if word.removeprefix("--") in published_words.LISTS and word.startswith("--"):
                rest = words[place + 1 :]
                n_names = next((n for n, other in enumerate(rest) if other.startswith("--")), len(rest))
                return [*rest[:n_names], *words[:place], *rest[n_names:]]
        return words

    def _our_name(self, name: str) -> str:
        """Name of an option of the published tool here; any other that is unknown ends the program."""
        options = self._option_string_actions
        ours = f"--{published_words.RENAMED.get(name[2:], '')}"
        if ours in options:
            logger.warning("%s is called %s here.", name, ours)
            return ours
        answer = published_words.ANSWERS.get(name[2:])
        if answer is None:
            spelt = name.replace("-", "_").replace("__", "--", 1)
            alike = difflib.get_close_matches(spelt, [o for o in options if o[:2] == "--"], n=2)
            answer = f"did you mean {' or '.join(alike)}?" if alike else "is it of another script?"
        return self.error(f"there is no option {name} here: {answer}")


def make_parser(description: str) -> Parser:
    """Parser whose help shows the script's docstring and every default.

    Parameters
    ----------
    description : str
        What the script does, its docstring.

    Returns
    -------
    Parser
        Knows ``--version``; options are added with `add_options`.
    """
    parser = Parser(
        prog=program(),
        description=description,
        formatter_class=_HelpFormatter,
        usage="%(prog)s [options] [names]",
        allow_abbrev=False,  # what abbreviates one option today may be two tomorrow
    )
    parser.add_argument("--version", action="version", version=f"gaia_oc_amd {__version__}")
    return parser


@dataclass(frozen=True)
class CommandLine(Generic[OptionsT]):
    """What a script was asked to do.

    Parameters
    ----------
    clusters : list of str
        Names and files with names, as they were given.
    options : Options
        All options of the script.
    run : RunOptions
        What every script knows.
    command : str
        Shell command, without the names of the clusters, that gives the same results; ``{}`` stands for them.
    """

    clusters: list[str]
    options: OptionsT
    run: RunOptions
    command: str

    def shared_with(self, signature: type[Options], **renamed: str) -> tuple[list[str], bool]:
        """What was given that another script takes, too.

        Parameters
        ----------
        signature : type of Options
            Options of the other script.
        **renamed : str
            Names there of options that are called otherwise here.

        Returns
        -------
        list of str
            Words of a command line, without the data directory.
        bool
            Whether that is all that was given.
        """
        known = option_names(signature) | {"seed"}
        words, is_all, kept = list[str](), True, False
        for word in shlex.split(self.command.partition("{}")[2]):
            if word.startswith("--"):
                negation = "no-" * word.startswith("--no-")
                name = word.removeprefix(f"--{negation}")
                name = renamed.get(name, name)
                kept = name in known
                is_all &= kept or name == "data_dir"
                word = f"--{negation}{name}"
            words += [word] * kept
        return words, is_all


def read_command_line(
    description: str | None,
    signature: type[OptionsT],
    argv: list[str] | None = None,
    *,
    clusters: str | tuple[str, ...] | None = "+",
    leave_out: tuple[str, ...] = (),
) -> CommandLine[OptionsT]:
    """Read the command line of a script.

    Parameters
    ----------
    description : str
        The script's docstring.
    signature : type of Options
        The options of the script, of `stages.options`.
    argv : list of str, optional
        Arguments; by default those of the process.
    clusters : str or tuple of str or None
        "+" for one name or more, a tuple for the names by default, None for a script that takes none.
    leave_out : tuple of str
        Options of every script that would do nothing in this one.

    Returns
    -------
    CommandLine
        A value out of its bounds ends the program with exit code 2, as every wrong usage does.
    """
    parser = make_parser(description or "")
    if clusters is not None:
        add_clusters(parser, clusters if isinstance(clusters, tuple) else None)
    else:
        own = [each.name for each in fields(signature) if "positional" in each.metadata]
        parser.usage = " ".join(["%(prog)s [options]", *(f"[{name}]" for name in own)])
    add_options(parser, signature)
    add_run_options(parser, leave_out=leave_out)
    arguments, options, run_options = parse(parser, argv, signature, RunOptions)
    return CommandLine(
        list(arguments.clusters) if clusters is not None else [],
        options,
        run_options,
        command_of(parser, arguments),
    )


def option_names(signature: type[Options], names: tuple[str, ...] | None = None) -> set[str]:
    """Names of all options of a class, those of its parts among them.

    Parameters
    ----------
    signature : type of Options
        The class.
    names : tuple of str, optional
        Those that are offered; by default all.

    Returns
    -------
    set of str
    """
    found: set[str] = set()
    for each in fields(signature):
        if (inner := _part(each)) is not None:
            found |= option_names(type(inner), each.metadata["names"])
        elif names is None or each.name in names:
            found.add(each.name.rstrip("_"))
    return found


def _part(each: Field[Any]) -> Options | None:
    """The options that a field holds, of a script whose options have parts."""
    return each.default if isinstance(each.default, Options) else None


def add_clusters(parser: argparse.ArgumentParser, default: tuple[str, ...] | None = None) -> None:
    """Add the positional ``clusters``: names, files with one name a line, or all unless there is a default."""
    words = "a file with one name a line, or all (those whose sets were built)"
    if default is not None:
        words = f"or a file with one name a line (default: {' '.join(default)})"
    parser.add_argument(
        "clusters",
        nargs="+" if default is None else "*",
        default=default,
        help=f"cluster names (NGC_2509, 'ngc 2509'), {words}",
    )


def add_options(parser: Any, signature: type[Options], names: tuple[str, ...] | None = None) -> None:
    """Add the options of a class, each with its default and help; those of its parts in groups of their own.

    Parameters
    ----------
    parser : ArgumentParser or one of its groups
        Gets the options.
    signature : type of Options
        Gives name, type, default and help.
    names : tuple of str, optional
        Those to add; by default all.
    """
    hints = type_hints(signature)  # type: ignore[arg-type]  # classes are hashable, whatever their instances are
    own = parser
    for each in fields(signature):
        if names is not None and each.name not in names:
            continue
        if (inner := _part(each)) is not None:
            add_options(parser.add_argument_group(inner.title), type(inner), each.metadata["names"])
            continue
        if "positional" in each.metadata:
            parser.add_argument(
                each.name, nargs=each.metadata["positional"], default=each.default, help=each.metadata["help"]
            )
            continue
        if own is parser and any(_part(other) is not None for other in fields(signature)):
            own = parser.add_argument_group("Running: this script")
        own.add_argument(
            f"--{each.name.rstrip('_')}",  # a name that Python keeps for itself ends in _
            dest=each.name,
            help=each.metadata["help"],
            **_argument(hints[each.name], each.default),
        )


def _argument(hint: Any, default: Any) -> dict[str, Any]:
    """Keywords of ``add_argument`` for a type hint and a default."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):  # X | None
        hint = next(kind for kind in typing.get_args(hint) if kind is not type(None))
    origin = typing.get_origin(hint)
    keywords: dict[str, Any] = {"default": default}
    if hint is bool:
        return keywords | {"action": argparse.BooleanOptionalAction}
    if origin is typing.Literal:
        return keywords | {"choices": typing.get_args(hint)}
    if origin is tuple:
        return keywords | {"nargs": "+", "type": typing.get_args(hint)[0]}
    return keywords | {"type": hint, "metavar": {Path: "PATH", str: "TEXT", int: "N", float: "X"}[hint]}


def add_run_options(parser: argparse.ArgumentParser, *, leave_out: tuple[str, ...] = ()) -> None:
    """Add the options that every script knows, but for those that would do nothing in this one."""
    if "workers" in leave_out:
        leave_out += ("scheduler",)
    group = parser.add_argument_group(RunOptions.title)
    add_options(
        group, RunOptions, tuple(each.name for each in fields(RunOptions) if each.name not in leave_out)
    )
    for name, level, text in (
        ("quiet", "error", "report only errors and the table at the end, without progress bars"),
        ("verbose", "debug", "report everything"),
    ):
        group.add_argument(
            f"--{name}",
            action="store_const",
            dest="log_level",
            const=level,
            help=text,
            default=argparse.SUPPRESS,
        )


def collect(signature: type[OptionsT], arguments: argparse.Namespace) -> OptionsT:
    """Options of a class, with all its parts, from parsed arguments.

    Raises
    ------
    ValueError
        If a value is out of its bounds; `parse` turns it into exit code 2.
    """
    given = vars(arguments)
    values: dict[str, Any] = {}
    for each in fields(signature):
        if (inner := _part(each)) is not None:
            values[each.name] = collect(type(inner), arguments)
        elif each.name in given:
            value = given[each.name]
            values[each.name] = tuple(value) if isinstance(value, list) else value
    return signature(**values)


def parse(parser: Parser, argv: list[str] | None, *signatures: type[Options]) -> list[Any]:
    """Parse a command line into the plain namespace and one object per class of options.

    What is not given is taken from the data directory's ``defaults.toml`` where that remembers it.

    Parameters
    ----------
    parser : Parser
        Made with `make_parser`.
    argv : list of str, optional
        Arguments; by default those of the process.
    *signatures : type of Options
        Classes to fill.

    Returns
    -------
    list
        The namespace, then an instance of each class. A value out of its bounds ends the program
        with exit code 2, as every wrong usage does.
    """
    words = parser.in_our_words(sys.argv[1:] if argv is None else argv)
    try:
        folder, remembered = _remembered(parser, words)
    except ValueError as error:
        parser.error(str(error))
    arguments = parser.parse_intermixed_args(words, argparse.Namespace(**remembered))
    _report_on_screen(getattr(arguments, "log_level", "info").upper())
    for name, value in remembered.items():
        if getattr(arguments, name) is value:
            logger.debug("%s gives --%s %s", folder / DEFAULTS_FILE, name, value)
    try:
        return [arguments, *(collect(signature, arguments) for signature in signatures)]
    except ValueError as error:
        parser.error(str(error))


_GOES_BEFORE = {
    "catalogue": ("members_path", "cluster_path"),
    "comparison_catalogue": ("comparison_path",),
    "isochrone_path": ("isochrone_rotation",),
}
"""What is no longer meant where an option is given on the command line."""


def _remembered(parser: Parser, words: list[str]) -> tuple[Path, dict[str, Any]]:
    """The data directory, and what it remembers of a script's options, as far as the words leave it open."""
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--data_dir", type=Path, default=RunOptions.data_dir)
    folder = finder.parse_known_args(words)[0].data_dir
    given = {word.partition("=")[0].removeprefix("--") for word in words if word.startswith("--")}
    replaced = given.union(*(_GOES_BEFORE.get(name, ()) for name in given))
    found: dict[str, Any] = {}
    for name, values in read_defaults(folder).items():
        action = parser.action_of(name)
        if action is None or name in replaced:
            continue
        found[name] = as_given(action, values, f"{folder / DEFAULTS_FILE} has {name}")
    return folder, found


def _report_on_screen(level: str) -> None:
    """Write the package's log and all warnings to the screen; other libraries' logs are of no use to a user."""
    handler = logging.StreamHandler()
    handler.setFormatter(_LogFormatter("%(levelname)s: %(message)s"))
    for name, least in (("gaia_oc_amd", level), ("py.warnings", "WARNING" if level != "ERROR" else level)):
        reported = logging.getLogger(name)
        reported.handlers[:] = [handler]
        reported.setLevel(least)
    logging.captureWarnings(True)
    warnings.formatwarning = lambda message, *_, **__: str(message)


_OF_THE_RUN = (
    "clusters",
    "workers",
    "scheduler",
    "log_level",
    "show_plots",
    "overwrite",
    "overwrite_cone",
    "save_defaults",
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
        Script as it was called, ``{}`` for the cluster, and all options that differ from their defaults.
    """
    words = [command(), "{}"]
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
    _open_closed_streams()
    look_seldom()
    listen()
    watch()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 gets \u00e9
    try:
        obey()
        code: int | str | None = main()
        sys.stdout.flush()
        obey()
    except BaseException as error:
        code = _code_of(error)
    is_over()
    sys.exit(code)


def _open_closed_streams() -> None:
    """Give a process that was started without standard streams (``>&-``) silent ones: no file may take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _code_of(error: BaseException) -> int | str | None:
    """Say what ended a script; its exit code."""
    if exit_code() or isinstance(error, KeyboardInterrupt):  # libraries make other errors of an interrupt
        sys.stderr.write(MESSAGE)
        return exit_code() or 128 + signal.SIGINT
    if isinstance(error, SystemExit):
        return error.code
    if isinstance(error, BrokenPipeError):  # nobody reads the output any more, `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE  # as the shell reports it; not 0, for a cluster may have failed
    if isinstance(error, UsageError):
        sys.stderr.write(f"error: {one_line(error)}\n")
        return 2
    logging.getLogger("gaia_oc_amd").debug("where it happened:", exc_info=error)
    is_known = isinstance(error, ClusterError | ValueError | OSError | ImportError)
    defect = f"internal: {type(error).__name__}: "  # of ours
    hint = " (--log_level debug says where)"
    sys.stderr.write(f"error: {'' if is_known else defect}{one_line(error)}{'' if is_known else hint}\n")
    return 1
