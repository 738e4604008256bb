"""Measure what we claim: ``ci/bench [--json]``. CPU ratios within one run, never wall clock alone.

Each metric has a target. The exit code is 1 when one is missed or a part could not be measured; the
other parts are measured all the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from metric import Metric
from parts import Failure, Result, Skipped, measured

# Each group is a tuple of parts, and a part is a generator function, as "module:function". A part
# is imported only when its turn comes: one that cannot be imported costs no other its figures.
GROUPS: Mapping[str, Sequence[str]] = {
    "anchors": ("anchors:anchor_metrics",),
    "linearizability": ("linearizability:linearizability_metrics",),
    "machine": ("machine_speed:ratio_metrics", "machine_speed:setup_metrics"),
    "pipeline": (
        "pipeline_speed:row_metrics",
        "pipeline_speed:hour_metrics",
        "pipeline_speed:setup_metrics",
    ),
    "transport": ("transport:transport_metrics",),
    "server": (
        "server_speed:chat_metrics",
        "server_speed:many_clients_metrics",
        "server_speed:stream_metrics",
        "server_speed:start_metrics",
        "server_memory:memory_metrics",
    ),
    "peers": ("peers:peer_metrics",),
    "regressions": ("regressions:regression_metrics",),
    "shrinking": ("shrinking:shrinking_metrics",),
    "suite": ("property_suite:suite_metrics",),
}
# These install packages from a registry.
ONLY_ON_REQUEST = ("peers",)


def main() -> int:
    """Run the groups asked for (all by default) and print their metrics."""
    parser = argparse.ArgumentParser(prog="ci/bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--group", choices=sorted(GROUPS), action="append", help="only this one")
    options = parser.parse_args()
    groups = options.group or [name for name in GROUPS if name not in ONLY_ON_REQUEST]
    results: list[Result] = []
    for result in measured({name: GROUPS[name] for name in groups}):
        results.append(result)
        if not options.json:
            print(result, flush=True)
        elif isinstance(result, Failure):
            print(result, file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps(_as_json(results), indent=2))
    return 0 if all(result.ok for result in results) else 1


def _as_json(results: Sequence[Result]) -> dict[str, object]:
    return {
        "metrics": [result.as_json() for result in results if isinstance(result, Metric)],
        "failures": [result.as_json() for result in results if isinstance(result, Failure)],
        "skipped": [result.as_json() for result in results if isinstance(result, Skipped)],
    }


if __name__ == "__main__":
    sys.exit(main())
