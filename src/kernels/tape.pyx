"""The compiled core: `Tape`, an immutable plan with its executor, and the base class of `Operator`.

A tape is made once by `fastbs.compile.lowering` for one signature (dtypes, shapes, strides) and run many
times on other arrays of that signature: their data pointers are read at each call. Workspaces come from a
free list that the tape owns, so that a run allocates nothing but its results, and several threads can run
one tape at a time.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc

cimport numpy as cnp
from scipy.linalg.cython_blas cimport cgemm, cgemv, dgemm, dgemv, sgemm, sgemv, zgemm, zgemv

cnp.import_array()

cdef extern from "tape.h" nogil:
    ctypedef struct fb_operand:
        int64_t slot, offset, rs, cs, bs
    ctypedef struct fb_instruction:
        int32_t opcode, dtype, flags
        int64_t batch, m, n, k
        double alpha, beta, cost
        fb_operand a, b, c
    ctypedef struct fb_blas:
        void *gemm
        void *gemv
    fb_blas fb_blas_table[4]
    const char *fb_choose_kernels()
    int64_t fb_run(const fb_instruction *code, int64_t start, int64_t count, char **slots, double budget)

cdef extern from "functions.h" nogil:
    ctypedef void (*fb_map)(int64_t n, const void *x, void *y) noexcept
    fb_map **fb_maps_base  # [float64][function]
    fb_map **fb_map_table

fb_blas_table[0].gemm = <void *> sgemm
fb_blas_table[0].gemv = <void *> sgemv
fb_blas_table[1].gemm = <void *> dgemm
fb_blas_table[1].gemv = <void *> dgemv
fb_blas_table[2].gemm = <void *> cgemm
fb_blas_table[2].gemv = <void *> cgemv
fb_blas_table[3].gemm = <void *> zgemm
fb_blas_table[3].gemv = <void *> zgemv

instruction_set = fb_choose_kernels().decode()

# In the order of functions.h.
FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "relu", "erf", "erfc", "ndtr", "sin", "cos",
    "sqrt", "exp2", "log2", "log10", "tan", "sinh", "cosh", "arctan", "arcsin", "arccos", "arcsinh", "arccosh",
    "arctanh", "cbrt",
)

cdef enum:
    MAX_DIMS = 8
    ALIGNMENT = 64
    LOCAL_SLOTS = 24

# Below this many flops (about 5 us) a run keeps the GIL: releasing it costs 45 ns.
cdef double SMALL = 2e4
# Flops between two looks for Ctrl-C, about 50 ms on one core.
cdef double BUDGET = 1e9

cdef int[4] TYPENUMS = [cnp.NPY_FLOAT, cnp.NPY_DOUBLE, cnp.NPY_CFLOAT, cnp.NPY_CDOUBLE]


cdef struct Layout:
    # One argument: a strided array, or a Python scalar, which is converted at each call.
    int typenum
    int ndim
    cnp.npy_intp[MAX_DIMS] shape
    cnp.npy_intp[MAX_DIMS] strides   # bytes
    cnp.npy_intp low, high           # bytes that an element can lie before and behind the data pointer


cdef int fill_layout(Layout *layout, int typenum, int itemsize, tuple shape, tuple strides) except -1:
    cdef int i
    if len(shape) > MAX_DIMS:
        raise ValueError(f"Tape: an array must have at most {MAX_DIMS} axes; got {len(shape)}")
    layout.typenum = typenum
    layout.ndim = <int> len(shape)
    layout.low = 0
    layout.high = itemsize
    for i in range(layout.ndim):
        layout.shape[i] = shape[i]
        layout.strides[i] = strides[i]
        if layout.shape[i] == 0:
            layout.high = 0
        elif layout.strides[i] < 0:
            layout.low += (layout.shape[i] - 1) * layout.strides[i]
        elif layout.high:
            layout.high += (layout.shape[i] - 1) * layout.strides[i]
    return 0


cdef inline bint has_layout(cnp.ndarray array, const Layout *layout) noexcept:
    cdef int i
    cdef cnp.npy_intp *shape = cnp.PyArray_DIMS(array)
    cdef cnp.npy_intp *strides = cnp.PyArray_STRIDES(array)
    if (cnp.PyArray_NDIM(array) != layout.ndim or cnp.PyArray_TYPE(array) != layout.typenum
            or not cnp.PyArray_ISBEHAVED_RO(array)):
        return False
    for i in range(layout.ndim):
        if shape[i] != layout.shape[i] or strides[i] != layout.strides[i]:
            return False
    return True


cdef class Tape:
    """A plan: instructions over slots, run in one call.

    Parameters
    ----------
    dtype : int
        0 to 3 for float32, float64, complex64, complex128; the same for all arrays.
    inputs : list
        One entry an argument: ``(shape, strides in bytes)`` of an array, or the type of a Python scalar.
    outputs : list
        ``(shape, strides in bytes)`` of each result.
    instructions : list of tuples
        ``(opcode, flags, batch, m, n, k, alpha, beta, cost, a, b, c)`` with operands
        ``(slot, offset, rs, cs, bs)``; slots number the inputs, then the outputs, then the arena.
    arena : int
        Elements of scratch.
    """

    cdef fb_instruction *code
    cdef int64_t count
    cdef int dtype
    cdef int n_inputs, n_outputs, n_slots
    cdef Layout *layouts            # inputs, then outputs; a scalar has typenum -1
    cdef tuple scalar_types
    cdef size_t header, workspace   # bytes of pointer table and scalars; of all
    cdef void *idle                 # workspaces not in use, each points to the next
    cdef readonly double cost       # flops
    cdef readonly object report     # whatever the lowering wants to say of this plan

    def __cinit__(self, int dtype, list inputs, list outputs, list instructions, int64_t arena, report=None):
        cdef fb_instruction *t
        cdef int i, itemsize = (4, 8, 8, 16)[dtype]
        self.dtype = dtype
        self.n_inputs = <int> len(inputs)
        self.n_outputs = <int> len(outputs)
        self.n_slots = self.n_inputs + self.n_outputs + 1
        self.count = len(instructions)
        self.report = report
        self.cost = 0
        self.layouts = <Layout *> calloc(self.n_slots, sizeof(Layout))
        self.code = <fb_instruction *> calloc(max(self.count, 1), sizeof(fb_instruction))
        if self.layouts == NULL or self.code == NULL:
            raise MemoryError("Tape: no memory for the instructions")
        self.scalar_types = tuple(argument if isinstance(argument, type) else None for argument in inputs)
        for i, argument in enumerate(inputs + outputs):
            if isinstance(argument, type):
                self.layouts[i].typenum = -1
            else:
                fill_layout(&self.layouts[i], TYPENUMS[dtype], itemsize, argument[0], argument[1])
        for i, line in enumerate(instructions):
            t = self.code + i
            t.dtype = dtype
            (t.opcode, t.flags, t.batch, t.m, t.n, t.k, t.alpha, t.beta, t.cost, a, b, c) = line
            t.a.slot, t.a.offset, t.a.rs, t.a.cs, t.a.bs = a
            t.b.slot, t.b.offset, t.b.rs, t.b.cs, t.b.bs = b
            t.c.slot, t.c.offset, t.c.rs, t.c.cs, t.c.bs = c
            self.cost += t.cost
        self.header = (self.n_slots + 2 * self.n_inputs) * 8
        self.header = (self.header + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        self.workspace = self.header + arena * itemsize

    def __dealloc__(self):
        cdef void *workspace
        while self.idle != NULL:
            workspace = self.idle
            self.idle = (<void **> workspace)[0]
            free(((<void **> workspace) - 1)[0])
        free(self.code)
        free(self.layouts)

    cdef char **acquire(self) except NULL:
        # An idle workspace, or a new one: its pointer table, 64-byte aligned, with malloc's address before it.
        cdef void *raw
        cdef uintptr_t aligned
        if self.idle != NULL:
            raw = self.idle
            self.idle = (<void **> raw)[0]
            return <char **> raw
        raw = malloc(self.workspace + 2 * ALIGNMENT)
        if raw == NULL:
            raise MemoryError(f"Tape: no memory for a workspace of {self.workspace} bytes")
        aligned = (<uintptr_t> raw + 2 * ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        ((<void **> aligned) - 1)[0] = raw
        return <char **> aligned

    cdef void release(self, char **slots) noexcept:
        (<void **> slots)[0] = self.idle
        self.idle = <void *> slots

    cdef bint accepts(self, cnp.ndarray X, tuple leaves) noexcept:
        """Whether (X, *leaves) have this tape's signature."""
        cdef int i
        if not has_layout(X, &self.layouts[0]):
            return False
        for i in range(1, self.n_inputs):
            if not self.accepts_leaf(i, <object> leaves[i - 1]):
                return False
        return True

    cdef inline bint accepts_leaf(self, int i, object leaf) noexcept:
        if self.layouts[i].typenum < 0:
            return <object> type(leaf) is <object> self.scalar_types[i]
        return cnp.PyArray_CheckExact(leaf) and has_layout(<cnp.ndarray> leaf, &self.layouts[i])

    cdef inline int set_input(self, char **slots, int i, object value) except -1:
        if self.layouts[i].typenum >= 0:
            slots[i] = <char *> cnp.PyArray_DATA(<cnp.ndarray> value)
            return 0
        return self.set_scalar(slots, i, value)

    cdef int set_scalar(self, char **slots, int i, object value) except -1:
        # Python numbers and NumPy scalars stand behind the pointer table, in the dtype of the tape.
        cdef char *place
        cdef double complex z
        place = <char *> (slots + self.n_slots + 2 * i)
        z = value
        if self.dtype == 0:
            (<float *> place)[0] = <float> z.real
        elif self.dtype == 1:
            (<double *> place)[0] = z.real
        elif self.dtype == 2:
            (<float *> place)[0] = <float> z.real
            (<float *> place)[1] = <float> z.imag
        else:
            (<double complex *> place)[0] = z
        slots[i] = place
        return 0

    cdef int execute(self, char **slots) except -1:
        cdef int64_t at = 0
        slots[self.n_slots - 1] = <char *> slots + self.header
        if self.cost < SMALL:
            fb_run(self.code, 0, self.count, slots, INFINITY)
            return 0
        while True:
            with nogil:
                at = fb_run(self.code, at, self.count, slots, BUDGET)
            if at >= self.count:
                return 0
            PyErr_CheckSignals()

    cdef cnp.ndarray new_output(self, int i):
        cdef Layout *layout = &self.layouts[self.n_inputs + i]
        return cnp.PyArray_EMPTY(layout.ndim, layout.shape, layout.typenum, 0)

    cdef object apply(self, cnp.ndarray X, tuple leaves, cnp.ndarray out):
        """The only result of (X, *leaves), written to `out`; everything was checked."""
        cdef char *local[LOCAL_SLOTS]
        cdef char **slots
        if self.workspace <= sizeof(local):  # a few pointers and scalars: no scratch to fetch
            self.run(local, X, leaves, out)
            return out
        slots = self.acquire()
        try:
            self.run(slots, X, leaves, out)
        finally:
            self.release(slots)
        return out

    cdef int run(self, char **slots, cnp.ndarray X, tuple leaves, cnp.ndarray out) except -1:
        cdef int i
        slots[0] = <char *> cnp.PyArray_DATA(X)
        for i in range(1, self.n_inputs):
            self.set_input(slots, i, <object> leaves[i - 1])
        slots[self.n_inputs] = <char *> cnp.PyArray_DATA(out)
        return self.execute(slots)

    def __call__(self, *inputs):
        """Run on any number of inputs; returns a tuple with one new array a result."""
        cdef int i
        cdef char **slots
        if len(inputs) != self.n_inputs:
            raise TypeError(f"Tape: {self.n_inputs} inputs expected; got {len(inputs)}")
        for i in range(self.n_inputs):
            if not self.accepts_leaf(i, inputs[i]):
                raise ValueError(f"Tape: input {i} does not have the recorded dtype, shape and strides")
        results = tuple([self.new_output(i) for i in range(self.n_outputs)])
        for i in range(self.n_outputs):
            if not has_layout(<cnp.ndarray> results[i], &self.layouts[self.n_inputs + i]):
                raise ValueError(f"Tape: result {i} must be in C order because it is allocated; got other strides")
        slots = self.acquire()
        try:
            for i in range(self.n_inputs):
                self.set_input(slots, i, inputs[i])
            for i in range(self.n_outputs):
                slots[self.n_inputs + i] = <char *> cnp.PyArray_DATA(<cnp.ndarray> results[i])
            self.execute(slots)
        finally:
            self.release(slots)
        return results

    def fits(self, *inputs):
        """Whether the inputs have the recorded dtypes, shapes and strides."""
        cdef int i
        if len(inputs) != self.n_inputs:
            return False
        for i in range(self.n_inputs):
            if not self.accepts_leaf(i, inputs[i]):
                return False
        return True

    def gives(self, cnp.ndarray out):
        """Whether `out` has the dtype, shape and strides of the only result."""
        return has_layout(out, &self.layouts[self.n_inputs])

    def __len__(self):
        return self.count


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
                out = tape.new_output(0)
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
            if (tape.layouts[i].typenum >= 0
                    and ranges_meet(out, layout, <cnp.ndarray> self.leaves[i - 1], &tape.layouts[i])):
                return True
        return False


