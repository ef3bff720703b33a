"""The system of a NumPy program, to be looked at, solved, and edited: ``dx = D dp + L dx``."""

import numpy as np
import optree

from ._trace import Node, steps
from .blocks import BlockMatrix
from .display import MOST_CELLS, spy
from .jacobian import ChainedJacobian
from .operators import Identity
from .recording import Recording, matching, matching_tangents
from .solvers import backslash
from .system import derivative

__all__ = ["System", "trace"]


def trace(f, *arguments):
    """Run a NumPy program once and hand out its system ``dx = D dp + L dx``.

    Parameters
    ----------
    f : callable, written with NumPy
    *arguments : float arrays, numbers, or nested lists, tuples and dicts of them
        Their leaves are the parameters p, one block column of D each; they are copied.

    Returns
    -------
    System

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> system = fb.trace(lambda W, x: np.tanh(W @ x), np.eye(2), np.ones(2))
    >>> system.value.round(3)
    array([0.762, 0.762])
    >>> print(system.L)
    ⎡ ·   · ⎤
    ⎣ Mₕ  · ⎦
    >>> [g.round(2) for g in system.vjp(np.array([1.0, 0.0]))]
    [array([[0.42, 0.42],
           [0.  , 0.  ]]), array([0.42, 0.  ])]
    """
    return System(Recording(f, arguments, {}, tuple(range(len(arguments))), "trace"))


class System:
    """``dx = D dp + L dx`` of a recorded program: one block row an elementary step, in the order they ran.

    Attributes
    ----------
    value : the result of the program
    outputs : list of int or None
        The row of every output; None for one that does not depend on the parameters.
    D : BlockMatrix, steps x parameters
    L : BlockMatrix, steps x steps, strictly lower
        Blocks are operators, made when the attribute is read first. Assign edited matrices to `D` and `L` to freeze
        a parameter or cut an edge: `vjp` and `jvp` solve with what stands there.
    names : list of str
        The NumPy function of every row and the line of the program that called it.
    """

    def __init__(self, recording):
        self.recording = recording
        self.value = recording.own_value
        known = [y for y in recording.outputs if y is not None]
        depends, self.steps = set(recording.inputs), []
        for node in steps(known):
            if node.function is not None and any(type(a) is Node and a in depends for a in node.arguments):
                depends.add(node)
                self.steps.append(node)
        # an output that is a parameter is a row of its own, the identity
        self.steps += [y for y in dict.fromkeys(known) if y.function is None]
        self.rows = {node: i for i, node in enumerate(self.steps)}
        self.outputs = [None if y is None else self.rows.get(y) for y in recording.outputs]
        self.D, self.L = self._blocks()

    def _blocks(self):
        columns = {node: j for j, node in enumerate(self.recording.inputs)}
        D, L = {}, {}
        for node, i in self.rows.items():
            if node.function is None:
                D[i, columns[node]] = Identity()
                continue
            for k, argument in enumerate(node.arguments):
                if type(argument) is not Node or not (argument in columns or argument in self.rows):
                    continue
                op = derivative(node, k)
                if op is None:
                    continue
                blocks, at = (D, (i, columns[argument])) if argument in columns else (L, (i, self.rows[argument]))
                blocks[at] = blocks[at] + op if at in blocks else op
        n = len(self.steps)
        return (
            BlockMatrix.from_blocks((n, len(columns)), D),
            BlockMatrix.from_blocks((n, n), L),
        )

    @property
    def names(self):
        return [
            f"{getattr(node.function, '__name__', 'parameter')}  {node.where or ''}".rstrip() for node in self.steps
        ]

    def vjp(self, g):
        """D^H (I - L)^-H g: one cotangent an argument, in its nesting; zeros where there is no dependence.

        Parameters
        ----------
        g : a cotangent in the nesting and shapes of the value
        """
        b = [None] * len(self.steps)
        for row, cotangent in zip(self.outputs, matching(g, self.recording), strict=True):
            if row is not None:
                b[row] = cotangent if b[row] is None else b[row] + cotangent
        v = self.D.H @ backslash((Identity() - self.L).H, b)
        return tuple(self.recording.unflatten(self._filled(v, self.recording.leaves)))

    def jvp(self, *tangents):
        """(I - L)^-1 D dp: the tangent of the value.

        Parameters
        ----------
        *tangents : one an argument, in its nesting and shapes
        """
        x = backslash(Identity() - self.L, self.D @ matching_tangents(tangents, self.recording, "System.jvp"))
        found = [None if row is None else x[row] for row in self.outputs]
        return optree.tree_unflatten(self.recording.out_structure, self._filled(found, self.recording.values))

    @staticmethod
    def _filled(found, like):
        return [np.zeros(np.shape(x), x.dtype) if g is None else g for g, x in zip(found, like, strict=True)]

    def jacobian(self, order="auto", sparse=False):
        """In the nesting of the value a tuple with the Jacobians of every argument; see `fastbs.jacobian`."""
        rows = self.recording.sparse_jacobian(order) if sparse else self.recording.jacobian(order)
        rows = [tuple(self.recording.unflatten(row)) for row in rows]
        return optree.tree_unflatten(self.recording.out_structure, rows)

    def plan_jacobian(self):
        """How `jacobian` would multiply, and the predicted flops of that, of plain forward and of plain reverse.

        Returns
        -------
        dict with keys ``"order"`` (text), ``"flops"``, ``"forward"``, ``"reverse"``
        """
        chain = ChainedJacobian(
            self.recording.inputs, list(dict.fromkeys(y for y in self.recording.outputs if y is not None))
        )
        plan = chain.plan("auto")
        return {
            "order": str(plan),
            "flops": plan.flops,
            "forward": chain.plan("forward").flops,
            "reverse": chain.plan("reverse").flops,
        }

    def spy(self, ax=None):
        """Draw L, its rows named by the NumPy function and the line of the program; see `fastbs.spy`.

        Returns
        -------
        matplotlib Axes

        Examples
        --------
        >>> import matplotlib, numpy as np, fastbs as fb
        >>> matplotlib.use("Agg")
        >>> ax = fb.trace(lambda x: np.sin(x) * x, 1.0).spy()
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['sin, line 1', 'multiply, line 1']
        """
        ax = spy(self.L, ax)
        if len(self.steps) <= MOST_CELLS:
            labels = [
                f"{name.split('  ')[0]}, line {name.rpartition(':')[2]}" if node.function else "parameter"
                for node, name in zip(self.steps, self.names, strict=True)
            ]
            ax.set_yticks(range(len(labels)), labels=labels, fontsize=8)
            ax.set_ylabel("")
        return ax

    def __str__(self):
        width = len(str(max(len(self.steps) - 1, 0)))
        lines = [f"{i:>{width}}  {name}" for i, name in enumerate(self.names)]
        return "\n".join(["dx = D dp + L dx", *lines, "D =", str(self.D), "L =", str(self.L)])
