"""A history as text: one line for each event, one column for each client.

With more clients than columns fit, operations share columns and carry their client's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence

from chaoscheck.errors import PlanError
from chaoscheck.history.operations import OperationEvent, OperationRecord, events

__all__ = ["WIDTH_CHARS", "call_text", "end_text", "interleaving", "value_text"]

WIDTH_CHARS = 100  # As wide as a line of code: it fits beside one in a terminal or a review.
_WIDTH_CHARS_MIN = 40
_COLUMN_CHARS_MIN = 16  # Less than a call with one short argument is not readable.
_COLUMN_CHARS_MAX = 28
_VALUE_CHARS_MAX = 60

# Addresses differ from run to run; a text must not.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def value_text(value: object) -> str:
    """``value`` as users write it, cut to 60 characters, without addresses."""
    return _clipped(_ADDRESS.sub("", repr(value)), _VALUE_CHARS_MAX)


def call_text(operation: OperationRecord) -> str:
    """An invocation: ``write(value=3)``."""
    argument = operation.argument
    if argument is None:
        inside = ""
    elif isinstance(argument, dict):
        inside = ", ".join(f"{name}={value_text(value)}" for name, value in argument.items())
    elif type(argument) is tuple:
        inside = ", ".join(value_text(value) for value in argument)
    else:
        inside = value_text(argument)
    return f"{operation.name}({inside})"


def end_text(operation: OperationRecord) -> str:
    """A completion: ``→ 1``, ``✗ Refused()`` if it failed, ``→ ?`` if it is unknown."""
    why = "" if operation.error is None else f" {value_text(operation.error)}"
    if operation.status == "ok":
        return f"→ {value_text(operation.result)}"
    if operation.status == "failed":
        return f"✗{why}" if why or operation.result is None else f"✗ {value_text(operation.result)}"
    return f"→ ?{why}" if operation.ended else "→ ? never ended"


def interleaving(
    history: Iterable[OperationRecord],
    *,
    highlight: Collection[int] = (),
    until: int | None = None,
    events_max: int | None = None,
    width: int = WIDTH_CHARS,
    tell: Callable[[OperationRecord], str] = call_text,
) -> str:
    """``history`` as text, its events from top to bottom in their total order.

    The first column is the virtual time in seconds, where it changes. The lines of operations
    whose numbers are in ``highlight`` begin with ``>``. Shown are the events up to position
    ``until`` (None: all), and of those the last ``events_max`` (None: all); what never ended is
    named below. ``tell`` gives the text of an invocation.
    PlanError for a width below 40 characters or less than one event.
    """
    if width < _WIDTH_CHARS_MIN:
        raise PlanError(f"width must be at least {_WIDTH_CHARS_MIN} characters, got {width}")
    if events_max is not None and events_max < 1:
        raise PlanError(f"events_max must be at least 1 or None, got {events_max}")
    operations = tuple(history)
    happened = [each for each in events(operations) if until is None or each.position <= until]
    shown = happened if events_max is None else happened[-events_max:]
    if not shown:
        return "(no operations)"
    times = [f"{event.at_s:.3f}s" for event in shown]
    margin = max(map(len, times)) + 3
    columns = _Columns(operations, shown, width - margin)
    hidden = len(happened) - len(shown)
    lines = [f"... {hidden} earlier events"] if hidden else []
    lines += columns.header(margin)
    last = ""
    for event, at in zip(shown, times, strict=True):
        mark = ">" if event.operation.number in highlight else " "
        time = "" if at == last else at
        last = at
        lines.append(f"{mark} {time:<{margin - 2}}{columns.cell(event, tell)}".rstrip())
    endless = [f"{tell(each)} of {each.client}" for each in operations if not each.ended]
    lines += [f"never ended: {', '.join(endless)}"] if endless else []
    return "\n".join(lines)


class _Columns:
    """Who stands in which column: clients while they fit, else whichever column is free."""

    def __init__(
        self,
        operations: Sequence[OperationRecord],
        shown: Sequence[OperationEvent],
        width: int,
    ) -> None:
        self._clients = list(dict.fromkeys(event.operation.client for event in shown))
        fitting = max(1, width // _COLUMN_CHARS_MIN)
        self._shared = len(self._clients) > fitting
        if self._shared:
            self._column_of, count = _free_columns(operations, fitting)
        else:
            place = {client: column for column, client in enumerate(self._clients)}
            self._column_of = {
                each.number: place[each.client] for each in operations if each.client in place
            }
            count = len(self._clients)
        self._chars = min(_COLUMN_CHARS_MAX, width // count)

    def header(self, margin: int) -> list[str]:
        """The line of clients; none if columns are shared."""
        if self._shared:
            return []
        names = (_clipped(name, self._chars - 2).ljust(self._chars) for name in self._clients)
        return [(" " * margin + "".join(names)).rstrip()]

    def cell(self, event: OperationEvent, tell: Callable[[OperationRecord], str]) -> str:
        """The event's text in its column."""
        operation = event.operation
        text = tell(operation) if event.kind == "invoked" else end_text(operation)
        if self._shared:
            text = f"{operation.client}: {text}"
        return " " * (self._column_of[operation.number] * self._chars) + _clipped(
            text, self._chars - 2
        )


def _free_columns(
    operations: Sequence[OperationRecord], fitting: int
) -> tuple[dict[int, int], int]:
    """Each operation's column: the first that is free, or the last when none is; how many."""
    taken: dict[int, OperationRecord] = {}
    column_of: dict[int, int] = {}
    for event in events(operations):
        operation = event.operation
        if event.kind == "invoked":
            free = (column for column in range(fitting - 1) if column not in taken)
            column = next(free, fitting - 1)
            column_of[operation.number] = column
            taken[column] = operation
        elif taken.get(column_of[operation.number]) is operation:
            del taken[column_of[operation.number]]
    return column_of, max(column_of.values()) + 1


def _clipped(text: str, chars: int) -> str:
    return text if len(text) <= chars else f"{text[: chars - 1]}…"
