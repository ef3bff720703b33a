"""The run as text, at most 96 columns wide: every function returns a string."""

import numpy as np

from .task import Classes

__all__ = [
    "class_report",
    "data_report",
    "gradient_report",
    "heading",
    "number_report",
    "time_report",
    "training_report",
]

WIDTH = 96
LABEL_WIDTHS = (24, 16, 12, 8, 5)  # of class names above the confusion matrix: the first that fits WIDTH


def heading(title):
    """A title with an empty line above and a rule below."""
    return f"\n{title}\n{'─' * len(title)}"


def table(columns, rows, left=1):
    """Rows of strings under their headings; the first ``left`` columns flush left, the others flush right."""
    rows = [columns, *rows]
    widths = [max(len(row[j]) for row in rows) for j in range(len(columns))]
    return "\n".join(
        "  "
        + "   ".join(
            cell.ljust(width) if j < left else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def data_report(problem, network):
    """What is learnt from what, and by which network."""
    n, held_out = len(problem.is_test), int(problem.is_test.sum())
    if isinstance(problem.task, Classes):
        target, every_fifth = f"one of {problem.task.outputs} classes", "every fifth of each class"
    else:
        target, every_fifth = "a number", "every fifth"
    widths = " → ".join(map(str, network.widths))
    return (
        f"  data      {problem.title}\n"
        f"  examples  {n}: {n - held_out} to train on, {held_out} held out ({every_fifth})\n"
        f"  target    {target}; the loss is the {problem.task.loss_name}\n"
        f"  network   {widths}, tanh in the hidden layers, {network.size} parameters"
    )


def gradient_report(checks, norm, seconds):
    """The gradient of each parameter block and its deviation from complex step."""
    rows = [
        (
            check.name,
            "{} x {}".format(*check.shape),
            f"{check.largest:.2e}",
            f"{check.coordinates:.1e}",
            f"{check.direction:.1e}",
        )
        for check in checks
    ]
    columns = ("block", "shape", "largest entry", "deviation: entries", "random direction")
    return (
        f"  gradient = Dᴴ ((I − L)ᴴ \\ g) in {1e3 * seconds:.1f} ms, norm {norm:.4g}; "
        f"against complex step:\n\n" + table(columns, rows)
    )


def training_report(training, seconds):
    """How far the optimizer came and why it stopped."""
    (first, _), (last, last_held_out) = training.losses[0], training.losses[-1]
    return (
        f"  {training.iterations} iterations, {training.evaluations} gradients in {seconds:.2f} s; "
        f"loss {first:.4f} → {last:.4f} (held out {last_held_out:.4f})\n"
        f"  SciPy says: {training.reason.lower().removeprefix('stop: ')}"
    )


def class_report(names, confusion, baseline):
    """Test accuracy, that of always saying the commonest class, and who was taken for whom."""
    right, total = int(np.trace(confusion)), int(confusion.sum())
    text = f"  test accuracy {right / total:.4f} ({right} of {total}); always the commonest class: {baseline:.4f}\n\n"
    for width in LABEL_WIDTHS:
        matrix = confusion_table(names, confusion, width)
        if max(map(len, matrix.splitlines())) <= WIDTH:
            return text + matrix
    mistakes = confusion - np.diag(np.diag(confusion))
    worst = [divmod(int(place), len(names)) for place in np.argsort(mistakes, axis=None, kind="stable")[:-11:-1]]
    rows = [
        (shortened(names[i], 32), shortened(names[j], 32), str(mistakes[i, j]), str(confusion[i].sum()))
        for i, j in worst
        if mistakes[i, j]
    ]
    return text + table(("true", "predicted (the commonest mistakes)", "times", "of"), rows, left=2)


def confusion_table(names, confusion, width):
    """The confusion matrix with recalls, the names of the columns cut to ``width`` characters."""
    return table(
        ("true \\ predicted", *(shortened(name, width) for name in names), "recall"),
        [
            (
                shortened(name, max(LABEL_WIDTHS)),
                *(str(count) if count else "·" for count in row),
                f"{row[i] / row.sum():.0%}" if row.sum() else "-",
            )
            for i, (name, row) in enumerate(zip(names, confusion, strict=True))
        ],
    )


def number_report(truth, predicted, baseline):
    """RMSE and R^2 on the held-out part, next to always predicting the mean of the training part."""
    spread = np.sum((truth - truth.mean()) ** 2)

    def row(name, prediction):
        errors = np.sum((truth - prediction) ** 2)
        r2 = f"{1 - errors / spread:.4f}" if spread else "-"
        return name, f"{np.sqrt(errors / len(truth)):.5g}", r2

    return table(
        (f"{len(truth)} held-out rows", "RMSE", "R²"),
        [row("this network", predicted), row("always the mean", baseline)],
    )


def time_report(clock):
    """Calls, seconds and share of each stage of a Clock, in the order in which they first ran."""
    total = sum(clock.seconds.values())
    rows = [
        (
            name,
            str(clock.calls[name]),
            f"{seconds:.3f} s",
            f"{1e3 * seconds / clock.calls[name]:.3f} ms",
            f"{seconds / total:.0%}",
        )
        for name, seconds in clock.seconds.items()
    ]
    rows.append(("total", "", f"{total:.3f} s", "", "100%"))
    return table(("stage", "calls", "time", "per call", "share"), rows)


def shortened(text, width):
    """``text`` on one line, cut to ``width`` characters with an ellipsis."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
