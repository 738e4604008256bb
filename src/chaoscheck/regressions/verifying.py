"""Verifying kept stories: each is replayed on its machine, wherever that is by now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chaoscheck.errors import PlanError
from chaoscheck.regressions.collecting import Collected, with_machines
from chaoscheck.regressions.folder import Folder, Kept
from chaoscheck.regressions.law import Law, broken_law
from chaoscheck.regressions.trial import gone_steps, tried
from chaoscheck.stateful.running import report_of

__all__ = ["Manner", "Verified", "verified", "verified_files"]

Status = Literal["fails", "passes", "stale", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What became of one file.

    ``law`` is what breaks today, ``reasons`` say why it is stale or broken. ``gone`` says that it
    can never be told whole again: its machine or the rule of a step is no more. ``story`` are its
    lines where it was told aloud. ``same_trace`` tells whether the world's trace is the one of
    the day on which it was found.
    """

    path: Path
    status: Status
    reasons: tuple[str, ...] = ()
    law: Law | None = None
    gone: bool = False
    story: tuple[str, ...] = ()
    same_trace: bool = False

    @property
    def good(self) -> bool:
        """Whether nothing breaks and nothing is broken."""
        return self.status in ("passes", "stale")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How stories are replayed: in which world (None: each in its own), and aloud or not.

    ``tests`` is the folder of their tests; None: the one beside which theirs stands.
    """

    world: str | None = None
    aloud: bool = False
    tests: Path | None = None


def verified(
    folders: Iterable[Folder], step: Callable[[], object] = lambda: None
) -> list[Verified]:
    """Every file of these folders; ``step`` is called after each replay."""
    kept, broken = [], []
    for folder in folders:
        some, refused = folder.read()
        kept += some
        broken += [
            Verified(path=each.path, status="broken", reasons=(each.reason,)) for each in refused
        ]
    return [*broken, *verified_files(kept, Manner(), step)]


def verified_files(
    kept: Iterable[Kept], manner: Manner, step: Callable[[], object] = lambda: None
) -> list[Verified]:
    """Replay these. PlanError when pytest cannot start where their tests are."""
    stories: dict[Path, list[Kept]] = {}
    for each in kept:
        beside = manner.tests or each.path.parent.parent
        stories.setdefault(beside.resolve(), []).append(each)
    if not stories:
        return []
    made: list[Verified] = []

    def work(collected: Collected) -> None:
        for beside, of_folder in stories.items():
            for each in of_folder:
                made.append(_verified(each, beside, collected, manner))
                step()

    with_machines(stories, work)
    return made


def _verified(kept: Kept, beside: Path, collected: Collected, manner: Manner) -> Verified:
    regression = kept.regression
    machine = collected.machine_of(regression, beside)
    if machine is None:
        why = f"no machine beside {beside.name}/ has the chaos_key {regression.chaos_key!r}"
        reasons = (why, *collected.failures)
        # A module that cannot be imported may hold it, so it is not known to be gone.
        return Verified(
            path=kept.path, status="stale", reasons=reasons, gone=not collected.failures
        )
    try:
        trial = tried(machine, regression, world=manner.world, aloud=manner.aloud)
    except PlanError as refusal:
        return Verified(path=kept.path, status="broken", reasons=(str(refusal),))
    error = trial.run.error
    return Verified(
        path=kept.path,
        status=trial.status,
        reasons=trial.reasons,
        law=None if error is None else broken_law(machine, error),
        gone=bool(gone_steps(machine, regression.program)),
        story=tuple(report_of(trial.run)) if manner.aloud else (),
        same_trace=trial.run.digest == regression.digest,
    )
