"""A page whose tables a command writes: all of them or none."""

import os
import re
from pathlib import Path

__all__ = ["Page"]


class Page:
    """What stands between ``<!-- measured NAME -->`` and ``<!-- end NAME -->``, for each name, is replaced.

    Parameters
    ----------
    path : path-like
        A text file that has the two lines of every name once; otherwise a ValueError says which it has not.
    names : iterable of str
    """

    def __init__(self, path, names):
        self.path, self.names = Path(path), tuple(names)
        text = self.path.read_text(encoding="utf-8")
        for name in self.names:
            if (count := len(self.section(name).findall(text))) != 1:
                expected = f"<!-- measured {name} --> and <!-- end {name} -->"
                raise ValueError(f"Page: {path} must have {expected} once; got {count}")

    @staticmethod
    def section(name):
        return re.compile(
            rf"(?<=<!-- measured {re.escape(name)} -->\n).*?(?=<!-- end {re.escape(name)} -->)", re.DOTALL
        )

    def write(self, texts):
        """Replace all sections by ``texts[name]``, in one step: whoever reads the file sees the old or the new page."""
        page = self.path.read_text(encoding="utf-8")
        for name in self.names:
            page = self.section(name).sub(lambda _, text=texts[name]: f"\n{text.strip()}\n\n", page)
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.write_text(page, encoding="utf-8")
        os.replace(fresh, self.path)
