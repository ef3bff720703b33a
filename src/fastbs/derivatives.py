"""grad and friends: every derivative is a solve of the system of a traced program."""

import functools

import numpy as np
import optree

from ._trace import Traced, left_behind, node_of, steps, trace
from .arguments import is_array
from .errors import DtypeError, ShapeError, TraceError
from .jacobian import dense_jacobian
from .operator import Operator
from .replay import replayed
from .rules.own import OneCall
from .rules.several import Joint
from .rules.table import RULES
from .system import pull_back, push_forward

__all__ = [
    "gauss_newton", "grad", "hessian", "hvp", "jacobian", "jvp", "linearize", "stop_gradient", "value_and_grad",
    "vjp",
]  # fmt: skip


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


def value_and_grad(f, argnums=0, has_aux=False):
    """The value and the gradient of a scalar function: ``g = D^H (I - L)^-H 1``.

    Parameters
    ----------
    f : callable, returning a scalar (or a pair of it and anything else with `has_aux`)
    argnums : int or tuple of int
        The positional arguments to differentiate: float arrays, numbers, or nested lists, tuples and dicts of them.
    has_aux : bool

    Returns
    -------
    callable
        ``(*arguments, **keywords) -> value, gradient``, the gradient in the nesting of the argument, zeros where there
        is no dependence; ``(value, aux), gradient`` with `has_aux`. Costs a small multiple of f.

    Raises
    ------
    ShapeError
        If the result is no scalar; DtypeError if an argument is not floating point.

    Notes
    -----
    f itself always runs in NumPy. The back substitution of steps that came 30 times in the same order, with the same
    functions, shapes and dtypes, is compiled and runs as one tape from then on, which may change the last digits. Rules
    of `rule`, and such as look at values or need a library, are always followed step by step.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """

    @functools.wraps(f)
    def differentiated(*arguments, **keywords):
        recording = Recording(f, arguments, keywords, argnums, "grad", has_aux)
        gradient = gradient_of(recording, argnums)
        return ((recording.value, recording.aux) if has_aux else recording.value), gradient

    return differentiated


def gradient_of(recording, argnums):
    """The gradient of the recorded function, which must be a scalar."""
    value = recording.value
    if not recording.out_structure.is_leaf() or np.shape(value) != ():
        got = f"shape {np.shape(value)}" if recording.out_structure.is_leaf() else type(value).__name__
        raise ShapeError(f"grad: f must return a scalar because its gradient is asked for; got {got}, use jacobian")
    dtype = value.dtype if is_array(value) else np.asarray(value).dtype
    if dtype.kind not in "biuf":
        raise DtypeError(f"grad: f must return a real number because its gradient is asked for; got {dtype}")
    gradient = recording.unflatten(recording.pull([dtype.type(1)]))
    return tuple(gradient) if isinstance(argnums, tuple) else gradient[0]


def grad(f, argnums=0, has_aux=False):
    """The gradient of a scalar function; see `value_and_grad`.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.grad(np.sin)(0.0)
    np.float64(1.0)
    """
    both = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f)
    def gradient(*arguments, **keywords):
        value, g = both(*arguments, **keywords)
        return (g, value[1]) if has_aux else g

    return gradient


def vjp(f, *primals):
    """The value of f and its pullback ``g -> J^H g``.

    Returns
    -------
    value
    pullback : callable
        Takes a cotangent in the nesting of the value; returns a tuple, one cotangent a primal.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> value, pullback = fb.vjp(lambda x: x**2, np.array([1.0, 2.0]))
    >>> pullback(np.array([1.0, 1.0]))
    (array([2., 4.]),)
    """
    recording = Recording(f, primals, {}, tuple(range(len(primals))), "vjp")

    def pullback(g):
        return tuple(recording.unflatten(recording.pull(matching(g, recording))))

    return recording.own_value, pullback


def matching(g, recording):
    leaves = optree.tree_leaves(g)
    if len(leaves) != len(recording.values):
        raise ShapeError(
            f"vjp: the cotangent must have {len(recording.values)} arrays because the value has; got {len(leaves)}"
        )
    return [
        direction(g, y, f"vjp: cotangent {k}") for k, (g, y) in enumerate(zip(leaves, recording.values, strict=True))
    ]


def jvp(f, primals, tangents):
    """The value of f and its derivative along tangents, J dp: forward substitution.

    Parameters
    ----------
    f : callable
    primals, tangents : tuples of the same nesting and shapes

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.jvp(lambda x: x**2, (3.0,), (1.0,))
    (np.float64(9.0), np.float64(6.0))
    """
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, (tuple, list)):
            raise TypeError(
                f"jvp: {name} must be a tuple because f takes one argument each; got {type(given).__name__}"
            )
    recording = Recording(f, tuple(primals), {}, tuple(range(len(primals))), "jvp")
    leaves = matching_tangents(tangents, recording, "jvp")
    return recording.value, optree.tree_unflatten(recording.out_structure, recording.push(leaves))


def matching_tangents(tangents, recording, where):
    leaves = optree.tree_leaves(list(tangents))
    if len(leaves) != len(recording.leaves):
        raise ShapeError(
            f"{where}: tangents must have {len(recording.leaves)} arrays because primals have; got {len(leaves)}"
        )
    return [
        direction(t, x, f"{where}: tangent {k}") for k, (t, x) in enumerate(zip(leaves, recording.leaves, strict=True))
    ]


