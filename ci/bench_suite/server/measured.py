"""A server process that tells what it has cost: its port, then CPU seconds whenever asked."""

from __future__ import annotations

import sys
import threading
import time

__all__ = ["announce"]


def announce(port: int) -> None:
    """Print ``port``; from now on answer each line of standard input with our CPU seconds.

    A thread waits for the lines, which costs nothing while none comes. The process ends with its
    standard input.
    """
    print(port, flush=True)
    threading.Thread(target=_answer_lines, daemon=True).start()


def _answer_lines() -> None:
    for _ in sys.stdin:
        print(time.process_time(), flush=True)
