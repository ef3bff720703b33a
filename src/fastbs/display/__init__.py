"""Block matrices as pictures: text, HTML, matplotlib.

A layer below the operators: everything here works by duck typing on ``A.shape``, ``A.items()`` and the symbols
of the blocks.
"""

from .html import html
from .plot import MOST_CELLS, spy
from .text import draw

__all__ = ["MOST_CELLS", "draw", "html", "spy"]
