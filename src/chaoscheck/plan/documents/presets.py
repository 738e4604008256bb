"""Presets: plans by name, from silence to chaos. Each is a document, as a user would write it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from chaoscheck.errors import PlanError
from chaoscheck.plan.catalogue import FAULTS, HEADER_FAULTS
from chaoscheck.plan.documents.plan_document import plan_from_document
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.suggestions import unknown_name

__all__ = ["PRESETS", "Preset", "preset"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preset:
    """A plan with a ``name`` and a ``description`` of one line."""

    name: str
    description: str
    document: Mapping[str, Any]

    @property
    def plan(self) -> FaultPlan:
        """The plan that the document says."""
        return _plan_of(self)


@functools.cache
def _plan_of(preset: Preset) -> FaultPlan:
    return plan_from_document(preset.document)


_GENTLE = {
    "status_429(retry_after_s=0.5)": 0.01,
    "status_500": 0.005,
    "status_503": 0.005,
    "slow_response(delay_s=0.5)": 0.01,
}

# Shares as public post-mortems and status pages of providers suggest them on a bad day.
_REALISTIC = {
    "status_429": 0.03,
    "status_500": 0.01,
    "status_502": 0.005,
    "status_503": 0.01,
    "status_529": 0.005,
    "slow_response(delay_s=3.0)": 0.02,
    "reset_before_headers": 0.003,
    "close_mid_body(after_bytes=64)": 0.003,
    "truncated_json": 0.002,
    "cut_stream": 0.005,
    "error_event_after_content": 0.003,
}

_STRESS = {
    "status_429": 0.1,
    "status_500": 0.05,
    "status_502": 0.02,
    "status_503": 0.05,
    "status_504": 0.02,
    "status_529": 0.05,
    "slow_response(delay_s=1.0)": 0.03,
    "invalid_json": 0.01,
    "truncated_json": 0.01,
    "empty_body": 0.01,
    "reset_before_headers": 0.01,
    "reset_mid_body": 0.01,
    "close_mid_body": 0.01,
    "cut_stream": 0.02,
    "missing_done": 0.01,
}

_STRESS_AIMD = {"status_429": 0.05, "status_503": 0.05, "status_529": 0.05}

# Most of it costs the server no more than a good answer: this preset is also measured for speed.
_STRESS_EXTREME = {
    "status_429(retry_after_s=0.05)": 0.13,
    "status_500": 0.09,
    "status_502": 0.04,
    "status_503": 0.09,
    "status_504": 0.03,
    "status_529": 0.08,
    "status_408": 0.024,
    "invalid_json": 0.03,
    "truncated_json": 0.02,
    "empty_body": 0.02,
    "missing_fields": 0.02,
    "null_content": 0.01,
    "wrong_content_type": 0.01,
    # What holds up or ends a connection is rare: it would be the servers' and clients' own cost of
    # connections that one then measures.
    "slow_response(delay_s=0.05)": 0.002,
    "reset_mid_body": 0.002,
    "close_before_headers": 0.002,
    # What strikes streams alone comes on top of that.
    "cut_stream": 0.04,
    "missing_done": 0.02,
    "duplicate_chunks": 0.02,
    "error_event_after_content": 0.02,
}

_CHAOS_SHARE = 0.01  # of requests, for each fault: a bit of everything

_ALL = (
    Preset(name="silent", description="nothing goes wrong", document={}),
    Preset(
        name="gentle",
        description="3 % of requests meet a short error or delay: a good day",
        document={"rates": _GENTLE},
    ),
    Preset(
        name="realistic",
        description="a bad day: about 10 % errors, short bursts of 429 and 529, a request limit",
        document={
            "rates": _REALISTIC,
            "headers": {"retry_after_fraction": 0.2, "retry_after_http_date": 0.1},
            "bursts": [
                {"fault": "status_429", "every_s": 60.0, "lasts_s": 3.0, "rate": 0.8},
                {
                    "fault": "status_529",
                    "every_s": 300.0,
                    "lasts_s": 10.0,
                    "rate": 0.5,
                    "phase_s": 120.0,
                },
            ],
            "limits": [{"kind": "tokens", "rate_per_s": 50.0, "burst": 100}],
        },
    ),
    Preset(
        name="stress",
        description="40 % of requests meet an error, a broken body or a broken connection",
        document={
            "rates": _STRESS,
            "headers": {"retry_after_zero": 0.1, "retry_after_garbage": 0.1},
            "bursts": [{"fault": "status_503", "every_s": 20.0, "lasts_s": 2.0}],
        },
    ),
    Preset(
        name="stress_aimd",
        description="ten requests a second, eight at once, and 15 % of 429, 503 and 529: AIMD pays",
        document={
            "rates": _STRESS_AIMD,
            "limits": [
                {"kind": "concurrency", "in_flight": 8},
                {"kind": "tokens", "rate_per_s": 10.0, "burst": 5},
            ],
        },
    ),
    Preset(
        name="stress_extreme",
        description="60 % of requests fail in twenty ways, half of the Retry-After headers lie",
        document={
            "rates": _STRESS_EXTREME,
            "headers": {
                "retry_after_zero": 0.1,
                "retry_after_past_date": 0.1,
                "retry_after_negative": 0.1,
                "retry_after_garbage": 0.2,
            },
        },
    ),
    Preset(
        name="chaos",
        description="a bit of everything: each fault at 1 %, stalls without end among them",
        document={
            "rates": {fault.name: _CHAOS_SHARE for fault in FAULTS if fault not in HEADER_FAULTS},
            "headers": {fault.name: 0.1 for fault in HEADER_FAULTS},
            "bursts": [{"fault": "status_529", "every_s": 30.0, "lasts_s": 1.0, "phase_s": 10.0}],
            "outages": [{"fault": "status_503", "from_s": 45.0, "until_s": 50.0}],
            "ramps": [
                {"fault": "slow_response", "from_s": 60.0, "until_s": 120.0, "end": 0.2},
            ],
            "limits": [
                {"kind": "quota", "requests": 600, "every_s": 60.0},
                {"kind": "tokens", "rate_per_s": 100.0, "burst": 200},
            ],
        },
    ),
)

#: Every preset by its name, the mildest first.
PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _ALL})


def preset(name: str) -> Preset:
    """The preset called ``name``; PlanError with the nearest legal name if there is none."""
    found = PRESETS.get(name)
    if found is not None:
        return found
    raise PlanError(unknown_name("preset", name, PRESETS))
