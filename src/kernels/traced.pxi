# The value that stands for an array or a number while its program is recorded. Part of trace.pyx.

def constant_error(what, got, way_out):
    """The error for a traced value that is about to become a constant."""
    return TraceError(
        f"{what}: a traced value must stay traced because a plain one would forget where it came from; got {got} at "
        f"{line_now()}: {way_out}"
    )


cdef object number_error(Traced x, str what, str got, str way_out):
    # the same for one that is about to become a number, a list, a text or an array
    if is_replayed(x):
        way_out += (
            "; under compile stop_gradient does not help: use np.where, fb.cond or fb.scan for what depends on values, "
            "or leave compile away"
        )
    return constant_error(what, got, way_out)


class MissingAttribute(TraceError, AttributeError):
    """An attribute of arrays that traced values do not have; `hasattr` says so."""


cdef object deliver(str name, object result, object out):
    # what a function returns for out=: the destination, changed
    if type(out) is not Traced:
        raise constant_error(
            f"{name}(out=)",
            f"a plain {type(out).__name__} as destination", "leave out= away, or make the array with np.zeros_like(x)",
        )
    return (<Traced> out).replace(result)


cdef bint is_number(object value):
    # NumPy's scalars are immutable: x += y gives the name x to another number
    while type(value) is Traced:
        value = (<Traced> value)._node.value
    return not isinstance(value, cnp.ndarray)


