"""A job: one request on its way, from what is to be done to what became of it."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chaoscheck.history.exchange import Ending
from chaoscheck.plan.aimed import Target
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.delivery import Act
from chaoscheck.plan.fault import Fault
from chaoscheck.server.apis.token_counter import TokenCounter
from chaoscheck.server.identity import Place
from chaoscheck.server.limit_state import Standings
from chaoscheck.server.providers import Provider
from chaoscheck.wire.request_codec import Request

__all__ = ["HEAD_END", "HeadContext", "Job", "SentTotals", "Truth", "unbooked_job"]

HEAD_END = b"\r\n\r\n"
_NO_EXCHANGE = "-"  # in the place of a key, which only an unreadable request has not


class HeadContext(NamedTuple):
    """What a head says of more than its answer.

    That is the request's id, the caller's standings with the plan's limits, and the server's
    calendar in seconds since the Unix epoch. ``cors`` are the header lines for a browser.
    """

    request_id: str
    standings: Standings | None
    at_s: float
    cors: bytes = b""


Truth = tuple[Answer, Provider, Request | None, HeadContext]


@dataclass(slots=True, kw_only=True)
class SentTotals:
    """How many bytes of a long answer were sent so far, and the SHA-256 of those of its body."""

    bytes_sent: int
    body_sent: int
    digest: Any

    def add(self, body: bytes) -> None:
        """Count more bytes of the body."""
        self.bytes_sent += len(body)
        self.body_sent += len(body)
        self.digest.update(body)


@dataclass(slots=True, kw_only=True)
class Job:
    """One request on its way: what to do, then how far it came.

    ``acts`` is the script to play; ``head_bytes`` of what it sends are head. The connection
    appends to ``sent`` what the network took, counts in ``script_s`` the seconds that the script
    let pass, and sets ``ended`` and ``effect``. What a long answer sent is counted in ``totals``
    while it goes on. ``work`` has to be done on the worker thread before the script stands.
    """

    number: int
    received_at_s: float
    method: str
    path: str
    attempt_id: bytes | None
    key: str = ""
    attempt: int = 0
    tokens: TokenCounter | None = None  # what it counts, where the plan limits that
    place: Place | None = None  # among the requests of its key; None if it has none
    target: Target | None = None  # looked at only where the plan has aims
    tag: str | None = None
    fault: Fault | None = None
    status: int = 0
    acts: tuple[Act, ...] = ()
    head_bytes: int = 0
    body_length: int = 0
    keep_alive: bool = False
    heals: int = 0
    cors: bytes = b""  # header lines for a browser
    sent: list[bytes] = field(default_factory=list)
    ended: Ending = "server_stopped"
    effect: bool = False
    struck: bool = False  # whether the fault changes anything of this answer
    provider: str = ""
    streamed: bool = False
    script_s: float = 0.0
    last_byte_at_s: float | None = None
    client_left_at_s: float | None = None
    truth: Truth | None = None  # of a struck one: what makes the good answer
    error: str | None = None  # of the server's own: its type and place
    booked: bool = True  # false for the admin's own requests, which are no exchanges
    work: Callable[[], Awaitable[None]] | None = None
    totals: SentTotals | None = None
    counted: int = 0  # entries of ``sent`` that are in the totals

    def count_sent(self, *, as_said: bool = False) -> None:
        """Add what was sent to the totals, so that no long answer is digested at its end.

        It is kept where a fault may have changed it, since it is compared with the answer without
        the fault if the client leaves early; what was sent ``as_said`` is not.
        """
        data = b"".join(self.sent[self.counted :])
        if self.totals is not None:
            self.totals.add(data)
        else:
            # A fault may have rewritten the head, so where that ends is seen from what was sent.
            end = data.find(HEAD_END)
            if end < 0:
                return
            body = data[end + len(HEAD_END) :]
            digest = hashlib.sha256(body)
            self.totals = SentTotals(bytes_sent=len(data), body_sent=len(body), digest=digest)
        if not self.struck:
            self.sent.clear()
        elif as_said:
            del self.sent[self.counted :]
        else:
            self.counted = len(self.sent)


def unbooked_job(request: Request, now_s: float, acts: tuple[Act, ...]) -> Job:
    """The job of a request that is no exchange: it has no number, and no book has it."""
    return Job(
        number=0,
        received_at_s=now_s,
        method=request.method,
        path="",
        attempt_id=None,
        key=_NO_EXCHANGE,
        acts=acts,
        keep_alive=request.keep_alive,
        booked=False,
    )
