"""What a module bound before a world opened is answered too, or the user is warned."""

from __future__ import annotations

import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from types import ModuleType

import pytest

from chaoscheck.errors import Escape, UnansweredWarning
from chaoscheck.stateful.programs import determinism
from chaoscheck.world import escapes
from chaoscheck.world.patches import early_bindings
from chaoscheck.world.virtual import VirtualWorld

Import = Callable[[str], ModuleType]
_numbers = count()  # a module is warned about once in a process


@pytest.fixture
def imported() -> Iterator[Import]:
    """Makes a module of some source, as if the user's project had it."""
    names: list[str] = []

    def make(source: str) -> ModuleType:
        name = f"subject_under_test_{next(_numbers)}"
        module = ModuleType(name)
        sys.modules[name] = module
        names.append(name)
        exec(textwrap.dedent(source), vars(module))
        return module

    yield make
    for name in names:
        del sys.modules[name]
        early_bindings._unanswered.pop(name, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnansweredWarning)
        with VirtualWorld():
            """What the modules bound is forgotten."""


ANSWERED = {
    "a name": "from time import monotonic as read",
    "a function": """
        from time import monotonic
        def read(): return monotonic()
    """,
    "a default": """
        from time import monotonic
        def read(now=monotonic): return now()
    """,
    "a default by keyword": """
        import time
        def read(*, now=time.monotonic): return now()
    """,
    "a closure": """
        import time
        def outer(now):
            def read(): return now()
            return read
        read = outer(time.monotonic)
    """,
    "an attribute of a class": """
        import time
        class Clock:
            now = time.monotonic
            def read(self): return self.now()
        def read(): return Clock().read()
    """,
    "a static method": """
        import time
        class Clock:
            now = staticmethod(time.monotonic)
        def read(): return Clock().now()
    """,
    "a default of a method of an inner class": """
        import time
        class Outer:
            class Clock:
                def __init__(self, now=time.monotonic): self.now = now
        def read(): return Outer.Clock().now()
    """,
    "a class that another names, and that names it": """
        import time
        class One:
            now = time.monotonic
        class Other:
            one = One
        One.other = Other
        One.itself = One
        def read(): return One.now()
    """,
    "a dataclass": """
        import time
        from dataclasses import dataclass, field
        from collections.abc import Callable
        @dataclass
        class Clock:
            now: Callable = time.monotonic
            made_at: float = field(default_factory=time.monotonic)
        def read():
            clock = Clock()
            return (clock.made_at + clock.now()) / 2
    """,
    "an instance": """
        import time
        class Clock:
            def __init__(self): self.now = time.monotonic
        CLOCK = Clock()
        def read(): return CLOCK.now()
    """,
    "a dictionary": """
        import time
        CLOCKS = {"now": time.monotonic}
        def read(): return CLOCKS["now"]()
    """,
    "a list": """
        import time
        CLOCKS = [time.monotonic]
        def read(): return CLOCKS[0]()
    """,
}


@pytest.mark.parametrize("kind", ANSWERED)
def test_an_early_binding_is_answered_while_a_world_is_open(kind: str, imported: Import) -> None:
    """Whatever holds the real function shows the world's time, and the real one after it."""
    module = imported(ANSWERED[kind])
    held = dict(vars(module))

    with VirtualWorld() as world:
        world.advance(5)
        seen = module.read()

    assert escapes.MONOTONIC_S + 5 == seen
    assert abs(module.read() - time.monotonic()) < 60
    assert held == dict(vars(module))


def test_an_early_sleep_is_reported(imported: Import) -> None:
    """``from time import sleep`` blocks as much as time.sleep."""
    module = imported("from time import sleep")

    with pytest.raises(Escape, match=r"time\.sleep"), VirtualWorld():
        module.sleep(60)


def test_the_wall_clock_is_answered_whatever_holds_it(imported: Import) -> None:
    """Also where no name could be replaced."""
    module = imported("""
        import time, datetime
        from functools import partial
        NOW = (time.time, partial(time.time), datetime.datetime.now)
        def read(): return [NOW[0](), NOW[1](), NOW[2]().timestamp()]
    """)
    with VirtualWorld() as world:
        world.advance(5)
        assert [escapes.EPOCH_S + 5] * 3 == module.read()


