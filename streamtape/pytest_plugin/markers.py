"""What a test's markers say of its cassette: its options, where it lies, who else lies there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from streamtape.pytest_plugin import SharedCassetteWarning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUFFIX = ".yaml"
NAME_MAX = 255
NAMED = 5
"""So many tests that share a file are named."""


def options_of(item: pytest.Item, config: dict[str, Any]) -> dict[str, Any]:
    """What *item*'s cassette is opened with, and perhaps ``cassette_dir``.

    *config*: what the fixture ``streamtape_config`` says, which markers win over.
    """
    options = dict(config)
    for marker in reversed(list(item.iter_markers("streamtape"))):
        options.update(marker.kwargs)
    options.pop("fuzz", None)
    ini = item.config.getini
    option = item.config.getoption("--streamtape-record")
    options["record_mode"] = option or options.get("record_mode") or ini("streamtape_record")
    options.setdefault("guard", ini("streamtape_guard"))
    options["allow_hosts"] = (*options.get("allow_hosts", ()), *ini("streamtape_allow_hosts"))
    return options


def path_of(item: pytest.Item, folder: Any = None) -> Path:
    """Where the cassette of *item* lies. *folder*: in place of the default one."""
    name = _given_name(item) or default_name(getattr(item, "cls", None), item.name)
    return Path(folder or default_folder(item.path)) / name


def _given_name(item: pytest.Item) -> str | None:
    given: list[str] = [marker.args[0] for marker in item.iter_markers("streamtape") if marker.args]
    return given[0] if given else None


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


def warn_of_shared(items: Sequence[pytest.Item]) -> None:
    """Warn of each file that is the default one of several of *items*, which have a cassette each.

    Raises pytest.UsageError in place of a warning that is an error.
    """
    for path, sharing in _shared(items):
        named = ", ".join(item.nodeid for item in sharing[:NAMED])
        more = f" and {len(sharing) - NAMED} more" if len(sharing) > NAMED else ""
        exactly = len({path_of(item) for item in sharing}) == 1
        what = SharedCassetteWarning(
            f"{len(sharing)} tests have one cassette, {path.name}"
            + ("" if exactly else " (where a disk doesn't tell a from A)")
            + f": {named}{more}. Each would play, and replace, what another one recorded. Give"
            " them names or ids that stay different when each of <>?%*:|\"'/\\ becomes -, or a file"
            " in the marker: streamtape('NAME.yaml'), the same one where they are to share it"
        )
        try:
            sharing[-1].warn(what)
        except SharedCassetteWarning:
            raise pytest.UsageError(str(what)) from None


def _shared(items: Sequence[pytest.Item]) -> Iterator[tuple[Path, list[pytest.Item]]]:
    files: dict[str, dict[str, pytest.Item]] = {}
    for item in items:
        if _given_name(item) is None:
            # By node id: one test may be collected twice, to be run twice.
            path = path_of(item, options_of(item, {}).get("cassette_dir"))
            files.setdefault(str(path).lower(), {})[item.nodeid] = item
    for sharing in files.values():
        if len(sharing) > 1:
            first = next(iter(sharing.values()))
            yield path_of(first), list(sharing.values())
