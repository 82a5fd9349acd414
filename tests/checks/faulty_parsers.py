"""Parsers of event streams that get one thing wrong each, as released ones do, and right ones.

`Parser` is right. It is built as most are: bytes to text, text to lines, lines to events. A faulty
one replaces one of its steps.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass
class Message:
    type: str
    data: str
    last_event_id: str


class Parser:
    """A right one."""

    errors = "replace"

    def __init__(self) -> None:
        self.decoder = codecs.getincrementaldecoder("utf-8")(self.errors)
        self.at_start = True
        self.rest = ""
        self.skip_line_feed = False
        self.type = ""
        self.data: list[str] = []
        self.id = ""

    def __call__(self, chunks: Iterable[bytes]) -> Iterator[Message]:
        self.__init__()  # type: ignore[misc]  # one object parses many streams
        for chunk in chunks:
            for line in self.lines(self.text(chunk)):
                yield from self.take(line)

    def text(self, chunk: bytes) -> str:
        text = self.decoder.decode(chunk)
        if text and self.at_start:
            self.at_start = False
            text = text.removeprefix("\ufeff")
        return text

    def lines(self, text: str) -> Iterable[str]:
        """The lines that *text* completes: a CR ends one at once, a LF after it is skipped."""
        if not text:
            return []
        if self.skip_line_feed:
            text = text.removeprefix("\n")
        self.skip_line_feed = text.endswith("\r")
        *lines, self.rest = re.split("\r\n|\r|\n", self.rest + text)
        return lines

    def take(self, line: str) -> Iterable[Message]:
        if not line:
            yield from self.dispatch()
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            self.field(name, self.value(value))

    def value(self, text: str) -> str:
        return text.removeprefix(" ")

    def field(self, name: str, value: str) -> None:
        if name == "data":
            self.data.append(value)
        elif name == "event":
            self.type = value
        elif name == "id":
            self.set_id(value)
        elif name == "retry":
            self.set_retry(value)

    def set_id(self, value: str) -> None:
        if "\0" not in value:
            self.id = value

    def set_retry(self, value: str) -> None:
        """Nothing that is looked at here."""

    def dispatch(self) -> Iterable[Message]:
        if self.data:
            yield Message(self.type or "message", "\n".join(self.data), self.id)
        self.type, self.data = "", []


# ---- what is wrong by the cuts


class DecodesEachChunk(Parser):
    def text(self, chunk: bytes) -> str:
        self.decoder.reset()
        return super().text(chunk)


class DecodesEachChunkStrictly(DecodesEachChunk):
    def text(self, chunk: bytes) -> str:
        return super().text(chunk.decode().encode())


class ForgetsCr(Parser):
    def lines(self, text: str) -> Iterable[str]:
        self.skip_line_feed = False
        return super().lines(text)


class LooksForBomInFirstChunk(Parser):
    def text(self, chunk: bytes) -> str:
        text = self.decoder.decode(chunk)
        if self.at_start:
            self.at_start = False
            text = text.removeprefix("\ufeff")
        return text


class TakesEndOfChunkForBlankLine(Parser):
    def lines(self, text: str) -> Iterable[str]:
        lines = list(super().lines(text))
        return [*lines, ""] if lines and not self.rest else lines


class WantsWholeLines(Parser):
    def lines(self, text: str) -> Iterable[str]:
        return [*super().lines(text), *([self.rest] if self.rest else [])]

    def take(self, line: str) -> Iterable[Message]:
        self.rest = ""
        return super().take(line)


class EndsAtEmptyChunk(Parser):
    def __call__(self, chunks: Iterable[bytes]) -> Iterator[Message]:
        return super().__call__(iter(iter(chunks).__next__, b""))


class OneEventForEachChunk(Parser):
    def __call__(self, chunks: Iterable[bytes]) -> Iterator[Message]:
        before = 0
        for message in super().__call__(self.counted(chunks)):
            if self.count != before:
                yield message
            before = self.count

    def counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        self.count = 0
        for self.count, chunk in enumerate(chunks, 1):
            yield chunk


# ---- what is wrong by the standard


class SplitsAtEverySeparator(Parser):
    def lines(self, text: str) -> Iterable[str]:
        for line in super().lines(text):
            yield from line.splitlines() or [""]


class WantsSpace(Parser):
    def take(self, line: str) -> Iterable[Message]:
        return super().take(line if ": " in line or ":" not in line else f":{line}")


class KeepsComments(Parser):
    def take(self, line: str) -> Iterable[Message]:
        return super().take(f"data: {line}" if line.startswith(":") else line)


class KnowsLfOnly(Parser):
    def lines(self, text: str) -> Iterable[str]:
        *lines, self.rest = (self.rest + text).split("\n")
        return lines


class KnowsNoCr(Parser):
    def lines(self, text: str) -> Iterable[str]:
        *lines, self.rest = re.split("\r?\n", self.rest + text)
        return lines


class WantsEqualPairs(Parser):
    """Two line ends of one kind end an event, others don't."""

    def __init__(self) -> None:
        super().__init__()
        self.unread = b""

    def text(self, chunk: bytes) -> str:
        self.unread += chunk
        found = [match.end() for match in re.finditer(rb"\r\n\r\n|\n\n|\r\r", self.unread)]
        end = found[-1] if found else 0
        whole, self.unread = self.unread[:end], self.unread[end:]
        return super().text(whole)


class KeepsBom(Parser):
    def text(self, chunk: bytes) -> str:
        return self.decoder.decode(chunk)


class KeepsLastDataLine(Parser):
    def field(self, name: str, value: str) -> None:
        if name == "data":
            self.data = []
        super().field(name, value)


