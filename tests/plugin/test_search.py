"""Which deliveries a fuzzed test gets, and what is said of them."""

from __future__ import annotations

import shlex
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, settings
from hypothesis.database import InMemoryExampleDatabase

from streamtape import Delivery, Tape
from streamtape.clients.certificates import loaded_late
from streamtape.delivery import rewrites
from streamtape.delivery.seams import KINDS, seams
from streamtape.pytest_plugin.blame import attach, blamed, command
from streamtape.pytest_plugin.search import Search
from streamtape.pytest_plugin.tally import NAMED, Summary, Tally
from streamtape.pytest_plugin.watch import is_stream
from tests.plugin.suite import CHAT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAPE = Tape.of(CHAT)


def search(
    number: int, nodeid: str = "a.py::a", *, rewritten: bool = False, drawn: bool = True
) -> Search:
    return Search(nodeid, [TAPE], number, rewritten=rewritten, drawn=drawn)


@pytest.fixture
def profile() -> Iterator[None]:
    """A profile of this test's own: random, with a database that nobody else has."""
    before = settings.get_current_profile_name()
    settings.register_profile("of-one-test", derandomize=False, database=InMemoryExampleDatabase())
    settings.load_profile("of-one-test")
    yield
    settings.load_profile(before)


@pytest.mark.usefixtures("profile")
class TestOrder:
    def test_as_many_as_asked_for_and_no_two_alike(self) -> None:
        for number in (1, 5, 50, 300):
            deliveries = list(search(number))
            assert len(deliveries) == len(set(deliveries))
            assert 0.9 * number <= len(deliveries) <= number  # chance may draw one twice
            assert Delivery() not in deliveries

    def test_what_shows_most_comes_first_and_chance_gets_a_share(self) -> None:
        deliveries = list(search(100))
        assert [delivery.cuts for delivery in deliveries[:3]] == ["bytes", "whole", "events"]
        kinds = dict(seams(CHAT))
        offsets: list[list[Any]] = [list(delivery.cuts) for delivery in deliveries[4:]]
        singles = [cuts[0] for cuts in offsets if len(cuts) == 1]
        assert {kinds[cut] for cut in singles[:10]} == set(kinds.values())
        assert sum(len(cuts) > 1 for cuts in offsets) >= 30

    def test_rewrites_only_where_they_are_asked_for(self) -> None:
        assert not any(delivery.rewrites for delivery in search(100))
        deliveries = list(search(100, rewritten=True))
        used = {rewrite for delivery in deliveries for rewrite in delivery.rewrites}
        assert rewrites.bom() in used
        assert any(rewrite.level == "payload" for rewrite in used)
        assert Delivery(cuts="bytes", rewrites=(rewrites.comments(),)) in deliveries

    def test_nothing_is_drawn_for_a_test_that_draws_itself(self) -> None:
        deliveries = list(search(10_000, drawn=False))
        assert len(deliveries) == 4 + len(seams(CHAT))

    def test_nothing_is_drawn_without_the_phase(self) -> None:
        with_phase = settings(phases=[Phase.reuse])
        settings.register_profile("no-generation", with_phase)
        settings.load_profile("no-generation")
        assert len(list(search(10_000))) == 4 + len(seams(CHAT))

    def test_long_bodies_do_not_come_byte_by_byte(self) -> None:
        long = Tape.of(b"data: " + b"x" * 100_000 + b"\n\n")
        deliveries = list(Search("a", [long], 10, rewritten=False, drawn=False))
        assert [delivery.cuts for delivery in deliveries[:2]] == ["whole", "events"]


@pytest.mark.usefixtures("profile")
class TestDatabase:
    def test_what_failed_comes_first_until_it_passes(self) -> None:
        found = Delivery(cuts=(3, 5, 8))
        search(1).failed(found)
        assert next(iter(search(5, "another.py::test"))) != found
        again = search(5)
        assert list(again)[0] == found  # noqa: RUF015 - and all others are drawn too
        again.passed(Delivery(cuts="bytes"))  # which was never kept
        assert next(iter(search(5))) == found
        again.passed(found)
        assert next(iter(search(5))) != found

    def test_what_another_release_wrote_is_forgotten(self) -> None:
        database = settings().database
        key = b"streamtape-fuzz a.py::a"
        database.save(key, b"Delivery(cuts='thirds')")
        assert next(iter(search(1))) == Delivery(cuts="bytes")
        assert list(database.fetch(key)) == []

    def test_a_profile_without_a_database_remembers_nothing(self) -> None:
        settings.register_profile("forgets", database=None)
        settings.load_profile("forgets")
        kept = search(1)
        kept.failed(Delivery(cuts=(3,)))
        kept.passed(Delivery(cuts=(3,)))
        assert next(iter(search(1))) == Delivery(cuts="bytes")

    def test_a_profile_that_does_not_shrink_is_heeded(self) -> None:
        assert search(1).shrinks
        settings.register_profile("large", phases=[Phase.generate])
        settings.load_profile("large")
        assert not search(1).shrinks


@pytest.mark.usefixtures("profile")
def test_derandomized_searches_are_the_same_each_time_and_another_for_each_test() -> None:
    settings.register_profile("same", derandomize=True, database=None)
    settings.load_profile("same")
    assert list(search(200)) == list(search(200))
    assert list(search(200)) != list(search(200, "a.py::b"))


