def map_function(str name, cnp.ndarray x, str kernels="many"):
    """The vectorized maps from Python: ``y = f(x)`` in a new array.

    Parameters
    ----------
    name : str
        One of ``FUNCTIONS``.
    x : ndarray of float32 or float64, in C order
    kernels : {"baseline", "few", "many"}
        The maps of every processor, and those chosen for few and for many elements.
    """
    cdef int typenum = cnp.PyArray_TYPE(x)
    cdef int64_t f = FUNCTIONS.index(name)
    cdef int is_double = typenum == cnp.NPY_DOUBLE
    cdef fb_map run
    if kernels not in ("baseline", "few", "many"):
        raise ValueError(f"map_function: kernels must be 'baseline', 'few' or 'many'; got {kernels!r}")
    if typenum not in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE) or not cnp.PyArray_IS_C_CONTIGUOUS(x):
        raise TypeError(
            "map_function: x must be float32 or float64 in C order because the maps have unit strides; "
            f"got {x.dtype} with strides {(<object> x).strides}"
        )
    if kernels == "baseline":
        run = fb_maps_base[is_double][f]
    else:
        run = fb_map_table[is_double][f] if kernels == "few" else fb_map_table_of_many[is_double][f]
    y = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), typenum, 0)
    run(cnp.PyArray_SIZE(x), cnp.PyArray_DATA(x), cnp.PyArray_DATA(<cnp.ndarray> y))
    return y
