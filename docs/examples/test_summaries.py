"""A first machine: is an answer ever lost when the provider is busy? (It is: run it.)"""

import httpx
import trio

from chaoscheck import ChaosMachine, faults, invariant, rule

URL = "http://api.test/v1/chat/completions"


async def summarise(text: str) -> str | None:
    """The code under test: ask a provider, and once more when it is busy."""
    question = {"model": "m", "messages": [{"role": "user", "content": text}]}
    async with httpx.AsyncClient(verify=False) as client:
        for _ in range(2):
            reply = await client.post(URL, json=question)
            if reply.status_code != 429:
                return str(reply.json()["choices"][0]["message"]["content"])
            await trio.sleep(float(reply.headers.get("retry-after", 1)))
    return None


class Summaries(ChaosMachine):
    """Texts go in; every text must come out again."""

    faults = (faults.status_429,)

    def setup(self) -> None:
        self.chaos.serve()
        self.answers: dict[str, str | None] = {}

    @rule()
    async def ask(self) -> None:
        text = f"text {len(self.answers)}"
        self.answers[text] = await summarise(text)

    @invariant()
    def nothing_is_lost(self) -> None:
        lost = [text for text, answer in self.answers.items() if answer is None]
        assert lost == [], f"no answer for {lost}"


TestSummaries = Summaries.TestCase
