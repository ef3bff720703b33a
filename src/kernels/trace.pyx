"""What happened: traced values remember the NumPy function that made them and its arguments.

A `Node` is one elementary step, immutable: the value NumPy computed, the function, its arguments. A `Traced`
is what a program holds: a name for a node that in-place operations move to the next node, so that programs
with ``A[i] = v`` and ``x += y`` trace by value. Nothing is global but a counter: the recording hangs on the
nodes, and vanishes with them.

Traces nest. Each has a level, newer traces a higher one; a step belongs to the highest level among its
arguments and is computed on their values, which may be traced themselves at a lower level. When the traced
function has returned, its trace has ended: what leaked out of it can be looked at, but takes no further steps.

A program's arrays share memory, traced ones do not. What NumPy returns as a view of an argument remembers whose
view it is; a view that was changed in place blocks its array until it is assigned back to its place, and a view of
an array that was changed cannot be used. So no change is lost silently.

This module knows no derivatives: `functions` says which NumPy functions can be recorded, and how.
"""

import os

cimport cython
from cpython.object cimport Py_EQ, Py_GE, Py_GT, Py_LE, Py_LT, Py_NE, PyObject
from cpython.number cimport (
    PyNumber_Add, PyNumber_And, PyNumber_FloorDivide, PyNumber_Multiply, PyNumber_Or, PyNumber_Remainder,
    PyNumber_Subtract, PyNumber_TrueDivide, PyNumber_Xor,
)
from cpython.ref cimport Py_XDECREF, Py_XINCREF
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport uintptr_t
from libc.stdlib cimport qsort
from itertools import count

cimport numpy as cnp
import numpy as np

import fastbs
from .errors import TraceError

cnp.import_array()

cdef extern from "Python.h":
    ctypedef struct PyFrameObject
    ctypedef struct PyCodeObject
    PyFrameObject *PyEval_GetFrame()
    int PyFrame_GetLasti(PyFrameObject *frame)
    int PyCode_Addr2Line(PyCodeObject *code, int instruction)
    # both return new references
    PyCodeObject *PyFrame_GetCode(PyFrameObject *frame)
    PyFrameObject *PyFrame_GetBack(PyFrameObject *frame)
    Py_ssize_t Py_REFCNT(PyObject *object)
    ctypedef struct PySequenceMethods:
        void *sq_item
    ctypedef struct PyTypeObject:
        PySequenceMethods *tp_as_sequence

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


cdef class Trace:
    """One run of a traced function."""

    cdef readonly long level
    cdef readonly bint ended          # the function has returned, or failed
    cdef readonly bint replayed       # steps run again on other values: no branch may depend on these


@cython.trashcan(True)
cdef class Node:
    """One step: ``value = function(*arguments, **keywords)``; arguments of the same level are nodes."""

    cdef readonly object value
    cdef readonly object function     # None for an input of the trace
    cdef readonly tuple arguments
    cdef readonly dict keywords
    cdef readonly Trace trace
    cdef readonly long level
    cdef readonly long long serial    # steps are numbered as they happen
    cdef long long mark               # the walk that came by last
    cdef long long position           # in the structure that was made last
    cdef object code                  # of the program that asked for the step, and
    cdef int instruction              # the instruction there

    @property
    def values(self):
        """The arguments as the function saw them."""
        return tuple([(<Node> a).value if type(a) is Node else a for a in self.arguments])

    @property
    def where(self):
        """``file:line`` of the program."""
        if self.code is None:
            return None
        # the table of lines is compressed: reading it at every step would cost more than the step
        line = PyCode_Addr2Line(<PyCodeObject *> <PyObject *> self.code, self.instruction)
        return f"{self.code.co_filename}:{line}"

    def __repr__(self):
        name = getattr(self.function, "__name__", "input")
        return f"<Node {name} of shape {np.shape(self.value)} at level {self.level}>"

    @property
    def shape(self):
        return np.shape(self.value)


cdef Node new_node(object value, object function, tuple arguments, dict keywords, Trace trace):
    cdef Node node = Node.__new__(Node)
    node.value = value
    node.function = function
    node.arguments = arguments
    node.keywords = keywords
    node.trace = trace
    node.level = trace.level
    global serial
    serial += 1
    node.serial = serial
    remember_caller(node)
    return node


