"""How Sphinx builds the documentation: `make docs`. Nothing is fetched from a network, nor by a reader's browser."""

import sys
from pathlib import Path

from gaia_oc_amd import __version__

sys.path.insert(0, str(Path(__file__).parent))
from generated_pages import write_reference, write_scripts, write_tutorial

project = "gaia_oc_amd"
author = "the authors of gaia_oc_amd"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # MathJax as files beside the pages
]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]
highlight_language = "none"
autodoc_typehints = "none"  # the docstrings give types, shapes and units
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True
default_role = "code"
nitpick_ignore_regex = [("py:.*", ".*")]  # types are words here ("DataFrame", "path"), not names to be linked

html_theme = "furo"
html_title = "gaia_oc_amd"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["pages.css"]

write_reference()
write_scripts()
write_tutorial()
