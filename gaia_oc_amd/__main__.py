"""Every script by its name, from anywhere, as ``python -m gaia_oc_amd build-sets NGC_2509``.

Where the package is installed, ``gaia-oc-build-sets NGC_2509`` does the same. The scripts:
"""

import ast
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from gaia_oc_amd.command_line import make_parser, run
from gaia_oc_amd.installation import BY_NAME, program, scripts

_COMMAND, _MODULE = BY_NAME


def main() -> None:
    """Run the script that the program's own name says, or the first argument; leaves with its exit code."""
    known = scripts()
    if program().startswith(_COMMAND):
        name = program().removeprefix(_COMMAND)
    else:
        name = _read_name(known)
        del sys.argv[1]
        sys.argv[0] = _MODULE + name
    run(_load(known[name]).main)


def _read_name(known: dict[str, Path]) -> str:
    """The first argument; without one, or with ``--help``, the scripts are listed."""
    sys.argv[0] = _MODULE.strip()
    listing = "\n".join(f"  {name:37} {_purpose(path)}" for name, path in known.items())
    parser = make_parser(f"{__doc__}\n{listing}")
    parser.usage = "%(prog)s script [options] [names]"
    parser.add_argument("script", type=lambda text: text.replace("_", "-"), choices=known, metavar="script")
    return str(parser.parse_args(sys.argv[1:2] or ["--help"]).script)


def _purpose(path: Path) -> str:
    """First line of a script's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def _load(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python module.")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
