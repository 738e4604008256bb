"""Statistics of a run as a JSON document: written, read back, and told by its version."""

from __future__ import annotations

import json
from typing import Any, get_args

from chaoscheck.errors import PlanError
from chaoscheck.history.run_statistics import (
    FaultCounts,
    LawCounts,
    Outcome,
    RuleCounts,
    RunStatistics,
    When,
)

__all__ = ["FORMAT", "VERSION", "from_document", "schema_text", "statistics_schema", "to_document"]

FORMAT = "chaoscheck.run-statistics"
VERSION = 1
"""Raised when a reader of the version before would misread what is written; fields may be added."""

Document = dict[str, Any]


def to_document(statistics: RunStatistics) -> Document:
    """The statistics of one machine as what json.dumps takes."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "machine": statistics.machine,
        "test": statistics.test,
        "outcome": statistics.outcome,
        "examples": statistics.examples,
        "failures": statistics.failures,
        "seeds": list(statistics.seeds),
        "rules": [
            {"name": each.name, "ready_made": each.ready_made, "runs": each.runs, "mark": each.mark}
            for each in statistics.rules
        ],
        "laws": [
            {
                "name": each.name,
                "when": each.when,
                "checked": each.checked,
                "judged": each.judged,
                "skipped": dict(each.skipped),
                "mark": each.mark,
            }
            for each in statistics.laws
        ],
        "faults": [
            {
                "name": each.name,
                "declared": each.declared,
                "injected": each.injected,
                "effects": each.effects,
                "judged": each.judged,
                "mark": each.mark,
            }
            for each in statistics.faults
        ],
        "marks": statistics.marks,
    }


def from_document(document: Document) -> RunStatistics:
    """What ``to_document`` wrote; PlanError for another format or a version that is too new."""
    told, version = document.get("format"), document.get("version")
    if told != FORMAT or version != VERSION:
        raise PlanError(
            f"statistics must be of format {FORMAT!r}, version {VERSION}, got {told!r}, {version!r}"
        )
    return RunStatistics(
        machine=document["machine"],
        test=document["test"],
        outcome=document["outcome"],
        examples=document["examples"],
        failures=document["failures"],
        seeds=tuple(document["seeds"]),
        rules=tuple(
            RuleCounts(why_never=_why(each["mark"]), **_without_mark(each))
            for each in document["rules"]
        ),
        laws=tuple(
            LawCounts(why_never=_why(each["mark"]), **_without_mark(each))
            for each in document["laws"]
        ),
        faults=tuple(FaultCounts(**_without_mark(each)) for each in document["faults"]),
    )


def _without_mark(entry: Document) -> Document:
    return {name: value for name, value in entry.items() if name != "mark"}


def _why(mark: str) -> str:
    """What comes after ``never ran:`` or ``never checked:``."""
    return mark.partition(": ")[2]


# ---------------------------------------------------------------------- the schema

_COUNT: Document = {"type": "integer", "minimum": 0}
_TEXT: Document = {"type": "string"}
_NAME: Document = {"type": "string", "minLength": 1}
_FLAG: Document = {"type": "boolean"}


def _record(**fields: Document) -> Document:
    # Fields may be added within a version: a reader skips those that it does not know.
    return {"type": "object", "properties": fields, "required": list(fields)}


def _list_of(entry: Document) -> Document:
    return {"type": "array", "items": entry}


def statistics_schema() -> Document:
    """The JSON Schema (draft 2020-12) of these documents; docs/statistics.schema.json holds it."""
    top = _record(
        format={"const": FORMAT},
        version={"const": VERSION},
        machine=_NAME,
        test=_TEXT,
        outcome={"enum": list(get_args(Outcome))},
        examples=_COUNT,
        failures=_COUNT,
        seeds=_list_of({"type": ["integer", "string"]}),
        rules=_list_of(_record(name=_NAME, ready_made=_FLAG, runs=_COUNT, mark=_TEXT)),
        laws=_list_of(
            _record(
                name=_NAME,
                when={"enum": list(get_args(When))},
                checked=_COUNT,
                judged=_COUNT,
                skipped={"type": "object", "additionalProperties": _COUNT},
                mark=_TEXT,
            )
        ),
        faults=_list_of(
            _record(
                name=_NAME,
                declared=_FLAG,
                injected=_COUNT,
                effects=_COUNT,
                judged=_COUNT,
                mark=_TEXT,
            )
        ),
        marks=_COUNT,
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "chaoscheck run statistics",
        "description": "What the runs of one machine did: rules, laws and faults, counted.",
        **top,
    }


def schema_text() -> str:
    """The schema as docs/statistics.schema.json has it."""
    return f"{json.dumps(statistics_schema(), indent=2)}\n"
