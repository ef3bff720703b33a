"""Where temporaries lie: aligned, never two living ones at the same place, memory reused."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastbs.compiler.arena import ALIGNMENT, give, place, take


@st.composite
def programs(draw):
    """Which temporaries each instruction names, and their sizes in bytes."""
    sizes = draw(st.lists(st.integers(0, 400), min_size=1, max_size=12))
    names = st.lists(st.integers(0, len(sizes) - 1), max_size=4)
    return draw(st.lists(names, max_size=25)), sizes


def lives(uses):
    """temporary -> the first and last instruction that names it"""
    found = {}
    for at, named in enumerate(uses):
        for i in named:
            found[i] = (found.get(i, (at, at))[0], at)
    return found


@given(programs())
def test_living_values_never_overlap(program):
    uses, sizes = program
    offsets, arena = place(uses, sizes)
    alive = lives(uses)
    assert offsets.keys() == alive.keys()
    for x, (first, last) in alive.items():
        assert offsets[x] % ALIGNMENT == 0
        assert 0 <= offsets[x] <= offsets[x] + sizes[x] <= arena
        for y, (start, end) in alive.items():
            if x < y and first <= end and start <= last and sizes[x] and sizes[y]:
                assert offsets[x] + sizes[x] <= offsets[y] or offsets[y] + sizes[y] <= offsets[x]
    assert arena <= sum(-(-sizes[x] // ALIGNMENT) * ALIGNMENT for x in alive)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=60))
def test_a_chain_does_not_grow_with_its_length(widths):
    sizes = [ALIGNMENT * w for w in widths]
    _, arena = place([[i, i + 1] for i in range(len(sizes) - 1)], sizes)
    # two live at a time; first fit leaves gaps, but none that is as large as the largest
    assert max(a + b for a, b in pairwise(sizes)) <= arena <= 4 * max(sizes)


def test_equal_temporaries_of_a_chain_take_turns():
    offsets, arena = place([[i, i + 1] for i in range(9)], [40] * 10)
    assert arena == 2 * ALIGNMENT
    assert [offsets[i] for i in range(10)] == [0, ALIGNMENT] * 5


@pytest.mark.parametrize(("uses", "sizes"), [([], []), ([[]], [3])], ids=["empty", "no temporaries"])
def test_no_temporaries_no_arena(uses, sizes):
    assert place(uses, sizes) == ({}, 0)


def test_freed_neighbours_are_joined():
    gaps = []
    for start in (0, 16, 8):
        give(gaps, start, 8)
    assert gaps == [(0, 24)]
    assert take(gaps, 24, 40) == (0, 40)
    assert take(gaps, 1, 40) == (40, 41)
