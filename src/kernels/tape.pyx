"""The compiled core: `Tape`, an immutable plan with its executor, and the base class of `Operator`.

A tape is made once by `fastbs.compiler` for one signature (dtypes, shapes, strides) and run many
times on other arrays of that signature: their data pointers are read at each call. Workspaces come from a
free list that the tape owns, so that a run allocates nothing but its results, and several threads can run
one tape at a time.
"""

from cpython.exc cimport PyErr_CheckSignals
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
cimport cython
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint16_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

cimport numpy as cnp
import numpy as np
from scipy.linalg.cython_blas cimport cgemm, cgemv, dgemm, dgemv, dtrsm, sgemm, sgemv, strsm, zgemm, zgemv
from scipy.linalg.cython_lapack cimport dgetrf, dgetrs, dpotrf, sgetrf, sgetrs, spotrf

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(PyTypeObject *subtype, cnp.dtype descr, int nd, cnp.npy_intp *dims,
                                cnp.npy_intp *strides, void *data, int flags, PyObject *obj)
    object PyArray_Scalar(void *data, cnp.dtype dtype, object base)

cdef extern from *:
    """
    #include <numpy/arrayscalars.h>
    /* as PyArray_Scalar, without what other dtypes need */
    static PyObject *fb_real_scalar(const void *data, int is_double)
    {
        PyObject *number = is_double ? PyArrayScalar_New(Double) : PyArrayScalar_New(Float);
        if (number != NULL && is_double)
            PyArrayScalar_ASSIGN(number, Double, *(const double *)data);
        else if (number != NULL)
            PyArrayScalar_ASSIGN(number, Float, *(const float *)data);
        return number;
    }
    """
    object fb_real_scalar(const void *data, bint is_double)

cdef extern from "tape.h" nogil:
    ctypedef struct fb_operand:
        int64_t slot, offset, rs, cs, bs
    ctypedef struct fb_instruction:
        int32_t opcode, dtype, flags, then
        int64_t batch, m, n, k
        double alpha, beta, cost
        fb_operand a, b, c, d
        const void *detail
    int FB_CLUSTER, FB_CALL, FB_LOOP, FB_RECURRENCE, FB_CHOLESKY
    ctypedef struct fb_blas:
        void *gemm
        void *gemv
        void *trsm
        void *potrf
        void *getrf
        void *getrs
    fb_blas fb_blas_table[4]
    const char *fb_choose_kernels()
    int fb_blas_width()
    int fb_use_wide_kernels(int on)
    void fb_prepare(fb_instruction *t)
    double FB_FAILED
    int64_t fb_run(const fb_instruction *code, int64_t start, int64_t count, char **slots, double *budget)

cdef extern from "pool.h" nogil:
    int fb_workers()

cdef extern from "loop.h" nogil:
    ctypedef struct fb_place:
        int64_t slot, offset
    ctypedef struct fb_move:
        int64_t slot, by, step
        fb_place base, first, last
    ctypedef struct fb_body:
        int64_t length, count, n_moves
        fb_instruction *code
        fb_move *moves
        int64_t n_named, first
        int32_t *names
    ctypedef struct fb_entry:
        int32_t body, step, source, target
    ctypedef struct fb_loop:
        int64_t n_bodies, n_entries
        fb_body *bodies
        fb_entry *entries
        fb_place flag
        int64_t wanted, state
    const fb_instruction *fb_take_call(const fb_instruction *code, int64_t *at, int64_t count, char **slots, int failed)

cdef extern from "functions.h" nogil:
    ctypedef void (*fb_map)(int64_t n, const void *x, void *y) noexcept
    fb_map **fb_maps_base  # [float64][function]
    fb_map **fb_map_table
    fb_map **fb_map_table_of_many

cdef extern from "cluster.h" nogil:
    int FB_AXES
    ctypedef struct fb_micro:
        uint16_t op, d, a, b, c, e
    ctypedef struct fb_access:
        int64_t slot, offset
        int64_t *strides
        int32_t type, kind, reg, fixed
    ctypedef struct fb_register:
        int64_t slot, offset
    ctypedef struct fb_cluster:
        int32_t dtype, n_ops, n_registers, n_direct, n_loads, n_stores
        int64_t *shape
        int64_t outer, tile_rows, tile_columns
        fb_access *accesses
        fb_micro *ops
        fb_register *registers

