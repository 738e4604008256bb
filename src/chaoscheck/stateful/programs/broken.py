"""What a failing replay broke: the law or the rule by name, and the line, for the story's end."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from chaoscheck.stateful.failures import origin_of

__all__ = ["what_broke"]


def what_broke(machine_type: Any, error: BaseException) -> str:
    """``law nothing_is_lost at test_mail.py:57``; a rule, or no law, where that is what failed."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    origin = origin_of(error)
    place = f" at {Path(origin.file).name}:{origin.line}" if origin.file else ""
    state = machine_type.setup_state()
    kinds = {each.function.__name__: "rule" for each in (*state.rules, *state.initializers)}
    kinds |= {each.function.__name__: "law" for each in state.invariants}
    for name in reversed(_methods_on_the_way(machine_type, error)):
        if name in kinds:
            return f"{kinds[name]} {name}{place}"
    return f"no law: {type(error).__name__}{place}"


def _methods_on_the_way(machine_type: Any, error: BaseException) -> list[str]:
    return [
        frame.f_code.co_name
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if isinstance(frame.f_locals.get("self"), machine_type)
    ]
