"""Bounded memory for the states of long loops: most of them are computed again when they are needed.

A loop and the loop back over its states run after one schedule: the first keeps some of its states, the second goes
on from these to the state it needs next, and keeps others on the way where it has room again. Every state is computed
by the same instructions each time, so that results are bit for bit those of the stored states.
"""

from dataclasses import dataclass, replace

import numpy as np

from .program import Program, Step

__all__ = ["Schedule", "checkpointed", "schedule_of"]

ADVANCE, BACK = range(2)  # the bodies of a loop back
STATES = ("states", "next")  # the results of a loop that a schedule keeps


@dataclass(frozen=True, eq=False)
class Schedule:
    """In which order steps run, and in which places they read and write states.

    Attributes
    ----------
    places : int
    forward, back : (n, 4) arrays of int32
        ``(body, step, source, target)`` of the loop and of the loop back, whose bodies are a step and a step back.
    """

    places: int
    forward: np.ndarray
    back: np.ndarray


def schedule_of(n, snapshots):
    """The schedule of fewest steps for a loop of n steps that keeps so many of its states.

    Source: Griewank and Walther, Algorithm 799: revolve, ACM TOMS 26(1), 2000.
    """
    try:
        from checkpoint_schedules import (
            Copy,
            EndForward,
            EndReverse,
            Forward,
            Move,
            MultistageCheckpointSchedule,
            Reverse,
        )
    except ImportError as error:
        raise ImportError(
            "compile: checkpoint needs the package checkpoint-schedules, which chooses the states to keep; install it "
            "with pip install fastbs[checkpoint]"
        ) from error
    entries = {ADVANCE: [], BACK: []}
    free, places, kept, phase = [], 0, {}, ADVANCE

    def take():
        nonlocal places
        if free:
            return free.pop()
        places += 1
        return places - 1

    def leave(place):
        if place not in kept.values():
            free.append(place)

    here = take()  # where the state of the current step is, and
    behind = None  # that of the step behind the one that goes back next
    for action in MultistageCheckpointSchedule(n, min(snapshots, n - 1), 0):
        if isinstance(action, Forward):
            if action.write_ics:
                kept[action.n0] = here
            if not action.write_adj_deps:
                for i in range(action.n0, action.n1):
                    target = take()
                    entries[phase].append((ADVANCE, i, here, target))
                    leave(here)
                    here = target
            elif phase == ADVANCE:  # the last step; the state in front of it stays for the first step back
                behind = take()
                entries[phase].append((ADVANCE, n - 1, here, behind))
        elif isinstance(action, Reverse):
            entries[phase].append((BACK, n - 1 - action.n0, here, behind))
            leave(behind)
            behind = here
        elif isinstance(action, Copy):
            here = kept[action.n]
        elif isinstance(action, Move):
            here = kept.pop(action.n)
        elif isinstance(action, EndForward):
            phase = BACK
        elif isinstance(action, EndReverse):
            break
    return Schedule(places, *[np.array(entries[phase], np.int32) for phase in (ADVANCE, BACK)])


def checkpointed(program, snapshots):
    """The program with at most so many stored states for each loop whose states only one loop back needs."""
    users = program.users()
    made = {id(step): step for step in program.inputs}
    pairs = {}  # id(loop) -> the loop back, and id(loop back) -> the loop
    for step in program.steps:
        back = loop_back(step, users, snapshots)
        if back is not None and id(back) not in pairs:
            pairs[id(step)], pairs[id(back)] = back, step
    schedules, kept, order = {}, {}, []

    def add(step):
        order.append(step)
        return step

    for step in program.steps:
        arguments = tuple([made.get(id(a)) if type(a) is Step else a for a in step.arguments])
        keywords = {
            name: inside(value, snapshots) if name in ("loop", "branches") else value
            for name, value in step.keywords.items()
        }
        loop = keywords.get("loop")
        holder = step.arguments[0] if step.arguments else None
        if type(holder) is Step and id(holder) in pairs and "loop" in holder.keywords and keepers(holder):
            results, i = holder.keywords["loop"].results, step.arguments[1]
            if results[i][0] in STATES:
                continue  # the loop back reads what was kept
            arguments = arguments[0], sum(kind not in STATES for kind, _ in results[:i])
        elif id(step) in pairs and keepers(step):
            schedule = schedules[id(step)] = schedule_of(loop.length, snapshots)
            plain = [result for result in loop.results if result[0] not in STATES]
            names = [("kept", j) for j in range(loop.carries)]
            loop = keywords["loop"] = replace(loop, results=(*plain, *names), schedule=schedule)
            whole = add(Step(step.function, arguments, keywords, None, None, step.where))
            made[id(step)] = whole
            item = users[id(step)][0].function
            kept[id(step)] = [
                add(Step(item, (whole, len(plain) + j), {}, (schedule.places, *x.shape), x.dtype, step.where))
                for j, x in enumerate(loop.body.inputs[: loop.carries])
            ]
            continue
        elif id(step) in pairs:
            forth = pairs[id(step)]
            first = made[id(forth)].keywords["loop"]
            states = kept[id(forth)]
            rows = []  # (number of the row, state that it is, whether behind the step)
            for j, a in enumerate(step.arguments):
                if type(a) is Step and a.arguments and a.arguments[0] is forth:
                    kind, number = forth.keywords["loop"].results[a.arguments[1]]
                    if kind in STATES:
                        rows.append((j - loop.carries, number, kind == "next"))
                        arguments = (*arguments[:j], states[number], *arguments[j + 1 :])
            keywords["loop"] = replace(loop, schedule=schedules[id(forth)], advance=first, kept=tuple(rows))
            arguments = (*arguments, *states, *made[id(forth)].arguments[first.carries :])
        made[id(step)] = add(Step(step.function, arguments, keywords, step.shape, step.dtype, step.where, step.weak))
    return Program(program.inputs, [made[id(y)] if type(y) is Step else y for y in program.outputs], order)


def inside(holder, snapshots):
    """A loop or a choice with its programs rewritten."""
    if hasattr(holder, "body"):
        return replace(holder, body=checkpointed(holder.body, snapshots))
    return replace(holder, programs=tuple([checkpointed(program, snapshots) for program in holder.programs]))


def keepers(step):
    """Whether a loop gives the states of its steps."""
    return any(kind in STATES for kind, _ in step.keywords["loop"].results)


def loop_back(step, users, snapshots):
    """The only user of the states of a loop, if it is a loop that goes through them from the last to the first."""
    loop = step.keywords.get("loop")
    if loop is None or loop.length <= snapshots + 1 or not keepers(step):
        return None
    found = {
        id(user): user
        for item in users[id(step)]
        if loop.results[item.arguments[1]][0] in STATES
        for user in users[id(item)]
    }
    back = next(iter(found.values())) if len(found) == 1 else None
    other = None if back is None else back.keywords.get("loop")
    if other is None or other.length != loop.length or other.backward == loop.backward or keepers(back):
        return None
    others = [*back.arguments[: other.carries], *back.arguments[other.carries + other.rows :]]
    is_row = all(
        type(a) is not Step or not a.arguments or a.arguments[0] is not step
        or loop.results[a.arguments[1]][0] not in STATES
        for a in others
    )  # fmt: skip
    return back if is_row else None
