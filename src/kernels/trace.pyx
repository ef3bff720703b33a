"""What happened: traced values remember the NumPy function that made them and its arguments.

A `Node` is one elementary step, immutable: the value NumPy computed, the function, its arguments. A `Traced`
is what a program holds: a name for a node that in-place operations move to the next node, so that programs
with ``A[i] = v`` and ``x += y`` trace by value. Nothing is global but a counter: the recording hangs on the
nodes, and vanishes with them.

Traces nest. Each has a level, newer traces a higher one; a step belongs to the highest level among its
arguments and is computed on their values, which may be traced themselves at a lower level.

This module knows no derivatives: `functions` says which NumPy functions can be recorded, and how.
"""

import os

from cpython.object cimport Py_EQ, Py_GE, Py_GT, Py_LE, Py_LT, Py_NE, PyObject
from cpython.number cimport (
    PyNumber_Add, PyNumber_And, PyNumber_FloorDivide, PyNumber_Multiply, PyNumber_Or, PyNumber_Remainder,
    PyNumber_Subtract, PyNumber_TrueDivide, PyNumber_Xor,
)
from cpython.ref cimport Py_XDECREF, Py_XINCREF
from libc.stdint cimport uintptr_t
from itertools import count

cimport numpy as cnp
import numpy as np

import fastbs
from .errors import TraceError

cnp.import_array()

cdef extern from "Python.h":
    ctypedef struct PyFrameObject
    PyFrameObject *PyEval_GetFrame()
    int PyFrame_GetLineNumber(PyFrameObject *frame)
    # both return new references
    PyObject *PyFrame_GetCode(PyFrameObject *frame)
    PyFrameObject *PyFrame_GetBack(PyFrameObject *frame)

# NumPy function -> what records it, called with the program's own arguments. A ufunc maps to True: it is
# recorded as it is. Filled by fastbs.rules.
functions = {}
# (ufunc, method) -> the same for np.add.reduce and its like
methods = {}

levels = count(1)

cdef long long serial = 0
# address of a code object -> (whether it belongs to this package or to NumPy, the object)
cdef dict internal = {}
internal_places = tuple([os.path.dirname(module.__file__) + os.sep for module in (np, fastbs)])

cdef dict _functions = functions


cdef class Node:
    """One step: ``value = function(*arguments, **keywords)``; arguments of the same level are nodes."""

    cdef readonly object value
    cdef readonly object function     # None for an input of the trace
    cdef readonly tuple arguments
    cdef readonly dict keywords
    cdef readonly long level
    cdef readonly long long serial    # steps are numbered as they happen
    cdef object code                  # of the program that asked for the step, and
    cdef int line                     # the line there

    @property
    def values(self):
        """The arguments as the function saw them."""
        return tuple([(<Node> a).value if type(a) is Node else a for a in self.arguments])

    @property
    def where(self):
        """``file:line`` of the program."""
        return None if self.code is None else f"{self.code.co_filename}:{self.line}"

    def __repr__(self):
        name = getattr(self.function, "__name__", "input")
        return f"<Node {name} of shape {np.shape(self.value)} at level {self.level}>"

    @property
    def shape(self):
        return np.shape(self.value)


cdef Node new_node(object value, object function, tuple arguments, dict keywords, long level):
    cdef Node node = Node.__new__(Node)
    node.value = value
    node.function = function
    node.arguments = arguments
    node.keywords = keywords
    node.level = level
    global serial
    serial += 1
    node.serial = serial
    node.line = caller(node)
    return node


cdef int caller(Node node):
    # The innermost frame that belongs neither to this package nor to NumPy. Compiled code has no frames.
    cdef PyFrameObject *frame = PyEval_GetFrame()
    cdef PyFrameObject *back
    cdef PyObject *code
    cdef int line = 0
    Py_XINCREF(<PyObject *> frame)
    while frame != NULL:
        code = PyFrame_GetCode(frame)
        if not is_internal(<object> code):
            node.code = <object> code
            line = PyFrame_GetLineNumber(frame)
            Py_XDECREF(code)
            Py_XDECREF(<PyObject *> frame)
            return line
        Py_XDECREF(code)
        back = PyFrame_GetBack(frame)
        Py_XDECREF(<PyObject *> frame)
        frame = back
    return 0


