"""Whose fault an error is.

Every error of ours is one of four: the plan (you wrote it wrong), the subject (what is under
test misbehaved), the world (something outside misbehaved), or us. Messages show the value and
the legal range. This module imports nothing of ours.
"""

from __future__ import annotations

__all__ = [
    "ChaoscheckError",
    "Deadlock",
    "Escape",
    "InternalError",
    "Livelock",
    "NotExercised",
    "PlanError",
    "SubjectError",
    "UnansweredWarning",
    "Uncancellable",
    "Unreproducible",
    "WorldError",
]


class ChaoscheckError(Exception):
    """Base of all errors that chaoscheck raises on purpose."""


class PlanError(ChaoscheckError):
    """A plan, fault or setting was written wrong: names the value and the legal range."""


class SubjectError(ChaoscheckError):
    """What is under test misbehaved."""


class WorldError(ChaoscheckError):
    """A world was misused, or something outside it misbehaved."""


class InternalError(ChaoscheckError):
    """A fault of chaoscheck itself; please report it."""


class Deadlock(SubjectError):
    """Every task waits and no deadline lies ahead, yet an awaited step is unfinished."""


class Livelock(SubjectError):
    """Tasks stay runnable past the tick limit and the clock cannot move."""


class Escape(WorldError):
    """Code in a virtual world reached for the real one: names what, and the file and line."""


class NotExercised(PlanError):
    """A declared fault had no effect, or no law judged it: the run tested less than it claims."""


class Unreproducible(SubjectError):
    """The same choices lead elsewhere: names the first task and line where two runs part ways."""


class Uncancellable(SubjectError, WorldError):
    """Tasks do not end although they are cancelled; the world closed without them."""


class UnansweredWarning(UserWarning):
    """A clock or a source of chance that a module holds and a world cannot replace: it is real."""
