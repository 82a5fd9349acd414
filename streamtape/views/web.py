"""A web page, in Chromium: what of its document shows a stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamtape.wire.sse import Event, encode

if TYPE_CHECKING:
    import os

    from streamtape.views.chromium import Chromium, Page

_GIVE = "(piece) => parent.streamtape.give(piece)"
_END = "() => parent.streamtape.endStream()"
_ELEMENT = """(selector) => {
  const found = document.querySelector(selector);
  if (!found) throw new Error(`nothing in the page is ${selector}`);
  return found;
}"""
_VIEWS = {
    "text": "(element) => element.innerText",
    # Two text nodes side by side look like one.
    "tree": """function tree(element) {
      const found = [element.localName];
      for (const child of element.childNodes) {
        if (child.nodeType === Node.ELEMENT_NODE) {
          if (!child.matches("script, style, template")) found.push(tree(child));
        } else if (child.nodeType === Node.TEXT_NODE && child.data) {
          if (found.length > 1 && typeof found.at(-1) === "string")
            found[found.length - 1] += child.data;
          else found.push(child.data);
        }
      }
      return found;
    }""",
}


def web(  # noqa: PLR0913 - a page has as many parts, all but two of them named
    browser: Chromium,
    page: str | os.PathLike[str],
    *,
    feed: str | None = None,
    stream: str | None = None,
    start: str | None = None,
    close: str | None = None,
    selector: str = "body",
    view: str = "text",
    reference: str | None = None,
) -> dict[str, Any]:
    """The arguments for a page that shows a stream, in a browser that is open.

    *page*: its HTML, its file, or its http address (see `Chromium.open`). Each stream gets it anew.
    It is fed in one of two ways. *feed*, a function in JavaScript, is called with each piece: a
    string, a ``Uint8Array``, or of an event ``{type, data, lastEventId}``. Or the page fetches:
    what it fetches at the path *stream* is answered with the pieces, one read each (text in UTF-8,
    events as ``text/event-stream``). *start*, a function, is called first, to make it do so, and
    *close*, one too, after the stream.

    The view is the element at *selector* when the page has done what is due and been drawn: its
    text as one sees it, with *view* ``"tree"`` ``[tag, text or tree, …]``, or what *view* makes of
    the element, a function that gives anything that JSON can say. What timers do later is not
    waited for. *reference*: a function that shows a whole text, in a page of its own.

    Functions are expressions, such as ``"addText"`` or ``"(piece) => chat.add(piece)"``; what they
    use is to be global, and they may be async. What they raise, and what the page's scripts leave
    uncaught, is raised as `PageError`. What the page costs is not measured: ``exponents`` are those
    of sending.

    Raises ValueError unless there is one way to feed.
    """
    if (feed is None) == (stream is None):
        raise ValueError(
            "give either feed= (a function that takes a piece) or stream= (a path that it fetches)"
        )
    shown = _Web(
        browser=browser,
        page=page,
        take=feed,
        stream=stream,
        start=start,
        end=close,
        selector=selector,
        look=_VIEWS.get(view, view),
        show=reference,
    )
    arguments: dict[str, Any] = {
        "open": shown.open,
        "feed": shown.feed,
        "view": shown.view,
        "close": shown.close,
    }
    return arguments if reference is None else {**arguments, "reference": shown.reference}


@dataclass(frozen=True)
class _Web:
    """What `web` was given, and the functions that `check_renderer` calls."""

    browser: Chromium
    page: str | os.PathLike[str]
    take: str | None
    stream: str | None
    start: str | None
    end: str | None
    selector: str
    look: str
    show: str | None

    @contextmanager
    def open(self) -> Iterator[Page]:
        """A new page, on its way to the stream."""
        with self.browser.open(self.page, stream=self.stream) as page:
            if self.start is not None:  # what waits for the stream's end is not waited for
                page.call(f"() => {{ ({self.start})(); }}", settle=True)
            yield page

    def feed(self, page: Page, piece: str | bytes | Event) -> None:
        """Give it a piece."""
        if self.stream is None:
            page.call(
                f"async (piece) => void await ({self.take})(piece)", _given(piece), settle=True
            )
        else:
            page.call(_GIVE, _sent(piece), settle=True)

    def view(self, page: Page) -> Any:
        """What it shows."""
        return page.call(f"(selector) => ({self.look})(({_ELEMENT})(selector))", self.selector)

    def close(self, page: Page) -> None:
        """End the stream. The page stays until its block ends."""
        if self.stream is not None:
            page.call(_END, settle=True)
        if self.end is not None:
            page.call(f"async () => void await ({self.end})()", settle=True)

    def reference(self, text: str | bytes) -> Any:
        """What a page of its own shows of a whole text."""
        with self.browser.open(self.page) as page:
            page.call(f"async (text) => void await ({self.show})(text)", text, settle=True)
            return self.view(page)


def _given(piece: str | bytes | Event) -> object:
    """A piece as a function in the page gets it."""
    if isinstance(piece, Event):
        return {"type": piece.type, "data": piece.data, "lastEventId": piece.last_event_id}
    return piece


def _sent(piece: str | bytes | Event) -> bytes:
    """A piece as it comes over the wire."""
    if isinstance(piece, Event):
        return encode([piece])
    return piece.encode() if isinstance(piece, str) else piece