cdef bint is_internal(object code):
    # code objects hash slowly, by their contents; their addresses do not, while the dict keeps them alive
    key = <uintptr_t> <PyObject *> code
    known = internal.get(key)
    if known is None:
        if len(internal) > 10000:
            internal.clear()
        known = internal[key] = (any([code.co_filename.startswith(place) for place in internal_places]), code)
    return <bint> known[0]


cdef Traced wrap(Node node):
    cdef Traced traced = Traced.__new__(Traced)
    traced._node = node
    return traced


def trace_input(value, long level):
    """A traced value that is an input of the trace of this level."""
    return wrap(new_node(value, None, (), {}, level))


def node_of(Traced traced):
    """The step that made a traced value."""
    return traced.current()


def record(function, arguments, keywords=None):
    """Compute ``function(*arguments, **keywords)`` on the values of the innermost trace and remember the step.

    Parameters
    ----------
    function : callable
        Works on plain values, and on traced ones of outer traces.
    arguments : tuple of values, traced or plain
    keywords : dict of plain values

    Returns
    -------
    Traced
    """
    return record_step(function, tuple(arguments), {} if keywords is None else keywords)


cdef Traced record_step(object function, tuple arguments, dict keywords):
    cdef long level = 0
    cdef Node node
    cdef list values, kept
    for argument in arguments:
        if type(argument) is Traced:
            node = (<Traced> argument).current()
            if node.level > level:
                level = node.level
    values, kept = [], []
    for argument in arguments:
        if type(argument) is Traced:
            node = (<Traced> argument).current()
            if node.level == level:
                values.append(node.value)
                kept.append(node)
                continue
        values.append(argument)
        kept.append(argument)
    value = function(*values, **keywords) if keywords else function(*values)
    return wrap(new_node(value, function, tuple(kept), keywords, level))


def call(function, arguments, keywords):
    """Record a NumPy function by its entry in `functions`; unknown ones raise."""
    recorder = _functions.get(function)
    if recorder is None:
        name = getattr(function, "__name__", str(function))
        raise TraceError(
            f"{name}: a traced value must go through functions with a derivative rule because others would forget "
            f"where it came from; got {getattr(function, '__module__', '')}.{name}, which has none: write it in "
            "NumPy's elementary functions, give it a rule with fb.rule, or pass fb.stop_gradient(x) for a constant"
        )
    if recorder is True:
        if keywords and any([type(value) is Traced for value in keywords.values()]):
            raise TraceError(
                f"{function.__name__}: keyword arguments must be plain because only arguments by position are recorded; "
                "got a traced value, pass it by position"
            )
        return record_step(function, tuple([as_operand(a) for a in arguments]), keywords)
    return recorder(*arguments, **keywords)


ctypedef object (*number_function)(object, object)


cdef object binary(object ufunc, number_function compute, object x, object y):
    # x op y: NumPy's operators on the values; for scalars they are ten times faster than the ufunc
    cdef Node a = None, b = None
    cdef long level = 0
    cdef object p = x, q = y, m = x, n = y
    if type(x) is Traced:
        a = (<Traced> x).current()
        level = a.level
    elif not is_operand(x):
        return NotImplemented
    else:
        p = m = as_operand(x)
    if type(y) is Traced:
        b = (<Traced> y).current()
        if b.level > level:
            level = b.level
    elif not is_operand(y):
        return NotImplemented
    else:
        q = n = as_operand(y)
    if a is not None and a.level == level:
        p, m = a.value, a
    if b is not None and b.level == level:
        q, n = b.value, b
    return wrap(new_node(compute(p, q), ufunc, (m, n), no_keywords, level))


