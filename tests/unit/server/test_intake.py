"""What is refused before a request means anything: pages of other sites, forms, unknown codings."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.identity import key_of
from chaoscheck.server.replay.source import Fetched
from chaoscheck.server.settings import ServerSettings
from chaoscheck.wire.request_codec import Limits, Request
from tests.contract.carriers import VIRTUAL
from tests.contract.raw_client import RawClient, Seen, chat_request

TOKEN = "token"
CHAT = "/v1/chat/completions"
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()
MESSAGE = json.dumps(
    {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
).encode()
ADMIN = f"x-chaos-token: {TOKEN}"
PAGE = "http://localhost:3000"
FORM = (
    b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n{}\r\n--b--\r\n'
)


def _request(path: str, *headers: str, body: bytes = BODY, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: x", *headers, f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _server(
    plan: FaultPlan | None = None, *, cors: tuple[str, ...] = (), limits: Limits | None = None
) -> ChaosServer:
    settings = ServerSettings(
        admin_token=TOKEN, cors_origins=cors, limits=limits or Limits(), ledger_limit=10
    )
    return ChaosServer(plan, settings=settings)


def _seen(server: ChaosServer, *requests: bytes) -> list[Seen]:
    """The answers to requests on one connection."""

    async def scene(host: str, port: int) -> list[Seen]:
        async with RawClient.connected(host, port) as raw:
            seen = []
            for request in requests:
                await raw.stream.send_all(request)
                seen.append(await raw.look(patience_s=1.0))
            return seen

    return VIRTUAL.play(server, scene)


def _error(seen: Seen) -> str:
    said = json.loads(seen.body)["error"]
    return str(said if isinstance(said, str) else said["message"])


# ---------------------------------------------------------------------- media types


@pytest.mark.parametrize("kind", ["text/plain", "TEXT/PLAIN; charset=utf-8", "multipart/form-data"])
@pytest.mark.parametrize(
    ("path", "body"),
    [(CHAT, BODY), ("/v1/messages", MESSAGE), ("/api/chat", BODY), ("/api/v1/embeddings", BODY)],
)
def test_a_form_is_refused_where_json_is_wanted(kind: str, path: str, body: bytes) -> None:
    """What a page can send without asking does nothing, and the error says which header to send."""
    form = _request(path, f"content-type: {kind}", body=body)
    refused, good = _seen(_server(), form, _request(path, body=BODY))

    assert (415, "application/json") == (refused.status, refused.header("accept-post"))
    assert "'Content-Type: application/json'" in _error(refused)
    assert good.status in (200, 400)  # The connection goes on.


def test_a_urlencoded_body_is_refused_but_where_the_provider_reads_it() -> None:
    """`curl -d` without a header does with Ollama and the admin, as their documentation has it."""
    kind = "content-type: application/x-www-form-urlencoded"
    plan = b'{"rates": {}}'
    seen = _seen(
        _server(),
        _request(CHAT, kind),
        _request("/v1/messages", kind, body=MESSAGE),
        _request("/api/chat", kind, body=BODY),
        _request("/_chaoscheck/faults", kind, ADMIN, body=b'{"faults": []}'),
        _request("/_chaoscheck/plan", kind, ADMIN, body=plan, method="PUT"),
    )

    assert [415, 415, 200, 200, 200] == [each.status for each in seen]


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        (CHAT, "x: y", 200),
        (CHAT, "content-type: application/json; charset=utf-8", 200),
        (CHAT, "content-type: application/vnd.api+json", 200),
        (CHAT, "content-type: application/octet-stream", 200),
        ("/nowhere", "content-type: text/plain", 404),
    ],
)
def test_other_media_types_are_no_mistake(path: str, header: str, status: int) -> None:
    """Without one, and with any that a page could not send unasked, the body is JSON as before."""
    (seen,) = _seen(_server(), _request(path, header))

    assert status == seen.status


def test_a_file_is_uploaded_as_a_form() -> None:
    """Endpoints for files take the form that they need, and no other."""
    kind = "content-type: multipart/form-data; boundary=b"
    seen = _seen(
        _server(),
        _request("/v1/files", kind, body=FORM),
        _request("/v1/files", kind, "anthropic-version: 2023-06-01", body=FORM),
        _request("/v1/files", "content-type: text/plain", body=FORM),
    )

    assert [200, 200, 415] == [each.status for each in seen]


def test_the_admin_takes_no_form_in_its_place() -> None:
    """A text that a page could send is refused there as well."""
    server = _server()
    request = _request("/_chaoscheck/reset", "content-type: text/plain", ADMIN, body=b"{}")
    (seen,) = _seen(server, request)

    assert (415, "invalid_request") == (seen.status, json.loads(seen.body)["error"]["type"])


# ---------------------------------------------------------------------- other sites


@pytest.mark.parametrize(
    "header", [f"origin: {PAGE}", "origin: null", "sec-fetch-site: cross-site"]
)
@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/nowhere", "/_chaoscheck/heal"])
def test_what_a_page_sends_is_refused(header: str, path: str) -> None:
    """A site that I visit cannot use the server on my machine, however it asks."""
    server = _server()
    plan = server.plan
    seen = _seen(server, _request(path, header, ADMIN), _request(path, header, method="GET"))

    assert [403, 403] == [each.status for each in seen]
    assert [None, None] == [each.header("access-control-allow-origin") for each in seen]
    assert "web pages are refused" in _error(seen[0])
    assert plan == server.plan


@pytest.mark.parametrize("header", ["sec-fetch-site: none", "sec-fetch-mode: cors"])
def test_what_is_typed_or_sent_by_node_is_taken(header: str) -> None:
    """An address typed by hand is no other site's, nor is Node's fetch."""
    (seen,) = _seen(_server(), _request(CHAT, header))

    assert 200 == seen.status


# ---------------------------------------------------------------------- CORS


@pytest.mark.parametrize("fault", [None, "status_429", "empty_body", "close_mid_body"])
@pytest.mark.parametrize("streamed", [False, True])
def test_an_allowed_page_reads_every_answer(fault: str | None, streamed: bool) -> None:
    """Good ones, errors and faults bear the header without which a browser shows none of them."""
    plan = FaultPlan() if fault is None else FaultPlan.of({fault: 1.0})
    request = chat_request(headers=f"origin: {PAGE}\r\n", streamed=streamed)
    (seen,) = _seen(_server(plan, cors=("https://a.b", PAGE)), request)

    assert (PAGE, "origin") == (seen.header("access-control-allow-origin"), seen.header("vary"))
    assert "*" == seen.header("access-control-expose-headers")


def test_any_page_may_be_allowed() -> None:
    """Then the answer does not depend on who asks, errors of unreadable requests included."""
    server = _server(cors=("*",))
    seen = _seen(
        server,
        _request(CHAT, "origin: https://any.where"),
        _request(CHAT),
        _request("/nowhere", "sec-fetch-site: cross-site"),
        b"GET / HTTP/1.1\r\n\r\n",
    )

    assert [200, 200, 404, 400] == [each.status for each in seen]
    assert ["*"] * 4 == [each.header("access-control-allow-origin") for each in seen]


def test_another_page_than_the_allowed_is_refused() -> None:
    """Caches are told that it depends on the origin."""
    server = _server(cors=(PAGE,))
    seen = _seen(
        server, _request(CHAT, "origin: http://localhost:3001"), _request(CHAT, "origin: null")
    )

    assert [(403, None, "origin")] * 2 == [
        (each.status, each.header("access-control-allow-origin"), each.header("vary"))
        for each in seen
    ]


def _preflight(path: str = CHAT, origin: str = PAGE) -> bytes:
    asked = "access-control-request-method: POST"
    named = "access-control-request-headers: authorization,content-type,x-stainless-os"
    return _request(path, f"origin: {origin}", asked, named, method="OPTIONS", body=b"")


def test_a_preflight_is_answered_by_the_server_itself() -> None:
    """It is no exchange: no fault meets it, and no book has it."""
    server = _server(FaultPlan.of({"status_503": 1.0}), cors=(PAGE,))

    async def scene(host: str, port: int) -> tuple[bytes, Seen]:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(_preflight())
            head = bytes(await raw.stream.receive_some())
            await raw.stream.send_all(_request(CHAT, f"origin: {PAGE}"))
            return head, await raw.look()

    head, seen = VIRTUAL.play(server, scene)
    answer = Seen(head=head, body=b"", ended="whole")

    assert (204, None, PAGE) == (
        answer.status,
        answer.header("content-length"),
        answer.header("access-control-allow-origin"),
    )
    assert "POST" in (answer.header("access-control-allow-methods") or "")
    assert "authorization,content-type,x-stainless-os" == answer.header(
        "access-control-allow-headers"
    )
    assert head.endswith(b"\r\n\r\n")
    assert (503, 1) == (seen.status, server.ledger.total)


@pytest.mark.parametrize(
    ("cors", "request_"),
    [
        ((), _preflight()),
        ((PAGE,), _preflight(origin="http://evil.example")),
        (("*",), _preflight("/_chaoscheck/plan")),
        (("*",), _request("/_chaoscheck/plan", f"origin: {PAGE}", ADMIN, method="GET", body=b"")),
    ],
)
def test_no_page_is_let_in_where_none_is_allowed(cors: tuple[str, ...], request_: bytes) -> None:
    """Without the option, from another origin, and at the admin's, always."""
    (seen,) = _seen(_server(cors=cors), request_)

    assert (403, None) == (seen.status, seen.header("access-control-allow-origin"))


