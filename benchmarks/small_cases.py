"""Gradients of small networks against CasADi's buffered virtual machine, and of many samples against NumPy."""

import importlib.util

import numpy as np

from .network_cases import Network
from .tables import against_peers

__all__ = ["CASES", "report", "rivals"]

# name -> widths, batch, dtype, our rival, the peer, the most that ours may take of its time
CASES = {
    "4-32-16-4, 1": ((4, 32, 16, 4), 1, np.float64, "fastbs bound", "CasADi", 1 / 3),
    "64 x 4, 64": ((64,) * 5, 64, np.float64, "fastbs bound", "CasADi", 1 / 10),
    "4-32-16-4, 10000": ((4, 32, 16, 4), 10_000, np.float32, "fastbs call", "NumPy", 1 / 4),
}


def rivals(case, peers=True):
    """Ours and the peer where it is installed, or what needs no other package: ``{name: function}``."""
    widths, batch, dtype, ours, peer, _ = CASES[case]
    network = Network(widths, batch, dtype)
    made = network.rivals(peers=())
    if peers and peer == "CasADi" and importlib.util.find_spec("casadi"):
        made["CasADi"] = casadi_rival(network)
    return {name: made[name] for name in (ours, peer) if name in made}


def casadi_rival(network):
    """The value and the gradients in buffers that are there already; matrices are stored by columns."""
    import casadi

    def symbol(x):
        return casadi.MX.sym("x", *x.shape)

    parameters = [(symbol(W), symbol(b)) for W, b in network.parameters]
    X, Y = symbol(network.X), symbol(network.Y)
    x = X
    for W, b in parameters:
        x = casadi.tanh(casadi.mtimes(W, x) + casadi.repmat(b, 1, network.batch))
    loss, leaves = 0.5 * casadi.sumsqr(x - Y), [p for pair in parameters for p in pair]
    function = casadi.Function("f", [*leaves, X, Y], [loss, *(casadi.gradient(loss, p) for p in leaves)])
    values = [p for pair in network.parameters for p in pair]
    given = [np.ascontiguousarray(a.T) for a in (*values, network.X, network.Y)]
    results = [np.zeros(()), *(np.zeros(a.shape[::-1]) for a in values)]
    buffer, run = function.buffer()
    for i, a in enumerate(given):
        buffer.set_arg(i, memoryview(a))
    for i, a in enumerate(results):
        buffer.set_res(i, memoryview(a))

    run()
    value, gradients = network.rivals(peers=())["fastbs call"]()
    expected = [value, *(g.T for pair in gradients for g in pair)]
    for found, g in zip(results, expected, strict=True):
        np.testing.assert_allclose(found, g, rtol=0, atol=1e-9 * np.abs(g).max())

    def rival(kept=(function, buffer, given, results)):  # memory that the machine reads and writes
        run()

    return rival


def report(sizes, rounds):
    """Print one row per network against CasADi or NumPy; return how many bounds are missed."""
    return against_peers("widths, batch", ((case, rivals(case), CASES[case][-1]) for case in CASES), rounds, None)
