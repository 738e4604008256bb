"""Which world answers in this thread, and how an escape from it is reported."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from chaoscheck.errors import Escape
from chaoscheck.world.answers import Answers
from chaoscheck.world.patches.caller import calling_place

__all__ = ["Patch", "StandIn", "Wrap", "escape", "here", "reported", "stand_in"]

#: Makes what takes the place of a real function; asks ``here`` whether a world is open.
Wrap = Callable[[Any], Any]


class Patch(NamedTuple):
    """``owner.name`` becomes ``wrap(real)`` while a world is open.

    The owner is a module or a class, or the dotted name of a module that may not be imported
    yet, or of a class in it (``"selectors:EpollSelector"``). What does not exist on this
    platform is left out.
    """

    owner: Any
    name: str
    wrap: Wrap


class _PerThread(threading.local):
    #: The answers of the world that is open in this thread.
    answers: Answers | None = None


here = _PerThread()


def escape(what: str) -> Escape:
    """The Escape to raise: it names ``what`` and where it was called, and the world keeps it."""
    answers = here.answers
    if answers is None:  # not while a patched function answers
        return Escape(f"{what} cannot run in a virtual world")
    thread = " (in a worker thread, which runs inline here)" if answers.in_worker else ""
    made = Escape(f"{what} cannot run in a virtual world: called at {calling_place()}{thread}")
    answers.keep(made)
    return made


def reported(what: str) -> Wrap:
    """Whatever the arguments, it is an Escape."""

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def answer(*args: Any, **kwargs: Any) -> Any:
            if here.answers is None:
                return real(*args, **kwargs)
            raise escape(what)

        return answer

    return wrap


class StandIn:
    """What takes the place of a built-in function. As that, it does not bind to instances.

    A Python function would: ``clock = time.monotonic`` in a class body would get a ``self``.
    """

    __slots__ = ("__weakref__", "__wrapped__")

    def __init__(self, real: Any) -> None:
        self.__wrapped__ = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __copy__(self) -> StandIn:
        return self

    def __deepcopy__(self, memo: object) -> StandIn:
        return self


def stand_in(real: Any, answer: Any) -> Any:
    """``answer``, made callable in the way in which ``real`` is."""
    if hasattr(type(real), "__get__") or isinstance(answer, type):
        return answer
    body = {"__slots__": (), "__call__": staticmethod(answer)}
    return type(real.__name__, (StandIn,), body)(real)
