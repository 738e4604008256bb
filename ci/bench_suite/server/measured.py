"""A server process that reports what it uses: its port, then CPU and memory whenever asked."""

from __future__ import annotations

import sys
import threading
import time

import psutil

__all__ = ["announce"]


def announce(port: int) -> None:
    """Print ``port``; from now on answer each line of standard input with our CPU s and RSS bytes.

    A thread waits for the lines, which costs nothing while none comes. The process ends with its
    standard input.
    """
    print(port, flush=True)
    threading.Thread(target=_answer_lines, daemon=True).start()


def _answer_lines() -> None:
    process = psutil.Process()
    for _ in sys.stdin:
        print(time.process_time(), process.memory_info().rss, flush=True)
