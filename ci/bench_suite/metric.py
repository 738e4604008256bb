"""One measured number with its target."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Metric"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """``value`` in ``unit``; good when it is at least (or at most) ``target``.

    ``note`` says what a ratio was made of, on this machine.
    """

    name: str
    value: float
    unit: str
    target: float
    at_least: bool
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the target is met."""
        return self.value >= self.target if self.at_least else self.value <= self.target

    def as_json(self) -> dict[str, object]:
        """The shape that ``--json`` prints."""
        sign = ">=" if self.at_least else "<="
        shown: dict[str, object] = {
            "name": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "target": f"{sign} {self.target:g}",
            "ok": self.ok,
        }
        return shown | ({"note": self.note} if self.note else {})

    def __str__(self) -> str:
        target = self.as_json()["target"]
        verdict = "ok" if self.ok else "MISSED"
        note = f"  ({self.note})" if self.note else ""
        return f"{self.name:44} {self.value:10.3f} {self.unit:6} {target:>10}  {verdict}{note}"
