"""The story of one example: its steps as printed, and how it failed."""

from __future__ import annotations

from chaoscheck.plan.program import Program

__all__ = ["Story"]


class Story:
    """Steps in the order in which they ran. Only a final run tells them (printing is slow)."""

    def __init__(self, machine: str) -> None:
        self.machine = machine
        self.steps: list[str] = []
        self.ending: list[str] = []
        self.blob = ""
        self.program: Program | None = None
        self.error: BaseException | None = None

    def tell_step(self, text: str, faults_by_rate: list[str]) -> str:
        """A step's line; faults that came by rate during it stand before it, as own steps."""
        lines = [*_told(faults_by_rate), text]
        self.steps.extend(lines)
        return "\n".join(lines)

    def tell_hold(self, hold: str) -> str:
        """Who waited for whom, a line below the step that started the later of the two."""
        line = f"    # {hold}"
        self.steps.append(line)
        return line

    def by_rate(self, faults: list[str]) -> list[str]:
        """The program went to its end, and meanwhile these faults came by rate: a line each."""
        lines = _told(faults)
        self.ending += lines
        return lines

    def healed(self, seconds: float) -> list[str]:
        """The program went to its end: then all is healed and ``seconds`` pass, in two lines."""
        lines = [
            "state.chaos.heal_everything()",
            f"state.chaos.let_time_pass({seconds:g})",
        ]
        self.ending += lines
        return [f"{line}  # the end of every story" for line in lines]

    def failed(self, error: BaseException, blob: str, program: Program) -> None:
        """Keep how it ended, the choices that replay it, and the program that it is."""
        self.error = error
        self.blob = blob
        self.program = program


def _told(faults_by_rate: list[str]) -> list[str]:
    return [f"state.chaos.next_fault({fault})  # came by rate" for fault in faults_by_rate]
