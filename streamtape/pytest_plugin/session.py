"""A test session that delivers streams in another way than its tests say."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pytest

from streamtape.clients import routing, virtual_time
from streamtape.delivery import PACES, Delivery, Pace
from streamtape.delivery.expression import parse
from streamtape.pytest_plugin import adoption

if TYPE_CHECKING:
    from streamtape.tape import Tape


def begin(config: pytest.Config, options: list[str]) -> None:
    """Do what *options* (those that were given) ask for, until pytest unconfigures.

    Raises pytest.UsageError where they make no sense.
    """
    number = config.getoption("--streamtape-fuzz")
    written = config.getoption("--streamtape-delivery")
    if number is None and "--streamtape-fuzz-rewrites" in options:
        raise pytest.UsageError(
            "--streamtape-fuzz-rewrites adds rewrites to --streamtape-fuzz=N: give that too"
        )
    if number is not None and written is not None:
        raise pytest.UsageError(
            "--streamtape-fuzz tries deliveries and --streamtape-delivery says which one: give one"
            " of the two"
        )
    pace = config.getoption("--streamtape-pace")
    if number is not None and pace is not None:
        raise pytest.UsageError(
            "--streamtape-fuzz plays each stream many times, at once: it takes no --streamtape-pace"
        )
    # What vcrpy hands over: a suite that passes with vcrpy passes its first run.
    adoption.begin(config, untimed=Delivery(cuts="whole") if options else None)
    if written is not None or pace is not None:
        delivery = Delivery() if written is None else _delivery(written)
        _deliver_all(config, delivery if pace is None else replace(delivery, pace=_pace(pace)))
        if pace == "virtual" or delivery.virtual:
            refusing = ExitStack()
            refusing.enter_context(virtual_time.refused())
            config.add_cleanup(refusing.close)
    if number is not None:
        _replay_only(config, number)
        from streamtape.pytest_plugin.fuzz import Fuzzing
        from streamtape.pytest_plugin.tally import Summary

        rewrites = config.getoption("--streamtape-fuzz-rewrites")
        fuzzing = Fuzzing(number, rewrites=rewrites)
        config.pluginmanager.register(Summary(), "streamtape-fuzz-summary")
        config.pluginmanager.register(fuzzing, "streamtape-fuzz")
        direct(config, fuzzing.direct)


def direct(config: pytest.Config, director: routing.Director) -> None:
    """Let *director* decide how tapes are played, until pytest unconfigures."""
    before = routing.director
    routing.director = director

    def restore() -> None:
        routing.director = before

    config.add_cleanup(restore)


def merged(own: Delivery | None, given: Delivery) -> Delivery:
    """*given*; what it leaves at its default is as the test's *own* delivery has it."""
    said = {
        field.name: value
        for field in fields(given)
        if (value := getattr(given, field.name)) != field.default
    }
    return replace(own or Delivery(), **said)


def _deliver_all(config: pytest.Config, delivery: Delivery) -> None:
    def director(session: routing.Session, tape: Tape, own: Delivery | None) -> Delivery:  # noqa: ARG001 - all alike
        return merged(own, delivery)

    direct(config, director)


def _delivery(written: str) -> Delivery:
    try:
        return parse(written)
    except ValueError as exc:
        raise pytest.UsageError(f"--streamtape-delivery: {exc}") from None


def _pace(written: str) -> str | float | Pace:
    """The pace that *written* names: a word, or what stands in a delivery's expression."""
    try:
        if written in PACES:
            return written
        return parse(f"Delivery(pace={written})").pace
    except ValueError:
        raise pytest.UsageError(
            f"--streamtape-pace={written} is no pace: use one of {', '.join(PACES)}, a number by"
            " which the recorded speed is multiplied, or an expression such as 'Pace(max_gap=1.0)'"
        ) from None


def _replay_only(config: pytest.Config, number: int) -> None:
    if number < 1:
        raise pytest.UsageError(
            f"--streamtape-fuzz={number} tries nothing: N is the number of deliveries, 1 or more"
        )
    recording = config.getoption("--record-mode", None)
    asked = {
        "--streamtape-record": config.getoption("--streamtape-record"),
        "streamtape_record": config.getini("streamtape_record"),
        "--record-mode": recording if config.pluginmanager.has_plugin("recording") else None,
    }
    if asked["--streamtape-record"] is not None:
        del asked["streamtape_record"]  # which the option overrides
    for name, mode in asked.items():
        if mode not in (None, "none"):
            raise pytest.UsageError(
                f"--streamtape-fuzz replays each stream many times, and {name}={mode} records:"
                " record first, then fuzz with the record mode none"
            )
    # So that no marker's record_mode opens the network for one delivery out of many.
    config.option.streamtape_record = "none"
