"""A kept story in plain words, for somebody who has never seen the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chaoscheck.plan.program import Argument, Drawn, Draws, Literal, Program, Reference, Step
from chaoscheck.regressions.regression import Regression

__all__ = ["printable", "told"]

# What the ready-made rules do, by name and the names of their arguments: a machine may have a
# rule of its own of the same name.
_READY_MADE: dict[tuple[str, frozenset[str]], str] = {
    ("next_fault", frozenset({"fault"})): "the next request that would go well meets {fault}",
    ("set_rate", frozenset({"fault", "rate"})): (
        "from now on each request meets {fault} with probability {rate}"
    ),
    ("cut", frozenset()): "the link is cut: it loses every packet",
    ("refuse", frozenset()): "the link is refused: no connection can be opened",
    ("reset", frozenset()): "every open connection is reset",
    ("half_close", frozenset()): "the server's side of every connection says that it is done",
    ("heal_link", frozenset()): "the link is healed",
    ("let_time_pass", frozenset({"seconds"})): "{seconds} virtual seconds pass",
    ("heal_everything", frozenset()): "everything is healed",
    ("settle", frozenset()): "whatever can happen at this instant happens",
    ("join", frozenset({"operation"})): "{operation} goes on to its end",
    ("cancel", frozenset({"checkpoint", "operation"})): (
        "{operation} is cancelled once it has passed {checkpoint} more of its checkpoints"
    ),
}
_END = "the end of every story"


def told(regression: Regression) -> list[str]:
    """The story, a line for each thing that happens; nothing in it can steer a terminal."""
    law = regression.law
    lines = [
        f"Law:     {law.name or 'none: an exception that nobody expects'}",
        f"Broke:   {law.exception}: {law.message}" if law.message else f"Broke:   {law.exception}",
        f"Machine: {regression.machine} in {regression.file}, chaos_key {regression.chaos_key}",
        f"World:   {regression.world}",
        "",
        *_steps(regression.program),
    ]
    if any(_END in line for line in regression.story):
        lines.append("Then everything is healed, time passes, and the law still does not hold.")
    return [printable(line) for line in lines]


def _steps(program: Program) -> list[str]:
    makers = {step.number: step for step in program.steps}
    lines = [f"{step.number}. {_step(step, makers)}" for step in program.steps]
    if program.holds:
        lines += ["", "Meanwhile, of the tasks that run at the same time:"]
        lines += [f"- {hold}" for hold in program.holds]
    odd = sum(each.label != "fault" for each in program.decisions)
    if odd:
        answers = "answer" if odd == 1 else "answers"
        lines += ["", f"Chance gave {odd} unusual {answers} on the way (see the file)."]
    return lines


def _step(step: Step, makers: Mapping[int, Step]) -> str:
    words = {name: _argument(argument, makers) for name, argument in step.arguments.items()}
    template = _READY_MADE.get((step.rule, frozenset(words)))
    if template is not None:
        # Not str.format on anything that a file says: the template is ours, the words are values.
        return template.format(**words)
    if not words:
        return step.rule
    return f"{step.rule} with " + ", ".join(f"{name} = {word}" for name, word in words.items())


def _argument(argument: Argument, makers: Mapping[int, Step]) -> str:
    of_kind: dict[type, Callable[..., str]] = {
        Reference: lambda reference: _maker(reference, makers),
        Literal: lambda literal: repr(literal.value),
        Drawn: lambda drawn: drawn.shown or "a value that its strategy makes",
        Draws: lambda data: (
            ", then ".join(_argument(each, makers) for each in data.draws)
            or "nothing that is drawn"
        ),
    }
    return of_kind[type(argument)](argument)


def _maker(reference: Reference, makers: Mapping[int, Step]) -> str:
    maker = makers.get(reference.step)
    named = f"the {maker.rule} of step {reference.step}" if maker else f"step {reference.step}'s"
    return named if reference.number == 0 else f"{named} (its value {reference.number})"


def printable(text: str) -> str:
    """``text`` in which nothing is left that would move a cursor or hide something."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
