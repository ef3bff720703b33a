"""Where temporaries lie: one arena, its memory used again as soon as a value is dead."""

__all__ = ["place"]

OPERANDS = slice(-3, None)  # the operands of an instruction stand at its end


def place(code, sizes, first, alignment):
    """Give every temporary an offset in the arena and rewrite the operands to slots.

    Temporary ``i`` has the buffer number ``first + i`` and ``sizes[i]`` elements; offsets are multiples of
    `alignment` elements. It lives from the first instruction that names it to the last. First fit over the
    free ranges, kept sorted.

    Returns
    -------
    code : list of instructions whose temporaries all lie in slot `first`
    arena : int, elements
    """
    last = {}
    for at, line in enumerate(code):
        for operand in line[OPERANDS]:
            last[operand[0]] = at
    offsets, gaps, top, result = {}, [], 0, []
    for at, line in enumerate(code):
        operands, dying = [], set()
        for buffer, offset, *strides in line[OPERANDS]:
            if buffer >= first:
                if buffer not in offsets:
                    size = -(-sizes[buffer - first] // alignment) * alignment
                    offsets[buffer], top = take(gaps, size, top)
                if last[buffer] == at:
                    dying.add(buffer)
                buffer, offset = first, offset + offsets[buffer]
            operands.append((buffer, offset, *strides))
        for buffer in dying:
            give(gaps, offsets[buffer], -(-sizes[buffer - first] // alignment) * alignment)
        result.append((*line[:-3], *operands))
    return result, top


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
