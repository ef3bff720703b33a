"""A linear-quadratic regulator: the best controls of a cart by one block-tridiagonal solve, and how to build the cart.

    minimize  1/2 sum of x_t^T Q x_t + u_t^T R u_t   with   x_{t+1} = A x_t + B u_t,  x_0 given

With I - L for the dynamics, (I - L) x = B u + e x_0, the multipliers mu solve the positive definite block-tridiagonal
system  ((I - L) Q^-1 (I - L)^T + B R^-1 B^T) mu = e x_0;  then  u = -R^-1 B^T mu,  x = Q^-1 (I - L)^T mu, and
the cost is x_0^T mu_0 / 2. Its derivative with respect to anything, here the mass, is one more backslash.

Usage: python examples/regulator.py
"""

import numpy as np

import fastbs as fb

STEPS, DT = 100, 0.1
Q, R = np.diag([1.0, 0.1]), np.array([[0.05]])
START = np.array([1.0, 0.0])


def multipliers(mass, drag):
    """(mu (STEPS, 2), A, B) of a cart with position and speed, moved by a force."""
    A = np.eye(2) + DT * fb.array([[0.0, 1.0], [0.0, -drag / mass]])
    B = DT * fb.array([[0.0], [1.0 / mass]])
    inverse = np.linalg.inv(Q)
    later = inverse + A @ inverse @ A.T + B @ np.linalg.inv(R) @ B.T
    diag = np.concatenate([inverse[None], np.stack([later] * (STEPS - 1))])
    lower = np.stack([-(A @ inverse)] * (STEPS - 1))
    b = np.concatenate([START[None], np.zeros((STEPS - 1, 2))])
    return fb.Tridiagonal(diag, lower).solve(b), A, B


def cost(mass, drag=0.5):
    return START @ multipliers(mass, drag)[0][0] / 2


def control(mass, drag=0.5):
    """The states and the controls."""
    mu, A, B = multipliers(mass, drag)
    dynamics = fb.Bidiagonal.from_arrays(None, np.tile(-A, (STEPS - 1, 1, 1)))
    return (dynamics.T @ mu) @ np.linalg.inv(Q), -(mu[1:] @ B) @ np.linalg.inv(R)


def main():
    x, u = control(2.0)
    value, slope = fb.value_and_grad(cost)(2.0)
    print(f"cost {value:.4f}; first force {u[0, 0]:.3f}, after {STEPS * DT:.0f} s at {x[-1, 0]:.1e}")
    print(f"a heavier cart costs {slope:.4f} a kg")
    return value, slope


if __name__ == "__main__":
    main()
