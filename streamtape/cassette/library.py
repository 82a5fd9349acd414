"""The doors to cassettes: open one around code, load one, save one."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, aclosing, nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any

from vcr import VCR
from vcr.cassette import CassetteContextDecorator
from vcr.persisters.filesystem import FilesystemPersister
from vcr.util import partition_dict

from streamtape.cassette.filters import Secrets
from streamtape.cassette.interaction import interaction_of, tape_of, without_secrets
from streamtape.cassette.no_match import NoMatchError
from streamtape.cassette.serializer import dump_pieces
from streamtape.cassette.storage import (
    CassetteFile,
    StreamSerializer,
    item_pieces,
    read,
    write_whole,
)
from streamtape.cassette.stream_cassette import StreamCassette
from streamtape.cassette.vcr_patches import patched
from streamtape.clients import PATCHED_HERE, PATCHERS, routing, virtual_time
from streamtape.clients import guard as network

if TYPE_CHECKING:
    from types import CodeType, TracebackType

    from streamtape.delivery import Delivery
    from streamtape.tape import Tape

_VCR_OPTIONS = frozenset(inspect.signature(VCR.__init__).parameters) - {"self"} | {
    "additional_matchers",
    "allow_playback_repeats",
    "persister",
}


def use_cassette(  # noqa: PLR0913 - each has a name at the call, and a default
    path: str | os.PathLike[str],
    *,
    record_mode: str = "none",
    delivery: Delivery | None = None,
    secrets: Secrets | None = None,
    guard: bool = True,
    allow_hosts: Iterable[str] = (),
    **vcr_options: Any,
) -> CassetteContext:
    """Play the cassette *path* to every client inside the block, or record into it.

    A context manager and a decorator; it yields a vcrpy Cassette that also has ``tapes``,
    ``played`` and ``timing``.

    *record_mode*: vcrpy's ``"none"`` (default: the network is closed), ``"once"``,
    ``"new_episodes"`` and ``"all"``, and ``"rewrite"``, which replaces the file, but only when the
    block ends well. *delivery*: how tapes are handed over; by default as recorded, without waiting.
    *secrets*: what is filtered on writing, beside what always is. *guard*: while the cassette can't
    record, refuse connections beyond this machine, which clients would make that streamtape doesn't
    know; but not to *allow_hosts*, names or addresses, nor to ``ignore_hosts``. *vcr_options*:
    vcrpy's options; ``serializer``, ``match_on`` and ``additional_matchers`` also take objects that
    are not registered by name.

    Inside the block a request that nothing answers raises `NoMatchError`; where client code
    swallowed that, the block raises it when it ends. Where the block fails, the cassette stays as
    it was, and what was recorded stays in ``NAME.yaml.part``.

    Raises `CassetteError` for a file that is not a whole cassette, TypeError for an unknown option.
    """
    unknown = sorted(set(vcr_options) - _VCR_OPTIONS)
    if unknown:
        raise TypeError(
            f"unknown option {', '.join(unknown)}: use_cassette takes record_mode, delivery,"
            f" secrets, guard, allow_hosts and vcrpy's {', '.join(sorted(_VCR_OPTIONS))}"
        )
    rewrite = record_mode == "rewrite"
    if rewrite:
        record_mode = "all"
        vcr_options = {**vcr_options, "drop_unused_requests": True}
    allowed = frozenset(allow_hosts) | frozenset(vcr_options.get("ignore_hosts") or ())
    library = _StreamVCR(
        delivery=delivery,
        secrets=secrets,
        fresh=rewrite,
        allowed=allowed if guard else None,
    )
    options = library.registered(vcr_options)
    options["skip_patchers"] = {*options.get("skip_patchers", ()), *PATCHED_HERE}
    options.setdefault("record_on_exception", False)
    context: CassetteContext = library.use_cassette(
        os.fspath(path), record_mode=record_mode, **options
    )
    return context


def load(path: str | os.PathLike[str]) -> list[Tape]:
    """The tapes of a cassette, streamtape's or vcrpy's, one for each interaction.

    Raises FileNotFoundError, and `CassetteError` for a file that is not a whole cassette.
    """
    return [tape_of(request, response) for request, response in read(path).interactions]


def save(
    path: str | os.PathLike[str], tapes: Iterable[Tape], *, secrets: Secrets | None = None
) -> None:
    """Write *tapes* as a cassette, in one piece. *secrets*: as in `use_cassette`."""
    secrets = secrets or Secrets()
    filtered = [without_secrets(interaction_of(tape), secrets) for tape in tapes]
    items = (item_pieces(*pair) for pair in filtered)
    write_whole(path, dump_pieces(chain.from_iterable(items)))


class _StreamVCR(VCR):  # type: ignore[misc]  # vcrpy is untyped
    """vcrpy's VCR, whose cassettes are `StreamCassette`."""

    def __init__(self, **extras: Any) -> None:
        super().__init__()
        self._extras = extras

    def registered(self, options: dict[str, Any]) -> dict[str, Any]:
        """*options* with names for the serializers and matchers that were given as objects."""
        options = dict(options)
        serializer = options.get("serializer", "yaml")
        if not isinstance(serializer, str):
            self.register_serializer("given", serializer)
            options["serializer"] = "given"
        for key in ("match_on", "additional_matchers"):
            if key in options:
                options[key] = tuple(self._matcher_name(matcher) for matcher in options[key])
        return options

    def _matcher_name(self, matcher: str | Callable[..., Any]) -> str:
        if isinstance(matcher, str):
            return matcher
        name = getattr(matcher, "__name__", repr(matcher))
        self.register_matcher(name, matcher)
        return name

    def get_merged_config(self, **options: Any) -> dict[str, Any]:
        config = super().get_merged_config(**options)
        config["serializer"] = StreamSerializer(config["serializer"])
        if config["persister"] is FilesystemPersister:
            config["persister"] = CassetteFile
        return {**config, **self._extras}

    def _use_cassette(self, **options: Any) -> CassetteContext:
        return CassetteContext(StreamCassette, lambda: self.get_merged_config(**options))


