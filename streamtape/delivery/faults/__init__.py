"""Faults: ways in which a stream goes wrong. A right client says so, in bounded time.

Each is a value for ``Delivery(fault=…)``. ``k`` counts events from 1, and one that is larger than
the tape has events means the last of them. Where a fault comes *after* event k, ``k=0`` is before
the first one. Any other ``k`` is refused, as every argument is that means nothing: a maker raises
ValueError. A fault strikes
what would have been delivered: the chunks before it stay as the delivery cut them. A tape that a
fault doesn't concern, such as a body without events, comes back as it is.

``.allowed(tape)`` tells what a right client may make of it: ``"equal"`` (the result as recorded),
``"raises"`` (an error of its own), ``"part"`` (the beginning of the result, without a complaint,
where it can't know that there is more), ``"other"`` (where it can't know that something is wrong).
Always required, whatever the fault: an answer in bounded time, nothing twice, and no exception that
isn't the client's own.
"""

from __future__ import annotations

from streamtape.delivery.faults.choice import every
from streamtape.delivery.faults.endings import (
    end_after,
    end_inside,
    no_last_blank_line,
    no_terminal,
    not_terminated,
    read_timeout_after,
    reset_after,
    stall,
)
from streamtape.delivery.faults.events import (
    broken_json,
    duplicated,
    glued,
    invalid_utf8,
    lost,
    swapped,
)
from streamtape.delivery.faults.idle import idle_cut
from streamtape.delivery.faults.insertions import (
    empty_event,
    error_event,
    keepalive_data,
    unknown_event,
)
from streamtape.delivery.faults.responses import first_attempt, reconnect, status, wrong_body

__all__ = [
    "broken_json",
    "duplicated",
    "empty_event",
    "end_after",
    "end_inside",
    "error_event",
    "every",
    "first_attempt",
    "glued",
    "idle_cut",
    "invalid_utf8",
    "keepalive_data",
    "lost",
    "no_last_blank_line",
    "no_terminal",
    "not_terminated",
    "read_timeout_after",
    "reconnect",
    "reset_after",
    "stall",
    "status",
    "swapped",
    "unknown_event",
    "wrong_body",
]
