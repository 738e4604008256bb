"""Where the results of a transform go: one call per row, in the order the rows were accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["CollectingOutputPort", "OutputPort", "RowResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """What became of one row.

    A good row has the ``content`` the server sent for it, the ``model`` and the token ``usage``
    the server named. A failed one has ``error``, with at least ``reason``, ``error_type`` and
    ``message``. ``attempts`` counts the requests made for it.
    """

    ticket: int
    row: Mapping[str, object]
    content: str | None = None
    model: str | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    error: Mapping[str, object] | None = None
    attempts: int

    @property
    def ok(self) -> bool:
        """Whether the row succeeded."""
        return self.error is None


class OutputPort(Protocol):
    """Takes the results of a transform, each once, in ticket order."""

    def emit(self, result: RowResult) -> None:
        """Take one result. What it raises ends the transform."""


class CollectingOutputPort:
    """Keeps every result, in the order of arrival."""

    def __init__(self) -> None:
        self.results: list[RowResult] = []

    def emit(self, result: RowResult) -> None:
        """Keep ``result``."""
        self.results.append(result)

    @property
    def errors(self) -> list[RowResult]:
        """The failed results among ``results``, in the same order."""
        return [result for result in self.results if not result.ok]

    @property
    def success_count(self) -> int:
        """How many rows succeeded."""
        return self.total_count - self.error_count

    @property
    def error_count(self) -> int:
        """How many rows failed."""
        return len(self.errors)

    @property
    def total_count(self) -> int:
        """How many rows arrived."""
        return len(self.results)
