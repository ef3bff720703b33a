"""The exceptions of fastbs; each is also the built-in that a NumPy user would catch.

Texts follow one pattern: ``<Class>.<method>: <argument> must be <expected> because <reason>; got
<actual>``; for block systems they name the block ``(i, j)``.
"""

import numpy as np

__all__ = ["DtypeError", "ShapeError", "SingularError", "StructureError", "TraceError"]


class ShapeError(ValueError):
    """Two shapes do not fit; the message holds both."""


class StructureError(ValueError):
    """A block matrix lacks the structure an operation needs, such as being triangular."""


class DtypeError(TypeError):
    """A dtype that the operation is not defined for."""


class TraceError(TypeError):
    """A traced value was about to be turned into a constant; the message names the way out."""


class SingularError(np.linalg.LinAlgError):
    """A pivot is exactly zero; the message names the block."""
