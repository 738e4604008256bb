"""Ctrl-C inside a world: the code that runs is interrupted, a task or sync code, and the run ends.

trio's own handler takes what a world does between ticks, and tasks that sync code started, for
protected, and waits for a checkpoint that a loop never reaches. So the world brings its own.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import outcome
import trio

__all__ = ["Interrupts"]

# Each world asks for and sets the handler twice. The functions of ``signal`` try to make members
# of an enumeration of what they return, which costs a world 10 µs; those that they call do not.
_c_signal: Any = sys.modules.get("_signal", signal)

_WORLD = str(Path(__file__).parent) + os.sep
# A KeyboardInterrupt in the middle of these would leave a run that cannot even be closed; they do
# not run for long, so that it is raised when the tick ends. What answers code in the world, and
# may be all that a loop ever calls, is not among them.
_NOT_HERE = (
    *(str(Path(library.__file__ or "").parent) + os.sep for library in (outcome, trio)),
    _WORLD + "network" + os.sep,
    *(_WORLD + name for name in ("operation.py", "pump.py", "schedule.py", "scheduler.py")),
)


class Interruptible(Protocol):
    """What the handler asks of the pump."""

    ticking: bool
    #: Set when a tick was interrupted; the pump raises KeyboardInterrupt when the tick ends.
    interrupted: bool


class Interrupts:
    """Takes SIGINT for one world, where Python's own handler would have had it."""

    def __init__(self, pump: Interruptible) -> None:
        self._pump = pump
        self._taken = False

    def take(self) -> None:
        """Handle SIGINT from now on; not in other threads, nor where the user handles it."""
        if threading.current_thread() is not threading.main_thread():
            return
        if _c_signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            _c_signal.signal(signal.SIGINT, self._handle)
            self._taken = True

    def give_back(self) -> None:
        """Python's own handler has it again, unless it was replaced meanwhile."""
        if self._taken and _c_signal.getsignal(signal.SIGINT) == self._handle:
            _c_signal.signal(signal.SIGINT, signal.default_int_handler)
        self._taken = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._pump.ticking:
            self._pump.interrupted = True
            if frame is not None and frame.f_code.co_filename.startswith(_NOT_HERE):
                return
        raise KeyboardInterrupt
