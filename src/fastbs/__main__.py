"""python -m fastbs: D, L and the backslash at work, on handwritten digits or on a user's own CSV file."""

import argparse
import os
import sys
from textwrap import indent
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

import fastbs as fb

from .tour import report
from .tour.errors import InputError
from .tour.network import Network, Objective
from .tour.pictures import Pictures
from .tour.problem import TARGET_RULE, digits_problem, table_problem
from .tour.table import listed, read_table
from .tour.task import Numbers
from .tour.training import Clock, check_gradient, train

__all__ = ["main"]

TOLERANCE = 1e-11  # of the gradient against complex step, relative to each block
CHECKED_EXAMPLES = 2000  # complex step costs one forward pass for each derivative
WIDEST = 100_000  # units in a hidden layer
PARALLEL = 10**8  # multiplications in a product from which a second BLAS thread pays for waiting for it

DESCRIPTION = """\
Train a small network whose gradient is one backslash, Dᴴ ((I − L)ᴴ \\ g): on handwritten
digits that come with fastbs, or on the columns of a CSV file.
"""

PENALTY = """C/(2k) sum of W² is added to the mean loss over k examples: C is the inverse variance
of a Gaussian prior on the weights (default: 5)"""

EPILOG = f"""\
The file needs a header and UTF-8; comma, semicolon or tab separate its cells. All columns
but the target must be numbers; no cell may be missing (empty, ?, NA, N/A, NaN, null, None).
The rows are shuffled by --seed, then every fifth of each class (of all, if the target is a
number) is held out to test with.

Class or number: {TARGET_RULE}.

Exit codes: 0 done, 1 the gradient failed its check, 2 the input cannot be used,
130 interrupted.

examples:
  python -m fastbs
  python -m fastbs --plot pictures
  python -m fastbs houses.csv --target price --hidden 64,32 --plot pictures
"""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, as all errors of this program."""

    def error(self, message):
        raise InputError(f"{message} (see python -m fastbs --help)")


def hidden_widths(text):
    """ "32,16" -> [32, 16]."""
    try:
        widths = [int(part) for part in text.split(",")]
    except ValueError:
        widths = []
    if not widths or min(widths) < 1 or max(widths) > WIDEST:
        raise argparse.ArgumentTypeError(f"must be whole numbers from 1 to {WIDEST}, such as 32,16; got {text!r}")
    return widths


def at_least(lowest, number):
    """A converter for argparse: ``number(text)``, if it is finite and not below ``lowest``."""

    def convert(text):
        try:
            value = number(text)
        except ValueError:
            value = float("nan")
        if not lowest <= value < float("inf"):
            kind = "a whole number" if number is int else "a number"
            raise argparse.ArgumentTypeError(f"must be {kind}, at least {lowest}; got {text!r}")
        return value

    return convert


def parser():
    """The command line."""
    commands = Parser(
        prog="python -m fastbs",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = commands.add_argument
    add("csv", nargs="?", metavar="DATA.CSV", help="a file of your own; without it, the handwritten digits")
    add("--target", metavar="COLUMN", help="the column of DATA.CSV to predict")
    add(
        "--task",
        choices=("auto", "class", "number"),
        default="auto",
        help="the kind of target (default: auto)",
    )
    add("--hidden", metavar="N,N,...", type=hidden_widths, default=[32, 16], help="widths (default: 32,16)")
    add("--seed", metavar="N", type=at_least(0, int), default=0, help="of weights and shuffle (default: 0)")
    add("--max-iterations", metavar="N", type=at_least(1, int), default=200, help="at most (default: 200)")
    add("--penalty", metavar="C", type=at_least(0, float), default=5.0, help=PENALTY)
    add("--plot", metavar="DIR", help="write pictures there (needs matplotlib: pip install 'fastbs[plot]')")
    add("--quiet", action="store_true", help="no progress bar")
    add("--version", action="version", version=f"fastbs {fb.__version__}")
    return commands


def load(options):
    """The Problem that the command line names."""
    if options.csv is None:
        if options.target is not None or options.task != "auto":
            raise InputError(
                "--target and --task are for a file of your own: python -m fastbs DATA.CSV --target COLUMN"
            )
        return digits_problem()
    table = read_table(options.csv)
    if options.target is None:
        raise table.error(f"--target COLUMN must say what to predict; the columns are {listed(table.names)}")
    return table_problem(table, options.target, options.task, options.seed)


def show_gradient(objective, start, rng, clock):
    """Print D, I - L and the gradient next to complex step; whether they agree, and (D, I - L)."""
    D, I_L = objective.D, objective.I_L
    print(report.heading("The system: dX = D dp + L dX"))
    print(indent(f"D =\n{D}\n\nI − L =\n{I_L}", "  "))

    began = perf_counter()
    _, gradient = objective.value_and_gradient(start)
    seconds = perf_counter() - began
    with clock.stage("checking by complex step"):
        checks = check_gradient(objective, start, rng)
    worst = max(max(check.coordinates, check.direction) for check in checks)
    print(report.heading("The gradient"))
    print(report.gradient_report(checks, np.linalg.norm(gradient), seconds))
    agree = worst <= TOLERANCE
    print(f"\n  largest relative deviation {worst:.1e}: {'within' if agree else 'BEYOND'} {TOLERANCE:g}")
    return agree, (D, I_L)


def show_result(problem, Z, truth, known, pictures):
    """Print how well the outputs Z predict the held-out ``truth``; ``known`` are the training targets."""
    task = problem.task
    predicted = task.decode(Z)
    print(report.heading("The held-out part"))
    if isinstance(task, Numbers):
        print(report.number_report(truth, predicted, known.mean()))
        if pictures:
            pictures.numbers(problem.title, truth, predicted)
        return
    confusion = task.confusion(truth, predicted)
    commonest = np.bincount(known).argmax()
    print(report.class_report(task.names, confusion, np.mean(truth == commonest)))
    if pictures:
        pictures.confusion(task.names, confusion)
        if problem.images is not None:
            pictures.digits(problem.images[problem.is_test], truth, predicted)


def blas_threads(network, problem):
    """1 if no product of the network is worth waiting for a second thread, else None, which changes nothing."""
    largest = max(m * n for m, n in network.shapes) * problem.X.shape[1]
    return None if largest >= PARALLEL else 1


def run(options):
    """Read the data, then show everything; the exit code."""
    # Before any work: what is missing for pictures must not be found out after the training.
    pictures = Pictures(options.plot) if options.plot is not None else None
    clock = Clock()
    with clock.stage("reading the data"):
        problem = load(options)
    network = Network([len(problem.X), *options.hidden, problem.task.outputs])
    with threadpool_limits(blas_threads(network, problem), user_api="blas"):
        return show(options, problem, network, pictures, clock)


def show(options, problem, network, pictures, clock):
    """The whole tour, in order; the exit code."""
    (X, known), (X_test, truth) = problem.part(~problem.is_test), problem.part(problem.is_test)
    Y, Y_test = problem.task.encode(known), problem.task.encode(truth)
    print(f"fastbs {fb.__version__}: the gradient is one backslash")
    print(report.heading("The problem"))
    print(report.data_report(problem, network))

    def objective(X, Y, clock):
        return Objective(network, problem.task, X, Y, options.penalty, clock)

    rng = np.random.default_rng(options.seed)
    start = network.initial(rng)
    few = slice(CHECKED_EXAMPLES)
    agree, system = show_gradient(objective(X[:, few], Y[:, few], Clock()), start, rng, clock)
    if not agree:
        print("fastbs: error: the gradient does not agree with complex step", file=sys.stderr)
        return 1

    print(report.heading("The training"))
    began = perf_counter()
    training = train(
        objective(X, Y, clock),
        objective(X_test, Y_test, Clock()),
        start,
        options.max_iterations,
        options.quiet,
    )
    print(report.training_report(training, perf_counter() - began))
    Z = network.forward(network.unflatten(training.flat), network.states(X_test))
    show_result(problem, Z, truth, known, pictures)
    if pictures:
        with clock.stage("drawing the pictures"):
            pictures.system(*system)
            pictures.losses(training.losses)
            written = pictures.write()
    print(report.heading("Where the time went"))
    print(report.time_report(clock))
    if pictures:
        print(report.heading("Pictures"))
        print(indent("\n".join(map(str, written)), "  "))
    return 0


def main(argv=None):
    """Run ``python -m fastbs`` with the arguments ``argv`` (default: ``sys.argv[1:]``); the exit code."""
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that cannot show Δ or ᴴ shows a question mark instead of ending the run.
        sys.stdout.reconfigure(errors="replace")
    try:
        code = run(parser().parse_args(argv))
        sys.stdout.flush()  # here, where a closed pipe is caught
        return code
    except InputError as error:
        print(f"fastbs: error: {error}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"fastbs: error: out of memory: {error}; fewer --hidden units need less", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fastbs: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader, such as `head`, has gone; Python would complain again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
