"""Pages that need nothing but themselves: templates, styles and scripts in one HTML text."""

import json
from importlib.resources import files
from typing import Any

from bokeh.resources import Resources
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = "templates"


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
        loader=PackageLoader("gaia_oc_amd", _FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def asset(name: str) -> Markup:
    """A style sheet or script of the package, as it is."""
    return Markup(files("gaia_oc_amd").joinpath(_FOLDER, name).read_text(encoding="utf-8"))


def bokeh_script() -> Markup:
    """The part of Bokeh's script that figures need (1.3 MB); widgets, tables, WebGL and formulas are left out."""
    return Markup("\n".join(Resources(mode="inline", components=["bokeh"]).js_raw))


def script_json(value: Any) -> Markup:
    """A value as JSON that may stand in a script element: nothing in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
