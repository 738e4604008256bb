"""The report: a JSON file that is rewritten after every mutant, so that a run can be resumed."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import equivalents
from mutant_runs import SeedRun
from mutations import Mutant

__all__ = ["REQUIRED", "Report", "digest_of"]

REQUIRED = 0.95
"""The share of mutants that laws must kill, each with every seed."""


def digest_of(
    root: Path, component: Path | None, files: Iterable[str], examples: int | None
) -> str:
    """What a result depends on here: the component, its laws, and what those import of ours."""
    helpers = [*(root / "properties").glob("*.py"), *(root / "models").glob("*.py")]
    laws = [root / name for name in files]
    paths = {*laws, *(path for path in helpers if not path.name.startswith("test_"))}
    if component is not None:
        paths.add(component)
    digest = hashlib.sha256(repr(examples).encode())
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Report:
    """Results by component and mutant, kept in the file at ``path``."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self._path = path
        self._kept: dict[str, Any] = {"components": {}}
        if path.exists() and not fresh:
            self._kept = json.loads(path.read_text(encoding="utf-8"))

    def needs(self, component: str, name: str, digest: str, seeds: Sequence[int]) -> bool:
        """Whether the mutant has no result yet for these sources and seeds."""
        kept = self._of(component)["mutants"].get(name)
        if kept is None or kept["digest"] != digest:
            return True
        runs = {run["seed"]: run["result"] for run in kept["runs"]}
        return "survived" not in runs.values() and not set(seeds) <= set(runs)

    def control(self, component: str, digest: str) -> float | None:
        """CPU seconds of the unchanged component with one seed, if known for these sources."""
        control = self._of(component).get("control", {})
        return control["cpu_s"] if control.get("digest") == digest else None

    def keep_control(self, component: str, digest: str, cpu_s: float) -> None:
        """Remember the unchanged component."""
        self._of(component)["control"] = {"digest": digest, "cpu_s": cpu_s}
        self._write()

    def keep(self, component: str, mutant: Mutant, digest: str, runs: list[SeedRun]) -> None:
        """Remember what became of a mutant."""
        self._of(component)["mutants"][mutant.name] = {
            "line": mutant.line,
            "operator": mutant.operator,
            "digest": digest,
            "verdict": _verdict([run.result for run in runs]),
            "runs": [asdict(run) for run in runs],
        }
        self._write()

    def counts(self, component: str) -> dict[str, int]:
        """How many mutants of a component had which fate."""
        verdicts = [each["verdict"] for each in self._of(component)["mutants"].values()]
        words = ("killed", "timed_out", "by_chance", "survived")
        return {
            "mutants": len(verdicts),
            **{word: verdicts.count(word) for word in words},
            "equivalent": len(equivalents.of(component)),
        }

    def share_killed(self, components: Sequence[str]) -> float:
        """The share of mutants that were killed, or never ended, with every seed."""
        counts = [self.counts(component) for component in components]
        total = sum(each["mutants"] for each in counts)
        return sum(each["killed"] + each["timed_out"] for each in counts) / max(total, 1)

    def show(self, components: Sequence[str], *, as_json: bool) -> None:
        """Print the numbers and whatever was not killed with every seed."""
        counts = {component: self.counts(component) for component in components}
        share = self.share_killed(components)
        if as_json:
            parts = {name: self._of(name) | {"counts": counts[name]} for name in components}
            json.dump({"share_killed": share, "components": parts}, sys.stdout, indent=2)
            print()
            return
        print(
            f"{'component':22} {'mutants':>8} {'killed':>7} {'endless':>8} {'by chance':>10} "
            f"{'survived':>9} {'equivalent':>11}"
        )
        for name, its in counts.items():
            print(
                f"{name:22} {its['mutants']:8} {its['killed']:7} {its['timed_out']:8} "
                f"{its['by_chance']:10} {its['survived']:9} {its['equivalent']:11}"
            )
        for component in components:
            for name, kept in self._of(component)["mutants"].items():
                if kept["verdict"] in ("survived", "by_chance"):
                    results = [run["result"] for run in kept["runs"]]
                    seeds = f"{len(results) - results.count('survived')} of {len(results)}"
                    print(f"{kept['verdict']} ({seeds}): {component}:{kept['line']}: {name}")
        print(f"killed with every seed: {share:.1%} (required: {REQUIRED:.0%})")

    def _of(self, component: str) -> dict[str, Any]:
        part: dict[str, Any] = self._kept["components"].setdefault(component, {"mutants": {}})
        return part

    def _write(self) -> None:
        new = self._path.with_name(self._path.name + ".new")
        new.write_text(json.dumps(self._kept, indent=1), encoding="utf-8")
        new.replace(self._path)


def _verdict(results: Sequence[str]) -> str:
    """The fate of a mutant by the results of its seeds."""
    if "survived" not in results:
        return "timed_out" if "timed_out" in results else "killed"
    return "survived" if set(results) == {"survived"} else "by_chance"
