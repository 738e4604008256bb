"""What an error that ends an example means."""

from __future__ import annotations

import unittest

import pytest
from hypothesis.errors import (
    FailedHealthCheck,
    InvalidArgument,
    InvalidDefinition,
    StopTest,
    UnsatisfiedAssumption,
)

from chaoscheck.errors import (
    Deadlock,
    Escape,
    InternalError,
    Livelock,
    NotExercised,
    PlanError,
    SubjectError,
    Uncancellable,
    Unreproducible,
    WorldError,
)
from chaoscheck.stateful.error_kinds import ErrorKind, kind_of

KINDS: dict[ErrorKind, list[BaseException]] = {
    "failure": [
        AssertionError("a law"),
        pytest.fail.Exception("by pytest"),
        SystemExit(1),
        GeneratorExit(),
        BaseException("of one's own"),
        SubjectError("it failed"),
        Deadlock("for ever"),
        Livelock("in circles"),
        Uncancellable("it stays"),
    ],
    "mistake": [
        PlanError("a typo"),
        NotExercised("nothing was hit"),
        WorldError("misused"),
        Escape("a real sleep"),
        InternalError("ours"),
        Unreproducible("elsewhere"),
        InvalidArgument("of a strategy"),
        InvalidDefinition("of a machine"),
        FailedHealthCheck("a rule returned something"),
    ],
    "skip": [unittest.SkipTest("not here"), pytest.skip.Exception("not here")],
    "stop": [KeyboardInterrupt(), pytest.exit.Exception("enough")],
    "invalid": [StopTest(1), UnsatisfiedAssumption("assume")],
}
CASES = [(kind, error) for kind, errors in KINDS.items() for error in errors]


@pytest.mark.parametrize(
    ("kind", "error"), CASES, ids=[f"{type(error).__name__}" for _, error in CASES]
)
def test_each_error_is_of_one_kind(kind: ErrorKind, error: BaseException) -> None:
    """Failures are kept, mistakes are corrected, skips skip, a stop ends the run."""
    assert kind == kind_of(error)
    assert kind == kind_of(BaseExceptionGroup("of a nursery", [error]))


@pytest.mark.parametrize(
    ("kind", "others"),
    [
        ("failure", [unittest.SkipTest("no"), PlanError("a typo"), AssertionError("a law")]),
        ("stop", [AssertionError("a law"), KeyboardInterrupt()]),
        ("invalid", [AssertionError("a law"), StopTest(1)]),
        ("mistake", [unittest.SkipTest("no"), PlanError("a typo")]),
    ],
)
def test_the_gravest_error_of_a_group_counts(kind: ErrorKind, others: list[BaseException]) -> None:
    """A task that skips hides no task that fails."""
    assert kind == kind_of(BaseExceptionGroup("nested", [BaseExceptionGroup("inner", others)]))
