"""Where the admin token of ``chaoscheck serve`` comes from: an option, a file, the environment."""

from __future__ import annotations

import os
from pathlib import Path

from chaoscheck.errors import PlanError
from chaoscheck.plan.documents.regular_file import read_regular_file
from chaoscheck.world.ambient import new_id

__all__ = ["TOKEN_VARIABLE", "admin_token"]

TOKEN_VARIABLE = "CHAOSCHECK_ADMIN_TOKEN"  # of the environment; options go before it

_LENGTH_MAX = 200  # characters
_FILE_BYTES_MAX = 1024  # a token, its line end, and room to say how long a longer one is


def admin_token(given: str | None, path: Path | None) -> str:
    """The token that is given, or in the file, or in the environment, else a random one.

    PlanError, which never repeats it, for one that no header can carry, and for two of them.
    """
    source, token = _found(given, path)
    if token is None:
        return new_id()
    legal = 1 <= len(token) <= _LENGTH_MAX and token.isascii() and token.isprintable()
    if not legal or " " in token:
        raise PlanError(
            f"{source} must have 1 to {_LENGTH_MAX} visible ASCII characters, "
            f"got {len(token)} characters"
        )
    return token


def _found(given: str | None, path: Path | None) -> tuple[str, str | None]:
    """Where the token was given, and what it is; None where it was not."""
    if path is None:
        if given is not None:
            return "--admin-token", given
        return TOKEN_VARIABLE, os.environ.get(TOKEN_VARIABLE)
    if given is not None:
        raise PlanError("--admin-token and --admin-token-file exclude each other")
    try:
        raw = read_regular_file(path, _FILE_BYTES_MAX)
    except PlanError as error:
        raise PlanError(f"--admin-token-file {path.name!r} {error}") from None
    # Editors and `echo` end a file with a line end, which is no part of the token.
    return f"--admin-token-file {path.name!r}", raw.decode("latin-1").rstrip("\r\n")
