"""From a data set to a learning problem: features standardized, target understood, examples held out."""

from typing import NamedTuple

import numpy as np

from ..data import held_out, load_digits
from .table import quoted, to_number
from .task import Classes, Numbers

__all__ = ["TARGET_RULE", "Problem", "digits_problem", "table_problem"]

FEWEST_ROWS = 20
MOST_INTEGER_CLASSES = 20
ROWS_PER_CLASS = 5  # held_out takes every fifth of a class

TARGET_RULE = f"""the target is a class if it is text, or whole numbers of at most
{MOST_INTEGER_CLASSES} different values; otherwise it is a number"""


class Problem(NamedTuple):
    """n examples of p features and their targets, part of them held out."""

    title: str
    X: np.ndarray  # (p, n) float64, standardized; examples in columns
    target: np.ndarray  # (n,) class indices, or numbers in the unit of the data
    is_test: np.ndarray  # (n,) bool
    task: Classes | Numbers
    images: np.ndarray | None = None  # (n, height, width), when the examples are pictures

    def part(self, chosen):
        """(X, target) of the examples in the mask ``chosen``."""
        return np.ascontiguousarray(self.X[:, chosen]), self.target[chosen]


def digits_problem():
    """The handwritten digits of ``fastbs.data``: 64 pixels, 10 classes, the fixed split."""
    images, labels, is_test = load_digits()
    X = standardized(images.reshape(len(images), -1).T.astype(float), ~is_test)
    names = [str(digit) for digit in range(10)]
    title = "handwritten digits of 8 x 8 pixels (UCI, E. Alpaydin and C. Kaynak, CC BY 4.0)"
    return Problem(title, X, labels.astype(int), is_test, Classes(names), images)


def table_problem(table, target_name, kind, seed):
    """Predict the column ``target_name`` of a Table from all its other columns.

    Parameters
    ----------
    table : Table
    target_name : str
    kind : {"auto", "class", "number"}
        What the target is; "auto" follows ``TARGET_RULE``.
    seed : int
        Shuffles the rows, so that a file sorted by anything is held out fairly.

    Raises    InputError for what cannot be learnt from, with line and column
    """
    table.check_column(target_name)
    if len(table) < FEWEST_ROWS:
        raise table.error(f"{len(table)} rows are too few; at least {FEWEST_ROWS} are needed to hold some out")
    is_class = kind == "class" or (kind == "auto" and looks_like_class(table, target_name))
    shuffle = np.random.default_rng(seed).permutation(len(table))
    if is_class:
        names, target = classes_of(table, target_name)
        target = target[shuffle]
        is_test, task = held_out(target), Classes(names)
    else:
        target = table.numbers(target_name)[shuffle]
        is_test = held_out(np.zeros(len(table)))
        train = target[~is_test]
        task = Numbers(train.mean(), train.std() or 1.0)
    if np.all(target == target[0]):
        raise table.error(
            f"the target must vary; all {len(table)} rows hold {quoted(table.text(target_name)[0])}",
            name=target_name,
        )
    features = [name for name in table.names if name != target_name]
    X = np.array([table.numbers(name) for name in features])[:, shuffle]
    if np.all(np.ptp(X, axis=1) == 0):
        raise table.error(f"no feature varies: each of {len(features)} columns holds one value in all rows")
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # found below
        X = standardized(X, ~is_test)
    lost = np.flatnonzero(~np.isfinite(X).all(axis=1))
    if lost.size:
        raise table.error(
            "the numbers differ by too little, or by too many orders of magnitude, to be standardized in float64",
            name=features[lost[0]],
        )
    title = f"{table.path.name}: {quoted(target_name)} from {len(features)} columns"
    return Problem(title, X, target, is_test, task)


def standardized(X, train):
    """(X - mean)/deviation of each row, taken over its ``train`` columns; a constant row is only shifted."""
    known = X[:, train]
    # Not "deviation == 0": the mean of equal numbers is rounded, and the deviation then is not quite zero.
    constant = np.ptp(known, axis=1, keepdims=True) == 0
    mean = np.where(constant, known[:, :1], known.mean(axis=1, keepdims=True))
    return (X - mean) / np.where(constant, 1.0, known.std(axis=1, keepdims=True))


def looks_like_class(table, name):
    """Whether TARGET_RULE calls this column a class; InputError if it is neither class nor number."""
    cells = table.text(name)
    values = [to_number(cell) for cell in cells]
    texts = [i for i, value in enumerate(values) if value is None]
    if texts:
        different = len(set(cells))
        if different * ROWS_PER_CLASS > len(cells) and len(texts) < len(cells) / 2:
            raise table.error(
                f"{quoted(cells[texts[0]])} is not a number, but most of the column are numbers",
                row=texts[0],
                name=name,
            )
        return True
    return all(value.is_integer() for value in values) and len(set(values)) <= MOST_INTEGER_CLASSES


def classes_of(table, name):
    """(names, indices): whole numbers in their order, else the texts in alphabetical order."""
    cells = table.text(name)
    values = [to_number(cell) for cell in cells]
    if all(value is not None and value.is_integer() for value in values):
        cells = [str(int(value)) for value in values]  # 1 and 1.0 are one class
        names = sorted(set(cells), key=int)
    else:
        names = sorted(set(cells))
    if len(names) * ROWS_PER_CLASS > len(cells):
        raise table.error(
            f"{len(names)} different classes in {len(cells)} rows are too many; "
            f"at least {ROWS_PER_CLASS} rows a class are needed",
            name=name,
        )
    index = {name: i for i, name in enumerate(names)}
    return names, np.array([index[cell] for cell in cells])
