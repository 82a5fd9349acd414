"""What a cassette writes: each interaction at once to a part file, and all of them in the end."""

from __future__ import annotations

import copy
from itertools import chain
from typing import TYPE_CHECKING, Any

from vcr.serializers import yamlserializer

from streamtape.cassette.interaction import response_without_secrets
from streamtape.cassette.part_file import PartFile
from streamtape.cassette.serializer import dump_pieces
from streamtape.cassette.storage import CassetteFile, item_pieces, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streamtape.cassette.filters import Secrets
    from streamtape.cassette.interaction import Interaction, Response
    from streamtape.cassette.storage import StreamSerializer


class Writer:
    """Writes the interactions of the cassette *path*: filtered, and in the order of sending.

    What is written of one is worked out once, when it is recorded: it goes to the part file then,
    and to the cassette in the end. *before_save* gives an interaction as the user's hooks leave it,
    None where they drop it; it gets copies.
    """

    def __init__(
        self,
        path: str,
        persister: Any,
        serializer: StreamSerializer,
        secrets: Secrets,
        before_save: Callable[[Interaction], Interaction | None] | None,
    ) -> None:
        self._path = path
        self._persister = persister
        self._serializer = serializer
        self._secrets = secrets
        self._before_save = before_save
        # A persister of the user's own may keep cassettes elsewhere than on this disk.
        self._part = PartFile(path) if persister is CassetteFile else None
        # By the identity of the response, which vcrpy hands on unchanged.
        self._order: dict[int, int] = {}
        self._saved: dict[int, Interaction | None] = {}
        self._items: dict[int, list[bytes]] = {}

    def note(self, response: Response, order: int) -> None:
        """*response* answers the *order*-th request of those that were sent and recorded.

        What is not noted comes from the file, and before all that is.
        """
        self._order[id(response)] = order

    def in_order(self, pairs: Iterable[Interaction]) -> list[Interaction]:
        """*pairs* as their requests were sent."""
        return sorted(pairs, key=lambda pair: self._order.get(id(pair[1]), 0))

    def spool(self, pair: Interaction) -> None:
        """Add *pair*, which has been recorded, to the part file."""
        if self._part is not None and (pieces := self._item(pair)):
            self._part.append(pieces)

    def save(self, pairs: Iterable[Interaction], metadata: Mapping[str, Any]) -> None:
        """Write *pairs*, all that the cassette holds, in one piece."""
        ordered = self.in_order(pairs)
        if self._part is not None and self._serializer.inner is yamlserializer:
            items = chain.from_iterable(map(self._item, ordered))
            write_whole(self._path, dump_pieces(items, metadata or None))
            return
        written = [saved for pair in ordered if (saved := self._filtered(pair)) is not None]
        content: dict[str, Any] = {
            "requests": [request for request, _ in written],
            # vcrpy turns bodies to text in place when it serializes: not in our copy.
            "responses": [
                {**response, "body": copy.copy(response["body"])} for _, response in written
            ],
        }
        if metadata:
            content["metadata"] = metadata
        self._persister.save_cassette(self._path, content, serializer=self._serializer)

    def remove_part(self) -> None:
        """The cassette is whole: its part has served. Warns of what a killed run had left."""
        if self._part is not None:
            self._part.remove()
            self._part.tell_leftover()

    def settle_part(self) -> str | None:
        """The cassette isn't written: the part file stays, if there is one. Warns as above."""
        if self._part is None or not self._part.begun:
            return None
        self._part.settle()
        self._part.tell_leftover()
        return str(self._part.path)

    def _item(self, pair: Interaction) -> list[bytes]:
        """*pair* as an item of the cassette's list in YAML, kept; empty where a hook drops it."""
        key = id(pair[1])
        if key not in self._items:
            saved = self._filtered(pair)
            self._items[key] = [] if saved is None else list(item_pieces(*saved))
        return self._items[key]

    def _filtered(self, pair: Interaction) -> Interaction | None:
        """*pair* after the hooks that run on saving, without secrets; None where a hook drops it.

        Kept, so that hooks run once for each interaction, wherever it is written.
        """
        key = id(pair[1])
        if key not in self._saved:
            copied = copy.deepcopy(pair)
            saved = copied if self._before_save is None else self._before_save(copied)
            if saved is not None:
                request, response = saved
                # One that was recorded here has been filtered, when it was sent.
                if self._before_save is not None or key not in self._order:
                    request = self._secrets.request(request)
                saved = request, response_without_secrets(response, self._secrets)
            self._saved[key] = saved
        return self._saved[key]
