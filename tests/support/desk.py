"""A user's desk: a folder, the scripts, and what the screen showed."""

import importlib
import re
import shlex

import pytest

from gaia_oc_amd.command_line import run


class Desk:
    """A user's folder: its tables, the commands that were given, and what the screen showed."""

    def __init__(self, folder, capsys):
        self.folder, self.capsys, self.n_commands, self.lines, self.log = folder, capsys, 0, [], []

    def __call__(self, command):
        """Give a command; only the lines of the last one are kept, and they are all that is read."""
        script, *words = shlex.split(command.removeprefix("python "))
        self.capsys.readouterr()
        with pytest.MonkeyPatch.context() as shell:
            shell.setattr("sys.argv", [script, *words])
            assert importlib.import_module(script.removesuffix(".py")).main(words) == 0, command
        self.n_commands += 1
        self.read()

    def fails(self, command):
        """Give a command that a user's mistake ends."""
        script, *words = shlex.split(command.removeprefix("python "))
        self.capsys.readouterr()
        with pytest.MonkeyPatch.context() as shell:
            shell.setattr("sys.argv", [script, *words])
            with pytest.raises(SystemExit) as end:
                run(importlib.import_module(script.removesuffix(".py")).main)
        assert end.value.code, command
        self.read()

    def read(self):
        shown = self.capsys.readouterr()
        self.lines, self.log = shown.out.splitlines(), shown.err.splitlines()

    def printed(self):
        """Commands that the last one printed, on the screen or as log: what to do next, again, or instead."""
        pattern = r"(?:next|again|as it is): (python .*)|`(python [^`]*)`"
        found = re.findall(pattern, "\n".join([*self.lines, *self.log]))
        return [command.rstrip(".") for pair in found for command in "".join(pair).split("; ")]

    def line_of(self, start):
        """The only line that starts so."""
        (line,) = [line for line in self.lines if line.startswith(start)]
        return line

    def file_of(self, line):
        """The file that a line names at its end."""
        path = self.folder / line.rpartition(": ")[2]
        assert path.is_file(), line
        return path
