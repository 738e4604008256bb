"""Responses that the server keeps: fetched, continued, cancelled, deleted; and tokens counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.plan.answer import Answer
from chaoscheck.server.apis.call import Call
from chaoscheck.server.apis.routes import path_of, route
from chaoscheck.server.apis.speaker import Echo
from chaoscheck.server.apis.store import Store
from tests.unit.server.apis.calls import document, says

CUSTOM = {"type": "custom", "name": "run"}


class Asker:
    """Asks one server, whose requests are numbered from 1."""

    def __init__(self, base: str = "/v1/responses") -> None:
        self._base = base
        self._store = Store()
        self._number = 0

    def __call__(self, method: str, ending: str = "", body: object = None) -> Answer:
        """The answer to a request of this path, with a query or not."""
        self._number += 1
        target = self._base + ending
        found = route(method, target, path_of(target))
        assert found.error is None
        call = Call(
            body=json.dumps(body).encode(),
            headers={},
            number=self._number,
            created_s=1_700_000_000,
            key="k",
            attempt=1,
            speaker=Echo(),
            model=found.model,
            query=target.partition("?")[2],
            store=self._store,
        )
        return found.api(call)[0]

    def respond(self, asked: object = "hello there", **parameters: object) -> Any:
        """The document of a good response."""
        answer = self("POST", "", {"model": "m", "input": asked, **parameters})
        assert 200 == answer.status
        return document(answer)


@pytest.fixture
def ask() -> Asker:
    """A server that keeps nothing yet."""
    return Asker()


def test_a_response_is_kept(ask: Asker) -> None:
    """What I was answered is there when I come back for it."""
    said = ask.respond()

    assert said == document(ask("GET", f"/{said['id']}"))


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_not_kept_is_not_found(ask: Asker, method: str) -> None:
    """A made-up id, one that was not to be stored, and one that was deleted."""
    unstored = ask.respond(store=False)["id"]
    deleted = ask.respond()["id"]
    gone = document(ask("DELETE", f"/{deleted}"))

    assert {"id": deleted, "object": "response", "deleted": True} == gone
    for name in ("resp_x", unstored, deleted):
        answer = ask(method, f"/{name}")
        assert answer.error is not None
        assert (404, True) == (answer.status, name in answer.error.message)


def test_a_response_goes_on_from_another(ask: Asker) -> None:
    """What was said before counts as input; a null is no earlier response."""
    first = ask.respond("one two", instructions="be brief", previous_response_id=None)
    second = ask.respond("three", previous_response_id=first["id"])

    assert (4, 5) == (first["usage"]["input_tokens"], second["usage"]["input_tokens"])
    answer = ask("POST", "", {"model": "m", "input": "x", "previous_response_id": "resp_x"})
    assert answer.error is not None
    assert (400, "previous_response_not_found") == (answer.status, answer.error.code)


def test_a_response_in_the_background_is_seen_at_work(ask: Asker) -> None:
    """Queued, then in progress, then done for good."""
    queued = ask.respond(background=True)
    seen = [document(ask("GET", f"/{queued['id']}")) for _ in range(3)]

    assert ("queued", []) == (queued["status"], queued["output"])
    assert ["in_progress", "completed", "completed"] == [said["status"] for said in seen]
    assert "hello there" == seen[-1]["output"][0]["content"][0]["text"]


def test_a_response_in_the_background_can_be_cancelled(ask: Asker) -> None:
    """Until it is done, and no other."""
    queued = ask.respond(background=True)["id"]
    done = ask.respond(background=True)["id"]
    ask("GET", f"/{done}")
    ask("GET", f"/{done}")
    plain = ask.respond()["id"]

    assert "cancelled" == document(ask("POST", f"/{queued}/cancel"))["status"]
    assert "cancelled" == document(ask("GET", f"/{queued}"))["status"]
    assert "cancelled" == document(ask("POST", f"/{queued}/cancel"))["status"]
    assert [400, 400] == [ask("POST", f"/{name}/cancel").status for name in (done, plain)]
    assert 400 == ask("GET", f"/{queued}?stream=true").status


def test_a_stream_in_the_background_can_be_taken_up_again(ask: Asker) -> None:
    """From the start, or behind the last event that I saw."""
    asked = {"model": "m", "input": "a b", "background": True, "stream": True}
    first = ask("POST", "", asked)
    name = says(first)[0]["response"]["id"]
    again = ask("GET", f"/{name}?stream=true")
    rest = ask("GET", f"/{name}?stream=true&starting_after=4")

    kinds = [event["type"] for event in says(first)]
    assert ["response.created", "response.queued", "response.in_progress"] == kinds[:3]
    assert says(first) == says(again)
    assert says(first)[5:] == says(rest)
    assert 400 == ask("GET", f"/{name}?stream=maybe").status
    assert 400 == ask("GET", f"/{name}?stream=true&starting_after=x").status


def test_the_input_is_kept_as_items(ask: Asker) -> None:
    """A text is a message; the newest comes first unless I ask otherwise."""
    one = ask.respond("hi")["id"]
    two = ask.respond([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])["id"]

    [item] = document(ask("GET", f"/{one}/input_items"))["data"]
    assert ("message", [{"type": "input_text", "text": "hi"}]) == (item["type"], item["content"])
    for query, texts in {"": ["b", "a"], "?order=asc": ["a", "b"]}.items():
        listed = document(ask("GET", f"/{two}/input_items{query}"))
        assert texts == [item["content"] for item in listed["data"]]
        assert listed["first_id"] == listed["data"][0]["id"]
    assert 400 == ask("GET", f"/{two}/input_items?order=up").status


def test_input_tokens_are_those_of_the_usage(ask: Asker) -> None:
    """With instructions, and with what a response goes on from."""
    first = ask.respond("one two")["id"]
    asked = {"input": "three", "instructions": "be brief", "previous_response_id": first}

    counted = document(ask("POST", "/input_tokens", asked))
    assert {"object": "response.input_tokens", "input_tokens": 7} == counted
    assert counted["input_tokens"] == ask.respond(**asked)["usage"]["input_tokens"]
    assert 400 == ask("POST", "/input_tokens", {"input": 5}).status


def test_a_custom_tool_is_called(ask: Asker) -> None:
    """An item of its own, whole and streamed."""
    asked = {"tools": [CUSTOM], "tool_choice": "required"}
    (item,) = ask.respond("x = 1 + 1", **asked)["output"]
    events = says(ask("POST", "", {"model": "m", "input": "x = 1 + 1", "stream": True, **asked}))

    assert ("custom_tool_call", "run", "x = 1 + 1") == (item["type"], item["name"], item["input"])
    kind = "response.custom_tool_call_input"
    deltas = [event["delta"] for event in events if event["type"] == f"{kind}.delta"]
    (done,) = [event for event in events if event["type"] == f"{kind}.done"]
    assert ["x = 1 + 1"] * 2 == ["".join(deltas), done["input"]]


@pytest.mark.parametrize(
    ("asked", "top"),
    [
        ({"include": ["message.output_text.logprobs"]}, 0),
        ({"top_logprobs": 2}, 2),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 1}, 1),
    ],
)
def test_each_token_has_its_likelihood(ask: Asker, asked: dict[str, Any], top: int) -> None:
    """In the part, and in each delta."""
    part = ask.respond("a b", **asked)["output"][0]["content"][0]
    streamed = ask("POST", "", {"model": "m", "input": "a b", "stream": True, **asked})

    assert ["a ", "b"] == [entry["token"] for entry in part["logprobs"]]
    assert [top, top] == [len(entry["top_logprobs"]) for entry in part["logprobs"]]
    deltas = says(streamed, "content")
    assert part["logprobs"] == [entry for event in deltas for entry in event["logprobs"]]


@pytest.mark.parametrize(
    ("asked", "status", "param"),
    [
        ({"background": True, "store": False}, 400, "background"),
        ({"conversation": "conv_1"}, 404, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, 404, "prompt"),
        ({"include": ["everything"]}, 400, "include[0]"),
        ({"top_logprobs": 21}, 400, "top_logprobs"),
        ({"truncation": "some"}, 400, "truncation"),
        ({"service_tier": "gold"}, 400, "service_tier"),
        ({"moderation": {"model": "m"}}, 400, "moderation"),
        ({"max_tool_calls": 0}, 400, "max_tool_calls"),
        ({"tools": [{"type": "web_search"}], "tool_choice": "required"}, 400, "tools"),
    ],
)
def test_what_cannot_be_done_is_refused(
    ask: Asker, asked: dict[str, Any], status: int, param: str
) -> None:
    """In OpenAI's form, never a 200 that ignores what I asked for."""
    answer = ask("POST", "", {"model": "m", "input": "x", **asked})

    assert answer.error is not None
    assert (status, param) == (answer.status, answer.error.param)


def test_openrouter_keeps_nothing() -> None:
    """Its responses are not to be fetched, nor continued, nor left in the background."""
    ask = Asker("/api/v1/responses")
    said = ask.respond()

    assert "gen-000001" == said["id"]
    refused = [{"previous_response_id": said["id"]}, {"background": True}]
    for asked in refused:
        assert 400 == ask("POST", "", {"model": "m", "input": "x", **asked}).status
