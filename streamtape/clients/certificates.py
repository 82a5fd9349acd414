"""Certificate authorities loaded when a connection wants them, and not for each client made.

A TLS client reads a hundred and more certificates when it is made, which takes 20 to 30 ms: most of
the time of a small test or run that makes one, and for nothing, since what is played has no
connection.
"""

from __future__ import annotations

import gc
import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

_USERS = ("_wrap_socket", "_wrap_bio", "get_ca_certs", "cert_store_stats")
"""Methods of a context that look at what it trusts."""

_FEW = 4
"""Certificates are loaded for so many contexts about as fast as all garbage is collected."""


@contextmanager
def loaded_late() -> Iterator[None]:
    """Inside, `ssl.SSLContext.load_verify_locations` keeps files in mind until they are used.

    A file that isn't there is refused at once, as ever.
    """
    load = ssl.SSLContext.load_verify_locations
    waiting: WeakKeyDictionary[ssl.SSLContext, list[tuple[Any, Any]]] = WeakKeyDictionary()

    def load_late(
        context: ssl.SSLContext, cafile: Any = None, capath: Any = None, cadata: Any = None
    ) -> None:
        paths = [path for path in (cafile, capath) if path is not None]
        if paths and cadata is None and all(map(os.path.exists, paths)):  # bytes too
            waiting.setdefault(context, []).append((cafile, capath))
        else:
            load(context, cafile, capath, cadata)

    def load_now(context: ssl.SSLContext) -> None:
        for cafile, capath in waiting.pop(context, ()):
            load(context, cafile, capath)

    def after_loading(method: Callable[..., Any]) -> Callable[..., Any]:
        def use(context: ssl.SSLContext, *args: Any, **kwargs: Any) -> Any:
            load_now(context)
            return method(context, *args, **kwargs)

        return use

    late = {name: after_loading(getattr(ssl.SSLContext, name)) for name in _USERS}
    with ExitStack() as stack:
        for name, method in {**late, "load_verify_locations": load_late}.items():
            stack.enter_context(_attribute(ssl.SSLContext, name, method))
        yield
    if len(waiting) > _FEW:  # a client that is done with mostly waits for the cycle collector
        gc.collect()
    for context in list(waiting):  # some clients live longer
        load_now(context)


@contextmanager
def _attribute(owner: type, name: str, value: object) -> Iterator[None]:
    """*owner* with its own *name* inside, and afterwards what it had, or inherited."""
    own = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)
