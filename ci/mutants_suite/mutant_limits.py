"""What a mutant may use: CPU time for each test, time on the wall, and memory."""

from __future__ import annotations

import math
import os
import resource
import signal

__all__ = ["limit_memory", "limit_time", "used_cpu_s", "was_out_of_time"]

_CPU_FACTOR = 8  # a test that takes so many times what the unchanged component takes has timed out
_CPU_MIN_S = 3
_WALL_FACTOR = 20  # how much longer than its CPU time a test may take on a busy machine
_WALL_MIN_S = 60
_MEMORY_MAX = 4 << 30  # bytes; what a mutant that never stops collecting may take


def limit_memory() -> None:
    """End this process where it takes more than 4 GiB."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_MAX, _MEMORY_MAX))


def used_cpu_s() -> float:
    """CPU seconds that this process has used so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def limit_time(control_s: float) -> None:
    """End this process unless a test ends soon that takes ``control_s`` CPU seconds by itself."""
    allowed_s = max(_CPU_MIN_S, math.ceil(_CPU_FACTOR * control_s))
    until_s = math.ceil(used_cpu_s()) + allowed_s
    resource.setrlimit(resource.RLIMIT_CPU, (until_s, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(max(_WALL_MIN_S, _WALL_FACTOR * allowed_s))


def was_out_of_time(status: int) -> bool:
    """Whether a process with this wait status was ended by ``limit_time``."""
    ends = (signal.SIGXCPU, signal.SIGALRM)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) in ends
