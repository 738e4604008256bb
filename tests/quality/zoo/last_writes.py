"""What may stand in a register at rest: the writes that no later write followed."""

from __future__ import annotations

from chaoscheck.history.operations import History

__all__ = ["last_writes"]


def last_writes(history: History, name: str) -> set[object]:
    """The arguments with which completed writes called ``name`` may have ended.

    Of two writes that overlap either may have come last; a write that began after another had
    ended comes after it. Empty if none succeeded.
    """
    ended = {
        write.completed: write
        for write in history
        if write.name == name and write.status == "ok" and write.completed is not None
    }
    last_begin = max((write.invoked for write in ended.values()), default=0)
    return {_sole(write.argument) for end, write in ended.items() if end > last_begin}


def _sole(arguments: object) -> object:
    assert isinstance(arguments, dict)
    (argument,) = arguments.values()
    return argument
