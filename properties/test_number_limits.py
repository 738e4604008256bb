"""Legal ranges: every value is let in or refused, and a refusal names setting, range and value."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from chaoscheck import PlanError
from chaoscheck.components.number_limits import require_above, require_at_least, require_whole

Check = Callable[[str, Any, Any], None]

NO_NUMBERS: list[Any] = [True, False, None, "3", "", b"3", [3], 3j]
NOT_FINITE = [math.nan, math.inf, -math.inf, 10**400, -(10**400)]


@pytest.mark.parametrize("low", [0, 1, -2, 2.5])
@pytest.mark.parametrize(("check", "sign"), [(require_at_least, ">="), (require_above, ">")])
def test_a_number_is_let_in_from_its_limit_up(check: Check, sign: str, low: float) -> None:
    """The limit itself is legal where it says at least, and illegal where it says above."""
    above, below = math.nextafter(low, math.inf), math.nextafter(low, -math.inf)
    legal = [above, low + 1, 1e308, *([low] if sign == ">=" else [])]
    illegal = [below, low - 1, -1e308, *([low] if sign == ">" else [])]

    for value in legal:
        check("delay_s", value, low)
    for value in [*illegal, *NO_NUMBERS, *NOT_FINITE]:
        with pytest.raises(PlanError) as refusal:
            check("delay_s", value, low)
        told = str(refusal.value)
        assert told == f"delay_s must be a finite number {sign} {low}, got {value!r}"


@pytest.mark.parametrize("low", [0, 1, -2])
def test_a_whole_number_is_let_in_from_its_limit_up(low: int) -> None:
    """However large; a float is none, also where it has no fraction."""
    for value in (low, low + 1, 10**400):
        require_whole("size", value, low)
    for value in [low - 1, -(10**400), low + 1.0, math.nan, math.inf, *NO_NUMBERS]:
        with pytest.raises(PlanError) as refusal:
            require_whole("size", value, low)
        told = str(refusal.value)
        assert told == f"size must be a whole number >= {low}, got {value!r}"
