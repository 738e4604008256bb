"""Pace: every API lets the drawn waits pass, each once and in order, streamed and whole."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.distributions import Constant, Exponential, LogNormal, Seconds
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.replies import Replies
from chaoscheck.server.apis.call import Api, Call
from chaoscheck.server.apis.chat.answer import answer_chat
from chaoscheck.server.apis.completions.answer import answer_completion
from chaoscheck.server.apis.embeddings.answer import answer_embeddings
from chaoscheck.server.apis.gemini.answer import answer_generate, answer_stream
from chaoscheck.server.apis.messages.answer import answer_message
from chaoscheck.server.apis.ollama.answer import answer_chat as answer_ollama
from chaoscheck.server.apis.pace import SeededDelay
from chaoscheck.server.apis.responses.answer import answer_response
from chaoscheck.server.apis.speaker import Echo
from chaoscheck.server.apis.speakers import speaker_of
from tests.unit.server.apis.calls import ask, chat

SEED = 11
FIRST, EACH = LogNormal(p50_s=0.4, p99_s=2.0), Exponential(mean_s=0.05)
PLAN = FaultPlan(seed=SEED, replies=Replies(first_token_s=FIRST, token_s=EACH))

TEXT = "one two three four"
CONTENTS: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": TEXT}]}]}
MESSAGE = {**chat(TEXT), "max_tokens": 99}
PROMPT = {"model": "m", "prompt": TEXT, "max_tokens": 99}
#: Each API: how it is asked for a whole answer, and how for a stream.
APIS: dict[str, tuple[tuple[Api, dict[str, Any]], tuple[Api, dict[str, Any]]]] = {
    "chat": ((answer_chat, chat(TEXT)), (answer_chat, chat(TEXT, stream=True))),
    "chat, three choices": (
        (answer_chat, chat(TEXT, n=3)),
        (answer_chat, chat(TEXT, n=3, stream=True)),
    ),
    "completions": (
        (answer_completion, PROMPT),
        (answer_completion, {**PROMPT, "stream": True}),
    ),
    "responses": (
        (answer_response, {"model": "m", "input": TEXT}),
        (answer_response, {"model": "m", "input": TEXT, "stream": True}),
    ),
    "messages": ((answer_message, MESSAGE), (answer_message, {**MESSAGE, "stream": True})),
    "gemini": ((answer_generate, CONTENTS), (answer_stream, CONTENTS)),
    "ollama": ((answer_ollama, chat(TEXT, stream=False)), (answer_ollama, chat(TEXT))),
}


def _drawn(key: str = "k", occurrence: int = 1, attempt: int = 1, *, count: int = 4) -> list[float]:
    """The waits of that request, drawn without any API."""
    place = (key, occurrence, attempt)
    first = next(SeededDelay(FIRST, SEED, "first token").draws(place))
    return [first, *islice(SeededDelay(EACH, SEED, "token").draws(place), count - 1)]


def _waits(answer: Answer) -> list[float]:
    return [event.delay_s for event in answer.events if event.delay_s]


@pytest.mark.parametrize("api", APIS)
def test_a_stream_waits_as_drawn_and_a_whole_answer_as_long_in_all(api: str) -> None:
    """Time to first token once, a wait of its own between any two tokens; whole: the sum."""
    whole, streamed = APIS[api]
    speaker = speaker_of(PLAN)

    assert _drawn() == _waits(ask(*streamed, speaker=speaker)[0])
    assert sum(_drawn()) == ask(*whole, speaker=speaker)[0].delay_s


def test_what_says_no_words_waits_for_the_first_token_alone() -> None:
    """An embedding is one piece of work."""
    answer, _ = ask(answer_embeddings, {"model": "m", "input": TEXT}, speaker=speaker_of(PLAN))

    assert _drawn()[0] == answer.delay_s


@pytest.mark.parametrize("place", [("k", 1, 2), ("k", 2, 1), ("other", 1, 1)])
def test_each_attempt_of_each_call_has_waits_of_its_own(place: tuple[str, int, int]) -> None:
    """A retry is not as slow as what it repeats, nor an equal prompt, nor another one."""
    key, occurrence, attempt = place
    call = Call(
        body=b'{"model":"m","messages":[{"role":"user","content":"one two three four"}]}',
        headers={},
        number=1,
        created_s=0,
        key=key,
        occurrence=occurrence,
        attempt=attempt,
        speaker=speaker_of(PLAN),
    )

    assert sum(_drawn(*place)) == answer_chat(call)[0].delay_s != sum(_drawn())


@pytest.mark.parametrize(
    ("first", "each"), [(0.5, 0.25), (Constant(wait_s=0.5), Constant(wait_s=0.25))]
)
def test_a_number_means_the_constant_and_keeps_the_short_way(first: Seconds, each: Seconds) -> None:
    """A plan whose waits do not vary costs nothing: its speaker is the plain echo."""
    plan = replace(PLAN, replies=Replies(first_token_s=first, token_s=each))

    assert Echo(first_token_s=0.5, token_s=0.25) == speaker_of(plan)


def test_a_text_of_many_words_is_drawn_in_bounded_time() -> None:
    """A whole answer of 300 000 words waits for the 8192 pieces that a stream would say."""
    answer, _ = ask(answer_chat, chat("w " * 300_000), speaker=speaker_of(PLAN))

    assert sum(_drawn(count=8192)) == answer.delay_s
