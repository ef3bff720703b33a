"""compile: a function of arrays becomes one tape a signature, which runs in one call."""

import functools
import math
import threading
import warnings
from collections import OrderedDict

import numpy as np

from . import contractions as _contractions  # noqa: F401  (completes the table)
from . import linear_algebra as _linear_algebra  # noqa: F401  (completes the table)
from . import lowerings as _lowerings  # noqa: F401  (completes the table)
from ._tape import MISS, BoundPlan, CompiledFunction, Plan
from ._trace import Traced, node_of, steps, trace
from .arguments import check_threads, is_array
from .compiler.assemble import PASSES, assemble, optimized
from .compiler.checkpoints import checkpointed
from .compiler.instructions import NotLowerable
from .compiler.loops import inner_programs
from .compiler.program import Step, from_nodes, same_programs
from .compiler.report import Report
from .draws import Draws
from .errors import DtypeError, ShapeError, TraceError
from .rules.assignment import clear, put
from .rules.indexing import add_at, get
from .signatures import KIND, NAME, Signature, built, c_layout, flatten, is_constant, results_pattern

__all__ = ["Compiled", "compile"]

MOST_PLANS = 64
MANY_PLANS = 16
MOST_TRACES = 16


def compile(f, checkpoint=None, threads=1):
    """A function that traces f once per signature of its arguments, and runs the resulting tape from then on.

    Parameters
    ----------
    f : callable
        Of arrays and numbers, also in nested lists, tuples and dicts, written in NumPy; derivatives are functions like
        any other: ``compile(value_and_grad(loss))``.
    checkpoint : int, optional
        How many states of a loop through `scan` its gradient keeps, beside up to four in work; the others are computed
        again, with the fewest steps, and results stay the same bit for bit. Loops over a few numbers are then solved
        step by step, and not in the faster order that makes arrays over all steps. Takes the package
        ``checkpoint-schedules``, compile time that grows with the number of steps, and 16 bytes for each step that
        the schedule runs. By default all are kept, as they are of loops whose states something else needs too, such as
        a second derivative.
    threads : int, optional
        How many run products and elementwise loops of more than about a million operations, in parts, and share long
        axes that are cut into chunks. Shorter ones, and by default all, stay on the calling thread. Results are the
        same in every run; they may differ in the last digits from those of another number of threads.

    Returns
    -------
    Compiled
        Called as f. The signature are the nesting, and the shape, dtype and memory order (C or F) of every array;
        floats are values, while ints, bools, strings and None are part of the signature. Arrays that f finds outside
        of its arguments are captured with the values they have when it is traced.

    Raises
    ------
    TraceError
        If a branch, a shape or a random number depends on values.
    ValueError
        If `checkpoint` or `threads` is less than 1.

    Notes
    -----
    64 plans are kept for each function, the ones used last; after 16 of them a warning says so.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> loss = lambda w, x: np.sum(np.tanh(w @ x) ** 2)
    >>> gradient = fb.compile(fb.grad(loss))
    >>> w, x = np.eye(2), np.array([0.5, 0.0])
    >>> gradient(w, x).round(3)
    array([[0.363, 0.   ],
           [0.   , 0.   ]])
    """
    return Compiled(f, checkpoint=checkpoint, threads=threads)


