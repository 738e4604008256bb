"""What a replay did, as digests that two replays share if they did the same."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from chaoscheck.history.operations import OperationRecord
from chaoscheck.plan.fault import Fault
from chaoscheck.stateful.failures import origin_of

__all__ = ["Behaviour", "shown"]

# Theory of operation. The trace of the world holds what went over its network, and a machine
# without one leaves it empty. So two digests are taken of what any machine does.
#
# ``conduct`` holds the steps with the virtual time at which each ended, when operations began and
# ended and how, the trace, and the kind of error. Replays that differ in it are not deterministic.
#
# ``digest`` also holds values: what rules and operations returned, and what the error says. They
# enter as text where that is the same in every process: plain values, faults, and containers of
# them; of any other value its type. A value may be an identity, so that a difference in values
# alone is no proof that a machine is not deterministic.

_PLAIN = (bool, int, float, str, bytes, type(None), Fault)
_DEPTH_MAX = 4  # containers are looked into so deep
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


class Behaviour:
    """Notes of one replay, in order."""

    def __init__(self) -> None:
        self._conduct = hashlib.sha256()
        self._values = hashlib.sha256()

    def step(self, number: int, rule: str, at_s: float) -> None:
        """A step ended, well or not, at this virtual time in seconds."""
        _add(self._conduct, "step", number, rule, at_s)

    def returned(self, value: object) -> None:
        """The last step returned this."""
        _add(self._values, shown(value))

    def end(self, machine: Any, error: BaseException | None) -> None:
        """All is over; ``error`` is how the replay failed, if it did."""
        for record in machine.history:
            _add(self._conduct, "operation", *_course_of(record))
            _add(self._values, shown(record.argument), shown(record.result))
        for operation in machine._operations:
            _add(self._conduct, "ended", operation.name, operation.state, operation.ended_s)
        _add(self._conduct, "trace", machine.world.trace.digest())
        if error is not None:
            # Not the line: an edit further up in the file changes nothing of what happened.
            _add(self._conduct, "error", origin_of(error).kind)
            _add(self._values, _ADDRESS.sub("0x", str(error)))

    def conduct(self) -> str:
        """SHA-256 in hexadecimal of what was done and when."""
        return self._conduct.hexdigest()

    def digest(self) -> str:
        """SHA-256 in hexadecimal of that and of all values."""
        both = self._conduct.digest() + self._values.digest()
        return hashlib.sha256(both).hexdigest()


def _add(sum_: Any, *parts: object) -> None:
    sum_.update(repr(parts).encode("utf-8", "backslashreplace"))


def _course_of(record: OperationRecord) -> tuple[object, ...]:
    error = None if record.error is None else type(record.error).__qualname__
    when = (record.invoked, record.completed, record.invoked_at_s, record.completed_at_s)
    return (record.client, record.name, record.status, error, *when)


def shown(value: object, depth: int = _DEPTH_MAX) -> str:
    """``value`` as text that is the same in every process."""
    if isinstance(value, _PLAIN):
        return repr(value)
    kind = type(value).__qualname__
    if depth == 0:
        return kind
    if isinstance(value, dict):
        pairs = (f"{shown(k, depth - 1)}: {shown(v, depth - 1)}" for k, v in value.items())
        return f"{kind}{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"{kind}[{', '.join(shown(each, depth - 1) for each in value)}]"
    if isinstance(value, set | frozenset):
        return f"{kind}{{{', '.join(sorted(shown(each, depth - 1) for each in value))}}}"
    return kind
