# The steps that results depend on, in execution order. Part of trace.pyx.

cdef struct Found:
    long long serial
    PyObject *node  # alive while the results are


cdef int by_serial(const void *a, const void *b) noexcept nogil:
    cdef long long x = (<const Found *> a).serial, y = (<const Found *> b).serial
    return (x > y) - (x < y)


cdef long long walks = 0


def steps(results):
    """All steps that the result nodes depend on, in execution order; no recursion."""
    cdef list order = []
    cdef Found *found = NULL
    cdef Py_ssize_t size = 0, done = 0, capacity = 0, i
    cdef Node node
    global walks
    walks += 1
    cdef long long walk = walks
    cdef tuple more = tuple(results)
    # no other code runs between here and the end, so nobody else moves the marks
    try:
        while True:
            for i in range(len(more)):
                if type(more[i]) is Node:
                    node = <Node> more[i]
                    if node.mark != walk:
                        node.mark = walk
                        if size == capacity:
                            capacity = 2 * capacity + 64
                            found = <Found *> reallocated(found, capacity * sizeof(Found))
                        found[size].serial = node.serial
                        found[size].node = <PyObject *> node
                        size += 1
            if done == size:
                break
            more = (<Node> found[done].node).arguments
            done += 1
        if size:  # C has no array of nothing to sort
            qsort(found, size, sizeof(Found), by_serial)
        for i in range(size):
            order.append(<object> found[i].node)
    finally:
        PyMem_Free(found)
    return order


cdef void *reallocated(void *at, size_t size) except NULL:
    cdef void *grown = PyMem_Realloc(at, size)
    if grown == NULL:
        raise MemoryError("steps: no memory for their order")
    return grown
