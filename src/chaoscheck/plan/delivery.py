"""How an answer goes onto the wire: a short script of acts, played in order by the server.

A fault writes the script, the server only plays it. After the last act the connection is kept
alive, unless an act ended it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Act", "Close", "Reset", "Send", "Stall", "Wait"]


@dataclass(frozen=True, slots=True)
class Send:
    """Put these bytes on the wire."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Let this many seconds pass on the server's clock; ends early when the client leaves."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Say nothing until the client leaves or everything is healed, then go on with the script."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Send RST once all earlier bytes are acknowledged; ends the connection."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send FIN; ends the connection."""


Act = Send | Wait | Stall | Reset | Close
