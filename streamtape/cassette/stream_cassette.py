"""vcrpy's Cassette, with streams kept as tapes."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

from vcr.cassette import Cassette, _run_hooks
from vcr.errors import UnhandledHTTPRequestError
from vcr.record_mode import RecordMode

from streamtape.cassette.attempts import Attempts
from streamtape.cassette.filters import Secrets
from streamtape.cassette.interaction import (
    Response,
    interaction_of,
    keeping_timeline,
    tape_of,
    vcr_request_of,
)
from streamtape.cassette.matching import Matching
from streamtape.cassette.no_match import NoMatchError
from streamtape.cassette.plain import mark
from streamtape.cassette.recorder import Recorder
from streamtape.cassette.writer import Writer
from streamtape.clients.routing import Play, directed
from streamtape.metrics import Timing, timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vcr.request import Request as VcrRequest

    from streamtape.clients.take import Take
    from streamtape.delivery import Delivery
    from streamtape.tape import Request, Tape


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
        self.delivery = delivery
        self._fresh = fresh
        self._lock = threading.RLock()
        self._sent = 0
        self._recorder = Recorder(self._record)
        # Requests that are being recorded, filtered, by their place in the order of sending.
        self._asked: dict[int, VcrRequest] = {}
        self._matching = Matching(self._secrets)
        self._loading = False
        self._attempts = Attempts()
        self.played: list[Tape] = []
        """The tapes played so far, as they were delivered, in the order of the requests."""
        self.failures: list[Exception] = []
        """What a test must not miss, although an SDK may have swallowed it."""
        self.unanswered: list[VcrRequest] = []
        """Requests that nothing answered, of whatever client."""
        before = options.pop("before_record_request", None) or (lambda request: request)
        super().__init__(
            before_record_request=lambda request: self._filtered(before(request)), **options
        )
        for hooks in (self._before_save_interaction, self._after_load_interaction):
            hooks[:] = [keeping_timeline(hook) for hook in hooks]
        saving = self._before_save_interaction
        self._writer = Writer(
            self._path,
            self._persister,
            self._serializer,
            self._secrets,
            (lambda pair: _run_hooks(saving, *pair, self)) if saving else None,
        )

    # ---- what a test reads

    @property
    def tapes(self) -> list[Tape]:
        """One for each interaction: those of the file, then those recorded, in order of sending."""
        self.settle()
        return [tape_of(*pair) for pair in self._writer.in_order(self.data)]

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
                played = reversed([index for index, _ in self._found(filtered)])
                if (again := self._attempts.following(played)) is not None:
                    return self._hand_over(*again)
            if not self.write_protected:
                order = self._next_in_order()
                self._asked[order] = filtered
                return self._recorder.take(request, order)
        refusal = NoMatchError(cassette=self, failed_request=vcr_request)
        self.failures.append(refusal)
        raise refusal

    def _play(self, request: VcrRequest, index: int, response: Response) -> Play:
        self._count(index, response)
        tape = tape_of(request, response)
        delivery = directed(self, tape, self.delivery)
        return self._hand_over(delivery, self._attempts.begin(index, delivery, tape))

    def _hand_over(self, delivery: Delivery | None, tape: Tape) -> Play:
        self.played.append(tape)
        return Play.under(delivery, tape, self.trouble)

    def mark(self) -> Callable[[], None]:
        """A function that takes back what was played, and what went wrong, from now on."""
        plays = mark(self, self.played, self.failures, self.unanswered)
        attempts = self._attempts.mark()

        def rewind() -> None:
            with self._lock:
                plays()
                attempts()

        return rewind

    def trouble(self, what: str) -> None:
        """Note what a test must not miss."""
        self.failures.append(AssertionError(f"{self._path}: {what}"))

    def _playable(self, request: VcrRequest) -> Iterator[tuple[int, Response]]:
        """What may answer *request*, which is filtered already.

        Never what was recorded since it was opened: an SDK's retry would get its own error back.
        """
        for index, response in self._found(request):
            if self.allow_playback_repeats or not self.play_counts[index]:
                yield index, response

    def _found(self, request: VcrRequest) -> Iterator[tuple[int, Response]]:
        return self._matching.find(self.data[: self._loaded_count], request, self._match_on)

    def _responses(self, request: VcrRequest) -> Iterator[tuple[int, Response]]:
        filtered = self._before_record_request(request)
        return self._matching.find(self.data, filtered, self._match_on)

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
        tape = take.tape()
        take.reads.clear()  # the client may keep the take for long
        _, response = interaction_of(tape)
        del tape  # the chunks of a long stream take more memory than its body
        self._keep(self._asked.pop(take.sent), response, take.sent)

    def append(self, request: VcrRequest, response: Response) -> None:
        """Add an interaction: one from the file, or one that vcrpy's own patches recorded."""
        filtered = self._before_record_request(request)
        if filtered is not None:
            self._keep(filtered, response, 0 if self._loading else self._next_in_order())

    def _keep(self, request: VcrRequest, response: Response, order: int) -> None:
        """What vcrpy's append does with a filtered *request*, the hooks outside the lock.

        *order*: its place among those sent, 0 for one from the file.
        """
        kept = self._before_record_response(copy.deepcopy(response))
        if kept is None:
            return
        if "timeline" in response:
            kept.setdefault("timeline", response["timeline"])
        with self._lock:
            self.data.append((request, kept))
            self.dirty = True
            if order:
                self._writer.note(kept, order)
                self._matching.has_no_secrets(request)
        if order:
            self._writer.spool((request, kept))

    def _filtered(self, request: VcrRequest | None) -> VcrRequest | None:
        """*request* without secrets: the stored one on writing, the incoming one on matching."""
        if request is None or self._loading:
            return request
        return self._secrets.request(request)

    def settle(self) -> None:
        """Wait until every stream that ended is an interaction. Raises what went wrong then."""
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

    def _persist(self, cassette_dict: dict[str, list[Any]]) -> None:
        pairs = zip(cassette_dict["requests"], cassette_dict["responses"], strict=True)
        self._writer.save(pairs, self._metadata)

    def save(self) -> None:
        """Write the cassette in one piece, if anything changed, and remove the part file."""
        self.settle()
        self._save()
        self._writer.remove_part()

    def abandon(self) -> str | None:
        """Leave the cassette's file as it was. The path of the part file, if there is one."""
        self.settle()
        return self._writer.settle_part()
