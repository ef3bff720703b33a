"""The parts of ``python -m fastbs``: reading, losses, gradient, training, text."""

import numpy as np
import pytest

from fastbs.tour import report
from fastbs.tour.errors import InputError
from fastbs.tour.network import Network, Objective
from fastbs.tour.problem import digits_problem, standardized, table_problem
from fastbs.tour.table import read_table
from fastbs.tour.task import Classes, Numbers
from fastbs.tour.training import Clock, check_gradient, train

TASKS = [Classes(["a", "b", "c"]), Numbers(2.0, 3.0)]


def objective_of(task, hidden, examples=17, c=0.3, seed=0):
    """(objective, parameters) of a small network on random data."""
    rng = np.random.default_rng(seed)
    network = Network([5, *hidden, task.outputs])
    target = rng.integers(3, size=examples) if isinstance(task, Classes) else rng.normal(size=examples)
    X = rng.normal(size=(5, examples))
    objective = Objective(network, task, X, task.encode(target), c, Clock())
    return objective, network.initial(rng) + 0.1 * rng.normal(size=network.size)


@pytest.mark.parametrize("task", TASKS, ids=["classes", "numbers"])
@pytest.mark.parametrize("hidden", [[1], [7], [4, 3], [3, 4, 5, 2]], ids=str)
@pytest.mark.parametrize("examples", [1, 17])
def test_gradient_of_every_parameter_is_complex_step(task, hidden, examples):
    objective, p = objective_of(task, hidden, examples)
    value, gradient = objective.value_and_gradient(p)
    assert value == pytest.approx(objective.loss(p) + objective.penalty(p), rel=1e-14)
    steps = np.empty_like(p)
    for j in range(p.size):
        moved = p.astype(complex)
        moved[j] += 1e-30j
        steps[j] = (objective.loss(moved) + objective.penalty(moved)).imag / 1e-30
    assert np.abs(gradient - steps).max() <= 1e-11 * np.abs(steps).max()


@pytest.mark.parametrize("task", TASKS, ids=["classes", "numbers"])
def test_check_gradient_covers_every_block_and_notices_an_error(task):
    objective, p = objective_of(task, [4, 3])
    checks = check_gradient(objective, p, np.random.default_rng(1))
    assert [check.name for check in checks] == ["W₁", "b₁", "W₂", "b₂", "W₃", "b₃"]
    assert [check.shape for check in checks] == objective.network.shapes
    assert max(max(check.coordinates, check.direction) for check in checks) <= 1e-11

    right = objective.value_and_gradient
    objective.value_and_gradient = lambda flat: (right(flat)[0], right(flat)[1] * (1 + 1e-9))
    wrong = check_gradient(objective, p, np.random.default_rng(1))
    assert min(check.coordinates for check in wrong) > 1e-11
    assert max(check.direction for check in wrong) > 1e-11


def test_check_gradient_accepts_a_block_without_influence():
    objective, p = objective_of(Numbers(0.0, 1.0), [3], c=0.0)
    objective.X[0][:] = 0
    checks = check_gradient(objective, p, np.random.default_rng(0))
    assert (checks[0].largest, checks[0].coordinates, checks[0].direction) == (0, 0, 0)


def test_flatten_and_unflatten_are_inverse():
    network = Network([5, 4, 3])
    flat = np.arange(network.size, dtype=float)
    parameters = network.unflatten(flat)
    assert [(W.shape, b.shape) for W, b in parameters] == [((4, 5), (4, 1)), ((3, 4), (3, 1))]
    assert parameters[1][0].base is not None
    np.testing.assert_array_equal(network.flatten(parameters), flat)


def test_cross_entropy_does_not_overflow():
    Z = np.array([[1000.0, 0.0], [0.0, -1000.0]])
    task = Classes(["a", "b"])
    assert task.loss(Z, task.encode(np.array([0, 1]))) == pytest.approx(500)
    assert np.isfinite(task.loss_gradient(Z, task.encode(np.array([0, 1])))).all()


def test_numbers_decode_encode():
    task = Numbers(10.0, 4.0)
    values = np.array([1.0, -3.5])
    np.testing.assert_allclose(task.decode(task.encode(values)), values)


def test_training_goes_down_and_keeps_the_clock():
    objective, p = objective_of(TASKS[0], [4, 3])
    training = train(objective, objective, p, 15, quiet=True)
    assert 1 <= training.iterations <= 15
    assert len(training.losses) == training.iterations + 1
    assert training.losses[-1][0] < training.losses[0][0]
    assert training.losses[-1][0] == pytest.approx(objective.loss(training.flat), rel=1e-12)
    assert objective.clock.calls["v = (I − L)ᴴ \\ g, the backslash"] == training.evaluations
    assert all(seconds >= 0 for seconds in objective.clock.seconds.values())


def test_clock_counts_a_stage_that_raises():
    clock = Clock()
    with pytest.raises(ZeroDivisionError), clock.stage("work"):
        1 / 0  # noqa: B018
    assert clock.calls == {"work": 1}


