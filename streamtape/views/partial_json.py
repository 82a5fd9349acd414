"""Partial JSON: a function that makes a value of the first part of a JSON text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def partial_json(parse: Callable[[str], Any]) -> dict[str, Any]:
    """The arguments for *parse*, which gives the value of a JSON text that has not all come.

    It is given all text so far, from the first character that is no white space on: before that
    there is no value, and the view is None. The view after the stream has to be that of `json`; on
    the way keys stay and types never change. Give ``stable=None`` to allow more.
    """

    def feed_full(values: list[Any], text: str) -> None:
        if text.strip():
            values[:] = [parse(text)]

    return {
        "open": list,
        "feed_full": feed_full,
        "view": lambda values: values[0] if values else None,
        "reference": json.loads,
        "stable": "json",
    }
