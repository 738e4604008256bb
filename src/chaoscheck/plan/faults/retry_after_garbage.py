"""A Retry-After that says nothing a client can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault

__all__ = ["RetryAfterGarbage"]

_LENGTH_MAX = 100  # characters, as ``repr`` writes them between its quotes


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetryAfterGarbage(RetryAfterFault):
    """Answer ``retry-after: soon``, or whatever ``text`` is."""

    name: ClassVar[str] = "retry_after_garbage"

    text: str = "soon"

    def check(self) -> None:
        """Printable Latin-1, short enough to be read back from what is printed of it."""
        if not (isinstance(self.text, str) and self.text.isprintable() and _fits(self.text)):
            raise PlanError(
                f"{self.name}: text must be printable Latin-1 of at most {_LENGTH_MAX} "
                f"characters (escapes counted), got {self.text!r}"
            )

    def headers(self, now_s: float) -> tuple[tuple[str, str], ...]:
        """The text as it stands."""
        return (("retry-after", self.text),)


def _fits(text: str) -> bool:
    return all(character <= "\xff" for character in text) and len(repr(text)) - 2 <= _LENGTH_MAX