def test_standardized_uses_the_training_part_only():
    X = np.array([[1.0, 3.0, 100.0], [5.0, 5.0, 7.0], [0.1, 0.1, 0.1]])
    train_part = np.array([True, True, False])
    np.testing.assert_allclose(standardized(X, train_part), [[-1, 1, 98], [0, 0, 2], [0, 0, 0]])


def test_digits_problem():
    problem = digits_problem()
    X, target = problem.part(~problem.is_test)
    assert X.shape == (64, 1442)
    assert target.shape == (1442,)
    np.testing.assert_allclose(X.mean(axis=1), 0, atol=1e-12)
    assert set(np.round(X.std(axis=1), 12)) == {0, 1}  # 0: pixels that nobody inks


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_read_table(tmp_path, delimiter, newline, encoding):
    lines = ["", " ", '"größe, m; or not"|b', '1.5|"say ""hi"""', "", ' -2e3 |  "x"', ""]
    text = newline.join(line.replace("|", delimiter) for line in lines)
    table = read_table(written(tmp_path, text, encoding))
    assert table.names == ["größe, m; or not", "b"]
    assert table.numbers("größe, m; or not").tolist() == [1.5, -2000]
    assert table.text("b") == ['say "hi"', "x"]
    assert table.lines == [4, 6]


def csv_of(target, n=40):
    """A CSV text with one feature and the targets ``target(k)``."""
    return "x,y\n" + "".join(f"{k % 7}.5,{target(k)}\n" for k in range(n))


@pytest.mark.parametrize(
    ("target", "names"),
    [
        (lambda k: "ab"[k % 2], ["a", "b"]),
        (lambda k: k % 11, [str(i) for i in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)]),
        (lambda k: f"{k % 3}.0", ["0", "1", "2"]),
        (lambda k: k % 2 * 10 - 5, ["-5", "5"]),
        (lambda k: "1a" if k % 2 else "2", ["1a", "2"]),
    ],
)
def test_target_is_a_class(tmp_path, target, names):
    problem = table_problem(read_table(written(tmp_path, csv_of(target, 80))), "y", "auto", 0)
    assert isinstance(problem.task, Classes)
    assert problem.task.names == names
    assert np.bincount(problem.target).sum() == 80


@pytest.mark.parametrize("target", [lambda k: k % 21, lambda k: k % 3 + 0.5], ids=["integers", "fractions"])
def test_target_is_a_number(tmp_path, target):
    problem = table_problem(read_table(written(tmp_path, csv_of(target, 80))), "y", "auto", 0)
    assert isinstance(problem.task, Numbers)
    assert problem.is_test.sum() == 16
    train_part = problem.target[~problem.is_test]
    assert (problem.task.mean, problem.task.scale) == pytest.approx((train_part.mean(), train_part.std()))


def test_task_overrides_the_rule(tmp_path):
    table = read_table(written(tmp_path, csv_of(lambda k: k % 3)))
    assert isinstance(table_problem(table, "y", "number", 0).task, Numbers)
    table = read_table(written(tmp_path, csv_of(lambda k: k % 3 + 0.5)))
    assert table_problem(table, "y", "class", 0).task.names == ["0.5", "1.5", "2.5"]


def test_seed_moves_the_split_and_rows_stay_together(tmp_path):
    table = read_table(written(tmp_path, "x,y\n" + "".join(f"{k},{2 * k}\n" for k in range(40))))
    first, again, other = (table_problem(table, "y", "number", seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.target, again.target)
    assert (first.target != other.target).any()
    ranks = [problem.X[0].argsort().tolist() == problem.target.argsort().tolist() for problem in (first, other)]
    assert ranks == [True, True]


def test_table_error_is_one_line_for_any_cell(tmp_path):
    table = read_table(written(tmp_path, 'x,y\n"two\nlines",1\n'))
    with pytest.raises(InputError, match=r"line 3, column 'x': must be a number; got 'two\\nlines'") as caught:
        table.numbers("x")
    assert "\n" not in str(caught.value)


def test_confusion_report_shrinks_to_fit():
    names = [f"a class with number {i}" for i in range(3)]
    text = report.class_report(names, np.array([[5, 0, 0], [1, 4, 0], [0, 0, 0]]), 0.5)
    assert "test accuracy 0.9000 (9 of 10)" in text
    assert "80%" in text
    assert max(map(len, text.splitlines())) <= report.WIDTH

    many = [f"a class with number {i}" for i in range(40)]
    mistakes = np.diag(np.full(40, 2)) + np.diag(np.full(39, 1), 1)
    text = report.class_report(many, mistakes, 0.025)
    assert "the commonest mistakes" in text
    assert max(map(len, text.splitlines())) <= report.WIDTH


def test_number_report_of_a_constant_target_has_no_r2():
    text = report.number_report(np.array([2.0, 2.0]), np.array([1.0, 3.0]), 2.0)
    assert text.splitlines()[1].split()[-2:] == ["1", "-"]
