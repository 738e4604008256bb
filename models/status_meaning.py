"""What a failed status means, by RFC 9110 and the providers' own error tables: kind and names."""

from __future__ import annotations

from collections.abc import Mapping

from models.llm_fates import Fate, status_fate

__all__ = ["error_type_of", "meaning_of"]

# Statuses with a name of their own: 408, 409, 425 and 503 of the RFCs 9110 and 8470, 429 of
# RFC 6585, 529 of Anthropic.
_NAMES: Mapping[int, str] = {
    408: "request_timeout",
    409: "conflict",
    425: "too_early",
    429: "rate_limited",
    503: "unavailable",
    529: "overloaded",
}
_CLASSES: Mapping[int, str] = {4: "client_error", 5: "server_error"}


def meaning_of(status: int) -> tuple[Fate, str | None]:
    """(fate, reason) of a reply with ``status`` and a good body; the reason is None if it is ok."""
    fate = status_fate(status)
    if fate == "ok":
        return fate, None
    return fate, _NAMES.get(status) or _CLASSES.get(status // 100, "unexpected_status")


def error_type_of(fate: Fate) -> str:
    """The type of the error of a failed status."""
    return "capacity_error" if fate == "capacity" else "http_error"
