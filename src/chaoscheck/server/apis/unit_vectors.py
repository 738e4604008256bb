"""Unit vectors that stand for texts: a pure function of the text, without meaning.

Equal texts have equal vectors and different ones unrelated vectors. Components are 32-bit floats.
"""

from __future__ import annotations

import hashlib
import math
import sys
from array import array

__all__ = ["unit_vector"]


def unit_vector(text: str, dimensions: int) -> array[float]:
    """The vector of ``text``: 32-bit floats of length 1, within rounding."""
    digest = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(4 * dimensions)
    numbers = array("i", digest)
    if sys.byteorder != "little":
        numbers.byteswap()
    length = math.sqrt(math.fsum([float(number) ** 2 for number in numbers])) or 1.0
    return array("f", [number / length for number in numbers])
