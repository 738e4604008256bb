"""Recorded exchanges: what a provider answered to a request, with its timing, as a line of JSON.

Of a request only its method, its path and a digest are kept, so no prompt, header or key is in a
recording. Of an answer's headers only those that tell a client something are kept; what a provider
says of the account (cookies, organizations, ids) is not.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args
from urllib.parse import parse_qsl, urlencode

from chaoscheck.errors import PlanError
from chaoscheck.plan.documents.plan_tables import list_of, require_given, require_known, table_of

__all__ = [
    "DELAY_MAX_S",
    "Ended",
    "RecordedExchange",
    "TimedBytes",
    "exchange_from_line",
    "kept_headers",
    "kept_target",
    "line_of",
    "request_digest",
    "without_secrets",
]

Ended = Literal["complete", "cut", "refused", "timed_out", "unusable"]

DELAY_MAX_S = 3600.0  # of one wait: no provider takes an hour between two events

_ENDINGS: tuple[Ended, ...] = get_args(Ended)
_KEPT_HEADERS = frozenset(
    {"content-type", "retry-after", "retry-after-ms", "x-should-retry", "allow", "location"}
)
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,1000}")
# Query parameters that bear a secret, by a part of their name: Gemini's ``key`` among them.
_SECRET_PARAMETER = re.compile(r"key|token|secret|sig|auth|password|credential|code", re.IGNORECASE)
_SECRET_LENGTH_MIN = 6  # characters; what is shorter stands in any text
_STRIPPED = b"***"


class TimedBytes(NamedTuple):
    """An event of a stream, as it came: so many seconds after what came before it."""

    delay_s: float
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedExchange:
    """An answer of a provider, whole or as far as it came.

    ``request`` is the ``request_digest`` of what was asked by ``method`` at ``target``. A stream
    has ``events``, any other answer a ``body`` that took ``delay_s`` seconds. ``ended`` tells what
    became of it: ``cut`` is a stream that broke off; of one that was ``refused``, ``timed_out`` or
    ``unusable`` (no HTTP, too long, broken off before its end) there is no answer.
    """

    request: str
    method: str
    target: str
    ended: Ended = "complete"
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    body: bytes = b""
    streamed: bool = False
    events: tuple[TimedBytes, ...] = ()


def kept_target(path: str, query: str) -> str:
    """Path and query of a request without what may bear a secret, parameters in order."""
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if not _is_secret(pair[0])]
    return f"{path}?{urlencode(sorted(pairs))}" if pairs else path


def _is_secret(parameter: str) -> bool:
    return _SECRET_PARAMETER.search(parameter) is not None


def request_digest(method: str, path: str, query: str, body: bytes) -> str:
    """What two requests share that mean the same: 32 hexadecimal digits.

    The order of a JSON object's keys, white space, headers and secret parameters do not count.
    """
    try:
        canonical = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        canonical = body
    asked = f"{method} {kept_target(path, query)}\n".encode("utf-8", "surrogatepass") + canonical
    return hashlib.blake2b(asked, digest_size=16).hexdigest()


def kept_headers(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Those headers of an answer that a recording keeps, in lower case."""
    named = [(name.lower(), value) for name, value in headers]
    return tuple(
        (name, value)
        for name, value in named
        if name in _KEPT_HEADERS and _HEADER_VALUE.fullmatch(value)
    )


# ---------------------------------------------------------------------- secrets


def without_secrets(
    exchange: RecordedExchange, headers: Mapping[bytes, bytes], query: str
) -> RecordedExchange:
    """The exchange with ``***`` where the answer repeats a credential of its request."""
    secrets = _secrets_of(headers, query)
    if not secrets:
        return exchange
    return dataclasses.replace(
        exchange,
        body=_stripped(exchange.body, secrets),
        events=tuple(TimedBytes(at_s, _stripped(data, secrets)) for at_s, data in exchange.events),
        headers=tuple(
            (name, _stripped(value.encode("latin-1"), secrets).decode("latin-1"))
            for name, value in exchange.headers
        ),
    )


def _secrets_of(headers: Mapping[bytes, bytes], query: str) -> list[bytes]:
    """Whatever could be a credential of this request, the longest first."""
    found: set[bytes] = set()
    for name, value in headers.items():
        text = name.decode("latin-1")
        if _is_secret(text) or text in ("cookie", "proxy-authorization"):
            found |= {value, value.rpartition(b" ")[2]}
    found |= {text.encode() for name, text in parse_qsl(query) if _is_secret(name)}
    return sorted((it for it in found if len(it) >= _SECRET_LENGTH_MIN), key=len, reverse=True)


