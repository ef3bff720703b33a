# The structure of a recording: all that its back substitution depends on but the numbers.
#
# Two recordings of the same structure have the same functions in the same order, with arguments from the same places,
# and values of the same dtypes, shapes and memory orders. Integers, strings and what else says how belong to the
# structure; arrays, floats and complex numbers are its leaves, in the order in which they are met.

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memcpy


cdef enum:
    MOST_STEPS = 5000
    # what a word of the key announces
    NODE, ARRAY, NUMBER, FLOAT, COMPLEX, INTEGER, BOOLEAN, NONE, TUPLE, LIST, SLICE, OTHER


cdef struct Words:
    long long *at
    Py_ssize_t size
    Py_ssize_t capacity


cdef class Structure:
    """The key, the steps and the leaves of a recording.

    Attributes
    ----------
    key : hashable, None if no other recording can share it
    results : list of Node
    order : list of Node, the steps that the results depend on, in execution order
    leaves : list of arrays and numbers
    """

    cdef readonly object key
    cdef readonly list results
    cdef readonly list order
    cdef readonly list leaves
    cdef list others
    cdef Words words

    def __cinit__(self, list inputs, list results, list cotangents):
        self.leaves, self.others = [], []
        self.results = results
        self.order = steps(results)
        if len(self.order) <= MOST_STEPS and self.describe(inputs, results, cotangents):
            self.key = (
                PyBytes_FromStringAndSize(<char *> self.words.at, self.words.size * sizeof(long long)),
                tuple(self.others),
            )

    def __dealloc__(self):
        PyMem_Free(self.words.at)

    cdef int put(self, long long word) except -1:
        cdef Py_ssize_t capacity
        if self.words.size == self.words.capacity:
            capacity = 2 * self.words.capacity + 256
            self.words.at = <long long *> reallocated(self.words.at, capacity * sizeof(long long))
            self.words.capacity = capacity
        self.words.at[self.words.size] = word
        self.words.size += 1
        return 0

    cdef bint describe(self, list inputs, list results, list cotangents) except -1:
        cdef Node node
        cdef long long i = 0
        for node in self.order:
            node.position = i
            i += 1
        for node in self.order:
            self.put(<long long> <uintptr_t> <PyObject *> node.function)
            self.put(len(node.arguments))
            for argument in node.arguments:
                if not self.value(argument):
                    return False
            if node.keywords and not self.settings(node.keywords) or not self.value(node.value):
                return False
        for node in inputs:
            # an input that no result depends on is in no order, and its place is left from another one
            self.put(node.position if i and node.position < i and self.order[node.position] is node else -1)
        for node in results:
            self.put(node.position)
        for g in cotangents:
            if not self.value(g):
                return False
        return True

    cdef bint value(self, object x) except -1:
        # describe one value; False if it cannot be shared
        cdef object kind = type(x)
        cdef double number
        cdef long long word
        if kind is Node:
            self.put(NODE)
            self.put((<Node> x).position)
        elif kind is cnp.ndarray:
            return self.array(x)
        elif kind is float64:
            self.put(NUMBER)
            self.put(cnp.NPY_DOUBLE)
            self.leaves.append(x)
        elif kind is float:
            self.put(FLOAT)
            self.leaves.append(x)
        elif kind is int:
            if not -(1 << 62) < x < (1 << 62):
                return False
            self.put(INTEGER)
            self.put(x)
        elif x is None:
            self.put(NONE)
        elif kind is bool:
            self.put(BOOLEAN)
            self.put(x)
        elif kind is tuple or kind is list:
            self.put(TUPLE if kind is tuple else LIST)
            self.put(len(x))
            for part in x:
                if not self.value(part):
                    return False
        elif kind is slice:
            self.put(SLICE)
            return self.value(x.start) and self.value(x.stop) and self.value(x.step)
        elif isinstance(x, np.generic):
            self.put(NUMBER)
            self.put(cnp.PyArray_DescrFromScalar(x).type_num)
            self.leaves.append(x)
            return cnp.PyArray_DescrFromScalar(x).type_num in TYPES
        elif kind is complex:
            self.put(COMPLEX)
            self.leaves.append(x)
        elif kind is Traced or isinstance(x, cnp.ndarray):
            return False
        else:
            try:
                hash(x)
            except TypeError:
                return False
            self.put(OTHER)
            self.others.append(kind)
            self.others.append(x)
        return True

    cdef bint settings(self, dict keywords) except -1:
        # axes, shapes and the like; these hold no leaves, and all bits of a float count
        cdef Py_ssize_t n = len(self.leaves)
        cdef double number
        cdef long long word
        self.put(len(keywords))
        for name, x in keywords.items():
            self.others.append(name)
            if type(x) is float:
                number = x
                memcpy(&word, &number, sizeof(double))
                self.put(FLOAT)
                self.put(word)
            elif not self.value(x):
                return False
        return len(self.leaves) == n

    cdef bint array(self, cnp.ndarray x) except -1:
        cdef int i, ndim = cnp.PyArray_NDIM(x)
        if cnp.PyArray_TYPE(x) not in TYPES or not cnp.PyArray_ISNOTSWAPPED(x):
            return False
        self.put(ARRAY)
        self.put(
            cnp.PyArray_TYPE(x) << 16 | ndim << 8 | cnp.PyArray_IS_C_CONTIGUOUS(x) << 1 | cnp.PyArray_IS_F_CONTIGUOUS(x)
        )
        for i in range(ndim):
            self.put(cnp.PyArray_DIMS(x)[i])
        self.leaves.append(x)
        return True


# dtypes whose values can be leaves
cdef frozenset TYPES = frozenset([np.dtype(name).num for name in (
    "bool", "b", "B", "h", "H", "i", "I", "l", "L", "q", "Q", "f", "d", "F", "D")])


def with_leaves(order, cotangents, leaves):
    """The steps and the cotangents of a structure with other leaves."""
    cdef Node node
    cdef dict new = {}
    cdef object rest = iter(leaves)
    for node in order:
        arguments = tuple([new[a] if type(a) is Node else filled(a, rest) for a in node.arguments])
        new[node] = new_node(filled(node.value, rest), node.function, arguments, node.keywords, node.trace)
    return list(new.values()), filled(cotangents, rest)


cdef object filled(object x, object rest):
    cdef object kind = type(x)
    if kind is tuple:
        return tuple([filled(part, rest) for part in x])
    if kind is list:
        return [filled(part, rest) for part in x]
    if isinstance(x, (cnp.ndarray, float, complex, np.generic)):
        return next(rest)
    return x
