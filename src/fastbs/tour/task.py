"""What is predicted: one of several classes, or a number. Each is a loss, its gradient, and a score."""

import numpy as np

__all__ = ["Classes", "Numbers"]


class Classes:
    """loss(Z) = 1/k sum_j (log sum_i exp Z_ij - sum_i Y_ij Z_ij), with gradient (softmax(Z) - Y)/k.

    Parameters
    ----------
    names : list of str
        The classes; a target is an index into it.
    """

    loss_name = "softmax cross-entropy"

    def __init__(self, names):
        self.names = list(names)
        self.outputs = len(self.names)

    def encode(self, target):
        """(k,) indices -> Y of shape (classes, k), Y_ij = 1 where example j is of class i."""
        return np.eye(self.outputs)[:, target]

    def decode(self, Z):
        """(classes, k) outputs -> (k,) indices of the likeliest class."""
        return np.argmax(Z, axis=0)

    def loss(self, Z, Y):
        """Mean cross-entropy of (classes, k) outputs, in nats; real or complex Z."""
        top = Z.real.max(axis=0)  # any constant shift cancels; this one keeps exp from overflowing
        return np.mean(top + np.log(np.sum(np.exp(Z - top), axis=0)) - np.sum(Y * Z, axis=0))

    def loss_gradient(self, Z, Y):
        """(softmax(Z) - Y)/k of shape (classes, k)."""
        E = np.exp(Z - Z.max(axis=0))
        return (E / E.sum(axis=0) - Y) / Z.shape[1]

    def confusion(self, truth, predicted):
        """C[i, j] = number of examples of class i that were called j."""
        counts = np.zeros((self.outputs, self.outputs), dtype=int)
        np.add.at(counts, (truth, predicted), 1)
        return counts


class Numbers:
    """loss(Z) = 1/(2k) ||Z - Y||_F^2, with gradient (Z - Y)/k; Y is the target, standardized.

    Parameters
    ----------
    mean, scale : float
        Of the training targets, in their unit; ``scale`` is their standard deviation.
    """

    loss_name = "squared error"
    outputs = 1

    def __init__(self, mean, scale):
        self.mean, self.scale = mean, scale

    def encode(self, target):
        """(k,) numbers -> Y = (target - mean)/scale of shape (1, k)."""
        return ((target - self.mean) / self.scale)[None, :]

    def decode(self, Z):
        """(1, k) outputs -> (k,) numbers in the unit of the target."""
        return Z[0] * self.scale + self.mean

    def loss(self, Z, Y):
        """Half the mean squared error, in squared standard deviations; real or complex Z."""
        return np.sum((Z - Y) ** 2) / (2 * Z.shape[1])

    def loss_gradient(self, Z, Y):
        """(Z - Y)/k of shape (1, k)."""
        return (Z - Y) / Z.shape[1]
