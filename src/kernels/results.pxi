# Memory for results.

cdef enum:
    FEW_RESULTS = 4  # from here on they share one block of memory, if it is small
    MOST_SHARED = 131072  # bytes of it

cdef extern from *:
    """
    /* Whether only its keeper holds a flat array, nobody even weakly, and all but its elements is as it was made. */
    static int fb_is_free(PyObject *flat, PyObject *dtype, npy_intp size)
    {
        PyArrayObject *array = (PyArrayObject *)flat;
        return flat != Py_None && Py_REFCNT(flat) == 1
            && *(PyObject **)((char *)flat + Py_TYPE(flat)->tp_weaklistoffset) == NULL
            && PyArray_DESCR(array) == (PyArray_Descr *)dtype && PyArray_NDIM(array) == 1
            && PyArray_DIM(array, 0) == size
            && PyArray_CHKFLAGS(array, NPY_ARRAY_CARRAY | NPY_ARRAY_OWNDATA);
    }
    """
    bint fb_is_free(PyObject *flat, PyObject *dtype, cnp.npy_intp size)


@cython.final
cdef class FlatArrays:
    """Flat arrays of one dtype and size that nobody else holds: a new one, or one of the last two if it was dropped.

    Memory of a few kilobytes, fresh from malloc, takes as long as a small gradient. Two, because a loop that binds the
    next result to the name of the last one still holds that meanwhile.
    """

    cdef cnp.dtype dtype
    cdef cnp.npy_intp size
    cdef cnp.ndarray last, before

    def __cinit__(self, int typenum, cnp.npy_intp size):
        self.dtype, self.size = cnp.PyArray_DescrFromType(typenum), size

    cdef cnp.ndarray take(self):
        if fb_is_free(<PyObject *> self.last, <PyObject *> self.dtype, self.size):
            return self.last
        self.last, self.before = self.before, self.last
        if not fb_is_free(<PyObject *> self.last, <PyObject *> self.dtype, self.size):
            self.last = cnp.PyArray_EMPTY(1, &self.size, self.dtype.type_num, 0)
        return self.last


@cython.final
cdef class Results:
    """New arrays for the results of a tape, in C order.

    Several small ones stand in one block of memory: whoever keeps one of them keeps them all.
    """

    cdef Layout *layouts            # the tape's
    cdef list dtypes
    cdef cnp.npy_intp *place_of     # of each result in the block, in bytes
    cdef cnp.npy_intp shared        # bytes of all of them in the block; 0 where each has memory of its own
    cdef FlatArrays blocks

    def __dealloc__(self):
        free(self.place_of)

    cdef int place(self, Layout *layouts, int count) except -1:
        cdef int i, j, arrays = 0
        cdef cnp.npy_intp size
        cdef Layout *layout
        self.layouts, self.dtypes = layouts, []
        self.place_of = <cnp.npy_intp *> calloc(count + 1, sizeof(cnp.npy_intp))
        if self.place_of == NULL:
            raise MemoryError("Tape: no memory for the places of results")
        for i in range(count):
            layout = &layouts[i]
            size = layout.itemsize
            for j in range(layout.ndim):
                size *= layout.shape[j]
            self.dtypes.append(cnp.PyArray_DescrFromType(layout.typenum))
            self.place_of[i] = self.shared
            if layout.ndim > 0:
                self.shared += (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
                arrays += 1
        if arrays < FEW_RESULTS or self.shared > MOST_SHARED:
            self.shared = 0
        self.blocks = FlatArrays(cnp.NPY_UINT8, self.shared + ALIGNMENT)

    cdef cnp.ndarray new(self, int i):
        cdef Layout *layout = &self.layouts[i]
        return cnp.PyArray_EMPTY(layout.ndim, layout.shape, layout.typenum, 0)

    cdef cnp.ndarray new_block(self):
        # for all results of one run, None where each has memory of its own
        return self.blocks.take() if self.shared else None

    cdef cnp.ndarray new_in(self, cnp.ndarray block, int i):
        cdef Layout *layout = &self.layouts[i]
        cdef cnp.ndarray result
        cdef uintptr_t start
        cdef cnp.dtype dtype
        if block is None:
            return self.new(i)
        start = (<uintptr_t> cnp.PyArray_DATA(block) + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        dtype = self.dtypes[i]
        Py_INCREF(dtype)
        result = PyArray_NewFromDescr(<PyTypeObject *> cnp.ndarray, dtype, layout.ndim, layout.shape, NULL,
                                      <char *> start + self.place_of[i], cnp.NPY_ARRAY_CARRAY, NULL)
        cnp.set_array_base(result, block)
        return result
