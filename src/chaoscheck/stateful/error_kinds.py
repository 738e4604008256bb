"""What an error that ends an example means: a failure, a mistake in the test, a skip, or a stop."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Literal
from unittest import SkipTest

from hypothesis.errors import (
    BackendCannotProceed,
    FailedHealthCheck,
    Flaky,
    Frozen,
    InvalidArgument,
    InvalidDefinition,
    StopTest,
    UnsatisfiedAssumption,
)

from chaoscheck.errors import (
    InternalError,
    PlanError,
    Uncancellable,
    Unreproducible,
    WorldError,
)

# Theory of operation. A failure is shrunk, told and kept as a regression, whatever its type:
# ``pytest.fail`` and ``SystemExit`` are no ``Exception``, and say no less that a promise is broken.
# A mistake says that the test is wrong: it is told at once with its line, cheaply shrunk, and
# never kept, since correcting it makes its story worthless. A skip skips the test. A stop is the
# user's: the run ends. *Invalid* is what Hypothesis's engine says to itself: the example is none.
#
# pytest's outcomes are found among the modules that are loaded, as there is no pytest under
# unittest; an error cannot be of a type that was never imported.

__all__ = ["ErrorKind", "kind_of"]

ErrorKind = Literal["failure", "mistake", "skip", "stop", "invalid"]

_INVALID = (BackendCannotProceed, Flaky, Frozen, StopTest, UnsatisfiedAssumption)
_MISTAKES = (
    FailedHealthCheck,
    InternalError,
    InvalidArgument,
    InvalidDefinition,
    PlanError,
    Unreproducible,
    WorldError,
)
# Of several errors in one group the first of these kinds counts: no skip hides a failure.
_ORDER: tuple[ErrorKind, ...] = ("stop", "invalid", "failure", "mistake", "skip")


def kind_of(error: BaseException) -> ErrorKind:
    """What ``error`` means; a group means what the gravest error in it does."""
    kinds = {_kind_of_leaf(leaf) for leaf in _leaves(error)}
    return next(kind for kind in _ORDER if kind in kinds)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup) and not isinstance(error, Flaky):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _kind_of_leaf(error: BaseException) -> ErrorKind:
    if isinstance(error, KeyboardInterrupt) or _is_outcome(error, "Exit"):
        return "stop"
    if isinstance(error, _INVALID):
        return "invalid"
    if isinstance(error, SkipTest) or _is_outcome(error, "Skipped"):
        return "skip"
    if isinstance(error, Uncancellable):  # a WorldError by name, and the subject's doing
        return "failure"
    return "mistake" if isinstance(error, _MISTAKES) else "failure"


def _is_outcome(error: BaseException, name: str) -> bool:
    outcome = getattr(sys.modules.get("_pytest.outcomes"), name, None)
    return outcome is not None and isinstance(error, outcome)
