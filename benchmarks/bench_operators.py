"""Applying one operator, or a chain of three, to one matrix."""

from .operator_cases import OPERATORS, RIVALS, STATEMENTS, has, namespace
from .paired import compare
from .rival import OneRival

SIZES = (4, 16, 64, 256)


class _Applies(OneRival):
    """One statement of the table, applied to n x n arrays."""

    param_names = ("operator", "n", "rival")

    def found(self, operator, n, rival):
        if not has(operator, rival):
            return {}
        return {rival: eval(f"lambda: {STATEMENTS[operator][rival]}", namespace(operator, n))}


class Apply(_Applies):
    params = (OPERATORS, SIZES, RIVALS)

    def time_apply(self, operator, n, rival):
        self.run()


class Memory(_Applies):
    """What the process needs with operands of 8 MB each."""

    params = (OPERATORS, (1024,), RIVALS)

    def peakmem_apply(self, operator, n, rival):
        self.run()


class Ratio:
    """Paired ratios to the NumPy expression: what the report promises, tracked from commit to commit."""

    params = (OPERATORS, SIZES, ("fastbs", "fastbs apply_into"))
    param_names = ("operator", "n", "rival")
    unit = "of the NumPy expression's time"

    def track_to_numpy(self, operator, n, rival):
        rivals = {name: STATEMENTS[operator][name] for name in (rival, "NumPy")}
        return compare(rivals, "NumPy", namespace=namespace(operator, n)).ratio(rival).median
