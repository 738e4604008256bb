"""``chaoscheck replay`` and ``chaoscheck regressions``: kept stories on the command line.

Exit code 0: good; 1: a law broke, or a file is broken; 2: bad usage. Whatever is heavy is
imported inside the command that needs it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from chaoscheck.regressions.folder import Folder
    from chaoscheck.regressions.law import Law
    from chaoscheck.regressions.regression import Regression
    from chaoscheck.regressions.verifying import Verified

__all__ = ["app", "replay"]

app = typer.Typer(
    name="regressions",
    help="Kept failing stories: list, show, verify, prune, export.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

FileArgument = Annotated[Path, typer.Argument(help="A regression file.", show_default=False)]
FolderArgument = Annotated[
    Path,
    typer.Argument(help="A folder of regressions, or one below which they are looked for."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def replay(
    file: FileArgument,
    world: Annotated[
        str | None, typer.Option(help="virtual or loopback; by default the one it was found in.")
    ] = None,
    tests: Annotated[
        Path | None, typer.Option(help="Folder of the tests, if not the one above the file's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay a kept story: exit 1 and tell it if a law still breaks, 0 if none does."""
    from chaoscheck.regressions.folder import Kept
    from chaoscheck.regressions.verifying import Manner, verified_files

    regression = _read(file)
    if tests is not None and not tests.is_dir():
        _refuse(f"--tests must be a folder, got {tests}")
    kept = Kept(path=file.absolute(), regression=regression)
    with _usage_errors():
        [found] = verified_files([kept], Manner(world=world, aloud=True, tests=tests))
    if found.status == "broken":
        _refuse("; ".join(found.reasons))
    if as_json:
        _print_json({"ok": found.good, **_as_json(found)})
    elif found.law is None:
        _echo(_line(found))
    else:
        for line in (*found.story, _line(found)):
            _echo(line)
        if world is None and not found.same_trace:
            _echo("It took another course than when it was found: the subject has changed.")
    raise typer.Exit(0 if found.good else 1)


@app.command("list")
def list_files(folder: FolderArgument = Path(), as_json: AsJson = False) -> None:
    """Name every kept story: its file, how long it is, and the law that broke."""
    kept, broken = [], []
    for place in _folders(folder):
        some, refused = place.read()
        kept += some
        broken += refused
    if as_json:
        _print_json(
            {
                "stories": [
                    {"file": _shown(each.path), **_summary(each.regression)} for each in kept
                ],
                "broken": [{"file": _shown(each.path), "reason": each.reason} for each in broken],
            }
        )
        return
    for each in kept:
        _echo(f"{_shown(each.path)}  {len(each.regression.program)} lines  {each.regression.law}")
    for refused_one in broken:
        _echo(f"{_shown(refused_one.path)}  BROKEN: {refused_one.reason}")
    _echo(f"stories: {len(kept)}, broken files: {len(broken)}")


@app.command()
def show(file: FileArgument, as_json: AsJson = False) -> None:
    """Tell a kept story in plain words; nothing is run or imported."""
    from chaoscheck.regressions.telling import told

    regression = _read(file)
    if as_json:
        _print_json({**_summary(regression), "told": told(regression)})
        return
    for line in told(regression):
        _echo(line)


@app.command()
def verify(folder: FolderArgument = Path(), as_json: AsJson = False) -> None:
    """Replay every kept story; exit 1 if a law breaks or a file is broken."""
    results = _verified(folder, quiet=as_json)
    counts = {
        status: sum(each.status == status for each in results)
        for status in ("passes", "stale", "fails", "broken")
    }
    ok = all(each.good for each in results)
    if as_json:
        _print_json({"ok": ok, **counts, "stories": [_as_json(each) for each in results]})
    else:
        for each in results:
            if each.status != "passes":
                _echo(_line(each))
        _echo(", ".join(f"{count} {status}" for status, count in counts.items()))
    raise typer.Exit(0 if ok else 1)


