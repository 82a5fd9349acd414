"""Textual: a widget in an application that runs without a terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.app import App
    from textual.pilot import Pilot
    from textual.widget import Widget


@dataclass
class TextualHandle:
    """The handle: the running ``app``, its ``pilot``, and the ``widget`` that is fed."""

    app: App[Any]
    pilot: Pilot[Any]
    widget: Widget


def textual(
    app: Callable[[], App[Any]],
    selector: str | type = "Markdown",
    *,
    feed: Callable[[Any, str], Any] | None = None,
    size: tuple[int, int] = (80, 24),
) -> dict[str, Any]:
    """The arguments for the widget at *selector* of the application that ``app()`` makes.

    ``feed(widget, piece)`` gives it a piece; without *feed* that is ``widget.append(piece)``. The
    view is the tree of the widget's descendants as lines: what each is, and its text. It is taken
    when the application has nothing left to do. Where the widget has ``update``, the reference is
    what that makes of the whole text in a new application. *size*: columns and rows.

    Needs Textual. All of it is async.
    """

    @asynccontextmanager
    async def opened() -> AsyncIterator[TextualHandle]:
        made = app()
        async with made.run_test(size=size) as pilot:
            widget = made.query_one(selector)
            yield TextualHandle(made, pilot, widget)

    async def fed(handle: TextualHandle, piece: str) -> None:
        widget: Any = handle.widget
        given = widget.append(piece) if feed is None else feed(widget, piece)
        if given is not None:
            await given

    async def view(handle: TextualHandle) -> list[str]:
        await handle.pilot.pause()
        return list(_tree(handle.widget, 0))

    async def reference(text: str) -> list[str]:
        async with opened() as handle:
            widget: Any = handle.widget
            await widget.update(text)
            return await view(handle)

    return {"open": opened, "feed": fed, "view": view, "reference": reference}


def _tree(widget: Widget, depth: int) -> Any:
    text = _text(widget)
    yield f"{'  ' * depth}{type(widget).__name__}{text and ': '}{text}"
    for child in widget.children:
        yield from _tree(child, depth + 1)


def _text(widget: Any) -> str:
    """The text of a widget, or the symbol of a list's item, as far as it has any."""
    content = getattr(widget, "content", getattr(widget, "symbol", ""))
    if callable(content):
        return ""
    return str(getattr(content, "plain", content))
