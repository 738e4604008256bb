"""The console script. Exit code 0: good; 1: something is broken; 2: bad usage.

Whatever is heavy is imported inside the command that needs it, so that ``--help`` stays quick.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from chaoscheck import __version__
from chaoscheck.presets_command import presets
from chaoscheck.regressions.commands import app as regressions_app
from chaoscheck.regressions.commands import replay

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Finding", "app", "examine", "main"]

app = typer.Typer(
    name="chaoscheck",
    help="QuickCheck for chaos: generated fault sequences, shrunk to the shortest failing story.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)


app.command()(presets)
app.command()(replay)
app.add_typer(regressions_app)


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def serve(context: typer.Context) -> None:
    """Run a chaos server until a signal comes; serve --help lists its options."""
    from chaoscheck.serve_command import serve as serve_until_told

    serve_until_told(context.args)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that ``doctor`` looked at: what was found, what is needed, and whether it fits."""

    name: str
    found: str
    needed: str
    ok: bool


def _installed(requirement: Requirement) -> Finding:
    """Whether a package is installed in a version that ``requirement`` allows."""
    from importlib import metadata  # 20 ms, which only doctor needs

    try:
        found = metadata.version(requirement.name)
        ok = requirement.specifier.contains(found, prereleases=True)
    except metadata.PackageNotFoundError:
        found, ok = "not installed", False
    needed = str(requirement.specifier) or "any version"
    return Finding(name=requirement.name, found=found, needed=needed, ok=ok)


def _requirements() -> Iterator[Finding]:
    """Python and each required package, against the range that this version declares."""
    from importlib import metadata

    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    try:
        declared = metadata.metadata("chaoscheck")
    except metadata.PackageNotFoundError:
        yield Finding(name="chaoscheck", found="not installed", needed="installed", ok=False)
        return
    python = platform.python_version()
    pythons = SpecifierSet(declared["Requires-Python"] or "")
    yield Finding(
        name="python",
        found=python,
        needed=str(pythons),
        ok=pythons.contains(python, prereleases=True),
    )
    for text in declared.get_all("Requires-Dist") or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        yield _installed(requirement)


def _scheduler() -> Iterator[Finding]:
    """The private parts of trio on which the scheduler and the pump stand."""
    try:
        import trio._core._run as trio_run

        from chaoscheck.world.schedule import hook_available
    except ImportError as error:
        yield Finding(name="trio internals", found=str(error), needed="trio._core._run", ok=False)
        return
    hook = hook_available()
    yield Finding(
        name="trio scheduler hook",
        found="present" if hook else "absent: tasks run first come, first served only",
        needed="trio._core._run._r with shuffle()",
        ok=True,  # worlds run without it; schedules are not drawn then
    )
    missing = [name for name in ("setup_runner", "unrolled_run") if not hasattr(trio_run, name)]
    yield Finding(
        name="trio run loop",
        found=f"absent: {', '.join(missing)}" if missing else "present",
        needed="trio._core._run.setup_runner and unrolled_run",
        ok=not missing,
    )


def _asserts() -> Finding:
    """Laws are assert statements."""
    from chaoscheck.stateful.asserts import ASSERTS_ARE_OFF, asserts_run

    on = asserts_run()
    return Finding(
        name="assert statements",
        found="executed" if on else ASSERTS_ARE_OFF,
        needed="no python -O, no PYTHONOPTIMIZE",
        ok=on,
    )


def examine() -> list[Finding]:
    """Look at this installation; every finding that is not ``ok`` keeps worlds from running."""
    return [*_requirements(), *_scheduler(), _asserts()]


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"chaoscheck {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Options before any command."""


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell whether worlds can run here; exit 1 if not."""
    findings = examine()
    ok = all(finding.ok for finding in findings)
    if as_json:
        report = {"version": __version__, "ok": ok, "findings": [asdict(f) for f in findings]}
        typer.echo(json.dumps(report, indent=2))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            verdict = "ok    " if finding.ok else "BROKEN"
            needed = f"needs {finding.needed}"
            typer.echo(f"{verdict} {finding.name:{width}}  {finding.found} ({needed})")
    raise typer.Exit(0 if ok else 1)


def main() -> None:
    """Run the console script; exits with its code."""
    app()
