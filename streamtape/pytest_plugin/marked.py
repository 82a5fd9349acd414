"""The cassette of a marked test, and what it heard that the test didn't."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from vcr.errors import CannotOverwriteExistingCassetteException

from streamtape.cassette.filters import Secrets
from streamtape.cassette.library import NoMatchError, use_cassette
from streamtape.pytest_plugin.markers import options_of, path_of

if TYPE_CHECKING:
    import pytest

    from streamtape.cassette.library import CassetteContext
    from streamtape.cassette.stream_cassette import StreamCassette


def cassette_of(request: pytest.FixtureRequest, config: dict[str, Any]) -> CassetteContext:
    """The cassette of the test that *request* is for, with the options of its markers.

    *config*: what the fixture ``streamtape_config`` says, which markers win over.
    """
    options = options_of(request.node, config)
    path = path_of(request.node, options.pop("cassette_dir", None))
    if "secrets" not in options:
        ini = request.config.getini
        options["secrets"] = Secrets(
            headers=ini("streamtape_secret_headers"),
            query=ini("streamtape_secret_query"),
            fields=ini("streamtape_secret_fields"),
            keep=ini("streamtape_secret_keep"),
        )
    return use_cassette(path, **options)


def unheard(cassette: StreamCassette) -> list[str]:
    """What client code may have swallowed, each once: an SDK's retries ask for the same again."""
    failures, cassette.failures = cassette.failures, []
    told = {id(failure.failed_request) for failure in failures if isinstance(failure, NoMatchError)}
    failures += [
        NoMatchError(cassette=cassette, failed_request=request)
        for request in list(cassette.unanswered)
        if id(request) not in told
    ]
    return list(dict.fromkeys(f"streamtape: {failure}" for failure in failures))


def tell(cassette: StreamCassette, error: BaseException) -> None:
    """Drop from what is *unheard* all that the test failed with: the report of *error* tells it.

    By its text: an SDK that tried several times fails with the last time's.
    """
    shown = _shown(error)
    texts: set[str] = set()
    told: set[int] = set()
    for each in shown:
        with suppress(Exception):  # whatever somebody's __str__ does
            texts |= {str(each), f"{cassette._path}: {each}"}  # noqa: SLF001 - as its trouble() says it
        if isinstance(each, CannotOverwriteExistingCassetteException) and each.cassette is cassette:
            told.add(id(each.failed_request))
            if not isinstance(each, NoMatchError) and each.failed_request is not None:
                texts.add(_text(cassette, each.failed_request))
    cassette.failures[:] = [
        each for each in cassette.failures if each not in shown and str(each) not in texts
    ]
    cassette.unanswered[:] = [
        request
        for request in [*cassette.unanswered]
        if id(request) not in told and _text(cassette, request) not in texts
    ]


def _text(cassette: StreamCassette, request: Any) -> str:
    return str(NoMatchError(cassette=cassette, failed_request=request))


def _shown(error: BaseException) -> list[BaseException]:
    """*error* and what pytest shows with it: what it came from, and the members of a group."""
    found: list[BaseException] = []
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or any(each is other for other in found):
            continue
        found.append(each)
        pending.append(each.__cause__)
        if not each.__suppress_context__:
            pending.append(each.__context__)
        if isinstance(each, BaseExceptionGroup):
            pending += each.exceptions
    return found
