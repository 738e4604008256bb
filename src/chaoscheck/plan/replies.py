"""Replies: what the server's good answers say, and how long their tokens take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chaoscheck.errors import PlanError
from chaoscheck.plan.distributions import Seconds, require_seconds
from chaoscheck.plan.fault import shown

__all__ = [
    "MODES",
    "TEMPLATE_LENGTH_MAX",
    "WAITS",
    "WORDS_MAX",
    "RecordedCall",
    "RecordedReply",
    "Replies",
    "ReplyMode",
]

ReplyMode = Literal["echo", "template", "seeded", "recorded"]

MODES: tuple[ReplyMode, ...] = ("echo", "template", "seeded", "recorded")
#: The settings that are waits: a number of seconds, or a distribution.
WAITS = ("base_latency_s", "first_token_s", "token_s")
WORDS_MAX = 100_000  # words of a seeded reply, about 600 kB

TEMPLATE_LENGTH_MAX = 100_000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """A call of the tool ``name``; ``arguments`` is a JSON object as text."""

    name: str
    arguments: str = "{}"

    def __post_init__(self) -> None:
        _require_text("tool call: name", self.name)
        _require_text("tool call: arguments", self.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedReply:
    """A reply out of a recording: ``text``, and the tools it calls where they are offered.

    It answers the prompt whose text is exactly ``prompt``; None answers any.
    """

    text: str
    prompt: str | None = None
    tool_calls: tuple[RecordedCall, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise PlanError(f"recorded reply: text must be text, got {self.text!r}")
        if self.prompt is not None and not isinstance(self.prompt, str):
            raise PlanError(f"recorded reply: prompt must be text or None, got {self.prompt!r}")
        calls = self.tool_calls
        if not isinstance(calls, tuple) or not all(isinstance(it, RecordedCall) for it in calls):
            raise PlanError(
                f"recorded reply: tool_calls must be RecordedCall values, got {calls!r}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """What good answers say; the default echoes the last user message at once.

    ``mode`` is one of

    - ``echo``: the text of the prompt;
    - ``template``: the text ``template`` in Jinja2's syntax, within a budget of work and size,
      which knows text, model, messages, key, occurrence, attempt;
    - ``seeded``: ``words_min`` to ``words_max`` lower-case words, the same for the same seed,
      key, occurrence, attempt and prompt;
    - ``recorded``: ``entries``, or the JSONL file ``path``, one entry a line:
      ``{"text": …, "for": <a prompt>, "tool_calls": [{"name": …, "arguments": {…}}]}``.

    With ``tag`` each text ends with `` [key:attempt]``, from the second call of a key on with
    `` [key:attempt:occurrence]``, so that a reply can be matched with its request.

    ``base_latency_s`` seconds pass before anything is said, errors too; ``first_token_s`` more
    before the first token, ``token_s`` before each other one. Each is a number of seconds or a
    distribution, of which every request has draws of its own: a function of (seed, key,
    occurrence, attempt). An answer that is not streamed takes as long as all of them. PlanError for
    a setting that its mode does not know or lacks, and for values out of range.
    """

    mode: ReplyMode = "echo"
    template: str | None = None
    path: str | None = None
    entries: tuple[RecordedReply, ...] = ()
    words_min: int = 5
    words_max: int = 30
    tag: bool = False
    base_latency_s: Seconds = 0.0
    first_token_s: Seconds = 0.0
    token_s: Seconds = 0.0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise PlanError(f"replies: mode must be one of {', '.join(MODES)}, got {self.mode!r}")
        for parameter in WAITS:
            require_seconds("replies", parameter, getattr(self, parameter))
        if not isinstance(self.tag, bool):
            raise PlanError(f"replies: tag must be true or false, got {self.tag!r}")
        self._check_words()
        self._check_template()
        self._check_recording()

    def _check_words(self) -> None:
        low, high = self.words_min, self.words_max
        for parameter, value in (("words_min", low), ("words_max", high)):
            legal = isinstance(value, int) and not isinstance(value, bool)
            if not legal or not 1 <= value <= WORDS_MAX:
                raise PlanError(
                    f"replies: {parameter} must be an integer in [1, {WORDS_MAX}], "
                    f"got {shown(value)}"
                )
        if high < low:
            raise PlanError(f"replies: words_max must be >= words_min = {low}, got {high}")

    def _check_template(self) -> None:
        given = self.template
        if (given is not None) != (self.mode == "template"):
            raise PlanError(
                f"replies: template goes with mode 'template', and mode is {self.mode!r}"
            )
        if given is not None:
            _require_text("replies: template", given)
            if len(given) > TEMPLATE_LENGTH_MAX:
                raise PlanError(
                    f"replies: template must have at most {TEMPLATE_LENGTH_MAX} characters, "
                    f"got {len(given)}"
                )

    def _check_recording(self) -> None:
        entries = self.entries
        if not isinstance(entries, tuple) or not all(
            isinstance(entry, RecordedReply) for entry in entries
        ):
            raise PlanError(f"replies: entries must be a tuple of RecordedReply, got {entries!r}")
        if self.path is not None:
            _require_text("replies: path", self.path)
        given = (self.path is not None) + bool(entries)
        if given != (self.mode == "recorded"):
            raise PlanError(
                "replies: mode 'recorded' needs either path or entries, and no other mode knows "
                f"them; mode is {self.mode!r} with path {self.path!r} and {len(entries)} entries"
            )


def _require_text(what: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise PlanError(f"{what} must be text of at least one character, got {value!r}")
