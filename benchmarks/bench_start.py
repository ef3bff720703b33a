"""Time to the first gradient, to import, and how two threads share the cores."""

from .paired import compare
from .start_cases import import_seconds, rivals
from .thread_cases import rivals as on_threads


class First:
    params = ("fastbs", "jax")
    param_names = ("rival",)

    def setup(self, rival):
        found = rivals(peers=rival != "fastbs")
        if rival not in found:
            raise NotImplementedError  # asv's word for "skip"
        self.run = found[rival]
        self.run()

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
