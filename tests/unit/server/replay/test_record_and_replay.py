"""Record and replay: what a provider said once is said again, with its timing and any fault."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.tool_call_fault import ToolCallFault
from chaoscheck.plan.fault_plan import FaultPlan, as_fault
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.replies import Replies
from chaoscheck.server.chaos_server import ChaosServer
from tests.unit.server.replay.scenes import (
    CHAT,
    HEADERS,
    KEY,
    MESSAGES,
    chat,
    lines_of,
    message,
    recorded,
    recorder_hits,
    replay_hits,
    replayed,
)

SLOW = FaultPlan(replies=Replies(first_token_s=2.0, token_s=0.5))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where no recording is yet."""
    return tmp_path / "recording.jsonl"


async def _whole(http: httpx.AsyncClient) -> list[tuple[int, bytes]]:
    answers = [
        await http.post(CHAT, json=chat(), headers=HEADERS),
        await http.post(MESSAGES, json=message(), headers={"x-api-key": KEY}),
        await http.get("/v1/models?limit=2&key=" + KEY),
        await http.post("/v1/embeddings", json={"model": "m", "input": ["a", "b"]}),
        await http.post("/v1/responses", json={"model": "m", "input": "hello"}),
        await http.post(CHAT, json={"model": "m"}),
        await http.post("/v2/nowhere", content=b"no json"),
    ]
    return [(answer.status_code, answer.content) for answer in answers]


