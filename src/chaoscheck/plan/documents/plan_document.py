"""Fault plans as TOML and JSON: read with the key of what is wrong, written as JSON.

A document is what both formats give: tables, lists, texts, numbers. Faults are written as their
notation says, ``"reset_mid_body(after_bytes=17)"``. ``docs/plans.md`` tells the format, and
``plan_schema.py`` makes its JSON Schema. Whatever is wrong is a PlanError.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from chaoscheck.errors import PlanError
from chaoscheck.plan.aimed import TARGETS, Aimed
from chaoscheck.plan.burst import Burst, require_rate
from chaoscheck.plan.context_window import (
    ContextWindows,
    as_context_windows,
    check_context_windows,
)
from chaoscheck.plan.distributions import Distribution
from chaoscheck.plan.documents.plan_tables import (
    brief,
    each_key_once,
    list_of,
    require_given,
    require_known,
    require_plain,
    shown,
    table_of,
)
from chaoscheck.plan.documents.regular_file import read_regular_file
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan, as_fault, as_script
from chaoscheck.plan.limits import ConcurrencyCap, Limit, Quota, TokenLimit, TokenQuota
from chaoscheck.plan.notation import parse_distribution
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp
from chaoscheck.plan.replies import WAITS, RecordedCall, RecordedReply, Replies

__all__ = [
    "LIMIT_KINDS",
    "NO_FAULT",
    "PLAN_BYTES_MAX",
    "is_required",
    "plan_from_document",
    "plan_from_json",
    "plan_from_toml",
    "plan_to_document",
    "plan_to_json",
    "read_plan",
    "recorded_reply_from_document",
]

PLAN_BYTES_MAX = 2**20  # of a plan file
LIMIT_KINDS: dict[str, type[Limit]] = {
    "tokens": TokenLimit,
    "concurrency": ConcurrencyCap,
    "quota": Quota,
    "token_quota": TokenQuota,
}

NO_FAULT = "none"  # in a script: this attempt meets no fault

T = TypeVar("T")
R = TypeVar("R")


def read_plan(path: Path | str) -> FaultPlan:
    """The plan in a ``.toml`` or ``.json`` file of at most 1 MiB.

    A recording named by a relative path is looked for beside the file. PlanError names the file,
    the key and the legal values.
    """
    path = Path(path)
    readers: dict[str, Callable[[str], FaultPlan]] = {
        ".toml": plan_from_toml,
        ".json": plan_from_json,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise PlanError(f"{path.name}: a plan's file must end in .toml or .json")
    try:
        text = read_regular_file(path, PLAN_BYTES_MAX).decode("utf-8-sig")
    except PlanError as error:
        raise PlanError(f"{path.name}: {error}") from None
    except ValueError:
        raise PlanError(f"{path.name}: must be text in UTF-8") from None
    try:
        plan = reader(text)
    except PlanError as error:
        raise PlanError(f"{path.name}: {error}") from None
    if plan.replies.path is None:
        return plan
    beside = str(path.parent / plan.replies.path)
    return dataclasses.replace(plan, replies=dataclasses.replace(plan.replies, path=beside))


def plan_from_toml(text: str) -> FaultPlan:
    """The plan that a TOML text says; PlanError names the key and the legal values."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"no TOML: {brief(error)}") from None
    return plan_from_document(document)


def plan_from_json(text: str) -> FaultPlan:
    """The plan that a JSON text says; PlanError names the key and the legal values."""
    try:
        document = json.loads(text, object_pairs_hook=each_key_once)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"no JSON: {brief(error)}") from None
    return plan_from_document(document)


def plan_to_json(plan: FaultPlan) -> str:
    """The plan as JSON text that ``plan_from_json`` reads back as an equal plan."""
    return json.dumps(plan_to_document(plan), indent=2, ensure_ascii=False) + "\n"


def plan_from_document(document: object, *, files: bool = True) -> FaultPlan:
    """The plan that a parsed TOML or JSON document says.

    Without ``files`` a recording must be in the document itself: what comes over a network names
    no files of ours. PlanError names the key and the legal values.
    """
    table = table_of("plan", document)
    require_plain("", table, 0)
    require_known("", table, _SECTIONS)
    parts = {key: _SECTIONS[key](key, value) for key, value in table.items()}
    replies = parts.get("replies")
    if not files and replies is not None and replies.path is not None:
        raise PlanError("replies.path: names a file, which only a plan's own file may do")
    return FaultPlan(**parts)


