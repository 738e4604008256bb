"""What the server wants to say: a status, headers and a body, before any misbehaviour."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Answer", "ApiError"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiError:
    """What went wrong, in no provider's words: each provider writes its own body from it.

    ``type`` is a word such as ``invalid_request_error``; ``code`` and ``param`` may be absent.
    """

    message: str
    type: str
    code: str | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer as a value.

    ``headers`` are (name, value) pairs in wire order, without content-length, which is added
    when the answer is rendered; ``body`` is the whole body in bytes. Where ``error`` is set, the
    server writes the body from it, in the shape of the provider that was asked.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    error: ApiError | None = None
