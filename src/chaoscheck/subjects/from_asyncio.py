"""An asyncio subject in a world of trio: trio-asyncio's loop, in the same virtual time.

One event loop lives as long as the world. An awaited method of the subject runs on it; async
functions of ours that are handed to the subject become coroutine functions there. The subject is
built, and its plain methods are called, while that loop is the running one.
"""

from __future__ import annotations

import asyncio
import functools
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import outcome
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

    @property
    def itself(self) -> Any:
        """The subject as its factory made it."""
        return self._subject

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
        with self._running_loop():
            found = getattr(self._subject, name)
        if name in self._kind.awaited:
            return functools.partial(self._run, found, self._kind.callbacks.get(name, ()))
        return functools.partial(self._call, found) if callable(found) else found

    def _call(self, method: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """A plain method; it may ask for the running loop, to wake a future for example."""
        with self._running_loop():
            return method(*args, **kw)

    @contextmanager
    def _running_loop(self) -> Iterator[None]:
        """Make the subject's loop the running one, within a trio task and outside of any."""
        current = self._bridge.current_loop
        token = current.set(self._loop)
        # Within a trio task trio-asyncio answers from the task's context; elsewhere asyncio does.
        outside = not trio.lowlevel.in_trio_task()
        if outside:
            asyncio._set_running_loop(self._loop)
        try:
            yield
        finally:
            if outside:
                asyncio._set_running_loop(None)
            current.reset(token)

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
        """A function of ours, in trio's flavour, as a coroutine function of asyncio's.

        trio-asyncio makes a callable that returns a future; a library that asks
        ``inspect.iscoroutinefunction`` would take it for a plain function.
        """
        bridged = self._bridge.trio_as_aio

        @functools.wraps(async_fn)
        async def coroutine_function(*args: Any, **kw: Any) -> Any:
            call = _Call(functools.partial(async_fn, *args, **kw))
            try:
                return await bridged(call.run)()
            except asyncio.CancelledError:
                if not call.begun:
                    with suppress(Exception):
                        await asyncio.shield(bridged(call.run_cancelled)())
                if call.ended is None:
                    raise
            # The cancel reaches the caller at its next suspension, after the call's end.
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            task.cancel()
            return call.ended.unwrap()

        return coroutine_function


class _Call:
    """One call of a trio function by an asyncio task, with a task of trio's in between.

    In asyncio a coroutine runs to its first suspension at once, and its end is its caller's next
    step; a cancel comes before, between or after. The task between the two adds instants in which
    the caller is cancelled but the call has not begun, or has ended: no real caller sees those.
    """

    def __init__(self, async_fn: Callable[[], Awaitable[Any]]) -> None:
        self.begun = False
        self.ended: outcome.Outcome[Any] | None = None
        self._async_fn = async_fn

    async def run(self) -> Any:
        """Await the function and keep how it ended, unless it was cancelled."""
        self.begun = True
        try:
            value = await self._async_fn()
        except Exception as error:
            self.ended = outcome.Error(error)
            raise
        self.ended = outcome.Value(value)
        return value

    async def run_cancelled(self) -> None:
        """Run the function to its first checkpoint, where it is cancelled."""
        with trio.CancelScope() as scope:
            scope.cancel()
            await self.run()


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