def plan_to_document(plan: FaultPlan) -> dict[str, Any]:
    """The plan as tables, lists, texts and numbers; what has its default is left out.

    PlanError for a fault that no text can name, such as one of the user's own.
    """
    document: dict[str, Any] = {
        "seed": plan.seed,
        "first": _script_text(plan.first),
        "rates": {_text(fault): rate for fault, rate in plan.rates},
        "headers": {_text(fault): rate for fault, rate in plan.headers},
        "bursts": [_fields(burst) for burst in plan.bursts],
        "outages": [_fields(outage) for outage in plan.outages],
        "ramps": [_fields(ramp) for ramp in plan.ramps],
        "scripts": {key: _script_text(faults) for key, faults in plan.scripts},
        "limits": [_limit_fields(limit) for limit in plan.limits],
        "context_window": _window_fields(plan.context_window),
        "replies": _replies_fields(plan.replies),
        "aimed": [_aim_fields(aim) for aim in plan.aimed],
    }
    return {key: value for key, value in document.items() if value}


def _aim_fields(aim: Aimed) -> dict[str, Any]:
    document = {
        **aim.where(),
        "first": _script_text(aim.first),
        "rates": {_text(fault): rate for fault, rate in aim.rates},
        "headers": {_text(fault): rate for fault, rate in aim.headers},
        "bursts": [_fields(burst) for burst in aim.bursts],
        "outages": [_fields(outage) for outage in aim.outages],
        "ramps": [_fields(ramp) for ramp in aim.ramps],
        "limits": [_limit_fields(limit) for limit in aim.limits],
    }
    return {key: value for key, value in document.items() if value}


def recorded_reply_from_document(value: object) -> RecordedReply:
    """One recorded reply: ``{"text": …, "for": …, "tool_calls": [{"name": …, "arguments": …}]}``.

    ``arguments`` is a table, or text as a model would write it. PlanError names the key.
    """
    table = table_of("entry", value)
    require_plain("", table, 0)
    require_known("", table, ("text", "for", "tool_calls"))
    require_given("", table, ("text",))
    calls = list_of("tool_calls", table.get("tool_calls", []))
    return RecordedReply(
        text=table["text"],
        prompt=table.get("for"),
        tool_calls=tuple(_call(f"tool_calls[{at}]", call) for at, call in enumerate(calls)),
    )


def _call(where: str, value: object) -> RecordedCall:
    table = table_of(where, value)
    arguments = table.get("arguments", "{}")
    if isinstance(arguments, Mapping):
        table = {**table, "arguments": json.dumps(arguments)}
    return _record(where, RecordedCall, table)