cdef int remember_caller(Node node) except -1:
    # The innermost frame that belongs neither to this package nor to NumPy. Compiled code has no frames.
    cdef PyFrameObject *frame = PyEval_GetFrame()
    cdef PyFrameObject *back
    cdef PyObject *code
    Py_XINCREF(<PyObject *> frame)
    while frame != NULL:
        code = <PyObject *> PyFrame_GetCode(frame)
        if not is_internal(<object> code):
            node.code = <object> code
            node.instruction = PyFrame_GetLasti(frame)
            Py_XDECREF(code)
            break
        Py_XDECREF(code)
        back = PyFrame_GetBack(frame)
        Py_XDECREF(<PyObject *> frame)
        frame = back
    Py_XDECREF(<PyObject *> frame)
    return 0


def line_now():
    """``file:line`` of the program that is running."""
    cdef Node here = Node.__new__(Node)
    remember_caller(here)
    return here.where


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


cdef Traced trace_input(object value, Trace trace):
    # a traced value that is an input of the trace; a traced leaf keeps the value it has now
    return wrap(new_node(snapshot(value), None, (), {}, trace))


cdef inline object snapshot(object value):
    # what a name stands for now: in-place operations move the name, not this
    return wrap((<Traced> value).current()) if type(value) is Traced else value


def is_replayed(Traced traced):
    """Whether a value belongs to a trace whose steps will run again on other values, at this level or below."""
    cdef object value = traced
    while type(value) is Traced:
        if (<Traced> value)._node.trace.replayed:
            return True
        value = (<Traced> value)._node.value
    return False


def node_of(Traced traced):
    """The step that made a traced value."""
    return traced.current()


def traced(Node node):
    """The value that a step made."""
    return wrap(node)