def map_function(str name, cnp.ndarray x, str kernels=instruction_set):
    """The vectorized maps from Python: ``y = f(x)`` in a new array.

    Parameters
    ----------
    name : str
        One of ``FUNCTIONS``.
    x : ndarray of float32 or float64, in C order
    kernels : {"baseline", instruction_set}
        Whose maps.
    """
    cdef int typenum = cnp.PyArray_TYPE(x)
    cdef int64_t f = FUNCTIONS.index(name)
    cdef int is_double = typenum == cnp.NPY_DOUBLE
    cdef fb_map run
    if kernels not in ("baseline", instruction_set):
        raise ValueError(f"map_function: kernels must be 'baseline' or '{instruction_set}'; got {kernels!r}")
    if typenum not in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE) or not cnp.PyArray_IS_C_CONTIGUOUS(x):
        raise TypeError(
            "map_function: x must be float32 or float64 in C order because the maps have unit strides; "
            f"got {x.dtype} with strides {(<object> x).strides}"
        )
    run = fb_maps_base[is_double][f] if kernels == "baseline" else fb_map_table[is_double][f]
    y = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), typenum, 0)
    run(cnp.PyArray_SIZE(x), cnp.PyArray_DATA(x), cnp.PyArray_DATA(<cnp.ndarray> y))
    return y
