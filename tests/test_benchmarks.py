"""The paired timer, on clocks that we turn by hand, and pages of tables. In a checkout; the sdist has no benchmarks."""

import ast
import importlib.util
import math
import random
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "benchmarks").exists():
    pytest.skip("the benchmarks are in the checkout only", allow_module_level=True)


def module(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    loaded = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


paired, page = module("paired"), module("page")


class Clock:
    """A clock that only its rivals move; the machine's mood slows all of them alike."""

    def __init__(self, mood=lambda: 1.0):
        self.now, self.mood = 0.0, mood

    def __call__(self):
        return self.now

    def rival(self, seconds):
        def run():
            self.now += seconds * self.mood()

        return run


def test_ratio_of_steady_rivals():
    clock = Clock()
    result = paired.compare({"a": clock.rival(3e-6), "b": clock.rival(1e-6)}, reference="b", clock=clock)
    ratio = result.ratio("a")
    assert (ratio.low, ratio.median, ratio.high) == pytest.approx((3, 3, 3))
    assert result.ratio("b", "a").median == pytest.approx(1 / 3)
    assert result.seconds("a") == pytest.approx(3e-6)


def test_mood_of_a_round_cancels():
    # The machine slows down tenfold over the run; times spread, ratios hardly.
    clock = Clock()
    clock.mood = lambda: 1 + 9 * clock.now
    result = paired.compare({"a": clock.rival(2e-3), "b": clock.rival(1e-3)}, reference="b", clock=clock)
    assert np.ptp(result.times["b"]) > 0.5 * result.seconds("b")
    assert result.ratio("a").median == pytest.approx(2, rel=0.05)


def test_each_round_runs_every_rival_once_in_changing_order():
    clock, calls = Clock(), []

    def rival(name):
        tick = clock.rival(1.0)
        return lambda: (calls.append(name), tick())

    paired.compare({name: rival(name) for name in "abc"}, rounds=8, clock=clock)
    rounds = [tuple(calls[i : i + 3]) for i in range(6, len(calls), 3)]  # after two warm-ups each
    assert len(rounds) == 8
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds)
    assert len(set(rounds)) > 1


def test_inner_loop_lasts_the_target():
    clock = Clock()
    result = paired.compare({"a": clock.rival(1e-7)}, rounds=6, target=4e-3, clock=clock)
    assert result.times["a"] == pytest.approx(1e-7)
    assert 6 * 4e-3 < clock.now < 8 * 4e-3


def test_interval_covers_the_median_as_often_as_it_says():
    rng = np.random.default_rng(0)
    samples = np.exp(rng.standard_normal((2000, 21)))  # skewed, as times are; the median is 1
    intervals = np.array([paired.median_interval(sample) for sample in samples])
    covered = np.mean((intervals[:, 0] <= 1) & (intervals[:, 1] >= 1))
    exact = 1 - 2 * sum(math.comb(21, k) for k in range(6)) / 2**21  # 0.9734
    assert covered == pytest.approx(exact, abs=0.012)


@pytest.mark.parametrize(("n", "k"), [(6, 1), (9, 2), (21, 6), (100, 40)])
def test_interval_takes_the_tabulated_order_statistics(n, k):
    sample = list(range(1, n + 1))
    random.Random(n).shuffle(sample)
    assert paired.median_interval(sample) == (k, n + 1 - k)


def test_bound_is_met_by_the_lower_end():
    assert paired.Ratio(median=0.52, low=0.50, high=0.55).meets(0.5)
    assert not paired.Ratio(median=0.52, low=0.51, high=0.55).meets(0.5)


def test_statements_see_their_namespace_and_results_must_agree():
    x = np.arange(3.0)
    rivals = {"double": "x + x", "twice": "2 * x", "lists": lambda: x * 2}
    result = paired.compare(rivals, rounds=6, target=1e-5, namespace={"x": x}, check=1e-15)
    assert list(result.times) == list(rivals)
    with pytest.raises(AssertionError, match="triple, double"):
        paired.compare({"double": "x + x", "triple": "3 * x"}, namespace={"x": x}, check=1e-15)
    with pytest.raises(AssertionError, match="two gives 2 arrays, one gives 1"):
        paired.compare({"one": "x", "two": "[x, x]"}, namespace={"x": x}, check=1e-15)


def test_errors_say_what_came():
    with pytest.raises(ValueError, match=r"at least 6 .* got 5"):
        paired.compare({"a": "1"}, rounds=5)
    with pytest.raises(ValueError, match=r"one of \['a'\]; got 'b'"):
        paired.compare({"a": "1"}, reference="b")
    with pytest.raises(ValueError, match="5 observations are too few"):
        paired.median_interval(range(5))


def test_table_reads_well():
    clock = Clock()
    result = paired.compare({"fast": clock.rival(1e-7), "slow": clock.rival(1e-6)}, "slow", 6, clock=clock)
    assert str(result).splitlines() == [
        "rival   per call  to slow [95 % interval]",
        "fast     100 ns  0.100 [0.100, 0.100]",
        "slow    1.00 us  1.000 [1.000, 1.000]",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(9.996e-7, "1.00 us"), (1.234e-7, "123 ns"), (0.0456, "45.6 ms"), (12.3, "12.3 s")]
)
def test_seconds_have_three_digits_and_a_unit(seconds, text):
    assert paired.format_seconds(seconds) == text


PAGE = "# Title\n\n<!-- measured a -->\nold\n<!-- end a -->\nbetween\n<!-- measured b -->\n<!-- end b -->\nlast\n"


def test_a_page_gets_all_its_tables(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    for a in ("| 1 |\n", "\n| \\2 |"):  # again, and with what a pattern would take for its own
        page.Page(path, "ab").write({"a": a, "b": "| b |\n"})
        expected = PAGE.replace("old\n", f"\n{a.strip()}\n\n").replace("<!-- end b", "\n| b |\n\n<!-- end b")
        assert path.read_text(encoding="utf-8") == expected
    assert list(tmp_path.iterdir()) == [path]


def test_a_page_gets_all_its_tables_or_none(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    with pytest.raises(ValueError, match="must have <!-- measured c --> and <!-- end c --> once; got 0"):
        page.Page(path, "abc")
    with pytest.raises(KeyError):
        page.Page(path, "ab").write({"a": "new"})
    assert path.read_text(encoding="utf-8") == PAGE


def test_the_docs_have_a_place_for_every_table():
    report = ast.parse((ROOT / "benchmarks" / "report.py").read_text(encoding="utf-8"))
    values = {a.targets[0].id: a.value for a in report.body if isinstance(a, ast.Assign)}
    page.Page(ROOT / "docs" / "performance.md", ("machine", *ast.literal_eval(values["COMPILE"])))
    for name in ("blocks", "graphs", "kronecker"):
        page.Page(ROOT / "docs" / f"{name}.md", ("machine", name))
