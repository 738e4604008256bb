"""Admin: steer a running server over HTTP, under ``/_chaoscheck/`` and behind a token.

Pure: a request in, an answer out, and between them calls of the server. Errors are
``{"error": {"type", "message"}}``; none holds the token, a file's path or what a client asked.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Protocol
from urllib.parse import parse_qsl

from chaoscheck.errors import PlanError
from chaoscheck.history.exchange import Exchange
from chaoscheck.plan.answer import Answer, Parts
from chaoscheck.plan.documents.plan_document import plan_from_document, plan_to_document
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan, as_fault
from chaoscheck.server.apis.routes import path_of
from chaoscheck.server.books.private_fields import without_private_texts
from chaoscheck.server.books.prometheus import CONTENT_TYPE, prometheus_text
from chaoscheck.server.books.stats import Observed, stats_of
from chaoscheck.server.internal_errors import report
from chaoscheck.suggestions import unknown_name
from chaoscheck.wire.request_codec import Request

__all__ = ["ADMIN_PREFIX", "BODY_BYTES_MAX", "Admin", "ServerView"]

ADMIN_PREFIX = "/_chaoscheck/"
BODY_BYTES_MAX = 1024 * 1024  # no plan is as long

_FORMATS = ("json", "prometheus")
_LIMIT_DIGITS_MAX = 9
_LINES_AT_ONCE = 50  # of an export: 3 ms of work
_LINE_BYTES_MAX = 8 * 1024  # of one: its texts are bounded, and escaped
_EXPORTED = Exchange._fields
_ALWAYS = (
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
)


class ServerView(Observed, Protocol):
    """What admin needs of a server; setting ``plan`` makes it go by that one from now on."""

    plan: FaultPlan

    def next_fault(self, fault: Fault | str) -> None:
        """Let the next request that would be answered well meet it."""

    def heal(self) -> None:
        """Nothing goes wrong from now on."""

    def reset(self) -> None:
        """Forget exchanges, counts, attempts and queued faults; the plan stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """An admin request whose token and size are right."""

    query: Mapping[str, str]
    body: bytes


