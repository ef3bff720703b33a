"""A user's CSV file -> columns of numbers or names, or one line that says what is wrong and where."""

import csv
import difflib
import io
import re
from collections import Counter
from pathlib import Path

import numpy as np

from .errors import InputError

__all__ = ["Table", "read_table"]

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}
LARGEST = 1e100  # squares of it do not overflow


class Table:
    """The cells of a CSV file as text, checked to be a rectangle without holes.

    Parameters
    ----------
    path : Path
        Named in error messages.
    names : list of str
        The header; all different, none empty.
    rows : list of lists of str
        Cells without surrounding blanks, one list of ``len(names)`` for each row.
    lines : list of int
        The line of the file on which each row ends, counted from 1.

    Raises    InputError for names or rows that are not as above
    """

    def __init__(self, path, names, rows, lines):
        self.path, self.names, self.rows, self.lines = path, names, rows, lines
        self._check_header()
        self._check_rows()

    def __len__(self):
        return len(self.rows)

    def error(self, message, row=None, name=None):
        """An InputError that begins with the file and, if given, the line and the column."""
        places = [str(self.path)]
        if row is not None:
            places.append(f"line {self.lines[row]}" + (f", column {quoted(name)}" if name is not None else ""))
        elif name is not None:
            places.append(f"column {quoted(name)}")
        return InputError(": ".join([*places, message]))

    def _check_header(self):
        if len(self.names) < 2:
            known = ", ".join(DELIMITERS.values())
            raise self.error(
                f"the header must name at least two columns, a feature and the target, separated by one of "
                f"{known}; got {quoted(self.names[0])}"
            )
        if all(to_number(name) is not None for name in self.names):
            raise self.error(
                f"the first line must name the columns; got only numbers, {', '.join(self.names[:4])}, ..."
            )
        if "" in self.names:
            raise self.error(
                f"column {self.names.index('') + 1} of the header has no name; name it, or remove it (an "
                f"index, or a delimiter at the end of every line)"
            )
        name, count = Counter(self.names).most_common(1)[0]
        if count > 1:
            raise self.error(f"column names must differ; {quoted(name)} is there {count} times")

    def _check_rows(self):
        if not self.rows:
            raise self.error("the file has a header but no rows")
        for i, row in enumerate(self.rows):
            if len(row) != len(self.names):
                raise self.error(f"{len(row)} fields, but the header has {len(self.names)}", row=i)
        holes = [(i, j) for i, row in enumerate(self.rows) for j, cell in enumerate(row) if cell.lower() in MISSING]
        if holes:
            i, j = holes[0]
            raise self.error(
                f"missing value {quoted(self.rows[i][j])} ({len(holes)} in the file); fill it in or drop the row",
                row=i,
                name=self.names[j],
            )

    def check_column(self, name):
        """Raise an InputError that lists the columns, the closest first named, unless there is ``name``."""
        if name in self.names:
            return
        by_folded = {known.casefold(): known for known in self.names}
        close = [by_folded[match] for match in difflib.get_close_matches(name.casefold(), by_folded, n=3)]
        hint = f"; did you mean {' or '.join(map(quoted, close))}?" if close else ""
        raise self.error(f"no column {quoted(name)}; the columns are {listed(self.names)}{hint}")

    def text(self, name):
        """The cells of one column."""
        j = self.names.index(name)
        return [row[j] for row in self.rows]

    def numbers(self, name):
        """One column as a (rows,) float64 array; InputError for the first cell that is not a number."""
        cells = self.text(name)
        values = [to_number(cell) for cell in cells]
        for i, (cell, value) in enumerate(zip(cells, values, strict=True)):
            if value is None:
                comma = to_number(cell.replace(",", ".", 1)) is not None
                hint = "write a decimal point, not a comma" if comma else "encode or remove such a column"
                raise self.error(f"must be a number; got {quoted(cell)} ({hint})", row=i, name=name)
            if not abs(value) <= LARGEST:
                raise self.error(f"must be a number up to {LARGEST:g}; got {quoted(cell)}", row=i, name=name)
        return np.array(values)


def read_table(path):
    """The Table in a CSV file: UTF-8, a header, cells separated by comma, semicolon or tab, quoted or not."""
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}: line {line}: must be UTF-8; got the byte 0x{raw[error.start]:02x} (save it as UTF-8)"
        ) from error
    # strict: an unclosed quote would otherwise swallow the rest of the file as one cell
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), skipinitialspace=True, strict=True)
    rows, lines = [], []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if cells not in ([], [""]):
                rows.append(cells)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: not a CSV file: {error}") from error
    if not rows:
        raise InputError(f"{path}: the file is empty")
    return Table(path, rows[0], rows[1:], lines[1:])


def delimiter_of(text):
    """The delimiter that stands most often in the first line, outside quotes."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    header = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=header.count)


def quoted(text, width=40):
    """``text`` in quotes and on one line, cut to a readable length."""
    return repr(text if len(text) <= width else text[: width - 1] + "…")


def listed(names, most=12):
    """Quoted names with commas; how many more there are if they are many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(quoted, names[:most])) + more


def to_number(cell):
    """The float that ``cell`` writes, else None; Python's 1_000 is not a number here."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
