# The compiled base of operators. Part of tape.pyx, because `@` runs tapes without Python in between.

cdef inline bint ranges_meet(cnp.ndarray x, const Layout *a, cnp.ndarray y, const Layout *b) noexcept:
    cdef char *p = <char *> cnp.PyArray_DATA(x)
    cdef char *q = <char *> cnp.PyArray_DATA(y)
    return p + a.low < q + b.high and q + b.low < p + a.high


cdef class TapedOperator:
    """The compiled base of `Operator`: its `@` runs a tape where one fits, and `_matmul` otherwise.

    A subclass gives ``_find_tape(X, out)``, which returns a `Tape` for these arrays or None and binds it,
    and ``_matmul(X)``, which accepts everything that `@` accepts.
    """

    cdef Tape tape           # last used by @ and by apply_into with C-contiguous out
    cdef Tape tape_into      # last used by apply_into with another out
    cdef tuple leaves

    def _bind(self, Tape tape, tuple leaves, bint into):
        """Keep `tape` for the next call; `leaves` are the arrays and scalars it takes besides X."""
        self.leaves = leaves
        if into:
            self.tape_into = tape
        else:
            self.tape = tape

    def __matmul__(self, X):
        cdef Tape tape
        cdef cnp.ndarray out
        cdef TapedOperator op
        if isinstance(self, TapedOperator) and cnp.PyArray_CheckExact(X):
            op = <TapedOperator> self
            tape = op.tape
            if tape is None or not tape.accepts(<cnp.ndarray> X, op.leaves):
                tape = op._find_tape(X, None)
            if tape is not None:
                out = tape.results.take_first()
                tape.apply(<cnp.ndarray> X, op.leaves, out)
                return out[()] if cnp.PyArray_NDIM(out) == 0 else out
        return self._matmul(X)

    def apply_into(self, X, out):
        """Write ``self @ X`` into `out` and return it; allocates nothing for arrays of a kernel dtype.

        Parameters
        ----------
        X : array, as for ``@``
        out : array of the shape and dtype of ``self @ X``, in any memory order, writeable
            Must not share memory with X or with an array that the operator holds.

        Raises
        ------
        ShapeError, DtypeError
            If `out` has another shape or dtype; the message holds both.
        ValueError
            If `out` is read-only or shares memory with an argument.

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> out = np.empty((2, 3))
        >>> fb.Left(2 * np.eye(2)).apply_into(np.ones((2, 3)), out)
        array([[2., 2., 2.],
               [2., 2., 2.]])
        """
        cdef Tape tape
        if cnp.PyArray_CheckExact(X) and cnp.PyArray_CheckExact(out):
            tape = self.tape
            if (tape is None or not tape.accepts(<cnp.ndarray> X, self.leaves)
                    or not has_layout(<cnp.ndarray> out, &tape.layouts[tape.n_inputs])):
                tape = self.tape_into
                if (tape is None or not tape.accepts(<cnp.ndarray> X, self.leaves)
                        or not has_layout(<cnp.ndarray> out, &tape.layouts[tape.n_inputs])):
                    tape = self._find_tape(X, out)
            if (tape is not None and cnp.PyArray_ISWRITEABLE(<cnp.ndarray> out)
                    and not self.meets(tape, <cnp.ndarray> X, <cnp.ndarray> out)):
                return tape.apply(<cnp.ndarray> X, self.leaves, <cnp.ndarray> out)
        return self._apply_into(X, out)

    cdef bint meets(self, Tape tape, cnp.ndarray X, cnp.ndarray out) noexcept:
        """Whether the memory of `out` may meet that of an argument."""
        cdef int i
        cdef Layout *layout = &tape.layouts[tape.n_inputs]
        if ranges_meet(out, layout, X, &tape.layouts[0]):
            return True
        for i in range(1, tape.n_inputs):
            if (not tape.layouts[i].is_scalar
                    and ranges_meet(out, layout, <cnp.ndarray> self.leaves[i - 1], &tape.layouts[i])):
                return True
        return False
