"""An upstream that fails: recorded as what it did, answered in the provider's form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan, as_fault
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.replay import upstream as upstream_module
from chaoscheck.server.replay.recording_file import read_recording
from chaoscheck.server.replay.replay import Replay
from chaoscheck.server.replay.upstream import require_upstream
from chaoscheck.server.settings import ServerSettings
from tests.contract.carriers import VIRTUAL, at_rest, client
from tests.unit.server.replay.scenes import (
    CHAT,
    MESSAGES,
    chat,
    lines_of,
    message,
    recorded,
    replayed,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where no recording is yet."""
    return tmp_path / "recording.jsonl"


def _failing(fault: Fault) -> ChaosServer:
    plan = FaultPlan(rates=((fault, 1.0),))
    return ChaosServer(plan)


async def _refusals(http: httpx.AsyncClient) -> list[Any]:
    openai = await http.post(CHAT, json=chat())
    anthropic = await http.post(MESSAGES, json=message(stream=True))
    return [
        (openai.status_code, openai.json()["error"]["message"]),
        (anthropic.status_code, anthropic.json()["error"]["type"]),
    ]


@pytest.mark.parametrize(
    ("fault", "ended", "says"),
    [
        (as_fault("refuse"), "unusable", "could not be used"),
        (as_fault("reset_before_headers"), "unusable", "could not be used"),
        (as_fault("close_before_headers"), "unusable", "could not be used"),
        (as_fault("stall_before_headers"), "timed_out", "did not answer in time"),
        (as_fault("slow_response(delay_s=9.0)"), "timed_out", "did not answer in time"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_an_upstream_that_gives_no_answer_is_a_502(
    path: Path, fault: Fault, ended: str, says: str
) -> None:
    """Refused, reset, silent: my client reads its provider's 502, now and from the recording."""
    seen = recorded(path, _refusals, upstream=_failing(fault), timeout_s=2.0)

    assert [502, 502] == [status for status, _ in seen]
    assert says in seen[0][1]
    assert "api_error" == seen[1][1]
    assert [ended, ended] == [each["ended"] for each in lines_of(path)]
    assert seen == replayed(path, _refusals)


def test_an_upstream_that_cannot_be_reached_is_a_502(path: Path) -> None:
    """Where nothing listens the connection is refused, and recorded so."""
    seen = recorded(path, _refusals, url="http://real.test:81")

    assert [(502, "The upstream could not be reached."), (502, "api_error")] == seen
    assert ["refused", "refused"] == [each["ended"] for each in lines_of(path)]
    assert seen == replayed(path, _refusals)


@pytest.mark.parametrize(
    "fault",
    [as_fault("close_mid_body(after_bytes=20)"), as_fault("reset_mid_body(after_bytes=20)")],
    ids=lambda fault: fault.name,
)
def test_a_body_that_breaks_off_is_a_502(path: Path, fault: Fault) -> None:
    """Half a JSON document is no answer to record."""
    seen = recorded(path, lambda http: http.post(CHAT, json=chat()), upstream=_failing(fault))

    assert 502 == seen.status_code
    assert ["unusable"] == [each["ended"] for each in lines_of(path)]


async def _cut(http: httpx.AsyncClient) -> tuple[str, bytes]:
    """How a stream ended, and what came before."""
    said = b""
    try:
        async with http.stream("POST", CHAT, json=chat("a b c d", stream=True)) as answer:
            async for piece in answer.aiter_raw():
                said += piece
    except httpx.RemoteProtocolError:
        return "cut", said
    return "whole", said


@pytest.mark.parametrize(
    "fault",
    [as_fault("close_mid_body(after_bytes=700)"), as_fault("reset_mid_body(after_bytes=700)")],
    ids=lambda fault: fault.name,
)
def test_a_stream_that_breaks_off_is_recorded_and_breaks_off_again(
    path: Path, fault: Fault
) -> None:
    """What came before the cut comes, and then the connection ends without the stream's end."""
    ended, said = recorded(path, _cut, upstream=_failing(fault))

    assert "cut" == ended
    assert b"data: " in said
    assert b"[DONE]" not in said
    assert ["cut"] == [each["ended"] for each in lines_of(path)]
    assert (ended, said) == replayed(path, _cut)


def test_a_cut_stream_is_no_fault_of_the_plan(path: Path) -> None:
    """The ledger calls it closed; no fault was injected and none had an effect."""
    recorded(path, _cut, upstream=_failing(as_fault("close_mid_body(after_bytes=700)")))
    replay = Replay(read_recording(path))
    server = ChaosServer(settings=ServerSettings(source=replay))

    async def scene(host: str, port: int) -> None:
        async with client(host, port) as http:
            await _cut(http)
        await at_rest(server)

    VIRTUAL.play(server, scene)

    assert [("closed", False, None)] == [(it.ended, it.effect, it.fault) for it in server.ledger]


def test_an_answer_beyond_the_bound_is_a_502(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No upstream fills my memory or my disk: its answer is dropped where it is too long."""
    monkeypatch.setattr(upstream_module, "ANSWER_BYTES_MAX", 1000)

    async def scene(http: httpx.AsyncClient) -> list[int]:
        bodies = [chat(), chat("x" * 2000), chat("x " * 2000, stream=True)]
        return [(await http.post(CHAT, json=body)).status_code for body in bodies]

    assert [200, 502, 502] == recorded(path, scene)
    assert path.stat().st_size < 4000


@pytest.mark.parametrize("target", ["http://elsewhere.test/v1/models", "//elsewhere.test/v1"])
def test_a_target_that_names_another_host_stays_with_the_upstream(path: Path, target: str) -> None:
    """A client's credential goes to the upstream that I named, and to no other place."""

    async def scene(http: httpx.AsyncClient) -> int:
        answer = await http.get("/v1/models", extensions={"target": target.encode()})
        return answer.status_code

    assert (404 if target.startswith("//") else 200) == recorded(path, scene)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com",
        "ftp://api.openai.com",
        "https://",
        "http://:80",
        "http://host:99999",
        "http://host:0",
        "http://[::1",
        "http://user:pass@host",
        "http://host/?key=1",
        "http://host/#part",
        "http://ho st",
        "http://host\r\nx: y",
    ],
)
def test_what_is_no_upstream_is_refused(url: str) -> None:
    """A slip in the URL is said before anything is sent."""
    with pytest.raises(PlanError, match="--upstream must"):
        require_upstream(url)


@pytest.mark.parametrize("url", ["https://api.openai.com", "http://127.0.0.1:8080/base/"])
def test_what_is_an_upstream_is_taken(url: str) -> None:
    """A path before the API's own is kept."""
    assert url.rstrip("/") == require_upstream(url)
