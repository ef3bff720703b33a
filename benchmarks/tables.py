"""Tables of ratios, on a terminal or in Markdown, and how many of the bounds in them are missed."""

from .paired import compare, format_seconds

__all__ = ["Ratios", "Table", "against_peers"]


class Table:
    """Rows of fixed width on a terminal, or of Markdown.

    Parameters
    ----------
    line : str
        The format of a row on a terminal.
    *header : str
        The first row.

    Attributes
    ----------
    missed : int
        How many verdicts were that a bound is missed.
    """

    markdown = False

    def __init__(self, line, *header):
        self.line, self.missed = line, 0
        if self.markdown:
            print(f"\n{self.cells(header)}\n{'|---' * len(header)}|")
        else:
            print(line.format(*header).rstrip())

    def __call__(self, *row):
        print(self.cells(row) if self.markdown else self.line.format(*row).rstrip(), flush=True)

    def verdict(self, met):
        self.missed += not met
        return "PASS" if met else "MISS"

    @staticmethod
    def cells(row):
        return f"| {' | '.join(map(str, row))} |"


class Ratios(Table):
    """A row a comparison: names, both times, the bound, and the ratio of the times with its interval.

    Parameters
    ----------
    names : str
        The format of the columns in front of the times.
    *header : str
        Of these columns.
    against : int
        The width of the name of a rival.
    """

    def __init__(self, names, *header, against=8):
        line = f"{names}{{:>9}}  {{:<{against}}}{{:>9}}  {{:>8}}  {{:<22}}  {{}}"
        super().__init__(line, *header, "time", "against", "time", "required", "measured [95 %]", "")

    def add(self, result, ours, rival, bound, *names, calls=1):
        """One row: `ours` against the rival; bound is None where nothing is promised. Times are of one of `calls`."""
        ratio = result.ratio(ours, rival)
        times = [format_seconds(result.seconds(name) / calls) for name in (ours, rival)]
        required, verdict = ("-", "") if bound is None else (f"{bound:.3g}", self.verdict(ratio.meets(bound)))
        self(*names, times[0], rival, times[1], required, str(ratio), verdict)


def against_peers(kind, cases, rounds, check=1e-9):
    """Print a row for each peer of cases ``(name, rivals, bound)``, ours first; return how many bounds are missed."""
    table = Ratios("{:<21}", kind)
    for name, rivals, bound in cases:
        ours, *peers = rivals
        result = compare(rivals, ours, rounds, target=2e-2, check=check)
        for peer in peers:
            table.add(result, ours, peer, bound, name)
    return table.missed
