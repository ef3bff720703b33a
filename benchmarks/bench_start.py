"""Time to the first gradient, to import, and how two threads share the cores."""

from .paired import compare
from .rival import OneRival
from .start_cases import import_seconds, rivals
from .thread_cases import rivals as on_threads


class First(OneRival):
    params = ("fastbs", "jax")
    param_names = ("rival",)

    def found(self, rival):
        return rivals(peers=rival != "fastbs")

    def time_gradient(self, rival):
        self.run()

    def peakmem_gradient(self, rival):
        self.run()


class Import:
    unit = "s"

    def track_import(self):
        return import_seconds(11)[0]


class Threads:
    unit = "of one thread's throughput"

    def setup(self):
        self.found = on_threads()
        if len(self.found) < 2:
            raise NotImplementedError  # there is one core only

    def track_two(self):
        return 1 / compare(self.found, "one thread", target=2e-2).ratio("two threads").median