class TestText:
    @pytest.mark.parametrize(
        ("nodeid", "delivery"),
        [
            ("tests/test_chat.py::test_reply", Delivery(cuts=(1042,))),
            ("t.py::test[a b]", Delivery(cuts="bytes")),
            (
                "t.py::test['\"$HOME`x`!\\]",
                Delivery(rewrites=(rewrites.comments(text='it\'s "$x"'),)),
            ),
        ],
    )
    def test_a_shell_reads_the_command_as_it_was_meant(
        self, nodeid: str, delivery: Delivery
    ) -> None:
        words = shlex.split(command(nodeid, delivery))
        assert words == ["pytest", nodeid, f"--streamtape-delivery={delivery!r}"]

    def test_the_command_looks_as_people_write_it(self) -> None:
        assert command("t.py::test[a]", Delivery(cuts=(1,))) == (
            "pytest \"t.py::test[a]\" --streamtape-delivery='Delivery(cuts=(1,))'"
        )
        assert command("t.py::a", Delivery(cuts="bytes")) == (
            'pytest "t.py::a" --streamtape-delivery="Delivery(cuts=\'bytes\')"'
        )

    def test_what_two_tapes_have_in_common_is_said_once(self) -> None:
        text = blamed(Delivery(cuts="bytes"), [TAPE, Tape.of(b"data: x\n\n")], "t.py::a")
        assert text.count("one byte at a time") == 1


def test_a_failure_of_a_form_of_its_own_gets_the_text_too() -> None:
    made = pytest.TestReport("a.py::a", ("a.py", 0, "a"), {}, "failed", "in short", "call")
    attach(made, "the text")
    assert made.longrepr == "in short\n\nthe text"


def report(nodeid: str, tally: Tally) -> pytest.TestReport:
    made = pytest.TestReport(nodeid, ("t.py", 0, "a"), {}, "passed", None, "call")
    tally.put_on(made)
    return made


class TestSummary:
    def test_numbers_of_all_tests_together(self) -> None:
        summary = Summary()
        tally = Tally()
        cut = CHAT.index("é".encode()) + 1
        tally.count([Delivery(cuts=(cut,)), Delivery(rewrites=(rewrites.bom(),))], [TAPE])
        summary.pytest_runtest_logreport(report("t.py::a", tally))
        summary.pytest_runtest_logreport(report("t.py::b", tally))
        summary.pytest_runtest_logreport(report("t.py::b", tally))  # run again by a plugin
        summary.pytest_runtest_logreport(
            pytest.TestReport("t.py::c", ("t.py", 0, "c"), {}, "passed", None, "call")
        )
        assert list(summary._lines(verbose=False)) == [
            "2 tests under 4 deliveries, 2 of them with rewrites",
            "2 seams of 1 kind cut: utf-8 2",
        ]

    def test_many_tests_without_a_stream_are_not_all_named_at_once(self) -> None:
        summary = Summary()
        for number in range(NAMED + 5):
            summary.pytest_runtest_logreport(report(f"t.py::{number:02}", Tally(why_not="why")))
        short, long = (list(summary._lines(verbose=verbose)) for verbose in (False, True))
        assert short[:3] == ["0 tests under 0 deliveries", "why:", "  t.py::00"]
        assert short[-1] == "  and 5 more (-v names them)"
        assert len(long) == 2 + NAMED + 5

    def test_bytes_cut_at_every_seam(self) -> None:
        tally = Tally()
        tally.count([Delivery(cuts="bytes")], [TAPE, TAPE])
        assert tally.seams.total() == len(seams(CHAT))
        assert set(tally.seams) <= set(KINDS)


def test_a_stream_is_more_than_a_document_in_one_piece() -> None:
    assert is_stream(TAPE)
    assert not is_stream(Tape.of(b""))
    document = Tape.of(b'{"a": 1}', content_type="application/json")
    assert not is_stream(document)
    assert is_stream(document.deliver(Delivery(cuts=(3,))))


class TestCertificates:
    @pytest.fixture
    def authorities(self, tmp_path: Path) -> Path:
        path = tmp_path / "some.pem"
        context = ssl.create_default_context()
        found = context.get_ca_certs(binary_form=True)
        if not found:
            pytest.skip("this system trusts nobody")
        path.write_text(ssl.DER_cert_to_PEM_cert(found[0]))
        return path

    def test_they_are_loaded_when_somebody_looks(self, authorities: Path) -> None:
        with loaded_late():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(authorities)
            assert vars(ssl.SSLContext)["load_verify_locations"]
            assert len(context.get_ca_certs()) == 1
            context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="x.test")
        assert "load_verify_locations" not in vars(ssl.SSLContext)

    def test_a_context_that_lives_on_has_them(self, authorities: Path) -> None:
        with loaded_late():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(authorities)
        assert len(context.get_ca_certs()) == 1

    def test_what_is_wrong_is_refused_at_once(self, tmp_path: Path) -> None:
        with loaded_late():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            with pytest.raises(FileNotFoundError):
                context.load_verify_locations(tmp_path / "missing.pem")
            with pytest.raises(ssl.SSLError):
                context.load_verify_locations(cadata="no certificate")
            with pytest.raises(TypeError):
                context.load_verify_locations()
