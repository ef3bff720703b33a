"""Gradients of tanh networks: compiled, by hand in NumPy, by the peers that are installed, and the BLAS floor.

The loss is half the sum of squares, ``X_i = tanh(W_i X_{i-1} + b_i)``; a rival is a function without arguments that
returns the value and the gradient. The floor are the matrix products of both passes alone, through
`scipy.linalg.cython_blas`, to memory that is there already.
"""

import importlib.util
import itertools

import numpy as np

import fastbs as fb
from fastbs._tape import Tape
from fastbs.compiler.instructions import GEMM

from .paired import compare
from .tables import Ratios

__all__ = ["CASES", "RIVALS", "Network", "loss", "report"]

# name -> widths, batch, the rival of ours that is asked for, and the most that it may take of each peer's time:
# (float64, float32) of the floor, NumPy by hand, jax.jit and PyTorch eager
CASES = {
    "1 x 64, 1": ((1,) * 65, 1, "fastbs bound", (0.2, 0.17), (1 / 200,) * 2, (1 / 120,) * 2, (1 / 700,) * 2),
    "1 x 64, 1 call": ((1,) * 65, 1, "fastbs call", (3.0,) * 2, (1 / 15,) * 2, (1 / 7,) * 2, (1 / 35,) * 2),
    "16 x 4, 1": ((16,) * 5, 1, "fastbs bound", (0.45, 0.42), (1 / 40,) * 2, (1 / 40,) * 2, (1 / 250,) * 2),
    "16 x 4, 1 out": ((16,) * 5, 1, "fastbs out", (0.33,) * 2, None, None, None),
    "32 x 8, 8": ((32,) * 9, 8, "fastbs call", (0.75, 0.85), (1 / 8,) * 2, (1 / 7,) * 2, (1 / 30,) * 2),
    "64 x 4, 32": ((64,) * 5, 32, "fastbs call", (0.93, 0.85), (1 / 3,) * 2, (1 / 2.2, 1 / 3), (1 / 6.5,) * 2),
    "128 x 4, 128": ((128,) * 5, 128, "fastbs call", (1.1,) * 2, (0.6, 0.8), (0.77, 0.8), (0.5,) * 2),
    "256 x 4, 256": ((256,) * 5, 256, "fastbs call", (1.06,) * 2, (0.75, 0.88), (0.92,) * 2, (0.75,) * 2),
    "784-256-128-10, 128": (
        (784, 256, 128, 10), 128, "fastbs call", (1.06,) * 2, (0.85, 0.92), (0.87, 0.8), (0.72,) * 2,
    ),
    "1024 x 3, 512": ((1024,) * 4, 512, "fastbs call", (1.04,) * 2, (1.05,) * 2, (1.0,) * 2, (1.05,) * 2),
}  # fmt: skip
RIVALS = ("floor", "NumPy", "jax", "torch")


def loss(parameters, X, Y):
    for W, b in parameters:
        X = np.tanh(W @ X + b)
    return 0.5 * np.sum((X - Y) ** 2)


