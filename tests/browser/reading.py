"""A page that reads streams by the browser's own means, and tells what it got."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from streamtape import Event, decode

if TYPE_CHECKING:
    from streamtape.views import Page

READER = """<!doctype html>
<title>Reads what it is told to read</title>
<script>
/** What an EventSource dispatches until its first error, one list for each connection. */
function eventSource(url, types, connections = 1, credentials = false) {
  return new Promise((done) => {
    const source = new EventSource(url, { withCredentials: credentials });
    const seen = [[]];
    const heard = (event) => {
      // The wire may have events of the types "error" and "open" too.
      if (event instanceof MessageEvent) {
        seen.at(-1).push([event.type, event.data, event.lastEventId, event.origin]);
      } else if (event.type === "error") {
        const gaveUp = source.readyState === EventSource.CLOSED;
        if (gaveUp || seen.length === connections) {
          source.close();
          done({ seen, gaveUp });
        } else {
          seen.push([]);
        }
      }
    };
    for (const type of new Set(["message", "error", "open", ...types]))
      source.addEventListener(type, heard);
  });
}

/** The text of a response, read piece by piece, and the error that it ended with, if any. */
async function fetched(url, options) {
  const found = { status: 0, text: "", sizes: [], headers: {}, error: null };
  try {
    const response = await fetch(url, options);
    found.status = response.status;
    found.headers = Object.fromEntries(response.headers);
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    for await (const piece of response.body) {
      found.sizes.push(piece.length);
      found.text += decoder.decode(piece, { stream: true });
    }
    found.text += decoder.decode();
  } catch (error) {
    found.error = error.name;
  }
  return found;
}

/** One after the other: a browser has six connections to a server. */
async function all(read, manyArguments) {
  const found = [];
  for (const some of manyArguments) found.push(await read(...some));
  return found;
}
</script>
"""

_EVENT_FIELD = re.compile(rb"^\W*event: ?([^\r\n]*)", re.MULTILINE)


def without_a_browser() -> NoReturn:
    """Skip what needs one, except in CI, where it has to be there."""
    if os.environ.get("CI"):
        pytest.fail("no Chromium is installed, and CI has to have one (.ci/run installs it)")
    pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")


def wire_types(body: bytes) -> list[str]:
    """Every event type in *body*, found without the decoder, which may miss one.

    Those that the decoder finds are listened for too: it may make one up.
    """
    lines = re.sub(rb"\r\n?", b"\n", body)
    written = {found.decode(errors="replace") for found in _EVENT_FIELD.findall(lines)}
    return sorted({*written, *(event.type for event in decode(body))})


@dataclass
class Reader:
    """The page, as functions."""

    page: Page

    def event_source(
        self, url: str, body: bytes = b"", *, connections: int = 1, credentials: bool = False
    ) -> list[list[Event]]:
        """The events of each connection; *body* is what may come, for its types."""
        found = self.page.call("eventSource", url, wire_types(body), connections, credentials)
        return [events_of(one) for one in found["seen"]]

    def event_sources(self, streams: list[tuple[str, bytes]]) -> list[list[Event]]:
        """The events of each of *streams*, an address and what comes from it."""
        told = [[url, wire_types(body)] for url, body in streams]
        found = self.page.call("(streams) => all(eventSource, streams)", told)
        return [events_of(one["seen"][0]) for one in found]

    def fetched(self, url: str, **options: Any) -> dict[str, Any]:
        """What ``fetch`` gives."""
        found: dict[str, Any] = self.page.call("fetched", url, options)
        return found


def events_of(seen: list[tuple[str, str, str, str]]) -> list[Event]:
    return [Event(kind, data, last_event_id) for kind, data, last_event_id, _ in seen]
