"""In-place steps of traced programs: by value the answer is NumPy's, through a view it is refused."""

import copy
import operator

import numpy as np
import pytest

from gradients import check
from traced_values import X, at, refused

# In-place steps by value: the answer is NumPy's


def aliased(x):
    y = x * 1
    z = y
    y += 1
    y[0] = 2 * z[1]
    return z * y


def scalar_alias(x):
    s = x[0, 0]
    t = s
    s += 1
    s *= 3
    return s * t


def scalar_sum_alias(x):
    total = np.sum(x)
    before = total
    total += x[0, 1] ** 2
    return total * before


def rows(x):
    A = x * 1
    A[0] += A[1] ** 2
    row = A[1]
    row *= 2
    A[1] = row
    A[:, 1:] -= 1
    A[1, ::-1] += A[0]
    A[np.int64(0)] += 1
    return A * x


def nested_views(x):
    A = x * 1
    B = A[0]
    C = B[1:]
    C += 1
    B[1:] = C
    A[0] = B
    return A


def copies(x):
    A = x * 1
    B, C, D, E, F, G = A.copy(), A.flatten(), A[[0, 1]], A[A > 2.5], copy.copy(A), copy.deepcopy(A)
    H, I, J = +A, A.T.reshape(-1), np.repeat(A, 1, axis=0)
    for y in (B, C, D, E, F, G, H, I, J):
        y += 1
    return A * B * C.reshape(2, 3) * D * np.sum(E) * F * G * H * I.reshape(2, 3) * J


def whole(x):
    A = x * 1
    A[...] = A**2
    A[:] += 1
    A.fill(2.0)
    A += x
    return A


def out(x):
    y = np.zeros_like(x)
    z = np.multiply(x, x, out=y)
    np.add(y, x[0], out=y)
    np.sum(x, axis=0, out=(w := np.zeros_like(x[0])))
    s = np.zeros_like(x[0, 0])
    np.sum(x, out=np.zeros_like(x[0, 0])[...])
    return z * w + s


def divided(x):
    q, r = np.zeros_like(x), np.zeros_like(x)
    np.divmod(x + 0.3, 2.0, out=(q, r))
    return q * x + r


def zero_dimensional(x):
    s = np.zeros_like(np.sum(x), shape=())
    t = s
    s += x[0, 0]
    s *= x[0, 1]
    t[...] += 1
    return s * t


def broadcast_in_place(x):
    y = np.zeros_like(x)
    y += x[0]
    np.add(x[0], 1, out=y)
    return y


def floor_divisions(x):
    y, m = x + 0.3, x > 2.5
    z, n = y, m
    y //= 2
    y += x + 0.2
    y %= 1.5
    y **= 2
    m &= x > 3.5
    m |= x < 1.5
    m ^= x > 5.5
    return z * np.where(n, x, 1.0)


def views_of_nothing_else(x):
    A = np.zeros_like(x).reshape(3, 2).T
    A[0] = x[0]
    A[1] = x[1] * A[0]
    B = (x * x)[:, ::-1]
    B += 1
    B *= A
    return B * A


def swaps(x):
    A = x * 1
    A[[0, 1]] = A[[1, 0]]
    A[0], A[1] = A[1].copy(), A[0].copy()
    return A * x


def loop_over_rows(x):
    A = x * 1
    total = 0.0
    for i, row in enumerate(A):
        total = total + np.sum(row**2)
        A[i] = total
    return A * total


PROGRAMS = [
    aliased, scalar_alias, scalar_sum_alias, rows, nested_views, copies, whole, out, divided, zero_dimensional,
    broadcast_in_place, floor_divisions, views_of_nothing_else, swaps, loop_over_rows,
]  # fmt: skip


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_in_place_program(f):
    check(f, X)


# Views


def view_then_base(view):
    def f(x):
        A = x * 1
        v = view(A)
        v += 1
        return A

    return f


