"""SciPy's special functions: every line of the table, and those of `fastbs.scipy.special`."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.special as sp

import fastbs.scipy.special as special
from fastbs._trace import functions
from fastbs.derivatives import grad, jvp
from fastbs.errors import TraceError
from fastbs.rules import special as module
from fastbs.rules.reductions import log_sum_exp, top
from gradients import check, same_value

rng = np.random.default_rng(5)
ANY = rng.uniform(-1.8, 1.8, (2, 3))
POSITIVE = rng.uniform(0.4, 3, (2, 3))
UNIT = rng.uniform(0.1, 0.9, (2, 3))
NEGATIVE = -rng.uniform(0.2, 3, (2, 3))
ROW = rng.uniform(0.5, 2, 3)
COLUMN = rng.uniform(0.5, 2, (2, 1))
APART = np.array([[0.3, -1.2, 2.4], [-0.7, 1.6, -2.1]])

CASES = {
    sp.expit: (ANY,), sp.log_expit: (ANY,), sp.logit: (UNIT,), sp.ndtr: (ANY,), sp.log_ndtr: (3 * ANY,),
    sp.ndtri: (UNIT,), sp.ndtri_exp: (NEGATIVE,), sp.erf: (ANY,), sp.erfc: (ANY,), sp.erfcx: (ANY,), sp.erfi: (ANY,),
    sp.erfinv: (UNIT,), sp.erfcinv: (UNIT,), sp.dawsn: (ANY,), sp.expi: (POSITIVE,), sp.exp1: (POSITIVE,),
    sp.spence: (UNIT,), sp.wrightomega: (ANY,), sp.gammaln: (POSITIVE,), sp.loggamma: (POSITIVE,),
    sp.psi: (POSITIVE,), sp.gamma: (APART,), sp.rgamma: (APART,), sp.beta: (ROW, COLUMN), sp.betaln: (POSITIVE, ROW),
    sp.binom: (POSITIVE + 3, ROW), sp.xlogy: (POSITIVE, ROW), sp.xlog1py: (POSITIVE, COLUMN), sp.entr: (POSITIVE,),
    sp.rel_entr: (POSITIVE, ROW), sp.kl_div: (ROW, COLUMN), sp.huber: (ROW, APART), sp.pseudo_huber: (ROW, APART),
    sp.j0: (POSITIVE,), sp.j1: (ANY,), sp.y0: (POSITIVE,), sp.y1: (POSITIVE,), sp.i0: (ANY,), sp.i1: (ANY,),
    sp.i0e: (APART,), sp.i1e: (APART,), sp.k0: (POSITIVE,), sp.k1: (POSITIVE,), sp.k0e: (POSITIVE,),
    sp.k1e: (POSITIVE,), sp.ellipk: (UNIT,), sp.ellipe: (UNIT,), sp.cbrt: (APART,), sp.exp2: (ANY,), sp.exp10: (ANY,),
    sp.expm1: (ANY,), sp.log1p: (UNIT,), sp.cosm1: (ANY,), sp.sindg: (APART,), sp.cosdg: (APART,), sp.tandg: (APART,),
    sp.round: (APART,), sp.gammasgn: (APART,), np.i0: (ANY,), np.sinc: (APART,),
}  # fmt: skip

ONE_OF_SEVERAL = {
    sp.expn: lambda x: sp.expn(3, np.abs(x)), sp.gammainc: lambda x: sp.gammainc(1.7, np.abs(x)),
    sp.gammaincc: lambda x: sp.gammaincc(1.7, np.abs(x)), sp.betainc: lambda x: sp.betainc(1.7, 0.6, np.abs(x) / 3),
    sp.boxcox: lambda x: sp.boxcox(np.abs(x), 0.4), sp.inv_boxcox: lambda x: sp.inv_boxcox(np.abs(x), 0.4),
    sp.jv: lambda x: sp.jv(1.5, np.abs(x)), sp.yv: lambda x: sp.yv(1, np.abs(x)), sp.iv: lambda x: sp.iv(2, x),
    sp.kv: lambda x: sp.kv(0.5, np.abs(x)), sp.ive: lambda x: sp.ive(2, x), sp.kve: lambda x: sp.kve(1, np.abs(x)),
    module.polygamma: lambda x: special.polygamma(1, np.abs(x)),
    module.spherical_jn: lambda x: special.spherical_jn(2, x) + special.spherical_jn(0, x, derivative=True),
    log_sum_exp: lambda x: special.logsumexp(x),
    top: lambda x: special.softmax(x),
    "sinc": special.sinc,
    "softplus": special.softplus,
    "logsumexp axis": lambda x: special.logsumexp(x, axis=0),
    "logsumexp kept": lambda x: special.logsumexp(x, axis=(0, 1), keepdims=True),
    "softmax axis": lambda x: special.softmax(x, axis=1),
    "log_softmax": special.log_softmax,
    "log_softmax axis": lambda x: special.log_softmax(x, axis=0),
    "multigammaln": lambda x: special.multigammaln(x + 4, 3),
    "erf by this name": lambda x: special.erf(x),
}  # fmt: skip


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_ufunc(function):
    check(function, *CASES[function], exact=function is not np.i0, float32_tolerance=2e-2)


@pytest.mark.parametrize("function", ONE_OF_SEVERAL, ids=lambda f: getattr(f, "__name__", f))
def test_one_of_several_arguments(function):
    # SciPy computes these in a mixture of precisions
    mixed = function in (module.spherical_jn, "multigammaln")
    check(ONE_OF_SEVERAL[function], APART, exact=False, float32=not mixed, float32_tolerance=2e-2)


def test_every_line_has_a_case():
    mine = {f for f in functions if isinstance(f, np.ufunc) and getattr(np, f.__name__, None) is not f}
    mine |= {f for f in functions if getattr(f, "__module__", "") == module.__name__}
    assert {f.__name__ for f in mine - {*CASES, *ONE_OF_SEVERAL}} == set()


def test_weights_of_logsumexp():
    f = lambda a, b: special.logsumexp(a, axis=1, b=b)  # noqa: E731
    check(f, ANY, POSITIVE, exact=False)
    check(f, ANY, ROW, exact=False)
    signed = lambda a: special.logsumexp(a, b=np.array([1.0, -2.0, 0.5]).astype(a.dtype), axis=1, return_sign=True)  # noqa: E731
    check(signed, ANY, exact=False)
    same_value(
        jvp(lambda a: special.logsumexp(a, return_sign=True), (ANY,), (ANY,))[0],
        sp.logsumexp(ANY, return_sign=True),
        False,
    )


def test_values_are_those_of_scipy_at_infinity():
    for x in ([-np.inf, -np.inf], [-np.inf, 1.0], [1000.0, 1000.0], [-1000.0, 0.0]):
        x = np.array(x)
        with np.errstate(invalid="ignore"):
            value, _ = jvp(special.logsumexp, (x,), (np.ones(2),))
        same_value(value, sp.logsumexp(x), False)
    np.testing.assert_array_equal(grad(special.logsumexp)(np.array([-np.inf, 1.0])), [0, 1])


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: sp.xlogy(x, 2.0), np.log(2)),
        (lambda x: sp.xlogy(0.0, x), 0.0),
        (lambda x: sp.xlog1py(0.0, x - 1), 0.0),
        (lambda x: sp.entr(x), np.inf),
        (np.sinc, 0.0),
        (grad(np.sinc), -(np.pi**2) / 3),
        (sp.j1, 0.5),
        (sp.expit, 0.25),
    ],
)
def test_at_zero(f, expected):
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(grad(f)(0.0), expected, rtol=1e-14)


def test_plain_arrays_pass_through():
    for name in ("logsumexp", "softmax", "log_softmax"):
        np.testing.assert_array_equal(getattr(special, name)(ANY), getattr(sp, name)(ANY))
    assert special.polygamma(1, 2.0) == sp.polygamma(1, 2.0)
    assert special.multigammaln(4.0, 2) == sp.multigammaln(4.0, 2)
    assert special.spherical_jn(1, 2.0) == sp.spherical_jn(1, 2.0)
    assert special.comb(5, 2) == 10.0
    with pytest.raises(AttributeError, match="no_such_function"):
        special.no_such_function  # noqa: B018


def test_errors():
    with pytest.raises(TraceError, match="v must be plain because no derivative with respect to it is known"):
        grad(lambda v: sp.jv(v, 1.0))(0.5)
    with pytest.raises(TraceError, match="agm: a traced value must go through functions with a derivative rule"):
        grad(lambda x: sp.agm(x, 1.0))(0.5)


@pytest.mark.parametrize("program", ["np.sinc(x)", "np.i0(x)", "scipy.special.erf(x)"])
def test_rules_are_there_when_they_are_needed(program):
    script = f"""
import numpy as np, fastbs as fb
if "scipy" in {program!r}:
    import scipy.special
print(fb.grad(lambda x: {program})(0.0))
"""
    found = float(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout)
    assert found == pytest.approx(2 / np.sqrt(np.pi) if "erf" in program else 0)
