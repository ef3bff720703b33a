"""The cheapest order of a product of Jacobians against all parenthesizations."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastbs.chain import Plan, plan_chain


def every_cost(sizes, costs, i, j):
    """The flops of every way to get the dense Jacobian of segments i, ..., j."""
    n_in, n_out = sizes[i], sizes[j + 1]
    yield n_in * sum(costs[i : j + 1])
    yield n_out * sum(costs[i : j + 1])
    for s in range(i, j):
        for early in every_cost(sizes, costs, i, s):
            yield early + n_in * sum(costs[s + 1 : j + 1])
            for late in every_cost(sizes, costs, s + 1, j):
                yield early + late + 2 * n_out * sizes[s + 1] * n_in
        for late in every_cost(sizes, costs, s + 1, j):
            yield late + n_out * sum(costs[i : s + 1])


def followed(plan, factors):
    """The dense Jacobian as the plan says, and the flops of that, by its own text."""
    span = factors[plan.first : plan.last + 1]
    if plan.kind == "product":
        left, a = followed(plan.left, factors)
        right, b = followed(plan.right, factors)
        return left @ right, a + b + 2 * left.shape[0] * left.shape[1] * right.shape[1]
    if plan.kind == "forward":
        J, flops = (np.eye(span[0].shape[1]), 0) if plan.right is None else followed(plan.right, factors)
        assert plan.left is None
        for A in span:
            flops += J.shape[1] * 2 * A.size
            J = A @ J
        return J, flops
    J, flops = (np.eye(span[-1].shape[0]), 0) if plan.left is None else followed(plan.left, factors)
    assert plan.right is None
    for A in reversed(span):
        flops += J.shape[0] * 2 * A.size
        J = J @ A
    return J, flops


@given(st.integers(1, 4).flatmap(lambda m: st.tuples(
    st.lists(st.integers(1, 9), min_size=m + 1, max_size=m + 1), st.lists(st.integers(0, 99), min_size=m, max_size=m),
)))  # fmt: skip
def test_no_parenthesization_is_cheaper(chain):
    sizes, costs = chain
    assert plan_chain(sizes, costs).flops == min(every_cost(sizes, costs, 0, len(costs) - 1))


@pytest.mark.parametrize("seed", range(20))
def test_the_plan_gives_the_product_at_its_price(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 30, size=rng.integers(2, 9)).tolist()
    factors = [rng.normal(size=(q, p)) for p, q in itertools.pairwise(sizes)]
    plan = plan_chain(sizes, [2.0 * A.size for A in factors])
    J, flops = followed(plan, factors)
    expected = factors[0]
    for A in factors[1:]:
        expected = A @ expected
    np.testing.assert_allclose(J, expected, rtol=1e-9, atol=1e-9)
    assert flops == plan.flops
    assert (plan.kind == "product") or plan.first == 0 or plan.right is not None


@pytest.mark.parametrize(
    ("sizes", "costs", "text"),
    [
        ([3, 5], [15.0], "→[0]"),
        ([5, 3], [15.0], "←[0]"),
        ([2, 90, 90], [1.0, 1.0], "→[0..1]"),
        ([90, 90, 1], [1.0, 1.0], "←[0..1]"),
        ([300, 300, 5, 300], [180000.0, 3000.0, 3000.0], "→[2 of ←[0..1]]"),
        ([100, 50, 2, 50, 100], [1e5, 1e4, 1e4, 1e5], "(→[2..3] · ←[0..1])"),
    ],
    ids=["wide", "tall", "forward", "reverse", "bottleneck", "product"],
)
def test_text(sizes, costs, text):
    assert str(plan_chain(sizes, costs)) == text


def test_text_of_nested_plans():
    dense = Plan("forward", 0, 1, 8.0)
    assert str(Plan("forward", 2, 4, 9.0, right=dense)) == "→[2..4 of →[0..1]]"
    assert str(Plan("reverse", 0, 1, 9.0, left=Plan("reverse", 2, 2, 1.0))) == "←[0..1 of ←[2]]"
    assert str(Plan("product", 0, 2, 9.0, Plan("reverse", 2, 2, 1.0), dense)) == "(←[2] · →[0..1])"


def test_long_chains_are_planned():
    plan = plan_chain([10] * 61, [200.0] * 60)
    assert plan.flops == 10 * 60 * 200.0
