"""Hares and lynxes: the parameters of a differential equation from data, through 1,000 steps of hand-written RK4.

    hares'  =  a hares - b hares lynxes
    lynxes' = -c lynxes + d hares lynxes

The data are the furs, in thousands, that the Hudson's Bay Company bought from 1900 to 1920 (Hewitt, The Conservation of
the Wild Life of Canada, 1921). Logarithms are compared, as in Carpenter's case study for Stan, which found
a = 0.55, b = 0.028, c = 0.80, d = 0.024.

Usage: python examples/lotka_volterra.py
"""

import numpy as np
from scipy.optimize import least_squares

import fastbs as fb

HARES = np.array([
    30.0, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22.0, 25.4, 27.1, 40.3, 57.0, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6,
    16.2, 24.7,
])  # fmt: skip
LYNXES = np.array([
    4.0, 6.1, 9.8, 35.2, 59.4, 41.7, 19.0, 13.0, 8.3, 9.1, 7.4, 8.0, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6,
])  # fmt: skip
FURS = np.stack([HARES, LYNXES], axis=1)


def solve(p, steps):
    """Hares and lynxes (years, 2), from logarithms p of four rates and the two first numbers.

    Both equations at once: s' = s * (r + M s).
    """
    a, b, c, d = np.exp(p[:4])
    r, M = fb.array([a, -c]), fb.array([[0, -b], [d, 0]])
    years, s = len(HARES) - 1, np.exp(p[4:])
    h, states = years / steps, [s]
    for step in range(steps):
        k1 = s * (r + M @ s)
        k2 = (u := s + h / 2 * k1) * (r + M @ u)
        k3 = (u := s + h / 2 * k2) * (r + M @ u)
        k4 = (u := s + h * k3) * (r + M @ u)
        s = s + h / 6 * (k1 + 2 * (k2 + k3) + k4)
        if (step + 1) % (steps // years) == 0:
            states.append(s)
    return np.stack(states)


def residual(p, steps):
    return np.ravel(np.log(solve(p, steps)) - np.log(FURS))


def loss(p, steps):
    return np.sum(residual(p, steps) ** 2) / 2


START = np.log([0.5, 0.025, 0.75, 0.025, 30.0, 4.0])


def main(steps=1000):
    jacobian = fb.jacobian(lambda p: residual(p, steps), order="forward")
    found = least_squares(lambda p: residual(p, steps), START, jac=jacobian)
    a, b, c, d = np.exp(found.x[:4])
    print(f"{steps} steps of RK4, {found.nfev} evaluations: a = {a:.3f}, b = {b:.4f}, c = {c:.3f}, d = {d:.4f}")
    gradient = fb.grad(loss)(found.x, steps)
    spread = np.sqrt(2 * found.cost / (found.fun.size - 6))
    print(f"|gradient| {np.abs(fb.grad(loss)(START, steps)).max():.2f} -> {np.abs(gradient).max():.1e}")
    print(f"the counts deviate by a factor of {np.exp(spread):.2f}, one standard deviation")
    return found.x


if __name__ == "__main__":
    main()