@app.command()
def prune(
    folder: FolderArgument = Path(),
    yes: Annotated[bool, typer.Option("--yes", help="Delete them; else they are named.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete stories that can never be told again and break nothing: their rules are gone.

    A story that passes whole is a regression test and stays. A broken file stays, to be looked at.
    """
    doomed = [each for each in _verified(folder, quiet=as_json) if each.good and each.gone]
    for each in doomed if yes else []:
        try:
            each.path.unlink(missing_ok=True)
        except OSError as error:
            _refuse(f"{each.path}: {error.strerror or error}")
    if as_json:
        _print_json({"deleted": yes, "stories": [_as_json(each) for each in doomed]})
        return
    for each in doomed:
        _echo(f"{'deleted' if yes else 'would delete'} {_line(each)}")
    if not yes:
        _echo(f"{len(doomed)} to delete; nothing was deleted without --yes")


@app.command()
def export(file: FileArgument, as_json: AsJson = False) -> None:
    """Print a kept story as a plain pytest function."""
    from chaoscheck.regressions.exporting import exported

    regression = _read(file)
    with _usage_errors():
        text = exported(regression)
    if as_json:
        _print_json({"file": str(file), "paste_into": regression.file, "code": text})
    else:
        typer.echo(text, nl=False)


# ---------------------------------------------------------------------- what they share


def _read(file: Path) -> Regression:
    from chaoscheck.regressions.folder import read_regression

    with _usage_errors():
        return read_regression(file)


def _folders(place: Path) -> list[Folder]:
    from chaoscheck.regressions.folder import folders_below

    if not place.is_dir():
        _refuse(f"FOLDER must be a folder, got {place}")
    return folders_below(place.absolute())


def _verified(place: Path, *, quiet: bool) -> list[Verified]:
    from chaoscheck.regressions.verifying import verified

    folders = _folders(place)
    count = sum(len(folder.files()) for folder in folders)
    with _usage_errors(), _progress(count, quiet=quiet) as step:
        return verified(folders, step)


@contextmanager
def _progress(count: int, *, quiet: bool) -> Iterator[Callable[[], object]]:
    """A bar on the terminal, if there is one, that moves with each call."""
    if quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    with typer.progressbar(length=count, label="replaying", file=sys.stderr) as bar:
        yield lambda: bar.update(1)


@contextmanager
def _usage_errors() -> Iterator[None]:
    from chaoscheck.errors import PlanError

    try:
        yield
    except PlanError as error:
        _refuse(str(error))


def _refuse(reason: str) -> NoReturn:
    _echo(f"Error: {reason}", err=True)
    raise typer.Exit(2)


def _echo(line: str, *, err: bool = False) -> None:
    """Print a line in which nothing can steer the terminal, whatever file it comes from."""
    from chaoscheck.regressions.telling import printable

    for part in line.split("\n"):
        typer.echo(printable(part), err=err)


def _print_json(made: dict[str, Any]) -> None:
    typer.echo(json.dumps(made, indent=2))


def _line(each: Verified) -> str:
    said = str(each.law) if each.law is not None else "; ".join(each.reasons)
    return f"{_shown(each.path)} {_STATUS[each.status]}{': ' if said else ''}{said}"


_STATUS = {"fails": "fails", "passes": "passes", "stale": "is stale", "broken": "is broken"}


def _summary(regression: Regression) -> dict[str, Any]:
    return {
        "chaos_key": regression.chaos_key,
        "machine": {"file": regression.file, "class": regression.machine},
        "world": regression.world,
        "law": _law(regression.law),
        "size": len(regression.program),
        "story": list(regression.story),
        "versions": dict(regression.versions),
    }


def _law(law: Law | None) -> dict[str, str] | None:
    return None if law is None else asdict(law)


def _as_json(each: Verified) -> dict[str, Any]:
    return {
        "file": _shown(each.path),
        "status": each.status,
        "reasons": list(each.reasons),
        "law": _law(each.law),
        "can_be_told": not each.gone,
        "same_trace": each.same_trace,
        "story": list(each.story),
    }


def _shown(path: Path) -> str:
    from chaoscheck.regressions.folder import shown_path

    return shown_path(path)
