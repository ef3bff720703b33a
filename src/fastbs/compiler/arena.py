"""Where temporaries lie: one arena, its memory used again as soon as a value is dead."""

__all__ = ["ALIGNMENT", "place"]

ALIGNMENT = 64  # bytes


def place(uses, sizes):
    """Give every temporary an offset in the arena.

    Parameters
    ----------
    uses : list of lists of int
        The temporaries that each instruction names, in execution order. A temporary lives from the first instruction
        that names it to the last.
    sizes : list of int, bytes

    Returns
    -------
    offsets : dict of int, bytes, multiples of `ALIGNMENT`
        First fit over the free ranges, kept sorted.
    arena : int, bytes
    """
    last = {}
    for at, named in enumerate(uses):
        for i in named:
            last[i] = at
    offsets, gaps, top = {}, [], 0
    for at, named in enumerate(uses):
        for i in named:
            if i not in offsets:
                offsets[i], top = take(gaps, aligned(sizes[i]), top)
        for i in dict.fromkeys(named):
            if last[i] == at:
                give(gaps, offsets[i], aligned(sizes[i]))
    return offsets, top


def aligned(size):
    return -(-size // ALIGNMENT) * ALIGNMENT


def take(gaps, size, top):
    """An offset of `size` free elements, and the new top of the arena."""
    for i, (start, length) in enumerate(gaps):
        if length >= size:
            gaps[i] = (start + size, length - size)
            return start, top
    return top, top + size


def give(gaps, start, size):
    """Return a range to the sorted free ranges, joined with its neighbours."""
    at = next((i for i, gap in enumerate(gaps) if gap[0] > start), len(gaps))
    gaps.insert(at, (start, size))
    joined = []
    for gap in gaps:
        if joined and joined[-1][0] + joined[-1][1] == gap[0]:
            joined[-1] = (joined[-1][0], joined[-1][1] + gap[1])
        elif gap[1]:
            joined.append(gap)
    gaps[:] = joined
