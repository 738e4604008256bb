"""Where Anthropic's message batches stand."""

from __future__ import annotations

from chaoscheck.server.apis.message_batches.answer import (
    answer_batch,
    answer_cancel,
    answer_create,
    answer_delete,
    answer_list,
    answer_results,
)
from chaoscheck.server.apis.place import Place
from chaoscheck.server.providers import ANTHROPIC

__all__ = ["PLACES"]

_ALL = "/v1/messages/batches"
_ONE = f"{_ALL}/([^/]+)"

PLACES = (
    Place(provider=ANTHROPIC, path=_ALL, costly=True, api=answer_create),
    Place(provider=ANTHROPIC, path=_ALL, costly=True, api=answer_list, method="GET"),
    Place(provider=ANTHROPIC, path=_ONE, costly=True, api=answer_batch, method="GET"),
    Place(provider=ANTHROPIC, path=_ONE, costly=True, api=answer_delete, method="DELETE"),
    Place(provider=ANTHROPIC, path=f"{_ONE}/cancel", costly=True, api=answer_cancel),
    Place(
        provider=ANTHROPIC, path=f"{_ONE}/results", costly=True, api=answer_results, method="GET"
    ),
)
