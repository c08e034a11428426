"""Templates filled in, and what is packed into a page: scripts, and data that the browser unpacks."""

import base64
import gzip
import json
from importlib.resources import files
from typing import Any

from bokeh.resources import Resources
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = "templates"
_LEVEL = 6  # of gzip: 9 takes seven times as long and gains 3 %


def render(template: str, **values: Any) -> str:
    """Fill in a template; every value is escaped, and one that is missing is an error.

    Parameters
    ----------
    template : str
        Name of a file in the package's folder of templates.
    **values : any
        What the template names.

    Returns
    -------
    str
        HTML.
    """
    environment = Environment(
        loader=PackageLoader("gaia_oc_amd.report", _FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def asset(*names: str) -> Markup:
    """Style sheets or scripts of the package, as they are, one after the other."""
    folder = files("gaia_oc_amd.report").joinpath(_FOLDER)
    return Markup("\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names))


def compact_json(value: Any) -> str:
    """JSON without spaces; a number that is none is an error."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def script_json(value: Any) -> Markup:
    """A value as JSON that may stand in a script element: nothing in it can end the element."""
    return Markup(compact_json(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def packed(content: str | bytes) -> Markup:
    """Text or bytes compressed by gzip, in base64; equal content gives equal text."""
    raw = content.encode() if isinstance(content, str) else content
    return Markup(base64.b64encode(gzip.compress(raw, _LEVEL, mtime=0)).decode())


def bokeh_script() -> Markup:
    """The part of Bokeh's script that figures need, packed: 0.5 MB of 1.3; widgets, tables and WebGL are left out."""
    return packed("\n".join(Resources(mode="inline", components=["bokeh"]).js_raw))
