"""The ledger's file on a shared machine: who can read it, what it holds, whether it exists."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.server.books.ledger_file import LedgerFile
from chaoscheck.server.books.private_fields import key_digest
from properties.test_ledger_counters import EXCHANGE

SECRET = EXCHANGE._replace(key="order-of-jane-doe", tag="my diagnosis is")


def _rows(path: Path) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT key, tag FROM exchanges ORDER BY rowid").fetchall()


def _modes(path: Path) -> dict[str, int]:
    return {
        part.name.removeprefix(path.name): stat.S_IMODE(part.stat().st_mode)
        for part in path.parent.iterdir()
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where no ledger is yet."""
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def _open_umask() -> Iterator[None]:
    """A process whose new files anyone may read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


def _keep(path: Path, *, prompts: bool = False, keys: bool = False) -> LedgerFile:
    file = LedgerFile(path, prompts=prompts, keys=keys)
    file.add(SECRET)
    file.flush()
    return file


@pytest.mark.usefixtures("_open_umask")
@pytest.mark.parametrize("state", ["new", "empty", "older"])
def test_only_its_owner_reads_a_ledger_and_what_lies_beside_it(path: Path, state: str) -> None:
    """Whatever my umask is, no other user reads it; a file that others could read is closed."""
    if state == "empty":
        path.touch()
    if state == "older":
        LedgerFile(path).close()
        path.chmod(0o644)
    with contextlib.closing(_keep(path)):
        assert {"": 0o600, "-wal": 0o600, "-shm": 0o600} == _modes(path)


def test_a_database_that_is_refused_keeps_its_mode(path: Path) -> None:
    """What is not a ledger is not touched, its mode included."""
    path.write_text("notes", encoding="utf-8")
    path.chmod(0o644)

    with pytest.raises(PlanError):
        LedgerFile(path)
    assert {"": 0o644} == _modes(path)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({}, (key_digest(SECRET.key), None)),
        ({"prompts": True}, (key_digest(SECRET.key), SECRET.tag)),
        ({"keys": True}, (SECRET.key, None)),
        ({"prompts": True, "keys": True}, (SECRET.key, SECRET.tag)),
    ],
)
def test_prompts_and_keys_are_kept_only_when_asked_for(
    path: Path, asked: dict[str, bool], kept: tuple[str, str | None]
) -> None:
    """Unless I ask, the file and its log hold neither what was said nor for whom."""
    file = _keep(path, **asked)
    raw = b"".join(part.read_bytes() for part in path.parent.iterdir())
    file.close()

    assert [kept] == _rows(path)
    assert [SECRET.key in kept, SECRET.tag in kept] == [
        text.encode() in raw for text in (SECRET.key, SECRET.tag or "")
    ]


def test_attempts_of_one_key_share_a_digest_and_no_request_has_none() -> None:
    """I can count attempts in a private file; a request that was not understood has no key."""
    assert key_digest("a") == key_digest("a") != key_digest("b")
    assert (32, "") == (len(key_digest("\ud800")), key_digest(""))


def _deleted(path: Path) -> None:
    path.unlink()


def _replaced(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"")


@pytest.mark.parametrize("remove", [_deleted, _replaced])
@pytest.mark.parametrize("waiting", [0, 1])
def test_a_file_that_is_deleted_while_in_use_is_an_error(
    path: Path, remove: Any, waiting: int
) -> None:
    """Rows that go into a file without a name are lost, and I hear of it, with or without more."""
    file = _keep(path)
    remove(path)
    for _ in range(waiting):
        file.add(EXCHANGE)

    for act in (file.flush, file.close):
        with pytest.raises(WorldError, match=r"'ledger\.sqlite' was deleted or replaced while"):
            act()


def test_a_file_that_is_put_back_takes_what_waited(path: Path) -> None:
    """Moved away by mistake and back again, it lacks nothing."""
    file = _keep(path)
    aside = path.with_name("aside")
    path.rename(aside)
    file.add(EXCHANGE)
    with pytest.raises(WorldError):
        file.flush()
    aside.rename(path)
    file.close()

    assert 2 == len(_rows(path))
