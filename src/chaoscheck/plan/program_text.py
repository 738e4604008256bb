"""Programs as JSON that people can read and compare, and as a short text for a command line.

Nothing in a text is executed: it is parsed, checked, and refused with a PlanError that says
where it is wrong.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.hold import SOURCES, Hold
from chaoscheck.plan.notation import parse_fault
from chaoscheck.plan.program import (
    SETUP,
    Argument,
    Decision,
    Drawn,
    Draws,
    Literal,
    Program,
    Reference,
    Step,
)

# Theory of operation. A plain value stands for itself. Everything else is an object with one
# telling key: {"fault": "status_429(...)"}, {"from_step": 3}, {"choices": [...]}, and, for what
# JSON has no word for, {"float": "nan"} and {"bytes": "00ff"}. What a rule drew from ``st.data()``
# is {"draws": [{"choices": [...]}, ...]}. Decisions stand in the step to which they belong, as
# [question, which of its kind, answer].

__all__ = ["from_blob", "from_json", "is_blob", "to_blob", "to_json"]

TEXT_MAX = 1_000_000  # characters: far above any story a person would read
STEPS_MAX = 10_000
NAME_MAX = 500
BLOB_MARK = "P."

Json = dict[str, Any]


def to_json(program: Program) -> Json:
    """The program as JSON values, in an order that reads well."""
    decided: dict[int, list[list[Any]]] = {}
    for each in program.decisions:
        decided.setdefault(each.step, []).append([each.label, each.nth, each.value])
    made: Json = {}
    if SETUP in decided:
        made["setup"] = decided[SETUP]
    made["steps"] = [_step_json(step, decided.get(step.number, [])) for step in program.steps]
    made["holds"] = [
        {"task": hold.task, "at": hold.at, "until": hold.until, "ran": hold.ran}
        | ({"late": True} if hold.late else {})
        | ({"source": hold.source} if hold.source else {})
        for hold in program.holds
    ]
    return made


def _step_json(step: Step, decided: list[list[Any]]) -> Json:
    made: Json = {"number": step.number, "rule": step.rule}
    if step.arguments:
        made["arguments"] = {name: _argument_json(arg) for name, arg in step.arguments.items()}
    if decided:
        made["decisions"] = decided
    return made


def _argument_json(argument: Argument) -> Any:
    match argument:
        case Literal(value=Fault() as fault):
            return {"fault": repr(fault)}
        case Literal(value=value):
            return _value_json(value)
        case Reference(step=step, number=0):
            return {"from_step": step}
        case Reference(step=step, number=number):
            return {"from_step": step, "value": number}
        case Drawn(choices=choices, shown=shown):
            made: Json = {"choices": [_value_json(choice) for choice in choices]}
            return made | ({"shown": shown} if shown else {})
        case Draws(draws=draws):
            return {"draws": [_argument_json(draw) for draw in draws]}


def _value_json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    return value


# ---------------------------------------------------------------------- reading


def from_json(made: Any) -> Program:
    """The program that these JSON values say; PlanError where they say none."""
    _require(isinstance(made, dict), "a program must be an object", made)
    unknown = set(made) - {"setup", "steps", "holds"}
    _require(not unknown, "a program has setup, steps and holds", sorted(unknown))
    steps = made.get("steps", [])
    _require(isinstance(steps, list), "steps must be a list", steps)
    _require(len(steps) <= STEPS_MAX, f"at most {STEPS_MAX} steps are legal", len(steps))
    decisions = _decisions(SETUP, made.get("setup", []))
    read = []
    for each in steps:
        step, decided = _step(each)
        read.append(step)
        decisions += decided
    numbers = [step.number for step in read]
    _require(len(set(numbers)) == len(numbers), "each step has a number of its own", numbers)
    holds = made.get("holds", [])
    _require(isinstance(holds, list), "holds must be a list", holds)
    return Program(
        steps=tuple(read), decisions=tuple(decisions), holds=tuple(_hold(each) for each in holds)
    )


def _step(made: Any) -> tuple[Step, list[Decision]]:
    _require(isinstance(made, dict), "a step must be an object", made)
    number, rule = _integer(made, "number", 1), _name(made, "rule")
    arguments = made.get("arguments", {})
    _require(
        isinstance(arguments, dict), f"arguments of step {number} must be an object", arguments
    )
    unknown = set(made) - {"number", "rule", "arguments", "decisions"}
    _require(not unknown, f"step {number} has number, rule, arguments, decisions", sorted(unknown))
    read = {name: _argument_of(number, name, value) for name, value in arguments.items()}
    step = Step(number=number, rule=rule, arguments=read)
    return step, _decisions(number, made.get("decisions", []))


def _argument_of(step: int, name: str, made: Any) -> Argument:
    try:
        return _argument(made)
    except PlanError as error:
        raise PlanError(f"argument {name[:NAME_MAX]!r} of step {step}: {error}") from error


def _argument(made: Any) -> Argument:
    match made:
        case {"fault": str(text), **other} if not other:
            return Literal(parse_fault(text))
        case {"from_step": _, **other} if not set(other) - {"value"}:
            number = _integer({"value": other.get("value", 0)}, "value", 0)
            return Reference(_integer(made, "from_step", 0), number)
        case {"choices": list(choices), **other} if not set(other) - {"shown"}:
            shown: Any = other.get("shown", "")
            _require(isinstance(shown, str), "shown must be a text", shown)
            return Drawn(tuple(_value(choice) for choice in choices), shown)
        case {"draws": list(draws), **other} if not other:
            return Draws(tuple(_draw(draw) for draw in draws))
        case _:
            return Literal(_value(made))


def _draw(made: Any) -> Drawn:
    read = _argument(made) if isinstance(made, dict) and "choices" in made else None
    if not isinstance(read, Drawn):
        raise PlanError(f"a draw is an object with choices, got {_shown(made)}")
    return read


def _value(made: Any) -> Any:
    match made:
        case {"float": ("nan" | "inf" | "-inf") as text, **other} if not other:
            return float(text)
        case {"bytes": str(text), **other} if not other:
            try:
                return bytes.fromhex(text)
            except ValueError:
                raise PlanError(f"bytes must be hexadecimal, got {text[:40]!r}") from None
        case bool() | int() | float() | str() | None:
            return made
        case _:
            raise PlanError(f"not a value that an argument can have: {_shown(made)}")


def _decisions(step: int, made: Any) -> list[Decision]:
    _require(isinstance(made, list), f"decisions of step {step} must be a list", made)
    read = []
    for each in made:
        match each:
            case [str(label), int(nth), int(value)] if nth >= 0 and value >= 0:
                read.append(Decision(step, label[:NAME_MAX], nth, value))
            case _:
                raise PlanError(f"a decision is [question, nth, answer], got {_shown(each)}")
    return read


def _hold(made: Any) -> Hold:
    _require(isinstance(made, dict), "a hold must be an object", made)
    unknown = set(made) - {"task", "at", "until", "ran", "late", "source"}
    _require(not unknown, "a hold has task, at, until, ran, late and source", sorted(unknown))
    late = made.get("late", False)
    _require(isinstance(late, bool), "late must be true or false", late)
    source = made.get("source", "")
    legal = isinstance(source, str) and (source == "" or source in SOURCES)
    _require(legal, f"source must be one of {', '.join(SOURCES)}", source)
    return Hold(
        task=_name(made, "task"),
        at=_integer(made, "at", 0),
        until=_name(made, "until"),
        ran=_integer(made, "ran", 1),
        late=late,
        source=source,
    )


def _name(made: Mapping[str, Any], key: str) -> str:
    value = made.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= NAME_MAX:
        raise PlanError(f"{key} must be a text of 1 to {NAME_MAX} characters, got {_shown(value)}")
    return value


def _integer(made: Mapping[str, Any], key: str, low: int) -> int:
    value = made.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < low or value > 10**9:
        raise PlanError(f"{key} must be an integer in [{low}, 10**9], got {_shown(value)}")
    return value


def _require(legal: bool, law: str, value: object) -> None:
    if not legal:
        raise PlanError(f"{law}, got {_shown(value)}")


def _shown(value: object) -> str:
    try:
        return repr(value)[:80]
    except (RecursionError, ValueError):  # nested too deep, or an integer of too many digits
        return f"a {type(value).__name__} that is too large to be shown"


# ---------------------------------------------------------------------- a short text


def to_blob(program: Program) -> str:
    """The program as one word for a command line; it is compressed, not encrypted."""
    text = json.dumps(to_json(program), separators=(",", ":"), ensure_ascii=True)
    return BLOB_MARK + base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode("ascii")


def is_blob(text: str) -> bool:
    """Whether ``text`` claims to be what ``to_blob`` gives."""
    return text.startswith(BLOB_MARK)


def from_blob(text: str) -> Program:
    """The program that ``text`` holds; PlanError when it is damaged or too large."""
    try:
        packed = base64.b64decode(text.removeprefix(BLOB_MARK), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(packed, TEXT_MAX)
        if unpacker.unconsumed_tail:
            raise PlanError(f"a program has at most {TEXT_MAX} characters")
        if not unpacker.eof or unpacker.unused_data:
            raise ValueError("it does not end where it should")
    except (binascii.Error, ValueError, zlib.error) as error:
        raise PlanError(f"not a program that a failing run printed: {text[:40]!r}") from error
    return from_json(parsed(raw.decode("utf-8", "replace")))


def parsed(text: str) -> Any:
    """JSON values of ``text``; PlanError when it is too long, too deep, or no JSON."""
    if len(text) > TEXT_MAX:
        raise PlanError(f"a program has at most {TEXT_MAX} characters, got {len(text)}")
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"not JSON: {str(error)[:80]}") from None


def _once(pairs: Sequence[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise PlanError(f"a key stands twice among {[name for name, _ in pairs][:8]}")
    return made
