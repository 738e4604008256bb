"""The interface of a fault: a frozen value that edits what is said or how it is delivered.

One fault, one file under ``plan/faults``. A fault is pure: it sees the answer the server would
have given and returns another, or sees the rendered bytes and returns a script of acts. It says
which answers it can strike at all, so that none is injected without an effect.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from chaoscheck.errors import PlanError
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.delivery import Act, Wire

__all__ = ["Fault", "require_at_least"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Base of all faults: by itself it changes nothing.

    Fields are the fault's parameters; each has a default, so that a name alone is a fault.
    ``repr`` is the way users write it: ``reset_mid_body(after_bytes=17)``.
    """

    name: ClassVar[str] = ""
    #: A fault of a request is decided once that is read; of a connection, when it is accepted.
    strikes: ClassVar[Literal["request", "connection"]] = "request"

    def applies_to(self, answer: Answer) -> bool:
        """Whether it would change what the client of this good answer sees."""
        return True

    def on_answer(self, answer: Answer) -> Answer:
        """What is said instead of ``answer``."""
        return answer

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """How the rendered answer is sent."""
        return wire.acts()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How Hypothesis and IPython show it: as users write it."""
        printer.text(repr(self))

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self)
        )
        return f"{self.name}({shown})"


def require_at_least(fault: str, parameter: str, value: float, low: float) -> None:
    """Refuse a parameter below ``low``, or one that is not a finite number (PlanError)."""
    legal = isinstance(value, int | float) and not isinstance(value, bool)
    if not legal or not math.isfinite(value) or value < low:
        raise PlanError(f"{fault}: {parameter} must be a finite number >= {low}, got {value!r}")
