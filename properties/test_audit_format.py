"""The file of an audit is what the format says, by plain SQLite's own account of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaoscheck.components.audit_trail import AuditTrail
from models.audit_format import FORMAT, UNIQUE, WORDS, FormatColumn
from properties.audited_process import UNSYNCED

COLUMNS = [(table, column) for table, columns in FORMAT.items() for column in columns]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new audit, closed."""
    path = tmp_path_factory.mktemp("format") / "audit.db"
    AuditTrail.create(path, settings=UNSYNCED).close()
    return path


@pytest.fixture
def plain(file: Path) -> Iterator[sqlite3.Connection]:
    """Plain SQLite's view of it; what is written is rolled back."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN")
    yield connection
    connection.execute("ROLLBACK")
    connection.close()


def record(table: str, **changed: Any) -> dict[str, Any]:
    """A record of ``table`` with all that it must have."""
    made: dict[str, Any] = {}
    for column in FORMAT[table]:
        words = sorted(WORDS[column.words]) if column.words else ["text"]
        made[column.name] = None if column.empty else 1 if column.number else words[0]
    return made | changed


def add(plain: sqlite3.Connection, table: str, **changed: Any) -> None:
    """Insert such a record. Raise IntegrityError where the format does not admit it."""
    values = record(table, **changed)
    places = ", ".join("?" * len(values))
    plain.execute(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", [*values.values()]
    )


def test_the_tables_are_those_of_the_format(plain: sqlite3.Connection) -> None:
    """And none has row ids, by which records could be told apart in a second way."""
    found = {
        name: without_row_id
        for schema, name, kind, _, without_row_id, _ in plain.execute("PRAGMA table_list")
        if schema == "main" and kind == "table" and not name.startswith("sqlite_")
    }

    assert dict.fromkeys(FORMAT, 1) == found


@pytest.mark.parametrize("table", FORMAT)
def test_the_columns_are_those_of_the_format(plain: sqlite3.Connection, table: str) -> None:
    """In their order, with type, what may be empty, and which is the key."""
    found = [
        (name, kind, bool(required), bool(key))
        for _, name, kind, required, _, key in plain.execute(f"PRAGMA table_info({table})")
    ]

    assert found == [
        (each.name, "INTEGER" if each.number else "VARCHAR", not each.empty, each.key)
        for each in FORMAT[table]
    ]


@pytest.mark.parametrize("table", FORMAT)
def test_references_and_unique_places_are_those_of_the_format(
    plain: sqlite3.Connection, table: str
) -> None:
    """A reference names the key of the other table."""
    references = {
        (own, other, key)
        for _, _, other, own, key, *_ in plain.execute(f"PRAGMA foreign_key_list({table})")
    }
    unique = {
        tuple(name for _, _, name in plain.execute(f"PRAGMA index_info('{index}')"))
        for _, index, is_unique, origin, _ in plain.execute(f"PRAGMA index_list({table})")
        if is_unique and origin != "pk"
    }

    referring = [each for each in FORMAT[table] if each.table is not None]
    assert references == {
        (each.name, each.table, FORMAT[str(each.table)][0].name) for each in referring
    }
    assert unique == UNIQUE.get(table, frozenset())


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_column_admits_what_the_format_says(
    plain: sqlite3.Connection, table: str, column: FormatColumn
) -> None:
    """Nothing where it may be empty, and each of its words and no other."""
    if column.empty:
        add(plain, table, **{column.name: None})
    else:
        with pytest.raises(sqlite3.IntegrityError, match=f"{table}.{column.name}"):
            add(plain, table, **{column.name: None})
    plain.execute(f"DELETE FROM {table}")
    for word in sorted(WORDS[column.words]) if column.words else ():
        add(plain, table, **{column.name: word})
        plain.execute(f"DELETE FROM {table}")
        for wrong in (f"{word}~", word.upper(), ""):
            with pytest.raises(sqlite3.IntegrityError, match=f"CHECK .*{column.name} IN"):
                add(plain, table, **{column.name: wrong})


@pytest.mark.parametrize("table", FORMAT)
def test_no_two_records_have_one_key(plain: sqlite3.Connection, table: str) -> None:
    """For outcomes it means: at most one a token."""
    numbers = {each.name: 2 for each in FORMAT[table] if each.number}
    add(plain, table)
    with pytest.raises(sqlite3.IntegrityError, match=f"{table}.{FORMAT[table][0].name}"):
        add(plain, table, **numbers)


def test_the_index_of_calls_has_its_name(plain: sqlite3.Connection) -> None:
    """By which a later version can drop it."""
    assert plain.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall() == [("one_place_in_its_state",)]
