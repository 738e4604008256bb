"""A slip in what a machine declares has a message that says what to write instead."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.stateful.machine import ChaosMachine

SLIPS: list[tuple[dict[str, Any], str]] = [
    ({"faults": faults.status_429}, "write (faults.status_429,) with a comma"),
    ({"faults": faults.status_429(retry_after_s=1)}, "write (faults.status_429,) with a comma"),
    ({"faults": (faults.status_500(),)}, "got the value status_500(): write faults.status_500;"),
    ({"faults": ("status_42",)}, "got the name 'status_42': write faults.status_4"),
    ({"faults": ("qwerty",)}, "got the name 'qwerty'; legal: "),
    ({"faults": ("cut",)}, "'cut' is a link fault: write links = ('cut',)"),
    ({"faults": (faults,)}, "takes kinds of fault, such as faults.status_429, got <module"),
    ({"faults": 7}, "Slip.faults must be a tuple, got 7"),
    ({"links": "cut"}, "Slip.links must be a tuple, got 'cut': write ('cut',) with a comma"),
    ({"links": ("cutt",)}, "unknown link fault 'cutt'; did you mean 'cut'? legal: cut, half_close"),
    ({"links": ("qwerty",)}, "unknown link fault 'qwerty'; legal: cut, half_close"),
    ({"links": (faults.status_429,)}, "write faults = (faults.status_429,)"),
    ({"refusals": ValueError}, "write (ValueError,) with a comma"),
    ({"doubts": TimeoutError}, "write (TimeoutError,) with a comma"),
    ({"doubts": (OSError(),)}, "takes classes of exceptions, got OSError(): write OSError"),
    ({"refusals": ("ValueError",)}, "takes classes of exceptions, got 'ValueError'"),
    ({"refusals": (KeyboardInterrupt,)}, "takes classes of exceptions"),
]


@pytest.mark.parametrize(("declared", "message"), SLIPS, ids=[str(i) for i in range(len(SLIPS))])
def test_a_slip_is_refused_with_what_to_write(declared: dict[str, Any], message: str) -> None:
    """The class statement itself fails, and the message can be typed in."""
    with pytest.raises(PlanError) as refused:
        type("Slip", (ChaosMachine,), declared)

    assert message in str(refused.value)


def test_a_list_will_do() -> None:
    """What was legal before stays so."""
    made: Any = type("Fine", (ChaosMachine,), {"faults": [faults.status_429], "links": ["cut"]})

    assert [faults.status_429] == made.faults
