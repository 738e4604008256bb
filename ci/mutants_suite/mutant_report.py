"""The report: a JSON file that is rewritten after every mutant, so that a run can be resumed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import equivalents
from mutant_runs import Control, SeedRun
from mutations import Mutant

__all__ = ["REQUIRED", "Report"]

REQUIRED = 0.95
"""The share of mutants that laws must kill, each with every seed."""


Digest = Callable[[frozenset[str] | None], str]
"""The digest of a component with these property files; None: with all that judge it."""


class Report:
    """Results by component and mutant, kept in the file at ``path``."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self._path = path
        self._kept: dict[str, Any] = {"components": {}}
        if path.exists() and not fresh:
            self._kept = json.loads(path.read_text(encoding="utf-8"))

    def needs(self, component: str, name: str, digest: Digest, seeds: Sequence[int]) -> bool:
        """Whether the mutant has no result yet for these sources and seeds.

        ``digest`` gives that of the component with some property files, or with all of them: a
        mutant stays killed while the files whose tests killed it are as they were.
        """
        kept = self._of(component)["mutants"].get(name)
        if kept is None or kept["digest"] != digest(_files_of(kept["runs"])):
            return True
        runs = {run["seed"]: run["result"] for run in kept["runs"]}
        return "survived" not in runs.values() and not set(seeds) <= set(runs)

    def control(self, component: str, digest: str) -> dict[str, Control] | None:
        """The tests of the unchanged component, if known for these sources."""
        control = self._of(component).get("control", {})
        if control.get("digest") != digest:
            return None
        return {
            name: Control(cpu_s=values["cpu_s"], reached=tuple(values["reached"]))
            for name, values in control["tests"].items()
        }

    def keep_control(self, component: str, digest: str, tests: Mapping[str, Control]) -> None:
        """Remember the unchanged component."""
        kept = {name: asdict(control) for name, control in tests.items()}
        self._of(component)["control"] = {"digest": digest, "tests": kept}
        self._write()

    def keep(self, component: str, mutant: Mutant, digest: Digest, runs: list[SeedRun]) -> None:
        """Remember what became of a mutant."""
        made = [asdict(run) for run in runs]
        self._of(component)["mutants"][mutant.name] = {
            "line": mutant.line,
            "operator": mutant.operator,
            "digest": digest(_files_of(made)),
            "verdict": _verdict([run.result for run in runs]),
            "runs": made,
        }
        self._write()

    def drop_all_but(self, component: str, names: Container[str]) -> None:
        """Forget mutants that do not exist any more, or are known to be equivalent by now."""
        part = self._of(component)
        part["mutants"] = {name: kept for name, kept in part["mutants"].items() if name in names}

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
            parts = {
                name: {"mutants": self._of(name)["mutants"], "counts": counts[name]}
                for name in components
            }
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


def _files_of(runs: Sequence[Mapping[str, Any]]) -> frozenset[str] | None:
    """The property files that killed with each of the seeds; None where it took all to say so."""
    files = {(run["by"] or "").split("::")[0] for run in runs if run["result"] != "survived"}
    survived = any(run["result"] == "survived" for run in runs)
    return None if survived or files & {"", "import"} else frozenset(files)


def _verdict(results: Sequence[str]) -> str:
    """The fate of a mutant by the results of its seeds."""
    if "survived" not in results:
        return "timed_out" if "timed_out" in results else "killed"
    return "survived" if set(results) == {"survived"} else "by_chance"
