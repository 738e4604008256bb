"""Files that a user names: read whole within a bound, and never a pipe or a device."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.documents.plan_document import read_plan
from chaoscheck.plan.documents.regular_file import read_regular_file
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.replies import Replies
from chaoscheck.server.apis.speakers import speaker_of


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


ODD_FILES = [
    pytest.param(os.mkfifo, "it is a pipe, not a regular file", id="pipe"),
    pytest.param(Path.mkdir, "it is a folder", id="folder"),
    pytest.param(_socket, "it is a socket, not a regular file", id="socket"),
    pytest.param(
        lambda path: path.symlink_to("/dev/zero"), "it is a device, not a regular file", id="device"
    ),
    pytest.param(lambda path: path.symlink_to(path), "Too many levels", id="circle"),
    pytest.param(lambda path: None, "No such file or directory", id="missing"),
]


@pytest.fixture
def _in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are relative: a socket's path may have 107 bytes only."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_in_its_folder")
@pytest.mark.parametrize(("make", "reason"), ODD_FILES)
@pytest.mark.parametrize("name", ["plan.toml", "replies.jsonl"])
def test_what_is_no_regular_file_is_refused_without_being_read(
    make: Any, reason: str, name: str
) -> None:
    """A pipe without a writer does not hang me, and a device without an end fills no memory."""
    path = Path(name)
    make(path)

    with pytest.raises(PlanError, match=rf"{name}.*cannot be read: {reason}"):
        if name == "plan.toml":
            read_plan(path)
        else:
            speaker_of(FaultPlan(replies=Replies(mode="recorded", path=name)))


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    """The bound itself is legal; one byte more is not, and is not read."""
    path = tmp_path / "file"
    path.write_bytes(b"12345")

    assert b"12345" == read_regular_file(path, 5)
    with pytest.raises(PlanError, match="has more than 4 bytes"):
        read_regular_file(path, 4)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_recording_with_a_byte_order_mark_is_refused_by_that_name(
    tmp_path: Path, encoding: str
) -> None:
    """An editor's invisible mark is what I am told of, not that a line is no JSON."""
    path = tmp_path / "replies.jsonl"
    path.write_text('{"text": "x"}', encoding=encoding)

    with pytest.raises(PlanError, match=r"'replies\.jsonl' begins with a byte order mark"):
        speaker_of(FaultPlan(replies=Replies(mode="recorded", path=str(path))))
