"""What a machine declares, checked when its class is made: the usual slips have a message each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from chaoscheck.errors import PlanError
from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.stateful.chaos import LINK_FAULTS
from chaoscheck.suggestions import meant, near_name, unknown_name

__all__ = ["check_declarations"]


def check_declarations(machine: Any) -> None:
    """PlanError where ``faults``, ``links``, ``refusals`` or ``doubts`` are not what they may be.

    A forgotten comma, an instance in the place of its class, a name that is none: the message
    says what to write instead.
    """
    for attribute, check in _CHECKS.items():
        for element in _elements(machine, attribute):
            check(f"{machine.__name__}.{attribute}", element)


def _elements(machine: Any, attribute: str) -> Iterator[Any]:
    declared = getattr(machine, attribute)
    if isinstance(declared, tuple | list):
        yield from declared
        return
    where = f"{machine.__name__}.{attribute} must be a tuple, got {declared!r}"
    if isinstance(declared, type | str | Fault | Exception):
        raise PlanError(f"{where}: write ({_shown(declared)},) with a comma")
    raise PlanError(where)


def _shown(element: Any) -> str:
    """How one element is written in a test file."""
    if isinstance(element, Fault) or (isinstance(element, type) and issubclass(element, Fault)):
        return f"faults.{element.name}"
    if isinstance(element, Exception):
        return type(element).__name__
    return element.__name__ if isinstance(element, type) else repr(element)


def _check_fault(where: str, element: Any) -> None:
    if isinstance(element, type) and issubclass(element, Fault):
        return
    if isinstance(element, Fault):
        raise PlanError(
            f"{where} takes kinds of fault, got the value {element!r}: write {_shown(element)}; "
            f"the chaos rules draw its parameters"
        )
    if isinstance(element, str):
        names = [kind.name for kind in FAULTS]
        if element in LINK_FAULTS:
            raise PlanError(f"{where}: {element!r} is a link fault: write links = ({element!r},)")
        near = near_name(element, names)
        write = f": write faults.{near}" if near else meant(element, names)
        raise PlanError(f"{where} takes kinds of fault, got the name {element!r}{write}")
    raise PlanError(f"{where} takes kinds of fault, such as faults.status_429, got {element!r}")


def _check_link(where: str, element: Any) -> None:
    if element in LINK_FAULTS:
        return
    if isinstance(element, type) and issubclass(element, Fault):
        raise PlanError(
            f"{where}: {element.name} is a fault of the server: write "
            f"faults = (faults.{element.name},)"
        )
    raise PlanError(f"{where}: {unknown_name('link fault', element, LINK_FAULTS)}")


def _check_exception(where: str, element: Any) -> None:
    if isinstance(element, type) and issubclass(element, Exception):
        return
    hint = f": write {_shown(element)}" if isinstance(element, Exception) else ""
    raise PlanError(f"{where} takes classes of exceptions, got {element!r}{hint}")


_CHECKS: dict[str, Callable[[str, Any], None]] = {
    "faults": _check_fault,
    "links": _check_link,
    "refusals": _check_exception,
    "doubts": _check_exception,
}
