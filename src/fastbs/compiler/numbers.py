"""Programs of numbers: longer operations, and results that the next operation takes without memory in between."""

from .elementwise import FUNCTIONS, MICRO_OPS, OF_LAST

__all__ = ["NUMBERS", "lines_of_numbers", "with_more_products"]

NUMBERS = 1024  # registers, as in recurrence.h
# Operations that may exchange arguments: by which place a place may be taken as well
EXCHANGED = {
    "times": {1: (1, 0)},
    "add": {1: (1, 0)},
    "muladd": {1: (1, 0, 2)},
    "mulsub": {1: (1, 0, 2)},
    "submul": {1: (1, 0, 2)},
    "times3": {1: (1, 0, 2)},
    "products add": {1: (1, 0, 2, 3), 2: (2, 3, 0, 1), 3: (3, 2, 0, 1)},
    "products sub": {1: (1, 0, 2, 3), 3: (0, 1, 3, 2)},
}


def with_more_products(operations, kept):
    """Products that only another product or a sum with one takes become one operation with it.

    Operations are ``(name, result, arguments)``; `kept` are the registers that must be there at the end.
    """
    uses = {}
    for _, _, arguments in operations:
        for a in arguments:
            uses[a] = uses.get(a, 0) + 1
    products = {r: xs for name, r, xs in operations if name == "times" and uses.get(r) == 1 and r not in kept}
    taken, result = set(), []
    for name, register, arguments in operations:
        if name == "times":
            at = next((i for i in (0, 1) if arguments[i] in products), None)
            if at is not None:
                taken.add(arguments[at])
                products.pop(register, None)
                name, arguments = "times3", (*products[arguments[at]], arguments[1 - at])
        elif name in ("muladd", "mulsub", "submul") and arguments[2] in products:
            x, y, z = arguments
            taken.add(z)
            if name == "submul":
                name, arguments = "products sub", (*products[z], x, y)
            else:
                name, arguments = "products add" if name == "muladd" else "products sub", (x, y, *products[z])
        result.append((name, register, arguments))
    return [line for line in result if line[1] not in taken]


def lines_of_numbers(operations, physical):
    """``(micro operation, result, four arguments)`` on physical registers."""
    lines, before = [], None
    for name, register, arguments in operations:
        places = [physical[a] for a in arguments]
        if before in places:
            at = places.index(before)
            order = EXCHANGED.get(name, {}).get(at)
            if order is not None:
                places = [places[i] for i in order]
                at = places.index(before)
            if (name, at) in MICRO_OPS:
                name = name, at
            elif name in FUNCTIONS:
                name, places = OF_LAST, [MICRO_OPS[name]]
        before = physical[register]
        lines.append((MICRO_OPS[name], before, *places, *(places[0],) * (4 - len(places))))
    return lines
