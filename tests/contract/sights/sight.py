"""What a fault looks like, to everybody: a raw client, httpx and httpx2, the SDKs, the ledger.

A family of faults is a function here, so that one fault is one line in the tables. Where an SDK is
silent about what it read, or hands a bad body through, the line says so.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from chaoscheck.history.exchange import Ending
from chaoscheck.plan.fault import Fault
from tests.contract.raw_client import HowItEnded
from tests.contract.sights.good_answers import GOOD, TEXT
from tests.contract.worlds import PATIENCE_S

__all__ = ["ErrorWords", "Heard", "Sight", "ends_early", "misleads", "reads_on"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What an SDK gives its caller: ``whole``, or what it raises and from what; the text so far.

    ``delivered`` is None where it is the body of an error, which the words are looked up in.
    """

    ended: str = "whole"
    status: int | None = 200
    delivered: bytes | None = TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorWords:
    """An error as OpenAI names it, and the type that Anthropic gives it."""

    type: str
    code: str | int | None
    anthropic_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One fault, as it is met by a request that would be answered well.

    A raw client reads ``status`` off the status line and ``body``, chunk framing included, and
    sees it end so; ``unread`` bytes come that no promise covers. ``whole_head`` is false where the
    empty line never comes. ``headers`` are those that matter; None is one that must be absent.
    httpx and httpx2 raise ``http``, or nothing if that is ``whole``, with ``http_body`` in hand.
    An error's body is told by its ``words`` in place of ``body`` and ``http_body``.

    ``late_s`` is when the server's last byte comes; a silent one lasts until the client has had
    enough. ``own_late_s`` are (client, seconds) pairs of those that are done at another time.
    """

    fault: Fault
    status: int | None = 200
    whole_head: bool = True
    body: bytes = b""
    unread: int = 0
    ended: HowItEnded = "whole"
    booked: Ending = "complete"
    headers: tuple[tuple[str, str | None], ...] = ()
    words: ErrorWords | None = None
    http: str = "whole"
    http_body: bytes = b""
    openai: Heard = Heard()
    anthropic: Heard = Heard()
    late_s: float = 0.0
    own_late_s: tuple[tuple[str, float], ...] = ()

    @property
    def told_status(self) -> int | None:
        """The status by a whole head: httpx and the ledger know no other."""
        return self.status if self.whole_head else None

    def through(self, client: str) -> Heard:
        """What one of the clients makes of it."""
        if client == "openai":
            return self.openai
        if client == "anthropic":
            return self.anthropic
        if client == "raw":
            said = None if self.words else self.body
            return Heard(ended=self.ended, status=self.status, delivered=said)
        said = None if self.words else self.http_body
        return Heard(ended=self.http, status=self.told_status, delivered=said)

    def elapsed_s(self, client: str) -> float:
        """How long a client with ``PATIENCE_S`` is busy with it, by the world's clock."""
        if self.ended == "silence":
            return self.late_s + PATIENCE_S
        return dict(self.own_late_s).get(client, self.late_s)


def reads_on(
    fault: Fault,
    body: bytes = GOOD,
    *,
    http_body: bytes | None = None,
    text: bytes = TEXT,
    late_s: float = 0.0,
) -> Sight:
    """Nobody raises anything: the answer is whole, its content may be another."""
    heard = Heard(delivered=text)
    return Sight(
        fault=fault,
        body=body,
        http_body=body if http_body is None else http_body,
        openai=heard,
        anthropic=heard,
        late_s=late_s,
    )


def misleads(
    fault: Fault,
    body: bytes,
    openai: str,
    anthropic: str | None = None,
    *,
    http_body: bytes | None = None,
) -> Sight:
    """HTTP is in order; who works with the body raises, if only when it is used.

    An SDK that is ``whole`` here has read an empty text.
    """
    sight = reads_on(fault, body, http_body=http_body)
    return dataclasses.replace(
        sight, openai=_handed_through(openai), anthropic=_handed_through(anthropic or openai)
    )


def _handed_through(ended: str) -> Heard:
    return Heard(ended=ended, status=200 if ended == "whole" else None, delivered=b"")


def ends_early(
    fault: Fault,
    body: bytes | None,
    ended: HowItEnded,
    *,
    booked: Ending | None = None,
    http_body: bytes | None = None,
) -> Sight:
    """The answer does not come whole: after ``body``, or before any byte if that is None.

    The SDKs wrap what the HTTP client raises, and show nothing of the body.
    """
    http = {"eof": "RemoteProtocolError", "reset": "ReadError", "silence": "ReadTimeout"}[ended]
    by_ending: dict[str, Ending] = {
        "eof": "closed",
        "reset": "reset",
        "silence": "stalled_until_left",
    }
    wrapper = "APITimeoutError" if ended == "silence" else "APIConnectionError"
    heard = Heard(ended=f"{wrapper} from {http}", status=None, delivered=b"")
    said = body or b""
    return Sight(
        fault=fault,
        status=None if body is None else 200,
        body=said,
        ended=ended,
        booked=booked or by_ending[ended],
        http=http,
        http_body=said if http_body is None else http_body,
        openai=heard,
        anthropic=heard,
    )
