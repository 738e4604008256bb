"""CPU seconds of this process, in a virtual world too, where ``time.process_time`` stands still."""

from __future__ import annotations

import resource

__all__ = ["cpu_s"]


def cpu_s() -> float:
    """User and system time of all threads, in seconds: from the kernel, which no world replaces."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
