"""All faults there are, by class and by the name users write, in families.

Read it as the faults themselves: ``from chaoscheck.plan import catalogue as faults`` and then
``faults.reset_mid_body(after_bytes=17)``. A new fault is added to the imports, to its family and
to the names at the end; a test holds the three together.
"""

from __future__ import annotations

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.broken_chunking import BrokenChunking
from chaoscheck.plan.faults.close_before_headers import CloseBeforeHeaders
from chaoscheck.plan.faults.close_mid_body import CloseMidBody
from chaoscheck.plan.faults.content_filter import ContentFilter
from chaoscheck.plan.faults.content_length_long import ContentLengthLong
from chaoscheck.plan.faults.content_length_short import ContentLengthShort
from chaoscheck.plan.faults.context_length import ContextLength
from chaoscheck.plan.faults.cut_stream import CutStream
from chaoscheck.plan.faults.double_encoded_tool_arguments import DoubleEncodedToolArguments
from chaoscheck.plan.faults.duplicate_chunks import DuplicateChunks
from chaoscheck.plan.faults.duplicate_done import DuplicateDone
from chaoscheck.plan.faults.duplicate_keys import DuplicateKeys
from chaoscheck.plan.faults.duplicate_tool_call import DuplicateToolCall
from chaoscheck.plan.faults.empty_body import EmptyBody
from chaoscheck.plan.faults.empty_choices import EmptyChoices
from chaoscheck.plan.faults.empty_tool_arguments import EmptyToolArguments
from chaoscheck.plan.faults.error_event_after_content import ErrorEventAfterContent
from chaoscheck.plan.faults.extra_tool_argument import ExtraToolArgument
from chaoscheck.plan.faults.half_close import HalfClose
from chaoscheck.plan.faults.huge_body import HugeBody
from chaoscheck.plan.faults.invalid_json import InvalidJson
from chaoscheck.plan.faults.invalid_utf8 import InvalidUtf8
from chaoscheck.plan.faults.keep_alive_comments import KeepAliveComments
from chaoscheck.plan.faults.late_done import LateDone
from chaoscheck.plan.faults.malformed_tool_arguments import MalformedToolArguments
from chaoscheck.plan.faults.missing_done import MissingDone
from chaoscheck.plan.faults.missing_fields import MissingFields
from chaoscheck.plan.faults.missing_tool_argument import MissingToolArgument
from chaoscheck.plan.faults.missing_tool_call import MissingToolCall
from chaoscheck.plan.faults.mistyped_tool_arguments import MistypedToolArguments
from chaoscheck.plan.faults.mixed_line_ends import MixedLineEnds
from chaoscheck.plan.faults.nan import Nan
from chaoscheck.plan.faults.no_usage import NoUsage
from chaoscheck.plan.faults.null_content import NullContent
from chaoscheck.plan.faults.refuse import Refuse
from chaoscheck.plan.faults.reordered_chunks import ReorderedChunks
from chaoscheck.plan.faults.reset_before_headers import ResetBeforeHeaders
from chaoscheck.plan.faults.reset_mid_body import ResetMidBody
from chaoscheck.plan.faults.reset_mid_headers import ResetMidHeaders
from chaoscheck.plan.faults.retry_after_contradicting_ms import RetryAfterContradictingMs
from chaoscheck.plan.faults.retry_after_fraction import RetryAfterFraction
from chaoscheck.plan.faults.retry_after_garbage import RetryAfterGarbage
from chaoscheck.plan.faults.retry_after_http_date import RetryAfterHttpDate
from chaoscheck.plan.faults.retry_after_huge import RetryAfterHuge
from chaoscheck.plan.faults.retry_after_negative import RetryAfterNegative
from chaoscheck.plan.faults.retry_after_past_date import RetryAfterPastDate
from chaoscheck.plan.faults.retry_after_zero import RetryAfterZero
from chaoscheck.plan.faults.slow_drip import SlowDrip
from chaoscheck.plan.faults.slow_response import SlowResponse
from chaoscheck.plan.faults.stall_before_headers import StallBeforeHeaders
from chaoscheck.plan.faults.stall_mid_body import StallMidBody
from chaoscheck.plan.faults.stall_mid_stream import StallMidStream
from chaoscheck.plan.faults.status_400 import Status400
from chaoscheck.plan.faults.status_401 import Status401
from chaoscheck.plan.faults.status_402 import Status402
from chaoscheck.plan.faults.status_403 import Status403
from chaoscheck.plan.faults.status_404 import Status404
from chaoscheck.plan.faults.status_408 import Status408
from chaoscheck.plan.faults.status_409 import Status409
from chaoscheck.plan.faults.status_413 import Status413
from chaoscheck.plan.faults.status_422 import Status422
from chaoscheck.plan.faults.status_425 import Status425
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.faults.status_500 import Status500
from chaoscheck.plan.faults.status_502 import Status502
from chaoscheck.plan.faults.status_503 import Status503
from chaoscheck.plan.faults.status_504 import Status504
from chaoscheck.plan.faults.status_529 import Status529
from chaoscheck.plan.faults.truncated_json import TruncatedJson
from chaoscheck.plan.faults.truncated_tool_arguments import TruncatedToolArguments
from chaoscheck.plan.faults.unencoded_tool_arguments import UnencodedToolArguments
from chaoscheck.plan.faults.unknown_tool import UnknownTool
from chaoscheck.plan.faults.wrong_content_type import WrongContentType
from chaoscheck.plan.faults.wrong_finish_reason import WrongFinishReason
from chaoscheck.plan.faults.wrong_types import WrongTypes
from chaoscheck.suggestions import unknown_name

