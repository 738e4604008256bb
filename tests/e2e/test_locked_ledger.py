"""``chaoscheck serve`` while another process holds its ledger file: a second of real time."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.e2e.test_serve import rows, serving


def test_a_foreign_lock_on_the_ledger_stops_nothing_and_is_said_at_the_end(tmp_path: Path) -> None:
    """Requests are answered while another process holds the file; what is missing is counted."""
    ledger = tmp_path / "ledger.db"
    with (
        serving("--json", "--ledger", str(ledger)) as server,
        closing(sqlite3.connect(ledger, isolation_level=None)) as other,
    ):
        other.execute("BEGIN EXCLUSIVE")
        assert [200] * 3 == [server.ask() for _ in range(3)]
        code, _, err = server.end(signal.SIGTERM)

    assert (1, 0) == (code, rows(ledger))
    assert "Error: ledger file 'ledger.db': database is locked; 3 exchanges are not in" in err
