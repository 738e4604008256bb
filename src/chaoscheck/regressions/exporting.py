"""A kept story as a plain pytest function, to be pasted into the test file of its machine."""

from __future__ import annotations

import math
import re
import textwrap
from typing import Any

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import (
    Argument,
    Decision,
    Drawn,
    Draws,
    Literal,
    Program,
    Reference,
    Step,
)
from chaoscheck.regressions.regression import Regression
from chaoscheck.regressions.telling import printable, told

# Theory of operation. What a file says becomes code only as the ``repr`` of texts, numbers, None
# and bytes, or as a comment without line breaks. The one name that is written bare, that of the
# machine's class, must be a dotted name.

__all__ = ["exported"]

LINE_MAX = 84  # what is left of 100 columns within the function
_PLAIN = re.compile(r"[ !#-\[\]-~]*")  # printable ASCII but for the quote and the backslash
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


def exported(regression: Regression) -> str:
    """The function's text. PlanError when the machine's class has no name that code could use."""
    machine = regression.machine
    if not _DOTTED.fullmatch(machine):
        raise PlanError(
            f"only a machine with a name can be exported, got {machine!r}: define it at the top "
            f"of its module, or replay the file itself"
        )
    digest = re.sub("[^0-9a-f]", "", regression.name.rpartition("-")[2].removesuffix(".json"))
    body = [
        *(f"# {line}".rstrip() for line in told(regression)),
        *_imports(regression.program),
        "",
        *_program(regression.program),
        f"require_passes({machine}, program, world={_quoted(regression.world)})",
    ]
    return (
        f"# Paste this into {printable(regression.file)}, below {machine}.\n"
        f"def test_story_{digest}() -> None:\n" + textwrap.indent("\n".join(body), "    ") + "\n"
    )


def _imports(program: Program) -> list[str]:
    faults = any(
        isinstance(argument, Literal) and isinstance(argument.value, Fault)
        for step in program.steps
        for argument in step.arguments.values()
    )
    return [
        *(["from chaoscheck.plan.hold import Hold"] if program.holds else []),
        *(["from chaoscheck.plan.notation import parse_fault"] if faults else []),
        f"from chaoscheck.plan.program import {', '.join(_names(program))}",
        "from chaoscheck.regressions.trial import require_passes",
    ]


def _names(program: Program) -> list[str]:
    arguments = [argument for step in program.steps for argument in step.arguments.values()]
    used = {type(argument).__name__ for argument in arguments}
    if any(isinstance(argument, Draws) and argument.draws for argument in arguments):
        used.add(Drawn.__name__)
    return sorted({"Program", "Step"} | used | ({"Decision"} if program.decisions else set()))


def _program(program: Program) -> list[str]:
    lines = ["program = Program(", "    steps=("]
    for step in program.steps:
        lines += textwrap.indent(_step(step), " " * 8).split("\n")
    lines.append("    ),")
    if program.decisions:
        lines += ["    decisions=(", *(_decision(each) for each in program.decisions), "    ),"]
    if program.holds:
        lines += ["    holds=(", *(_hold(each) for each in program.holds), "    ),"]
    return [*lines, ")"]


def _step(step: Step) -> str:
    parts = [f"number={step.number}", f"rule={_quoted(step.rule)}"]
    arguments = [f"{_quoted(name)}: {_argument(of)}" for name, of in step.arguments.items()]
    parts.append(f"arguments={{{', '.join(arguments)}}}")
    line = f"Step({', '.join(parts)}),"
    if len(line) <= LINE_MAX:
        return line
    return "Step(\n" + "".join(f"    {part},\n" for part in parts) + "),"


def _decision(each: Decision) -> str:
    return f"        Decision({each.step}, {_quoted(each.label)}, {each.nth}, {each.value}),"


def _hold(hold: Hold) -> str:
    task, until = _quoted(hold.task), _quoted(hold.until)
    odd = (", late=True" if hold.late else "") + (
        f", source={_quoted(hold.source)}" if hold.source else ""
    )
    return f"        Hold(task={task}, at={hold.at}, until={until}, ran={hold.ran}{odd}),"


def _argument(argument: Argument) -> str:
    match argument:
        case Literal(value=Fault() as fault):
            return f"Literal(parse_fault({_quoted(repr(fault))}))"
        case Literal(value=value):
            return f"Literal({_value(value)})"
        case Reference(step=step, number=number):
            return f"Reference({step}, {number})" if number else f"Reference({step})"
        case Drawn(choices=choices, shown=shown):
            inner = "".join(f"{_value(choice)}, " for choice in choices)
            return f"Drawn(({inner.rstrip()}), {_quoted(shown)})"
        case Draws(draws=draws):
            inner = "".join(f"{_argument(draw)}, " for draw in draws)
            return f"Draws(({inner.rstrip()}))"


def _value(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """A text as code, quoted as formatters like it where that is plainly safe."""
    return f'"{text}"' if _PLAIN.fullmatch(text) else repr(text)
