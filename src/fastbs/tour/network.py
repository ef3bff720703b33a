"""The layered network, its block system (D, I - L), and its loss: the gradient is one backslash."""

from itertools import pairwise

import numpy as np

import fastbs as fb

__all__ = ["Network", "Objective", "subscript"]

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class Network:
    """X_i = h_i(W_i X_{i-1} + b_i 1^T) for i = 1..N; h_i = tanh except the last, which is the identity.

    The differentials of all its steps obey dX = D dp + L dX, with Delta_i = h_i'(W_i X_{i-1} + b_i 1^T),

        D = Diagonal of rows [Hadamard(Delta_i) @ Right(X_{i-1}), Hadamard(Delta_i) @ Right(1^T)]
        L[i, i-1] = Hadamard(Delta_i) @ Left(W_i)

    Parameters
    ----------
    widths : ints n_0, ..., n_N
        Rows of X_0 (features), of each hidden X_i, and of X_N (outputs). W_i is (n_i, n_{i-1}), b_i (n_i, 1).

    Source    Edelman, Akyurek, Wang (2024), section 3
    """

    def __init__(self, widths):
        self.widths = tuple(widths)
        self.shapes = [shape for n, m in pairwise(self.widths) for shape in ((m, n), (m, 1))]
        self.size = sum(m * n for m, n in self.shapes)

    def initial(self, rng):
        """W_i ~ N(0, 1/n_{i-1}), b_i = 0, flat: with standardized features no tanh starts saturated."""
        return self.flatten(
            [(rng.normal(size=(m, n)) / np.sqrt(n), np.zeros((m, 1))) for n, m in pairwise(self.widths)]
        )

    def flatten(self, parameters):
        """[(W_1, b_1), ..., (W_N, b_N)] -> (size,), each block row by row; a copy."""
        return np.concatenate([np.ravel(block) for layer in parameters for block in layer])

    def unflatten(self, flat):
        """(size,) -> [(W_1, b_1), ..., (W_N, b_N)], views of ``flat``."""
        ends = np.cumsum([m * n for m, n in self.shapes])
        blocks = [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), self.shapes, strict=True)]
        return list(zip(blocks[::2], blocks[1::2], strict=True))

    def states(self, X, dtype=float):
        """[X_0, ..., X_N] for k examples: X_0 = X of shape (n_0, k), the others (n_i, k), yet to be filled."""
        return [X, *(np.empty((n, X.shape[1]), dtype) for n in self.widths[1:])]

    def forward(self, parameters, X):
        """Fill X_1, ..., X_N of ``states`` in place from X_0; returns X_N. Real or complex, plain NumPy."""
        for (W, b), x, out in zip(parameters, X[:-1], X[1:], strict=True):
            np.matmul(W, x, out=out)
            out += b
            if out is not X[-1]:
                np.tanh(out, out=out)
        return X[-1]

    def system(self, parameters, X, delta):
        """(D, I - L) over these arrays, all kept by reference: when they are refilled, it follows.

        Parameters
        ----------
        parameters : [(W_1, b_1), ..., (W_N, b_N)]
        X : [X_0, ..., X_N], as ``states`` makes them
        delta : [Delta_1, ..., Delta_N], of the shapes of X_1, ..., X_N
        """
        N, k = len(parameters), X[0].shape[1]
        # The symbols are for str(D), str(I - L) and spy.
        slope = [fb.Hadamard(d, f"Δ{subscript(i)}") for i, d in enumerate(delta, start=1)]
        state = [fb.Right(x, f"X{subscript(i)}") for i, x in enumerate(X)]
        weight = [fb.Left(W, f"W{subscript(i)}") for i, (W, _) in enumerate(parameters, start=1)]
        one = fb.Right(np.ones((1, k)), "1ᵀ")
        D = fb.Diagonal([[slope[i] @ state[i], slope[i] @ one] for i in range(N)])
        I_L = fb.Bidiagonal([fb.Identity()] * N, [-(slope[i] @ weight[i]) for i in range(1, N)], uplo="L")
        return D, I_L


class Objective:
    """f(p) = task.loss(X_N, Y) + c/(2k) sum_i ||W_i||_F^2, with its gradient by one backslash.

    exp(-k f) is a posterior density, and c the inverse variance of its Gaussian prior on every weight; so the
    penalty fades as examples come in.

    Parameters
    ----------
    network : Network
    task : Classes or Numbers
    X : (n_0, k) float64 array, kept by reference
        Features, one example per column.
    Y : (n_N, k) float64 array, kept by reference
        Targets as ``task.encode`` makes them.
    c : float
        Inverse variance of the prior on the weights.
    clock : Clock
        Where the seconds of every stage are written down.
    """

    def __init__(self, network, task, X, Y, c, clock):
        self.network, self.task, self.Y, self.clock = network, task, Y, clock
        self.weight_decay = c / X.shape[1]
        # One set of arrays, refilled at each call: the system over them is built, and analysed, only once.
        self.flat = np.zeros(network.size)
        self.parameters = network.unflatten(self.flat)
        self.X = network.states(X)
        self.delta = [np.ones_like(x) for x in self.X[1:]]  # the last one stays 1: h_N' = 1
        with clock.stage("building D and I − L"):
            self.D, self.I_L = network.system(self.parameters, self.X, self.delta)

    def loss(self, flat):
        """task.loss(X_N, Y) at p of shape (size,), real or complex: plain NumPy, nothing of fastbs."""
        X = self.network.states(self.X[0], flat.dtype)
        return self.task.loss(self.network.forward(self.network.unflatten(flat), X), self.Y)

    def penalty(self, flat):
        """c/(2k) sum_i ||W_i||_F^2; without a conjugate, so that it stays analytic."""
        return self.weight_decay / 2 * sum(np.sum(W * W) for W, _ in self.network.unflatten(flat))

    def value_and_gradient(self, flat):
        """f(p) and D^H ((I - L)^H \\ g) + (c/k) W, flat, from one forward pass and one backslash."""
        with self.clock.stage("forward pass, slopes, loss"):
            self.flat[:] = flat
            Z = self.network.forward(self.parameters, self.X)
            for x, d in zip(self.X[1:-1], self.delta, strict=False):
                np.subtract(1, np.multiply(x, x, out=d), out=d)  # tanh' = 1 - tanh^2
            value = self.task.loss(Z, self.Y) + self.penalty(flat)
            g = [None] * (len(self.parameters) - 1) + [self.task.loss_gradient(Z, self.Y)]
        with self.clock.stage("v = (I − L)ᴴ \\ g, the backslash"):
            v = fb.backslash(self.I_L.H, g)
        with self.clock.stage("gradient = Dᴴ v"):
            gradient = self.D.H @ v
        with self.clock.stage("its penalty, flattening"):
            gradient = self.network.flatten(
                [(dW + self.weight_decay * W, db) for (dW, db), (W, _) in zip(gradient, self.parameters, strict=True)]
            )
        return value, gradient


def subscript(number):
    """12 -> "₁₂"."""
    return str(number).translate(SUBSCRIPTS)
