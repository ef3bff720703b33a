# The C structs of a tape from the tuples of the compiler: layouts, clusters, loops, instructions. Part of tape.pyx.

cdef struct Layout:
    # One argument: a strided array, or a Python scalar, which is converted at each call.
    bint is_scalar
    int typenum
    int itemsize
    int ndim
    cnp.npy_intp[MAX_DIMS] shape
    cnp.npy_intp[MAX_DIMS] strides   # bytes
    cnp.npy_intp low, high           # bytes that an element can lie before and behind the data pointer


cdef int fill_layout(Layout *layout, tuple given) except -1:
    # (dtype, shape, strides in bytes) of an array, (dtype, type) of a scalar
    cdef int i
    cdef tuple shape
    cdef cnp.dtype dtype = given[0]
    layout.typenum = dtype.num
    layout.itemsize = dtype.itemsize
    layout.is_scalar = len(given) == 2
    if layout.is_scalar:
        return 0
    shape = given[1]
    if len(shape) > MAX_DIMS:
        raise ValueError(f"Tape: an array must have at most {MAX_DIMS} axes; got {len(shape)}")
    layout.ndim = <int> len(shape)
    layout.low = 0
    layout.high = dtype.itemsize
    for i in range(layout.ndim):
        layout.shape[i] = shape[i]
        layout.strides[i] = given[2][i]
        if layout.shape[i] == 0:
            layout.high = 0
        elif layout.strides[i] < 0:
            layout.low += (layout.shape[i] - 1) * layout.strides[i]
        elif layout.high:
            layout.high += (layout.shape[i] - 1) * layout.strides[i]
    return 0


cdef inline bint has_layout(cnp.ndarray array, const Layout *layout) noexcept:
    return cnp.PyArray_NDIM(array) == layout.ndim and is_like(array, 0, layout)


cdef inline bint has_rows(cnp.ndarray array, cnp.npy_intp count, const Layout *layout) noexcept:
    # whether it has so many rows, each of this layout
    return (cnp.PyArray_NDIM(array) == layout.ndim + 1 and cnp.PyArray_DIMS(array)[0] == count
            and is_like(array, 1, layout))


cdef inline bint is_like(cnp.ndarray array, int first, const Layout *layout) noexcept:
    # whether dtype, and axes from `first` on, are those of a layout
    cdef int i
    cdef cnp.npy_intp *shape = cnp.PyArray_DIMS(array) + first
    cdef cnp.npy_intp *strides = cnp.PyArray_STRIDES(array) + first
    if cnp.PyArray_TYPE(array) != layout.typenum or not cnp.PyArray_ISBEHAVED_RO(array):
        return False
    for i in range(layout.ndim):
        if shape[i] != layout.shape[i]:
            return False
        # the stride of an axis of length 1 is never used, and none is where an axis has length 0
        if strides[i] != layout.strides[i] and shape[i] != 1 and layout.high != 0:
            return False
    return True


cdef inline bint same_layout(const Layout *x, const Layout *y) noexcept:
    cdef int i
    if x.is_scalar or y.is_scalar or x.typenum != y.typenum or x.ndim != y.ndim:
        return False
    for i in range(x.ndim):
        if x.shape[i] != y.shape[i] or x.strides[i] != y.strides[i]:
            return False
    return True


cdef fb_cluster *new_cluster(int dtype, tuple given) except NULL:
    """A cluster from ``(shape, tile, direct accesses, loads, stores, operations, registers)``."""
    cdef fb_cluster *t
    cdef fb_access *access
    cdef fb_micro *op
    cdef int i, j
    shape, tile, direct, loads, stores, operations, registers = given
    accesses = [*direct, *loads, *stores]
    t = <fb_cluster *> calloc(1, sizeof(fb_cluster))
    if t == NULL:
        raise MemoryError("Tape: no memory for a cluster")
    t.accesses = <fb_access *> calloc(max(len(accesses), 1), sizeof(fb_access))
    t.ops = <fb_micro *> calloc(max(len(operations), 1), sizeof(fb_micro))
    t.registers = <fb_register *> calloc(max(len(registers), 1), sizeof(fb_register))
    if t.accesses == NULL or t.ops == NULL or t.registers == NULL:
        free_cluster(t)
        raise MemoryError("Tape: no memory for a cluster")
    t.dtype = dtype
    t.n_direct, t.n_loads, t.n_stores = len(direct), len(loads), len(stores)
    t.n_ops, t.n_registers = len(operations), len(registers)
    t.tile_rows, t.tile_columns = tile
    t.outer = 1
    for i in range(FB_AXES):
        t.shape[i] = shape[i]
        if i < FB_AXES - 2:
            t.outer *= t.shape[i]
    for i, line in enumerate(accesses):
        access = t.accesses + i
        access.slot, access.offset, strides, access.type, access.kind, access.reg, access.fixed = line
        for j in range(FB_AXES):
            access.strides[j] = strides[j]
    for i, line in enumerate(operations):
        op = t.ops + i
        op.op, op.d, op.a, op.b, op.c, op.e = line
    for i, line in enumerate(registers):
        t.registers[i].slot, t.registers[i].offset = line
    return t


cdef void free_cluster(fb_cluster *t) noexcept:
    free(t.accesses)
    free(t.ops)
    free(t.registers)
    free(t)


