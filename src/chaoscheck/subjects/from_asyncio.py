"""An asyncio subject in a world of trio: trio-asyncio's loop, in the same virtual time.

One event loop lives as long as the world. An awaited method of the subject runs on it; async
functions of ours that are handed to the subject become awaitable there. The subject is built
while the loop runs, so that what it binds to a loop binds to this one.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from chaoscheck.errors import PlanError
from chaoscheck.subjects.kinds import Kind
from chaoscheck.world.world import World

__all__ = ["AsyncioSubject"]


class AsyncioSubject:
    """Looks like a trio subject of its kind; forwards to the asyncio one.

    A ``sleep`` among the factory's keywords becomes awaitable from asyncio. PlanError when
    trio-asyncio is not installed.
    """

    def __init__(
        self, kind: Kind, factory: Callable[..., Any], world: World, *args: Any, **kwargs: Any
    ) -> None:
        self._kind = kind
        self._bridge = _bridge()
        self._loop: Any = None
        self._subject: Any = None
        kwargs = {
            name: self._as_asyncio(value) if name == "sleep" else value
            for name, value in kwargs.items()
        }
        world.spawn(self._host, functools.partial(factory, *args, **kwargs), name="asyncio loop")
        world.settle()

    async def _host(self, make: Callable[[], Any]) -> None:
        async with self._bridge.open_loop() as loop:
            self._loop = loop

            async def build() -> Any:
                return make()

            self._subject = await self._bridge.aio_as_trio(build)()
            await trio.sleep_forever()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._subject, name)
        if name not in self._kind.awaited:
            return found
        return functools.partial(self._run, found, self._kind.callbacks.get(name, ()))

    async def _run(
        self,
        method: Callable[..., Awaitable[Any]],
        callbacks: tuple[int, ...],
        *args: Any,
        **kw: Any,
    ) -> Any:
        self._bridge.current_loop.set(self._loop)
        args = tuple(
            self._as_asyncio(value) if index in callbacks else value
            for index, value in enumerate(args)
        )
        return await self._bridge.aio_as_trio(method)(*args, **kw)

    def _as_asyncio(self, async_fn: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """A function of ours, in trio's flavour, as one that asyncio code may await."""
        bridged: Callable[..., Awaitable[Any]] = self._bridge.trio_as_aio(async_fn)
        return bridged


def _bridge() -> Any:
    try:
        with warnings.catch_warnings():
            # Python 3.12 and later deprecate names of asyncio that trio-asyncio mentions.
            warnings.simplefilter("ignore", DeprecationWarning)
            import trio_asyncio
    except ImportError as error:
        raise PlanError(
            "an asyncio subject needs trio-asyncio: pip install 'chaoscheck[asyncio]'"
        ) from error
    return trio_asyncio
