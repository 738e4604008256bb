"""The JSON Schema (draft 2020-12) of plan documents, made from the code that reads them.

``docs/plan.schema.json`` is ``schema_text()``; a test holds the two equal. What no schema can say
(rates that sum to at most 1, windows that end after they begin, a fault's own parameters) the
parser says.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, get_args

from chaoscheck.plan.aimed import AIM_LENGTH_MAX, TARGETS
from chaoscheck.plan.burst import PERIOD_MIN_S, Burst
from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.context_window import PATTERN_LENGTH_MAX, WINDOWS_MAX
from chaoscheck.plan.distributions import DISTRIBUTIONS
from chaoscheck.plan.documents.plan_document import LIMIT_KINDS, NO_FAULT, is_required
from chaoscheck.plan.documents.plan_tables import INTEGER_MAX, INTEGER_MIN
from chaoscheck.plan.fault import SECONDS_MAX, Fault
from chaoscheck.plan.fault_kinds.parameters import COUNT_MAX
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault
from chaoscheck.plan.fault_plan import KEY_LENGTH_MAX
from chaoscheck.plan.limits import (
    Charged,
    ConcurrencyCap,
    Counted,
    Owner,
    TokenOwner,
    TokenQuota,
)
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp
from chaoscheck.plan.replies import MODES, TEMPLATE_LENGTH_MAX, WORDS_MAX, Replies
from chaoscheck.plan.waits import RetryAfter

__all__ = ["plan_schema", "schema_text"]

Schema = dict[str, Any]

_NOTATION_MAX = 200  # characters of a fault as it is written, as plan/notation.py has it

# A wait: a number of seconds, or a distribution as plan/notation.py has it.
_SECONDS: Schema = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": SECONDS_MAX},
        {"$ref": "#/$defs/distribution"},
    ]
}
_RATE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_AT_LEAST_0: Schema = {"type": "number", "minimum": 0, "maximum": SECONDS_MAX}
_ABOVE_0: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": SECONDS_MAX}
_PERIOD: Schema = {"type": "number", "minimum": PERIOD_MIN_S, "maximum": SECONDS_MAX}
_PER_S: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": COUNT_MAX}
_COUNT: Schema = {"type": "integer", "minimum": 1, "maximum": COUNT_MAX}
_WORDS: Schema = {"type": "integer", "minimum": 1, "maximum": WORDS_MAX}
_FLAG: Schema = {"type": "boolean"}
_TEXT: Schema = {"type": "string", "minLength": 1}

# What each field of a record may be; a name means the same wherever it stands.
_FIELDS: dict[str, Schema] = {
    "base_latency_s": _SECONDS,
    "burst": _COUNT,
    "charges": {"enum": list(get_args(Charged))},
    "counts": {"enum": list(get_args(Counted))},
    "end": _RATE,
    "entries": {"type": "array", "items": {"$ref": "#/$defs/entry"}, "minItems": 1},
    "every_s": _PERIOD,
    "fault": {"$ref": "#/$defs/fault"},
    "first_token_s": _SECONDS,
    "from_s": _AT_LEAST_0,
    "hold": _FLAG,
    "in_flight": _COUNT,
    "lasts_s": _ABOVE_0,
    "mode": {"enum": list(MODES)},
    "path": _TEXT,
    "per": {"enum": list(get_args(Owner))},
    "phase_s": _AT_LEAST_0,
    "rate": _RATE,
    "rate_per_s": _PER_S,
    "requests": _COUNT,
    "retry_after": {"enum": list(get_args(RetryAfter))},
    "start": _RATE,
    "tag": _FLAG,
    "template": {**_TEXT, "maxLength": TEMPLATE_LENGTH_MAX},
    "token_s": _SECONDS,
    "tokens": _COUNT,
    "until_s": _ABOVE_0,
    "words_max": _WORDS,
    "words_min": _WORDS,
}

_ENTRY: Schema = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "for": {"type": ["string", "null"]},
        "tool_calls": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": _TEXT,
                    "arguments": {"type": ["object", "string"], "minLength": 1},
                },
                "required": ["name"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["text"],
    "additionalProperties": False,
}


def plan_schema() -> Schema:
    """The schema as a JSON-able value."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "chaoscheck fault plan",
        "description": "What goes wrong on a chaos server, and what its good answers say.",
        "type": "object",
        "properties": {
            "seed": {"type": "integer", "minimum": INTEGER_MIN, "maximum": INTEGER_MAX},
            "first": {"$ref": "#/$defs/script"},
            "rates": _rates("#/$defs/fault"),
            "headers": _rates("#/$defs/header_fault"),
            "bursts": {"type": "array", "items": _record(Burst)},
            "outages": {"type": "array", "items": _record(Outage)},
            "ramps": {"type": "array", "items": _record(Ramp)},
            "scripts": {
                "type": "object",
                "propertyNames": {"minLength": 1, "maxLength": KEY_LENGTH_MAX},
                "additionalProperties": {"$ref": "#/$defs/script"},
            },
            "limits": {
                "type": "array",
                "items": {"oneOf": [_limit(kind) for kind in LIMIT_KINDS]},
            },
            "context_window": _context_window(),
            "replies": {**_record(Replies), "allOf": _reply_modes()},
            "aimed": {"type": "array", "items": _aim()},
        },
        "additionalProperties": False,
        "$defs": {
            "fault": _fault_text(FAULTS),
            "request_fault": _fault_text(
                tuple(fault for fault in FAULTS if fault.strikes == "request")
            ),
            "header_fault": _fault_text(
                tuple(fault for fault in FAULTS if issubclass(fault, RetryAfterFault))
            ),
            "script": {
                "type": "array",
                "items": {
                    "anyOf": [
                        {"$ref": "#/$defs/request_fault"},
                        {"enum": [NO_FAULT, None]},
                    ]
                },
            },
            "entry": _ENTRY,
            "distribution": _distribution_text(),
        },
    }


