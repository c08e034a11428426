"""Formulas as MathML, which browsers draw themselves: no script, no picture, no network."""

import re
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

_NUMBER = re.compile(r"\s*\\tag\{([^}]*)\}")


def _visit_inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _visit_block(writer: Any, node: nodes.math_block) -> None:
    latex = node.astext()
    numbers = [f'<span class="eqno">({number})</span>' for number in _NUMBER.findall(latex)]
    formula = tex2mathml(_NUMBER.sub("", latex).strip(), as_block=True)
    writer.body.append(f'<div class="math">{"".join(numbers)}{formula}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx know the renderer, as ``html_math_renderer = "mathml"``."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
