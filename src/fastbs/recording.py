"""One call of a function, recorded, and what is pulled back and pushed forward through it."""

import numpy as np
import optree

from ._trace import Traced, left_behind, node_of, trace
from .arguments import is_array
from .errors import DtypeError, ShapeError, TraceError
from .jacobian import dense_jacobian
from .replay import replayed
from .system import pull_back, push_forward

__all__ = ["Recording", "matching", "matching_tangents"]


class Recording:
    """One call of a function, recorded: values, and the inputs and outputs as steps of its trace.

    Parameters
    ----------
    f : callable
    arguments, keywords : its arguments
    argnums : int or tuple of int, the positions of the arguments that are differentiated
    where : str, for messages
    has_aux : bool
    """

    def __init__(self, f, arguments, keywords, argnums, where, has_aux=False):
        argnums = positions(argnums, len(arguments), where)
        leaves, self.structure = optree.tree_flatten([arguments[i] for i in argnums])
        self.leaves = [
            leaf.copy("K") if type(leaf) is np.ndarray and leaf.dtype.kind == "f" else as_leaf(leaf, i, where)
            for i, leaf in enumerate(leaves)
        ]
        self.aux = None

        def run(*traced):
            full = list(arguments)
            for i, value in zip(argnums, optree.tree_unflatten(self.structure, traced), strict=True):
                full[i] = value
            result = f(*full, **keywords)
            if has_aux:
                result, self.aux = result
            return result

        self.inputs, result, self.level = trace(run, self.leaves)
        self.aux = optree.tree_map(self.lowered, self.aux) if has_aux else None
        outputs, self.out_structure = optree.tree_flatten(result)
        self.values = [self.lowered(y) for y in outputs]
        self.outputs = [node_of(y) if self.is_mine(y) else None for y in outputs]

    def is_mine(self, y):
        if type(y) is not Traced or y.level == self.level:
            return type(y) is Traced
        if node_of(y).trace.ended:
            raise left_behind("result")
        return False

    def lowered(self, y):
        return y.value if self.is_mine(y) else y

    @property
    def value(self):
        return optree.tree_unflatten(self.out_structure, self.values)

    @property
    def own_value(self):
        """The value in arrays that nothing else holds, because the recording outlives the call."""
        return optree.tree_map(lambda y: np.array(y) if isinstance(y, np.ndarray) else y, self.value)

    def pull(self, cotangents):
        """Cotangents of the leaves, zeros where nothing depends on them."""
        pairs = [(y, g) for y, g in zip(self.outputs, cotangents, strict=True) if y is not None]
        outputs, known = [y for y, _ in pairs], [g for _, g in pairs]
        found = replayed(pull_back, self.inputs, outputs, known)
        if found is None:
            found = unshared(pull_back(self.inputs, outputs, known), cotangents)
        return [zeros(x) if g is None else kept_dtype(g, x) for g, x in zip(found, self.leaves, strict=True)]

    def push(self, tangents):
        """Tangents of the outputs."""
        known = [y for y in self.outputs if y is not None]
        found = iter(push_forward(self.inputs, known, tangents))
        result = unshared([None if y is None else next(found) for y in self.outputs], tangents)
        return [zeros(y) if t is None else kept_dtype(t, y) for t, y in zip(result, self.values, strict=True)]

    def jacobian(self, order):
        """One row an output of one array a leaf, of shape ``out.shape + in.shape``.

        The order "symmetric" is for outputs that are the gradient of the leaves: their Jacobian is symmetric.
        """
        for y in self.values:
            if np.result_type(y).kind == "c":
                raise DtypeError(f"jacobian: f must return real arrays because its arguments are; got {y.dtype}")
        known = [y for y in self.outputs if y is not None]
        blocks = {}
        if known and self.leaves:
            outputs = list(dict.fromkeys(known))
            if order == "symmetric" and len(outputs) != len(self.leaves):
                order = "forward"
            found = replayed(dense_jacobian, self.inputs, outputs, [], order)
            (J,) = dense_jacobian(self.inputs, outputs, [], order) if found is None else found
            i = 0
            for y in outputs:
                j = 0
                for k, x in enumerate(self.leaves):
                    n, m = int(np.size(y.value)), int(np.size(x))
                    blocks[y, k] = np.reshape(J[i : i + n, j : j + m], (*np.shape(y.value), *np.shape(x)))
                    j += m
                i += n
        return [
            [zeros(x, np.shape(value)) if y is None else kept_dtype(blocks[y, k], x) for k, x in enumerate(self.leaves)]
            for y, value in zip(self.outputs, self.values, strict=True)
        ]

    def sparse_jacobian(self, order):
        """One row an output of one SciPy matrix a leaf, of shape ``(out.size, in.size)``."""
        from scipy.sparse import csr_array

        from .sparse import sparse_jacobian

        if any(type(x) is Traced for x in self.leaves):
            raise TraceError(
                "jacobian: with sparse=True arguments must be plain because SciPy's matrices hold numbers; "
                "got a traced value, leave sparse away inside of another derivative or compile"
            )
        known = list(dict.fromkeys(y for y in self.outputs if y is not None))
        J = sparse_jacobian(self.inputs, known, order)
        starts = dict(zip(known, np.cumsum([0, *(np.size(y.value) for y in known)]).tolist(), strict=False))
        ends = np.cumsum([0, *map(np.size, self.leaves)]).tolist()
        return [
            [
                csr_array((np.size(value), np.size(x)), dtype=x.dtype)
                if y is None
                else J[starts[y] : starts[y] + np.size(value), i:j].astype(x.dtype)
                for x, i, j in zip(self.leaves, ends, ends[1:], strict=False)
            ]
            for y, value in zip(self.outputs, self.values, strict=True)
        ]

    def unflatten(self, leaves):
        """One container an argument, as the caller gave them."""
        return optree.tree_unflatten(self.structure, leaves)