class CassetteContext(CassetteContextDecorator):  # type: ignore[misc]  # vcrpy is untyped
    """The block, or the decorated function, in which a cassette is open.

    ``allowed`` among its options: the hosts that may be connected to, None for all of them.
    """

    _non_cassette_arguments = (*CassetteContextDecorator._non_cassette_arguments, "allowed")  # noqa: SLF001 - vcrpy's own list, longer

    def __init__(
        self, cls: type[StreamCassette], args_getter: Callable[[], dict[str, Any]]
    ) -> None:
        super().__init__(cls, args_getter)
        self.part: str | None = None
        """After the block: the file that holds what was recorded, where the block failed."""
        self._exit: ExitStack | None = None
        self._cassette: StreamCassette | None = None
        self._record_on_exception = False
        self._failed = False
        self._function: CodeType | None = None

    def __enter__(self) -> StreamCassette:
        if self._exit is not None:
            raise RuntimeError(
                f"the cassette {self._cassette and self._cassette.path} is open already: make"
                " another use_cassette() for a block inside the block"
            )
        own, options = partition_dict(
            lambda key, _: key in self._non_cassette_arguments, self._args_getter()
        )
        if own.get("path_transformer"):
            options["path"] = own["path_transformer"](options["path"])
        self._record_on_exception = own["record_on_exception"]
        cassette: StreamCassette = self.cls.load(**options)
        self._cassette = cassette
        with ExitStack() as stack:
            stack.enter_context(patched(cassette))
            stack.enter_context(routing.opened(cassette, PATCHERS))
            stack.enter_context(_network(cassette, own["allowed"]))
            if cassette.delivery is not None and cassette.delivery.virtual:
                stack.enter_context(virtual_time.refused(cassette.trouble))
            self._exit = stack.pop_all()
        return cassette

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.detach()
        self.conclude(exc)

    def detach(self) -> None:
        """Stop playing and recording. Nothing is written to the cassette before `conclude`."""
        assert self._exit is not None
        assert self._cassette is not None
        stack, self._exit = self._exit, None
        stack.close()
        self._cassette.close()

    def conclude(self, exc: BaseException | None, *, failed: bool = False) -> None:
        """Write the cassette; keep the old one where *exc* or *failed* say that the block failed.

        Raises what client code swallowed, and what went wrong with recording.
        """
        assert self._cassette is not None
        cassette = self._cassette
        unheard = None if exc else next(filter(self._swallowed, cassette.failures), None)
        failed = failed or self._failed or exc is not None or unheard is not None
        if not failed or self._record_on_exception:
            cassette.save()
        else:
            self.part = cassette.abandon()
        if self.part is not None and (reason := exc or unheard) is not None:
            reason.add_note(
                f"streamtape: {cassette.path} stays as it was, since the block that recorded it"
                f" failed. What was recorded is in {self.part}, a cassette itself:"
                " `streamtape show` it"
            )
        if unheard is not None:
            raise unheard.with_traceback(None)

    def keep_file(self) -> None:
        """End the block as failed, although no exception comes through it."""
        self._failed = True

    def _execute_function(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        self._function = getattr(function, "__code__", None)
        if inspect.isasyncgenfunction(function):  # which vcrpy calls outside the block
            return self._async_generator(function, args, kwargs)
        return super()._execute_function(function, args, kwargs)

    async def _async_generator(
        self, function: Callable[..., Any], args: Any, kwargs: Any
    ) -> AsyncGenerator[Any]:
        with self as cassette:
            given = (cassette, *args) if cassette.inject else args
            async with aclosing(function(*given, **kwargs)) as items:
                async for item_ in items:
                    yield item_

    def _swallowed(self, failure: Exception) -> bool:
        """Whether the block never saw *failure*: the frame that caught it is gone by now."""
        if failure.__traceback__ is None:
            return True
        caught_in = failure.__traceback__.tb_frame
        if caught_in.f_code is self._function:
            return False
        frame = inspect.currentframe()
        while frame is not None and frame is not caught_in:
            frame = frame.f_back
        return frame is None


def _network(
    cassette: StreamCassette, allowed: frozenset[str] | None
) -> AbstractContextManager[None]:
    """The network as *cassette* has it: closed, where it can't record."""
    if not cassette.write_protected:
        return network.opened()
    if allowed is None:
        return nullcontext()
    name = f"the cassette {cassette.path}"
    return network.closed(network.Guard(name, cassette.failures.append, allowed))


__all__ = ["CassetteContext", "NoMatchError", "load", "save", "use_cassette"]
