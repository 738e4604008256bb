"""A folder of regressions: read with suspicion, written so that no crash leaves half a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaoscheck.errors import PlanError
from chaoscheck.regressions.regression import TEXT_MAX, Regression, from_text, to_text

# Theory of operation. Several workers may find the same story at once, and any of them may be
# killed at any instant. A file is therefore written under a name of its own, forced to disk, and
# renamed, which replaces the old one at one instant or not at all. Whoever writes or tidies holds
# a lock on the folder, which the kernel releases when its holder dies; so a temporary file that
# somebody with the lock meets is a leftover.
#
# Whoever reads holds no lock: a name either leads to a whole file or is not there.

__all__ = ["NAME", "Broken", "Folder", "Kept", "folders_below", "read_regression", "shown_path"]

NAME = "regressions"
_TEMPORARY = ".writing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A regression, and the file that holds it."""

    path: Path
    regression: Regression


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A file that holds no regression, and why."""

    path: Path
    reason: str


def read_regression(path: Path) -> Regression:
    """What a file holds; PlanError, naming it, when that is no regression."""
    try:
        return from_text(_read(path).decode("utf-8"))
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror or error}") from None
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from None
    except Exception as error:
        # Whatever a hostile file does to a parser, it is the file that is broken.
        raise PlanError(f"{path}: {type(error).__name__}: {str(error)[:200]}") from error


def _read(path: Path) -> bytes:
    """The bytes of a plain file: no link, no device, no pipe, and not too many."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise PlanError("a regression file must not be a symbolic link")
    if not stat.S_ISREG(status.st_mode):
        raise PlanError("a regression file must be a regular file")
    if status.st_size > TEXT_MAX:
        raise PlanError(f"a regression file has at most {TEXT_MAX} bytes, got {status.st_size}")
    with open(path, "rb", opener=_open_plain) as file:
        return file.read(TEXT_MAX)


def _open_plain(path: str, flags: int) -> int:
    """Neither follow a link nor wait for a pipe, should the file have been exchanged just now."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


@dataclass(frozen=True, slots=True)
class Folder:
    """The regressions of the tests that stand beside it."""

    path: Path

    def files(self) -> list[Path]:
        """Every file that should hold a regression, by name. OSError when it cannot be listed."""
        try:
            found = os.listdir(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        shown = (name for name in found if name.endswith(".json") and not name.startswith("."))
        return [self.path / name for name in sorted(shown)]

    def read(self) -> tuple[list[Kept], list[Broken]]:
        """All regressions, and all files that are none."""
        kept, broken = [], []
        for path in self.files():
            try:
                kept.append(Kept(path=path, regression=read_regression(path)))
            except PlanError as error:
                if not os.path.lexists(path):
                    continue  # another worker has just put a shorter story in its place
                broken.append(Broken(path=path, reason=str(error).removeprefix(f"{path}: ")))
        return kept, broken

    def write(self, regression: Regression) -> Path:
        """Put a regression on disk, whole or not at all; hold ``locked``.

        A file that already says the same is left as it is. OSError when it cannot be written,
        PlanError when JSON cannot hold the program.
        """
        path = self.path / regression.name
        text = to_text(regression).encode("ascii")
        if path in self.files():
            try:
                read_regression(path)
                return path
            except PlanError:
                pass  # it is broken, and this is the same story
        self._put(path, text)
        return path

    def _put(self, path: Path, text: bytes) -> None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
        try:
            with open(temporary, "xb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_directory(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Write alone: the folder is made if need be, and leftovers of the killed are removed."""
        self.path.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDONLY)
        try:
            if _lock(handle):
                self._remove_leftovers()
            yield
        finally:
            os.close(handle)

    def _remove_leftovers(self) -> None:
        for name in os.listdir(self.path):
            if name.startswith(".") and name.endswith(_TEMPORARY):
                (self.path / name).unlink(missing_ok=True)


def _lock(handle: int) -> bool:
    """Wait for the folder's lock; False where there are none. Two writers may leave two files
    of one bug then, and nothing worse.
    """
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)
    except (ImportError, OSError):
        return False
    return True


def _sync_directory(path: Path) -> None:
    """Make a rename durable, where the system can."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass  # the file itself is on disk; not every file system syncs folders
    finally:
        os.close(handle)


def folders_below(place: Path) -> list[Folder]:
    """The folder itself if it holds JSON files, else every folder of regressions below it.

    Hidden folders, virtual environments and links are passed by.
    """
    if Folder(place).files():
        return [Folder(place)]
    found = []
    for root, names, files in os.walk(place):
        names[:] = sorted(name for name in names if not _is_foreign(Path(root, name)))
        if Path(root).name == NAME and any(name.endswith(".json") for name in files):
            found.append(Folder(Path(root)))
    return found


def _is_foreign(path: Path) -> bool:
    return path.name.startswith((".", "__")) or (path / "pyvenv.cfg").exists()


def shown_path(path: Path) -> str:
    """A path as one types it: from here, where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return os.path.normpath(path)
