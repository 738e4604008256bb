"""Speakers of the four reply modes: echo, template, seeded words, recorded replies.

Each is a function of the plan's seed and the prompt, with its key and attempt: nobody is asked
twice and answers otherwise. Whatever can be wrong with a plan's replies is said when its speaker
is made, not while it serves.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chaoscheck.errors import PlanError
from chaoscheck.plan.documents.regular_file import read_regular_file
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.replies import RecordedReply, Replies
from chaoscheck.plan.tool_calls import ToolCall
from chaoscheck.server.apis.pace import Delay, SeededDelay, delay_of
from chaoscheck.server.apis.speaker import Echo, Prompt, Reply, Speaker, SpeechFailed
from chaoscheck.world.choices import SeededChoices

__all__ = ["REPLY_LENGTH_MAX", "speaker_of"]

REPLY_LENGTH_MAX = 1_000_000  # characters of a rendered template: about 250 000 tokens

_RECORDING_BYTES_MAX = 16 * 2**20  # it is kept in memory as a whole
_BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Replies beyond these are made on a server's worker thread: they take some 10 ms.
_MANY_WORDS = 5_000  # of a seeded reply
_LONG_TEXT = 128 * 1024  # characters of a recorded one
_NOTHING_FITS = "No recorded reply fits this prompt."

Speech = Callable[[Prompt], Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spoken:
    """A speaker made of a function; with ``tag`` it says which request a text belongs to."""

    speech: Speech
    tag: bool
    first_token_s: Delay
    token_s: Delay
    costly: bool = False

    def reply(self, prompt: Prompt) -> Reply:
        said = self.speech(prompt)
        if not self.tag or said.tool_calls:
            return said
        which = f"{prompt.key}:{prompt.attempt}"
        if prompt.occurrence > 1:
            which += f":{prompt.occurrence}"
        return Reply(text=f"{said.text} [{which}]")


def speaker_of(plan: FaultPlan) -> Speaker:
    """The speaker that ``plan.replies`` asks for.

    PlanError for a template that does not parse, or fails on a sample prompt of four messages,
    and for a recording that cannot be read or has a bad line (with its number).
    """
    replies = plan.replies
    first_token_s = delay_of(replies.first_token_s, plan.seed, "first token")
    token_s = delay_of(replies.token_s, plan.seed, "token")
    if (
        replies.mode == "echo"
        and not replies.tag
        and not isinstance(first_token_s, SeededDelay)
        and not isinstance(token_s, SeededDelay)
    ):
        return Echo(first_token_s=first_token_s, token_s=token_s)
    speech, costly = _speech_of(replies, plan.seed)
    return _Spoken(
        speech=speech,
        costly=costly,
        tag=replies.tag,
        first_token_s=first_token_s,
        token_s=token_s,
    )


def _speech_of(replies: Replies, seed: int) -> tuple[Speech, bool]:
    """Speech in a mode, and whether a reply may cost much."""
    match replies.mode:
        case "echo":
            return Echo().reply, False
        case "template":
            return _template_speech(replies.template or ""), False
        case "seeded":
            speech = _seeded(seed, replies.words_min, replies.words_max)
            return speech, replies.words_max > _MANY_WORDS
        case "recorded":
            entries = replies.entries or _read_recording(Path(replies.path or ""))
            longest = max([len(entry.text or "") for entry in entries])
            return _recorded(seed, entries), longest > _LONG_TEXT


# What a template is tried on: a conversation, so that earlier messages may be looked at.
_SAMPLE = Prompt(
    text="and what now?",
    model="a-model",
    key="a-key",
    attempt=1,
    messages=(
        ("system", "be brief"),
        ("user", "hello"),
        ("assistant", "hello to you"),
        ("user", "and what now?"),
    ),
)


def _template_speech(text: str) -> Speech:
    """Speech by the template ``text``, which has Jinja2's syntax and a budget of work and size.

    It knows ``text``, ``model``, ``messages`` (each with ``role`` and ``content``), ``key``,
    ``attempt`` and ``occurrence``; what else it names is an error. PlanError if it cannot be read,
    or fails on a sample; on a real prompt it is SpeechFailed.
    """
    # Jinja2 takes 40 ms to import, which only this mode needs.
    from chaoscheck.server.template.compiling import TemplateFailed, TemplateSyntax, compiled

    try:
        render = compiled(text)
        render(_names_of(_SAMPLE))
    except TemplateSyntax as error:
        raise PlanError(f"replies: template, {error}") from None
    except TemplateFailed as error:
        raise PlanError(f"replies: template fails on a sample: {error}") from None

    def speech(prompt: Prompt) -> Reply:
        try:
            return Reply(text=render(_names_of(prompt)))
        except TemplateFailed as error:
            raise SpeechFailed(f"The template failed: {error}") from None

    return speech


def _names_of(prompt: Prompt) -> dict[str, object]:
    """What a template knows of a prompt."""
    return {
        "text": prompt.text,
        "model": prompt.model,
        "messages": [{"role": role, "content": content} for role, content in prompt.messages],
        "key": prompt.key,
        "attempt": prompt.attempt,
        "occurrence": prompt.occurrence,
    }


_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "sh", "th")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "oo")
_SYLLABLES = tuple(onset + vowel for onset in _ONSETS for vowel in _VOWELS)


def _which(prompt: Prompt) -> tuple[object, ...]:
    return prompt.key, prompt.occurrence, prompt.attempt


def _seeded(seed: int, words_min: int, words_max: int) -> Speech:
    choices = SeededChoices(seed)

    def speech(prompt: Prompt) -> Reply:
        stream = choices.derive("reply", *_which(prompt), prompt.text)
        count = words_min + stream.pick("words", words_max - words_min + 1)
        words = []
        for _ in range(count):
            # One draw a word: its length and both syllables.
            drawn = stream.pick("word", 2 * len(_SYLLABLES) ** 2)
            short, both = drawn % 2, drawn // 2
            first, second = divmod(both, len(_SYLLABLES))
            words.append(_SYLLABLES[first] if short else _SYLLABLES[first] + _SYLLABLES[second])
        return Reply(text=" ".join(words))

    return speech


def _recorded(seed: int, entries: tuple[RecordedReply, ...]) -> Speech:
    choices = SeededChoices(seed)
    by_prompt: dict[str, list[RecordedReply]] = {}
    for entry in entries:
        if entry.prompt is not None:
            by_prompt.setdefault(entry.prompt, []).append(entry)
    for_any = [entry for entry in entries if entry.prompt is None]

    def speech(prompt: Prompt) -> Reply:
        fitting = by_prompt.get(prompt.text) or for_any
        if not fitting:
            return Reply(text=_NOTHING_FITS)
        stream = choices.derive("recorded", *_which(prompt))
        entry = fitting[stream.pick("entry", len(fitting))]
        # A model calls what is offered to it and nothing else.
        offered = {tool.name for tool in prompt.tools}
        return Reply(
            text=entry.text,
            tool_calls=tuple(
                ToolCall(name=call.name, arguments=call.arguments)
                for call in entry.tool_calls
                if call.name in offered
            ),
        )

    return speech


def _read_recording(path: Path) -> tuple[RecordedReply, ...]:
    from chaoscheck.plan.documents.plan_document import recorded_reply_from_document

    try:
        raw = read_regular_file(path, _RECORDING_BYTES_MAX)
    except PlanError as error:
        raise PlanError(f"recording {path.name!r} {error}") from None
    if raw.startswith(_BYTE_ORDER_MARKS):
        raise PlanError(
            f"recording {path.name!r} begins with a byte order mark: save it as UTF-8 without one"
        )
    entries = []
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            entries.append(recorded_reply_from_document(json.loads(line.decode("utf-8"))))
        except PlanError as error:
            raise PlanError(f"recording {path.name!r}, line {number}: {error}") from None
        except (ValueError, RecursionError):
            raise PlanError(f"recording {path.name!r}, line {number}: no JSON") from None
    if not entries:
        raise PlanError(f"recording {path.name!r} has no entry")
    return tuple(entries)
