"""Large answers: made while they are sent, within bounds, and booked as any other."""

from __future__ import annotations

import contextlib
import hashlib
import json

import pytest
import trio

from chaoscheck.server import script
from chaoscheck.server.apis import vector_documents
from chaoscheck.server.apis.embeddings import answer as embeddings
from chaoscheck.server.apis.pieces import PIECES_MAX, first_words, pieces_of, words_in
from chaoscheck.server.apis.unit_vectors import unit_vector
from chaoscheck.server.chaos_server import ChaosServer
from tests.contract.carriers import CARRIERS, VIRTUAL, Carrier, at_rest
from tests.contract.raw_client import RawClient, Seen, chat_request

_LAST_CHUNK = b"\r\n0\r\n\r\n"
INPUTS = [f"text {number}" for number in range(9)]


def _asking(inputs: list[str], version: str = "1.1") -> bytes:
    body = json.dumps({"model": "text-embedding-3-large", "input": inputs}).encode()
    head = f"POST /v1/embeddings HTTP/{version}\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _seen(carrier: Carrier, server: ChaosServer, request: bytes) -> Seen:
    async def scene(host: str, port: int) -> Seen:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(request)
            data = b""
            while not data.endswith(_LAST_CHUNK):  # Looking once a read, as answers are long.
                more = b""
                with trio.move_on_after(0.5), contextlib.suppress(trio.BrokenResourceError):
                    more = await raw.stream.receive_some()
                if not more:
                    break
                data += more
            head, _, body = data.partition(b"\r\n\r\n")
            seen = Seen(
                head=head, body=body, ended="whole" if body.endswith(_LAST_CHUNK) else "eof"
            )
        await at_rest(server)
        return seen

    return carrier.play(server, scene)


def _joined(body: bytes) -> bytes:
    """A chunked body without its framing."""
    joined, at = b"", 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end], 16)
        if size == 0:
            return joined
        joined += body[end + 2 : end + 2 + size]
        at = end + 2 + size + 2


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda it: it.name)
def test_many_vectors_come_in_chunks_and_are_those_of_one_answer(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made piece by piece says the same as what is made at once."""
    server = ChaosServer()
    seen = _seen(carrier, server, _asking(INPUTS))
    monkeypatch.setattr(vector_documents, "AT_ONCE_MAX", 10**9)
    whole = _seen(carrier, ChaosServer(), _asking(INPUTS, "1.1"))

    assert ("whole", "chunked") == (seen.ended, seen.header("transfer-encoding"))
    assert whole.body == _joined(seen.body)
    booked = server.ledger[0]
    assert (len(seen.body), len(seen.body)) == (booked.body_sent, booked.body_length)
    assert hashlib.sha256(seen.body).hexdigest() == booked.body_digest
    assert len(seen.head) + 4 + len(seen.body) == booked.bytes_sent


def test_an_old_client_gets_many_vectors_until_the_connection_ends() -> None:
    """HTTP/1.0 knows no chunks."""
    seen = _seen(VIRTUAL, ChaosServer(), _asking(INPUTS, "1.0"))

    assert ("eof", len(INPUTS)) == (seen.ended, len(json.loads(seen.body)["data"]))


@pytest.mark.parametrize(
    ("fault", "ended", "status"),
    [
        ("slow_response(delay_s=0.2)", "complete", 200),
        ("reset_before_headers", "reset", None),
        ("reset_mid_headers(after_bytes=9)", "reset", None),
        ("status_503", "complete", 503),
        ("wrong_content_type", "complete", 200),
    ],
)
def test_faults_beside_the_body_hit_an_answer_in_parts(
    fault: str, ended: str, status: int | None
) -> None:
    """Its end, its head and its status are faulted without its body being made."""
    server = ChaosServer()
    server.next_fault(fault)
    _seen(VIRTUAL, server, _asking(INPUTS))

    booked = server.ledger[0]
    assert (ended, True, status) == (booked.ended, booked.effect, booked.status)


@pytest.mark.parametrize(
    "fault",
    ["truncated_json", "invalid_utf8", "reset_mid_body(after_bytes=100000)", "wrong_types"],
)
def test_a_fault_of_the_body_does_the_same_to_one_in_parts(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a fault edits or cuts the body, it is made at once, and meets the same fault."""
    servers = ChaosServer(), ChaosServer()
    for server in servers:
        server.next_fault(fault)
    in_parts = _seen(VIRTUAL, servers[0], _asking(INPUTS))
    monkeypatch.setattr(vector_documents, "AT_ONCE_MAX", 10**9)
    at_once = _seen(VIRTUAL, servers[1], _asking(INPUTS))

    assert (at_once.head, at_once.body) == (in_parts.head, in_parts.body)
    (booked,), (other,) = servers[0].ledger, servers[1].ledger
    assert (True, booked) == (booked.effect, other)


def test_no_fault_of_the_body_hits_a_very_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large to be edited at once is sent as it is; the fault waits for another."""
    monkeypatch.setattr(script, "EDITED_BYTES_MAX", 500_000)
    server = ChaosServer()
    server.next_fault("truncated_json")
    seen = _seen(VIRTUAL, server, _asking(INPUTS))

    assert len(INPUTS) == len(json.loads(_joined(seen.body))["data"])
    assert (None, "complete") == (server.ledger[0].fault, server.ledger[0].ended)


def test_gemini_s_vectors_come_in_parts_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of vectors says the same as one that is made at once."""
    content = {"content": {"parts": [{"text": "a"}]}}
    body = json.dumps({"requests": [content] * 20}).encode()
    path = "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    request = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    seen = _seen(VIRTUAL, ChaosServer(), request + body)
    monkeypatch.setattr(vector_documents, "AT_ONCE_MAX", 10**9)

    assert "chunked" == seen.header("transfer-encoding")
    assert _seen(VIRTUAL, ChaosServer(), request + body).body == _joined(seen.body)


@pytest.mark.parametrize("fault", [None, "nan", "duplicate_keys"])
@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda it: it.name)
def test_a_long_answer_is_booked_as_it_was_sent(carrier: Carrier, fault: str | None) -> None:
    """What is digested slice by slice while it is sent has the digest of the whole."""
    server = ChaosServer()
    if fault is not None:
        server.next_fault(fault)
    seen = _seen(carrier, server, chat_request("long " * 140_000))

    booked = server.ledger[0]
    assert hashlib.sha256(seen.body).hexdigest() == booked.body_digest
    assert (len(seen.body), len(seen.head) + 4 + len(seen.body)) == (
        booked.body_sent,
        booked.bytes_sent,
    )
    assert ("complete", fault is not None, 200) == (booked.ended, booked.effect, booked.status)
    assert booked.body_length == booked.body_sent > 2 * 256 * 1024


