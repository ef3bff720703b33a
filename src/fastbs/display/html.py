"""The block pattern as an HTML table, for notebooks."""

import re
from html import escape

from .names import line
from .text import arranged

__all__ = ["html"]

SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉ₗᵣₕ", "0123456789LRH")
INDEX = "[₀-₉]+(?:,[₀-₉]+)?"
RAISED = "⁰¹²³⁴-⁹⁻⁽⁾ᵀᴴ"
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁽⁾ᵀᴴ", "0123456789−()TH")

# Grey halfway, currentColor and transparency look the same in light and dark notebooks. Notebooks have styles of
# their own for tables, which these replace.
TABLE = "border-collapse:collapse;margin:0.4em 0;width:auto;font-family:serif;color:inherit;background:transparent"
CAPTION = (
    "caption-side:bottom;text-align:left;padding:0.3em 0 0;white-space:nowrap;font-size:90%;color:inherit;opacity:0.7"
)
ROW = "background:transparent"
CELL = (
    "padding:0.3em 0.7em;min-width:1em;text-align:center;white-space:nowrap;color:inherit;"
    "border:1px solid rgba(128,128,128,0.35)"
)
BLOCK = CELL + ";background:rgba(128,128,128,0.12)"
FAINT = "opacity:0.4"


def html(A):
    """The block pattern as a table: zeros faint, the repr of every block as its tooltip, sizes in the caption.

    Parameters
    ----------
    A : block matrix, with ``shape`` and ``items()``

    Returns
    -------
    str
        One ``<table>`` with inline styles, of the same rows and columns as the text.

    Examples
    --------
    >>> import fastbs as fb
    >>> fb.Diagonal([2])._repr_html_().startswith("<table")
    True
    """
    rows, columns, table = arranged(A)
    blocks = dict(A.items())
    body = "".join(
        f'<tr style="{ROW}">{"".join(cell(blocks, i, j, text) for j, text in zip(columns, texts, strict=True))}</tr>'
        for i, texts in zip(rows, table, strict=True)
    )
    kind = "block matrix" if type(A).__name__ == "BlockMatrix" else type(A).__name__.lower()
    (n, m), dtype = A.shape, A.dtype
    dtype = "" if dtype is None else f", {dtype}"
    caption = escape(f"{kind}, {n}×{m} blocks, {len(blocks)} nonzero{dtype}")
    caption = f'<caption style="{CAPTION}">{caption}</caption>'
    return f'<table style="{TABLE}">{caption}<tbody>{body}</tbody></table>'


def cell(blocks, i, j, text):
    if (i, j) not in blocks:
        return f'<td style="{CELL}"><span style="{FAINT}">{text}</span></td>'
    title = escape(f"[{i}, {j}]: {line(repr(blocks[i, j]))[:300]}")
    return f'<td style="{BLOCK}" title="{title}">{typeset(text)}</td>'


def typeset(text):
    """Escaped, with true subscripts, which have the paper's capitals: Bₗ is B with index L."""
    text = re.sub(f"({INDEX})([{RAISED}]+)([ₗᵣₕ])", r"\2\1\3", escape(text))  # one index, after what is raised
    text = re.sub(f"{INDEX}[ₗᵣₕ]?|[ₗᵣₕ]", lambda m: f"<sub>{m[0].translate(SUBSCRIPTS)}</sub>", text)
    return re.sub(f"[{RAISED}]+", lambda m: f"<sup>{m[0].translate(SUPERSCRIPTS)}</sup>", text)
