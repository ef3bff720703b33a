# Plans: a tape with the nesting of its arguments and results. Part of tape.pyx, because they fill its slots.

cdef enum:
    ARRAY, NUMBER, STATIC, TUPLE, LIST, DICT, TREE, RESULT, VALUE

pattern_kinds = {
    "array": ARRAY, "number": NUMBER, "static": STATIC, "tuple": TUPLE, "list": LIST, "dict": DICT, "tree": TREE,
    "result": RESULT, "value": VALUE,
}

MISS = object()  # what a plan returns for arguments of another signature


cdef class Plan:
    """A tape with the nesting of its arguments and of its results.

    Parameters
    ----------
    tape : Tape
        Its results are C-contiguous.
    arguments, keywords : patterns of the positional arguments, a tuple, and of the keywords, a dict
        Nested tuples ``(kind, ...)``: ``(ARRAY, i)`` and ``(NUMBER, i)`` are inputs of the tape, ``(STATIC, value)``
        must be equal, ``(TUPLE, *parts)``, ``(LIST, *parts)``, ``(DICT, keys, *parts)``, and ``(TREE, flatten,
        structure, *parts)`` for other containers.
    results : pattern
        ``(RESULT, i)``, ``(VALUE, value)``, and containers; ``(TREE, unflatten, structure, *parts)``.
    """

    cdef readonly Tape tape
    cdef readonly tuple arguments, keywords, results
    cdef bint lets_others_run  # before its end, who may take arrays out of lists and dicts among the arguments

    def __cinit__(self, Tape tape, tuple arguments, tuple keywords, tuple results):
        self.tape = tape
        self.arguments, self.keywords, self.results = arguments, keywords, results
        self.lets_others_run = tape.cost >= SMALL or len(tape.calls) > 0 or has_tree(arguments) or has_tree(keywords)

    cdef bint fill(self, tuple pattern, object value, char **slots, list held, bint hold) except -1:
        """Point the slots to the arrays of an argument; False if it has another signature.

        Copies of arrays are held, and on demand what lists and dicts have in them now.
        """
        cdef int kind = <int> pattern[0]
        cdef int i
        cdef Tape tape = self.tape
        if kind == ARRAY:
            i = <int> pattern[1]
            if not cnp.PyArray_CheckExact(value):
                return False
            if not has_layout(<cnp.ndarray> value, &tape.layouts[i]):
                value = in_layout(<cnp.ndarray> value, &tape.layouts[i])
                if value is None:
                    return False
                held.append(value)
            slots[i] = <char *> cnp.PyArray_DATA(<cnp.ndarray> value)
            return True
        if kind == NUMBER:
            i = <int> pattern[1]
            if <object> type(value) is not <object> tape.scalar_types[i]:
                return False
            tape.set_scalar(slots, i, value)
            return True
        if kind == TUPLE:
            if type(value) is not tuple or len(<tuple> value) != len(pattern) - 1:
                return False
            for i in range(len(<tuple> value)):
                if not self.fill(<tuple> pattern[i + 1], <object> (<tuple> value)[i], slots, held, hold):
                    return False
            return True
        if kind == LIST:
            if type(value) is not list or len(<list> value) != len(pattern) - 1:
                return False
            if hold:
                value = (<list> value)[:]
                held.append(value)
            for i in range(len(<list> value)):
                if not self.fill(<tuple> pattern[i + 1], <object> (<list> value)[i], slots, held, hold):
                    return False
            return True
        if kind == STATIC:
            return value is pattern[1] or (type(value) is type(pattern[1]) and value == pattern[1])
        if kind == DICT:
            if type(value) is not dict or len(<dict> value) != len(pattern) - 2:
                return False
            if hold:
                value = (<dict> value).copy()
                held.append(value)
            i = 0
            for key, part in (<dict> value).items():  # their order counts: the function may go through them
                if not same_key(key, <object> (<tuple> pattern[1])[i]):
                    return False
                if not self.fill(<tuple> pattern[i + 2], part, slots, held, hold):
                    return False
                i += 1
            return True
        parts, structure = pattern[1](value)
        if structure != pattern[2]:
            return False
        if hold:
            held.append(parts)
        for i, part in enumerate(parts):
            if not self.fill(<tuple> pattern[i + 3], part, slots, held, hold):
                return False
        return True

    cdef object build(self, tuple pattern, list results):
        cdef int kind = <int> pattern[0]
        cdef Py_ssize_t i, count = len(pattern) - 1
        cdef object made, part
        if kind == RESULT:
            return results[<int> pattern[1]]
        if kind == VALUE:
            return pattern[1]
        if kind == TUPLE or kind == LIST:  # at their length from the start: growing takes longer than all else
            made = PyTuple_New(count) if kind == TUPLE else PyList_New(count)
            for i in range(count):
                part = self.build(<tuple> pattern[i + 1], results)
                Py_INCREF(part)  # the container takes the reference
                if kind == TUPLE:
                    PyTuple_SET_ITEM(made, i, part)
                else:
                    PyList_SET_ITEM(made, i, part)
            return made
        if kind == DICT:
            return {key: self.build(<tuple> pattern[i + 2], results) for i, key in enumerate(<tuple> pattern[1])}
        return pattern[1](pattern[2], [self.build(<tuple> pattern[i], results) for i in range(3, len(pattern))])

    def run(self, tuple arguments, dict keywords):
        """The results for these arguments, or MISS."""
        cdef Tape tape = self.tape
        cdef char **slots = tape.acquire()
        cdef list results = tape.results.take(), held = []
        cdef int i
        try:
            if not self.fill(self.arguments, arguments, slots, held, self.lets_others_run):
                return MISS
            if (keywords or len(self.keywords) > 2) and not self.fill(
                self.keywords, keywords, slots, held, self.lets_others_run
            ):
                return MISS
            for i in range(tape.n_outputs):
                if tape.layouts[tape.n_inputs + i].ndim == 0:
                    slots[tape.n_inputs + i] = tape.number_place(slots, i)
                else:
                    slots[tape.n_inputs + i] = <char *> cnp.PyArray_DATA(<cnp.ndarray> results[i])
            tape.execute(slots)
            for i in range(tape.n_outputs):
                if tape.layouts[tape.n_inputs + i].ndim == 0:
                    results[i] = tape.number_at(slots, i)
        finally:
            tape.release(slots)
        return self.build(self.results, results)


