"""The three anchors, in one explicit tuple."""

from __future__ import annotations

from tests.quality.anchors.anchor import Anchor
from tests.quality.anchors.buffer_drops_the_newest import BUFFER_DROPS_THE_NEWEST
from tests.quality.anchors.job_lost_before_ack import JOB_LOST_BEFORE_ACK
from tests.quality.anchors.token_bucket_refills_twice import TOKEN_BUCKET_REFILLS_TWICE

__all__ = ["ANCHORS"]

ANCHORS: tuple[Anchor, ...] = (
    TOKEN_BUCKET_REFILLS_TWICE,
    BUFFER_DROPS_THE_NEWEST,
    JOB_LOST_BEFORE_ACK,
)
