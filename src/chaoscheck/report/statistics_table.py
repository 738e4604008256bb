"""Statistics of a run as lines of text: rules, laws and faults; what never happened is marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaoscheck.history.run_statistics import LawCounts, RunStatistics

__all__ = ["MARK", "statistics_lines"]

MARK = "!"
"""Stands before each line of something that never happened."""

Row = Sequence[str]


def statistics_lines(statistics: RunStatistics) -> Iterator[str]:
    """The table of one machine, ready to be printed."""
    failures = f", {statistics.failures} failed" if statistics.failures else ""
    yield f"{statistics.machine}: {statistics.examples} examples{failures}"
    yield from _table(
        ("rule", "runs"),
        [(each.mark, (each.name, str(each.runs))) for each in statistics.rules],
    )
    yield from _table(
        ("law", "checked", "judged", "skipped"),
        [
            (each.mark, (each.name, str(each.checked), str(each.judged), _skipped(each)))
            for each in statistics.laws
        ],
    )
    yield from _table(
        ("fault", "injected", "effects", "judged"),
        [
            (each.mark, (each.name, str(each.injected), str(each.effects), str(each.judged)))
            for each in statistics.faults
        ],
    )


def _skipped(law: LawCounts) -> str:
    total = sum(law.skipped.values())
    reasons = ", ".join(f"{count} {reason}" for reason, count in law.skipped.items())
    return f"{total} ({reasons})" if total else "0"


def _table(head: Row, rows: Sequence[tuple[str, Row]]) -> Iterator[str]:
    """Columns side by side, the marked rows with ``!`` before and their mark behind them."""
    if not rows:
        return
    cells = [head, *(row for _, row in rows)]
    columns = [
        _column(column, to_the_right=0 < at and all(cell.isdecimal() for cell in column[1:]))
        for at, column in enumerate(zip(*cells, strict=True))
    ]
    lines = ["  ".join(cells) for cells in zip(*columns, strict=True)]
    yield f"    {lines[0].rstrip()}"
    for (mark, _), line in zip(rows, lines[1:], strict=True):
        yield f"  {MARK} {line}  {MARK} {mark}" if mark else f"    {line.rstrip()}"


def _column(cells: Sequence[str], *, to_the_right: bool) -> list[str]:
    width = max(map(len, cells))
    return [cell.rjust(width) if to_the_right else cell.ljust(width) for cell in cells]