cdef inline bint same_key(object a, object b) except -1:
    return a is b or (type(a) is type(b) and a == b)


cdef bint has_tree(tuple pattern) except -1:
    # whether Python code takes a container apart
    if pattern[0] not in (TUPLE, LIST, DICT):
        return pattern[0] == TREE
    for part in pattern[2 if pattern[0] == DICT else 1:]:
        if has_tree(<tuple> part):
            return True
    return False


cdef object in_layout(cnp.ndarray array, const Layout *layout):
    # a copy of a strided or foreign array in a layout; None if its dtype or shape differ, or if it has the other order
    cdef int i
    cdef bint is_fortran = layout.ndim > 1 and layout.strides[0] < layout.strides[layout.ndim - 1]
    if cnp.PyArray_NDIM(array) != layout.ndim or cnp.PyArray_TYPE(array) != layout.typenum:
        return None
    for i in range(layout.ndim):
        if cnp.PyArray_DIMS(array)[i] != layout.shape[i]:
            return None
    if cnp.PyArray_ISBEHAVED_RO(array) and (cnp.PyArray_IS_C_CONTIGUOUS(array) or cnp.PyArray_IS_F_CONTIGUOUS(array)):
        return None
    copy = np.array(array, dtype=array.dtype.newbyteorder("="), order="F" if is_fortran else "C")
    return copy if has_layout(<cnp.ndarray> copy, layout) else None


cdef class CompiledFunction:
    """The compiled base of a compiled function: runs the plan used last if the arguments have its signature.

    A subclass gives ``_miss(arguments, keywords)``, which finds or makes the plan and runs it.
    """

    cdef public Plan plan

    def __call__(self, *arguments, **keywords):
        cdef Plan plan = self.plan
        if plan is not None:
            result = plan.run(arguments, keywords)
            if result is not MISS:
                return result
        return self._miss(arguments, keywords)


