"""What each fault makes of a streamed answer. Faults of a promised length leave it alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from chaoscheck.history.exchange import Ending
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.fault import Fault
from tests.contract.raw_client import HowItEnded
from tests.contract.sights.error_sights import ERROR_SIGHTS, HEADER_SIGHTS
from tests.contract.sights.good_answers import (
    DONE,
    FINISH,
    HELLO,
    ROLE,
    STREAM,
    TEXT,
    THERE,
    USAGE,
    chunk,
    edited,
    framed,
)
from tests.contract.sights.plain_sights import BEFORE_ANY_BODY, PADDING_BYTES, SLOW_S
from tests.contract.sights.sight import Heard, Sight, ends_early, misleads, reads_on

__all__ = ["STREAMED_SIGHTS"]

_CONTENT = b'"content":"hello "'
_CHOICES = HELLO[HELLO.index(b'"choices":') : HELLO.index(b',"usage"')]
_COMMENT = b": keep-alive\n\n"
_FAILED = (
    b'data: {"error":{"message":"The server had an error while processing your request.",'
    b'"type":"server_error","param":null,"code":null}}\n\n'
)


def _says(
    fault: Fault,
    *events: bytes,
    text: bytes = TEXT,
    late_s: float = 0.0,
) -> Sight:
    """Other events, or the same at other times, and nobody raises anything."""
    return reads_on(
        fault,
        framed(events),
        http_body=b"".join(events),
        text=text,
        late_s=late_s,
    )


def _garbles(fault: Fault, first_piece: bytes, openai: str, anthropic: str | None = None) -> Sight:
    """The first event with content is such that who reads it raises."""
    events = (ROLE, first_piece, THERE, FINISH, USAGE, DONE)
    return misleads(fault, framed(events), openai, anthropic, http_body=b"".join(events))


def _breaks_off(
    fault: Fault,
    body: bytes,
    ended: HowItEnded,
    http_body: bytes,
    *,
    booked: Ending | None = None,
    text: bytes = b"",
) -> Sight:
    """The stream ends in its midst, after ``text``.

    The openai SDK wraps what the HTTP client raises there, the anthropic SDK hands it through.
    """
    sight = ends_early(fault, body, ended, booked=booked, http_body=http_body)
    return dataclasses.replace(
        sight,
        openai=dataclasses.replace(sight.openai, delivered=text),
        anthropic=Heard(ended=f"{sight.http} from {sight.http}", status=None, delivered=text),
    )


def _first_piece(before: bytes, after: bytes) -> bytes:
    return edited(HELLO, before, after)


def _others(first_piece: bytes) -> Sequence[bytes]:
    return (ROLE, first_piece, THERE, FINISH, USAGE, DONE)


# The first chunk's size line, e5 and CRLF, is four of the seventeen bytes.
_CUT, _CUT_TEXT = framed(STREAM)[:17], ROLE[:13]

_CONNECTION_SIGHTS = [
    _says(faults.slow_response(delay_s=SLOW_S), *STREAM, late_s=SLOW_S),
    # Six events and the last chunk are seven pieces; Anthropic's are eight events, a ping included.
    # The openai SDK gives what comes behind [DONE] no more than a tenth of a second.
    dataclasses.replace(
        _says(faults.slow_drip(piece_bytes=1_000, delay_s=0.5), *STREAM, late_s=3.0),
        own_late_s=(("openai", 2.6), ("anthropic", 4.0)),
    ),
    _breaks_off(faults.close_mid_body(after_bytes=17), _CUT, "eof", _CUT_TEXT),
    _breaks_off(faults.half_close(after_bytes=17), _CUT, "eof", _CUT_TEXT, booked="half_closed"),
    _breaks_off(faults.reset_mid_body(after_bytes=17), _CUT, "reset", _CUT_TEXT),
    _breaks_off(faults.stall_mid_body(after_bytes=17), _CUT, "silence", _CUT_TEXT),
    _breaks_off(faults.broken_chunking(), chunk(ROLE) + b"zz\r\n" + HELLO + b"\r\n", "eof", ROLE),
]

_EVENT_SIGHTS = [
    _garbles(faults.invalid_json(), _first_piece(b"data: {", b"data: {,"), "JSONDecodeError"),
    _garbles(
        faults.truncated_json(after_bytes=17),
        HELLO[: len(b"data: ") + 17] + b"\n\n",
        "JSONDecodeError",
    ),
    _says(faults.empty_body(), text=b""),
    # The piece without its text is skipped, silently.
    _says(faults.missing_fields(), *_others(_first_piece(_CONTENT, b"")), text=b"there"),
    _garbles(
        faults.missing_fields(part="items"),
        _first_piece(_CHOICES + b",", b""),
        "TypeError",
        "AttributeError",
    ),
    _garbles(faults.wrong_types(), _first_piece(_CONTENT, b'"content":42'), "TypeError"),
    _garbles(
        faults.wrong_types(part="items"),
        _first_piece(_CHOICES, b'"choices":"wrong type"'),
        "AttributeError",
    ),
    _says(
        faults.null_content(), *_others(_first_piece(_CONTENT, b'"content":null')), text=b"there"
    ),
    _says(faults.empty_choices(), *_others(_first_piece(_CHOICES, b'"choices":[]')), text=b"there"),
    _says(faults.nan(), *_others(_first_piece(b'"created":1767225600', b'"created":NaN'))),
    _says(
        faults.duplicate_keys(),
        *_others(_first_piece(_CONTENT, _CONTENT + b',"content":"duplicate"')),
        text=b"duplicatethere",
    ),
    _garbles(
        faults.invalid_utf8(),
        _first_piece(_CONTENT, b'"content":"hello \xff\xfe"'),
        "UnicodeDecodeError",
    ),
    dataclasses.replace(
        _says(faults.wrong_content_type(), *STREAM), headers=(("content-type", "text/html"),)
    ),
    _says(
        faults.huge_body(size_bytes=PADDING_BYTES),
        b":" + b" " * (PADDING_BYTES - 1) + b"\n\n",
        *STREAM,
    ),
]

_STREAM_SIGHTS = [
    _says(faults.no_usage(), ROLE, HELLO, THERE, FINISH, DONE),
    _says(
        faults.keep_alive_comments(), ROLE, _COMMENT, HELLO, _COMMENT, THERE, FINISH, USAGE, DONE
    ),
    _says(
        faults.mixed_line_ends(),
        ROLE,
        HELLO.replace(b"\n", b"\r\n"),
        THERE.replace(b"\n", b"\r"),
        FINISH,
        USAGE.replace(b"\n", b"\r\n"),
        DONE.replace(b"\n", b"\r"),
    ),
    _says(faults.duplicate_done(), *STREAM, DONE),
    _says(faults.late_done(delay_s=5.0), *STREAM, late_s=5.0),
    # Neither SDK minds: only who looks for the terminator knows that the text may go on.
    _says(faults.missing_done(), ROLE, HELLO, THERE, FINISH, USAGE),
    _says(
        faults.duplicate_chunks(),
        ROLE,
        HELLO,
        HELLO,
        THERE,
        FINISH,
        USAGE,
        DONE,
        text=b"hello hello there",
    ),
    _says(faults.reordered_chunks(), ROLE, THERE, HELLO, FINISH, USAGE, DONE, text=b"therehello "),
    dataclasses.replace(
        _says(faults.error_event_after_content(), ROLE, HELLO, _FAILED),
        openai=Heard(ended="APIError", status=None, delivered=b"hello "),
        anthropic=Heard(ended="APIStatusError", status=200, delivered=b"hello "),
    ),
    _breaks_off(faults.cut_stream(after_bytes=40), chunk(ROLE[:40]), "eof", ROLE[:40]),
    _breaks_off(
        faults.cut_stream(after_bytes=40, ending="reset"), chunk(ROLE[:40]), "reset", ROLE[:40]
    ),
    # HTTP is whole, and an event without its empty line is none: nobody notices.
    _says(faults.cut_stream(after_bytes=40, ending="end"), ROLE[:40], text=b""),
    _says(
        faults.cut_stream(after_bytes=1_000_000, ending="end"),
        *(ROLE, HELLO, THERE, FINISH, USAGE, DONE[:-1]),
    ),
    _breaks_off(
        faults.stall_mid_stream(),
        chunk(ROLE) + chunk(HELLO),
        "silence",
        ROLE + HELLO,
        text=b"hello ",
    ),
]

STREAMED_SIGHTS: list[Sight] = [
    *ERROR_SIGHTS,
    *HEADER_SIGHTS,
    *BEFORE_ANY_BODY,
    *_CONNECTION_SIGHTS,
    *_EVENT_SIGHTS,
    *_STREAM_SIGHTS,
]
