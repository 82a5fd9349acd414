"""The payload of an event: its data read as JSON, and written back."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamtape.wire.sse import Event

_SURROGATE = re.compile("[\ud800-\udfff]")


def payload_of(event: Event) -> object:
    """The payload of *event*: an object, array, string or null of JSON; else its text as it is.

    So a plain-text token such as ``5`` or ``true`` stays text.
    """
    return parsed(event.data)


def event_with(event: Event, payload: object) -> Event:
    """*event* with another *payload*: as text where its own is no JSON, else as compact JSON.

    Text that reads as JSON does not come back as it was: a stream of plain text can't say it.
    """
    if isinstance(payload, str) and payload_of(event) == event.data:
        return replace(event, data=payload)
    return replace(event, data=written(payload))


def parsed(data: str) -> object:
    """The payload that is written as *data*."""
    try:
        payload: object = json.loads(data)
    except (ValueError, RecursionError):
        return data
    return payload if payload is None or isinstance(payload, dict | list | str) else data


def written(payload: object) -> str:
    """*payload* as compact JSON; what UTF-8 can't carry, a lone surrogate, as an escape."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def unwrapped(payload: object) -> dict[str, object] | None:
    """The payload that *payload* has as base64 in ``bytes``; None where there is none."""
    wrapped = payload.get("bytes") if isinstance(payload, dict) else None
    if not isinstance(wrapped, str):
        return None
    try:
        inside = parsed(base64.b64decode(wrapped, validate=True).decode())
    except ValueError:  # no base64, or no UTF-8 in it
        return None
    return inside if isinstance(inside, dict) else None


def wrapped(payload: object, inside: object) -> object:
    """*payload* with *inside* as base64 in ``bytes``."""
    assert isinstance(payload, dict)
    return {**payload, "bytes": base64.b64encode(written(inside).encode()).decode()}
