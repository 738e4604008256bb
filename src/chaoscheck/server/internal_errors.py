"""An error of the server's own: where it came from, and what clients read in its place.

A client reads its provider's usual 500. The ledger names the type and the line, never the message,
since that may repeat a prompt. The log has the whole traceback, once for each place.
"""

from __future__ import annotations

import logging
import traceback

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS

__all__ = ["INTERNAL_ERROR", "place_of", "report"]

#: The answer to a request that the server failed on; its provider writes the body.
INTERNAL_ERROR = Answer(status=500, error=API_ERRORS[500])

_PACKAGE = __name__.partition(".")[0]
_PLACES_MAX = 100  # that are logged; a server that fails in more of them floods the log

_log = logging.getLogger(f"{_PACKAGE}.server")
_reported: set[str] = set()


def place_of(error: BaseException) -> str:
    """``OverflowError in chaoscheck.server.apis.json_fitting, line 236``: no path, no message.

    The line is the innermost one of this package's.
    """
    place = "an unknown place"
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = frame.f_globals.get("__name__", "")
        if module == _PACKAGE or module.startswith(f"{_PACKAGE}."):
            place = f"{module}, line {line}"
    return f"{type(error).__name__} in {place}"


def report(error: BaseException) -> str:
    """``place_of`` the error, whose traceback is logged unless one from there was before."""
    place = place_of(error)
    if place not in _reported and len(_reported) < _PLACES_MAX:
        _reported.add(place)
        _log.error("the chaos server failed on a request: %s", place, exc_info=error)
    return place
