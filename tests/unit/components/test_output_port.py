"""CollectingOutputPort: what arrived, in order, and counted."""

from __future__ import annotations

from chaoscheck.components.output_port import CollectingOutputPort, OutputPort, RowResult


def test_results_are_kept_in_order_and_counted() -> None:
    """A test can look at everything a transform emitted."""
    port = CollectingOutputPort()
    good = RowResult(ticket=0, row={}, content="a", attempts=1)
    bad = RowResult(ticket=1, row={}, error={"reason": "x"}, attempts=1)
    taking: OutputPort = port
    for result in (good, bad, good):
        taking.emit(result)

    assert [good, bad, good] == port.results
    assert [bad] == port.errors
    assert (2, 1, 3) == (port.success_count, port.error_count, port.total_count)