def _stripped(data: bytes, secrets: Iterable[bytes]) -> bytes:
    for secret in secrets:
        data = data.replace(secret, _STRIPPED)
    return data


# ---------------------------------------------------------------------- lines of a file


def line_of(exchange: RecordedExchange) -> bytes:
    """One line of JSON that ``exchange_from_line`` reads back as an equal exchange."""
    document: dict[str, Any] = {
        "request": exchange.request,
        "method": exchange.method,
        "target": exchange.target,
        "ended": exchange.ended,
    }
    if exchange.status:
        document |= {"status": exchange.status, "headers": dict(exchange.headers)}
        document["delay_s"] = exchange.delay_s
        if exchange.streamed:
            document["events"] = [[at_s, *_written(data)] for at_s, data in exchange.events]
        else:
            document["body"] = _written(exchange.body)
    return json.dumps(document).encode("ascii") + b"\n"


def _written(data: bytes) -> list[str]:
    """Bytes as text, or as base64 behind that word."""
    try:
        return [data.decode("utf-8")]
    except UnicodeDecodeError:
        return ["base64", base64.b64encode(data).decode("ascii")]


def exchange_from_line(line: bytes) -> RecordedExchange:
    """The exchange that a line says; PlanError names the key and what is legal."""
    try:
        document = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise PlanError("no JSON") from None
    table = table_of("exchange", document)
    require_given("", table, ("request", "method", "target", "ended"))
    known = ("request", "method", "target", "ended", "status", "headers", "delay_s", "body")
    require_known("", table, (*known, "events"))
    ended = table["ended"]
    if ended not in _ENDINGS:
        raise PlanError(f"ended: must be one of {', '.join(_ENDINGS)}, got {ended!r:.60}")
    asked = RecordedExchange(
        request=_text("request", table["request"]),
        method=_text("method", table["method"]),
        target=_text("target", table["target"]),
        ended=ended,
    )
    return asked if ended in ("refused", "timed_out", "unusable") else _answered(asked, table)


def _answered(asked: RecordedExchange, table: Mapping[str, Any]) -> RecordedExchange:
    streamed = "events" in table
    return dataclasses.replace(
        asked,
        status=_status(table.get("status")),
        headers=_headers(table.get("headers", {})),
        delay_s=_delay("delay_s", table.get("delay_s", 0.0)),
        body=b"" if streamed else _read("body", table.get("body", [""])),
        streamed=streamed,
        events=tuple(
            _event(f"events[{at}]", event)
            for at, event in enumerate(list_of("events", table.get("events", [])))
        ),
    )


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise PlanError(f"{key}: must be text, got {value!r:.60}")
    return value


def _status(value: object) -> int:
    legal = isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599
    if not legal or not isinstance(value, int):
        raise PlanError(f"status: must be an integer in [200, 599], got {value!r:.60}")
    return value


def _delay(key: str, value: object) -> float:
    legal = isinstance(value, int | float) and not isinstance(value, bool)
    if not legal or not isinstance(value, int | float) or not math.isfinite(value):
        raise PlanError(f"{key}: must be a number of seconds, got {value!r:.60}")
    if not 0 <= value <= DELAY_MAX_S:
        raise PlanError(f"{key}: must be in [0, {DELAY_MAX_S:g}] seconds, got {value!r:.60}")
    return float(value)


def _headers(value: object) -> tuple[tuple[str, str], ...]:
    headers = tuple(
        (name, _text(f"headers.{name}", each)) for name, each in table_of("headers", value).items()
    )
    if kept_headers(headers) != headers:
        legal = ", ".join(sorted(_KEPT_HEADERS))
        raise PlanError(f"headers: must be ASCII and among {legal}, got {dict(headers)!r:.100}")
    return headers


def _event(key: str, value: object) -> TimedBytes:
    delay, *data = list_of(key, value) or [None]
    return TimedBytes(_delay(key, delay), _read(key, data))


def _read(key: str, value: object) -> bytes:
    match list_of(key, value):
        case [str(text)]:
            return text.encode("utf-8", "surrogatepass")
        case ["base64", str(text)]:
            try:
                return base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                raise PlanError(f"{key}: is no base64") from None
    raise PlanError(f'{key}: must be [a text] or ["base64", a text]')