def test_a_module_that_is_imported_in_a_world_is_right_there_and_afterwards(
    imported: Import,
) -> None:
    """It binds what answers, which is real where there is no world."""
    with VirtualWorld() as world:
        module = imported(ANSWERED["an attribute of a class"])
        world.advance(5)
        seen = module.read()

    assert escapes.MONOTONIC_S + 5 == seen
    assert abs(module.read() - time.monotonic()) < 60


UNANSWERED = {
    "PAIR": "import time; PAIR = (time.monotonic, 1)",
    "PARTIAL": """
        import time
        from functools import partial
        PARTIAL = partial(max, key=time.sleep)
    """,
    "CLOCK": """
        import time
        class Clock:
            __slots__ = ("now",)
            def __init__(self): self.now = time.monotonic
        CLOCK = Clock()
    """,
}


@pytest.mark.parametrize("name", UNANSWERED)
def test_what_cannot_be_replaced_is_warned_about_once(name: str, imported: Import) -> None:
    """By module and name, so that a green run is not taken for more than it is."""
    module = imported(UNANSWERED[name])
    with (
        pytest.warns(UnansweredWarning, match=rf"time\.\w+, which {module.__name__}\.{name} holds"),
        VirtualWorld(),
    ):
        """The first world that meets the module."""
    with VirtualWorld():
        """The second one warns no more; a warning would be an error here."""

    assert any(module.__name__ in each for each in early_bindings.unanswered())


def test_a_warning_that_is_an_error_leaves_no_world_behind(imported: Import) -> None:
    """And it comes again: a run whose first example fails must not be flaky."""
    imported(UNANSWERED["PAIR"])
    for _ in range(2):
        with pytest.raises(UnansweredWarning), VirtualWorld():
            """Never open."""
        assert 0 == escapes.patches_in_place()


def test_unreproducible_names_what_is_known_to_be_real(imported: Import) -> None:
    """The first suspect of a run that is not deterministic."""
    module = imported(UNANSWERED["PAIR"])
    with pytest.warns(UnansweredWarning), VirtualWorld():
        """The world that meets the module."""

    assert f"time.monotonic, which {module.__name__}.PAIR holds" in determinism._causes()


@pytest.mark.parametrize("name", ["unittest", "_pytest.timing", "hypothesis", "trio._core._run"])
def test_what_runs_the_tests_is_left_alone(name: str) -> None:
    """Durations of tests, and trio's own measurements, are real."""
    module = sys.modules[name]
    before = dict(vars(module))
    with VirtualWorld():
        changed = [key for key, value in vars(module).items() if value is not before.get(key)]

    assert [] == [key for key in changed if key not in ("_r", "_ALLOW_DETERMINISTIC_SCHEDULING")]


MADE_BEFORE = {
    "a name": """
        import threading
        LOCK = threading.Lock()
        def take(): return LOCK.acquire(timeout=0.05)
        def free(): LOCK.release()
    """,
    "a with statement": """
        import threading
        LOCK = threading.Lock()
        def take(): LOCK.__enter__()
        def free(): LOCK.release()
    """,
    "an attribute of a class": """
        import threading
        class Cache:
            lock = threading.Lock()
        def take(): return Cache.lock.acquire(True, 0.05)
        def free(): Cache.lock.release()
    """,
    "an instance": """
        import threading
        class Cache:
            def __init__(self): self.lock = threading.Lock()
        CACHE = Cache()
        def take(): return CACHE.lock.acquire(timeout=0.05)
        def free(): CACHE.lock.release()
    """,
    "a dictionary": """
        from threading import Lock
        LOCKS = {"row": Lock()}
        def take(): return LOCKS["row"].acquire(timeout=0.05)
        def free(): LOCKS["row"].release()
    """,
    "a simple queue": """
        from queue import SimpleQueue
        SLOTS = SimpleQueue()
        SLOTS.put("slot")
        def take(): return SLOTS.get(timeout=0.05)
        def free(): SLOTS.put("slot")
    """,
}


@pytest.mark.parametrize("kind", MADE_BEFORE)
def test_a_wait_for_a_lock_made_before_the_world_is_reported(kind: str, imported: Import) -> None:
    """It is the same lock within and without: held before, it is held there."""
    subject = imported(MADE_BEFORE[kind])
    subject.take()

    with pytest.raises(Escape, match="which blocks the whole world"), VirtualWorld():
        subject.take()
    with VirtualWorld():
        subject.free()
        subject.take()

    subject.free()
    subject.take()
    subject.free()
