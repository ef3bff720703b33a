"""The block pattern as a matplotlib picture."""

import re
import textwrap

import numpy as np

from .names import symbols

__all__ = ["spy"]

# Okabe and Ito's seven colours, and four that stay apart from them and from each other, to usual sight and as
# deuteranopia, protanopia and tritanopia are simulated.
COLOURS = {
    "identity": "#c0c0c0",
    "left": "#0072b2",
    "right": "#56b4e9",
    "Hadamard": "#e69f00",
    "Kronecker": "#009e73",
    "inner": "#cc79a7",
    "product": "#d55e00",
    "sum": "#f0e442",
    "row": "#7b2ed5",
    "block matrix": "#66502b",
    "other": "#c1a16d",
}
KINDS = {
    "Identity": "identity",
    "Left": "left",
    "LeftFactor": "left",
    "LeftVector": "left",
    "Right": "right",
    "RightFactor": "right",
    "RightVector": "right",
    "Hadamard": "Hadamard",
    "Elementwise": "Hadamard",
    "Kronecker": "Kronecker",
    "Inner": "inner",
    "Multiple": "inner",
    "Composition": "product",
    "LazyProduct": "product",
    "Sum": "sum",
    "Row": "row",
    "Column": "row",
}
MOST_CELLS = 49  # rows or columns that are drawn as separate cells
TINT = 0.55  # opacity of cells with symbols, which are written in the colour of all text
SMALLEST, COMFORTABLE, READABLE, LARGEST = 5.0, 8.0, 11.0, 14.0  # font sizes in points
FILLED = 0.78  # the part of a cell's side that its symbol may take
LENGTHS = (24, 6)  # characters of a line in a symbol: the first with which it can be read with comfort
FONT = "DejaVu Sans"  # comes with matplotlib and has the subscripts of operators


def spy(A, ax=None, *, text=None, legend=True):
    """Draw which blocks of a block matrix are not zero, coloured by the kind of operator that stands there.

    Parameters
    ----------
    A : block matrix
    ax : matplotlib Axes, optional
        Where to draw; by default in a new figure.
    text : bool, optional
        Whether to write each operator's symbol in its cell; by default where all of them can be read.
    legend : bool
        Whether to list the kinds of operator below the picture.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError
        If A is not a block matrix.
    ImportError
        If matplotlib is missing; ``pip install "fastbs[plot]"`` brings it.

    Cost      linear in the blocks that are not zero

    Examples
    --------
    >>> import matplotlib, fastbs as fb
    >>> matplotlib.use("Agg")
    >>> ax = fb.spy(fb.Bidiagonal([1, 1, 1], [2, 3]))
    >>> ax.get_ylabel()
    'block row'
    """
    if not hasattr(A, "items") or len(getattr(A, "shape", ())) != 2:
        raise TypeError(f"spy: A must be a block matrix because its blocks are drawn; got {type(A).__name__}")
    try:
        from matplotlib.collections import PolyCollection  # an extra
        from matplotlib.patches import Patch
        from matplotlib.ticker import MaxNLocator, NullLocator
    except ImportError as error:
        raise ImportError(
            f'spy: matplotlib must be installed because it draws the picture; got "{error}", '
            'run pip install "fastbs[plot]"'
        ) from error
    n, m = A.shape
    blocks = dict(A.items())
    few = max(n, m) <= MOST_CELLS
    texts = symbols(blocks) if few else {}
    versions = [{at: broken(text, length) for at, text in texts.items()} for length in LENGTHS]
    sides = [max(map(measure, set(version.values())), default=1) for version in versions]
    groups = {}
    for at, block in blocks.items():
        groups.setdefault(kind(block), []).append(at)
    groups = {name: groups[name] for name in COLOURS if name in groups}
    given = ax
    if given is None:
        ax = new_axes(n, m, [READABLE * side / FILLED / 72 for side in sides], len(groups) if legend else 0)

    ax.set(xlim=(-0.5, max(m, 1) - 0.5), ylim=(max(n, 1) - 0.5, -0.5), aspect="equal")
    ax.set(xlabel="block column", ylabel="block row", facecolor="none")
    ax.xaxis.set_label_position("top")
    ax.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0 if few else 3)
    for axis, size in ((ax.xaxis, m), (ax.yaxis, n)):
        most = size if size <= 15 else 10
        locator = MaxNLocator(most, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1) if size else NullLocator()
        axis.set_major_locator(locator)
    if n == 0 or m == 0:
        ax.text(max(m - 1, 0) / 2, max(n - 1, 0) / 2, f"{n}×{m}", ha="center", va="center", family=FONT)
    if legend and groups:
        handles = [Patch(color=COLOURS[name], alpha=TINT if few else 1, lw=0, label=name) for name in groups]
        ax.legend(
            handles=handles, ncols=min(len(handles), legend_columns(ax.bbox.width / ax.figure.dpi)), frameon=False,
            loc="upper center", bbox_to_anchor=(0.5, 0), handlelength=1, handleheight=1, handletextpad=0.5,
            columnspacing=1.5,
        )  # fmt: skip
    if given is None:
        ax.figure.draw_without_rendering()  # lays it out, so that the size of a cell is known
    points = cell_size(ax)
    # few: tinted cells with gaps between them; many: a stroke keeps cells in sight that are smaller than a pixel
    looks = {"alpha": TINT, "linewidths": 0} if few else {"edgecolors": "face", "linewidths": max(0.2, 1.2 - points)}
    for name, positions in groups.items():
        squares = corners(positions, 0.46 if few else 0.5)
        ax.add_collection(PolyCollection(squares, facecolors=COLOURS[name], label=name, **looks), autolim=False)
    sizes = [min(LARGEST, FILLED * points / side) for side in sides]
    fontsize = next((size for size in sizes if size >= COMFORTABLE), max(sizes))
    if few and (text or (text is None and fontsize >= SMALLEST)):
        for (i, j), symbol in versions[sizes.index(fontsize)].items():
            ax.text(j, i, symbol, ha="center", va="center", fontsize=fontsize, family=FONT, parse_math=False)
        zeros = [(j, i) for i in range(n) for j in range(m) if (i, j) not in texts]
        if zeros:
            ax.plot(*zip(*zeros, strict=True), ".", markersize=2, color="0.6", label="_zero")
    return ax