cdef inline bint is_operand(object x):
    # arrays, numbers and sequences of numbers; what opts out of ufuncs, as operators do, decides itself
    cdef object kind = type(x)
    if kind is float or kind is int or kind is cnp.ndarray or kind is float64:
        return True
    return getattr(kind, "__array_ufunc__", True) is not None


cdef inline object as_operand(object x):
    # rules compute with arguments, lists do not
    return np.asarray(x) if type(x) is list or type(x) is tuple else x


cdef object matrix_multiply(object x, object y):
    return x @ y


cdef object raise_to(object x, object y):
    return x ** y


cdef dict no_keywords = {}
cdef object float64 = np.float64
cdef object add = np.add, subtract = np.subtract, multiply = np.multiply, divide = np.true_divide
cdef object power = np.power, matmul = np.matmul, negative = np.negative, remainder = np.remainder
cdef object floor_divide = np.floor_divide, absolute = np.absolute
cdef dict COMPARISONS = {
    Py_LT: np.less, Py_LE: np.less_equal, Py_GT: np.greater, Py_GE: np.greater_equal, Py_EQ: np.equal, Py_NE: np.not_equal,
}


def constant_error(what, way_out):
    """The error for a traced value that is about to become a constant."""
    return TraceError(
        f"{what}: a traced value must stay traced because a plain one would forget where it came from; {way_out}"
    )


