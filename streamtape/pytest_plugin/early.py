"""The network while a marked test is set up and has no cassette yet.

Fixtures of wider scope come first. What they ask for would reach the real server, with the record
mode none too.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from streamtape.clients.guard import Guard, closed
from streamtape.pytest_plugin.markers import options_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_config = pytest.StashKey[dict[str, Any]]()
_under_way = pytest.StashKey[list[str]]()


@contextmanager
def refused(
    item: pytest.Item, fixture: pytest.FixtureDef[Any], trouble: Callable[[Exception], object]
) -> Iterator[None]:
    """Refuse connections beyond this machine, unless *item* may record, while *fixture* is set up.

    *trouble* is told of each.
    """
    name = f"{fixture.argname} (scope {fixture.scope})"
    under_way = item.stash.setdefault(_under_way, [])
    under_way.append(fixture.argname)
    try:
        with closed(_Early(name, trouble, item=item), natives=False):
            yield
    finally:
        under_way.remove(fixture.argname)


@dataclass(eq=False)
class _Early(Guard):
    item: pytest.Item = field(kw_only=True)

    def allows(self, hosts: set[str]) -> bool:
        options = options_of(self.item, _config_of(self.item))
        if options["record_mode"] != "none" or not options["guard"]:
            return True
        return not hosts.isdisjoint((*options["allow_hosts"], *(options.get("ignore_hosts") or ())))

    def refusal(self, host: str) -> str:
        return (
            f"the fixture {self.name} is set up for {self.item.nodeid}, whose cassette is opened"
            " after that. It was refused: with the record mode none no request of a marked test"
            " reaches the network. Open a cassette in the fixture (with use_cassette(FILE), and a"
            " record_mode to record it once) or play() a tape there, or send the request from the"
            f" test or a function-scoped fixture; if it is to connect, say allow_hosts=({host!r},)"
            " or guard=False to the marker, or streamtape_allow_hosts or streamtape_guard = false"
            " in the ini file"
        )


def _config_of(item: pytest.Item) -> dict[str, Any]:
    """What ``streamtape_config`` says. Asked for only where a connection would be refused.

    Fixtures of function scope are not due yet. One that needs a fixture that is just being set up
    says nothing.
    """
    if _config not in item.stash:
        under_way = item.stash[_under_way]
        if not isinstance(item, pytest.Function) or _needed(item) & {*under_way}:
            return {}
        # A fixture of wider scope has no request of its own that may ask for this one.
        item.stash[_config] = item._request.getfixturevalue("streamtape_config")  # noqa: SLF001 - see above
    return item.stash[_config]


def _needed(item: pytest.Item) -> set[str]:
    """The names of all fixtures that *item*'s ``streamtape_config`` needs."""
    definitions = item.session._fixturemanager.getfixturedefs  # noqa: SLF001 - only there before it is set up
    found: set[str] = set()
    pending = ["streamtape_config"]
    while pending:
        each = pending.pop()
        if each not in found:
            found.add(each)
            for definition in definitions(each, item) or ():
                pending += definition.argnames
    return found
