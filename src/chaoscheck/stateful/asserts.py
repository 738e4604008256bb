"""Laws are assert statements: without these every machine would be green."""

from __future__ import annotations

import sys

from chaoscheck.errors import PlanError

__all__ = ["ASSERTS_ARE_OFF", "asserts_run", "require_asserts"]

ASSERTS_ARE_OFF = (
    "assert statements are off (python -O, or PYTHONOPTIMIZE is set), so that laws and rules check "
    "nothing: run without"
)


def asserts_run() -> bool:
    """Whether this interpreter executes assert statements."""
    return sys.flags.optimize == 0


def require_asserts() -> None:
    """PlanError when this interpreter leaves assert statements out."""
    if not asserts_run():
        raise PlanError(ASSERTS_ARE_OFF)