cdef class Traced:
    """A value of a program that is being traced; behaves like the array or number it stands for."""

    cdef Node _node
    cdef Traced _base          # the traced array this is a view of
    cdef Node _base_node       # what the base was then
    cdef object _place         # how to put it back: the function that rebuilds the base
    cdef bint _pending         # changed in place as a view, and not yet put back

    __array_priority__ = 2000.0

    cdef Node current(self):
        if self._pending:
            raise TraceError(
                "Traced: a view that was changed in place must be assigned back to its place first because traced "
                "arrays have no shared memory; write A[i] += v, or copy the view before changing it"
            )
        if self._base is not None and self._base._node is not self._base_node:
            raise TraceError(
                "Traced: a view must not be used after its array was changed because traced arrays have no shared "
                "memory; take the view again, or copy it"
            )
        return self._node

    # What it is

    @property
    def value(self):
        return self.current().value

    @property
    def level(self):
        return self.current().level

    @property
    def shape(self):
        return np.shape(self.current().value)

    @property
    def ndim(self):
        return np.ndim(self.current().value)

    @property
    def size(self):
        return np.size(self.current().value)

    @property
    def dtype(self):
        value = self.current().value
        return value.dtype if hasattr(value, "dtype") else np.result_type(value)

    @property
    def itemsize(self):
        return self.dtype.itemsize

    def __len__(self):
        return len(self.current().value)

    def __repr__(self):
        return f"Traced({self._node.value!r})"

    def __format__(self, specification):
        return format(self._node.value, specification)

    def __hash__(self):
        return id(self)

    # NumPy's protocols

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        cdef Traced target
        out = keywords.pop("out", None)
        if method == "__call__":
            if keywords:
                result = functions["with keywords"](ufunc, inputs, keywords, None if out is None else out[0])
            else:
                result = call(ufunc, inputs, keywords)
        else:
            recorder = methods.get((ufunc, method), methods.get(method))
            if recorder is None:
                raise TraceError(
                    f"{ufunc.__name__}.{method}: a traced value must go through functions with a derivative rule "
                    "because others would forget where it came from; this method has none"
                )
            result = recorder(ufunc, *inputs, **keywords)
        if out is None:
            return result
        (out,) = out
        if type(out) is not Traced:
            raise constant_error(
                f"{ufunc.__name__}(out=)",
                f"got a plain {type(out).__name__} as destination: leave out= away, or make the array with np.zeros_like(x)",
            )
        target = out
        target.replace(result)
        return target

    def __array_function__(self, function, types, arguments, keywords):
        return call(function, arguments, keywords)

    def __array__(self, dtype=None, copy=None):
        raise constant_error(
            "Traced.__array__", "got a conversion to ndarray: build arrays with np.stack, np.concatenate or fb.array, "
            "call SciPy through fastbs.scipy, write into np.zeros_like(x), or pass fb.stop_gradient(x) for a constant"
        )

    def __float__(self):
        raise constant_error("float", "got a conversion to float: keep it as it is, or pass fb.stop_gradient(x)")

    def __int__(self):
        raise constant_error("int", "got a conversion to int: keep it as it is, or pass fb.stop_gradient(x)")

    def __complex__(self):
        raise constant_error("complex", "got a conversion to complex: keep it as it is, or pass fb.stop_gradient(x)")

    def __index__(self):
        raise constant_error(
            "Traced.__index__", "got a traced index: use np.take(A, i), which traces it, or fb.stop_gradient(i)"
        )

    def item(self, *arguments):
        raise constant_error("Traced.item", "got a conversion to a number: index with [...] instead, or fb.stop_gradient(x)")

    def tolist(self):
        raise constant_error("Traced.tolist", "got a conversion to a list: iterate over it instead, or fb.stop_gradient(x)")

    def __bool__(self):
        return bool(self.current().value)

    # Arithmetic

    def __add__(x, y):
        return binary(add, PyNumber_Add, x, y)

    def __radd__(y, x):
        return binary(add, PyNumber_Add, x, y)

    def __sub__(x, y):
        return binary(subtract, PyNumber_Subtract, x, y)

    def __rsub__(y, x):
        return binary(subtract, PyNumber_Subtract, x, y)

    def __mul__(x, y):
        return binary(multiply, PyNumber_Multiply, x, y)

    def __rmul__(y, x):
        return binary(multiply, PyNumber_Multiply, x, y)

    def __truediv__(x, y):
        return binary(divide, PyNumber_TrueDivide, x, y)

    def __rtruediv__(y, x):
        return binary(divide, PyNumber_TrueDivide, x, y)

    def __floordiv__(x, y):
        return binary(floor_divide, PyNumber_FloorDivide, x, y)

    def __rfloordiv__(y, x):
        return binary(floor_divide, PyNumber_FloorDivide, x, y)

    def __mod__(x, y):
        return binary(remainder, PyNumber_Remainder, x, y)

    def __rmod__(y, x):
        return binary(remainder, PyNumber_Remainder, x, y)

    def __divmod__(x, y):
        return x // y, x % y

    def __rdivmod__(y, x):
        return x // y, x % y

    def __pow__(x, y, z):
        return binary(power, raise_to, x, y)

    def __rpow__(y, x, z):
        return binary(power, raise_to, x, y)

    def __matmul__(x, y):
        return binary(matmul, matrix_multiply, x, y)

    def __rmatmul__(y, x):
        return binary(matmul, matrix_multiply, x, y)

    def __neg__(self):
        return record_step(negative, (self,), no_keywords)

    def __pos__(self):
        return self

    def __abs__(self):
        return record_step(absolute, (self,), no_keywords)

    def __invert__(self):
        return record_step(np.invert, (self,), {})

    def __and__(x, y):
        return binary(np.bitwise_and, PyNumber_And, x, y)

    def __or__(x, y):
        return binary(np.bitwise_or, PyNumber_Or, x, y)

    def __xor__(x, y):
        return binary(np.bitwise_xor, PyNumber_Xor, x, y)

    def __rxor__(y, x):
        return binary(np.bitwise_xor, PyNumber_Xor, x, y)

    def __rand__(y, x):
        return binary(np.bitwise_and, PyNumber_And, x, y)

    def __ror__(y, x):
        return binary(np.bitwise_or, PyNumber_Or, x, y)

    def __richcmp__(x, y, int operation):
        if type(x) is not Traced and not is_operand(x) or type(y) is not Traced and not is_operand(y):
            return NotImplemented
        return record_step(COMPARISONS[operation], (x, y), no_keywords)

    # In place, by value: the name moves to a new step

    def __iadd__(self, y):
        return self.replace(binary(add, PyNumber_Add, self, y))

    def __isub__(self, y):
        return self.replace(binary(subtract, PyNumber_Subtract, self, y))

    def __imul__(self, y):
        return self.replace(binary(multiply, PyNumber_Multiply, self, y))

    def __itruediv__(self, y):
        return self.replace(binary(divide, PyNumber_TrueDivide, self, y))

    def __ipow__(self, y, z):
        return self.replace(binary(power, raise_to, self, y))

    def __ifloordiv__(self, y):
        return self.replace(binary(floor_divide, PyNumber_FloorDivide, self, y))

    def __imod__(self, y):
        return self.replace(binary(remainder, PyNumber_Remainder, self, y))

    def __iand__(self, y):
        return self.replace(binary(np.bitwise_and, PyNumber_And, self, y))

    def __ior__(self, y):
        return self.replace(binary(np.bitwise_or, PyNumber_Or, self, y))

    def __imatmul__(self, y):
        return self.replace(binary(matmul, matrix_multiply, self, y))

    def replace(self, Traced new):
        """Give this name the value of another, as in-place operations do; shape and dtype must stay."""
        cdef Node node = new.current(), old = self.current()
        if np.shape(node.value) != np.shape(old.value):
            raise ValueError(
                f"Traced: an in-place result must be {np.shape(old.value)} because the array is; got {np.shape(node.value)}"
            )
        if np.ndim(old.value):
            dtype, given = old.value.dtype, node.value.dtype
            if dtype != given:
                if not np.can_cast(given, dtype, "same_kind"):
                    raise TypeError(f"Traced: an in-place result must be {dtype} because the array is; got {given}")
                node = (<Traced> call(np.astype, (new, dtype), {})).current()
        self._node = node
        if self._base is not None:
            self._pending = True
        return self

    def put(self, index, value):
        """``self[index] = value``"""
        cdef Traced view
        if type(value) is Traced:
            view = value
            if view._pending and view._base is self and same_index(view._place, index):
                view._pending = False
                value = wrap(view._node)
                view._base = None
        self._node = (<Traced> functions["put"](self, index, value)).current()
        if self._base is not None:
            self._pending = True

    def __setitem__(self, index, value):
        self.put(index, value)

    def __getitem__(self, index):
        return functions["get"](self, index)

    def view_of(self, Traced base, place):
        """Remember that this is a view of `base`, so that changes in place are not lost silently."""
        self._base = base
        self._base_node = base._node
        self._place = place
        return self

    def __iter__(self):
        if np.ndim(self.current().value) == 0:
            raise TypeError("iteration over a 0-d traced value")
        return iter([self[i] for i in range(len(self.current().value))])

    def __getattr__(self, name):
        method = functions.get(("method", name))
        if method is None:
            raise AttributeError(
                f"Traced.{name}: traced values have the attributes of arrays that have a derivative rule; got {name!r}"
            )
        return method(self)


cdef bint same_index(object a, object b):
    # the place a view was taken from and the place it is assigned to
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all([same_index(x, y) for x, y in zip(a, b)])
    if isinstance(a, (int, slice, type(None), type(Ellipsis))):
        return a == b
    return a is b


def trace(function, values):
    """Run ``function`` on traced inputs of a new level; return the input nodes and what it returned.

    Parameters
    ----------
    function : callable of as many values
    values : sequence of plain or traced values

    Returns
    -------
    inputs : list of Node
    result : whatever the function returned
    level : int
    """
    cdef long level = next(levels)
    cdef list inputs = [trace_input(value, level) for value in values]
    nodes = [(<Traced> traced)._node for traced in inputs]
    return nodes, function(*inputs), level


def steps(results):
    """All steps that the result nodes depend on, in execution order; no recursion."""
    cdef Node node
    cdef list found = [], stack = list(results)
    cdef set seen = set()
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            found.append(node)
            for argument in node.arguments:
                if type(argument) is Node:
                    stack.append(argument)
    found.sort(key=serial_of)
    return found


def serial_of(Node node):
    return node.serial
