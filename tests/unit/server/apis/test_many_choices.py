"""Answers of many choices and of many items: bounded in events and in characters."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pytest

from chaoscheck.plan.answer import Answer
from chaoscheck.server.apis import pieces
from chaoscheck.server.apis.call import Api
from chaoscheck.server.apis.chat.answer import answer_chat
from chaoscheck.server.apis.completions import answer as completions
from chaoscheck.server.apis.completions.answer import answer_completion
from chaoscheck.server.apis.gemini.answer import answer_generate, answer_stream
from chaoscheck.server.apis.moderations.answer import answer_moderation
from chaoscheck.server.apis.ollama.answer import answer_chat as answer_ollama
from chaoscheck.server.apis.pieces import LENGTH_MAX, PIECES_MAX, slices_of
from tests.unit.server.apis.calls import ask, document

LONG = "word " * 2_000


def _chat(n: int, text: str, **asked: object) -> Answer:
    messages = [{"role": "user", "content": text}]
    return ask(answer_chat, {"model": "m", "messages": messages, "n": n, **asked})[0]


def _completion(n: int, text: str, **asked: object) -> Answer:
    said = {"model": "m", "prompt": text, "n": n, "max_tokens": 10**6, **asked}
    return ask(answer_completion, said)[0]


def _gemini(n: int, text: str, api: Api = answer_generate) -> Answer:
    contents = [{"parts": [{"text": text}]}]
    return ask(api, {"contents": contents, "generationConfig": {"candidateCount": n}})[0]


def _data(answer: Answer) -> list[Any]:
    lines = [event.payload.partition(b"data: ")[2] for event in answer.events]
    return [json.loads(line) for line in lines if line.startswith(b"{")]


def _texts(streamed: Answer, n: int, path: tuple[str, ...]) -> list[str]:
    """What each choice of a stream says, at ``path`` of its chunks."""
    said = [""] * n
    for choice in chain.from_iterable([chunk["choices"] for chunk in _data(streamed)]):
        text = choice
        for step in path:
            text = text.get(step, "")
        said[choice["index"]] += text
    return said


@pytest.mark.parametrize("n", [1, 2, 128])
def test_the_choices_of_a_stream_share_its_events(n: int) -> None:
    """However many choices I ask for, a stream has a bounded number of events, with all texts."""
    for answer, path in ((_chat, ("delta", "content")), (_completion, ("text",))):
        streamed = answer(n, LONG, stream=True)
        assert len(streamed.events) <= PIECES_MAX + 10
        assert [LONG] * n == _texts(streamed, n, path)


def test_gemini_s_candidates_share_a_stream_s_events() -> None:
    """Each response bears a piece of every candidate."""
    streamed = _gemini(8, LONG, answer_stream)
    chunks = json.loads(b"".join([event.payload for event in streamed.events]))

    assert len(chunks) <= PIECES_MAX // 8 + 1
    for index in range(8):
        parts = [chunk["candidates"][index]["content"]["parts"][0]["text"] for chunk in chunks]
        assert LONG == "".join(parts)


@pytest.mark.parametrize("answer", [_chat, _completion, _gemini])
@pytest.mark.parametrize("text", ["x", "\u00e9"])  # as JSON one character and six
def test_choices_that_are_too_long_together_are_refused(answer: Any, text: str) -> None:
    """An answer of many megabytes is the client's mistake; one choice is always said."""
    written = 1 if text == "x" else 6
    fitting = (LENGTH_MAX // 8 - 2) // written

    statuses = [answer(8, text * length).status for length in (fitting, fitting + 1)]
    assert [200, 400] == statuses
    assert 200 == answer(1, text * (LENGTH_MAX // written + 1)).status


def test_a_completion_s_text_is_parted_only_for_what_tells_of_its_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A whole answer without likelihoods needs no pieces; a stream parts equal texts once."""
    parted: list[str] = []

    def noted(text: str, at_most: int = PIECES_MAX) -> list[str]:
        parted.append(text)
        return pieces.pieces_of(text, at_most)

    monkeypatch.setattr(completions, "pieces_of", noted)
    _completion(128, "hello there")
    assert [] == parted
    _completion(128, "hello there", stream=True)
    assert ["hello there"] == parted


def test_a_long_argument_is_streamed_in_bounded_slices() -> None:
    """Short arguments come eight characters at a time, long ones in longer slices."""
    assert ["x" * 8, "x"] == slices_of("x" * 9)
    slices = slices_of("x" * 1_000_000, 100)
    assert (100, 1_000_000) == (len(slices), len("".join(slices)))


@pytest.mark.parametrize("text", ["a b", '"quoted" \\ \u00e9 \U0001f600 \ud800', " lead"])
@pytest.mark.parametrize("n", [1, 3])
def test_what_gemini_s_stream_says_is_what_json_would_write(text: str, n: int) -> None:
    """Responses that are written by hand are those of the json module, byte for byte."""
    streamed = _gemini(n, text, answer_stream)
    chunks = json.loads(b"".join([event.payload for event in streamed.events]))

    for event, chunk in zip(streamed.events, chunks, strict=True):
        assert json.dumps(chunk).encode() in event.payload
        assert ["candidates", "modelVersion", "responseId"] == list(chunk)[:3]
    assert n == len(chunks[0]["candidates"])


@pytest.mark.parametrize("text", ["a b", '"quoted" \\ \u00e9 \U0001f600 \ud800', " lead"])
def test_what_ollama_s_stream_says_is_what_json_would_write(text: str) -> None:
    """Lines that are written by hand are those of the json module, byte for byte."""
    messages = [{"role": "user", "content": text}]
    streamed = ask(answer_ollama, {"model": "m", "messages": messages})[0]
    lines = [json.loads(event.payload) for event in streamed.events]

    assert [json.dumps(line).encode() + b"\n" for line in lines] == [
        event.payload for event in streamed.events
    ]
    assert text == "".join([line["message"]["content"] for line in lines])
    assert ["model", "created_at", "message", "done"] == list(lines[0])


def test_the_verdict_on_many_inputs_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand inputs that are judged alike cost one document, and each has its verdict."""
    written: list[object] = []
    dumps = json.dumps

    def noted(value: object) -> str:
        written.append(value)
        return dumps(value)

    monkeypatch.setattr(json, "dumps", noted)
    inputs = ["calm"] * 2_000 + ["[violence]"]
    said = document(ask(answer_moderation, {"input": inputs})[0])

    assert len(written) < 10
    assert [False] * 2_000 + [True] == [each["flagged"] for each in said["results"]]
