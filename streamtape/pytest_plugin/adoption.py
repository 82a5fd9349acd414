"""What vcrpy replays, played through streamtape to the clients that it serves.

No test is rewritten: pytest-recording's marker, ``vcr.use_cassette`` and
``VCR(...).use_cassette`` all open their cassette in one place, and that is patched for the session.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from vcr.cassette import Cassette, CassetteContextDecorator

from streamtape.cassette.plain import PlainSession
from streamtape.clients import PATCHED_HERE, PATCHERS, routing

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from streamtape.delivery import Delivery


_adopted: list[PlainSession] = []
_before = Counter[str]()


def answered_beside() -> int:
    """How many requests vcrpy has answered so far in clients that streamtape doesn't serve."""
    return _before["beside"] + sum(session.beside for session in _adopted)


@contextmanager
def _counted(session: PlainSession) -> Iterator[None]:
    _adopted.append(session)
    try:
        yield
    finally:
        _adopted.remove(session)
        _before["beside"] += session.beside


def begin(config: pytest.Config, untimed: Delivery | None) -> None:
    """Adopt every cassette that can't record, until pytest unconfigures.

    *untimed*: how a stream is delivered whose delivery nobody recorded; by default event by event.
    One that may record, and one whose httpx is somebody else's already, stays with vcrpy.
    """
    patched = CassetteContextDecorator._patch_generator  # noqa: SLF001 - where all doors lead to

    def patch(context: CassetteContextDecorator, cassette: Cassette) -> Iterator[Cassette]:
        if not cassette.write_protected or set(PATCHED_HERE) & set(cassette.skip_patchers):
            yield from patched(context, cassette)
            return
        cassette.skip_patchers = (*cassette.skip_patchers, *PATCHED_HERE)
        session = PlainSession(cassette, untimed)
        with ExitStack() as stack:
            stack.enter_context(routing.opened(session, PATCHERS))
            stack.enter_context(_counted(session))
            yield from patched(context, cassette)
        if session.failures:
            raise AssertionError(f"{cassette.path}: {session.failures[0]}")

    def restore() -> None:
        _set(patched)

    _set(patch)
    config.add_cleanup(restore)


def _set(method: Any) -> None:
    CassetteContextDecorator._patch_generator = method  # noqa: SLF001 - as above
