"""Uncompiled gradients, and what recording adds to a step."""

from .gradient_cases import RECORDING, STEPS, extra, network, recurrence
from .rival import OneRival

CASES = {"network": network, "recurrence": recurrence}
WARM = 40  # calls after which a structure that repeats runs as a tape


class Gradient(OneRival):
    params = (tuple(CASES), ("fastbs", "autograd", "torch"))
    param_names = ("program", "rival")

    def found(self, program, rival):
        return CASES[program]()

    def setup(self, program, rival):
        super().setup(program, rival)
        for _ in range(WARM):
            self.run()

    def time_gradient(self, program, rival):
        self.run()


class Recording:
    params = tuple(STEPS)
    param_names = ("step",)
    unit = f"of {RECORDING * 1e6:g} us"

    def track_added(self, step):
        return extra(step)[1] / RECORDING
