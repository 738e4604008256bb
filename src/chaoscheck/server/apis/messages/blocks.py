"""Content blocks of Anthropic's messages: the text in each, and whose tool calls were answered.

A ``tool_use`` of the assistant must be answered by a ``tool_result`` in the user's next turn, and
nothing else may be; neighbouring messages of one role are one turn (API reference, "Tool use").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from chaoscheck.server.apis.request_body import BadRequest

__all__ = ["Turns", "text_of_block"]

# What each kind of block must have, and the field that holds its text, if it has any.
_BLOCKS: dict[str, tuple[tuple[str, ...], str | None]] = {
    "text": (("text",), "text"),
    "image": (("source",), None),
    "document": (("source",), None),
    "search_result": (("source", "title", "content"), "content"),
    "thinking": (("thinking", "signature"), None),
    "redacted_thinking": (("data",), None),
    "tool_use": (("id", "name", "input"), None),
    "tool_result": (("tool_use_id",), "content"),
    "server_tool_use": (("id", "name", "input"), None),
    "web_search_tool_result": (("tool_use_id", "content"), None),
    "web_fetch_tool_result": (("tool_use_id", "content"), None),
    "code_execution_tool_result": (("tool_use_id", "content"), None),
    "bash_code_execution_tool_result": (("tool_use_id", "content"), None),
    "text_editor_code_execution_tool_result": (("tool_use_id", "content"), None),
    "tool_search_tool_result": (("tool_use_id", "content"), None),
    "container_upload": (("file_id",), None),
    "browser_state": ((), None),
}

# What the blocks that hold blocks may hold: a chain of them is short, whoever wrote it.
_INSIDE = {
    "tool_result": ("text", "image", "document", "search_result"),
    "search_result": ("text",),
}
_IDS_SHOWN_MAX = 20  # of calls without an answer that an error names
_STRINGS = ("id", "name", "tool_use_id")
_SOURCES = ("base64", "url", "file", "text", "content")


def text_of_block(where: str, block: object) -> str:
    """The text of the block at ``where``; BadRequest if it is none, or lacks what its kind has."""
    if not isinstance(block, dict):
        raise BadRequest(f"{where}: Input should be a valid dictionary or object", where)
    kind = _kind_of(where, block)
    required, holds_text = _BLOCKS[kind]
    for name in required:
        value = block.get(name)
        if value is None:
            raise BadRequest(f"{where}.{kind}.{name}: Field required", where)
        if name in _STRINGS and not isinstance(value, str):
            raise BadRequest(f"{where}.{kind}.{name}: Input should be a valid string", where)
    if kind in ("image", "document"):
        return _text_of_source(f"{where}.{kind}.source", block["source"])
    held = block.get(holds_text) if holds_text else None
    if held is None or isinstance(held, str):
        return held or ""
    return _text_within(f"{where}.{kind}.{holds_text}", kind, held)


def _kind_of(where: str, block: Mapping[str, object]) -> str:
    kind = block.get("type")
    if kind is None:
        raise BadRequest(f"{where}.type: Field required", where)
    if not isinstance(kind, str) or kind not in _BLOCKS:
        tags = ", ".join(f"'{tag}'" for tag in _BLOCKS)
        raise BadRequest(
            f"{where}: Input tag '{str(kind)[:100]}' found using 'type' does not match any of the"
            f" expected tags: {tags}",
            where,
        )
    return kind


def _text_within(where: str, kind: str, held: object) -> str:
    inside = _INSIDE.get(kind)
    if inside is None or not isinstance(held, list):
        raise BadRequest(f"{where}: Input should be a valid string", where)
    for at, inner in enumerate(held):
        if isinstance(inner, dict) and inner.get("type") not in inside:
            allowed = ", ".join([f"'{tag}'" for tag in inside])
            raise BadRequest(f"{where}.{at}.type: Input should be one of {allowed}", where)
    return "".join([text_of_block(f"{where}.{at}", inner) for at, inner in enumerate(held)])


def _text_of_source(where: str, source: object) -> str:
    if not isinstance(source, dict):
        raise BadRequest(f"{where}: Input should be a valid dictionary or object", where)
    kind = source.get("type")
    if kind is None:
        raise BadRequest(f"{where}.type: Field required", where)
    if kind not in _SOURCES:
        tags = ", ".join(f"'{tag}'" for tag in _SOURCES)
        raise BadRequest(f"{where}.type: Input should be one of {tags}", where)
    data = source.get("data")
    return data if kind == "text" and isinstance(data, str) else ""


class Turns:
    """Follows a conversation turn by turn: every call answered, no answer uncalled."""

    def __init__(self) -> None:
        self._role = ""
        self._asked_at = ""
        self._called: set[str] = set()
        self._unanswered: dict[str, None] = {}  # in order

    def enter(self, where: str, role: str, blocks: Sequence[Any]) -> None:
        """The next message; BadRequest if it answers what was not called, or leaves a call.

        ``blocks`` have been found good. Calls of the last turn may stand open, since nobody
        answered them yet.
        """
        if role != self._role:
            self._role = role
            if role == "assistant":
                self._require_answers()
                self._called = set()
        if role == "assistant":
            self._asked_at = where
        for at, block in enumerate(blocks):
            if block["type"] == "tool_use" and role == "assistant":
                self._called.add(block["id"])
                self._unanswered[block["id"]] = None
            elif block["type"] == "tool_result":
                self._answer(f"{where}.content.{at}", block["tool_use_id"])

    def _require_answers(self) -> None:
        if self._unanswered:
            ids = ", ".join(islice(self._unanswered, _IDS_SHOWN_MAX))
            raise BadRequest(
                f"{self._asked_at}: `tool_use` ids were found without `tool_result` blocks"
                f" immediately after: {ids}. Each `tool_use` block must have a corresponding"
                " `tool_result` block in the next message.",
                "messages",
            )

    def _answer(self, where: str, call_id: str) -> None:
        if self._role != "user" or call_id not in self._called:
            raise BadRequest(
                f"{where}: unexpected `tool_use_id` found in `tool_result` blocks: {call_id}."
                " Each `tool_result` block must have a corresponding `tool_use` block in the"
                " previous message.",
                "messages",
            )
        self._unanswered.pop(call_id, None)