__all__ = [
    "BODY_FAULTS",
    "CONNECTION_FAULTS",
    "FAMILIES",
    "FAULTS",
    "HEADER_FAULTS",
    "STATUS_FAULTS",
    "STREAM_FAULTS",
    "TOOL_FAULTS",
    "fault_class",
]

Kinds = tuple[type[Fault], ...]

# The mildest first in each family: what shrinks, shrinks toward the head of a tuple.

# Errors that the provider answers in its own words.
STATUS_FAULTS: Kinds = (
    Status429,
    Status500,
    Status503,
    Status529,
    Status400,
    Status401,
    Status402,
    Status403,
    Status404,
    Status408,
    Status409,
    Status413,
    Status422,
    Status425,
    Status502,
    Status504,
    ContextLength,
    ContentFilter,
)

# How the connection behaves, whatever is said.
CONNECTION_FAULTS: Kinds = (
    SlowResponse,
    SlowDrip,
    CloseBeforeHeaders,
    CloseMidBody,
    HalfClose,
    ResetBeforeHeaders,
    ResetMidHeaders,
    ResetMidBody,
    Refuse,
    StallBeforeHeaders,
    StallMidBody,
)

# What is wrong with the body of a good answer.
BODY_FAULTS: Kinds = (
    InvalidJson,
    TruncatedJson,
    EmptyBody,
    MissingFields,
    WrongTypes,
    NullContent,
    EmptyChoices,
    Nan,
    DuplicateKeys,
    InvalidUtf8,
    WrongContentType,
    HugeBody,
    ContentLengthShort,
    ContentLengthLong,
    BrokenChunking,
)

# What is wrong with a stream of events; most strike nothing else.
STREAM_FAULTS: Kinds = (
    NoUsage,
    KeepAliveComments,
    MixedLineEnds,
    DuplicateDone,
    LateDone,
    MissingDone,
    DuplicateChunks,
    ReorderedChunks,
    ErrorEventAfterContent,
    CutStream,
    StallMidStream,
)

# What is wrong with the calls of tools in a good answer.
TOOL_FAULTS: Kinds = (
    WrongFinishReason,
    ExtraToolArgument,
    MistypedToolArguments,
    MissingToolArgument,
    EmptyToolArguments,
    DoubleEncodedToolArguments,
    UnencodedToolArguments,
    MalformedToolArguments,
    TruncatedToolArguments,
    UnknownTool,
    DuplicateToolCall,
    MissingToolCall,
)

