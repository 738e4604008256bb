"""``chaoscheck presets``: the ready-made plans on the command line. Exit code 2: bad usage."""

from __future__ import annotations

import json
from typing import Annotated, NoReturn

import typer

from chaoscheck.errors import PlanError

__all__ = ["presets"]


def presets(
    name: Annotated[
        str | None, typer.Argument(help="Print this one as a plan file.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of plan files.")
    ] = False,
) -> None:
    """Name the ready-made plans, or print one as a plan file that you can edit."""
    from chaoscheck.plan.documents.plan_document import plan_to_json
    from chaoscheck.plan.documents.presets import PRESETS, preset

    listed = PRESETS.values()
    if schema:
        from chaoscheck.plan.documents.plan_schema import plan_schema

        if name is not None:
            _refuse("--schema takes no preset: there is one schema for all plans")
        typer.echo(json.dumps(plan_schema(), indent=2))
    elif name is not None:
        try:
            typer.echo(plan_to_json(preset(name).plan), nl=False)
        except PlanError as error:
            _refuse(str(error))
    elif as_json:
        found = [{"name": each.name, "description": each.description} for each in listed]
        typer.echo(json.dumps(found, indent=2))
    else:
        width = max(len(each.name) for each in listed)
        for each in listed:
            typer.echo(f"{each.name:{width}}  {each.description}")


def _refuse(reason: str) -> NoReturn:
    typer.echo(f"Error: {reason}", err=True)
    raise typer.Exit(2)
