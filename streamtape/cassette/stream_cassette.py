"""vcrpy's Cassette, with streams kept as tapes."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

from vcr.cassette import Cassette, _run_hooks
from vcr.errors import CannotOverwriteExistingCassetteException, UnhandledHTTPRequestError
from vcr.matchers import requests_match
from vcr.record_mode import RecordMode
from vcr.serializers import yamlserializer

from streamtape.cassette.filters import Secrets
from streamtape.cassette.interaction import (
    Interaction,
    Response,
    answers_anything,
    interaction_of,
    keeping_timeline,
    tape_of,
    vcr_request_of,
    without_secrets,
)
from streamtape.cassette.recorder import Recorder
from streamtape.cassette.serializer import dump
from streamtape.cassette.storage import CassetteFile, PartFile, item, write_whole
from streamtape.clients.routing import Play
from streamtape.metrics import Timing, timing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vcr.request import Request as VcrRequest

    from streamtape.clients.take import Take
    from streamtape.delivery import Delivery
    from streamtape.tape import Request, Tape


class NoMatchError(CannotOverwriteExistingCassetteException):  # type: ignore[misc]  # vcrpy has no types
    """A request that nothing in the cassette answers, while the record mode lets nothing be added.

    vcrpy's exception, with the interactions that come nearest.
    """

    def __init__(self, *, cassette: StreamCassette, failed_request: VcrRequest) -> None:
        super().__init__(cassette=cassette, failed_request=failed_request)
        message = str(self).replace("record_mode='once' (the default)", "record_mode='once'")
        hint = "With pytest, --streamtape-record=MODE sets it: once, new_episodes, all or rewrite."
        self.args = (f"{message}\n\n{hint}",)


class StreamCassette(Cassette):  # type: ignore[misc]  # vcrpy is untyped
    """A vcrpy Cassette whose responses carry a timeline, and a session that clients are routed to.

    A stream that has ended becomes an interaction, and is appended to the part file, in the
    `Recorder`'s thread.
    """

    def __init__(
        self,
        *,
        delivery: Delivery | None = None,
        secrets: Secrets | None = None,
        fresh: bool = False,
        **options: Any,
    ) -> None:
        """*fresh*: begin empty, whatever the file holds, and replace it (mode ``rewrite``)."""
        self._secrets = secrets or Secrets()
        self._delivery = delivery
        self._fresh = fresh
        self._lock = threading.RLock()
        self._sent = 0
        self._recorder = Recorder(self._record)
        # By the identity of the response, which vcrpy hands on unchanged.
        self._order: dict[int, int] = {}
        self._written: dict[int, Interaction | None] = {}
        self._items: dict[int, bytes] = {}
        self._comparable: dict[int, VcrRequest] = {}
        self._loading = False
        self.played: list[Tape] = []
        """The tapes played so far, as they were delivered, in the order of the requests."""
        self.failures: list[Exception] = []
        """What a test must not miss, although an SDK may have swallowed it: unanswered requests,
        reads past the end of a tape."""
        self.unanswered: list[VcrRequest] = []
        """Requests that nothing answered, of whatever client."""
        before = options.pop("before_record_request", None) or (lambda request: request)
        super().__init__(
            before_record_request=lambda request: self._filtered(before(request)), **options
        )
        # A persister of the user's own may keep cassettes elsewhere than on this disk.
        self._part = PartFile(self._path) if self._persister is CassetteFile else None
        for hooks in (self._before_save_interaction, self._after_load_interaction):
            hooks[:] = [keeping_timeline(hook) for hook in hooks]

    # ---- what a test reads

    @property
    def tapes(self) -> list[Tape]:
        """One for each interaction: those of the file, then those recorded, in order of sending."""
        self.settle()
        return [tape_of(request, response) for request, response in self._in_order(self.data)]

    @property
    def timing(self) -> Timing:
        """The `Timing` of the stream played last, or else recorded last.

        Raises ValueError where there is none yet.
        """
        tapes = self.played or self.tapes[self._loaded_count :]
        if not tapes:
            raise ValueError(
                f"the cassette {self._path} has played and recorded nothing yet, so there is no"
                " time to tell. Ask after the request whose stream you mean"
            )
        return timing(tapes[-1])

    @property
    def requests(self) -> list[VcrRequest]:
        """vcrpy's requests, those of streams that have just ended included."""
        self.settle()
        return [request for request, _ in self.data]

    @property
    def responses(self) -> list[Response]:
        """vcrpy's responses, those of streams that have just ended included."""
        self.settle()
        return [response for _, response in self.data]

    def __len__(self) -> int:
        self.settle()
        return len(self.data)

    # ---- answering requests (streamtape.clients.routing.Session)

    def answer(self, request: Request) -> Play | Take | None:
        """Play what matches, or record where the mode allows; None for what filters ignore.

        Raises `NoMatchError` otherwise.
        """
        vcr_request = vcr_request_of(request)
        # The users' hooks run outside the lock: they may be slow, and may look at the cassette.
        filtered = self._before_record_request(vcr_request)
        if filtered is None:
            return None
        with self._lock:
            if self._recorder.closed:
                return None
            if self.record_mode != RecordMode.ALL and (self.rewound or self.allow_playback_repeats):
                found = next(self._playable(filtered), None)
                if found is not None:
                    return self._play(vcr_request, *found)
            if not self.write_protected:
                return self._recorder.take(request, self._next_in_order())
        refusal = NoMatchError(cassette=self, failed_request=vcr_request)
        self.failures.append(refusal)
        raise refusal

    def _play(self, request: VcrRequest, index: int, response: Response) -> Play:
        self._count(index, response)
        tape = tape_of(request, response)
        if self._delivery is not None:
            tape = tape.deliver(self._delivery)
        self.played.append(tape)
        return Play(tape, self._delivery is not None and self._delivery.waits, self._trouble)

    def _trouble(self, what: str) -> None:
        self.failures.append(AssertionError(f"{self._path}: {what}"))

    def _playable(self, request: VcrRequest) -> Iterator[tuple[int, Response]]:
        """What may answer *request*, which is filtered already.

        Never what was recorded since it was opened: an SDK's retry would get its own error back.
        """
        for index, response in self._matching(request):
            if index < self._loaded_count and (
                self.allow_playback_repeats or not self.play_counts[index]
            ):
                yield index, response

    def _responses(self, request: VcrRequest) -> Iterator[tuple[int, Response]]:
        return self._matching(self._before_record_request(request))

    def _matching(self, request: VcrRequest) -> Iterator[tuple[int, Response]]:
        """Compared without secrets on either side: another recorder's file may hold some."""
        for index, (stored, response) in enumerate(self.data):
            if answers_anything(stored):
                yield index, response
                continue
            if id(stored) not in self._comparable:
                self._comparable[id(stored)] = self._secrets.request(stored)
            if requests_match(request, self._comparable[id(stored)], self._match_on):
                yield index, response

    def __contains__(self, request: VcrRequest) -> bool:
        return next(self._playable(self._before_record_request(request)), None) is not None

    def play_response(self, request: VcrRequest) -> Response:
        filtered = self._before_record_request(request)
        with self._lock:
            for index, response in self._playable(filtered):
                self._count(index, response)
                return response
        raise UnhandledHTTPRequestError(
            f"The cassette ({self._path!r}) doesn't contain the request ({request!r}) asked for"
        )

    def _count(self, index: int, response: Response) -> None:
        if self.play_counts[index] == 0:
            self._played_interactions.append((self.data[index][0], response))
        self.play_counts[index] += 1

    def find_requests_with_most_matches(self, request: VcrRequest) -> list[Any]:
        """vcrpy's. Every exception for a request that nothing answers asks it: so it is noted."""
        found: list[Any] = super().find_requests_with_most_matches(request)
        if request not in self.unanswered:
            self.unanswered.append(request)
        return found

    # ---- recording

    def _next_in_order(self) -> int:
        with self._lock:
            self._sent += 1
            return self._sent

    def _record(self, take: Take) -> None:
        request, response = interaction_of(take.tape())
        kept = self._append(request, response, take.sent)
        if kept is not None:
            self._spool(kept)

    def append(self, request: VcrRequest, response: Response) -> None:
        """Add an interaction: one from the file, or one that vcrpy's own patches recorded."""
        kept = self._append(request, response, 0 if self._loading else self._next_in_order())
        if kept is not None and not self._loading:
            self._spool(kept)

    def _append(self, request: VcrRequest, response: Response, order: int) -> Interaction | None:
        """What vcrpy's append does, the hooks outside the lock. None where a hook drops it."""
        filtered = self._before_record_request(request)
        if filtered is None:
            return None
        kept = self._before_record_response(copy.deepcopy(response))
        if kept is None:
            return None
        if "timeline" in response:
            kept.setdefault("timeline", response["timeline"])
        with self._lock:
            self.data.append((filtered, kept))
            self._order[id(kept)] = order
            self.dirty = True
        return filtered, kept

    def _filtered(self, request: VcrRequest | None) -> VcrRequest | None:
        """*request* without secrets: the stored one on writing, the incoming one on matching."""
        if request is None or self._loading:
            return request
        return self._secrets.request(request)

    def settle(self) -> None:
        """Wait until every stream that has ended is an interaction. Raises what went wrong then."""
        self._recorder.settle()

    def close(self) -> None:
        """End what still runs as ``closed``; streams that go on from here just pass through."""
        self._recorder.close()

    # ---- the file

    def _load(self) -> None:
        if self._fresh:
            return
        self._loading = True
        try:
            super()._load()
        finally:
            self._loading = False

    def _in_order(self, pairs: Iterable[Interaction]) -> list[Interaction]:
        """*pairs* as their requests were sent. Sorted when needed: vcrpy counts plays by index."""
        return sorted(pairs, key=lambda pair: self._order.get(id(pair[1]), 0))

    def _for_writing(self, pair: Interaction) -> Interaction | None:
        """*pair* after the hooks that run on saving, without secrets; None where a hook drops it.

        Kept, since it is written twice: at once to the part file, and in the end to the cassette.
        """
        key = id(pair[1])
        if key not in self._written:
            request, response = pair
            saved = _run_hooks(
                self._before_save_interaction, copy.deepcopy(request), copy.deepcopy(response), self
            )
            if saved is not None:
                saved = without_secrets(saved, self._secrets)
            self._written[key] = saved
        return self._written[key]

    def _spool(self, pair: Interaction) -> None:
        if self._part is not None and (written := self._for_writing(pair)) is not None:
            self._items[id(pair[1])] = text = item(*written)
            self._part.append(text)

    def _persist(self, cassette_dict: dict[str, list[Any]]) -> None:
        pairs = zip(cassette_dict["requests"], cassette_dict["responses"], strict=True)
        ordered = self._in_order(pairs)
        if self._part is not None and self._serializer.inner is yamlserializer:
            items = [
                self._items.get(id(pair[1])) or item(*saved)
                for pair in ordered
                if (saved := self._for_writing(pair)) is not None
            ]
            write_whole(self._path, dump(items, self._metadata or None))
            return
        written = [saved for pair in ordered if (saved := self._for_writing(pair)) is not None]
        content: dict[str, Any] = {
            "requests": [request for request, _ in written],
            # vcrpy turns bodies to text in place when it serializes: not in our copy.
            "responses": [
                {**response, "body": copy.copy(response["body"])} for _, response in written
            ],
        }
        if self._metadata:
            content["metadata"] = self._metadata
        self._persister.save_cassette(self._path, content, serializer=self._serializer)

    def save(self) -> None:
        """Write the cassette in one piece, if anything changed, and remove the part file."""
        self.settle()
        self._save()
        if self._part is not None:
            self._part.remove()

    def abandon(self) -> str | None:
        """Leave the cassette's file as it was. The path of the part file, if there is one."""
        self.settle()
        return str(self._part.path) if self._part is not None and self._part.begun else None
