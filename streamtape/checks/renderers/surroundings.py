"""What a renderer finds around it, and the caller of a check afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# rich's own console: a display that never stops keeps every other one from starting. There is no
# public way to take one off without having it at hand.
_HELD = ("_live_stack", "_render_hooks")


@contextmanager
def kept() -> Iterator[None]:
    """What renderers of the block redirect and never put back is then as it was before."""
    streams = sys.stdout, sys.stderr
    before = [(held, list(held)) for held in _held()]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        known = {id(held) for held, _ in before}
        for held, items in before:
            held[:] = items
        for held in _held():
            if id(held) not in known:  # the console was made in the block
                held.clear()


def _held() -> list[list[Any]]:
    """What rich's own console holds on to, where there is one."""
    console = getattr(sys.modules.get("rich"), "_console", None)
    lists = (getattr(console, name, None) for name in _HELD)
    return [held for held in lists if isinstance(held, list)]