def view_then_view(view):
    def f(x):
        A = x * 1
        v = view(A)
        v += 1
        return v

    return f


def base_then_view(view):
    def f(x):
        A = x * 1
        v = view(A)
        A[0] = 1.0
        return v * 1

    return f


VIEWS = {
    "row": lambda A: A[0],
    "slice": lambda A: A[:, 1:],
    "everything": lambda A: A[...],
    "reversed": lambda A: A[::-1],
    "new axis": lambda A: A[None],
    "reshape": lambda A: A.reshape(3, 2),
    "ravel": np.ravel,
    "transpose": np.transpose,
    "T": lambda A: A.T,
    "mT": lambda A: A.mT,
    "swapaxes": lambda A: np.swapaxes(A, 0, 1),
    "moveaxis": lambda A: np.moveaxis(A, 0, 1),
    "squeeze": lambda A: np.squeeze(A[None]),
    "expand_dims": lambda A: np.expand_dims(A, 0),
    "flip": np.flip,
    "rot90": np.rot90,
    "atleast_3d": np.atleast_3d,
    "diagonal": np.diagonal,
    "diag": np.diag,
    "broadcast_to": lambda A: np.broadcast_to(A, (2, 2, 3)),
    "split": lambda A: np.split(A, 2)[0],
    "view of a view": lambda A: A.T[1:].T,
    "flat": lambda A: A.flat,
    "sliding window": lambda A: np.lib.stride_tricks.sliding_window_view(A, 2, axis=1),
    "real": np.real,
    "iteration": lambda A: next(iter(A)),
}  # fmt: skip


@pytest.mark.parametrize("name", VIEWS)
def test_view(name):
    """What NumPy returns as a view of the same memory."""
    view = VIEWS[name]
    if name != "flat":
        assert np.shares_memory(view(X), X)
    refused(view_then_base(view), "changed view of it is pending.*assign the view back")
    refused(view_then_view(view), r"view that was changed in place must be assigned back.*A\[i\] \+= v")
    refused(base_then_view(view), "view must not be used after its array was changed.*take the view again, or copy")


def test_changed_view_that_is_forgotten():
    def f(x):
        A = x * 1
        A.T[0] += 1  # put back into a view, which is gone
        return A

    refused(f, "pending")


def test_change_through_an_outer_view():
    def f(x):
        A = x * 1
        A[0][1] = 5.0
        return np.sum(A)

    refused(f, "changed view of it is pending")


def test_view_assigned_elsewhere():
    def f(x):
        A = x * 1
        row = A[0]
        row += 1
        A[1] = row
        return A

    refused(f, "pending|assigned back")


def test_view_put_back_then_changed_array():
    def f(x):
        A = x * 1
        row = A[0]
        row += 1
        A[0] = row
        A[1] = 2.0
        return row * 1

    refused(f, "view must not be used after its array was changed")


def test_overlapping_views():
    def f(x):
        A = x * 1
        a, b = A[0], A[:, 0]
        a += 1
        return b * 1

    refused(f, "view must not be used after its array was changed")


def test_out_is_a_view():
    def f(x):
        A = np.zeros_like(x)
        np.exp(x[0], out=A[0])
        return A

    refused(f, "pending")


def test_scalars_are_no_views():
    assert at(scalar_alias) == scalar_alias(X)
    refused(lambda x: np.add(x[0, 0], 1, out=x[0, 0]), "numbers are immutable", TypeError)


def test_in_place_result_must_fit():
    refused(lambda x: operator.iadd(x[0] * 1, x), r"in-place result must be \(3,\).*got \(2, 3\)", ValueError)
    refused(lambda x: operator.iadd(np.argsort(x), x), "in-place result must be int64.*got float64", TypeError)


def test_attributes_cannot_be_set():
    refused(lambda x: setattr(x, "shape", (3, 2)), "Traced.shape: attributes must not be set .*np.reshape")
