"""Every clock that code in a world can read shows the world's time, and is real again after it."""

from __future__ import annotations

import datetime
import email.utils
import random
import secrets
import threading
import time
import uuid
import warnings
from collections.abc import Callable

import pytest
import trio

from chaoscheck.errors import Livelock
from chaoscheck.world import answers, escapes
from chaoscheck.world.virtual import VirtualWorld

UTC = datetime.UTC
HOUR_S = 3600.0
CALENDARS: list[Callable[[], float]] = [
    lambda: datetime.datetime.now(UTC).timestamp(),
    lambda: datetime.datetime.now().astimezone().timestamp(),
    lambda: datetime.datetime.today().timestamp(),
    lambda: float(time.strftime("%s")),
    lambda: float(time.mktime(time.localtime())),
    lambda: float(time.mktime(time.strptime(time.ctime()))),
    lambda: float(time.mktime(time.strptime(time.asctime()))),
    lambda: time.clock_gettime(time.CLOCK_REALTIME),
    lambda: time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e9,
    lambda: email.utils.parsedate_to_datetime(email.utils.formatdate()).timestamp(),
    lambda: email.utils.localtime().timestamp(),
    time.time,
]


@pytest.mark.parametrize("read", CALENDARS)
def test_each_way_to_read_the_calendar_shows_the_worlds(read: Callable[[], float]) -> None:
    """A cache that is aged by the calendar ages in a world."""
    with VirtualWorld() as world:
        world.advance(HOUR_S)
        seen = read()

    assert escapes.EPOCH_S + HOUR_S == seen
    assert abs(read() - time.time()) < 60


def test_the_day_is_the_worlds() -> None:
    """date.today, utcnow and the time in a version-1 UUID follow."""
    with VirtualWorld() as world:
        world.advance(10 * 24 * HOUR_S)
        today = datetime.date.today()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later
            naive = datetime.datetime.utcnow()
        first = uuid.uuid1()

    assert datetime.date(2026, 1, 11) == today
    assert datetime.datetime(2026, 1, 11) == naive
    gregorian_s = first.time / 1e7 - 12_219_292_800  # RFC 9562: from 1582-10-15
    assert escapes.EPOCH_S + 10 * 24 * HOUR_S == pytest.approx(gregorian_s, abs=1e-3)


@pytest.mark.parametrize(
    "read",
    [
        lambda: time.monotonic(),
        lambda: time.monotonic_ns() / 1e9,
        lambda: time.perf_counter(),
        lambda: time.perf_counter_ns() / 1e9,
        lambda: time.clock_gettime(time.CLOCK_MONOTONIC),
        lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e9,
    ],
)
def test_each_clock_that_only_runs_forward_shows_the_worlds(read: Callable[[], float]) -> None:
    """In sync code as in tasks."""

    async def look() -> float:
        return read()

    with VirtualWorld() as world:
        world.advance(HOUR_S)
        seen = [read(), world.run(look)]

    assert [escapes.MONOTONIC_S + HOUR_S] * 2 == seen


def test_code_in_a_world_uses_no_cpu_time() -> None:
    """A budget of CPU time is neither spent by the machine's speed nor by sleeping."""
    with VirtualWorld() as world:

        async def look() -> tuple[float, ...]:
            before = time.process_time(), time.thread_time_ns()
            await trio.sleep(5)
            return (*before, time.process_time(), time.thread_time_ns())

        seen = world.run(look)

    assert (1.0, 1_000_000_000, 1.0, 1_000_000_000) == seen


def test_chance_that_has_no_seed_is_the_worlds() -> None:
    """Generators, tokens and identifiers are the same in two runs."""

    def of_one_run() -> list[object]:
        with VirtualWorld():
            return [
                random.Random().random(),
                random.SystemRandom().random(),
                secrets.token_hex(4),
                uuid.uuid1(),
                uuid.getnode(),
                uuid.uuid4(),
            ]

    assert of_one_run() == of_one_run()


def test_other_threads_keep_the_real_calendar() -> None:
    """While a world is open here, a thread elsewhere sees what it always sees."""
    seen: list[float] = []
    read = threading.Event()
    asked = threading.Event()

    def elsewhere() -> None:
        asked.wait()
        seen.extend((time.time(), datetime.datetime.now().timestamp()))
        read.set()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    with VirtualWorld():
        asked.set()
        while not read.is_set():
            pass
    thread.join()

    now = time.time()
    assert [True, True] == [abs(each - now) < 60 for each in seen]


# ---------------------------------------------------------------------------- polling


def test_sync_code_that_polls_the_clock_is_a_livelock_with_its_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A loop that waits for time in sync code never ends: time passes between ticks only."""
    monkeypatch.setattr(answers, "READS_MAX", 500)

    def wait_an_hour() -> None:
        until = time.monotonic() + HOUR_S
        while time.monotonic() < until:
            pass

    with (
        pytest.raises(Livelock, match=r"read 500 times at 0 s.*test_clocks\.py:\d+"),
        VirtualWorld(),
    ):
        wait_an_hour()


@pytest.mark.parametrize("where", ["in a task", "in sync code"])
def test_a_livelock_that_is_swallowed_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Also code that catches everything and tries again."""
    monkeypatch.setattr(answers, "READS_MAX", 500)

    def poll() -> None:
        while datetime.datetime.now().year < 2027:
            try:
                while time.perf_counter() < 1e9:
                    pass
            except Exception as error:
                del error

    async def task() -> None:
        poll()

    with pytest.raises(Livelock), VirtualWorld() as world:
        try:
            poll() if where == "in sync code" else world.run(task)
        except answers.StillPolls:
            world.raise_kept()


def test_reading_the_clock_often_is_no_livelock_where_the_code_gives_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What counts is one stretch of code: a task that sleeps or yields begins anew."""
    monkeypatch.setattr(answers, "READS_MAX", 50)

    async def read_and_yield() -> None:
        for _ in range(20):
            for _ in range(40):
                time.monotonic()
            await trio.lowlevel.checkpoint()

    with VirtualWorld() as world:
        world.run(read_and_yield)
