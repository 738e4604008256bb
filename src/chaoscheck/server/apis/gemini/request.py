"""What a request to Gemini holds: its contents as texts, the tools and the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chaoscheck.server.apis.gemini.fields import (
    field,
    invalid,
    objects,
    one_of,
    parsed,
    struct,
    text,
)
from chaoscheck.server.apis.gemini.options import Options, options_of, standard_schema
from chaoscheck.server.apis.pieces import words_in
from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.apis.speaker import ToolOffer

__all__ = ["GeminiAsked", "asked_of", "content_text", "counted"]

_ROLES = ("user", "model", "function")
_MODES = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
_TOOLS_MAX = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class GeminiAsked:
    """A good request; ``texts`` are all contents as (role, text), the model's role ``assistant``.

    ``tools`` may be called, and one of ``must_call`` has to be, unless that is empty.
    """

    texts: tuple[tuple[str, str], ...]
    tools: tuple[ToolOffer, ...]
    must_call: tuple[str, ...]
    options: Options

    @property
    def tokens(self) -> int:
        """How many tokens were read."""
        return _tokens(self.texts)


def asked_of(body: bytes) -> GeminiAsked:
    """Read a request; BadRequest where it is malformed or out of range."""
    asked = parsed(body)
    texts = _texts(asked)
    tools, hosted = _tools(asked)
    called, must_call = _choice(asked, tools, hosted)
    config = struct(asked, "generationConfig") or {}
    return GeminiAsked(texts=texts, tools=called, must_call=must_call, options=options_of(config))


def counted(body: bytes) -> int:
    """How many tokens the contents have, or those of the request that would be generated from."""
    asked = parsed(body)
    inner = struct(asked, "generateContentRequest")
    return _tokens(_texts(asked if inner is None else inner))


def content_text(content: Mapping[str, object]) -> str:
    """The text of a content's parts; other parts are of known kinds, or refused."""
    return "".join([_part_text(part) for part in objects(content, "parts")])


def _tokens(texts: tuple[tuple[str, str], ...]) -> int:
    return sum([words_in(text) for _, text in texts])


def _texts(asked: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    contents = objects(asked, "contents")
    if not contents:
        raise BadRequest("* GenerateContentRequest.contents: contents is not specified", "contents")
    system = struct(asked, "systemInstruction")
    texts = [] if system is None else [("system", content_text(system))]
    for at, content in enumerate(contents):
        role = one_of(content, "role", _ROLES) or "user"
        if not objects(content, "parts"):
            raise BadRequest(
                f"* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty.",
                "contents",
            )
        texts.append(("assistant" if role == "model" else role, content_text(content)))
    return tuple(texts)


_PARTS = (
    "codeExecutionResult",
    "executableCode",
    "fileData",
    "functionCall",
    "functionResponse",
    "inlineData",
    "toolCall",
    "toolResponse",
)


def _part_text(part: Mapping[str, object]) -> str:
    said = text(part, "text")
    if said is not None:
        return "" if field(part, "thought") is True else said
    if all(field(part, name) is None for name in _PARTS):
        raise BadRequest(
            "* GenerateContentRequest.contents.parts.data: required oneof field 'data' must have"
            " one initialized field",
            "contents",
        )
    return ""


def _tools(asked: Mapping[str, object]) -> tuple[tuple[ToolOffer, ...], list[str]]:
    """The functions that are offered, and the names of tools that Google would run."""
    offers: list[ToolOffer] = []
    hosted: list[str] = []
    for tool in objects(asked, "tools"):
        offers += [_offer(it) for it in objects(tool, "functionDeclarations")]
        hosted += [
            name
            for name in tool
            if name not in ("functionDeclarations", "function_declarations")
            and tool[name] is not None
        ]
    if len(offers) > _TOOLS_MAX:
        raise invalid("tools", f"at most {_TOOLS_MAX} functions may be declared")
    return tuple(offers), hosted


def _offer(declared: Mapping[str, object]) -> ToolOffer:
    name = text(declared, "name")
    if name is None or not _NAME.fullmatch(name):
        raise BadRequest(
            "* GenerateContentRequest.tools.function_declarations.name: Invalid function name."
            " Must start with a letter or an underscore.",
            "tools",
        )
    schema = struct(declared, "parametersJsonSchema")
    if schema is None:
        schema = standard_schema(struct(declared, "parameters") or {})
    return ToolOffer(name=name, parameters=schema)


def _choice(
    asked: Mapping[str, object], tools: tuple[ToolOffer, ...], hosted: list[str]
) -> tuple[tuple[ToolOffer, ...], tuple[str, ...]]:
    config = struct(struct(asked, "toolConfig") or {}, "functionCallingConfig") or {}
    mode = one_of(config, "mode", _MODES) or "AUTO"
    allowed = field(config, "allowedFunctionNames")
    if allowed is not None and not isinstance(allowed, list):
        raise invalid("allowedFunctionNames", "expected a list")
    if mode == "NONE":
        return (), ()
    names = [tool.name for tool in tools]
    if allowed:
        for name in allowed:
            if name not in names:
                raise invalid("allowedFunctionNames", f"{str(name)[:100]!r} is not declared")
        tools = tuple([tool for tool in tools if tool.name in allowed])
    if mode != "ANY":
        return tools, ()
    if not tools:
        said = f"; tools of Google's own cannot be forced: {hosted[0][:50]}" if hosted else ""
        raise invalid("mode", f"ANY needs function declarations{said}")
    return tools, tuple([tool.name for tool in tools])