def _aim() -> Schema:
    """Aimed parts: no fault of a connection among them, and no limit of what is in flight."""
    fault = {"$ref": "#/$defs/request_fault"}
    kinds = [kind for kind, limit in LIMIT_KINDS.items() if limit is not ConcurrencyCap]
    windows: dict[str, Schema] = {
        name: {"type": "array", "items": _record(kind, fault)}
        for name, kind in (("bursts", Burst), ("outages", Outage), ("ramps", Ramp))
    }
    pattern = {"type": "string", "minLength": 1, "maxLength": AIM_LENGTH_MAX}
    return {
        "type": "object",
        "properties": {
            "provider": {**pattern, "pattern": r"^[^*]*$"},
            "model": pattern,
            "path": {**pattern, "pattern": r"^[/*][^?]*$"},
            "first": {"$ref": "#/$defs/script"},
            "rates": _rates("#/$defs/request_fault"),
            "headers": _rates("#/$defs/header_fault"),
            **windows,
            "limits": {"type": "array", "items": {"oneOf": [_limit(kind) for kind in kinds]}},
        },
        "anyOf": [{"required": [name]} for name in TARGETS],
        "additionalProperties": False,
    }


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(plan_schema(), indent=2) + "\n"


def _context_window() -> Schema:
    patterns = {"minLength": 1, "maxLength": PATTERN_LENGTH_MAX}
    table = {
        "type": "object",
        "propertyNames": patterns,
        "additionalProperties": _COUNT,
        "maxProperties": WINDOWS_MAX,
    }
    return {"anyOf": [_COUNT, table]}


def _distribution_text() -> Schema:
    names = "|".join(kind.name for kind in DISTRIBUTIONS)
    pattern = rf"^\s*({names})\s*\(.+\)\s*$"
    return {"type": "string", "pattern": pattern, "maxLength": _NOTATION_MAX}


def _fault_text(faults: tuple[type[Fault], ...]) -> Schema:
    names = "|".join(fault.name for fault in faults)
    # Without such a fault nothing matches: a pattern of no names would match the empty text.
    pattern = rf"^\s*({names})\s*(\(.*\))?\s*$" if names else r"^\b$"
    return {"type": "string", "pattern": pattern, "maxLength": _NOTATION_MAX}


def _rates(names: str) -> Schema:
    return {
        "type": "object",
        "propertyNames": {"$ref": names},
        "additionalProperties": _RATE,
    }


def _record(kind: type[Any], fault: Schema | None = None) -> Schema:
    fields = dataclasses.fields(kind)
    schemas = _FIELDS if fault is None else {**_FIELDS, "fault": fault}
    return {
        "type": "object",
        "properties": {field.name: schemas[field.name] for field in fields},
        "required": [field.name for field in fields if is_required(field)],
        "additionalProperties": False,
    }


def _limit(name: str) -> Schema:
    schema = _record(LIMIT_KINDS[name])
    fields = {**schema["properties"], "fault": {"$ref": "#/$defs/request_fault"}}
    if LIMIT_KINDS[name] is TokenQuota:  # Its owners are others than those of requests.
        fields["per"] = {"enum": list(get_args(TokenOwner))}
    return {
        **schema,
        "properties": {"kind": {"const": name}, **fields},
        "required": ["kind", *schema["required"]],
    }


def _reply_modes() -> list[Schema]:
    """Settings go with their mode: a template with ``template``, a recording with ``recorded``."""
    template, recording = ["template"], [{"required": ["path"]}, {"required": ["entries"]}]
    return [
        {
            "if": _is_mode("template"),
            "then": {"required": template},
            "else": {"not": {"required": template}},
        },
        {
            "if": _is_mode("recorded"),
            "then": {"oneOf": recording},
            "else": {"not": {"anyOf": recording}},
        },
    ]


def _is_mode(mode: str) -> Schema:
    return {"properties": {"mode": {"const": mode}}, "required": ["mode"]}
