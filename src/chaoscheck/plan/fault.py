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

__all__ = ["SECONDS_MAX", "Fault", "require_at_least", "shown"]

#: Ten years: the longest wait of a plan, and the end of the server's clock. No date that a
#: header can say falls out of the calendar, and no sum or quotient of such times overflows.
SECONDS_MAX = 315_360_000
_SHOWN_MAX = 200  # characters


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


def require_at_least(
    fault: str, parameter: str, value: float, low: float, high: float = SECONDS_MAX
) -> None:
    """Refuse a parameter that is no finite number in [low, high] (PlanError)."""
    legal = isinstance(value, int | float) and not isinstance(value, bool)
    # An integer may be beyond every float, so it is compared and not converted.
    if not legal or not low <= value < math.inf:
        raise PlanError(
            f"{fault}: {parameter} must be a finite number >= {low}, got {shown(value)}"
        )
    if value > high:
        raise PlanError(f"{fault}: {parameter} must be <= {high}, got {shown(value)}")


def shown(value: object) -> str:
    """A value that is out of range, as an error shows it: in at most 200 characters."""
    try:
        return repr(value)[:_SHOWN_MAX]
    except ValueError:  # Python writes no integer of thousands of digits.
        return "an integer of thousands of digits"
