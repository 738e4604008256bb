"""Speakers: what a plan's replies make the server say."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.replies import RecordedCall, RecordedReply, Replies
from chaoscheck.plan.tool_calls import ToolCall
from chaoscheck.server.apis.speaker import (
    Echo,
    Prompt,
    Reply,
    Speaker,
    SpeechFailed,
    ToolOffer,
)
from chaoscheck.server.apis.speakers import REPLY_LENGTH_MAX, speaker_of

PROMPT = Prompt(
    text="hello",
    model="gpt-x",
    key="order-17",
    attempt=2,
    messages=(("system", "be brief"), ("user", "hello")),
)


def _speaker(replies: Replies, seed: int = 0) -> Speaker:
    return speaker_of(FaultPlan(seed=seed, replies=replies))


def _template(text: str) -> Speaker:
    return _speaker(Replies(mode="template", template=text))


def test_echo_says_what_was_asked() -> None:
    """The simplest server repeats me."""
    assert Echo() == speaker_of(FaultPlan())
    assert Reply(text="hello") == speaker_of(FaultPlan()).reply(PROMPT)


@pytest.mark.parametrize(
    "replies",
    [
        Replies(),
        Replies(mode="template", template="x"),
        Replies(mode="seeded"),
        Replies(mode="recorded", entries=(RecordedReply(text="x"),)),
    ],
)
def test_every_mode_has_its_timing_and_its_tag(replies: Replies) -> None:
    """Whatever the server says, I can slow it down and match each reply with its request."""
    plain = _speaker(replies)
    tagged = _speaker(replace(replies, tag=True, first_token_s=0.5, token_s=0.1))

    assert (0.5, 0.1) == (tagged.first_token_s, tagged.token_s)
    assert plain.reply(PROMPT).text + " [order-17:2]" == tagged.reply(PROMPT).text


def test_a_template_knows_the_request() -> None:
    """I write the reply with what was asked in it."""
    speaker = _template(
        "{{ text|upper }} {{ model }} {{ key }}:{{ attempt }} "
        "{% for message in messages %}{{ message.role }}={{ message.content }};{% endfor %}"
    )

    assert "HELLO gpt-x order-17:2 system=be brief;user=hello;" == speaker.reply(PROMPT).text


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ text", "template, line 1"),
        ("a\n{% if %}", "template, line 2"),
        ("{{ txet }}", "UndefinedError: 'txet' is undefined"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ text.__class__.__mro__ }}", "'text.__class__' is undefined"),
        ("{{ 'ab' * 1000000 }}", f"more than {REPLY_LENGTH_MAX} characters"),
        ("{{ 2 ** 100000 }}", "OverflowError: a whole number must have 64 bits"),
        ("{% for n in range(99999) %}{{ text }}{% endfor %}", "more than"),
        ("{% for n in range(10 ** 9) %}{% endfor %}", "more than 20000 numbers"),
        ("{{ [1, 2]|random }}", "template, line 1: unknown filter 'random'"),
        ("{{ lipsum() }}", "'lipsum' is undefined"),
        ("a\n{% include 'x' %}", "template, line 2: include is not known"),
    ],
)
def test_a_template_that_is_wrong_is_refused_before_the_server_serves(
    template: str, says: str
) -> None:
    """I am told when the plan is adopted, and nothing outside of the sandbox is reached."""
    with pytest.raises(PlanError) as refusal:
        _template(template)

    assert "replies: template" in str(refusal.value)
    assert says in str(refusal.value)


def test_a_template_that_fails_on_a_request_says_so() -> None:
    """A prompt that its author did not think of is a failure that the answer can name."""
    speaker = _template("{{ messages[3].content }}")

    with pytest.raises(SpeechFailed, match="The template failed: UndefinedError: it has no elem"):
        speaker.reply(PROMPT)


def test_seeded_text_is_words_within_the_bounds() -> None:
    """I choose how long replies are."""
    speaker = _speaker(Replies(mode="seeded", words_min=3, words_max=6))
    texts = [speaker.reply(PROMPT._replace(key=str(key))).text for key in range(100)]

    assert {3, 4, 5, 6} == {len(text.split(" ")) for text in texts}
    assert all(text.replace(" ", "").isalpha() and text.islower() for text in texts)


@pytest.mark.parametrize(
    "change",
    [
        lambda prompt: prompt._replace(key="other"),
        lambda prompt: prompt._replace(attempt=3),
        lambda prompt: prompt._replace(text="other"),
    ],
)
def test_seeded_text_is_a_function_of_the_request(change: Callable[[Prompt], Prompt]) -> None:
    """The same request gets the same words in any run, another one gets others."""
    replies = Replies(mode="seeded", words_min=8)
    said = _speaker(replies).reply(PROMPT)

    assert said == _speaker(replies).reply(PROMPT)
    assert said != _speaker(replies).reply(change(PROMPT))
    assert said != _speaker(replies, seed=1).reply(PROMPT)


def _recorded(*entries: RecordedReply) -> Speaker:
    return _speaker(Replies(mode="recorded", entries=entries))


def test_a_recording_answers_the_prompt_it_was_made_for() -> None:
    """Exactly that text; any other prompt gets one of the rest."""
    speaker = _recorded(
        RecordedReply(text="to hello", prompt="hello"), RecordedReply(text="to any")
    )

    assert ["to hello", "to any"] == [
        speaker.reply(prompt).text for prompt in (PROMPT, PROMPT._replace(text="hello!"))
    ]


def test_a_recording_is_drawn_from_by_key_and_attempt() -> None:
    """Several replies that fit all come, and the same request always gets the same one."""
    entries = [RecordedReply(text=text) for text in "abc"]
    prompts = [PROMPT._replace(key=str(key)) for key in range(50)]
    said = [_recorded(*entries).reply(prompt).text for prompt in prompts]

    assert {"a", "b", "c"} == set(said)
    assert said == [_recorded(*entries).reply(prompt).text for prompt in prompts]


def test_a_recording_without_a_fitting_reply_says_so() -> None:
    """I see at once that my recording lacks something."""
    speaker = _recorded(RecordedReply(text="x", prompt="another prompt"))

    assert "No recorded reply fits this prompt." == speaker.reply(PROMPT).text


def test_a_recording_calls_the_tools_that_are_offered() -> None:
    """A model calls nothing that the request does not offer; a call carries no tag."""
    calls = (RecordedCall(name="find", arguments='{"n": 1}'), RecordedCall(name="drop"))
    entry = RecordedReply(text="plain", tool_calls=calls)
    speaker = _speaker(Replies(mode="recorded", entries=(entry,), tag=True))
    offering = PROMPT._replace(tools=(ToolOffer(name="find", parameters={}),))

    assert Reply(text="plain [order-17:2]") == speaker.reply(PROMPT)
    assert Reply(
        text="plain", tool_calls=(ToolCall(name="find", arguments='{"n": 1}'),)
    ) == speaker.reply(offering)


def test_a_recording_is_read_line_by_line(tmp_path: Path) -> None:
    """JSONL as any tool writes it: blank lines do not matter."""
    path = tmp_path / "replies.jsonl"
    path.write_text(
        '{"text": "to hello", "for": "hello"}\n\n{"text": "ünlaut"}\n', encoding="utf-8"
    )
    speaker = _speaker(Replies(mode="recorded", path=str(path)))

    assert ["to hello", "ünlaut"] == [
        speaker.reply(prompt).text for prompt in (PROMPT, PROMPT._replace(text=""))
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"text": "a"}\n{"text": 1}\n', "'replies.jsonl', line 2: recorded reply: text must be"),
        (b"\n\n{", "line 3: no JSON"),
        (b"[1]", "line 1: entry: must be a table, got [1]"),
        (b'{"txet": "a"}', "line 1: txet: unknown key; did you mean 'text'?"),
        (b"{}", "line 1: text: is missing"),
        (b'{"text": "a", "tool_calls": [{}]}', "tool_calls[0].name: is missing"),
        (b'{"text": "\xff"}', "line 1: no JSON"),
        (b"[" * 50_000, "line 1: "),
        (b" \n", "has no entry"),
    ],
)
def test_a_recording_with_a_bad_line_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    """The line is named, and what is in it is not told further."""
    path = tmp_path / "replies.jsonl"
    path.write_bytes(content)
    with pytest.raises(PlanError) as refusal:
        _speaker(Replies(mode="recorded", path=str(path)))

    assert says in str(refusal.value)
    assert str(tmp_path) not in str(refusal.value)


@pytest.mark.parametrize("path", ["no such file", ".", "\0"])
def test_a_recording_that_cannot_be_read_is_refused(path: str) -> None:
    """A wrong path is my mistake, told before the server serves."""
    with pytest.raises(PlanError, match="cannot be read"):
        _speaker(Replies(mode="recorded", path=path))


@given(st.text(max_size=30))
def test_no_template_breaks_anything_but_itself(text: str) -> None:
    """Any text is a template, or a PlanError, or fails on this prompt alone."""
    with suppress(PlanError, SpeechFailed):
        assert isinstance(_template(text or "x").reply(PROMPT), Reply)
