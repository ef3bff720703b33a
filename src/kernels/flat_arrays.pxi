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
