"""grad and friends: every derivative is a solve of the system of a traced program."""

import functools

import numpy as np
import optree

from ._trace import Traced, node_of, steps
from .arguments import is_array
from .errors import DtypeError, ShapeError
from .operator import Operator
from .recording import Recording, matching, matching_tangents
from .rules.own import OneCall
from .rules.several import Joint
from .rules.table import RULES

__all__ = [
    "gauss_newton", "grad", "hessian", "hvp", "jacobian", "jvp", "linearize", "stop_gradient", "value_and_grad",
    "vjp",
]  # fmt: skip


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

    Source: paper, section 2: the gradient of a loss is one back substitution.

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
    """The gradient of a scalar function: the second result of `value_and_grad`, at its cost and with its errors.

    Parameters
    ----------
    f, argnums, has_aux
        As in `value_and_grad`.

    Returns
    -------
    callable
        ``(*arguments, **keywords) -> gradient``, in the nesting, the shapes and dtypes of the argument, or
        ``gradient, aux`` with `has_aux`.

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
    """The value of f and its pullback ``g -> J^H g = D^H (I - L)^-H g``.

    Parameters
    ----------
    f : callable
    *primals : float arrays, numbers, or nested lists, tuples and dicts of them
        They are copied: the pullback outlives the call.

    Returns
    -------
    value
    pullback : callable
        Takes a cotangent in the nesting and shapes of the value; returns a tuple, one cotangent a primal. Each call is
        one back substitution, a small multiple of the cost of f.

    Raises
    ------
    DtypeError
        If a primal is not floating point.
    ShapeError
        By the pullback, if the cotangent does not fit the value.

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


def jvp(f, primals, tangents):
    """The value of f and its derivative along tangents, ``J dp = (I - L)^-1 D dp``: forward substitution.

    Parameters
    ----------
    f : callable
    primals, tangents : tuples of the same nesting and shapes, of floats
        One entry an argument of f.

    Returns
    -------
    value, tangent
        Both in the nesting and shapes of what f returns. Costs a small multiple of f.

    Raises
    ------
    DtypeError
        If a primal is not floating point; ShapeError if the tangents do not fit the primals.

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


def linearize(f, *primals):
    """The value of f and its derivative J as an `Operator`: ``J @ dp`` is a `jvp`, ``J.H @ g`` a `vjp`.

    Parameters
    ----------
    f : callable
    *primals : float arrays, numbers, or nested lists, tuples and dicts of them
        They are copied.

    Returns
    -------
    value
    J : Operator
        On what f takes, a tuple if f takes several arguments. f ran once; each application is one substitution. Where f
        takes and returns one array it has shapes, takes stacks of directions, and `as_scipy` makes it SciPy's.

    Raises
    ------
    DtypeError
        If a primal is not floating point.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> value, J = fb.linearize(lambda x: x[1:] * x[:-1], np.array([1.0, 2.0, 3.0]))
    >>> J @ np.array([1.0, 0.0, 0.0]), J.H @ np.array([1.0, 0.0])
    (array([2., 0.]), array([2., 1., 0.]))
    """
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

    Raises
    ------
    ShapeError
        If the result of f is no scalar; DtypeError if an argument is not floating point.

    Notes
    -----
    Costs at most one forward substitution through the steps of the gradient for each element of the arguments.
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
    """``(x, v) -> H v``, the derivative of the gradient along v, without the Hessian.

    Parameters
    ----------
    f : callable, of one argument, returning a scalar

    Returns
    -------
    callable
        Of x and a direction v of its nesting and shapes; the product has them too. Costs a small multiple of the
        gradient: one forward substitution through its steps.

    Raises
    ------
    ShapeError
        If the result of f is no scalar, or v does not fit x; DtypeError if x is not floating point.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.hvp(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    array([4., 2.])
    """

    def product(x, v):
        return jvp(grad(f), (x,), (v,))[1]

    return product


def gauss_newton(f):
    """``x -> J^H J`` as an operator, J the Jacobian of f at x: the Hessian of ``|f|^2 / 2`` where f is small or linear.

    Parameters
    ----------
    f : callable, of one argument

    Returns
    -------
    callable
        Of x; the `Operator` maps what x is onto itself. Applying it is one forward and one back substitution.

    Raises
    ------
    DtypeError
        If x is not floating point.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.gauss_newton(lambda x: x**2)(np.array([1.0, 3.0])) @ np.ones(2)
    array([ 4., 36.])
    """

    def at(x):
        _, J = linearize(f, x)
        return J.H @ J

    return at


def stop_gradient(x):
    """The value of x without its history: a constant for every derivative.

    Parameters
    ----------
    x : array or number, traced or not

    Returns
    -------
    the plain array or number
        It is x itself where x is plain. Under `compile` it is still computed anew in every run, and so stays traced.

    Examples
    --------
    >>> import fastbs as fb
    >>> fb.grad(lambda x: x * fb.stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    while type(x) is Traced and not node_of(x).trace.replayed:
        x = x.value
    return x
