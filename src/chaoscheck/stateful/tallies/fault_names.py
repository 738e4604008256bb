"""The names of faults as laws give them: a kind, a fault, its text or its name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from chaoscheck.errors import PlanError
from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.suggestions import unknown_name

__all__ = ["AnyFault", "fault_names"]

AnyFault = Fault | type[Fault] | str | None
"""A fault, its type, its name (``"cut"``), its text (``"status_429(retry_after_s=2)"``); None is
no fault, so that ``exchange.fault_name`` may be given as it is."""

_KINDS = frozenset(kind.name for kind in FAULTS)


def fault_names(faults: Iterable[AnyFault], others: Collection[str]) -> list[str]:
    """The names of ``faults``; PlanError for a name that neither the catalogue nor ``others`` has.

    ``others`` are link faults, "cancel", and faults that the machine declares.
    """
    return list(_names(faults, others))


def _names(faults: Iterable[AnyFault], others: Collection[str]) -> Iterator[str]:
    for fault in faults:
        if isinstance(fault, str):
            name = fault.partition("(")[0]
            if name not in _KINDS and name not in others:
                raise _unknown(name, others)
            yield name
        elif fault is not None:
            yield fault.name


def _unknown(name: str, others: Collection[str]) -> PlanError:
    legal = sorted({*_KINDS, *others})
    return PlanError(unknown_name("fault", name, legal))
