"""A client that reads the tool calls of any API, whole or streamed, and keeps what else is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from models.tool_call_answers import Said, SaidCall

__all__ = ["read"]

Document = dict[str, Any]


def read(api: str, body: bytes, *, streamed: bool) -> Said:
    """What an answer of ``api`` says; AssertionError where a stream contradicts itself."""
    if not streamed:
        documents = [json.loads(body)]
    elif api == "gemini array":
        documents = json.loads(body)
    else:
        documents = list(_documents(body))
    return _READERS[api.split(maxsplit=1)[0]](documents, streamed)


def _documents(body: bytes) -> Iterator[Document]:
    for line in body.decode().split("\n"):
        data = line.removeprefix("data: ")
        if data.startswith("{"):
            yield json.loads(data)


def _chat(documents: list[Document], streamed: bool) -> Said:
    parts: dict[int, list[Any]] = {}
    rest, ending = [], ""
    for document in documents:
        choices = document.get("choices") or [{}]
        choice = choices[0]
        holder = choice.get("delta" if streamed else "message") or {}
        legacy = holder.pop("function_call", None)
        entries = holder.pop("tool_calls", [{"function": legacy}] if legacy else [])
        for number, entry in enumerate(entries):
            part = parts.setdefault(entry.get("index", number), [None, "", None])
            said = entry.get("function") or {}
            part[0] = part[0] or entry.get("id")
            part[1] += said.get("name", "")
            passed = said.get("arguments")
            part[2] = passed if part[2] is None else part[2] + passed
        reason = choice.pop("finish_reason", None)
        ending = reason or ending
        native = choice.pop("native_finish_reason", None)
        assert native in (None, ending)
        says_nothing = bool(document.get("choices")) and not holder and not reason
        if not (streamed and (entries or says_nothing)):
            rest.append(document)
    assert list(parts) == list(range(len(parts)))
    calls = tuple(SaidCall(*part) for part in parts.values())
    return Said(calls, ending.replace("function_call", "tool_calls"), rest)


def _responses(documents: list[Document], streamed: bool) -> Said:
    last = documents[-1]["response"] if streamed else documents[-1]
    items = [item for item in last["output"] if item["type"] == "function_call"]
    if streamed:
        assert [document.pop("sequence_number") for document in documents] == list(
            range(len(documents))
        )
        assert items == _streamed_items(documents, last["output"])
    rest = []
    for document in documents:
        if "output_index" in document:
            item = last["output"][document["output_index"]]
            if item["type"] == "function_call":
                continue
        response = document.get("response", document)
        if response.get("object") == "response":
            kept = ("status", "incomplete_details", "output")
            response = {name: value for name, value in response.items() if name not in kept}
            document = {"response": response}
        rest.append(document)
    assert {item["status"] for item in items} <= {last["status"]}
    calls = tuple(SaidCall(it["call_id"], it["name"], it["arguments"]) for it in items)
    ids = [item["id"] for item in items]
    assert len(ids) == len(set(ids))
    return Said(calls, "length" if last["status"] == "incomplete" else "tool_calls", rest)


def _streamed_items(documents: list[Document], output: list[Document]) -> list[Document]:
    """The calls as the events before the last one said them."""
    items = []
    for index, item in enumerate(output):
        if item["type"] != "function_call":
            continue
        mine = [document for document in documents if document.get("output_index") == index]
        added, *deltas, done, ended = mine
        assert {"", "in_progress"} == {added["item"]["arguments"], added["item"]["status"]}
        passed: Any = None
        for delta in deltas:
            passed = delta["delta"] if passed is None else passed + delta["delta"]
        assert ("" if passed is None else passed) == done["arguments"]
        assert done["arguments"] == ended["item"]["arguments"]
        items.append(ended["item"])
    return items


def _messages(documents: list[Document], streamed: bool) -> Said:
    if not streamed:
        (document,) = documents
        blocks = [block for block in document["content"] if block["type"] == "tool_use"]
        document["content"] = [block for block in document["content"] if block not in blocks]
        ending = document.pop("stop_reason")
        return Said(
            tuple([_block(block, block["input"]) for block in blocks]), _words(ending), [document]
        )
    started: dict[int, Document] = {}
    passed: dict[int, str] = {}
    rest: list[Document] = []
    ending = ""
    for document in documents:
        index = document.get("index")
        block = document.get("content_block", {})
        if block.get("type") == "tool_use":
            assert index == len(started) + sum(["content_block" in it for it in rest])
            started[index], passed[index] = block, ""
        elif index in started and "delta" in document:
            passed[index] += document["delta"]["partial_json"]
        elif index not in started:
            ending = document.get("delta", {}).pop("stop_reason", ending)
            rest.append(document)
    rest = [document for document in rest if document["type"] != "ping"]
    calls = [_block(block, passed[index]) for index, block in started.items()]
    return Said(tuple(calls), _words(ending), rest)


def _block(block: Document, passed: object) -> SaidCall:
    return SaidCall(block["id"], block["name"], passed)


def _words(ending: str) -> str:
    return {"tool_use": "tool_calls", "end_turn": "stop", "max_tokens": "length"}[ending]


def _gemini(documents: list[Document], streamed: bool) -> Said:
    calls: list[Document] = []
    rest: list[object] = []
    ending, unread = "", None
    for document in documents:
        (candidate,) = document["candidates"]
        content = candidate["content"]
        parts = content.pop("parts", [])
        calls += [part["functionCall"] for part in parts if "functionCall" in part]
        others = [part for part in parts if "functionCall" not in part and part != {"text": ""}]
        ending = candidate.pop("finishReason", ending)
        message = candidate.pop("finishMessage", None)
        if message is not None:
            unread = message.removeprefix("Malformed function call: ")
        if not streamed or "usageMetadata" in document or others:
            rest.append((document, others))
    assert (ending == "MALFORMED_FUNCTION_CALL") == (unread is not None)
    ending = {"MAX_TOKENS": "length", "STOP": "tool_calls"}.get(ending, ending)
    said = tuple([SaidCall(call.get("id"), call["name"], call["args"]) for call in calls])
    return Said(said, ending, rest, unread)


def _ollama(documents: list[Document], streamed: bool) -> Said:
    calls: list[Document] = []
    rest: list[Document] = []
    ending, unread = "", None
    for document in documents:
        if "error" in document:
            found = document["error"].removeprefix("error parsing tool call: raw='")
            unread = found[: found.rindex("', err=")]
            continue
        entries = document["message"].pop("tool_calls", [])
        calls += [entry["function"] for entry in entries]
        ending = document.pop("done_reason", ending)
        if document["done"] or document["message"].get("content"):
            rest.append(document)
    assert unread is not None or [call["index"] for call in calls] == list(range(len(calls)))
    said = [SaidCall(None, call["name"], call["arguments"]) for call in calls]
    if unread is not None:  # Calls before the one that could not be read have been said.
        said = []
    return Said(tuple(said), "length" if ending == "length" else "tool_calls", rest, unread)


_READERS: Mapping[str, Callable[[list[Document], bool], Said]] = {
    "chat": _chat,
    "azure": _chat,
    "openrouter": _chat,
    "functions": _chat,
    "responses": _responses,
    "messages": _messages,
    "gemini": _gemini,
    "ollama": _ollama,
}
