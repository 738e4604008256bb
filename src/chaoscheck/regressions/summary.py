"""What pytest's summary says of a machine that failed, in a line."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck.regressions.law import broken_laws
from chaoscheck.stateful.claims import ToldElsewhere

__all__ = ["name_the_law"]


def name_the_law(report: pytest.TestReport, machine: Any, error: BaseException) -> None:
    """Which law fell, with its witness; a bug that another shard tells is a line and no more."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if isinstance(error, ToldElsewhere):
        report.longrepr = str(error)
    elif crash is not None:
        crash.message = "; ".join(map(str, broken_laws(machine, error)))