cdef extern from "recurrence.h" nogil:
    ctypedef struct fb_number:
        int64_t offset
        int32_t slot
        uint16_t type, reg
    ctypedef struct fb_carried:
        uint16_t to
        uint16_t source "from"
    ctypedef struct fb_recurrence:
        int64_t length
        int32_t n_first, n_rows, n_before, n_after, n_last, n_ops, n_carried
        fb_number *numbers
        int64_t *steps
        fb_micro *ops
        fb_carried *carried

fb_blas_table[0].gemm = <void *> sgemm
fb_blas_table[0].gemv = <void *> sgemv
fb_blas_table[1].gemm = <void *> dgemm
fb_blas_table[1].gemv = <void *> dgemv
fb_blas_table[0].trsm = <void *> strsm
fb_blas_table[0].potrf = <void *> spotrf
fb_blas_table[0].getrf = <void *> sgetrf
fb_blas_table[0].getrs = <void *> sgetrs
fb_blas_table[1].trsm = <void *> dtrsm
fb_blas_table[1].potrf = <void *> dpotrf
fb_blas_table[1].getrf = <void *> dgetrf
fb_blas_table[1].getrs = <void *> dgetrs
fb_blas_table[2].gemm = <void *> cgemm
fb_blas_table[2].gemv = <void *> cgemv
fb_blas_table[3].gemm = <void *> zgemm
fb_blas_table[3].gemv = <void *> zgemv

instruction_set = fb_choose_kernels().decode()
blas_width = fb_blas_width()


def use_wide_kernels(bint on):
    """Whether tapes that are made from now on may use vectors of 64 bytes; returns whether this CPU has them."""
    return bool(fb_use_wide_kernels(on))


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


include "instructions.pxi"
include "results.pxi"


