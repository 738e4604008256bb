"""``--chaos-schedules fair|any``: the orders of tasks that machines of a run are searched with."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest

__all__ = ["add_option", "require", "searching"]

_OPTION = "--chaos-schedules"


def add_option(group: pytest.OptionGroup) -> None:
    """The option."""
    group.addoption(
        _OPTION,
        metavar="fair|any",
        default=None,
        help="orders of tasks that machines which name none are searched with: fair, those that a "
        "present trio can show, or any; by default any under the profile nightly, else fair",
    )


def require(config: pytest.Config) -> None:
    """A usage error unless the schedules that were asked for are known."""
    asked = config.getoption(_OPTION)
    if asked is None:
        return
    from chaoscheck.errors import PlanError
    from chaoscheck.stateful.schedule_modes import require_schedules

    try:
        require_schedules(asked)
    except PlanError as error:
        raise pytest.UsageError(f"{_OPTION}: {error}") from None


def searching(config: pytest.Config) -> AbstractContextManager[None]:
    """Machines that run meanwhile are searched with what was asked for, else the profile's."""
    from chaoscheck.profiles import schedules_by_default
    from chaoscheck.stateful.schedule_modes import searching_with

    return searching_with(config.getoption(_OPTION) or schedules_by_default())