@cython.trashcan(True)
cdef class Traced:
    """A value of a program that is being traced; behaves like the array or number it stands for."""

    cdef Node _node
    cdef Traced _base          # the traced array this is a view of
    cdef Node _base_node       # what the base was then
    cdef object _place         # the index it was taken with, where it was taken with one
    cdef bint _pending         # changed in place as a view, and not yet put back
    cdef int _blocked          # how many views of it, and of those, are pending

    __array_priority__ = 2000.0

    cdef Node current(self):
        cdef Traced base = self._base
        cdef Node then = self._base_node
        if self._pending:
            raise TraceError(
                "Traced: a view that was changed in place must be assigned back to its place first because traced "
                "arrays have no shared memory; write A[i] += v or A[i] = row, or copy the view before changing it"
            )
        if self._blocked:
            raise TraceError(
                "Traced: an array must not be used while a changed view of it is pending because traced arrays have no "
                "shared memory; assign the view back to its place, as in A[i] += v or A[i] = row, or copy it before "
                "changing it"
            )
        while base is not None:
            if base._node is not then or base._blocked:
                raise TraceError(
                    "Traced: a view must not be used after its array was changed because traced arrays have no shared "
                    "memory; take the view again, or copy it before the change"
                )
            then = base._base_node
            base = base._base
        return self._node

    cdef int move(self, Node node) except -1:
        # the name now stands for another step; a view is pending until it is assigned back
        self._node = node
        if self._base is not None and not self._pending:
            # an array that only this view remembers, as in np.zeros_like(x).reshape(2, 2), cannot be looked at again
            while self._base is not None and Py_REFCNT(<PyObject *> self._base) == 1:
                self._place = None
                self._base_node = self._base._base_node
                self._base = self._base._base
            if self._base is not None:
                self._pending = True
                self.block(1)
        return 0

    cdef int block(self, int change) except -1:
        cdef Traced base = self._base
        while base is not None:
            base._blocked += change
            base = base._base
        return 0

    # What it is

    @property
    def value(self):
        return snapshot(self.current().value)

    @property
    def level(self):
        return self.current().level

    @property
    def shape(self):
        return np.shape(self.current().value)

    @property
    def ndim(self):
        return np.ndim(self.current().value)

    @property
    def size(self):
        return np.size(self.current().value)

    @property
    def dtype(self):
        value = self.current().value
        return value.dtype if hasattr(value, "dtype") else np.result_type(value)

    @property
    def itemsize(self):
        return self.dtype.itemsize

    @property
    def nbytes(self):
        return self.size * self.itemsize

    def __len__(self):
        value = self.current().value
        if np.ndim(value) == 0:
            raise TypeError("len() of unsized object")
        return len(value)

    def __repr__(self):
        return f"Traced({self._node.value!r})"

    def __format__(self, specification):
        if is_replayed(self):  # digits would be those of the first values; an empty format is for looking only
            if specification:
                raise number_error(self, "format", f"the format {specification!r}", "leave it away to see the value")
            return repr(self)
        return format(self._node.value, specification)

    def __hash__(self):
        # as a number is found in sets and dicts; NumPy's arrays have none
        cdef Node node = self.current()
        if node.trace.replayed:
            raise TraceError(
                f"hash: a look-up must not depend on a traced value under compile because other values would find "
                f"another entry; got one at {line_now()}: use np.where or fb.cond, or leave compile away"
            )
        return hash(node.value)

    # NumPy's protocols

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        if not keywords and method == "__call__" and _functions.get(ufunc) is True:
            if len(inputs) == 1:
                return unary(ufunc, self)
            if len(inputs) == 2 and is_simple(inputs[0]) and is_simple(inputs[1]):
                return binary(ufunc, NULL, inputs[0], inputs[1])
            return record_step(ufunc, tuple([as_operand(x) for x in inputs]), no_keywords)
        out = keywords.pop("out", None)
        if method == "__call__":
            if keywords:
                result = functions["with keywords"](ufunc, inputs, keywords, None if out is None else out[0])
            else:
                result = call(ufunc, inputs, keywords)
        else:
            recorder = methods.get((ufunc, method), methods.get(method))
            if recorder is None:
                raise TraceError(
                    f"{ufunc.__name__}.{method}: a traced value must go through functions with a derivative rule "
                    "because others would forget where it came from; this method has none"
                )
            result = recorder(ufunc, *inputs, **keywords)
        if out is None:
            return result
        if len(out) == 1:
            return deliver(ufunc.__name__, result, out[0])
        return tuple([y if given is None else deliver(ufunc.__name__, y, given) for y, given in zip(result, out)])

    def __array_function__(self, function, types, arguments, keywords):
        if not keywords and len(arguments) == 1 and type(arguments[0]) is Traced and function in REDUCTIONS:
            return over_everything(function, arguments[0])
        if keywords.get("out") is None:
            return call(function, arguments, keywords)
        keywords = dict(keywords)
        out = keywords.pop("out")
        return deliver(function.__name__, call(function, arguments, keywords), out)

    def __array__(self, dtype=None, copy=None):
        raise number_error(
            self, "Traced.__array__", "a conversion to ndarray",
            "build arrays with np.stack, np.concatenate or fb.array, index plain ones with np.take_along_axis(A, i, "
            "axis), write into np.zeros_like(x), call NumPy's functions instead of methods of plain arrays, np.dot(A, "
            "x) for A.dot(x), and SciPy through fastbs.scipy, or pass fb.stop_gradient(x) for a constant",
        )

    def __float__(self):
        raise conversion(self, "float")

    def __int__(self):
        raise conversion(self, "int")

    def __trunc__(self):
        raise conversion(self, "int")

    def __complex__(self):
        raise conversion(self, "complex")

    def __round__(self, digits=None):
        raise number_error(
            self, "round", "a conversion to a number", "use np.round or np.rint, or pass fb.stop_gradient(x)"
        )

    def __index__(self):
        raise number_error(
            self, "Traced.__index__", "a traced index or length",
            "index traced arrays, as in fb.array(list)[i], plain ones with np.choose or np.take_along_axis, or pass "
            "fb.stop_gradient(i)",
        )

    def item(self, *arguments):
        raise number_error(
            self, "Traced.item", "a conversion to a number", "use x[i], or pass fb.stop_gradient(x)"
        )

    def tolist(self):
        raise number_error(
            self, "Traced.tolist", "a conversion to a list", "use list(x), or pass fb.stop_gradient(x)"
        )

    def __reduce_ex__(self, protocol):
        raise constant_error("pickle", "one to store", "return it from the traced function instead")

    def __copy__(self):
        return call(np.copy, (self,), {})

    def __deepcopy__(self, memory):
        return call(np.copy, (self,), {})

    def __bool__(self):
        cdef Node node = self.current()
        if node.trace.replayed:
            raise TraceError(
                f"bool: a branch must not depend on a traced value under compile because other values would take the "
                f"other branch; got one at {line_now()}: use np.where, fb.cond or fb.scan, or leave compile away"
            )
        return bool(node.value)

    # Arithmetic

    def __add__(x, y):
        return binary(add, PyNumber_Add, x, y)

    def __radd__(y, x):
        return binary(add, PyNumber_Add, x, y)

    def __sub__(x, y):
        return binary(subtract, PyNumber_Subtract, x, y)

    def __rsub__(y, x):
        return binary(subtract, PyNumber_Subtract, x, y)

    def __mul__(x, y):
        return binary(multiply, PyNumber_Multiply, x, y)

    def __rmul__(y, x):
        return binary(multiply, PyNumber_Multiply, x, y)

    def __truediv__(x, y):
        return binary(divide, PyNumber_TrueDivide, x, y)

    def __rtruediv__(y, x):
        return binary(divide, PyNumber_TrueDivide, x, y)

    def __floordiv__(x, y):
        return binary(floor_divide, PyNumber_FloorDivide, x, y)

    def __rfloordiv__(y, x):
        return binary(floor_divide, PyNumber_FloorDivide, x, y)

    def __mod__(x, y):
        return binary(remainder, PyNumber_Remainder, x, y)

    def __rmod__(y, x):
        return binary(remainder, PyNumber_Remainder, x, y)

    def __divmod__(x, y):
        return x // y, x % y

    def __rdivmod__(y, x):
        return x // y, x % y

    def __pow__(x, y, z):
        return NotImplemented if z is not None else binary(power, raise_to, x, y)

    def __rpow__(y, x, z):
        return NotImplemented if z is not None else binary(power, raise_to, x, y)

    def __matmul__(x, y):
        return binary(matmul, matrix_multiply, x, y)

    def __rmatmul__(y, x):
        return binary(matmul, matrix_multiply, x, y)

    def __neg__(self):
        return record_step(negative, (self,), no_keywords)

    def __pos__(self):
        return record_step(positive, (self,), no_keywords)

    def __abs__(self):
        return record_step(absolute, (self,), no_keywords)

    def __lshift__(x, y):
        return call(np.left_shift, (x, y), no_keywords)

    def __rlshift__(y, x):
        return call(np.left_shift, (x, y), no_keywords)

    def __rshift__(x, y):
        return call(np.right_shift, (x, y), no_keywords)

    def __rrshift__(y, x):
        return call(np.right_shift, (x, y), no_keywords)

    def __ilshift__(self, y):
        return self.in_place(call(np.left_shift, (self, y), no_keywords))

    def __irshift__(self, y):
        return self.in_place(call(np.right_shift, (self, y), no_keywords))

    def __invert__(self):
        return record_step(np.invert, (self,), {})

    def __and__(x, y):
        return binary(np.bitwise_and, PyNumber_And, x, y)

    def __or__(x, y):
        return binary(np.bitwise_or, PyNumber_Or, x, y)

    def __xor__(x, y):
        return binary(np.bitwise_xor, PyNumber_Xor, x, y)

    def __rxor__(y, x):
        return binary(np.bitwise_xor, PyNumber_Xor, x, y)

    def __rand__(y, x):
        return binary(np.bitwise_and, PyNumber_And, x, y)

    def __ror__(y, x):
        return binary(np.bitwise_or, PyNumber_Or, x, y)

    def __richcmp__(x, y, int operation):
        if type(x) is not Traced and not is_operand(x) or type(y) is not Traced and not is_operand(y):
            return NotImplemented
        return record_step(COMPARISONS[operation], (x, y), no_keywords)

    # In place, by value: the name moves to a new step

    def __iadd__(self, y):
        return self.in_place(binary(add, PyNumber_Add, self, y))

    def __isub__(self, y):
        return self.in_place(binary(subtract, PyNumber_Subtract, self, y))

    def __imul__(self, y):
        return self.in_place(binary(multiply, PyNumber_Multiply, self, y))

    def __itruediv__(self, y):
        return self.in_place(binary(divide, PyNumber_TrueDivide, self, y))

    def __ipow__(self, y, z):
        return self.in_place(binary(power, raise_to, self, y))

    def __ifloordiv__(self, y):
        return self.in_place(binary(floor_divide, PyNumber_FloorDivide, self, y))

    def __imod__(self, y):
        return self.in_place(binary(remainder, PyNumber_Remainder, self, y))

    def __iand__(self, y):
        return self.in_place(binary(np.bitwise_and, PyNumber_And, self, y))

    def __ior__(self, y):
        return self.in_place(binary(np.bitwise_or, PyNumber_Or, self, y))

    def __ixor__(self, y):
        return self.in_place(binary(np.bitwise_xor, PyNumber_Xor, self, y))

    def __imatmul__(self, y):
        return self.in_place(binary(matmul, matrix_multiply, self, y))

    cdef object in_place(self, object result):
        if result is NotImplemented or is_number(self._node.value):
            return result
        return self.replace(result)

    def replace(self, Traced new):
        """Give this name the value of another, as in-place operations do; shape and dtype must stay."""
        cdef Node node = new.current(), old = self.current()
        if is_number(old.value):
            raise TypeError("Traced.replace: out must be an array because numbers are immutable; got a number")
        shape, given = np.shape(old.value), np.shape(node.value)
        if shape != given:
            if len(given) > len(shape) or any([n not in (1, m) for n, m in zip(given[::-1], shape[::-1])]):
                raise ValueError(f"Traced: an in-place result must be {shape} because the array is; got {given}")
            node = (<Traced> call(np.broadcast_to, (new, shape), {})).current()
        dtype, given = self.dtype, new.dtype
        if dtype != given:
            if not np.can_cast(given, dtype, "same_kind"):
                raise TypeError(f"Traced: an in-place result must be {dtype} because the array is; got {given}")
            node = (<Traced> call(np.astype, (wrap(node), dtype), {})).current()
        if is_number(node.value):
            node = (<Traced> functions["get"](wrap(node), Ellipsis)).current()
        self.move(node)
        return self

    def __setitem__(self, index, value):
        cdef Traced view = None
        cdef tuple place
        if type(value) is Traced:
            view = value
            if view._pending and view._base is self and same_index(view._place, index):
                view._pending = False
                view.block(-1)
            else:
                view = None
        place = basic(index)
        if place is None or not self.put_basic(place, value):
            self.move((<Traced> _functions["put"](self, index, value)).current())
        if view is not None:
            view._base_node = self._node

    cdef bint put_basic(self, tuple index, object value) except -1:
        # the assignments that loops are made of: a number, or what has the shape and dtype of its place; else False
        cdef Node node = self.current(), new = None
        cdef object changed, given = value
        cdef tuple arguments = (node, value)
        if type(node.value) is not cnp.ndarray:
            return False
        if type(value) is Traced:
            new = (<Traced> value).current()
            given, arguments = new.value, (node, new)
            if new.trace is not node.trace or type(given) is not cnp.ndarray and type(given) is not float64:
                return False
            if given.dtype != node.value.dtype or given.shape != np.shape(node.value[index]):
                return False
        elif type(value) is not float and type(value) is not int:
            return False
        running(node.trace, "put")
        changed = node.value.copy()
        changed[index] = given
        self.move(new_node(changed, _functions["put step"], arguments, {"index": index}, node.trace))
        return True

    def __delitem__(self, index):
        raise ValueError("cannot delete array elements")

    def __getitem__(self, index):
        cdef Traced result
        cdef Node node
        cdef tuple place = basic(index)
        if place is None:
            result = _functions["get"](self, index)
        else:
            node = self.current()
            running(node.trace, "get")
            value = node.value[place]
            keywords = {"index": place, "ndim": ndim_of(node.value)}
            result = wrap(new_node(value, _functions["get step"], (node,), keywords, node.trace))
            if type(value) is Traced and (<Traced> value)._base is not None or (
                isinstance(value, cnp.ndarray) and (<cnp.ndarray> value).base is not NULL
            ):
                result._base = self
                result._base_node = node
        if result._base is self:
            result._place = index
        return result

    def __contains__(self, value):
        return bool(np.any(self == value))

    def view_of(self, Traced base):
        """Remember that this is a view of `base`, where the value does not say so itself."""
        self._base = base
        self._base_node = base.current()
        return self

    def __iter__(self):
        return iterate(self, len(self))

    def __getattr__(self, name):
        method = functions.get(("method", name))
        if method is not None:
            return method(self)
        raise MissingAttribute(
            f"Traced.{name}: a traced value must have a rule for it because others would forget where it came "
            "from; use "
            f"NumPy's functions, or pass fb.stop_gradient(x) for a constant"
        )

    def __reversed__(self):
        return iterate(self[::-1], len(self))

    def __setattr__(self, name, value):
        raise MissingAttribute(
            f"Traced.{name}: attributes must not be set because traced arrays have no memory of their own; use "
            "np.reshape, "
            f"x.astype or x[...] = v"
        )


