"""A recurrent network over 1,000 steps: it reads digits row by row and says which digit it sees.

The images that fastbs ships are read one after the other, 8 rows of 8 pixels each, without a reset in between; the
gradient goes back through all 1,000 steps. The loop is a plain Python loop, its reverse mode one backslash.

Usage: python examples/rnn.py
"""

import time

import numpy as np

import fastbs as fb
from fastbs.data import load_digits
from fastbs.scipy.special import logsumexp


def loss(parameters, rows, labels):
    """Mean cross-entropy at the last row of every image; rows (steps, 8, batch), labels (steps / 8, 10, batch)."""
    W, U, b, V, c = parameters
    h, total = np.zeros((len(W), rows.shape[2])), 0.0
    for t in range(len(rows)):
        h = np.tanh(W @ h + U @ rows[t] + b)
        if t % 8 == 7:
            z = V @ h + c
            total = total + np.mean(logsumexp(z, axis=0) - np.sum(labels[t // 8] * z, axis=0))
    return total / len(labels)


def initial(width, rng):
    return [
        np.linalg.qr(rng.normal(size=(width, width)))[0],
        rng.normal(size=(width, 8)) / 4,
        np.zeros((width, 1)),
        rng.normal(size=(10, width)) / np.sqrt(width),
        np.zeros((10, 1)),
    ]


def sequences(steps, batch, start=0):
    """Rows (steps, 8, batch) and classes (steps / 8, 10, batch) of consecutive images."""
    digits, n = load_digits(), steps // 8
    chosen = start + np.arange(n * batch).reshape(batch, n)
    rows = digits.images[chosen].reshape(batch, steps, 8) / 8.0 - 1
    return np.transpose(rows, (1, 2, 0)).copy(), np.transpose(np.eye(10)[digits.labels[chosen]], (1, 2, 0)).copy()


def main(steps=1000, batch=8, width=32, iterations=150):
    rows, labels = sequences(steps, batch)
    parameters = initial(width, np.random.default_rng(0))
    begin = time.perf_counter()
    value, gradient = fb.value_and_grad(loss)(parameters, rows, labels)
    seconds = time.perf_counter() - begin
    size = sum(g.size for g in gradient)
    print(f"{steps} steps, {size} parameters: loss {value:.4f} and gradient in {seconds:.3f} s")

    value_and_grad = fb.compile(fb.value_and_grad(loss))
    begin = time.perf_counter()
    value_and_grad(parameters, rows, labels)
    compiling = time.perf_counter() - begin
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in parameters]
    begin, first = time.perf_counter(), value
    for k in range(1, iterations + 1):  # Adam
        value, gradient = value_and_grad(parameters, rows, labels)
        for p, g, (m, v) in zip(parameters, gradient, moments, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g**2 - v)
            p -= 0.01 * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
    seconds = (time.perf_counter() - begin) / max(iterations, 1)
    print(
        f"compiled in {compiling:.2f} s: {seconds:.4f} s a gradient; loss {value:.4f} after {iterations} steps of Adam"
    )
    return first, value


if __name__ == "__main__":
    main()