def new_axes(n, m, inches, kinds):
    """Axes in a new figure: cells of the first of these sides with which the picture is not too large."""
    from matplotlib.pyplot import subplots  # an extra

    side = max(0.5, next((side for side in inches if side * max(n, m) <= 6), min(inches)))
    width, height = (min(max(size * side, least), 6.0) for size, least in ((m, 1.6), (n, 0.8)))
    rows = -(-kinds // legend_columns(width))
    return subplots(figsize=(width + 1.0, height + 1.1 + 0.22 * rows), layout="constrained")[1]


def legend_columns(inches):
    """How many kinds stand side by side below axes of this width."""
    return max(1, min(4, int((inches + 0.6) / 1.3)))


def cell_size(ax):
    """The side of a cell in points, square as it will be."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    return 72 / ax.figure.dpi * min(ax.bbox.width / (right - left), ax.bbox.height / (bottom - top))


def corners(positions, half):
    """(k, 4, 2) corners (x, y) of the squares around block positions (i, j)."""
    centres = np.array(positions, float)[:, None, ::-1]
    return centres + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])


def broken(text, length):
    """A symbol in lines of about this many characters; the operators of a row always have their own."""
    if text.startswith("["):
        return re.sub(r"(?<=[,;]) ", "\n", text)
    return "\n".join(textwrap.wrap(text, length, break_long_words=False))


def measure(text):
    """The side of the square that a text needs, in units of its font size."""
    from matplotlib.font_manager import FontProperties  # an extra
    from matplotlib.textpath import text_to_path

    font, lines = FontProperties(family=FONT, size=10), text.split("\n")
    widths = [text_to_path.get_text_width_height_descent(line, font, ismath=False)[0] / 10 for line in lines]
    return max(1.2 * len(lines), *widths)


def kind(block):
    """Which colour a block has: that of its operator, whatever sign or number stands before it."""
    if type(block).__name__ == "Scaled":
        return kind(block.operator)
    if type(block).__name__ == "Sum" and len(block.operators) == 1:
        return kind(block.operators[0])
    if hasattr(block, "items") and hasattr(block, "shape"):
        return "block matrix"
    return next((KINDS[base.__name__] for base in type(block).__mro__ if base.__name__ in KINDS), "other")