def as_leaf(leaf, i, where):
    """A copy of a float array, or the number; anything else cannot be differentiated."""
    where = f"{where}: argument {i}"
    if isinstance(leaf, np.ma.MaskedArray):
        raise DtypeError(f"{where} must be a plain array because masks are not propagated; got a masked array")
    if type(leaf) is Traced:
        kind = leaf.dtype.kind
    elif isinstance(leaf, (float, int, complex, np.generic, np.ndarray)):
        kind = np.result_type(leaf).kind if not isinstance(leaf, int) else "i"
    else:
        raise DtypeError(
            f"{where} must be a float array or number because it is differentiated; got {type(leaf).__name__}"
        )
    if kind != "f":
        raise DtypeError(
            f"{where} must be real floating point because it is differentiated; got "
            f"{getattr(leaf, 'dtype', type(leaf).__name__)}" + (", pass x.astype(float)" if kind in "iub" else "")
        )
    if isinstance(leaf, np.ndarray):
        return np.array(leaf)
    return leaf if type(leaf) is Traced else np.result_type(leaf).type(leaf)


def unshared(found, given):
    """Results that share no memory with each other nor with what was given."""
    seen, result = {id(g) for g in given}, []
    for g in found:
        if isinstance(g, np.ndarray) and (id(g) in seen or g.base is not None or not g.flags.writeable):
            g = np.array(g)
        seen.add(id(g))
        result.append(g)
    return result


def direction(t, x, where):
    """A tangent or cotangent of x: an array or number of its shape, in its dtype."""
    if type(t) is not Traced:
        if isinstance(t, np.ma.MaskedArray):
            raise DtypeError(f"{where} must be a plain array because masks are not propagated; got a masked array")
        if np.result_type(t).kind not in "biuf":
            raise DtypeError(f"{where} must be real because the value is; got {np.result_type(t)}")
        t = np.asarray(t, getattr(x, "dtype", float))[()]
    if np.shape(t) != np.shape(x):
        raise ShapeError(f"{where} must be {np.shape(x)} because what it belongs to is; got {np.shape(t)}")
    return t


def zeros(x, stack=()):
    return np.zeros((*stack, *np.shape(x)), x.dtype if is_array(x) else float)[()]


def kept_dtype(g, x):
    return g if g.dtype == x.dtype else np.astype(g, x.dtype) if np.ndim(g) or type(g) is Traced else x.dtype.type(g)


def positions(argnums, count, where):
    """The positions of the arguments to differentiate, counted from 0."""
    if type(argnums) is int and 0 <= argnums < count:
        return (argnums,)
    given = argnums if isinstance(argnums, tuple) else (argnums,)
    if not all(isinstance(i, int) and -count <= i < count for i in given) or len({i % count for i in given}) < len(
        given
    ):
        raise ValueError(
            f"{where}: argnums must be distinct positions because each names one of the {count} positional arguments; "
            f"got {argnums!r}"
        )
    return tuple(i % count for i in given)


def matching(g, recording):
    leaves = optree.tree_leaves(g)
    if len(leaves) != len(recording.values):
        raise ShapeError(
            f"vjp: the cotangent must have {len(recording.values)} arrays because the value has; got {len(leaves)}"
        )
    return [
        direction(g, y, f"vjp: cotangent {k}") for k, (g, y) in enumerate(zip(leaves, recording.values, strict=True))
    ]


def matching_tangents(tangents, recording, where):
    leaves = optree.tree_leaves(list(tangents))
    if len(leaves) != len(recording.leaves):
        raise ShapeError(
            f"{where}: tangents must have {len(recording.leaves)} arrays because primals have; got {len(leaves)}"
        )
    return [
        direction(t, x, f"{where}: tangent {k}") for k, (t, x) in enumerate(zip(leaves, recording.leaves, strict=True))
    ]
