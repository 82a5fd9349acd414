"""Providers that users add: a row of their own, known everywhere that a row of the table is."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from streamtape import Delivery, Event, Tape, decode, providers
from streamtape.delivery import contents, faults, rewrites
from streamtape.providers import Deltas, Provider, detect, register, registered
from streamtape.providers.paths import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = (
    b'data: {"kind":"tok","payload":{"piece":"He"}}\n\n'
    b'data: {"kind":"tok","payload":{"piece":"llo"}}\n\n'
    b'data: {"kind":"fin"}\n\n'
)
TAPE = Tape.of(BODY)
EVENTS = decode(BODY)
ROW = Provider(
    name="home-made",
    shape="[kind]",
    text="[kind=tok]payload.piece",
    ends="[kind=fin]",
    deltas=Deltas(),
)


@pytest.fixture
def added() -> Iterator[Provider]:
    with register(ROW) as provider:
        yield provider


def test_its_streams_are_known_by_it(added: Provider) -> None:
    assert detect(EVENTS) is added
    assert providers.stream_text(EVENTS) == "Hello"
    assert providers.has_terminal(EVENTS)
    assert [providers.is_terminal(event) for event in EVENTS] == [False, False, True]
    assert providers.token_text(EVENTS[1]) == "llo"


@pytest.mark.usefixtures("added")
def test_a_part_is_no_longer_what_a_right_client_may_give() -> None:
    assert faults.end_after(2).allowed(TAPE) == {"equal", "raises"}
    assert faults.no_terminal().apply(TAPE).body == BODY[: BODY.index(b'data: {"kind":"fin"')]
    assert faults.duplicated(1).allowed(TAPE) == {"equal", "raises"}


@pytest.mark.usefixtures("added")
def test_its_text_can_be_another_and_in_other_deltas() -> None:
    assert contents.spaces() in contents.every(TAPE)
    cut = decode(rewrites.text_cuts(at=1).apply(TAPE).body)
    assert [providers.token_text(event) for event in cut] == [*"Hello", ""]


def test_what_was_looked_at_before_is_looked_at_anew() -> None:
    """The anatomy of a body is kept, and it was another provider's."""
    before = faults.end_after(2).allowed(TAPE)
    with register(ROW):
        assert faults.end_after(2).allowed(TAPE) == {"equal", "raises"}
    assert faults.end_after(2).allowed(TAPE) == before == {"equal", "raises", "part"}


def test_it_is_gone_after_the_block_also_where_that_raised() -> None:
    with pytest.raises(KeyError), register(ROW):
        raise KeyError
    assert detect(EVENTS) is providers.GENERIC
    assert registered() == ()


def test_without_a_block_it_stays() -> None:
    registration = register(ROW)
    try:
        assert detect(EVENTS) is ROW
    finally:
        with registration as provider:
            assert provider is ROW
    assert registered() == ()


def test_it_is_asked_before_the_table_and_the_last_one_first() -> None:
    chat = [Event(data='{"choices":[{"delta":{"content":"a"}}],"kind":"tok"}')]
    narrow = Provider(name="narrow", shape="[kind=tok]", text="kind")
    with register(ROW), register(narrow):
        assert registered() == (narrow, ROW)
        assert detect(chat) is narrow
        assert detect(EVENTS[2:]) is ROW
    found = detect(chat)
    assert found is not None
    assert found.name == "openai-chat"


@pytest.mark.usefixtures("added")
def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'home-made' is registered already: .*conftest.py"):
        register(Provider(name="home-made", shape="[other]"))
    assert registered() == (ROW,)


def test_a_name_of_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="'anthropic' is a provider that streamtape knows"):
        register(Provider(name="anthropic", shape="[kind]"))


def test_what_is_no_provider_is_refused() -> None:
    with pytest.raises(TypeError, match=r"'acme' is no Provider: write register\(Provider\("):
        register("acme")  # type: ignore[arg-type]


def test_threads_add_and_take_out_without_losing_any() -> None:
    rows = [Provider(name=f"row {n}", shape=f"[r{n}]") for n in range(40)]
    kept, passing = rows[:20], rows[20:]
    barrier = threading.Barrier(len(rows))
    stack = ExitStack()

    def add(row: Provider) -> None:
        barrier.wait()
        for _ in range(20):
            with register(row):
                assert row in registered()
        if row in kept:
            stack.enter_context(register(row))

    threads = [threading.Thread(target=add, args=(row,)) for row in rows]
    with stack:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {*registered()} == {*kept}
        assert not {*registered()} & {*passing}
    assert registered() == ()


def test_plain_text_is_known_by_the_types_of_its_events() -> None:
    stream = [Event("tok", "He"), Event("tok", "llo"), Event("bye", "")]
    with register(Provider(name="plain", types="tok", text="", end_types="bye")) as plain:
        assert detect(stream) is plain
        assert providers.stream_text(stream) == "Hello"
        assert [plain.is_terminal(event) for event in stream] == [False, False, True]


def test_an_error_is_told_in_its_own_form() -> None:
    form = ("oops", '{"kind":"bad","why":$message}')
    row = Provider(name="home-made", shape="[kind]", errors="[kind=bad]why", error_form=form)
    with register(row):
        [*_, error] = decode(faults.error_event(1).apply(TAPE).body)
        assert error.type == "oops"
        assert (
            providers.in_band_error(error)
            == "The server had an error while processing your request."
        )


def test_a_path_may_be_written_alone_in_a_list_or_made_before() -> None:
    one = Provider(name="a", shape="[kind]", text="x")
    assert one == Provider(name="a", shape=["[kind]"], text=paths("x"))
    assert Deltas(of="index") == Deltas(of=("index",))
    assert one != Provider(name="a", shape="[kind]", text="y")
    assert hash(one)
    assert repr(one) == "Provider(name='a')"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": ""}, "a provider needs a name, and '' is none"),
        ({"shape": ()}, "no stream would be known as that of 'x': say what only its payloads have"),
        ({"shape": "a..b"}, "no path: 'a..b' can't be read from '..b' on"),
        ({"text": "[kind = tok]piece"}, "no path: .* no quotes, spaces or second '=' are needed"),
        ({"text": "[kind='tok']piece"}, "no path: .* no quotes, spaces or second '=' are needed"),
        ({"ends": [7]}, "no path: 7 is no text"),
        ({"types": "message"}, "which is the type of every event without one"),
        ({"error_form": ("error", "{}")}, r"with \$message in its data, not \('error', '\{\}'\)"),
        ({"error_form": "error"}, "must be the type and the data of an event"),
    ],
)
def test_a_row_that_means_nothing_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Provider(**{"name": "x", "shape": "[kind]", **arguments})


@pytest.mark.usefixtures("added")
def test_a_delivery_tells_its_text_anew() -> None:
    told = TAPE.deliver(Delivery(contents=(contents.large_event(500),)))
    assert len(providers.stream_text(decode(told.body))) == 503
