"""A regression: a failing story as a value, and as a JSON text that people read and compare.

Nothing in a text is executed: it is parsed, checked, and refused with a PlanError that says why.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaoscheck.errors import PlanError
from chaoscheck.plan.program import Program
from chaoscheck.plan.program_text import from_json, parsed, to_json
from chaoscheck.regressions.law import Law

# Theory of operation. A text is ASCII, so that nothing invisible hides in it, with one step, one
# hold and one line of the story a line, so that two of them can be compared line by line. The
# story is there for the reader; what is replayed is the program. A name is made from what is
# replayed and nothing else: the same story found twice is the same file.

__all__ = ["FORMAT", "TEXT_MAX", "VERSION", "Regression", "from_text", "to_text"]

FORMAT = "chaoscheck regression"
VERSION = 2  # 2: what a rule drew from st.data(); the line of the law
_READABLE = (1, 2)
TEXT_MAX = 1_000_000  # bytes of a file: far above any story a person would read
STORY_MAX = 10_000  # lines
LINE_MAX = 10_000  # characters
KEY_MAX = 500  # characters of a key, and of any other name
WIDTH = 120
KEY_SHOWN_MAX = 80  # characters of a key in a file's name

_WORLD = re.compile(r"[a-z]{1,20}")
_FILE = re.compile(r"[^/\\\x00-\x1f\x7f]{1,200}\.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """A story that broke a law, and where it belongs.

    ``chaos_key`` is what the machine is found by; ``file`` (a bare name, beside the folder of
    regressions) and ``machine`` (its qualified name) say where it was then. ``digest`` is that
    of what the replay did. ``versions`` says of what made it.
    """

    chaos_key: str
    file: str
    machine: str
    world: str
    law: Law
    story: tuple[str, ...]
    program: Program
    digest: str
    versions: Mapping[str, str]

    @property
    def size(self) -> tuple[int, int]:
        """How long the story is: steps and holds, then characters of what is replayed."""
        return len(self.program), len(_replayed(self.program))

    @property
    def name(self) -> str:
        """The name of its file: the key, and a digest of what is replayed and for which test."""
        replayed = json.dumps([self.chaos_key, self.file, self.world]) + _replayed(self.program)
        digest = hashlib.sha256(replayed.encode("ascii")).hexdigest()
        return f"{stem_of(self.chaos_key)}-{digest[:10]}.json"


def stem_of(chaos_key: str) -> str:
    """What the names of a key's files begin with, before the dash."""
    return re.sub(r"[^\w.]+", "_", chaos_key, flags=re.ASCII)[:KEY_SHOWN_MAX].lstrip(".") or "_"


# ---------------------------------------------------------------------- writing


def to_text(regression: Regression) -> str:
    """The file's text; PlanError when it would not be read back as the same program."""
    law = regression.law
    made = {
        "format": FORMAT,
        "version": VERSION,
        "chaos_key": regression.chaos_key,
        "machine": {"file": regression.file, "class": regression.machine},
        "world": regression.world,
        "law": {
            "name": law.name,
            "exception": law.exception,
            "message": law.message,
            "place": law.place,
        },
        "story": list(regression.story),
        "program": to_json(regression.program),
        "digest": regression.digest,
        "versions": dict(regression.versions),
    }
    text = _written(made) + "\n"
    if _replayed(from_text(text).program) != _replayed(regression.program):
        raise PlanError("a program must be the same when it is read back from JSON, this is not")
    return text


# What has a line for each of its parts, however short: these are what people compare.
_LISTED = frozenset({"", "story", "program", "setup", "steps", "holds"})


def _written(value: Any, indent: str = "", key: str = "") -> str:
    """JSON in which whatever fits into a line has one, but for what is listed."""
    flat = json.dumps(value)
    fits = len(indent) + len(flat) <= WIDTH and key not in _LISTED
    if not isinstance(value, dict | list) or not value or fits:
        return flat
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(of)}: {_written(part, inner, of)}" for of, part in value.items()]
    else:
        parts = [_written(part, inner, "part") for part in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n" + ",\n".join(inner + part for part in parts) + f"\n{indent}{closing}"


def _replayed(program: Program) -> str:
    """What a program says, as one text; equal texts replay equally."""
    return json.dumps(to_json(program), sort_keys=True, separators=(",", ":"))


# ---------------------------------------------------------------------- reading


def from_text(text: str) -> Regression:
    """The regression that a file's text says; PlanError where it says none."""
    made = parsed(text)
    if not isinstance(made, dict) or made.get("format") != FORMAT:
        raise PlanError(f'not a regression file: it must have "format": "{FORMAT}"')
    if made.get("version") not in _READABLE or isinstance(made["version"], bool):
        raise PlanError(
            f"version must be in [1, {VERSION}], got {_shown(made.get('version'))}: "
            f"another chaoscheck wrote this file"
        )
    machine, law = _object(made, "machine"), _object(made, "law")
    return Regression(
        chaos_key=_text(made, "chaos_key", KEY_MAX),
        file=_matching(machine, "file", _FILE, "the bare name of a Python file"),
        machine=_text(machine, "class", KEY_MAX),
        world=_matching(made, "world", _WORLD, "the name of a world"),
        law=Law(
            name=_text(law, "name", KEY_MAX, least=0),
            exception=_text(law, "exception", KEY_MAX),
            message=_text(law, "message", LINE_MAX, least=0),
            place=_text({"place": "", **law}, "place", KEY_MAX, least=0),
        ),
        story=_story(made.get("story")),
        program=from_json(made.get("program")),
        digest=_text(made, "digest", KEY_MAX, least=0),
        versions={name: str(of)[:40] for name, of in _object(made, "versions").items()},
    )


def _object(made: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = made.get(key)
    if not isinstance(value, dict):
        raise PlanError(f"{key} must be an object, got {_shown(value)}")
    return value


def _text(made: Mapping[str, Any], key: str, most: int, *, least: int = 1) -> str:
    value = made.get(key)
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise PlanError(
            f"{key} must be a text of {least} to {most} characters, got {_shown(value)}"
        )
    return value


def _matching(made: Mapping[str, Any], key: str, form: re.Pattern[str], legal: str) -> str:
    value = made.get(key)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise PlanError(f"{key} must be {legal}, got {_shown(value)}")
    return value


def _story(made: Any) -> tuple[str, ...]:
    if not isinstance(made, list) or len(made) > STORY_MAX:
        raise PlanError(f"story must be a list of at most {STORY_MAX} lines, got {_shown(made)}")
    if not all(isinstance(line, str) and len(line) <= LINE_MAX for line in made):
        raise PlanError(f"a line of the story must be a text of at most {LINE_MAX} characters")
    return tuple(made)


def _shown(value: object) -> str:
    return repr(value)[:80]