@cython.final  # so that calls inside are direct
cdef class Tape:
    """A plan: instructions over slots, run in one call.

    Parameters
    ----------
    inputs : list
        One entry an argument: ``(dtype, shape, strides in bytes)`` of an array, ``(dtype, type)`` of a Python scalar,
        which is converted to the dtype at each call.
    outputs : list
        ``(dtype, shape, strides in bytes)`` of each result.
    constants : list of arrays, C-contiguous
        Kept by reference.
    instructions : list of tuples
        ``(opcode, dtype, flags, then, batch, m, n, k, alpha, beta, cost, a, b, c, d, detail)`` as in tape.h, with
        operands ``(slot, offset, rs, cs, bs)``; slots number the inputs, the outputs, the constants, then the arena,
        then what loops move. The detail of a cluster, a loop, a recurrence or a call is a tuple, see `new_cluster`,
        `new_loop`, `new_recurrence` and `call`.
    arena : int
        Bytes of scratch.
    moving : int
        How many slots loops need for what they move.
    objects : int
        How many Python objects calls leave for each other.
    report : object, optional
        Whatever the compiler wants to say of this plan.
    """

    cdef fb_instruction *code
    cdef int64_t count
    cdef int n_inputs, n_outputs, n_slots, n_objects, n_moving
    cdef Layout *layouts            # inputs, then outputs
    cdef tuple scalar_types
    cdef list constants, calls, outputs
    cdef size_t header, workspace   # bytes of pointer table and scalars; of all
    cdef void *idle                 # workspaces not in use, each points to the next
    cdef Results results
    cdef readonly double cost       # flops
    cdef readonly object report

    def __cinit__(self, list inputs, list outputs, list constants, list instructions, int64_t arena,
                  int objects=0, report=None, int moving=0):
        cdef int i
        self.n_inputs = <int> len(inputs)
        self.n_outputs = <int> len(outputs)
        self.n_moving = moving
        self.n_slots = self.n_inputs + self.n_outputs + <int> len(constants) + 1 + moving
        self.n_objects = objects
        self.count = len(instructions)
        self.report = report
        self.constants, self.outputs = constants, outputs
        self.calls = []
        self.cost = 0
        self.layouts = <Layout *> calloc(self.n_slots, sizeof(Layout))
        self.code = <fb_instruction *> calloc(max(self.count, 1), sizeof(fb_instruction))
        if self.layouts == NULL or self.code == NULL:
            raise MemoryError("Tape: no memory for the instructions")
        self.scalar_types = tuple([argument[1] if len(argument) == 2 else None for argument in inputs])
        for i, argument in enumerate(inputs + outputs):
            fill_layout(&self.layouts[i], argument)
        self.results = Results()
        self.results.place(self.layouts + self.n_inputs, self.n_outputs)
        fill_code(self.code, instructions, self.calls)
        for i in range(self.count):
            self.cost += self.code[i].cost
        self.header = (self.n_slots + 2 * (self.n_inputs + self.n_outputs)) * 8
        self.header = (self.header + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        self.workspace = self.header + arena

    def __dealloc__(self):
        cdef void *workspace
        while self.idle != NULL:
            workspace = self.idle
            self.idle = (<void **> workspace)[0]
            free(((<void **> workspace) - 1)[0])
        free_code(self.code, self.count)
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
        if self.layouts[i].is_scalar:
            return <object> type(leaf) is <object> self.scalar_types[i]
        return cnp.PyArray_CheckExact(leaf) and has_layout(<cnp.ndarray> leaf, &self.layouts[i])

    cdef inline int set_input(self, char **slots, int i, object value) except -1:
        if not self.layouts[i].is_scalar:
            slots[i] = <char *> cnp.PyArray_DATA(<cnp.ndarray> value)
            return 0
        return self.set_scalar(slots, i, value)

    cdef int set_scalar(self, char **slots, int i, object value) except -1:
        # Python numbers and NumPy scalars stand behind the pointer table, in the dtype of the layout.
        cdef int typenum = self.layouts[i].typenum
        cdef char *place = <char *> (slots + self.n_slots + 2 * i)
        cdef double real, imag = 0
        slots[i] = place
        # each part by itself: their sum as a complex number would lose -0, and infinities in imaginary parts
        if isinstance(value, float):
            real = value
        else:
            real, imag = value.real, value.imag
        if typenum == cnp.NPY_FLOAT:
            (<float *> place)[0] = <float> real
        elif typenum == cnp.NPY_DOUBLE:
            (<double *> place)[0] = real
        elif typenum == cnp.NPY_CFLOAT:
            (<float *> place)[0] = <float> real
            (<float *> place)[1] = <float> imag
        else:
            (<double *> place)[0] = real
            (<double *> place)[1] = imag
        return 0

    cdef inline char *number_place(self, char **slots, int i) noexcept:
        # where a result without axes stands, behind the pointer table and the numbers among the arguments
        return <char *> (slots + self.n_slots + 2 * (self.n_inputs + i))

    cdef inline object number_at(self, char **slots, int i):
        cdef int typenum = self.layouts[self.n_inputs + i].typenum
        if typenum == cnp.NPY_DOUBLE or typenum == cnp.NPY_FLOAT:
            return fb_real_scalar(self.number_place(slots, i), typenum == cnp.NPY_DOUBLE)
        return PyArray_Scalar(self.number_place(slots, i), cnp.PyArray_DescrFromType(typenum), None)

    cdef inline void set_constants(self, char **slots) noexcept:
        cdef int i, first = self.n_inputs + self.n_outputs, arena = self.n_slots - self.n_moving - 1
        for i in range(first, arena):
            slots[i] = <char *> cnp.PyArray_DATA(<cnp.ndarray> self.constants[i - first])
        slots[arena] = <char *> slots + self.header
        for i in range(arena + 1, self.n_slots):
            slots[i] = NULL  # no loop is interrupted

    cdef int execute(self, char **slots) except -1:
        cdef int64_t at = 0
        cdef double budget = INFINITY
        cdef const fb_instruction *call
        cdef list objects
        self.set_constants(slots)
        if self.cost < SMALL:
            at = fb_run(self.code, 0, self.count, slots, &budget)
            if at >= self.count:
                return 0
        objects = [None] * self.n_objects
        while True:
            call = fb_take_call(self.code, &at, self.count, slots, budget == FB_FAILED)
            if call != NULL:
                budget = BUDGET
                self.call(slots, self.calls[call.k], objects)
                continue
            with nogil:
                budget = BUDGET
                at = fb_run(self.code, at, self.count, slots, &budget)
            if at >= self.count:
                return 0
            PyErr_CheckSignals()

    cdef int call(self, char **slots, tuple call, list objects) except -1:
        """A step that Python runs: ``(function, arguments, keywords, result, where)``.

        Arguments and result are ``("array", (slot, bytes, shape, strides, dtype))``, ``("object", number)`` or
        ``("plain", value)``. The function gets copies, never views of the arena.
        """
        cdef list arguments = []
        function, given, keywords, result, where = call
        for kind, value in <list> given:
            if kind == "array":
                value = self.array_at(slots, value)
                value = value[()] if value.ndim == 0 else value.copy()
            elif kind == "object":
                value = objects[value]
            arguments.append(value)
        y = function(*arguments, **keywords)
        kind, place = result
        if kind == "object":
            objects[place] = y
            return 0
        out = self.array_at(slots, place)
        if np.shape(y) != out.shape:
            raise ValueError(
                f"{getattr(function, '__name__', function)}: the result must be {out.shape} because it was when the "
                f"program was compiled; got {np.shape(y)}, at {where}"
            )
        if not np.can_cast(np.result_type(y), out.dtype, "same_kind"):  # as a real root that became a complex one
            raise TypeError(
                f"{getattr(function, '__name__', function)}: the result must be {out.dtype} because it was when the "
                f"program was compiled; got {np.result_type(y)}, at {where}"
            )
        out[...] = y
        return 0

    cdef object array_at(self, char **slots, tuple place):
        # an array over the memory of a plan, for the duration of a call
        cdef cnp.npy_intp[32] shape
        cdef cnp.npy_intp[32] strides
        cdef int i, ndim = <int> len(place[2])
        cdef cnp.dtype dtype = place[4]
        for i in range(ndim):
            shape[i] = place[2][i]
            strides[i] = place[3][i]
        Py_INCREF(dtype)
        return PyArray_NewFromDescr(
            <PyTypeObject *> cnp.ndarray, dtype, ndim, shape, strides,
            slots[<int> place[0]] + <int64_t> place[1], cnp.NPY_ARRAY_WRITEABLE, NULL)

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
        results = tuple([self.results.new(i) for i in range(self.n_outputs)])
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

    def bound(self, list inputs, list outputs):
        """A function without arguments that runs on these arrays, for measurements."""
        for i, x in enumerate(inputs + outputs):
            if not has_layout(<cnp.ndarray?> x, &self.layouts[i]):
                raise ValueError(f"Tape.bound: array {i} does not have the recorded dtype, shape and strides")
        return BoundTape(self, inputs, outputs)

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

    def output_layouts(self):
        """``(dtype, shape, strides in bytes)`` of each result."""
        return self.outputs

    def __len__(self):
        return self.count


cdef class BoundTape:
    """A tape with its arrays: called without arguments, writes to the outputs."""

    cdef Tape tape
    cdef list arrays

    def __cinit__(self, Tape tape, list inputs, list outputs):
        self.tape, self.arrays = tape, inputs + outputs

    def __call__(self):
        cdef char **slots = self.tape.acquire()
        cdef int i
        try:
            for i in range(len(self.arrays)):
                slots[i] = <char *> cnp.PyArray_DATA(<cnp.ndarray> self.arrays[i])
            self.tape.execute(slots)
        finally:
            self.tape.release(slots)


include "taped_operator.pxi"
include "plan.pxi"
include "maps.pxi"


def workers():
    """How many threads have been started beside the calling ones."""
    return fb_workers()
