"""One map, one file."""

from .hadamard import Hadamard
from .identity import Identity
from .inner import Inner
from .kronecker import Kronecker
from .kroneckersum import KroneckerSum
from .left import Left
from .right import Right
from .zero import Zero

__all__ = ["Hadamard", "Identity", "Inner", "Kronecker", "KroneckerSum", "Left", "Right", "Zero"]
