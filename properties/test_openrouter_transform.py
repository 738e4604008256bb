"""What the pipeline machine does not draw: odd rows and odd templates."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck import VirtualWorld
from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, OpenRouterSettings
from chaoscheck.components.output_port import CollectingOutputPort, RowResult
from chaoscheck.stateful.chaos import Chaos
from properties.test_llm_pipeline import NO_TLS

Row = Mapping[str, object]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ROWS = st.lists(
    st.dictionaries(st.sampled_from(["text", "name", "0"]), TEXTS | st.integers() | st.none()),
    max_size=4,
)
TEMPLATES = st.sampled_from(
    ["{text}", "{text} {name}", "{text!r:>30}", "{text[0]}", "{text.real}", "{0}", "{}", "{{}}"]
)


# ---------------------------------------------------------------------- rows and templates


@given(template=TEMPLATES, rows=ROWS)
def test_each_row_is_sent_as_its_template_says_or_fails_without_a_request(
    template: str, rows: list[Row]
) -> None:
    """Whatever a row holds, it comes out in its place: with the echo of its prompt, or why not."""
    results, sent = run_rows(template, rows)

    assert list(rows) == [result.row for result in results]
    prompts = [prompt_of(template, row) for row in rows]
    assert len([prompt for prompt in prompts if prompt is not None]) == sent
    for prompt, result in zip(prompts, results, strict=True):
        reason = None if result.error is None else result.error["reason"]
        if prompt is None:
            assert (reason, result.attempts) == ("template_error", 0)
        elif prompt.strip():
            assert (reason, result.content) == (None, prompt)
        else:
            assert reason == "blank_content"


def run_rows(template: str, rows: list[Row]) -> tuple[list[RowResult], int]:
    """What came out for ``rows`` against a good server, and how many requests it saw."""
    output = CollectingOutputPort()
    settings = OpenRouterSettings(model="m", template=template, base_url="http://api.test/v1")
    with VirtualWorld() as world:
        server = Chaos(world).serve()

        async def main() -> None:
            async with (
                httpx.AsyncClient(verify=NO_TLS) as client,
                OpenRouterLLMTransform(client, output=output, settings=settings) as transform,
            ):
                for row in rows:
                    await transform.accept(row)

        world.run(main)
        return output.results, len(list(server.ledger))


def prompt_of(template: str, row: Row) -> str | None:
    """What the template makes of the row; None where they do not fit."""
    try:
        return template.format_map(row)
    except (KeyError, IndexError, AttributeError, ValueError, TypeError):
        return None