class Network:
    """One case of the table: parameters, data and rivals.

    Parameters
    ----------
    widths : tuple of int
    batch : int
    dtype : numpy dtype, float64 or float32
    """

    def __init__(self, widths, batch, dtype=np.float64):
        rng = np.random.default_rng(0)

        def normal(*shape):
            return rng.normal(size=shape).astype(dtype)

        self.widths, self.batch, self.dtype = widths, batch, np.dtype(dtype)
        self.parameters = [
            (normal(n, m) / np.sqrt(m).astype(dtype), normal(n, 1)) for m, n in itertools.pairwise(widths)
        ]
        self.X, self.Y = normal(widths[0], batch), normal(widths[-1], batch)
        self.compiled = fb.compile(fb.value_and_grad(loss))

    def rivals(self, peers=("jax", "torch", "autograd")):
        """``{name: function}`` of all that can run here, the peers among those named."""
        made = {
            "fastbs call": lambda: self.compiled(self.parameters, self.X, self.Y),
            "fastbs bound": self.compiled.bind(self.parameters, self.X, self.Y),
            "fastbs out": self.bound_out(),
            "floor": self.floor(),
            "NumPy": self.by_hand,
        }
        for name, make in PEERS.items():
            if name in peers and importlib.util.find_spec(name):
                made[name] = make(self)
        return made

    def bound_out(self):
        size = sum(W.size + b.size for W, b in self.parameters)
        return self.compiled.bind(self.parameters, self.X, self.Y, out=np.empty(size, self.dtype))

    def by_hand(self):
        X = [self.X]
        for W, b in self.parameters:
            X.append(np.tanh(W @ X[-1] + b))
        difference = X[-1] - self.Y
        gradient, G = [], difference
        for (W, _), x, y in zip(self.parameters[::-1], X[-2::-1], X[:0:-1], strict=True):
            D = G * (1 - y * y)
            gradient.append((D @ x.T, D.sum(axis=1, keepdims=True)))
            G = W.T @ D
        return 0.5 * np.sum(difference * difference), gradient[::-1]

    def floor(self):
        """The products of both passes, one call of gemm each: W X, D X^T, and W^T D but for the first layer."""
        code, itemsize = [], self.dtype.itemsize
        k = self.batch
        layers = list(zip(self.widths, self.widths[1:], strict=False))
        n_layers = len(layers)
        # slots: X, W_1..W_n | dW_1..dW_n | arena with x_1..x_n and d
        first_out = 1 + n_layers
        arena_slot = first_out + n_layers
        places, top = [], 0
        for n in self.widths[1:]:
            places.append(top)
            top += -(-n * k // 16) * 16
        d = top
        top += max(self.widths) * k
        index = {np.dtype(np.float32): 0, np.dtype(np.float64): 1}[self.dtype]

        def product(m, n, k, a, b, c):
            nothing = 2.0 * m * n * k
            code.append((GEMM, index, 0, -1, 1, m, n, k, 1.0, 0.0, nothing, a, b, c, c, None))

        x = [(0, 0, k, 1, 0)] + [(arena_slot, place, k, 1, 0) for place in places]
        for i, (m, n) in enumerate(layers):
            product(n, k, m, (1 + i, 0, m, 1, 0), x[i], x[i + 1])
        for i in reversed(range(n_layers)):
            m, n = layers[i]
            product(n, m, k, x[i + 1], transposed(x[i]), (first_out + i, 0, m, 1, 0))
            if i:
                product(m, k, n, transposed((1 + i, 0, m, 1, 0)), x[i + 1], (arena_slot, d, k, 1, 0))
        inputs = [layout(self.X), *(layout(W) for W, _ in self.parameters)]
        outputs = [layout(W) for W, _ in self.parameters]
        tape = Tape(inputs, outputs, [], code, top * itemsize)
        arguments = [self.X, *(W for W, _ in self.parameters)]
        results = [np.zeros(W.shape, self.dtype) for W, _ in self.parameters]
        return tape.bound(arguments, results)

    def as_tensors(self, convert):
        return [(convert(W), convert(b)) for W, b in self.parameters], convert(self.X), convert(self.Y)


def layout(x):
    return x.dtype, x.shape, x.strides


def transposed(operand):
    slot, offset, rs, cs, bs = operand
    return slot, offset, cs, rs, bs


def jax_rival(network, asynchronous):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", asynchronous)

    def loss(parameters, X, Y):
        for W, b in parameters:
            X = jnp.tanh(W @ X + b)
        return 0.5 * jnp.sum((X - Y) ** 2)

    gradient = jax.jit(jax.value_and_grad(loss))
    arguments = network.as_tensors(jnp.asarray)
    return lambda: jax.block_until_ready(gradient(*arguments))


def torch_rival(network):
    import torch

    torch.set_num_threads(1)
    parameters, X, Y = network.as_tensors(torch.from_numpy)
    leaves = [p.requires_grad_() for pair in parameters for p in pair]

    def gradient():
        x = X
        for W, b in parameters:
            x = torch.tanh(torch.addmm(b, W, x))
        value = 0.5 * torch.sum((x - Y) ** 2)
        return value, torch.autograd.grad(value, leaves)

    return gradient


def autograd_rival(network):
    import autograd
    import autograd.numpy as anp

    def loss(parameters, X, Y):
        for W, b in parameters:
            X = anp.tanh(anp.dot(W, X) + b)
        return 0.5 * anp.sum((X - Y) ** 2)

    gradient = autograd.value_and_grad(loss)
    return lambda: gradient(network.parameters, network.X, network.Y)


PEERS = {
    "jax": lambda network: jax_rival(network, False),
    "torch": torch_rival,
    "autograd": autograd_rival,
}


def report(sizes, rounds):
    """Print one row per network, dtype and rival that is installed; return how many bounds are missed."""
    table = Ratios("{:<20}{:<9}{:<13}", "widths, batch", "dtype", "", against=7)
    for case, (widths, batch, ours, *bounds) in CASES.items():
        if sizes and max(widths) not in sizes:
            continue
        for i, dtype in enumerate((np.float64, np.float32)):
            rivals = Network(widths, batch, dtype).rivals()
            required = {name: both[i] for name, both in zip(RIVALS, bounds, strict=True) if both and name in rivals}
            result = compare({name: rivals[name] for name in (ours, *required)}, "floor", rounds)
            for name, bound in required.items():
                table.add(result, ours, name, bound, case, dtype.__name__, ours)
    return table.missed
