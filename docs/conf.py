"""How Sphinx builds the documentation: `make docs`. Nothing is fetched from a network."""

from gaia_oc_amd import __version__

project = "gaia_oc_amd"
author = "the authors of gaia_oc_amd"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]
highlight_language = "none"
exclude_patterns = ["api/_templates"]

autosummary_generate = True
autosummary_ignore_module_all = False
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


def _write_api_pages() -> None:
    """List the public names and all modules, so that none can be forgotten."""
    from pathlib import Path

    import gaia_oc_amd

    here = Path(__file__).parent
    package = here.parent / "gaia_oc_amd"
    objects = [getattr(gaia_oc_amd, name) for name in gaia_oc_amd.__all__]
    public = "\n".join(sorted(f"{found.__module__}.{found.__qualname__}" for found in objects))
    paths = sorted(path.relative_to(package.parent) for path in package.rglob("*.py"))
    listed = "\n".join(".".join(path.with_suffix("").parts) for path in paths if path.stem != "__init__")
    (here / "api").mkdir(exist_ok=True)
    table = "```{{eval-rst}}\n.. autosummary::\n{options}\n\n{names}\n```\n"

    def summary(entries: str, options: str = "") -> str:
        return table.format(options=options, names="\n".join(f"   {name}" for name in entries.split("\n")))

    text = (
        "# Reference\n\n## Public names\n\nThese are imported from `gaia_oc_amd` itself and kept stable.\n\n"
        f"{summary(public)}\n## All modules\n\n{summary(listed, '   :toctree: .')}"
    )
    (here / "api" / "index.md").write_text(text, encoding="utf-8")


_write_api_pages()