class DropsEmptyDataLines(Parser):
    def dispatch(self) -> Iterable[Message]:
        if any(self.data):
            self.data = [line for line in self.data if line]
        return super().dispatch()


class StripsAllSpaces(Parser):
    def value(self, text: str) -> str:
        return text.lstrip(" ")


class StripsBothEnds(Parser):
    def value(self, text: str) -> str:
        return super().value(text).rstrip(" ")


class DispatchesOnceAnIdWasSeen(Parser):
    def dispatch(self) -> Iterable[Message]:
        if self.id and not self.data:
            self.data = [""]
        return super().dispatch()


class ForgetsId(Parser):
    def dispatch(self) -> Iterable[Message]:
        yield from super().dispatch()
        self.id = ""


class ReadsAnyRetry(Parser):
    def set_retry(self, value: str) -> None:
        int(value[:100])


class StrictAboutUtf8(Parser):
    errors = "strict"


class LimitsLines(Parser):
    def lines(self, text: str) -> Iterable[str]:
        for line in super().lines(text):
            if len(line) > 1 << 17:
                raise ValueError("Chunk too big")
            yield line


class KeepsNulIds(Parser):
    def set_id(self, value: str) -> None:
        self.id = value


class DropsEmptyEvents(Parser):
    def dispatch(self) -> Iterable[Message]:
        return [message for message in super().dispatch() if message.data]


class DispatchesTypeAlone(Parser):
    def dispatch(self) -> Iterable[Message]:
        if self.type and not self.data:
            self.data = [""]
        return super().dispatch()


class StopsAtDone(Parser):
    def __call__(self, chunks: Iterable[bytes]) -> Iterator[Message]:
        for message in super().__call__(chunks):
            if message.data == "[DONE]":
                return
            yield message


class FinishesWhatIsUnfinished(Parser):
    def __call__(self, chunks: Iterable[bytes]) -> Iterator[Message]:
        yield from super().__call__(chunks)
        yield from self.take(self.rest) if self.rest else ()
        yield from self.dispatch()


# ---- what comes late, and what is left over


class HoldsCrBack(Parser):
    """A CR at the end of a chunk waits for the LF that might come."""

    def __call__(self, chunks: Iterable[bytes]) -> Iterator[Message]:
        self.__init__()  # type: ignore[misc]  # as above
        held = b""
        for chunk in chunks:
            text = held + chunk
            held = b"\r" if text.endswith(b"\r") else b""
            for line in self.lines(self.text(text.removesuffix(b"\r") if held else text)):
                yield from self.take(line)
        for line in self.lines(held.decode()):
            yield from self.take(line)


class WaitsForTheEnd(Parser):
    def __call__(self, chunks: Iterable[bytes]) -> Iterator[Message]:
        return iter(list(super().__call__([b"".join(chunks)])))


class SharesItsState(Parser):
    """One decoder for all streams."""

    def __call__(self, chunks: Iterable[bytes]) -> Iterator[Message]:
        self.at_start, self.skip_line_feed = True, False
        for chunk in chunks:
            for line in self.lines(self.text(chunk)):
                yield from self.take(line)
        self.id = ""


# ---- others that are right, in their shape


def as_list(chunks: Iterable[bytes]) -> list[Message]:
    return list(Parser()(chunks))


def as_dicts(chunks: Iterable[bytes]) -> Iterator[dict[str, str]]:
    for message in Parser()(chunks):
        yield {"event": message.type, "data": message.data, "lastEventId": message.last_event_id}


def as_pairs(chunks: Iterable[bytes]) -> list[tuple[str, str]]:
    return [(message.type, message.data) for message in Parser()(chunks)]


def as_triples(chunks: Iterable[bytes]) -> list[tuple[str, str, str]]:
    return [(message.last_event_id, message.data, message.type) for message in Parser()(chunks)]


def as_text(chunks: Iterable[bytes]) -> Iterator[str]:
    return (message.data for message in Parser()(chunks))


def as_bytes(chunks: Iterable[bytes]) -> Iterator[bytes]:
    return (message.data.encode() for message in Parser()(chunks))


def with_nones(chunks: Iterable[bytes]) -> Iterator[dict[str, str | None]]:
    """The type is None where it is message, the ID is that of the event's own block, or None."""

    class OwnIds(Parser):
        def dispatch(self) -> Iterable[Message]:
            yield from super().dispatch()
            self.id = ""

    for message in OwnIds()(chunks):
        named = None if message.type == "message" else message.type
        yield {"type": named, "data": message.data, "id": message.last_event_id or None}


def with_comments(chunks: Iterable[bytes]) -> Iterator[Any]:
    """Comments are given too, as what has no data."""
    parser = Parser()
    for chunk in chunks:
        for line in parser.lines(parser.text(chunk)):
            if line.startswith(":"):
                yield {"comment": line}
            yield from (vars(message) for message in parser.take(line))


async def async_list(chunks: AsyncIterator[bytes]) -> list[Message]:
    return [message async for message in async_events(chunks)]


async def async_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Message]:
    parser = Parser()
    async for chunk in chunks:
        for line in parser.lines(parser.text(chunk)):
            for message in parser.take(line):
                yield message


def promised(chunks: Any) -> Any:
    """A plain function that gives something to await."""
    return async_list(chunks)


RIGHT: tuple[Callable[[Any], Any], ...] = (
    Parser(),
    *(as_list, as_dicts, as_pairs, as_triples, as_text, as_bytes, with_nones, with_comments),
    *(async_list, async_events, promised),
)


def json_of_each_chunk(chunks: Iterable[bytes]) -> Iterator[Any]:
    """Reads JSON only, and decodes each chunk on its own."""
    for message in DecodesEachChunk()(chunks):
        yield json.loads(message.data)
