"""The block pattern as text, in brackets that grow with it."""

from .names import cut, symbols, width

__all__ = ["arranged", "draw"]

COLUMNS, LINES = 100, 40  # what a picture takes of a terminal at most
LONGEST = 30  # columns of an entry where not all fit: three stand side by side
ENDS = 10  # rows or columns that remain where some are left out
GAP = "  "


def draw(A):
    """The block pattern: the symbol of every block, · for zero, ⋯ ⋮ ⋱ for what is left out.

    Parameters
    ----------
    A : block matrix, with ``shape`` and ``items()``

    Returns
    -------
    str
        Lines of one width, at most 40 lines of 100 columns. Where one name stands for several arrays it has
        the block as an index, counted from 0.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> W, delta = np.ones((4, 2, 2)), np.ones((4, 2, 2))
    >>> off = [-(fb.Hadamard(delta[i]) @ fb.Left(W[i])) for i in range(1, 4)]
    >>> print(fb.Bidiagonal([fb.Identity()] * 4, off))
    ⎡    I         ·         ·      · ⎤
    ⎢ −M₁ₕ B₁ₗ     I         ·      · ⎥
    ⎢    ·      −M₂ₕ B₂ₗ     I      · ⎥
    ⎣    ·         ·      −M₃ₕ B₃ₗ  I ⎦
    >>> print(fb.Bidiagonal([1] * 1000, [2] * 999)[:, :4])
    ⎡ I  ·  ·  · ⎤
    ⎢ 2  I  ·  · ⎥
    ⎢ ·  2  I  · ⎥
    ⎢ ·  ·  2  I ⎥
    ⎢ ·  ·  ·  2 ⎥
    ⎢ ⋮  ⋮  ⋮  ⋮ ⎥
    ⎢ ·  ·  ·  · ⎥
    ⎢ ·  ·  ·  · ⎥
    ⎢ ·  ·  ·  · ⎥
    ⎢ ·  ·  ·  · ⎥
    ⎣ ·  ·  ·  · ⎦
    """
    _, _, table = arranged(A)
    if not table:
        return f"[{A.shape[0]}×{A.shape[1]}]"
    widths = widths_of(table)
    lines = [f" {GAP.join(map(centered, row, widths))} " for row in table]
    if len(lines) == 1:
        return f"[{lines[0]}]"
    left, right = (top + middle * (len(lines) - 2) + bottom for top, middle, bottom in ("⎡⎢⎣", "⎤⎥⎦"))
    return "\n".join(a + line + b for a, line, b in zip(left, lines, right, strict=True))


def arranged(A):
    """The rows and columns of a picture, None for those left out, and its entries row by row."""
    n, m = A.shape
    if n == 0 or m == 0:
        return [], [], []
    # only what may be shown is looked at
    rows, columns = set(ends(n, LINES)), set(ends(m, LINES))
    texts = symbols({(i, j): block for (i, j), block in A.items() if i in rows and j in columns})
    for most, longest in choices(m):
        columns = ends(m, most)
        # a square matrix keeps its diagonal in sight
        rows = ends(n, most if n == m else LINES)
        cuts = {at: cut(text, longest) for at, text in texts.items()}
        table = [[entry(cuts, i, j) for j in columns] for i in rows]
        widths = widths_of(table)
        if sum(widths) + len(GAP) * (len(widths) - 1) + 4 <= COLUMNS:
            break
    return rows, columns, table


def choices(m):
    """How many columns to show and how long entries may be: the first choice that fits is taken."""
    if m <= COLUMNS // 3:
        yield m, COLUMNS - 4
        yield m, LONGEST
    for most in range(min(m - 1, ENDS), 1, -1):
        yield most, LONGEST


def ends(n, most):
    """The first and last of n indices, None between them for the others if there are more than ``most``."""
    if n <= most:
        return list(range(n))
    most = min(most, ENDS)
    return [*range((most + 1) // 2), None, *range(n - most // 2, n)]


def entry(texts, i, j):
    if i is None:
        return "⋱" if j is None else "⋮"
    return "⋯" if j is None else texts.get((i, j), "·")


def widths_of(table):
    return [max(map(width, column)) for column in zip(*table, strict=True)]


def centered(text, columns):
    free = columns - width(text)
    return " " * (free // 2) + text + " " * (free - free // 2)
