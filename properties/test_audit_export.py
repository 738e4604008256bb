"""An export has one order, whatever the order of writing: by place, then by key."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from chaoscheck.components.audit_recorder import AuditRecorder, CallIntent
from chaoscheck.components.audit_trail import AuditTrail
from models.audit_format import FORMAT
from properties.audited_process import UNSYNCED

PLACES = {"rows": "row_index", "calls": "call_index"}


def test_records_come_by_their_place_and_then_by_their_key(tmp_path: Path) -> None:
    """Ids fall here as records are added, and rows come last to first, so that orders differ."""
    numbers = count(999, -1)
    intent = CallIntent(method="GET", path="/", request_digest=None)
    with AuditTrail.create(tmp_path / "audit.db", settings=UNSYNCED) as trail:
        recorder = AuditRecorder(trail, new_id=lambda: f"id {next(numbers)}")
        for _ in range(2):
            run = recorder.begin_run("plugin")
            for index in (2, 1, 0):
                state = recorder.begin_row(*run, index, {})
                for _ in range(2):
                    recorder.begin_call(state, intent)
                recorder.fail_row(state, {})
        tables = recorder.export()

    assert set(FORMAT) == set(tables)
    for table, records in tables.items():
        columns = [column.name for column in FORMAT[table]]
        assert all(columns == list(record) for record in records)
        order = [PLACES[table], columns[0]] if table in PLACES else columns[:1]
        keys = [[record[name] for name in order] for record in records]
        assert len(keys) >= 2
        assert keys == sorted(keys, key=lambda key: (*map(str, key),))
