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


def suite_metrics() -> Iterator[Metric]:
    """Wall seconds on two workers, and the largest process of the run."""
    before = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "properties/"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    took_s = time.monotonic() - before
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e6
    yield Metric(name="ci/properties", value=took_s, unit="s", target=90, at_least=False)
    yield Metric(
        name="largest worker of ci/properties",
        value=peak_mb,
        unit="MB",
        target=300,
        at_least=False,
    )
