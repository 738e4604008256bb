"""Context windows: what does not fit is refused as its provider does, and no answer is longer.

Each API is asked for echoes, whole and streamed, under windows by model name. The model says what
is refused, how many tokens are read and said, and whether the answer was cut; usage says the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.context_window import ContextWindows
from chaoscheck.server.apis import context_room
from chaoscheck.server.apis.call import Api, Call
from chaoscheck.server.apis.chat import answer as chat_api
from chaoscheck.server.apis.chat.answer import answer_chat
from chaoscheck.server.apis.completions.answer import answer_completion
from chaoscheck.server.apis.gemini.answer import answer_generate, answer_stream
from chaoscheck.server.apis.messages.answer import answer_message
from chaoscheck.server.apis.ollama import answer as ollama_api
from chaoscheck.server.apis.ollama.answer import answer_chat as answer_ollama
from chaoscheck.server.apis.responses import answer as responses_api
from chaoscheck.server.apis.responses.answer import answer_response
from chaoscheck.server.apis.speaker import Echo
from chaoscheck.server.apis.token_counter import TokenCounter
from models.context_window import Outcome, Way, outcome

Body = dict[str, Any]


class Form(NamedTuple):
    """How an API is asked, what it makes of windows, and where its answer says so."""

    api: Api
    streaming: Api
    way: Way
    ask: Callable[[str, int | None], Body]
    streamed: Body
    reasons: tuple[str, str]  # of an answer that is whole, and of one that is cut
    said: Callable[[list[Body]], str]
    default: int | None = None  # tokens, where a request does not ask for any


def _messages(text: str) -> Body:
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def _limited(name: str, most: int | None) -> Body:
    return {} if most is None else {name: most}


def _generate(text: str, most: int | None) -> Body:
    asked: Body = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    return asked | {"generationConfig": _limited("maxOutputTokens", most)}


def _reason(*path: str | int) -> Callable[[list[Body]], str]:
    """The last value at ``path`` of any document."""

    def found(documents: list[Body]) -> str:
        values = [value for it in documents if (value := _at(it, path)) is not None]
        return str(values[-1])

    return found


def _at(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        if isinstance(document, Mapping):
            document = document.get(str(step))
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        else:
            return None
    return document


def _response_reason(documents: list[Body]) -> str:
    last = documents[-1].get("response", documents[-1])
    return str((last["incomplete_details"] or {"reason": "completed"})["reason"])


def _message_reason(documents: list[Body]) -> str:
    streamed = [value for it in documents if (value := _at(it, ("delta", "stop_reason")))]
    return str(streamed[-1] if streamed else documents[-1]["stop_reason"])


FORMS: dict[str, Form] = {
    "chat": Form(
        answer_chat,
        answer_chat,
        "refuses_both",
        lambda text, most: _messages(text) | _limited("max_tokens", most),
        {"stream": True},
        ("stop", "length"),
        _reason("choices", 0, "finish_reason"),
    ),
    "completions": Form(
        answer_completion,
        answer_completion,
        "refuses_both",
        lambda text, most: {"model": "m", "prompt": text} | _limited("max_tokens", most),
        {"stream": True},
        ("stop", "length"),
        _reason("choices", 0, "finish_reason"),
        16,
    ),
    "messages": Form(
        answer_message,
        answer_message,
        "refuses_both",
        lambda text, most: _messages(text) | {"max_tokens": most or 7},
        {"stream": True},
        ("end_turn", "max_tokens"),
        _message_reason,
        7,
    ),
    "responses": Form(
        answer_response,
        answer_response,
        "refuses_prompt",
        lambda text, most: {"model": "m", "input": text} | _limited("max_output_tokens", most),
        {"stream": True},
        ("completed", "max_output_tokens"),
        _response_reason,
    ),
    "gemini": Form(
        answer_generate,
        answer_stream,
        "refuses_prompt",
        _generate,
        {},
        ("STOP", "MAX_TOKENS"),
        _reason("candidates", 0, "finishReason"),
    ),
    "ollama": Form(
        answer_ollama,
        answer_ollama,
        "truncates",
        lambda text, most: (
            _messages(text) | {"stream": False, "options": _limited("num_predict", most)}
        ),
        {"stream": True},
        ("stop", "length"),
        _reason("done_reason"),
    ),
}


def window_holds(
    name: str, windows: ContextWindows, words: int, most: int | None, *, streamed: bool
) -> Outcome:
    """The answer is the model's, and its usage counts no more than the window."""
    form = FORMS[name]
    window = next((tokens for pattern, tokens in windows if pattern in ("m", "*")), None)
    expected = outcome(form.way, window, words, form.default if most is None else most)
    body = form.ask(" ".join(["word"] * words), most) | (form.streamed if streamed else {})
    counter = TokenCounter(windows)
    answer = _answer(form.streaming if streamed else form.api, body, counter)

    assert (400 if expected.refused else 200) == answer.status
    if expected.refused:
        return expected
    assert (expected.read, expected.said) == (counter.input, counter.output)
    assert window is None or counter.input + counter.output <= window
    assert form.reasons[expected.cut] == form.said(_documents(answer))
    return expected


