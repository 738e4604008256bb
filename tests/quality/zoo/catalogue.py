"""All races of the zoo, in one explicit tuple."""

from __future__ import annotations

from tests.quality.zoo.aba import ABA
from tests.quality.zoo.built_twice import BUILT_TWICE
from tests.quality.zoo.cancelled_holder import CANCELLED_HOLDER
from tests.quality.zoo.cancelled_waiter import CANCELLED_WAITER
from tests.quality.zoo.check_then_act import CHECK_THEN_ACT
from tests.quality.zoo.dirty_rollback import DIRTY_ROLLBACK
from tests.quality.zoo.double_win import DOUBLE_WIN
from tests.quality.zoo.forgotten_wake_up import FORGOTTEN_WAKE_UP
from tests.quality.zoo.leak_on_cancel import LEAK_ON_CANCEL
from tests.quality.zoo.lockstep_lost_update import LOCKSTEP_LOST_UPDATE
from tests.quality.zoo.opposite_locks import OPPOSITE_LOCKS
from tests.quality.zoo.order_of_five import ORDER_OF_FIVE
from tests.quality.zoo.race import Race
from tests.quality.zoo.skewed_lost_update import SKEWED_LOST_UPDATE
from tests.quality.zoo.stale_lease import STALE_LEASE
from tests.quality.zoo.starved_job import STARVED_JOB
from tests.quality.zoo.torn_read import TORN_READ

__all__ = ["RACES"]

RACES: tuple[Race, ...] = (
    LOCKSTEP_LOST_UPDATE,
    SKEWED_LOST_UPDATE,
    STARVED_JOB,
    STALE_LEASE,
    CANCELLED_HOLDER,
    CANCELLED_WAITER,
    DOUBLE_WIN,
    ABA,
    FORGOTTEN_WAKE_UP,
    ORDER_OF_FIVE,
    CHECK_THEN_ACT,
    LEAK_ON_CANCEL,
    TORN_READ,
    BUILT_TWICE,
    DIRTY_ROLLBACK,
    OPPOSITE_LOCKS,
)
