"""Where temporaries lie: aligned, never two living ones at the same place, memory reused."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastbs.compile.arena import give, place, take

ARGUMENTS = 3  # buffers before the temporaries


def instruction(*buffers):
    """An instruction that names these buffers; what stands before the operands passes through."""
    return ("opcode", 7, *((buffer, i, 1, 1, 0) for i, buffer in enumerate(buffers)))


@st.composite
def programs(draw):
    """Instructions over arguments and temporaries, sizes, and an alignment."""
    sizes = draw(st.lists(st.integers(0, 40), min_size=1, max_size=12))
    buffers = st.integers(0, ARGUMENTS + len(sizes) - 1)
    lines = draw(st.lists(st.tuples(buffers, buffers, buffers), max_size=25))
    return [instruction(*line) for line in lines], sizes, draw(st.sampled_from([1, 4, 8, 16]))


def lives(code):
    """temporary -> the first and last instruction that names it"""
    found = {}
    for at, line in enumerate(code):
        for buffer, *_ in line[-3:]:
            if buffer >= ARGUMENTS:
                first, _ = found.get(buffer, (at, at))
                found[buffer] = (first, at)
    return found


@given(programs())
def test_living_values_never_overlap(program):
    code, sizes, alignment = program
    placed, arena = place(code, sizes, ARGUMENTS, alignment)
    offsets = {}
    for line, new in zip(code, placed, strict=True):
        assert new[:-3] == line[:-3]
        for (buffer, offset, *strides), (slot, moved, *kept) in zip(line[-3:], new[-3:], strict=True):
            assert kept == strides
            if buffer < ARGUMENTS:
                assert (slot, moved) == (buffer, offset)
            else:
                assert slot == ARGUMENTS
                start = offsets.setdefault(buffer, moved - offset)
                assert start == moved - offset  # one place for its whole life
                assert start % alignment == 0
                assert 0 <= start <= start + sizes[buffer - ARGUMENTS] <= arena
    alive = lives(code)
    for x, (first, last) in alive.items():
        for y, (start, end) in alive.items():
            if x < y and first <= end and start <= last and sizes[x - ARGUMENTS] and sizes[y - ARGUMENTS]:
                a, b = offsets[x], offsets[y]
                assert a + sizes[x - ARGUMENTS] <= b or b + sizes[y - ARGUMENTS] <= a
    needed = [-(-sizes[x - ARGUMENTS] // alignment) * alignment for x in alive]
    assert arena <= sum(needed)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=60))
def test_a_chain_does_not_grow_with_its_length(widths):
    sizes = [8 * w for w in widths]
    code = [instruction(ARGUMENTS + i, ARGUMENTS + i, ARGUMENTS + i + 1) for i in range(len(sizes) - 1)]
    _, arena = place(code, sizes, ARGUMENTS, 8)
    # two live at a time; first fit leaves gaps, but none that is as large as the largest
    assert max(a + b for a, b in pairwise(sizes)) <= arena <= 4 * max(sizes)


def test_equal_temporaries_of_a_chain_take_turns():
    code = [instruction(ARGUMENTS + i, ARGUMENTS + i, ARGUMENTS + i + 1) for i in range(9)]
    placed, arena = place(code, [5] * 10, ARGUMENTS, 4)
    assert arena == 16
    assert [line[-1][1] - 2 for line in placed] == [8, 0, 8, 0, 8, 0, 8, 0, 8]


@pytest.mark.parametrize(("code", "sizes"), [([], []), ([instruction(0, 1, 2)], [3])], ids=["empty", "no temporaries"])
def test_no_temporaries_no_arena(code, sizes):
    assert place(code, sizes, ARGUMENTS, 8) == (code, 0)


def test_freed_neighbours_are_joined():
    gaps = []
    for start in (0, 16, 8):
        give(gaps, start, 8)
    assert gaps == [(0, 24)]
    assert take(gaps, 24, 40) == (0, 40)
    assert take(gaps, 1, 40) == (40, 41)