def test_a_client_that_leaves_ends_the_making(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand vectors are not made for a client that is gone."""
    made: list[str] = []

    def noted(text: str, dimensions: int) -> object:
        made.append(text)
        return unit_vector(text, dimensions)

    monkeypatch.setattr(embeddings, "unit_vector", noted)
    server = ChaosServer()

    async def scene(host: str, port: int) -> None:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(_asking([f"text {number}" for number in range(2048)]))
            await raw.stream.receive_some(1)
        await at_rest(server)
        await trio.sleep(0.1)

    VIRTUAL.play(server, scene)

    assert len(made) < 100
    assert "client_left" == server.ledger[0].ended


def test_a_long_stream_says_several_words_at_a_time() -> None:
    """A stream of a hundred thousand words has no more events than one of eight thousand."""
    text = "word " * 100_000
    server = ChaosServer()
    seen = _seen(VIRTUAL, server, chat_request(text, streamed=True))

    events = _joined(seen.body).split(b"\n\n")
    contents = [json.loads(event[6:]) for event in events if b'"content":"' in event]
    said = "".join([each["choices"][0]["delta"]["content"] for each in contents])
    assert text == said
    assert PIECES_MAX // 2 < len(contents) <= PIECES_MAX + 1
    booked = server.ledger[0]
    assert hashlib.sha256(seen.body).hexdigest() == booked.body_digest
    assert (len(seen.body), "complete") == (booked.body_sent, booked.ended)


@pytest.mark.parametrize(
    "text",
    [
        "a " * 50_000,
        " " * 200_000,
        "x" * 200_000,
        "  lead" * 40_000,
        "\u00e9\u2003\u00a0b\t" * 40_000,
    ],
)
def test_a_long_text_is_counted_and_parted_as_a_short_one(text: str) -> None:
    """Counting in steps sees the same words; pieces joined are the text."""
    assert len(text.split()) == words_in(text)
    pieces = pieces_of(text)
    assert text == "".join(pieces)
    assert len(pieces) <= max(PIECES_MAX, 1)


def test_the_first_words_of_a_long_text_are_found_without_the_rest() -> None:
    """A limit of tokens cuts where it says."""
    assert ["a b", None, None] == [first_words("a b c", count) for count in (2, 3, 4)]