cdef class BoundPlan:
    """A plan whose arguments are fixed: called without arguments, the contents of the arrays may change between calls.

    Parameters
    ----------
    plan : Plan
    arguments, keywords : of its signature, kept by reference
    flat : tuple of int
        The results that stand in the flat array, in this order; the others are numbers.
    out : array or None
        Where the flat array is written; None for one that nobody else holds.
    """

    cdef Plan plan
    cdef list held
    cdef tuple given
    cdef char **fixed        # pointer table with its numbers, as the arguments gave it
    cdef cnp.npy_intp *offset_of  # bytes in the flat array of each result
    cdef cnp.ndarray out
    cdef FlatArrays flat_arrays
    cdef int value_number    # the result that is returned as a number, -1 for none

    def __cinit__(self, Plan plan, tuple arguments, dict keywords, tuple flat, int value_number, out):
        cdef Tape tape = plan.tape
        cdef int i, typenum = cnp.NPY_DOUBLE
        cdef cnp.npy_intp j, count, size = 0
        self.plan, self.held, self.given, self.out = plan, [], (arguments, keywords), out
        self.value_number = value_number
        self.fixed = <char **> calloc(tape.header // 8 + 1, 8)
        self.offset_of = <cnp.npy_intp *> calloc(tape.n_outputs + 1, sizeof(cnp.npy_intp))
        if self.fixed == NULL or self.offset_of == NULL:
            raise MemoryError("BoundPlan: no memory for the pointers")
        if not plan.fill(plan.arguments, arguments, self.fixed, self.held, True):
            raise ValueError("BoundPlan: the arguments do not have the signature of the plan")
        if not plan.fill(plan.keywords, keywords, self.fixed, self.held, True):
            raise ValueError("BoundPlan: the keywords do not have the signature of the plan")
        for i in flat:
            count = 1
            for j in range(tape.layouts[tape.n_inputs + i].ndim):
                count *= tape.layouts[tape.n_inputs + i].shape[j]
            typenum = tape.layouts[tape.n_inputs + i].typenum
            self.offset_of[i] = size
            size += count
        self.flat_arrays = FlatArrays(typenum, size)
        for i in flat:
            self.offset_of[i] *= self.flat_arrays.dtype.itemsize

    def __dealloc__(self):
        free(self.fixed)
        free(self.offset_of)

    @property
    def copies(self):
        """How many of the arrays had to be copied, and are not looked at again."""
        return sum([type(held) is cnp.ndarray for held in self.held])

    def __call__(self):
        cdef Tape tape = self.plan.tape
        cdef char **slots = tape.acquire()
        cdef cnp.ndarray flat
        cdef int i
        cdef int n = tape.n_inputs
        cdef char *data
        try:
            flat = self.out if self.out is not None else self.flat_arrays.take()
            self.set_inputs(slots)
            data = <char *> cnp.PyArray_DATA(flat)
            for i in range(tape.n_outputs):
                slots[n + i] = data + self.offset_of[i]
            if self.value_number >= 0:
                slots[n + self.value_number] = tape.number_place(slots, self.value_number)
            tape.execute(slots)
            if self.value_number < 0:
                return flat
            return tape.number_at(slots, self.value_number), flat
        finally:
            tape.release(slots)

    cdef inline void set_inputs(self, char **slots) noexcept:
        cdef Tape tape = self.plan.tape
        cdef int i
        memcpy(slots, self.fixed, tape.n_inputs * sizeof(char *))
        for i in range(tape.n_inputs):
            if tape.layouts[i].is_scalar:  # numbers stand in the table they were converted in
                slots[i] = <char *> (self.fixed + tape.n_slots + 2 * i)


cdef class ListPlan:
    """A tape from a list of arrays to a list of arrays, whose other inputs are fixed.

    Parameters
    ----------
    tape : Tape
        Its inputs are the arrays of the list, then what is fixed; its results are C-contiguous.
    given, results : lists of bool
        Which entries of the two lists are arrays; the others are None.
    fixed : tuple of arrays and numbers
        Kept by reference: the contents of the arrays may change between calls.
    """

    cdef Tape tape
    cdef tuple fixed
    cdef list given, results
    cdef char **pointers     # pointer table with its numbers, as `fixed` gave it
    cdef int n_given
    cdef bint is_uniform     # whether both lists are full, of arrays that are alike

    def __cinit__(self, Tape tape, list given, list results, tuple fixed):
        cdef int i
        self.tape, self.given, self.results, self.fixed = tape, given, results, fixed
        self.n_given = sum(given)
        if self.n_given + len(fixed) != tape.n_inputs or sum(results) != tape.n_outputs:
            raise ValueError(
                f"ListPlan: the tape must have {self.n_given + len(fixed)} inputs and {sum(results)} results; got "
                f"{tape.n_inputs} and {tape.n_outputs}"
            )
        self.pointers = <char **> calloc(tape.header // 8 + 1, 8)
        if self.pointers == NULL:
            raise MemoryError("ListPlan: no memory for the pointers")
        for i, value in enumerate(fixed):
            if not tape.accepts_leaf(self.n_given + i, value):
                raise ValueError(f"ListPlan: what is fixed at {i} does not have the recorded dtype, shape and strides")
            tape.set_input(self.pointers, self.n_given + i, value)
        self.is_uniform = 0 < len(given) == self.n_given == tape.n_outputs
        if self.is_uniform:
            for i in range(1, self.n_given):
                if not (same_layout(&tape.layouts[i], &tape.layouts[0])
                        and same_layout(&tape.layouts[tape.n_inputs + i], &tape.layouts[tape.n_inputs])):
                    self.is_uniform = False

    def __dealloc__(self):
        free(self.pointers)

    def __call__(self, list entries):
        """The results for these arrays, or None if they have another signature."""
        cdef Tape tape = self.tape
        cdef Py_ssize_t i
        cdef int at = 0
        cdef list results = [None] * len(self.results), made
        cdef char **slots
        if len(entries) != len(self.given):
            return None
        entries = entries[:]  # whatever other threads do to the list while the tape runs
        slots = tape.acquire()
        try:
            for i in range(len(entries)):
                if self.given[i] is True:
                    if not (cnp.PyArray_CheckExact(<object> entries[i])
                            and has_layout(<cnp.ndarray> entries[i], &tape.layouts[at])):
                        return None
                    slots[at] = <char *> cnp.PyArray_DATA(<cnp.ndarray> entries[i])
                    at += 1
                elif entries[i] is not None:
                    return None
            self.set_fixed(slots)
            made = tape.results.take()
            at = 0
            for i in range(len(results)):
                if self.results[i] is True:
                    results[i] = made[at]
                    slots[tape.n_inputs + at] = <char *> cnp.PyArray_DATA(<cnp.ndarray> results[i])
                    at += 1
            tape.execute(slots)
            return results
        finally:
            tape.release(slots)

    def of_array(self, cnp.ndarray b, cnp.ndarray out=None):
        """The results for the rows of an array, as the rows of an array, or None if the rows have another signature.

        It is `out` where that has room for them in C order, else a new one. `out` and b must not overlap.
        """
        cdef Tape tape = self.tape
        cdef Layout *layout = &tape.layouts[tape.n_inputs]
        cdef cnp.npy_intp[MAX_DIMS + 1] shape
        cdef char **slots
        cdef int i
        if not self.is_uniform or not has_rows(b, self.n_given, &tape.layouts[0]):
            return None
        if out is None or not (has_rows(out, self.n_given, layout) and cnp.PyArray_ISWRITEABLE(out)):
            shape[0] = self.n_given
            for i in range(layout.ndim):
                shape[i + 1] = layout.shape[i]
            out = cnp.PyArray_EMPTY(layout.ndim + 1, shape, layout.typenum, 0)
        slots = tape.acquire()
        try:
            set_rows(slots, b, self.n_given)
            self.set_fixed(slots)
            set_rows(slots + tape.n_inputs, out, self.n_given)
            tape.execute(slots)
        finally:
            tape.release(slots)
        return out

    cdef inline void set_fixed(self, char **slots) noexcept:
        memcpy(slots + self.n_given, self.pointers + self.n_given,
               (self.tape.n_inputs - self.n_given) * sizeof(char *))


cdef inline void set_rows(char **slots, cnp.ndarray array, Py_ssize_t count) noexcept:
    cdef char *row = <char *> cnp.PyArray_DATA(array)
    cdef Py_ssize_t i
    for i in range(count):
        slots[i] = row + i * cnp.PyArray_STRIDES(array)[0]