class Compiled(CompiledFunction):
    """A compiled function; see `compile`.

    Attributes
    ----------
    f : the function
    passes : tuple of str
        The passes that a program goes through, for tests.
    checkpoint : int or None
    threads : int
    """

    def __init__(self, f, passes=PASSES, checkpoint=None, threads=1):
        if not callable(f):
            raise TypeError(f"compile: f must be callable because it is traced; got {type(f).__name__}")
        is_count = isinstance(checkpoint, (int, np.integer)) and not isinstance(checkpoint, bool)
        if checkpoint is not None and (not is_count or checkpoint < 1):
            raise ValueError(
                f"compile: checkpoint must be a positive int because so many states are kept; got {checkpoint!r}"
            )
        check_threads(threads, "compile")
        functools.update_wrapper(self, f)
        self.f = f
        self.checkpoint = checkpoint if checkpoint is None else int(checkpoint)
        self.threads = threads
        self.passes = passes
        self.plans = OrderedDict()  # signature -> Plan
        self.lock = threading.RLock()  # a function may call itself while it is traced
        self.made = 0

    def __reduce__(self):
        return Compiled, (self.f, self.passes, self.checkpoint, self.threads)

    def _miss(self, arguments, keywords):
        """The plan used last does not fit: find or make another one."""
        signature = Signature(arguments, keywords)
        if signature.is_traced:
            return self.f(*arguments, **keywords)  # inside of another trace its steps are steps there
        plan = self.plan = self._plan(signature)
        result = plan.run(arguments, keywords)  # another thread may have changed self.plan
        if result is MISS:
            raise AssertionError("compile: the plan does not fit the arguments it was made for")
        return result

    def _plan(self, signature):
        with self.lock:
            plan = self.plans.get(signature.key)
            if plan is not None:
                self.plans.move_to_end(signature.key)
                return plan
            plan = make_plan(self.f, signature, self.passes, self.checkpoint, self.threads)
            self.made += 1
            if self.made == MANY_PLANS + 1:
                warnings.warn(
                    f"{getattr(self.f, '__name__', 'f')}: compiled for more than {MANY_PLANS} signatures; pad arrays "
                    "to few shapes, or pass changing numbers as floats",
                    RuntimeWarning,
                    stacklevel=3,  # compiled code has no frames
                )
            self.plans[signature.key] = plan
            if len(self.plans) > MOST_PLANS:
                self.plans.popitem(last=False)
            return plan

    def bind(self, *arguments, out=None, **keywords):
        """Fix the arguments; the contents of the arrays may change between calls.

        Parameters
        ----------
        *arguments, **keywords : of f; arrays C- or F-contiguous, kept by reference
        out : 1-d array, optional
            Where the flat results go at each call; without it each call returns an array that nobody else holds: a new
            one, or one of the last two if it was dropped (they stay in memory as long as `bound`).

        Returns
        -------
        bound : callable without arguments
            For a function that returns a scalar and something else, such as `value_and_grad`, the scalar and the other
            arrays one after the other in one flat array; for any other function all arrays in one flat array.
            ``bound.unflatten(flat)`` makes views of it in the nesting of the result.

        Raises
        ------
        ValueError
            If an array is not contiguous: changes of it could not be seen.
        DtypeError
            If the arrays of the result have several dtypes.
        """
        signature = Signature(arguments, keywords)
        if signature.is_traced:
            raise TraceError("Compiled.bind: arguments must be plain because they are fixed; got a traced value")
        return Bound(self._plan(signature), arguments, keywords, out)

    def report(self):
        """What the plan used last does: steps, flops, bytes, arena, fusions, calls into Python."""
        if self.plan is None:
            return "not compiled yet: call it first"
        return str(self.plan.tape.report)


def make_plan(f, signature, passes=PASSES, checkpoint=None, threads=1):
    """Trace f and assemble its tape."""
    program, results = determined_program(f, signature)
    check_shapes(program)
    if checkpoint is not None:
        passes = [name for name in passes if name != "distributed"]  # which makes arrays over all steps
    program = optimized(program, passes)
    if checkpoint is not None:
        program = checkpointed(program, checkpoint)
    outputs = [c_layout(*kind_of(y)) for y in program.outputs]
    options = {"calls": True, "report": Report, "threads": threads}
    try:
        tape = assemble(program, signature.layouts(), outputs, passes=passes, **options)
    except NotLowerable:  # a sum of products too large for BLAS's integers, or of too many axes
        passes = [name for name in passes if name != "sums"]
        tape = assemble(program, signature.layouts(), outputs, passes=passes, **options)
    return Plan(tape, signature.arguments, signature.keywords, results)


def determined_program(f, signature):
    """The program of f, and the pattern of its results, if neither is made by chance."""
    draws = Draws(f)
    program, results = traced_program(f, signature)
    drew = draws.seen()
    for _ in range(MOST_TRACES):
        again, _ = traced_program(f, signature)
        check_deterministic(program, again, f)
        drew = drew and draws.seen()
        if not drew and not draws.may_make:
            return program, results
    if not drew:  # what was made in each trace has a seed, or these would differ
        return program, results
    if drew == "own" or threading.active_count() == 1:
        raise different(f, "random numbers drawn in each of them")
    return program, results  # other threads draw all the time


def traced_program(f, signature):
    """The program of f, and the pattern of its results."""
    structure = []

    def run(*leaves):
        result = f(*built(signature.arguments, leaves), **built(signature.keywords, leaves))
        leaves, tree = flatten(result)
        structure.append(tree)
        return leaves

    with np.errstate(all="ignore"):
        inputs, leaves, level = trace(run, signature.leaves, replayed=True)
    outputs, kept = [], []
    for y in leaves:
        if type(y) is Traced and y.level == level:
            kept.append((KIND["result"], len(outputs)))
            outputs.append(node_of(y))
        elif type(y) is not Traced and is_array(y) and np.ndim(y):
            kept.append((KIND["result"], len(outputs)))
            outputs.append(np.array(y))
        elif type(y) is Traced:
            raise TraceError("compile: a result must not belong to another trace because the tape cannot compute it")
        elif not is_array(y) and not is_constant(y):
            raise TraceError(
                f"compile: results must be arrays, numbers, strings or containers of them because others may hold "
                f"traced values; got {type(y).__name__}: return a tuple or a dict, or register it with optree"
            )
        else:
            kept.append((KIND["value"], y[()] if isinstance(y, np.ndarray) else y))
    order = steps([y for y in outputs if not isinstance(y, np.ndarray)])
    return from_nodes(inputs, outputs, order), results_pattern(structure[0], kept)


