"""What pictures write in a block: its symbol, with names that stand for several arrays told apart.

An operator that holds arrays has a name for them, such as B of Bₗ. Where one name stands for several arrays
in one matrix, it gets the block as an index, counted from 0 as in ``A[i, j]``:

    B     everywhere the same array
    B₂    the array that stands first in row or column 2, whichever is later: a matrix and its adjoint agree
    B₂₁   the array that stands first in block (2, 1), or transposed in block (1, 2), where one index is not enough
    B′₂   another one there; then B″₂, B‴₂, B⁽⁴⁾₂

A name that ends in a digit, such as W₂, is its owner's numbering and stays as it is.
"""

import re
import unicodedata

__all__ = ["cut", "symbols", "width"]

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
DERIVED = re.compile(r"(.*?)((?:⁻?[ᵀᴴ]|⁻¹)*)", re.DOTALL)  # a name and what was done to it


def symbols(blocks):
    """What to write in each block.

    Parameters
    ----------
    blocks : dict {(i, j): operator}

    Returns
    -------
    dict {(i, j): str}, each on one line
    """
    first = {}  # name -> {array: the block where it stands first}
    for at, block in blocks.items():
        named = [pair for op in leaves(block) for pair in zip(*named_arrays(op), strict=True)]
        if any(split(name)[1].endswith(("ᵀ", "ᴴ")) for name, _ in named):
            at = at[::-1]  # where it stands in the adjoint
        for name, array in named:
            first.setdefault(split(name)[0], {}).setdefault(array, at)
    marks = {name: numbered(places) for name, places in first.items() if len(places) > 1 and not name[-1:].isdigit()}
    return {at: line(renamed(block, marks)) for at, block in blocks.items()}


def numbered(places):
    """{array: (primes, index)} for the arrays of one name."""
    later = {at: (max(at),) for at in places.values()}
    if len(set(later.values())) < len(later):
        later = {at: at for at in later}
    marks, count = {}, {}
    for array, at in places.items():
        k = count[at] = count.get(at, -1) + 1
        primes = "′″‴"[k - 1] if 0 < k < 4 else f"⁽{k}⁾".translate(SUPERSCRIPTS) if k else ""
        comma = "," if max(later[at]) > 9 else ""
        marks[array] = primes, comma.join(map(str, later[at])).translate(SUBSCRIPTS)
    return marks


def leaves(block):
    """The operators that a block is made of."""
    for op in parts(block) or ():
        yield from leaves(op)
    if parts(block) is None and block is not None:
        yield block


def parts(op):
    """The terms or factors of an operator, None for one that has none."""
    if not hasattr(op, "replace"):
        return None
    return (op.operator,) if hasattr(op, "operator") else getattr(op, "operators", None)


def named_arrays(op):
    """The names of an operator's arrays, and of each array what tells it from others."""
    name = getattr(op, "name", None)
    held = [getattr(op, field) for field in getattr(op, "fields", None) or ()]
    arrays = [array for field in held for array in (field if isinstance(field, tuple) else (field,))]
    if not isinstance(name, str) or not arrays:
        return (), ()
    names, arrays = name.split("⊗"), [identity(array) for array in arrays]
    return (names, arrays) if len(names) == len(arrays) else ([name], [tuple(arrays)])


def identity(array):
    """What an array and its transpose share, and no other array has."""
    if hasattr(array, "original"):
        return identity(array.original)
    data = array.data if hasattr(array, "tocsr") and hasattr(array, "data") else array
    memory = getattr(data, "__array_interface__", None)
    if memory is None:
        return id(array)
    return memory["data"][0], tuple(sorted(zip(data.shape, data.strides, strict=True))), *sorted(array.shape)


def renamed(op, marks):
    """The same operator with marks on its names."""
    if parts(op) is not None:
        if hasattr(op, "operator"):
            return op.replace(operator=renamed(op.operator, marks))
        return op.replace(operators=tuple(None if part is None else renamed(part, marks) for part in op.operators))
    names, arrays = named_arrays(op)
    if not any(split(name)[0] in marks for name in names):
        return op
    return op.replace(name="⊗".join(marked(name, array, marks) for name, array in zip(names, arrays, strict=True)))


def marked(name, array, marks):
    base, derived = split(name)
    primes, index = marks.get(base, {}).get(array, ("", ""))
    return base + primes + index + derived


def split(name):
    """``Bᵀ`` is ``B`` and ``ᵀ``."""
    return DERIVED.fullmatch(name.strip()).groups()


def line(block):
    """The symbol of a block, of a foreign object its text, on one line."""
    symbol = getattr(block, "symbol", None)
    if not isinstance(symbol, str):
        plain = type(block).__str__ is object.__str__ and type(block).__repr__ is object.__repr__
        symbol = type(block).__name__ if plain else str(block)
    return "".join(c for c in " ".join(symbol.split()) if c.isprintable())


def width(text):
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def cut(text, most):
    """The text in at most so many columns, with an ellipsis in place of the rest; brackets stay closed."""
    if width(text) <= most:
        return text
    end = "…]" if text.startswith("[") and text.endswith("]") else "…"
    room, kept = most - width(end), 0
    while (room := room - width(text[kept])) >= 0:
        kept += 1
    return text[:kept].rstrip(" ,;") + end