async def _timed(http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> list[Any]:
    """The pieces of a stream, each with the second of its coming."""
    began_at_s = trio.current_time()
    async with http.stream("POST", path, json=body) as answer:
        return [
            (round(trio.current_time() - began_at_s, 2), piece)
            async for piece in answer.aiter_raw()
        ]


def test_what_was_recorded_is_replayed_byte_for_byte(path: Path) -> None:
    """Good answers and refusals of every API come back from the file, without the provider."""
    seen = recorded(path, _whole)

    assert [200, 200, 200, 200, 200, 400, 404] == [status for status, _ in seen]
    assert seen == replayed(path, _whole)


@pytest.mark.parametrize(
    ("target", "body"), [(CHAT, chat(stream=True)), (MESSAGES, message(stream=True))]
)
def test_a_stream_is_replayed_with_its_timing(
    path: Path, target: str, body: dict[str, Any]
) -> None:
    """Each event comes as late as the provider let it come; the recorder itself waits for all."""

    async def scene(http: httpx.AsyncClient) -> list[Any]:
        return await _timed(http, target, body)

    live = recorded(path, scene, upstream=ChaosServer(SLOW))
    again = replayed(path, scene)

    assert b"".join(piece for _, piece in live) == b"".join(piece for _, piece in again)
    assert {2.5} == {at_s for at_s, _ in live}
    assert [0.0, 2.0, 2.5] == sorted({at_s for at_s, _ in again} | {0.0})


def test_an_answer_is_replayed_as_late_as_it_came(path: Path) -> None:
    """A client that waited 2.5 s for the provider waits as long for its recording."""

    async def scene(http: httpx.AsyncClient) -> float:
        began_at_s = trio.current_time()
        await http.post(CHAT, json=chat())
        return round(trio.current_time() - began_at_s, 2)

    assert 2.5 == recorded(path, scene, upstream=ChaosServer(SLOW)) == replayed(path, scene)


def test_no_secret_and_no_prompt_is_in_the_file(path: Path) -> None:
    """Keys in headers, cookies and queries stay out, also where an answer repeats them."""

    async def scene(http: httpx.AsyncClient) -> list[httpx.Response]:
        about_itself = chat(f"my key is {KEY}, my cookie crumbs-of-a-session")
        return [
            await http.post(CHAT, json=about_itself, headers=HEADERS),
            await http.post(CHAT, json={**about_itself, "stream": True}, headers=HEADERS),
            await http.get(f"/v1/models?key={KEY}&limit=1"),
            await http.post(CHAT, json=chat("a private matter of mine", bad=1), headers=HEADERS),
        ]

    seen = recorded(path, scene)
    text = path.read_text(encoding="utf-8")

    assert KEY in seen[0].text  # The client's own answer is the provider's.
    assert [] == [secret for secret in (KEY, "session=", "set-cookie") if secret in text]
    assert "***" in text
    assert "/v1/models?limit=1" == lines_of(path)[2]["target"]
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert not any("authorization" in each["headers"] for each in lines_of(path))


def test_a_request_means_the_same_however_it_is_written(path: Path) -> None:
    """Another key, other headers and another order of members find the same recording."""
    recorded(path, lambda http: http.post(CHAT, json=chat(), headers=HEADERS))

    async def scene(http: httpx.AsyncClient) -> list[int]:
        turned = dict(reversed(chat().items()))
        return [
            (await http.post(CHAT, json=turned, headers={"api-key": "x"})).status_code,
            (await http.post(f"{CHAT}?api_key=other", json=chat())).status_code,
            (await http.post(CHAT, json=chat("hello"))).status_code,
            (await http.post(MESSAGES, json=chat())).status_code,
        ]

    assert [200, 200, 404, 404] == replayed(path, scene)


def test_what_was_not_recorded_is_a_404_of_its_provider(path: Path) -> None:
    """I see at once which request my recording lacks, in the shape that my client reads."""
    recorded(path, lambda http: http.post(CHAT, json=chat()))

    answer = replayed(path, lambda http: http.post(MESSAGES, json=message()))

    assert (404, "not_found_error") == (answer.status_code, answer.json()["error"]["type"])
    assert "No recorded exchange fits" in answer.json()["error"]["message"]


async def _thrice(http: httpx.AsyncClient) -> list[int]:
    return [(await http.post(CHAT, json=chat())).status_code for _ in range(3)]


def test_equal_requests_get_their_answers_in_order(path: Path) -> None:
    """A provider that refused once and then answered does so again; its last answer stays."""
    upstream = ChaosServer()
    upstream.next_fault("status_429")

    assert [429, 200, 200] == recorded(path, _thrice, upstream=upstream)
    assert [429, 200, 200] == replayed(path, _thrice)


def test_a_fault_in_the_place_of_an_answer_takes_none(path: Path) -> None:
    """The retry gets the answer that the fault kept back."""
    upstream = ChaosServer(FaultPlan(replies=Replies(mode="seeded")))

    async def scene(http: httpx.AsyncClient) -> list[bytes]:
        answers = [await http.post(CHAT, json=chat()) for _ in range(2)]
        return [answer.content for answer in answers]

    good = recorded(path, scene, upstream=upstream)
    faulted = replayed(path, _thrice, plan=FaultPlan(first=(as_fault("status_500"),)))
    # The third request is another call, whose first attempt fails.

    assert good[0] != good[1]
    assert [500, 200, 500] == faulted


_TOOL = {"name": "f", "parameters": {"properties": {"a": {"type": "string"}}, "required": ["a"]}}
FORCED: dict[str, Any] = {
    "tools": [{"type": "function", "function": _TOOL}],
    "tool_choice": "required",
}
EVERY_FAULT = [fault() for fault in FAULTS]


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: fault.name)
@pytest.mark.parametrize("recording", [False, True], ids=["replay", "record"])
def test_every_fault_applies_on_top(path: Path, fault: Fault, recording: bool) -> None:
    """Whatever can happen to our own answers can happen to recorded ones, streamed or not."""
    plan = (
        FaultPlan(first=(fault,))
        if fault.strikes == "request"
        else FaultPlan(rates=((fault, 1.0),))
    )

    calling: dict[str, Any] = FORCED if isinstance(fault, ToolCallFault) else {}

    async def scene(http: httpx.AsyncClient) -> None:
        for streamed in (False, True):
            with trio.move_on_after(5):
                try:
                    await http.post(CHAT, json=chat(stream=streamed, **calling))
                except httpx.HTTPError:
                    pass

    if recording:
        hits = recorder_hits(path, scene, plan)
    else:
        recorded(path, scene)
        hits = replay_hits(path, scene, plan)

    assert {fault.name} == set(hits)


def test_the_same_choices_replay_the_same_bytes(path: Path) -> None:
    """A recording in a virtual world is as deterministic as any other server there."""
    recorded(path, _whole)
    plan = FaultPlan(seed=7, rates=((as_fault("status_500"), 0.4),))

    assert replayed(path, _whole, plan=plan) == replayed(path, _whole, plan=plan)


@pytest.mark.parametrize(
    "plan",
    [
        FaultPlan.of({"unknown_tool": 1.0}),
        FaultPlan.of(first=["unknown_tool"]),
        FaultPlan.of(scripts={"k": ["unknown_tool"]}),
        FaultPlan(outages=(Outage(fault=as_fault("unknown_tool"), from_s=0, until_s=9),)),
    ],
    ids=["rate", "first", "script", "outage"],
)
def test_a_recorded_call_meets_its_fault_however_the_plan_says_it(
    path: Path, plan: FaultPlan
) -> None:
    """Calls are looked for in a recording wherever a fault of calls may come from."""

    async def scene(http: httpx.AsyncClient) -> str:
        answer = await http.post(CHAT, json=chat(**FORCED), headers={"X-Chaos-Key": "k"})
        return str(answer.json()["choices"][0]["message"]["tool_calls"][0]["function"]["name"])

    assert "f" == recorded(path, scene)
    assert "unknown_tool" == replayed(path, scene, plan=plan)