cdef fb_recurrence *new_recurrence(tuple given) except NULL:
    """A recurrence from ``(length, first, rows, before, after, last, steps, operations, carried)``."""
    cdef fb_recurrence *t
    cdef fb_number *place
    cdef fb_micro *op
    cdef int i
    length, first, rows, before, after, last, steps, operations, carried = given
    numbers = [*first, *rows, *before, *after, *last]
    t = <fb_recurrence *> allocated(1, sizeof(fb_recurrence))
    try:
        t.numbers = <fb_number *> allocated(len(numbers), sizeof(fb_number))
        t.steps = <int64_t *> allocated(len(steps), sizeof(int64_t))
        t.ops = <fb_micro *> allocated(len(operations), sizeof(fb_micro))
        t.carried = <fb_carried *> allocated(len(carried), sizeof(fb_carried))
        t.length, t.n_ops, t.n_carried = length, len(operations), len(carried)
        t.n_first, t.n_rows, t.n_before, t.n_after, t.n_last = map(len, (first, rows, before, after, last))
        for i, line in enumerate(numbers):
            place = t.numbers + i
            place.slot, place.offset, place.type, place.reg = line
        for i, step in enumerate(steps):
            t.steps[i] = step
        for i, line in enumerate(operations):
            op = t.ops + i
            op.op, op.d, op.a, op.b, op.c, op.e = line
        for i, line in enumerate(carried):
            t.carried[i].to, t.carried[i].source = line
    except BaseException:
        free_recurrence(t)
        raise
    return t


cdef void free_recurrence(fb_recurrence *t) noexcept:
    free(t.numbers)
    free(t.steps)
    free(t.ops)
    free(t.carried)
    free(t)


cdef fb_loop *new_loop(tuple given, list calls) except NULL:
    """A loop from ``(bodies, entries, flag, wanted, state)``.

    A body is ``(length, moves, instructions, first, names)``, a move ``(slot, by, step, base, first, last)`` with
    places ``(slot, bytes)``; entries are an (n, 4) array of int32, names a (length, n) one, or None.
    """
    cdef fb_loop *t
    cdef fb_body *body
    cdef fb_move *move
    cdef int i, j
    bodies, entries, flag, wanted, state = given
    t = <fb_loop *> calloc(1, sizeof(fb_loop))
    if t == NULL:
        raise MemoryError("Tape: no memory for a loop")
    try:
        t.bodies = <fb_body *> allocated(len(bodies), sizeof(fb_body))
        t.n_bodies = len(bodies)
        t.flag.slot, t.flag.offset = flag
        t.wanted, t.state = wanted, state
        if entries is not None:
            t.n_entries = len(entries)
            t.entries = <fb_entry *> copied(entries)
        for i, (length, moves, instructions, first, names) in enumerate(bodies):
            body = t.bodies + i
            body.length = length
            body.code = <fb_instruction *> allocated(len(instructions), sizeof(fb_instruction))
            body.moves = <fb_move *> allocated(len(moves), sizeof(fb_move))
            body.count, body.n_moves = len(instructions), len(moves)
            if names is not None:
                body.first, body.n_named = first, names.shape[1]
                body.names = <int32_t *> copied(names)
            for j, line in enumerate(moves):
                move = body.moves + j
                move.slot, move.by, move.step, base, first, last = line
                move.base.slot, move.base.offset = base
                move.first.slot, move.first.offset = first
                move.last.slot, move.last.offset = last
            fill_code(body.code, instructions, calls)
    except BaseException:
        free_loop(t)
        raise
    return t


cdef void *allocated(int64_t count, size_t size) except NULL:
    cdef void *memory = calloc(max(count, 1), size)
    if memory == NULL:
        raise MemoryError(f"Tape: no memory for {count} parts of {size} bytes")
    return memory


cdef void *copied(cnp.ndarray table) except NULL:
    cdef void *memory = allocated(cnp.PyArray_NBYTES(table), 1)
    memcpy(memory, cnp.PyArray_DATA(table), cnp.PyArray_NBYTES(table))
    return memory


cdef void free_loop(fb_loop *t) noexcept:
    cdef int64_t i
    for i in range(t.n_bodies):
        free_code(t.bodies[i].code, t.bodies[i].count)
        free(t.bodies[i].moves)
        free(t.bodies[i].names)
    free(t.bodies)
    free(t.entries)
    free(t)


cdef int fill_code(fb_instruction *code, list instructions, list calls) except -1:
    """Instructions from tuples, see `Tape`; what Python runs is added to the calls."""
    cdef fb_instruction *t
    cdef int i
    for i, line in enumerate(instructions):
        t = code + i
        (t.opcode, t.dtype, t.flags, t.then, t.batch, t.m, t.n, t.k, t.alpha, t.beta, t.cost, a, b, c, d,
         detail) = line
        t.a.slot, t.a.offset, t.a.rs, t.a.cs, t.a.bs = a
        t.b.slot, t.b.offset, t.b.rs, t.b.cs, t.b.bs = b
        t.c.slot, t.c.offset, t.c.rs, t.c.cs, t.c.bs = c
        t.d.slot, t.d.offset, t.d.rs, t.d.cs, t.d.bs = d
        if t.opcode == FB_CLUSTER:
            t.detail = new_cluster(t.dtype, detail)
        elif t.opcode == FB_RECURRENCE:
            t.detail = new_recurrence(detail)
        elif t.opcode == FB_LOOP:
            t.detail = new_loop(detail, calls)
        elif t.opcode == FB_CALL or t.opcode >= FB_CHOLESKY:
            t.k = len(calls)
            calls.append(detail)
        fb_prepare(t)
    return 0


cdef void free_code(fb_instruction *code, int64_t count) noexcept:
    cdef int64_t i
    if code == NULL:
        return
    for i in range(count):
        if code[i].detail == NULL:
            continue
        if code[i].opcode == FB_LOOP:
            free_loop(<fb_loop *> code[i].detail)
        elif code[i].opcode == FB_RECURRENCE:
            free_recurrence(<fb_recurrence *> code[i].detail)
        else:
            free_cluster(<fb_cluster *> code[i].detail)
    free(code)
