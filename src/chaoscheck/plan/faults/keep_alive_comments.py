"""A stream with comments between its events, as proxies send them to keep a connection open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer, Event
from chaoscheck.plan.fault_kinds.parameters import require_integer
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault, is_sse, places

__all__ = ["KeepAliveComments"]

_COMMENT = Event("comment", b": keep-alive\n\n")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class KeepAliveComments(StreamFault):
    """Send ``: keep-alive`` before every ``every``-th event with content, or before the last one.

    A comment is legal anywhere between events (WHATWG HTML, 9.2): a good client skips it.
    """

    name: ClassVar[str] = "keep_alive_comments"
    every: int = 1

    def __post_init__(self) -> None:
        require_integer(self.name, "every", self.every, 1)

    def applies_to(self, answer: Answer) -> bool:
        """Where server-sent events bear content: lines of JSON know no comments."""
        return is_sse(answer) and super(KeepAliveComments, self).applies_to(answer)

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """The same events with comments among them."""
        content = places(events, "content")
        every = min(self.every, len(content))
        commented = set(content[every - 1 :: every])
        said: list[Event] = []
        for at, event in enumerate(events):
            if at in commented:
                said.append(_COMMENT)
            said.append(event)
        return said
