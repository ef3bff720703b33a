"""Draw the picture of README.md with fastbs itself.

Usage: python docs/make_pictures.py
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np

import fastbs as fb

mpl.use("Agg")
import matplotlib.pyplot as plt

N, n, k = 6, 3, 4


def layer(i):
    """Hadamard(Delta_i) @ Left(W_i)"""
    return fb.Hadamard(np.ones((n, k)), symbol=f"Δ{'₀₁₂₃₄₅'[i]}") @ fb.Left(np.ones((n, n)), symbol=f"W{'₀₁₂₃₄₅'[i]}")


def parameters(i):
    """Hadamard(Delta_i) @ Right(X_i)"""
    delta = fb.Hadamard(np.ones((n, k)), symbol=f"Δ{'₀₁₂₃₄₅'[i]}")
    return delta @ fb.Right(np.ones((n, k)), symbol=f"X{'₀₁₂₃₄₅'[i]}")


def main():
    D = fb.Diagonal([parameters(i) for i in range(N)])
    off = {(i, i - 1): -layer(i) for i in range(1, N)} | {(i, i - 3): -fb.Identity() for i in range(3, N)}
    I_L = fb.Triangular([fb.Identity()] * N, off, uplo="L")
    figure, axes = plt.subplots(1, 2, figsize=(13, 6.2), layout="constrained")
    for ax, A, title in zip(axes, (I_L, D), ("I − L: layers and skip connections", "D: parameters"), strict=True):
        fb.spy(A, ax=ax)
        ax.set_title(title, pad=22)
    path = Path(__file__).parent / "images" / "system.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
