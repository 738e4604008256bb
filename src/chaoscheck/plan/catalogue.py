"""All faults there are, by class and by the name users write.

Read it as the faults themselves: ``from chaoscheck.plan import catalogue as faults`` and then
``faults.reset_mid_body(after_bytes=17)``. A new fault is added to the imports, to ``FAULTS`` and
to the names at the end; a test holds the three together.
"""

from __future__ import annotations

import difflib

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.close_before_headers import CloseBeforeHeaders
from chaoscheck.plan.faults.close_mid_body import CloseMidBody
from chaoscheck.plan.faults.invalid_json import InvalidJson
from chaoscheck.plan.faults.reset_before_headers import ResetBeforeHeaders
from chaoscheck.plan.faults.reset_mid_body import ResetMidBody
from chaoscheck.plan.faults.slow_response import SlowResponse
from chaoscheck.plan.faults.stall_before_headers import StallBeforeHeaders
from chaoscheck.plan.faults.stall_mid_body import StallMidBody
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.faults.status_500 import Status500
from chaoscheck.plan.faults.status_503 import Status503
from chaoscheck.plan.faults.status_529 import Status529
from chaoscheck.plan.faults.truncated_json import TruncatedJson

__all__ = ["FAULTS", "fault_class"]

# The mildest first: what shrinks, shrinks toward the head of this tuple.
FAULTS: tuple[type[Fault], ...] = (
    Status429,
    Status500,
    Status503,
    Status529,
    SlowResponse,
    InvalidJson,
    TruncatedJson,
    CloseBeforeHeaders,
    CloseMidBody,
    ResetBeforeHeaders,
    ResetMidBody,
    StallBeforeHeaders,
    StallMidBody,
)

_BY_NAME = {fault.name: fault for fault in FAULTS}


def fault_class(name: str) -> type[Fault]:
    """The fault called ``name``; PlanError with the nearest legal name if there is none."""
    found = _BY_NAME.get(name)
    if found is not None:
        return found
    near = difflib.get_close_matches(name, _BY_NAME, n=1, cutoff=0.0)
    raise PlanError(
        f"unknown fault {name!r}; did you mean {near[0]!r}? Legal names: {', '.join(_BY_NAME)}"
    )


status_429 = Status429
status_500 = Status500
status_503 = Status503
status_529 = Status529
slow_response = SlowResponse
invalid_json = InvalidJson
truncated_json = TruncatedJson
close_before_headers = CloseBeforeHeaders
close_mid_body = CloseMidBody
reset_before_headers = ResetBeforeHeaders
reset_mid_body = ResetMidBody
stall_before_headers = StallBeforeHeaders
stall_mid_body = StallMidBody
