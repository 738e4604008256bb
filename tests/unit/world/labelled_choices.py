"""Choices that a test writes down by question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chaoscheck.world.choices import ScriptedChoices

__all__ = ["LabelledChoices"]


class LabelledChoices(ScriptedChoices):
    """The answers to each question in order of asking; 0 to whatever is not written down."""

    def __init__(self, answers: Mapping[str, Sequence[int]]) -> None:
        super().__init__()
        self._answers = {label: list(values) for label, values in answers.items()}

    def _pick(self, label: str, options: int) -> int:
        left = self._answers.get(label)
        value = left.pop(0) if left else 0
        assert value < options, f"{label}: {value} is not among {options} options"
        return value
