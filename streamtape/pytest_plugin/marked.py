"""The cassette of a marked test: where it lies, with which options it opens, what it heard."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamtape.cassette.filters import Secrets
from streamtape.cassette.library import NoMatchError, use_cassette

if TYPE_CHECKING:
    import pytest

    from streamtape.cassette.library import CassetteContext
    from streamtape.cassette.stream_cassette import StreamCassette

SUFFIX = ".yaml"
NAME_MAX = 255


def cassette_of(request: pytest.FixtureRequest, config: dict[str, Any]) -> CassetteContext:
    """The cassette of the test that *request* is for, with the options of its markers.

    *config*: what the fixture ``streamtape_config`` says, which markers win over.
    """
    options = dict(config)
    name: str | None = None
    for marker in reversed(list(request.node.iter_markers("streamtape"))):
        name = marker.args[0] if marker.args else name
        options.update(marker.kwargs)
    options.pop("fuzz", None)
    option = request.config.getoption("--streamtape-record")
    mode = option or options.pop("record_mode", None) or request.config.getini("streamtape_record")
    options.pop("record_mode", None)
    ini = request.config.getini
    options.setdefault("guard", ini("streamtape_guard"))
    options["allow_hosts"] = (*options.get("allow_hosts", ()), *ini("streamtape_allow_hosts"))
    if "secrets" not in options:
        options["secrets"] = Secrets(
            headers=ini("streamtape_secret_headers"),
            query=ini("streamtape_secret_query"),
            fields=ini("streamtape_secret_fields"),
            keep=ini("streamtape_secret_keep"),
        )
    folder = options.pop("cassette_dir", None) or default_folder(request.path)
    path = Path(folder) / (name or default_name(request.cls, request.node.name))
    return use_cassette(path, record_mode=mode, **options)


def default_folder(test_file: Path) -> Path:
    """Where the cassettes of *test_file* lie: where pytest-recording would put them."""
    return test_file.parent / "cassettes" / test_file.stem


def default_name(test_class: type | None, test_name: str) -> str:
    """The cassette's file name: pytest-recording's, so that both find the same file."""
    name = f"{test_class.__name__}.{test_name}" if test_class else test_name
    for character in "<>?%*:|\"'/\\":
        name = name.replace(character, "-")
    if len(name) + len(SUFFIX) > NAME_MAX:
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        name = f"{name[: NAME_MAX - len(SUFFIX) - len(digest) - 3]}...{digest}"
    return name + SUFFIX


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
