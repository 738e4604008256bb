"""What an attempt may come to, given the fault that hit it: a table, for plain and for streams.

A fault says what its attempt may come to: *ok*, *capacity* (refused for lack of capacity, worth
another attempt without limit), *transient* (worth another, a few times) or *permanent*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

__all__ = ["FATES", "GARBLING", "STREAM_FATES", "Fate", "fate_of", "status_fate"]

Fate = Literal["ok", "capacity", "transient", "permanent"]


def status_fate(status: int) -> Fate:
    """What a reply with ``status`` and a good body means for its attempt."""
    if 200 <= status <= 299:
        return "ok"
    if status in (429, 503, 529):
        return "capacity"
    return "transient" if status in (408, 409, 425) or 500 <= status <= 599 else "permanent"


_OK: frozenset[Fate] = frozenset({"ok"})
_LATE: frozenset[Fate] = frozenset({"ok", "transient"})
_TRANSIENT: frozenset[Fate] = frozenset({"transient"})
_PERMANENT: frozenset[Fate] = frozenset({"permanent"})

_ODD = (
    "zero", "fraction", "http_date", "past_date", "negative", "huge", "garbage",
    "contradicting_ms",
)  # fmt: skip

# A slow or stalled answer may still arrive before the client's own time-out, and a stall may be
# healed; what the link does to an attempt without a fault is the fate "link". A fault's name may
# be followed by what it concerns: ``missing_fields:usage``, ``retry_after_zero:503``.
FATES: Mapping[str | None, frozenset[Fate]] = {
    None: _OK,
    "link": _LATE,
    **{f"status_{status}": frozenset({status_fate(status)}) for status in range(400, 600)},
    # An odd Retry-After comes with an error that may be retried: with 429, or with another.
    **dict.fromkeys((f"retry_after_{odd}" for odd in _ODD), frozenset({"capacity", "transient"})),
    **dict.fromkeys(("slow_response", "stall_before_headers", "stall_mid_body"), _LATE),
    # Late or large, yet whole.
    **dict.fromkeys(("slow_drip", "huge_body", "no_usage", "missing_fields:usage"), _OK),
    # The transport says that something is missing.
    **dict.fromkeys(
        (
            "reset_before_headers",
            "reset_mid_headers",
            "reset_mid_body",
            "close_before_headers",
            "close_mid_body",
            "half_close",
            "broken_chunking",
            "content_length_long",
        ),
        _TRANSIENT,
    ),
    # HTTP is whole, and what it carries is not.
    **dict.fromkeys(
        (
            "truncated_json",
            "invalid_json",
            "content_length_short",
            "empty_body",
            "missing_fields",
            "wrong_types",
            "null_content",
            "empty_choices",
            "nan",
            "duplicate_keys",
            "wrong_content_type",
            "invalid_utf8",
            "context_length",
            "content_filter",
        ),
        _PERMANENT,
    ),
}

# Of a streamed reply a piece may be missing, twice or out of place, and nobody can tell: the row
# is good and carries what was sent, which is not what was asked for.
GARBLING: frozenset[str] = frozenset(
    {"duplicate_chunks", "reordered_chunks", "missing_fields", "null_content", "empty_choices"}
)

# What differs where the reply is a stream of events; it is also blank if its only piece is gone.
STREAM_FATES: Mapping[str | None, frozenset[Fate]] = {
    **FATES,
    **dict.fromkeys(GARBLING, frozenset({"ok", "permanent"})),
    **dict.fromkeys(
        ("duplicate_done", "keep_alive_comments", "mixed_line_ends", "duplicate_chunks"), _OK
    ),
    **dict.fromkeys(("late_done", "stall_mid_stream"), _LATE),
    **dict.fromkeys(
        ("cut_stream", "missing_done", "empty_body", "error_event_after_content"), _TRANSIENT
    ),
}


def fate_of(fault: str | None, fates: Mapping[str | None, frozenset[Fate]]) -> frozenset[Fate]:
    """What an attempt that met ``fault`` may come to; KeyError for a fault nobody thought of."""
    name, _, detail = (fault or "").partition(":")
    if detail.isdecimal():
        return frozenset({status_fate(int(detail))})
    return fates[fault] if fault in fates else fates[name]