def steps_made():
    """How many steps were recorded so far; later ones have larger serial numbers."""
    return serial


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
    Traced; the plain result if no argument is traced
    """
    return record_step(function, tuple(arguments), {} if keywords is None else keywords)


cdef object record_step(object function, tuple arguments, dict keywords):
    cdef Trace trace = None
    cdef Node node
    cdef Traced result
    cdef list values, kept
    for argument in arguments:
        if type(argument) is Traced:
            node = (<Traced> argument).current()
            if trace is None or node.level > trace.level:
                trace = node.trace
        elif isinstance(argument, REFUSED):
            raise refused(function, argument)
    if trace is None:
        return function(*arguments, **keywords)
    running(trace, function)
    values, kept = [], []
    for argument in arguments:
        if type(argument) is Traced:
            node = (<Traced> argument).current()
            if node.trace is trace:
                values.append(node.value)
                kept.append(node)
                continue
            argument = wrap(node)
        values.append(argument)
        kept.append(copy_if_small(argument))
    value = function(*values, **keywords) if keywords else function(*values)
    result = wrap(new_node(value, function, tuple(kept), keywords, trace))
    if type(value) is not Traced and not isinstance(value, cnp.ndarray):
        return result
    for argument in arguments:
        if type(argument) is Traced and (<Traced> argument)._node.trace is trace:
            if shares(value, (<Traced> argument)._node.value):
                result._base = argument
                result._base_node = (<Traced> argument)._node
                break
    return result


cdef inline object copy_if_small(object argument):
    # A program may fill a plain array again after it used it, and the derivative needs what it held. Copies of
    # small arrays cost less than the step; larger ones are kept by reference, which the documentation says.
    if type(argument) is cnp.ndarray and cnp.PyArray_NBYTES(argument) <= SMALL and cnp.PyArray_ISWRITEABLE(argument):
        return cnp.PyArray_NewCopy(argument, cnp.NPY_KEEPORDER)
    return argument


cdef enum:
    SMALL = 32768  # bytes


cdef bint shares(object value, object source):
    # whether a result is a view of an argument: NumPy says so, or the trace below does
    cdef Traced view
    if value is source:
        return True
    if type(value) is Traced:
        view = value
        while view is not None:
            if view is source:
                return True
            view = view._base
        return False
    return value.base is not None and isinstance(source, cnp.ndarray) and owner(value) is owner(source)


cdef object owner(object array):
    while isinstance(array.base, cnp.ndarray):
        array = array.base
    return array


# arrays whose operators are others than ndarray's
cdef tuple REFUSED = (np.ma.MaskedArray, np.matrix)


cdef object refused(object function, object argument):
    return TraceError(
        f"{getattr(function, '__name__', function)}: arguments must be plain arrays because masks and matrix "
        "types are not "
        f"traced; got a {type(argument).__name__}, pass x.filled() or np.asarray(x), and masks as boolean arrays"
    )


def left_behind(name):
    """The error for a traced value that outlived its trace."""
    return TraceError(
        f"{name}: a traced value must not be used after its function has returned because nothing can be "
        "differentiated "
        "any more; got one that was left behind, return it from the function (with has_aux=True beside a "
        "loss) instead of "
        "storing it elsewhere"
    )


cdef int running(Trace trace, object function) except -1:
    # steps happen while the traced function runs
    if trace.ended:
        raise left_behind(getattr(function, "__name__", str(function)))
    return 0


def call(function, arguments, keywords):
    """Record a NumPy function by its entry in `functions`; unknown ones raise."""
    recorder = _functions.get(function)
    if recorder is None:
        recorder = _functions["missing"](function)
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
                f"{function.__name__}: keyword arguments must be plain because only arguments by position are "
                "recorded; "
                "got a traced value, pass it by position"
            )
        return record_step(function, tuple([as_operand(a) for a in arguments]), keywords)
    return recorder(*arguments, **keywords)


ctypedef object (*number_function)(object, object)


cdef object binary(object ufunc, number_function compute, object x, object y):
    # x op y: NumPy's operators on the values, for scalars they are ten times faster than the ufunc; or the ufunc, its
    # `compute` is NULL
    cdef Node a = None, b = None
    cdef Trace trace = None
    cdef object p = x, q = y, m = x, n = y
    if type(x) is Traced:
        a = (<Traced> x).current()
        trace = a.trace
    elif not is_operand(x):
        return NotImplemented
    else:
        p = as_operand(x)
        m = copy_if_small(p)
    if type(y) is Traced:
        b = (<Traced> y).current()
        if trace is None or b.level > trace.level:
            trace = b.trace
    elif not is_operand(y):
        return NotImplemented
    else:
        q = as_operand(y)
        n = copy_if_small(q)
    if trace.ended:
        running(trace, ufunc)
    if a is not None:
        if a.trace is trace:
            p, m = a.value, a
        else:
            p = m = wrap(a)
    if b is not None:
        if b.trace is trace:
            q, n = b.value, b
        else:
            q = n = wrap(b)
    value = ufunc(p, q) if compute == NULL else compute(p, q)
    return wrap(new_node(value, ufunc, (m, n), no_keywords, trace))


cdef object unary(object ufunc, Traced x):
    # ufunc(x) of a traced value, its commonest call
    cdef Node node = x.current()
    if node.trace.ended:
        running(node.trace, ufunc)
    return wrap(new_node(ufunc(node.value), ufunc, (node,), no_keywords, node.trace))


# NumPy functions and the ufunc methods that they call in the end
cdef dict REDUCTIONS = {
    np.sum: np.add.reduce, np.prod: np.multiply.reduce, np.max: np.maximum.reduce, np.min: np.minimum.reduce,
}


cdef object over_everything(object function, Traced x):
    # np.sum(x) and its like, without the layers between
    cdef Node node = x.current()
    if node.trace.ended:
        running(node.trace, function)
    value = REDUCTIONS[function](node.value, None) if type(node.value) is cnp.ndarray else function(node.value)
    return wrap(new_node(value, function, (node,), no_keywords, node.trace))


cdef inline bint is_simple(object x):
    cdef object kind = type(x)
    return kind is Traced or kind is float or kind is int or kind is cnp.ndarray or kind is float64


cdef inline bint is_operand(object x):
    # arrays, numbers and sequences of numbers; what opts out of ufuncs, as operators do, decides itself
    cdef object kind = type(x)
    if is_simple(x):
        return True
    if isinstance(x, REFUSED):
        raise refused("operator", x)
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
cdef object floor_divide = np.floor_divide, absolute = np.absolute, positive = np.positive
cdef dict COMPARISONS = {
    Py_LT: np.less, Py_LE: np.less_equal, Py_GT: np.greater, Py_GE: np.greater_equal, Py_EQ: np.equal,
    Py_NE: np.not_equal,
}


include "traced.pxi"


def trace(function, values, replayed=False):
    """Run ``function`` on traced inputs of a new level; return the input nodes and what it returned.

    Parameters
    ----------
    function : callable of as many values
    values : sequence of plain or traced values
    replayed : bool
        Whether the steps are to run again on other values: then a branch on a traced value is an error.

    Returns
    -------
    inputs : list of Node
    result : whatever the function returned
    level : int
    """
    cdef Trace this = Trace.__new__(Trace)
    this.level = next(levels)
    this.replayed = replayed
    cdef list inputs = [trace_input(value, this) for value in values]
    nodes = [(<Traced> traced)._node for traced in inputs]
    try:
        return nodes, function(*inputs), this.level
    finally:
        this.ended = True


include "steps.pxi"
include "structure.pxi"
