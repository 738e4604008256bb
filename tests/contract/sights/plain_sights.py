"""What each fault makes of a plain answer. Faults of streams leave it alone."""

from __future__ import annotations

import dataclasses

from chaoscheck.plan import catalogue as faults
from tests.contract.sights.error_sights import ERROR_SIGHTS, HEADER_SIGHTS
from tests.contract.sights.good_answers import GOOD, chunk, edited
from tests.contract.sights.sight import Sight, ends_early, misleads, reads_on

__all__ = ["BEFORE_ANY_BODY", "PADDING_BYTES", "PLAIN_SIGHTS", "SLOW_S"]

SLOW_S = 2.5
PADDING_BYTES = 100_000  # more than a socket buffer's first window, and quick to read

_CONTENT = b'"content":"hello there"'
_CHOICES = GOOD[GOOD.index(b'"choices":') : GOOD.index(b',"usage"')]
_USAGE = GOOD[GOOD.index(b'"usage":') : -1]
_HALF = (len(GOOD) + 1) // 2

# Nothing of a body ever comes, so it does not matter what would.
BEFORE_ANY_BODY = [
    ends_early(faults.close_before_headers(), None, "eof"),
    ends_early(faults.reset_before_headers(), None, "reset"),
    # Twenty bytes are the status line and the beginning of the next one.
    dataclasses.replace(
        ends_early(faults.reset_mid_headers(after_bytes=20), b"", "reset"), whole_head=False
    ),
    ends_early(faults.stall_before_headers(), None, "silence"),
]

_CONNECTION_SIGHTS = [
    reads_on(faults.slow_response(delay_s=SLOW_S), late_s=SLOW_S),
    # What fits into one piece comes in two.
    reads_on(faults.slow_drip(piece_bytes=1_000, delay_s=0.5), late_s=0.5),
    ends_early(faults.close_mid_body(after_bytes=17), GOOD[:17], "eof"),
    ends_early(faults.half_close(after_bytes=17), GOOD[:17], "eof", booked="half_closed"),
    ends_early(faults.reset_mid_body(after_bytes=17), GOOD[:17], "reset"),
    ends_early(faults.stall_mid_body(after_bytes=17), GOOD[:17], "silence"),
]

_JSON_SIGHTS = [
    misleads(faults.invalid_json(), b"{," + GOOD[1:], "JSONDecodeError"),
    misleads(faults.truncated_json(after_bytes=17), GOOD[:17], "JSONDecodeError"),
    misleads(faults.empty_body(), b"", "JSONDecodeError"),
    # The SDKs do not validate what they parse: who uses it meets what is wrong with it.
    misleads(faults.missing_fields(), edited(GOOD, _CONTENT + b",", b""), "whole", "TypeError"),
    misleads(faults.missing_fields(part="items"), edited(GOOD, _CHOICES + b",", b""), "TypeError"),
    reads_on(faults.missing_fields(part="usage"), edited(GOOD, b"," + _USAGE, b"")),
    misleads(
        faults.wrong_types(),
        edited(GOOD, _CONTENT, b'"content":42'),
        "AttributeError",
        "TypeError",
    ),
    misleads(
        faults.wrong_types(part="items"),
        edited(GOOD, _CHOICES, b'"choices":"wrong type"'),
        "AttributeError",
    ),
    reads_on(faults.wrong_types(part="usage"), edited(GOOD, _USAGE, b'"usage":"wrong type"')),
    misleads(
        faults.null_content(), edited(GOOD, _CONTENT, b'"content":null'), "whole", "TypeError"
    ),
    misleads(
        faults.empty_choices(), edited(GOOD, _CHOICES, b'"choices":[]'), "IndexError", "whole"
    ),
    # Python's own parser takes NaN for a number.
    reads_on(faults.nan(), edited(GOOD, b'"created":1767225600', b'"created":NaN')),
    reads_on(
        faults.duplicate_keys(),
        edited(GOOD, _CONTENT, _CONTENT + b',"content":"duplicate"'),
        text=b"duplicate",
    ),
    misleads(
        faults.invalid_utf8(),
        edited(GOOD, _CONTENT, b'"content":"hello there\xff\xfe"'),
        "UnicodeDecodeError",
    ),
    reads_on(faults.no_usage(), edited(GOOD, b"," + _USAGE, b"")),
    dataclasses.replace(
        reads_on(faults.wrong_content_type()), headers=(("content-type", "text/html"),)
    ),
    reads_on(faults.huge_body(size_bytes=PADDING_BYTES), GOOD + b" " * PADDING_BYTES),
]

_FRAMING_SIGHTS = [
    # What is promised comes; ten bytes follow that belong to nothing, and the end.
    dataclasses.replace(
        misleads(faults.content_length_short(by_bytes=10), GOOD[:-10], "JSONDecodeError"),
        unread=10,
        booked="closed",
    ),
    ends_early(faults.content_length_long(by_bytes=10), GOOD, "eof"),
    ends_early(
        faults.broken_chunking(),
        chunk(GOOD[:_HALF]) + b"zz\r\n" + GOOD[_HALF:] + b"\r\n",
        "eof",
        http_body=GOOD[:_HALF],
    ),
]

PLAIN_SIGHTS: list[Sight] = [
    *ERROR_SIGHTS,
    *HEADER_SIGHTS,
    *BEFORE_ANY_BODY,
    *_CONNECTION_SIGHTS,
    *_JSON_SIGHTS,
    *_FRAMING_SIGHTS,
]
