# Memory for results.

cdef enum:
    FEW_RESULTS = 4  # from here on they share one block of memory
    MOST_KEPT = 131072  # bytes of all results of a run, if they are to be used again

cdef extern from *:
    """
    /* Whether only its keeper holds an array, nobody even weakly, and all but its elements is as it was made: in C
     * order, in memory of `base`, or in its own for NULL. */
    static int fb_is_free(PyObject *kept, PyObject *dtype, int ndim, const npy_intp *shape, PyObject *base)
    {
        PyArrayObject *array = (PyArrayObject *)kept;
        if (Py_REFCNT(kept) != 1 || *(PyObject **)((char *)kept + Py_TYPE(kept)->tp_weaklistoffset) != NULL
            || PyArray_DESCR(array) != (PyArray_Descr *)dtype || PyArray_NDIM(array) != ndim
            || !PyArray_CHKFLAGS(array, NPY_ARRAY_CARRAY) || PyArray_BASE(array) != base
            || PyArray_CHKFLAGS(array, NPY_ARRAY_OWNDATA) != (base == NULL))
            return 0;
        for (int i = 0; i < ndim; i++)
            if (PyArray_DIM(array, i) != shape[i])
                return 0;
        return 1;
    }
    """
    bint fb_is_free(PyObject *kept, PyObject *dtype, int ndim, const cnp.npy_intp *shape, PyObject *base)
    Py_ssize_t Py_REFCNT(PyObject *o)
    PyObject *PyList_GET_ITEM(list kept, Py_ssize_t i)  # borrowed


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
        if not self.is_free(<PyObject *> self.last):
            self.last, self.before = self.before, self.last
            if not self.is_free(<PyObject *> self.last):
                self.last = cnp.PyArray_EMPTY(1, &self.size, self.dtype.type_num, 0)
        return self.last

    cdef inline bint is_free(self, PyObject *flat) noexcept:
        return flat != <PyObject *> None and fb_is_free(flat, <PyObject *> self.dtype, 1, &self.size, NULL)


@cython.final
cdef class Results:
    """Arrays for the results of a tape, in C order: new ones, or those of one of the last two runs if all were dropped.

    To make and to free an array takes 80 ns, to see that it was dropped 5 ns. Several small ones stand in one block of
    memory: whoever keeps one of them keeps them all. Results of more than MOST_KEPT bytes are always new.
    """

    cdef Layout *layouts            # the tape's
    cdef int count, arrays          # results, and those that are no numbers
    cdef list dtypes
    cdef cnp.npy_intp *place_of     # of each result in the block, in bytes
    cdef cnp.npy_intp size          # bytes of all of them
    cdef list last, before          # the results of a run, None for numbers, and at the end their block or None

    def __dealloc__(self):
        free(self.place_of)

    cdef int place(self, Layout *layouts, int count) except -1:
        cdef int i, j
        cdef cnp.npy_intp size
        cdef Layout *layout
        self.layouts, self.count, self.dtypes = layouts, count, []
        self.place_of = <cnp.npy_intp *> calloc(count + 1, sizeof(cnp.npy_intp))
        if self.place_of == NULL:
            raise MemoryError("Tape: no memory for the places of results")
        for i in range(count):
            layout = &layouts[i]
            size = layout.itemsize
            for j in range(layout.ndim):
                size *= layout.shape[j]
            self.dtypes.append(cnp.PyArray_DescrFromType(layout.typenum))
            self.place_of[i] = self.size
            if layout.ndim > 0:
                self.size += (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
                self.arrays += 1

    cdef list take(self):
        """The arrays of a run, and None for numbers."""
        return self.kept()[:self.count]

    cdef cnp.ndarray take_first(self):
        return self.new(0) if self.layouts[0].ndim == 0 else (<list> self.kept())[0]

    cdef cnp.ndarray new(self, int i):
        cdef Layout *layout = &self.layouts[i]
        return cnp.PyArray_EMPTY(layout.ndim, layout.shape, layout.typenum, 0)

    cdef list kept(self):
        if self.size > MOST_KEPT:
            return self.made()
        if not self.are_free(self.last):
            self.last, self.before = self.before, self.last
            if not self.are_free(self.last):
                self.last = self.made()
        return self.last

    cdef bint are_free(self, list kept) noexcept:
        cdef int i
        cdef Layout *layout
        cdef PyObject *block
        if kept is None:
            return False
        block = PyList_GET_ITEM(kept, self.count)
        if block == <PyObject *> None:
            block = NULL
        elif Py_REFCNT(block) != self.arrays + 1:
            return False
        for i in range(self.count):
            layout = &self.layouts[i]
            if layout.ndim == 0:
                continue
            if not fb_is_free(PyList_GET_ITEM(kept, i), PyList_GET_ITEM(self.dtypes, i), layout.ndim, layout.shape,
                              block):
                return False
        return True

    cdef list made(self):
        cdef list made = [None] * (self.count + 1)
        cdef bint in_block = self.arrays >= FEW_RESULTS and self.size <= MOST_KEPT
        cdef cnp.npy_intp size = self.size + ALIGNMENT
        cdef cnp.ndarray block = cnp.PyArray_EMPTY(1, &size, cnp.NPY_UINT8, 0) if in_block else None
        cdef Layout *layout
        cdef int i
        made[self.count] = block
        for i in range(self.count):
            layout = &self.layouts[i]
            if layout.ndim > 0 and in_block:
                made[i] = self.in_block(block, i)
            elif layout.ndim > 0:
                made[i] = self.new(i)
        return made

    cdef cnp.ndarray in_block(self, cnp.ndarray block, int i):
        cdef Layout *layout = &self.layouts[i]
        cdef uintptr_t start = (<uintptr_t> cnp.PyArray_DATA(block) + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        cdef cnp.dtype dtype = self.dtypes[i]
        cdef cnp.ndarray result
        Py_INCREF(dtype)
        result = PyArray_NewFromDescr(<PyTypeObject *> cnp.ndarray, dtype, layout.ndim, layout.shape, NULL,
                                      <char *> start + self.place_of[i], cnp.NPY_ARRAY_CARRAY, NULL)
        cnp.set_array_base(result, block)
        return result
