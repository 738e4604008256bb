"""Where Anthropic's files stand: where OpenAI's do, told apart by ``anthropic-version``."""

from __future__ import annotations

from chaoscheck.server.apis.message_files.answer import (
    answer_content,
    answer_delete,
    answer_file,
    answer_list,
    answer_upload,
)
from chaoscheck.server.apis.place import Place
from chaoscheck.server.providers import ANTHROPIC

__all__ = ["PLACES"]

_ALL = "/v1/files"
_ONE = f"{_ALL}/([^/]+)"

PLACES = (
    Place(provider=ANTHROPIC, path=_ALL, api=answer_upload, takes_form=True),
    Place(provider=ANTHROPIC, path=_ALL, api=answer_list, method="GET"),
    Place(provider=ANTHROPIC, path=_ONE, api=answer_file, method="GET"),
    Place(provider=ANTHROPIC, path=_ONE, api=answer_delete, method="DELETE"),
    Place(provider=ANTHROPIC, path=f"{_ONE}/content", api=answer_content, method="GET"),
)