def linearize(f, *primals):
    """The value of f and its derivative as an `Operator`, on what f takes, a tuple if f takes several arguments."""
    recording = Recording(f, primals, {}, tuple(range(len(primals))), "linearize")
    is_array_in = len(primals) == 1 and optree.tree_is_leaf(primals[0])
    shape_in = np.shape(recording.leaves[0]) if is_array_in else None
    shape_out = np.shape(recording.values[0]) if recording.out_structure.is_leaf() else None

    def forward(dp):
        # the operator has checked an array, which may be a stack of directions
        tangents = [dp] if is_array_in else matching_tangents([dp], recording, "linearize")
        return optree.tree_unflatten(recording.out_structure, recording.push(tangents))

    def adjoint(g):
        cotangents = [g] if shape_out is not None else matching(g, recording)
        found = recording.unflatten(recording.pull(cotangents))
        return found[0] if len(primals) == 1 else tuple(found)

    return recording.own_value, Operator(forward, adjoint, "J", shape_in, shape_out)


def jacobian(f, argnums=0, order="auto", sparse=False):
    """The Jacobian, of shape ``out.shape + in.shape`` for every output and input.

    Parameters
    ----------
    f : callable
    argnums : int or tuple of int
    order : {"auto", "forward", "reverse"}
        In which order the derivatives of the steps are multiplied; by default the one that is predicted to be cheapest.
    sparse : bool
        Return `scipy.sparse.csr_array` s of shape ``(out.size, in.size)`` on elements in NumPy's order, ``np.ravel``.
        Every step is a sparse matrix then, and no dense one of that shape is made: steps of elementwise functions,
        indexing, sums and products cost as much as they have entries. A step that mixes its whole argument, such as
        ``np.linalg.solve`` or ``np.cumsum``, is applied to all unit directions, some at a time.

    Raises
    ------
    ValueError
        If the order is none of the three.
    DtypeError
        If f returns complex numbers, or has complex steps with `sparse`.
    TraceError
        If `sparse` is asked for inside of another derivative.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    >>> J = fb.jacobian(lambda x: x[1:] - x[:-1], sparse=True)(np.zeros(10_000))
    >>> J.shape, J.nnz
    ((9999, 10000), 19998)
    """

    if order not in ("auto", "forward", "reverse"):
        raise ValueError(f'jacobian: order must be "auto", "forward" or "reverse"; got {order!r}')

    @functools.wraps(f)
    def differentiated(*arguments, **keywords):
        recording = Recording(f, arguments, keywords, argnums, "jacobian")
        rows = recording.sparse_jacobian(order) if sparse else recording.jacobian(order)
        return arranged(recording, rows, argnums)

    return differentiated


def hessian(f, argnums=0):
    """The matrix of second derivatives of a scalar function: the Jacobian of its gradient.

    Parameters
    ----------
    f : callable, returning a scalar
    argnums : int or tuple of int
        As in `jacobian`.

    Returns
    -------
    callable
        ``(*arguments, **keywords) -> H``: for each array of the gradient what `jacobian` returns for it.

    Notes
    -----
    Directions of one array, or of a slice of a flat array, stay apart, and zero blocks between them are not computed.
    ``dW X`` for all unit matrices dW is followed as one direction a row of W, until a step sums over the columns of X.
    Blocks on one side of the diagonal are the transposes of those on the other side, unless f takes rules of `rule`,
    or loops: these may give what is no derivative.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """

    @functools.wraps(f)
    def differentiated(*arguments, **keywords):
        functions = set()

        def gradient(*arguments, **keywords):
            recording = Recording(f, arguments, keywords, argnums, "grad")
            functions.update(node.function for node in steps([y for y in recording.outputs if y is not None]))
            return gradient_of(recording, argnums)

        recording = Recording(gradient, arguments, keywords, argnums, "jacobian")
        order = "forward" if any(type(RULES.get(g)) in (OneCall, Joint) for g in functions) else "symmetric"
        return arranged(recording, recording.jacobian(order), argnums)

    return differentiated


def arranged(recording, rows, argnums):
    """A Jacobian, one row an output, in the nesting of the outputs and of the arguments."""
    per_output = [recording.unflatten(row) for row in rows]
    per_output = [tuple(row) if isinstance(argnums, tuple) else row[0] for row in per_output]
    return optree.tree_unflatten(recording.out_structure, per_output)


def hvp(f):
    """``(x, v) -> H v``, the derivative of the gradient along v, without the Hessian."""

    def product(x, v):
        return jvp(grad(f), (x,), (v,))[1]

    return product


def gauss_newton(f):
    """``x -> J^H J`` as an operator, J the Jacobian of f at x."""

    def at(x):
        _, J = linearize(f, x)
        return J.H @ J

    return at


def stop_gradient(x):
    """The value of x without its history: a constant for every derivative.

    Under `compile` it is still computed anew in every run, and so stays traced.
    """
    while type(x) is Traced and not node_of(x).trace.replayed:
        x = x.value
    return x
