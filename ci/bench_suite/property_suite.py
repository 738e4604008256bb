"""How long ``ci/properties`` takes once installed, and how much memory its workers need."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from metric import Metric

ROOT = Path(__file__).parents[2]
WORKERS = 2
GIVE_UP_S = 600.0  # ten times what it takes
LINES_SHOWN = 15  # of what a failing run printed last


def suite_metrics() -> Iterator[Metric]:
    """Whether it passes, wall seconds, and the largest process of the run."""
    before = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", str(WORKERS), "properties/"],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        timeout=GIVE_UP_S,
    )
    took_s = time.monotonic() - before
    if run.returncode:
        print("\n".join(run.stdout.splitlines()[-LINES_SHOWN:]), file=sys.stderr)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e6
    for name, value, shown, target in (
        ("ci/properties, exit code", run.returncode, "", 0),
        ("ci/properties", took_s, "s", 90),
        ("largest worker of ci/properties", peak_mb, "MB", 300),
    ):
        yield Metric(name=name, value=value, unit=shown, target=target, at_least=False)
