"""What a printed story needs before it can be pasted into a test and run."""

from __future__ import annotations

from collections.abc import Iterable

from chaoscheck.plan import catalogue
from chaoscheck.plan.fault import Fault

__all__ = ["import_lines"]


def import_lines(faults: Iterable[Fault]) -> list[str]:
    """Comments with the imports of the faults that a story names, one a module."""
    names: dict[str, set[str]] = {}
    for kind in {type(fault) for fault in faults}:
        if getattr(catalogue, kind.name, None) is kind:
            names.setdefault(catalogue.__name__, set()).add(kind.name)
        else:
            own = kind.__name__ if kind.__name__ == kind.name else f"{kind.__name__} as {kind.name}"
            names.setdefault(kind.__module__, set()).add(own)
    return [
        f"# to paste it: from {module} import {', '.join(sorted(those))}"
        for module, those in sorted(names.items())
    ]
