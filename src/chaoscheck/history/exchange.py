"""Exchanges: one request and what was really put on the wire for it, as the server saw it."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Ending", "Exchange"]

Ending = Literal[
    "complete",  # every byte of the answer was handed to the network
    "reset",  # we sent RST
    "closed",  # we sent FIN before the answer was whole
    "half_closed",  # the same, and we read on until the client went away
    "client_left",  # the client went away before its request or our answer was whole
    "stalled_until_left",  # we stalled until the client went away
    "server_stopped",  # the server was stopped in between
]


class Exchange(NamedTuple):
    """One request in the ledger; malformed and refused ones are there too.

    A named tuple, as a server makes one for every request: a frozen dataclass takes twice as long.

    ``number`` counts from 1 in order of arrival. ``occurrence`` counts the calls of ``key`` from 1,
    and ``attempt`` the requests of that call, which goes on until one of them ended well (0 for a
    request that was not understood, whose ``key`` is empty). ``attempt_id`` is the request's
    ``X-Attempt-Id``, ``tag`` the text that the good answer echoes (its first 256 characters).
    ``fault`` is the injected fault as users write it, ``fault_name`` its name alone.

    ``status`` is None if no whole head was sent. ``body_sent`` counts the body bytes handed to
    the network, out of ``body_length``; ``body_digest`` is their SHA-256 in hexadecimal (None if
    no head was sent); in a chunked body the framing counts. ``bytes_sent`` counts all bytes, the
    head's included. ``provider`` is the one whose API was asked, ``streamed`` tells whether the
    answer was a stream of events.

    Times are seconds of the world's clock: when the request was read, when the last byte was
    handed to the network (None if none was), when the client was seen to leave (None if it was
    not), when the exchange ended. ``effect`` tells whether the injected fault was seen to do what
    it says: its bytes went out, its time passed, its reset was carried out. ``error`` is the type
    and the place of an error of the server's own, or of the plan's replies, which the client saw
    as a 500 or as a cut.
    """

    number: int
    key: str
    attempt: int
    attempt_id: str | None
    method: str
    path: str
    tag: str | None
    fault: str | None
    fault_name: str | None
    status: int | None
    body_sent: int
    body_length: int
    body_digest: str | None
    received_at_s: float
    ended_at_s: float
    ended: Ending
    effect: bool
    provider: str = ""
    streamed: bool = False
    bytes_sent: int = 0
    last_byte_at_s: float | None = None
    client_left_at_s: float | None = None
    error: str | None = None
    occurrence: int = 1
