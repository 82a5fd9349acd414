"""The order of deliveries for programs: what costs little and shows much comes first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from streamtape import Tape, seams
from streamtape.delivery import Delivery, rewrites
from streamtape.programs.order import BYTEWISE, in_order
from tests.programs.streams import named

if TYPE_CHECKING:
    from streamtape.delivery.change import Level


def first(
    number: int, *tapes: Tape, level: Level | None = None, seed: int = 0
) -> Sequence[Delivery]:
    return list(islice(in_order(tapes, level=level, seed=seed), number))


def cut(delivery: Delivery) -> int:
    """The only cut."""
    assert isinstance(delivery.cuts, tuple)
    [offset] = delivery.cuts
    return offset


def test_one_cut_at_a_seam_of_each_kind_comes_first_and_then_pieces() -> None:
    tape = named()
    kinds = dict(seams(tape.body))
    found = first(200, tape)
    single = found[: len(set(kinds.values()))]
    assert {kinds[cut(delivery)] for delivery in single} == set(kinds.values())
    words = [delivery.cuts for delivery in found[len(single) :][:3]]
    assert words == ["events", "whole", "bytes"]
    assert found[0] == Delivery(cuts=(tape.body.index("é".encode()) + 1,))


def test_nothing_comes_twice_nor_as_recorded() -> None:
    found = first(300, named(), level="payload")
    assert len(set(found)) == 300
    assert Delivery() not in found
    assert all(delivery.keeps_meaning for delivery in found)


def test_every_seam_comes_even_beside_what_chance_draws() -> None:
    tape = named()
    found = first(400, tape)
    assert {(offset,) for offset, _ in seams(tape.body)} <= {one.cuts for one in found}
    assert any(isinstance(one.cuts, tuple) and len(one.cuts) > 8 for one in found)


def test_without_rewrites_there_are_none() -> None:
    assert not any(delivery.rewrites for delivery in first(300, named()))


def test_a_rewrite_is_cut_at_once_where_it_brings_seams_of_its_own() -> None:
    found = first(60, named(), level="wire")
    place = found.index(Delivery(rewrites=(rewrites.crlf(),)))
    after = found[place + 1]
    assert after.rewrites == (rewrites.crlf(),)
    body = after.apply(named()).body
    assert dict(seams(body))[cut(after)] == "crlf"


def test_all_seams_of_a_kind_come_at_once_too() -> None:
    tape = named()
    by_kind = {
        kind: [o for o, other in seams(tape.body) if other == kind] for _, kind in seams(tape.body)
    }
    cuts = [delivery.cuts for delivery in first(40, tape)]
    assert all(tuple(offsets) in cuts for offsets in by_kind.values())


def test_a_byte_order_mark_is_cut_inside_and_behind() -> None:
    found = first(60, named(), level="wire")
    place = found.index(Delivery(rewrites=(rewrites.bom(),)))
    assert {cut(after) for after in found[place + 1 : place + 3]} == {1, 3}


def test_line_ends_are_the_first_of_the_rewrites() -> None:
    """Where only few runs are allowed, they are what shows most."""
    rewritten = [delivery.rewrites for delivery in first(60, named(), level="wire")]
    assert next(filter(None, rewritten)) == (rewrites.crlf(),)


def test_no_content_coding_comes_unasked() -> None:
    found = first(300, named(), level="text")
    assert "coding" not in {one.name for delivery in found for one in delivery.rewrites}


def test_a_long_body_never_comes_byte_by_byte() -> None:
    short, long = (Tape.of(b"data: " + b"x" * size + b"\n\n") for size in (9, BYTEWISE))
    assert "bytes" in {delivery.cuts for delivery in first(300, short)}
    for tapes in ((long,), (short, long)):
        assert "bytes" not in {delivery.cuts for delivery in first(300, *tapes, level="wire")}


def test_the_same_seed_draws_the_same_and_another_one_something_else() -> None:
    tape = named()
    assert first(200, tape, level="wire") == first(200, tape, level="wire", seed=0)
    assert first(200, tape) != first(200, tape, seed=1)


@pytest.mark.parametrize("body", [b"", b"x", b"xy"])
def test_of_a_tiny_body_there_are_few_and_then_no_more(body: bytes) -> None:
    assert len(first(300, Tape.of(body))) < 10