class _Refused(Exception):
    """Leaves an endpoint: the answer is an error of this status."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class Admin:
    """The admin endpoints of ``server``, for whoever sends ``token``.

    The token comes as ``Authorization: Bearer TOKEN`` or ``X-Chaos-Token: TOKEN``. PlanError for a
    token that no header can carry. A reset may bring back the plan that the server has now.
    """

    def __init__(self, server: ServerView, token: str) -> None:
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise PlanError("the admin token must be visible ASCII characters, at least one")
        self._server = server
        self._first_plan = server.plan
        self._token = token.encode("ascii")
        self._endpoints: dict[str, dict[str, _Endpoint]] = {
            "plan": {
                "GET": _Endpoint(self._get_plan),
                "PUT": _Endpoint(self._put_plan),
            },
            "stats": {"GET": _Endpoint(self._get_stats, ("format",))},
            "export": {"GET": _Endpoint(self._export, ("limit", "tags", "keys"))},
            "health": {"GET": _Endpoint(self._health)},
            "reset": {"POST": _Endpoint(self._reset)},
            "faults": {"POST": _Endpoint(self._queue_faults)},
            "heal": {"POST": _Endpoint(self._heal)},
        }

    def answer(self, request: Request) -> Answer:
        """The answer to a request whose path begins with ``ADMIN_PREFIX``. Never raises."""
        if not self._knows_the_token(request.headers):
            said = _error("unauthorized", "send the admin token as Authorization: Bearer TOKEN")
            return _json(401, said, ("www-authenticate", "Bearer"))
        name = path_of(request.target).removeprefix(ADMIN_PREFIX)
        methods = self._endpoints.get(name)
        if methods is None:
            legal = ", ".join(ADMIN_PREFIX + known for known in self._endpoints)
            return _json(404, _error("not_found", f"no such endpoint; there are {legal}"))
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = methods.get(method)
        if endpoint is None:
            allowed = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
            said = _error("method_not_allowed", f"allowed here: {allowed}")
            return _json(405, said, ("allow", allowed))
        try:
            return endpoint.act(_asked(request, endpoint.parameters))
        except _Refused as refused:
            return _json(refused.status, _error(refused.kind, str(refused)))
        except PlanError as error:
            return _json(400, _error("invalid_plan", str(error)))
        except Exception as error:  # Nothing that a client sends may end the server.
            report(error)
            return _json(500, _error("internal_error", "the server failed; its log says where"))

    @staticmethod
    def refused(answer: Answer) -> Answer:
        """The refusal of a request that was not looked at, in the form of these endpoints."""
        message = "" if answer.error is None else answer.error.message
        return _json(answer.status, _error("invalid_request", message), *answer.headers)

    def _knows_the_token(self, headers: Mapping[bytes, bytes]) -> bool:
        scheme, _, bearer = headers.get(b"authorization", b"").partition(b" ")
        sent = (
            bearer.strip() if scheme.lower() == b"bearer" else b"",
            headers.get(b"x-chaos-token", b""),
        )
        return any(hmac.compare_digest(token, self._token) for token in sent)

    def _get_plan(self, _: _Asked) -> Answer:
        document = plan_to_document(self._server.plan)
        # Where a recording lies on this machine is nobody's business over the network.
        document.get("replies", {}).pop("path", None)
        return _json(200, document)

    def _put_plan(self, asked: _Asked) -> Answer:
        self._server.plan = plan_from_document(_object(asked.body), files=False)
        return self._get_plan(asked)

    def _get_stats(self, asked: _Asked) -> Answer:
        wanted = asked.query.get("format", "json")
        if wanted not in _FORMATS:
            raise _bad(f"format must be one of {', '.join(_FORMATS)}, got {wanted[:40]!r}")
        counted = stats_of(self._server)
        if wanted == "json":
            return _json(200, counted)
        return _answer(200, prometheus_text(counted).encode(), CONTENT_TYPE)

    def _export(self, asked: _Asked) -> Answer:
        """The newest exchanges, oldest first, one JSON object a line.

        The texts that answers echo are prompts, so ``tag`` is null unless ``tags=true``; keys may
        be a client's own, so ``key`` is a digest unless ``keys=true``.
        """
        ledger = self._server.ledger
        wanted = asked.query.get("limit", str(ledger.limit))
        number = int(wanted) if _is_number(wanted) else 0
        if number < 1:
            raise _bad(f"limit must be an integer >= 1, got {wanted[:40]!r}")
        tags, keys = _flag(asked.query, "tags"), _flag(asked.query, "keys")
        newest = ledger.newest(number)
        make = partial(_exported_all, newest, tags=tags, keys=keys)
        if len(newest) <= _LINES_AT_ONCE:
            return _answer(200, b"".join(make()), "application/x-ndjson")
        # A full ledger takes half a second to write: it is written while it is sent.
        answer = _answer(200, b"", "application/x-ndjson")
        return answer._replace(parts=Parts(make, len(newest) * _LINE_BYTES_MAX))

    def _health(self, _: _Asked) -> Answer:
        server = self._server
        said = {"status": "ok", "in_flight": server.in_flight, "uptime_s": server.uptime_s}
        return _json(200, said)

    def _reset(self, asked: _Asked) -> Answer:
        given = _object(asked.body or b"{}", ("plan",))
        plan = given.get("plan", False)
        if not isinstance(plan, bool):
            raise _bad(f"plan must be true or false, got {_short(plan)}")
        self._server.reset()
        if plan:
            self._server.plan = self._first_plan
        return _json(200, {"status": "ok"})

    def _queue_faults(self, asked: _Asked) -> Answer:
        texts = _object(asked.body, ("faults",)).get("faults")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise _bad(f"faults must be a list of faults as text, got {_short(texts)}")
        # All or none: each is understood before the first one is queued.
        faults = [as_fault(text) for text in texts]
        for fault in faults:
            self._server.next_fault(fault)
        return _json(200, {"queued": [repr(fault) for fault in faults]})

    def _heal(self, _: _Asked) -> Answer:
        self._server.heal()
        return _json(200, {"status": "ok"})


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """What a method does at a path, and which query parameters it takes."""

    act: Callable[[_Asked], Answer]
    parameters: tuple[str, ...] = ()


def _asked(request: Request, parameters: tuple[str, ...]) -> _Asked:
    if len(request.body) > BODY_BYTES_MAX:
        message = f"a body may have {BODY_BYTES_MAX} bytes, got {len(request.body)}"
        raise _Refused(413, "body_too_large", message)
    query = dict(parse_qsl(request.target.partition("?")[2], keep_blank_values=True))
    unknown = [name for name in query if name not in parameters]
    if unknown:
        raise _bad(unknown_name("parameter", unknown[0][:40], parameters))
    return _Asked(query=query, body=request.body)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LIMIT_DIGITS_MAX


def _bad(message: str) -> _Refused:
    return _Refused(400, "invalid_request", message)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _object(body: bytes, legal: tuple[str, ...] | None = None) -> dict[str, object]:
    """The JSON object in ``body``, with no keys but the ``legal`` ones if they are given."""
    try:
        given = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_reject)
    except RecursionError:
        raise _bad("the body is nested too deeply") from None
    except ValueError as error:
        raise _bad(f"the body is not JSON: {_without_input(error)}") from None
    if not isinstance(given, dict):
        raise _bad(f"the body must be a JSON object, got {_short(given)}")
    unknown = [key for key in given if legal is not None and key not in legal]
    if unknown:
        raise _bad(unknown_name("key", unknown[0][:40], legal or ()))
    return given


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return unique


def _reject(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _without_input(error: ValueError) -> str:
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _flag(query: Mapping[str, str], name: str) -> bool:
    given = query.get(name, "false")
    if given not in ("true", "false"):
        raise _bad(f"{name} must be true or false, got {given[:40]!r}")
    return given == "true"


def _exported_all(exchanges: list[Exchange], *, tags: bool, keys: bool) -> Iterator[bytes]:
    for at in range(0, len(exchanges), _LINES_AT_ONCE):
        some = exchanges[at : at + _LINES_AT_ONCE]
        yield b"".join([_exported(each, tags=tags, keys=keys) for each in some])


def _exported(exchange: Exchange, *, tags: bool, keys: bool) -> bytes:
    kept = without_private_texts(exchange, prompts=tags, keys=keys)
    return _rendered(dict(zip(_EXPORTED, attrgetter(*_EXPORTED)(kept), strict=True)))


def _error(kind: str, message: str) -> dict[str, object]:
    return {"error": {"type": kind, "message": message}}


def _json(status: int, value: object, *headers: tuple[str, str]) -> Answer:
    return _answer(status, _rendered(value), "application/json", *headers)


def _rendered(value: object) -> bytes:
    # No browser may take what clients sent us for markup, whatever it makes of the content type.
    text = json.dumps(value, allow_nan=False)
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f"{text}\n".encode("ascii")


def _answer(status: int, body: bytes, content_type: str, *headers: tuple[str, str]) -> Answer:
    return Answer(
        status=status, headers=(("content-type", content_type), *_ALWAYS, *headers), body=body
    )
