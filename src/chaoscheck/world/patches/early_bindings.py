"""Names that were bound before a world opened: ``from time import monotonic``, ``now=time.time``.

A module of the user's project or of site-packages that holds a real function which is patched
gets the stand-in in its place while a world is open, and a lock or a simple queue of ``threading``
that it made gets one that reports where it would block. What cannot be replaced is warned about.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

from chaoscheck.errors import UnansweredWarning
from chaoscheck.world.patches.blocking import made_before

# Theory of operation. Each module is looked through once, when the first world opens after it was
# imported: its names, the attributes of its classes, the defaults and closures of its functions
# and methods (where dataclasses and attrs keep theirs too), and the values of its dictionaries,
# lists and instances. Each place that holds a real function becomes a ``Binding``, which is put
# in force and taken back with the patches: only a few modules have any. What a tuple, a partial
# or a slotted instance holds cannot be put right without making another one: that is warned
# about, once a module.
#
# A module that is imported while a world is open binds the stand-ins, which answer like the real
# functions where there is no world.

__all__ = ["EarlyBindings", "unanswered"]

# What runs and measures the examples, and what the world itself stands on.
_LEFT_ALONE = frozenset(
    {
        *("_hypothesis_pytestplugin", "_pytest", "_time_machine", "anyio", "attr", "attrs"),
        *("chaoscheck", "coverage", "debugpy", "execnet", "hypothesis", "outcome", "pluggy"),
        *("pydevd", "pytest", "pytest_cov", "pytest_timeout", "sniffio", "sortedcontainers"),
        *("time_machine", "trio", "xdist"),
    }
)
# Modules of the standard library that hand a clock or a sleep on to their callers.
_STDLIB_TOO = frozenset({"sched"})

_CODE = (FunctionType, type)

#: Puts a value where the real function stood.
Put = Callable[[Any], object]

_unanswered: dict[str, str] = {}


def unanswered() -> tuple[str, ...]:
    """What reads real clocks or real chance and could not be replaced: ``module.name``."""
    return tuple(_unanswered.values())


class EarlyBindings:
    """The early bindings of this process. ``stand_ins`` maps a real function's id to its own."""

    def __init__(self) -> None:
        self._looked_through: dict[str, ModuleType] = {}
        self._bindings: list[tuple[Put, Any, Any]] = []
        self._stand_ins: dict[int, Any] = {}
        self._warned: set[str] = set()

    def know(self, stand_ins: Mapping[int, Any]) -> None:
        """These take the place of real functions; look for all of them anew if they are others."""
        if stand_ins.keys() - self._stand_ins.keys():
            self._looked_through.clear()
            self._bindings.clear()
            self._stand_ins = dict(stand_ins)

    def look_through_new_modules(self) -> None:
        """Find what modules bound that were imported since the last time.

        Warns UnansweredWarning of what cannot be replaced, once for each module.
        """
        if len(sys.modules) != len(self._looked_through):
            new = [each for each in sys.modules.items() if self._is_new(*each)]
            for name, module in new:
                if _is_subject(name, module):
                    self._look_through(name, module)
            self._looked_through = dict(sys.modules)
        for module_name in _unanswered.keys() - self._warned:
            warnings.warn(
                f"{_unanswered[module_name]} was bound before the world opened and cannot be "
                f"replaced: what it reads there is real. Look it up when it is called instead",
                UnansweredWarning,
                stacklevel=2,
            )
            self._warned.add(module_name)  # after, so that each run fails where warnings are errors

    def _is_new(self, name: str, module: ModuleType) -> bool:
        return self._looked_through.get(name) is not module

    def put_in_force(self) -> None:
        """The stand-ins take their places."""
        for put, _, answer in self._bindings:
            put(answer)

    def take_back(self) -> None:
        """The real functions stand there again."""
        for put, real, _ in reversed(self._bindings):
            put(real)

    def _look_through(self, name: str, module: ModuleType) -> None:
        names = vars(module)
        for key, value in list(names.items()):
            if key == "__builtins__":
                continue
            if (answer := self._answer(value)) is not None:
                self._bindings.append((partial(names.__setitem__, key), value, answer))
            elif issubclass(type(value), _CODE):
                if getattr(value, "__module__", None) == name:
                    self._look_into(value, f"{name}.{key}", name)
            elif not issubclass(type(value), ModuleType):
                self._look_at_value(value, f"{name}.{key}", name)

    def _look_into(self, value: Any, place: str, module: str) -> None:
        """What a function or a class of the module holds."""
        if isinstance(value, FunctionType):
            self._look_into_function(value)
            return
        for key, held in list(vars(value).items()):
            inner = held.__func__ if isinstance(held, staticmethod | classmethod) else held
            if (answer := self._answer(inner)) is not None:
                new = staticmethod(answer) if isinstance(held, staticmethod) else answer
                self._bindings.append((partial(setattr, value, key), held, new))
            elif isinstance(inner, FunctionType):
                self._look_into_function(inner)
            elif isinstance(inner, type) and _is_defined_in(inner, value):
                self._look_into(inner, f"{place}.{key}", module)
            elif isinstance(inner, dict | list | tuple | partial):
                self._look_at_value(inner, f"{place}.{key}", module)

    def _look_into_function(self, function: FunctionType) -> None:
        if any(id(value) in self._stand_ins for value in function.__defaults__ or ()):
            real = function.__defaults__ or ()
            answers = tuple(self._stand_ins.get(id(value), value) for value in real)
            self._bindings.append((partial(setattr, function, "__defaults__"), real, answers))
        if function.__kwdefaults__:
            self._look_into_dict(function.__kwdefaults__)
        for cell in function.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:  # not filled yet
                continue
            if (answer := self._answer(value)) is not None:
                self._bindings.append((partial(setattr, cell, "cell_contents"), value, answer))

    def _look_into_dict(self, held: dict[Any, Any]) -> None:
        for key, value in list(held.items()):
            if (answer := self._answer(value)) is not None:
                self._bindings.append((partial(held.__setitem__, key), value, answer))

    def _look_at_value(self, value: Any, place: str, module: str) -> None:
        """A container or an instance that a module keeps."""
        kind = type(value)  # not isinstance, which asks proxies who they are
        if issubclass(kind, dict):
            self._look_into_dict(value)
        elif issubclass(kind, list):
            for index, each in enumerate(value):
                if (answer := self._answer(each)) is not None:
                    self._bindings.append((partial(value.__setitem__, index), each, answer))
        elif issubclass(kind, tuple | partial):
            self._note_unanswered(_parts(value), place, module)
        elif kind.__module__ != "builtins":
            try:
                self._look_into_dict(object.__getattribute__(value, "__dict__"))
            except AttributeError:
                pass  # it has slots alone
            self._note_unanswered(_slots(value), place, module)

    def _note_unanswered(self, held: Iterator[Any], place: str, module: str) -> None:
        for value in held:
            if id(value) in self._stand_ins:
                name = f"{value.__module__}.{value.__name__}"
                _unanswered.setdefault(module, f"{name}, which {place} holds,")

    def _answer(self, value: Any) -> Any:
        """What takes the place of ``value`` while a world is open; None: nothing."""
        answer = self._stand_ins.get(id(value))
        return made_before(value) if answer is None else answer


def _is_subject(name: str, module: object) -> bool:
    """Whether a module is of the user's project or of a library that may be under test."""
    top = name.partition(".")[0]
    if top in _LEFT_ALONE or not isinstance(module, ModuleType):
        return False
    return top not in sys.stdlib_module_names or top in _STDLIB_TOO


def _is_defined_in(inner: type[Any], outer: type[Any]) -> bool:
    """Whether a class stands in the body of another: classes may name each other in circles."""
    return inner.__module__ == outer.__module__ and inner.__qualname__.startswith(
        f"{outer.__qualname__}."
    )


def _parts(value: Any) -> Iterator[Any]:
    """What a tuple or a partial holds."""
    if isinstance(value, tuple):
        yield from value
    else:
        yield from (value.func, *value.args, *value.keywords.values())


def _slots(value: Any) -> Iterator[Any]:
    for base in type(value).__mro__:
        names = vars(base).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else tuple(names):
            try:
                yield object.__getattribute__(value, name)
            except AttributeError:
                continue
