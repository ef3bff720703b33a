"""The digits network of ``python -m fastbs`` in three lines of NumPy: the same gradient, without writing D and L.

There the block system is written down by hand, row by row; here it comes from the trace of the program.

Usage: python examples/digits.py
"""

import numpy as np
from scipy.optimize import minimize

import fastbs as fb
from fastbs.scipy.special import logsumexp
from fastbs.tour.network import Network, Objective
from fastbs.tour.problem import digits_problem
from fastbs.tour.training import Clock


def network(parameters, X):
    *hidden, (W, b) = parameters
    for V, c in hidden:
        X = np.tanh(V @ X + c)
    return W @ X + b


def loss(parameters, X, Y, penalty):
    """The mean cross-entropy of the classes Y, one column an image, and the penalty of the weights."""
    Z = network(parameters, X)
    squares = sum(np.sum(W**2) for W, _ in parameters)
    return np.mean(logsumexp(Z, axis=0) - np.sum(Y * Z, axis=0)) + penalty / (2 * X.shape[1]) * squares


def main(hidden=(48, 32), iterations=200, penalty=1.0):
    problem = digits_problem()
    X, labels = problem.part(~problem.is_test)
    Y = problem.task.encode(labels)
    written = Network([len(X), *hidden, problem.task.outputs])  # the tour's, with D and I - L by hand
    flat = written.initial(np.random.default_rng(0))
    objective = Objective(written, problem.task, X, Y, penalty, Clock())

    value, by_hand = objective.value_and_gradient(flat)
    traced_value, gradient = fb.value_and_grad(loss)(written.unflatten(flat), X, Y, penalty)
    difference = np.linalg.norm(written.flatten(gradient) - by_hand) / np.linalg.norm(by_hand)
    print(f"loss {traced_value:.12f}, by hand {value:.12f}; gradients differ by {difference:.1e} of their norm")

    bound = fb.compile(fb.value_and_grad(loss)).bind(parameters := written.unflatten(flat.copy()), X, Y, penalty)

    def value_and_gradient(p):
        for (W, b), (V, c) in zip(parameters, written.unflatten(p), strict=True):
            W[...], b[...] = V, c
        value, gradient = bound()
        return value, gradient.copy()

    found = minimize(value_and_gradient, flat, jac=True, method="L-BFGS-B", options={"maxiter": iterations})
    X_test, labels_test = problem.part(problem.is_test)
    right = np.mean(np.argmax(network(written.unflatten(found.x), X_test), axis=0) == labels_test)
    print(f"trained by {found.nfev} evaluations: loss {found.fun:.4f}, {right:.1%} of the held-out digits right")
    return difference, right


if __name__ == "__main__":
    main()
