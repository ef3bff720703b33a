"""A base of asv classes that run one rival of a case."""

__all__ = ["OneRival"]


class OneRival:
    """``run`` is the rival that the last parameter names, warm; where it cannot run here, asv skips it.

    A subclass has ``found(*parameters)``: the rivals that can run, ``{name: function}``.
    """

    def setup(self, *parameters):
        found = self.found(*parameters)
        if parameters[-1] not in found:
            raise NotImplementedError  # asv's word for "skip"
        self.run = found[parameters[-1]]
        self.run()
