"""Hypothesis's own run of a machine: every failure counts, and a mistake ends the search."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from hypothesis import settings as Settings
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import get_state_machine_test

from chaoscheck.stateful.claims import current_claims
from chaoscheck.stateful.error_kinds import kind_of
from chaoscheck.stateful.failures import origin_of

# Theory of operation. Hypothesis shrinks what is an ``Exception`` and lets everything else end
# its run, so the error of an example changes its clothes on the way out. A failure that is no
# ``Exception`` travels as the cause of one. A mistake, and pytest's exit, travel as what Hypothesis
# does not catch, so that nothing is shrunk. Here both are taken out again.

__all__ = ["run_hypothesis"]


class _Failed(Exception):
    """A failure that is no Exception, as Hypothesis takes it; the failure is the cause."""


class _Ended(BaseException):
    """What ends a search at once."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


def run_hypothesis(
    machine: Any, settings: Settings, *, key: str | None = None, seed: int | str | None = None
) -> None:
    """What run_state_machine_as_test does; raises what the machine raised, whatever its type.

    With a ``key`` of its own, a machine's examples are found again after an edit of it, and the
    database stays in use under ``--hypothesis-seed``.
    """
    __tracebackhide__ = True
    state = {"selecting_rule": False}
    test: Any = get_state_machine_test(machine, settings=settings, _flaky_state=state)
    if key is not None:
        test._hypothesis_internal_database_key = f"chaoscheck: {key}".encode()
    if seed is not None:
        test._hypothesis_internal_use_seed = seed
    test.hypothesis.inner_test = _as_hypothesis_takes_it(machine, test.hypothesis.inner_test)
    try:
        test()
        return
    except FlakyStrategyDefinition as flaky:
        if state["selecting_rule"]:
            flaky.add_note(
                "while selecting a rule to run. This is usually caused by a flaky precondition, "
                "or a bundle that was unexpectedly empty."
            )
        raise
    except BaseException as error:
        raised = error
    raise _as_raised(raised)


def _as_hypothesis_takes_it(machine: Any, example: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(example)
    def run(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        try:
            example(*args, **kwargs)
        except BaseException as error:
            kind = kind_of(error)
            if kind == "failure" and not current_claims().claim(origin_of(error)):
                machine._failures.forget(error)  # another shard tells it
                return
            if kind == "mistake" or (kind == "stop" and isinstance(error, Exception)):
                raise _Ended(error) from error
            if kind == "failure" and not isinstance(error, Exception):
                raise _Failed(str(error)) from error
            raise

    return run


def _as_raised(error: BaseException) -> BaseException:
    """The machine's own error, or the group of them where it has several bugs."""
    if isinstance(error, _Ended):
        return error.error
    if isinstance(error, _Failed):
        return error.__cause__ or error
    if isinstance(error, ExceptionGroup) and any(
        isinstance(each, _Failed) for each in error.exceptions
    ):
        return BaseExceptionGroup(error.message, [_as_raised(each) for each in error.exceptions])
    return error
