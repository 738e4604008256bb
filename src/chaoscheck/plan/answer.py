"""What the server wants to say: a status, headers and a body, before any misbehaviour."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Answer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer as a value.

    ``headers`` are (name, value) pairs in wire order, without content-length, which is added
    when the answer is rendered; ``body`` is the whole body in bytes.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
