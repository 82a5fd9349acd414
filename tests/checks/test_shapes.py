"""Events of any shape are read, and what calls with chunks are made of."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from streamtape import Event, decode
from streamtape.checks.calling import MAX_ITEMS, Caller, EndlessError, Result
from streamtape.checks.shapes import PLAIN, PROBE, shape_of

FIRST, SECOND = decode(PROBE)


class Pair(NamedTuple):
    data: str
    event: str


def made(item: Any) -> list[Event]:
    """What is read of two events that *item* makes."""
    items = [item(FIRST), item(SECOND)]
    shape = shape_of(items)
    assert shape is not None
    return shape.read(items)


@pytest.mark.parametrize(
    "item",
    [
        lambda e: e,
        lambda e: SimpleNamespace(event=e.type, data=e.data, id=e.last_event_id),
        lambda e: SimpleNamespace(event_type=e.type, data=e.data, lastEventId=e.last_event_id),
        lambda e: {"event": e.type, "data": e.data.encode(), "id": e.last_event_id},
        lambda e: (e.type, e.data, e.last_event_id),
        lambda e: [e.data, e.last_event_id, e.type],
        # The name that holds the type is the one that counts.
        lambda e: {"type": "event", "event": e.type, "data": e.data, "id": e.last_event_id},
    ],
)
def test_all_parts_are_found_by_name_or_by_place(item: Any) -> None:
    assert made(item) == [FIRST, SECOND]


@pytest.mark.parametrize("item", [lambda e: e.data, lambda e: {"data": e.data}])
def test_what_is_not_told_is_left_out(item: Any) -> None:
    assert made(item) == [Event(data="probe-data"), Event(data="probe-more")]


def test_a_named_tuple_is_read_by_name() -> None:
    assert made(lambda e: Pair(e.data, e.type)) == [
        Event("probe-type", "probe-data"),
        Event("probe-other", "probe-more"),
    ]


@pytest.mark.parametrize("kind", [None, ""])
def test_no_type_means_message(kind: str | None) -> None:
    shape = shape_of([FIRST])
    assert shape is not None
    assert shape.read([SimpleNamespace(type=kind, data=None, last_event_id=None)]) == [Event()]


def test_what_has_no_data_is_no_event() -> None:
    shape = shape_of([SimpleNamespace(comment="hi"), FIRST])
    assert shape is not None
    assert shape.read([SimpleNamespace(comment="hi"), FIRST]) == [FIRST]


@pytest.mark.parametrize("items", [[], [1, 2], ["other"], [{"data": "other"}], [None]])
def test_there_may_be_no_shape(items: list[object]) -> None:
    assert shape_of(items) is None


def test_an_id_by_the_standards_name_must_be_the_standards() -> None:
    items = [
        SimpleNamespace(data="probe-data", last_event_id="probe-id"),
        SimpleNamespace(data="probe-more", last_event_id=None),
    ]
    shape = shape_of(items)
    assert shape is not None
    assert not shape.is_right(PROBE, shape.read(items))


def test_an_id_of_the_events_own_is_right_as_either() -> None:
    shape = shape_of([{"data": "probe-data", "id": "probe-id"}, {"data": "probe-more", "id": None}])
    assert shape is not None
    body = b"id: 1\ndata: a\n\ndata: b\n\n"

    def is_right(*ids: str) -> bool:
        events = [Event(data=data, last_event_id=own) for data, own in zip("ab", ids, strict=True)]
        return shape.is_right(body, events)

    assert is_right("1", "")
    assert is_right("1", "1")
    assert not is_right("", "")
    assert not is_right("1", "2")
    assert not shape.is_right(body, [])


def test_an_empty_id_is_one_and_none_is_none() -> None:
    first = {"data": "probe-data", "id": "probe-id"}
    kept = shape_of([first, {"data": "probe-more", "id": ""}])
    own = shape_of([first, {"data": "probe-more", "id": None}])
    missing = shape_of([first, {"data": "probe-more"}])
    assert [shape and shape.id_is_own for shape in (kept, own, missing)] == [False, True, True]


def test_plain_streams_show_the_places_too() -> None:
    shape = shape_of([SimpleNamespace(event=e.type, data=e.data, id=None) for e in decode(PLAIN)])
    assert shape is not None
    assert None not in (shape.type, shape.id)


# ---- calls


def test_a_list_is_what_it_is_and_what_is_yielded_tells_when() -> None:
    chunks = [b"a", b"b"]
    with Caller(list) as caller:
        assert caller(chunks) == Result(chunks)
    with Caller(iter) as caller:
        assert caller(chunks) == Result(chunks, (1, 2))
    with Caller(lambda given: (chunk for chunk in list(given))) as caller:
        assert caller(chunks) == Result(chunks, (3, 3))  # the end was asked for too


async def async_list(chunks: AsyncIterator[bytes]) -> list[bytes]:
    return [chunk async for chunk in chunks]


async def async_each(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield chunk


def promised_list(chunks: AsyncIterator[bytes]) -> Any:
    return async_list(chunks)


def promised_each(chunks: AsyncIterator[bytes]) -> Any:
    return async_each(chunks)


class AsyncCallee:
    async def __call__(self, chunks: AsyncIterator[bytes]) -> list[bytes]:
        return await async_list(chunks)


async def async_iterator(chunks: AsyncIterator[bytes]) -> Iterator[bytes]:
    return iter(await async_list(chunks))


@pytest.mark.parametrize(
    ("function", "asked"),
    [
        (async_list, None),
        (async_each, (1, 2)),
        (AsyncCallee(), None),
        (async_iterator, None),
        (promised_list, None),
        (promised_each, (1, 2)),
    ],
)
def test_async_functions_get_an_async_iterator(function: Any, asked: Any) -> None:
    with Caller(function) as caller:
        for _ in range(2):
            assert caller([b"a", b"b"]) == Result([b"a", b"b"], asked)


def test_a_running_loop_is_no_obstacle() -> None:
    async def inside() -> Result:
        with Caller(async_list) as caller:
            return caller([b"a"])

    assert asyncio.run(inside()) == Result([b"a"])


def test_the_thread_of_an_async_function_ends() -> None:
    before = threading.active_count()
    with Caller(async_list) as caller:
        caller([])
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_exceptions_pass() -> None:
    async def fail(chunks: object) -> None:
        raise KeyError(chunks.__class__.__name__)

    with Caller(fail) as caller, pytest.raises(KeyError, match="async_generator"):
        caller([])


def endless(chunks: Iterable[bytes]) -> Iterator[int]:
    del chunks
    yield from iter(int, 1)


async def async_endless(chunks: AsyncIterator[bytes]) -> AsyncIterator[int]:
    del chunks
    for number in iter(int, 1):
        yield number


@pytest.mark.parametrize("function", [endless, async_endless])
def test_what_has_no_end_is_stopped(function: Any) -> None:
    with Caller(function) as caller, pytest.raises(EndlessError, match=f"{MAX_ITEMS + 1:,} items"):
        caller([b"a"])


def test_a_long_stream_may_have_an_item_for_each_byte() -> None:
    body = b"x" * (MAX_ITEMS + 10)
    with Caller(lambda chunks: (byte for chunk in chunks for byte in chunk)) as caller:
        assert len(caller([body]).value) == len(body)