@pytest.mark.parametrize(
    "origin", ["localhost", "http://a/", "HTTP://a", "http://a b", "", "http://"]
)
def test_what_is_no_origin_is_refused_before_the_server_runs(origin: str) -> None:
    """A slip of the keyboard would otherwise allow nobody, silently."""
    with pytest.raises(PlanError, match="an origin must be"):
        ServerSettings(cors_origins=(origin,))


# ---------------------------------------------------------------------- codings


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("identity", BODY),
    ],
)
def test_a_coded_request_is_the_request_that_was_coded(coding: str, body: bytes) -> None:
    """It is answered alike, and its key is that of the same request without a coding."""
    server = _server()
    (seen,) = _seen(server, _request(CHAT, f"content-encoding: {coding}", body=body))
    plain = Request("POST", CHAT, {}, BODY, keep_alive=True)

    assert (200, True) == (seen.status, b'"content":"hello"' in seen.body)
    assert [key_of(plain, CHAT)] == [entry.key for entry in server.ledger]


@pytest.mark.parametrize(
    ("coding", "body", "status", "accepted"),
    [
        ("br", BODY, 415, "gzip, deflate"),
        ("gzip, gzip", BODY, 415, "gzip, deflate"),
        ("gzip", BODY, 400, None),
        ("gzip", gzip.compress(BODY, mtime=0)[:-3], 400, None),
        ("gzip", gzip.compress(bytes(2_000), mtime=0), 413, None),
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/_chaoscheck/faults"])
def test_a_body_that_cannot_be_decoded_is_refused(
    coding: str, body: bytes, status: int, accepted: str | None, path: str
) -> None:
    """In the form of the endpoint, and the connection goes on."""
    server = _server(limits=Limits(body_bytes=1_000))
    coded = _request(path, f"content-encoding: {coding}", ADMIN, body=body)
    refused, good = _seen(server, coded, _request(CHAT))

    assert (status, accepted) == (refused.status, refused.header("accept-encoding"))
    assert (200, bool(_error(refused))) == (good.status, True)


def test_decoded_bodies_take_of_the_room_for_all_bodies_and_give_it_back() -> None:
    """Small bodies that stand for large ones do not get around the bound of all together."""
    server = _server(limits=Limits(bodies_bytes=100_000))
    large = BODY[:-1] + b" " * 200_000 + b"}"
    coded = _request(CHAT, "content-encoding: gzip", body=gzip.compress(large, mtime=0))
    small = _request(CHAT, "content-encoding: gzip", body=gzip.compress(BODY, mtime=0))

    assert [503, 200] == [each.status for each in _seen(server, coded, small)]
    assert 0 == server._service.bodies.held_bytes


class _Source:
    """A source of answers that keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    async def fetch(self, request: Request) -> Fetched:
        """A good answer."""
        self.asked.append(request)
        return Fetched(Answer(status=200, body=b"{}"))

    def reset(self) -> None:
        """There is nothing to forget."""


def test_a_source_is_asked_only_for_what_is_taken_and_in_clear() -> None:
    """A recorder forwards the decoded body without its coding, and nothing of a foreign page."""
    source = _Source()
    server = ChaosServer(settings=ServerSettings(source=source))
    seen = _seen(
        server,
        _request(CHAT, "content-encoding: gzip", body=gzip.compress(BODY, mtime=0)),
        _request(CHAT, "origin: http://evil.example"),
        _request(CHAT, "content-type: text/plain"),
        _request("/v1/audio/transcriptions", "content-type: multipart/form-data; boundary=b"),
    )

    assert [200, 403, 415, 200] == [each.status for each in seen]
    assert [BODY, BODY] == [request.body for request in source.asked]
    assert b"content-encoding" not in source.asked[0].headers