# To C code a traced value is no sequence: plain[0] = x would end in NumPy's error for sequences instead of ours.
(<PyTypeObject *> Traced).tp_as_sequence.sq_item = NULL


def iterate(array, length):
    """The rows of an array, each as it is when its turn comes."""
    for i in range(length):
        yield array[i]


cdef object conversion(Traced x, str kind):
    # the error for float(x) and its like, which functions of the math module call too
    return number_error(
        x, kind, f"a conversion to {kind}",
        "keep it as it is, use NumPy's functions instead of math's, or pass fb.stop_gradient(x) for a constant",
    )


cdef tuple basic(object index):
    # an index of integers, slices, None and Ellipsis as a tuple, None for any other
    cdef object i
    if type(index) is not tuple:
        index = (index,)
    for i in <tuple> index:
        if type(i) is int or i is None or i is Ellipsis:
            continue
        if type(i) is slice and is_bound(i.start) and is_bound(i.stop) and is_bound(i.step):
            continue
        return None
    return index


cdef bint is_bound(object i):
    return i is None or type(i) is int


cdef int ndim_of(object value):
    while type(value) is Traced:
        value = (<Traced> value)._node.value
    return cnp.PyArray_NDIM(value) if isinstance(value, cnp.ndarray) else 0


cdef bint same_index(object a, object b):
    # the place a view was taken from and the place it is assigned to
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all([same_index(x, y) for x, y in zip(a, b)])
    if isinstance(a, slice):
        return same_index(a.start, b.start) and same_index(a.stop, b.stop) and same_index(a.step, b.step)
    if isinstance(a, (int, np.integer)):
        return a == b
    return a is b
