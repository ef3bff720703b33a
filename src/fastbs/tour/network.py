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

    def forward(self, parameters, X):
        """[X_0, ..., X_N] from X_0 = X of shape (n_0, k), k examples in columns; real or complex."""
        states = [X]
        for W, b in parameters[:-1]:
            states.append(np.tanh(W @ states[-1] + b))
        W, b = parameters[-1]
        return [*states, W @ states[-1] + b]

    def system(self, parameters, X):
        """(D, I - L) at the states X = [X_0, ..., X_N] that ``forward`` returned."""
        N, k = len(parameters), X[0].shape[1]
        W = [weights for weights, _ in parameters]
        # tanh' = 1 - tanh^2, which the states already hold.
        delta = [1 - x * x for x in X[1:-1]] + [np.ones_like(X[-1])]
        # The symbols are for str(D), str(I - L) and spy.
        after = [fb.Hadamard(d, f"Δ{subscript(i)}") for i, d in enumerate(delta, start=1)]
        one = fb.Right(np.ones((1, k)), "1ᵀ")
        D = fb.Diagonal([[after[i] @ fb.Right(X[i], f"X{subscript(i)}"), after[i] @ one] for i in range(N)])
        I_L = fb.Bidiagonal(
            [fb.Identity()] * N,
            [-(after[i] @ fb.Left(W[i], f"W{subscript(i + 1)}")) for i in range(1, N)],
            uplo="L",
        )
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
        self.network, self.task, self.X, self.Y, self.clock = network, task, X, Y, clock
        self.weight_decay = c / X.shape[1]

    def loss(self, flat):
        """task.loss(X_N, Y) at p of shape (size,), real or complex: plain NumPy, nothing of fastbs."""
        X = self.network.forward(self.network.unflatten(flat), self.X)
        return self.task.loss(X[-1], self.Y)

    def penalty(self, flat):
        """c/(2k) sum_i ||W_i||_F^2; without a conjugate, so that it stays analytic."""
        return self.weight_decay / 2 * sum(np.sum(W * W) for W, _ in self.network.unflatten(flat))

    def value_and_gradient(self, flat):
        """f(p) and D^H ((I - L)^H \\ g) + (c/k) W, flat, from one forward pass and one backslash."""
        parameters = self.network.unflatten(flat)
        with self.clock.stage("forward pass and loss"):
            X = self.network.forward(parameters, self.X)
            value = self.task.loss(X[-1], self.Y) + self.penalty(flat)
            g = [None] * (len(parameters) - 1) + [self.task.loss_gradient(X[-1], self.Y)]
        with self.clock.stage("building D and I − L"):
            D, I_L = self.network.system(parameters, X)
        with self.clock.stage("v = (I − L)ᴴ \\ g, the backslash"):
            cotangents = fb.backslash(I_L.H, g)
        with self.clock.stage("Dᴴ v"):
            gradient = D.H @ cotangents
        with self.clock.stage("penalty, flattening"):
            gradient = self.network.flatten(
                [(dW + self.weight_decay * W, db) for (dW, db), (W, _) in zip(gradient, parameters, strict=True)]
            )
        return value, gradient


def subscript(number):
    """12 -> "₁₂"."""
    return str(number).translate(SUBSCRIPTS)
