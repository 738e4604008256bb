"""Measure what we claim: ``ci/bench [--json]``. CPU ratios within one run, never wall clock alone.

Each metric has a target; the exit code is 1 when one is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from anchors import anchor_metrics
from linearizability import linearizability_metrics
from machine_speed import machine_metrics
from metric import Metric
from pipeline_speed import pipeline_metrics
from property_suite import suite_metrics
from regressions import regression_metrics
from server_speed import server_metrics
from shrinking import shrinking_metrics
from transport import transport_metrics

GROUPS: dict[str, Callable[[], Iterator[Metric]]] = {
    "anchors": anchor_metrics,
    "linearizability": linearizability_metrics,
    "machine": machine_metrics,
    "pipeline": pipeline_metrics,
    "transport": transport_metrics,
    "server": server_metrics,
    "regressions": regression_metrics,
    "shrinking": shrinking_metrics,
    "suite": suite_metrics,
}


def main() -> int:
    """Run the groups asked for (all by default) and print their metrics."""
    parser = argparse.ArgumentParser(prog="ci/bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--group", choices=sorted(GROUPS), action="append", help="only this one")
    options = parser.parse_args()
    metrics: list[Metric] = []
    for name in options.group or GROUPS:
        for metric in GROUPS[name]():
            metrics.append(metric)
            if not options.json:
                print(metric, flush=True)
    if options.json:
        print(json.dumps({"metrics": [metric.as_json() for metric in metrics]}, indent=2))
    return 0 if all(metric.ok for metric in metrics) else 1


if __name__ == "__main__":
    sys.exit(main())
