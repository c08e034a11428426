"""Pages that are read off the program: the public names, the options of every script, the tutorial."""

import ast
import base64
import importlib
import json
import re
import sys
import textwrap
from argparse import Action, BooleanOptionalAction
from collections.abc import Iterator
from dataclasses import Field, fields
from pathlib import Path
from typing import Any
from unittest import mock

import gaia_oc_amd
from gaia_oc_amd import command_line

DOCS = Path(__file__).parent
ROOT = DOCS.parent


def write_reference() -> None:
    """Write one page with the public names, by module."""
    named: dict[str, list[str]] = {}
    for name in gaia_oc_amd.__all__:
        named.setdefault(getattr(gaia_oc_amd, name).__module__, []).append(name)
    parts = [
        "# Public names\n\nThese are imported from `gaia_oc_amd` itself and kept stable. The headings say which module "
        "has each; [the architecture](../architecture.md) describes all modules.\n"
    ]
    for module, names in sorted(named.items()):
        title = module.removeprefix("gaia_oc_amd.")
        entries = "\n".join(
            f".. auto{'class' if isinstance(getattr(gaia_oc_amd, name), type) else 'function'}:: {module}.{name}\n"
            for name in names
        )
        parts.append(f"## {title}\n\n```{{eval-rst}}\n{entries}```\n")
    _write(DOCS / "api" / "index.md", "\n".join(parts))


def write_scripts() -> None:
    """Write one page for each script, and their index."""
    names = sorted(path.stem for path in ROOT.glob("*.py"))
    for name in names:
        _write(DOCS / "scripts" / f"{name}.md", _script_page(name))
    rows = "\n".join(f"| [{name}.py]({name}.md) | {_first_sentence(name)} |" for name in names)
    listed = "\n".join(names)
    _write(
        DOCS / "scripts" / "index.md",
        "# Scripts and their options\n\nThese pages are made from the option classes of the scripts, as `--help` is. "
        "A switch is on or off; `--no-NAME` turns it off. [Which option when](../which_option.md) leads from what you "
        f"want to the option.\n\n| script | what it does |\n| --- | --- |\n{rows}\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n:hidden:\n\n{listed}\n```\n",
    )


def _first_sentence(name: str) -> str:
    """First line of a script's docstring."""
    return str(ast.get_docstring(ast.parse((ROOT / f"{name}.py").read_text(encoding="utf-8")))).splitlines()[
        0
    ]


class _Parsed(Exception):  # ends a script where its work would begin
    pass


def _parser_of(script: Any) -> tuple[command_line.Parser, tuple[type, ...]]:
    """Parser of a script and its option classes, caught where it would read the command line."""

    def caught(parser: command_line.Parser, argv: object, *signatures: type) -> None:
        raise _Parsed(parser, signatures)

    with mock.patch.object(command_line, "parse", caught):
        try:
            script.main([])
        except _Parsed as found:
            parser, signatures = found.args
            return parser, signatures
    raise RuntimeError(f"{script.__name__} does not read its command line with command_line.parse.")


def _fields(signature: Any) -> Iterator[Field[Any]]:
    """All options of a class, those of its parts too."""
    for each in fields(signature):
        if "names" in each.metadata:
            yield from _fields(type(each.default))
        else:
            yield each


def _script_page(name: str) -> str:
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    parser, signatures = _parser_of(importlib.import_module(name))
    known = {each.name: each for signature in signatures for each in _fields(signature)}
    text, examples, listing = _parts_of_description(parser.description or "")
    parts = [f"# {name}.py\n\n{text}\n", f"```sh\n{examples}\n```\n", listing]
    for group in parser._action_groups:
        rows = [
            _row(action, known.get(action.dest))
            for action in group._group_actions
            if action.dest not in ("help", "version")
        ]
        if rows:
            title = {"positional arguments": "Names", "options": "Options"}.get(
                group.title or "", group.title
            )
            parts.append(
                f"## {title}\n\n| option | default | allowed | what it is |\n| --- | --- | --- | --- |\n"
                + "\n".join(rows)
                + "\n"
            )
    return "\n".join(parts)


def _parts_of_description(description: str) -> tuple[str, str, str]:
    """A script's description without its examples, the commands of these, and the list of keys after them."""
    text, _, rest = description.partition("example:")
    examples, _, listing = rest.partition("\n\n")
    commands = "\n".join(line.strip() for line in examples.strip().splitlines())
    heading, *lines = listing.splitlines() or [""]
    entries = "\n".join(
        f"- `{key}`: {content.strip()}" for key, content in (line.split(maxsplit=1) for line in lines)
    )
    return _with_options_as_code(text.strip()), commands, f"{heading}\n\n{entries}\n" if entries else ""


def _with_options_as_code(text: str) -> str:
    """Options that a sentence names, kept from becoming dashes."""
    return re.sub(r"(?<![\w-])--\w+", lambda found: f"`{found[0]}`", text)


def _row(action: Action, each: Field[Any] | None) -> str:
    is_off = isinstance(action, BooleanOptionalAction) and not action.default
    strings = action.option_strings[:1] if is_off else action.option_strings
    names = ", ".join(f"`{name}`" for name in strings) or f"`{action.dest}`"
    text = _with_options_as_code(" ".join((action.help or "").replace("%%", "%").split()))
    return (
        "| "
        + " | ".join(_cell(cell) for cell in (names, _default(action), _allowed(action, each), text))
        + " |"
    )


def _default(action: Action) -> str:
    value = action.default
    if value in (None, (), "==SUPPRESS=="):
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"`{' '.join(map(str, value)) if isinstance(value, tuple) else value}`"


def _allowed(action: Action, each: Field[Any] | None) -> str:
    if action.choices is not None:
        return ", ".join(f"`{choice}`" for choice in action.choices)
    if each is None or isinstance(each.default, bool) or action.type not in (int, float):
        return ""
    return str(each.metadata.get("bounds", ""))


def write_tutorial() -> None:
    """Write the notebook with the outputs that are kept in it as a page."""
    cells = json.loads((ROOT / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    parts = []
    for number, cell in enumerate(cells):
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        parts += [_output(output, f"{number}_{n}") for n, output in enumerate(cell.get("outputs", []))]
    _write(DOCS / "notebook" / "index.md", "\n\n".join(parts) + "\n")


def _output(output: dict[str, Any], name: str) -> str:
    """One output of a cell; its picture, if it is one, becomes a file."""
    data = output.get("data", {})
    if "image/png" in data:
        (DOCS / "notebook" / f"{name}.png").parent.mkdir(exist_ok=True)
        (DOCS / "notebook" / f"{name}.png").write_bytes(base64.b64decode(data["image/png"]))
        return f"![Output of the cell above]({name}.png)"
    text = "".join(output.get("text", data.get("text/plain", []))).rstrip()
    lines = [  # what Python prints of an object is one long line
        textwrap.fill(line, 96, subsequent_indent="    ") if len(line) > 110 else line
        for line in text.splitlines()
    ]
    return "```text\n" + "\n".join(lines) + "\n```"


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("<", r"\<")


def _write(path: Path, text: str) -> None:
    """Write a page if it is another one than before, so that Sphinx reads again only what changed."""
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