# Errors whose Retry-After is odd.
HEADER_FAULTS: Kinds = (
    RetryAfterZero,
    RetryAfterFraction,
    RetryAfterHttpDate,
    RetryAfterPastDate,
    RetryAfterNegative,
    RetryAfterHuge,
    RetryAfterGarbage,
    RetryAfterContradictingMs,
)

FAMILIES: dict[str, Kinds] = {
    "status": STATUS_FAULTS,
    "connection": CONNECTION_FAULTS,
    "body": BODY_FAULTS,
    "stream": STREAM_FAULTS,
    "header": HEADER_FAULTS,
    "tool": TOOL_FAULTS,
}
FAULTS: Kinds = tuple(fault for family in FAMILIES.values() for fault in family)

_BY_NAME = {fault.name: fault for fault in FAULTS}


def fault_class(name: str) -> type[Fault]:
    """The fault called ``name``; PlanError with the nearest legal name if there is none."""
    found = _BY_NAME.get(name)
    if found is not None:
        return found
    raise PlanError(unknown_name("fault", name, _BY_NAME))


status_429 = Status429
status_500 = Status500
status_503 = Status503
status_529 = Status529
status_400 = Status400
status_401 = Status401
status_402 = Status402
status_403 = Status403
status_404 = Status404
status_408 = Status408
status_409 = Status409
status_413 = Status413
status_422 = Status422
status_425 = Status425
status_502 = Status502
status_504 = Status504
context_length = ContextLength
content_filter = ContentFilter
slow_response = SlowResponse
slow_drip = SlowDrip
close_before_headers = CloseBeforeHeaders
close_mid_body = CloseMidBody
half_close = HalfClose
reset_before_headers = ResetBeforeHeaders
reset_mid_headers = ResetMidHeaders
reset_mid_body = ResetMidBody
refuse = Refuse
stall_before_headers = StallBeforeHeaders
stall_mid_body = StallMidBody
invalid_json = InvalidJson
truncated_json = TruncatedJson
empty_body = EmptyBody
missing_fields = MissingFields
wrong_types = WrongTypes
null_content = NullContent
empty_choices = EmptyChoices
nan = Nan
duplicate_keys = DuplicateKeys
invalid_utf8 = InvalidUtf8
wrong_content_type = WrongContentType
huge_body = HugeBody
content_length_short = ContentLengthShort
content_length_long = ContentLengthLong
broken_chunking = BrokenChunking
no_usage = NoUsage
keep_alive_comments = KeepAliveComments
mixed_line_ends = MixedLineEnds
duplicate_done = DuplicateDone
late_done = LateDone
missing_done = MissingDone
duplicate_chunks = DuplicateChunks
reordered_chunks = ReorderedChunks
error_event_after_content = ErrorEventAfterContent
cut_stream = CutStream
stall_mid_stream = StallMidStream
retry_after_zero = RetryAfterZero
retry_after_fraction = RetryAfterFraction
retry_after_http_date = RetryAfterHttpDate
retry_after_past_date = RetryAfterPastDate
retry_after_negative = RetryAfterNegative
retry_after_huge = RetryAfterHuge
retry_after_garbage = RetryAfterGarbage
retry_after_contradicting_ms = RetryAfterContradictingMs
wrong_finish_reason = WrongFinishReason
extra_tool_argument = ExtraToolArgument
mistyped_tool_arguments = MistypedToolArguments
missing_tool_argument = MissingToolArgument
empty_tool_arguments = EmptyToolArguments
double_encoded_tool_arguments = DoubleEncodedToolArguments
unencoded_tool_arguments = UnencodedToolArguments
malformed_tool_arguments = MalformedToolArguments
truncated_tool_arguments = TruncatedToolArguments
unknown_tool = UnknownTool
duplicate_tool_call = DuplicateToolCall
missing_tool_call = MissingToolCall
