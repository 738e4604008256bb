"""Folders of regressions: whole files or none, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.regressions.folder import Folder, folders_below, read_regression
from chaoscheck.regressions.regression import TEXT_MAX, to_text
from tests.unit.regressions.stories import add, regression


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder that is not there yet."""
    return Folder(tmp_path / "regressions")


def put(folder: Folder, *numbers: int) -> Path:
    """Keep a story in it."""
    with folder.locked():
        return folder.write(regression(add(*numbers)))


def test_what_is_written_is_read(folder: Folder) -> None:
    """The folder is made when it is needed, and files come by name."""
    paths = sorted([put(folder, 1), put(folder, 2)])

    kept, broken = folder.read()

    assert (paths, []) == ([each.path for each in kept], broken)


def test_a_folder_that_is_not_there_holds_nothing(folder: Folder) -> None:
    """A project without regressions is no error."""
    assert ([], []) == folder.read()


def test_a_file_that_says_the_same_is_left_as_it_is(folder: Folder) -> None:
    """Finding a story again makes no difference for version control."""
    path = put(folder, 1)
    path.write_text(path.read_text(encoding="utf-8").replace("0.1.0", "0.0.9"), encoding="utf-8")
    before = path.read_bytes()

    assert path == put(folder, 1)
    assert before == path.read_bytes()


def test_a_broken_file_of_the_same_name_is_written_anew(folder: Folder) -> None:
    """A truncated file heals when its story is found again."""
    path = put(folder, 1)
    path.write_bytes(path.read_bytes()[:100])

    put(folder, 1)

    assert regression(add(1)).name == read_regression(path).name


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_nothing_behind(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The error comes through, and neither half a file nor a temporary one stays."""
    old = put(folder, 1)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)

    with pytest.raises(OSError, match="No space left"):
        put(folder, 2)
    assert [old.name] == os.listdir(folder.path)


KILLED = """
import os, signal, sys
from pathlib import Path
from chaoscheck.regressions.folder import Folder, read_regression
regression = read_regression(Path(sys.argv[1]))
folder = Folder(Path(sys.argv[2]))
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with folder.locked():
    folder.write(regression)
"""


def test_a_kill_in_mid_write_leaves_no_half_file_and_its_leftover_is_removed(
    folder: Folder, tmp_path: Path
) -> None:
    """kill -9 costs the one story and nothing else (a process of its own, ~0.4 s)."""
    old = put(folder, 1)
    source = tmp_path / "source.json"
    source.write_text(to_text(regression(add(2))), encoding="ascii")

    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(source), str(folder.path)], check=False
    )

    assert -signal.SIGKILL == killed.returncode
    assert 2 == len(os.listdir(folder.path))  # the old one, and what was being written
    assert [old] == folder.files()
    new = put(folder, 3)
    assert sorted([old.name, new.name]) == sorted(os.listdir(folder.path))


def test_writers_take_turns(folder: Folder) -> None:
    """Several workers that find stories at once lose none and spoil none."""
    writers = [threading.Thread(target=put, args=(folder, number % 5)) for number in range(20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    kept, broken = folder.read()

    assert (5, []) == (len(kept), broken)
    assert 5 == len(os.listdir(folder.path))


def test_what_is_no_plain_file_is_refused_and_the_others_are_read(
    folder: Folder, tmp_path: Path
) -> None:
    """Links, pipes, folders, giants and garbage are named with a reason; sound ones still count."""
    sound = put(folder, 1)
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(to_text(regression(add(2))), encoding="ascii")
    (folder.path / "a-link.json").symlink_to(elsewhere)
    (folder.path / "b-dangling.json").symlink_to(tmp_path / "nowhere")
    (folder.path / "c-folder.json").mkdir()
    os.mkfifo(folder.path / "d-pipe.json")
    (folder.path / "e-giant.json").write_bytes(b" " * (TEXT_MAX + 1))
    (folder.path / "f-bytes.json").write_bytes(b"\xff\xfe")
    (folder.path / "g-fault.json").write_text(
        to_text(regression(add(1))).replace('"by": 1', '"by": {"fault": "status_429(x={[]: 1})"}'),
        encoding="ascii",
    )

    kept, broken = folder.read()

    assert [sound] == [each.path for each in kept]
    assert list("abcdefg") == [each.path.name[0] for each in broken]
    reasons = [each.reason for each in broken]
    assert "symbolic link" in reasons[0]
    assert "symbolic link" in reasons[1]
    assert "regular file" in reasons[3]
    assert f"at most {TEXT_MAX} bytes" in reasons[4]
    assert "UnicodeDecodeError" in reasons[5]


def test_a_refusal_names_the_file(tmp_path: Path) -> None:
    """I know which file to look at."""
    path = tmp_path / "Counter-0000000000.json"
    path.write_text("{", encoding="ascii")

    with pytest.raises(PlanError, match=str(path)):
        read_regression(path)


def test_folders_of_regressions_are_found_below_a_project(tmp_path: Path) -> None:
    """One command in the root of a repository finds them all, and no virtual environment's."""
    for place in ("tests", "tests/deep", ".hidden", "env"):
        put(Folder(tmp_path / place / "regressions"), 1)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "src" / "regressions").mkdir(parents=True)  # a package of that name

    found = folders_below(tmp_path)

    wanted = [tmp_path / "tests" / "deep" / "regressions", tmp_path / "tests" / "regressions"]
    assert wanted == sorted(folder.path for folder in found)
    assert [wanted[0]] == [folder.path for folder in folders_below(wanted[0])]