def _answer(api: Api, body: Body, counter: TokenCounter) -> Answer:
    call = Call(
        body=json.dumps(body).encode(),
        headers={},
        number=1,
        created_s=0,
        key="k",
        attempt=1,
        speaker=Echo(),
        model="m",
        tokens=counter,
    )
    return api(call)[0]


def _documents(answer: Answer) -> list[Body]:
    """The JSON objects of an answer: its body, or what its events say."""
    if not answer.streamed:
        return [json.loads(answer.body)]
    texts = [event.payload.partition(b"data: ")[2] or event.payload for event in answer.events]
    # The items of Gemini's array are separated by commas.
    stripped = [text.strip().strip(b",[]\n ").strip() for text in texts]
    return [json.loads(text) for text in stripped if text.startswith(b"{")]


_WINDOWS: st.SearchStrategy[ContextWindows] = st.lists(
    st.tuples(st.sampled_from(("*", "m", "other")), st.integers(1, 24)), max_size=3
).map(tuple)


@settings(max_examples=200)
@given(
    st.sampled_from(sorted(FORMS)),
    _WINDOWS,
    st.integers(1, 20),
    st.none() | st.integers(1, 20),
    st.booleans(),
)
def test_what_does_not_fit_is_refused_and_no_answer_is_longer(
    name: str, windows: ContextWindows, words: int, most: int | None, streamed: bool
) -> None:
    """Prompt and answer together never exceed the window, whatever I ask for."""
    window_holds(name, windows, words, most, streamed=streamed)


# ---------------------------------------------------------------------- planted bugs

STORY: list[tuple[str, ContextWindows, int, int | None]] = [
    (name, windows, words, most)
    for name in FORMS
    for windows in ((("m", 12), ("*", 30)), (("other", 3), ("m", 20)))
    for words, most in ((3, 2), (5, 7), (8, 5), (9, None), (12, None), (13, 2), (20, 1), (21, None))
]


def _stories_hold() -> list[Outcome]:
    return [
        window_holds(name, windows, words, most, streamed=streamed)
        for name, windows, words, most in STORY
        for streamed in (False, True)
    ]


Twin = Callable[[pytest.MonkeyPatch], None]


def _everywhere(name: str, made: object) -> Twin:
    """Planted wherever the name is used."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        for module in (context_room, chat_api, responses_api, ollama_api):
            if hasattr(module, name):
                patch.setattr(module, name, made)

    return plant


def _windows(seen: Callable[[ContextWindows, str], int | None]) -> Twin:
    return lambda patch: patch.setattr(context_room, "window_of", seen)


def _first(windows: ContextWindows) -> int | None:
    return windows[0][1] if windows else None


def _off_by_one(windows: ContextWindows, model: str) -> int | None:
    fitting = [tokens for pattern, tokens in windows if pattern in (model, "*")]
    return fitting[0] + 1 if fitting else None


TWINS: dict[str, Twin] = {
    "a window is a token too wide": _windows(_off_by_one),
    "the first window is every model's": _windows(lambda windows, model: _first(windows)),
    "the last pattern that fits counts": _windows(
        lambda windows, model: _first(tuple([it for it in windows if it[0] != "other"][::-1]))
    ),
    "the rest does not bound the answer": _everywhere("tighter", lambda limit, room: limit),
    "the tokens asked for need not fit": lambda patch: patch.setattr(
        chat_api,
        "room_for_messages",
        lambda call, model, read, most: context_room.room_behind(call, model, read),
    ),
}


def test_the_stories_have_refusals_and_cuts() -> None:
    """What the planted bugs break is there to be broken."""
    outcomes = _stories_hold()

    assert {True, False} == {each.refused for each in outcomes}
    assert {True, False} == {each.cut for each in outcomes}


@pytest.mark.parametrize("bug", TWINS)
def test_a_planted_bug_in_context_windows_is_found(
    bug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window that is too wide, another model's, or not kept, does not go unseen."""
    TWINS[bug](monkeypatch)

    with pytest.raises(AssertionError):
        _stories_hold()
