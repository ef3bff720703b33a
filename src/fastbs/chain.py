"""The cheapest order of a product of Jacobians: pure arithmetic on sizes and costs.

A program whose every path passes single steps c_1, ..., c_m is a chain ``J = J_{m+1} ... J_2 J_1``. Each factor
can be applied to one direction, forward or in reverse, at a cost f_k, or be multiplied as a dense matrix. The
order is chosen by dynamic programming over all parenthesizations: matrix-free Jacobian chain bracketing
(Naumann 2024, arXiv 2406.11862).
"""

from dataclasses import dataclass

__all__ = ["Plan", "plan_chain"]


@dataclass(frozen=True)
class Plan:
    """How to get the dense Jacobian of the segments first, ..., last, and its predicted flops.

    Attributes
    ----------
    kind : {"forward", "reverse", "product"}
        Push the identity, or the dense `right`, through the segments of `left`; pull the identity, or the dense
        `left`, back through those of `right`; or multiply both as dense matrices.
    first, last : int
        Segments, counted from the input.
    flops : float
    left, right : Plan or None
        Dense Jacobians that are needed first; of the later and the earlier segments.
    """

    kind: str
    first: int
    last: int
    flops: float
    left: "Plan | None" = None
    right: "Plan | None" = None

    def __str__(self):
        span = f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"
        if self.kind == "product":
            return f"({self.left} · {self.right})"
        inner = self.right if self.kind == "forward" else self.left
        arrow = "→" if self.kind == "forward" else "←"
        return f"{arrow}[{span}]" if inner is None else f"{arrow}[{span} of {inner}]"


def plan_chain(sizes, costs):
    """The cheapest plan for the whole chain.

    Parameters
    ----------
    sizes : list of m + 1 int
        Elements of the input, of each single step, and of the output.
    costs : list of m float
        Flops of applying each segment to one direction; adjoints cost the same.

    Returns
    -------
    Plan
        Takes O(m^3) time.

    Examples
    --------
    >>> plan = plan_chain([300, 300, 5, 300], [180000.0, 3000.0, 3000.0])
    >>> str(plan), plan.flops
    ('→[2 of ←[0..1]]', 1815000.0)
    """
    m = len(costs)
    total = [0.0]
    for cost in costs:
        total.append(total[-1] + cost)

    def through(i, j):
        return total[j + 1] - total[i]

    best = {}
    for length in range(1, m + 1):
        for i in range(m - length + 1):
            j = i + length - 1
            n_in, n_out = sizes[i], sizes[j + 1]
            options = [
                Plan("reverse", i, j, n_out * through(i, j)),  # first: its rows need no transposes at the end
                Plan("forward", i, j, n_in * through(i, j)),
            ]
            for s in range(i, j):  # earlier segments i..s, later ones s+1..j
                early, late = best[i, s], best[s + 1, j]
                options += [
                    Plan("forward", s + 1, j, early.flops + n_in * through(s + 1, j), right=early),
                    Plan("reverse", i, s, late.flops + n_out * through(i, s), left=late),
                    Plan("product", i, j, early.flops + late.flops + 2.0 * n_out * sizes[s + 1] * n_in, late, early),
                ]
            best[i, j] = min(options, key=lambda plan: plan.flops)
    return best[0, m - 1]