def _seed(where: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise PlanError(f"{where}: must be an integer in [-2**63, 2**63), got {shown(value)}")
    return value


def _rates(where: str, value: object) -> tuple[tuple[Fault, float], ...]:
    pairs = []
    for text, rate in table_of(where, value).items():
        key = f"{where}.{text}"
        _within(key, require_rate, text, rate)
        pairs.append((_fault(key, text), rate))
    return tuple(pairs)


def _scripts(where: str, value: object) -> tuple[tuple[str, tuple[Fault | None, ...]], ...]:
    scripts = []
    for key, faults in table_of(where, value).items():
        script = _first(f"{where}.{key}", faults)
        scripts.append((key, _within(where, as_script, key, script)))
    return tuple(scripts)


def _first(where: str, value: object) -> tuple[Fault | None, ...]:
    return tuple(
        None if text is None or text == NO_FAULT else _fault(f"{where}[{at}]", text)
        for at, text in enumerate(list_of(where, value))
    )


def _records(kind: type[T]) -> Callable[[str, object], tuple[T, ...]]:
    def parse(where: str, value: object) -> tuple[T, ...]:
        return tuple(
            _record(f"{where}[{at}]", kind, table_of(f"{where}[{at}]", record))
            for at, record in enumerate(list_of(where, value))
        )

    return parse


def _limits(where: str, value: object) -> tuple[Limit, ...]:
    limits = []
    for at, record in enumerate(list_of(where, value)):
        here = f"{where}[{at}]"
        table = dict(table_of(here, record))
        require_given(here, table, ("kind",))
        kind = table.pop("kind")
        if not isinstance(kind, str) or kind not in LIMIT_KINDS:
            legal = ", ".join(LIMIT_KINDS)
            raise PlanError(f"{here}.kind: must be one of {legal}, got {shown(kind)}")
        limits.append(_record(here, LIMIT_KINDS[kind], table))
    return tuple(limits)


def _context_window(where: str, value: object) -> ContextWindows:
    given = value if isinstance(value, int) and not isinstance(value, bool) else None
    windows = as_context_windows(dict(table_of(where, value)) if given is None else given)
    check_context_windows(windows)
    return windows


def _aimed(where: str, value: object) -> tuple[Aimed, ...]:
    aims = []
    for at, each in enumerate(list_of(where, value)):
        here = f"{where}[{at}]"
        table = table_of(here, each)
        require_known(here, table, (*TARGETS, *_AIMED_SECTIONS))
        parts = {
            key: part if key in TARGETS else _SECTIONS[key](f"{here}.{key}", part)
            for key, part in table.items()
        }
        aims.append(_within(here, Aimed, **parts))
    return tuple(aims)


def _replies(where: str, value: object) -> Replies:
    table = dict(table_of(where, value))
    entries = []
    for at, entry in enumerate(list_of(f"{where}.entries", table.pop("entries", []))):
        entries.append(_within(f"{where}.entries[{at}]", recorded_reply_from_document, entry))
    if entries:
        table["entries"] = tuple(entries)
    for wait in WAITS:
        if isinstance(table.get(wait), str):
            table[wait] = _within(f"{where}.{wait}", parse_distribution, table[wait])
    return _record(where, Replies, table)


_SECTIONS: dict[str, Callable[[str, object], Any]] = {
    "seed": _seed,
    "first": _first,
    "rates": _rates,
    "headers": _rates,
    "bursts": _records(Burst),
    "outages": _records(Outage),
    "ramps": _records(Ramp),
    "scripts": _scripts,
    "limits": _limits,
    "context_window": _context_window,
    "replies": _replies,
    "aimed": _aimed,
}
_AIMED_SECTIONS = ("first", "rates", "headers", "bursts", "outages", "ramps", "limits")


def _record(where: str, kind: type[T], table: Mapping[str, Any]) -> T:
    """A frozen value from a table with its fields' names; a text in ``fault`` names a fault."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    require_known(where, table, [field.name for field in fields])
    require_given(where, table, [field.name for field in fields if is_required(field)])
    values = dict(table)
    if "fault" in values:
        values["fault"] = _fault(f"{where}.fault", values["fault"])
    return _within(where, kind, **values)


def is_required(field: dataclasses.Field[Any]) -> bool:
    """Whether a record cannot do without this field."""
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _fault(where: str, text: object) -> Fault:
    if not isinstance(text, str):
        raise PlanError(f"{where}: must be the name of a fault, got {shown(text)}")
    return _within(where, as_fault, text)


def _within(where: str, make: Callable[..., R], *arguments: object, **fields: object) -> R:
    """What ``make`` gives; its PlanError says where."""
    try:
        return make(*arguments, **fields)
    except PlanError as error:
        raise PlanError(f"{where}: {error}") from None


def _text(fault: Fault) -> str:
    text = fault.name if fault == type(fault)() else repr(fault)
    if as_fault(text) != fault:
        raise PlanError(f"{fault!r} cannot be written: read back it is {as_fault(text)!r}")
    return text


def _script_text(faults: Iterable[Fault | None]) -> list[str]:
    return [NO_FAULT if fault is None else _text(fault) for fault in faults]


def _fields(record: object) -> dict[str, Any]:
    """The fields of a record that differ from their defaults."""
    shown: dict[str, Any] = {}
    for field in dataclasses.fields(record):  # type: ignore[arg-type]
        value = getattr(record, field.name)
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if value != default:
            if isinstance(value, Fault):
                value = _text(value)
            shown[field.name] = repr(value) if isinstance(value, Distribution) else value
    return shown


def _limit_fields(limit: Limit) -> dict[str, Any]:
    kind = next(name for name, its_type in LIMIT_KINDS.items() if isinstance(limit, its_type))
    return {"kind": kind, **_fields(limit)}


def _window_fields(windows: ContextWindows) -> int | dict[str, int]:
    return windows[0][1] if [pattern for pattern, _ in windows] == ["*"] else dict(windows)


def _replies_fields(replies: Replies) -> dict[str, Any]:
    fields = _fields(replies)
    if replies.entries:
        fields["entries"] = [_entry_fields(entry) for entry in replies.entries]
    return fields


def _entry_fields(entry: RecordedReply) -> dict[str, Any]:
    fields: dict[str, Any] = {"text": entry.text}
    if entry.prompt is not None:
        fields["for"] = entry.prompt
    if entry.tool_calls:
        fields["tool_calls"] = [
            {"name": call.name, "arguments": call.arguments} for call in entry.tool_calls
        ]
    return fields