def kind_of(y):
    return (y.shape, y.dtype) if type(y) is Step else (np.shape(y), np.result_type(y))


def check_deterministic(program, again, f):
    """Two traces of the same arguments must be the same program, or the first one was made by chance."""
    if not same_programs(program, again):
        raise different(f, "two different programs from the same arguments")


def different(f, got):
    return TraceError(
        f"compile: {getattr(f, '__name__', 'f')} must do the same each time because its steps are replayed; got {got}: "
        "pass random numbers, times and counters as arguments"
    )


DATA_SHAPED = {"nonzero", "nonzero_along", "flatnonzero", "argwhere", "unique", "union1d", "intersect1d", "setdiff1d"}


INDEXED = {get: 1, add_at: 1, clear: 1, put: 2}  # where the index arrays begin among the arguments


def check_shapes(program):
    """Shapes must not depend on values."""
    for step in program.steps:
        for inner in inner_programs(step):
            check_shapes(inner)
        indices = step.arguments[INDEXED[step.function] :] if step.function in INDEXED else ()
        mask = any(type(a) is Step and a.dtype == bool for a in indices)
        if mask or getattr(step.function, "__name__", "") in DATA_SHAPED:
            raise TraceError(
                f"{getattr(step.function, '__name__', step.function)}: shapes must not depend on values under "
                f"compile because the plan is made for one shape; got a traced "
                f"{'mask' if mask else 'condition'} at {step.where}: use np.where(mask, x, 0) and sums, or leave "
                "compile away"
            )


class Bound(BoundPlan):
    """A compiled function with its arguments; see `Compiled.bind`."""

    def __new__(cls, plan, arguments, keywords, out=None):
        outputs = plan.tape.output_layouts()
        results = plan.results
        is_pair = NAME[results[0]] == "tuple" and len(results) == 3 and NAME[results[1][0]] == "result"
        value = results[1][1] if is_pair and outputs[results[1][1]][1] == () else -1
        flat = tuple(i for i in range(len(outputs)) if i != value)
        dtypes = {outputs[i][0] for i in flat}
        if len(dtypes) > 1:
            raise DtypeError(
                f"Compiled.bind: results must have one dtype because they share a flat array; got "
                f"{sorted(map(str, dtypes))}"
            )
        size = sum(math.prod(outputs[i][1]) for i in flat)
        if out is not None:
            dtype = dtypes.pop() if dtypes else np.dtype(float)
            if type(out) is not np.ndarray or out.shape != (size,) or out.dtype != dtype:
                got = f"{out.dtype} of shape {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
                raise ShapeError(f"Compiled.bind: out must be a {dtype} array of shape {(size,)}; got {got}")
            if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
                raise ValueError("Compiled.bind: out must be contiguous and writeable because kernels write there")
            if any(np.may_share_memory(out, leaf) for leaf in Signature(arguments, keywords).leaves if np.ndim(leaf)):
                raise ValueError("Compiled.bind: out must not share memory with an argument because both are in use")
        self = super().__new__(cls, plan, arguments, keywords, flat, value, out)
        if self.copies:
            raise ValueError(
                "Compiled.bind: arrays must be C- or F-contiguous because changes of their contents are to be seen; "
                "got strided ones, pass np.ascontiguousarray(x)"
            )
        return self

    def __init__(self, plan, arguments, keywords, out=None):
        self.outputs = plan.tape.output_layouts()
        pattern = plan.results
        is_pair = NAME[pattern[0]] == "tuple" and len(pattern) == 3 and NAME[pattern[1][0]] == "result"
        self.value_number = pattern[1][1] if is_pair and self.outputs[pattern[1][1]][1] == () else -1
        self.pattern = pattern[2] if self.value_number >= 0 else pattern

    def __reduce__(self):
        raise TypeError(
            "Compiled.bind: what it gives cannot be pickled or copied because it holds the memory of its arguments; "
            "pickle the compiled function, and bind it anew"
        )

    def unflatten(self, flat):
        """Views of the flat array in the nesting of the result, without the scalar.

        Raises
        ------
        ShapeError
            If it has another size.
        """
        views, start = {}, 0
        size = sum(math.prod(shape) for i, (_, shape, _) in enumerate(self.outputs) if i != self.value_number)
        if np.shape(flat) != (size,):
            raise ShapeError(
                f"Bound.unflatten: flat must have shape {(size,)} because so many numbers are the results; got "
                f"{np.shape(flat)}"
            )
        for i, (_, shape, _) in enumerate(self.outputs):
            if i == self.value_number:
                continue
            count = math.prod(shape)
            views[i] = flat[start : start + count].reshape(shape)
            start += count
        return built(self.pattern, views)
