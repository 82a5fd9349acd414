"""Providers that the table doesn't have: those that users add."""

from __future__ import annotations

from contextlib import AbstractContextManager
from threading import Lock

from streamtape.providers.provider import Provider
from streamtape.providers.table import PROVIDERS


class Registration(AbstractContextManager[Provider]):
    """A provider that was added. Leaving it as a context manager takes the provider out again."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def __enter__(self) -> Provider:
        return self.provider

    def __exit__(self, *exc_info: object) -> None:
        _ADDED.remove(self.provider)


class _Added:
    """A tuple that is replaced, never changed: who reads it needs no lock."""

    def __init__(self) -> None:
        self.providers: tuple[Provider, ...] = ()
        self._lock = Lock()

    def add(self, provider: Provider) -> None:
        with self._lock:
            if any(one.name == provider.name for one in self.providers):
                raise ValueError(
                    f"a provider named {provider.name!r} is registered already: register it once,"
                    " in conftest.py, or for a block with `with providers.register(…):`"
                )
            self.providers = (provider, *self.providers)

    def remove(self, provider: Provider) -> None:
        with self._lock:
            self.providers = tuple(one for one in self.providers if one is not provider)


_ADDED = _Added()


def register(provider: Provider) -> Registration:
    """Add *provider* to those that streams are known by: for good, or for a ``with`` block.

    It is asked before those that streamtape knows, and before those that were registered earlier.
    This holds for the whole process, in all threads. Tapes that were looked at before are looked at
    anew.

    Raises ValueError where a provider of this name is registered, or is one of streamtape's own,
    and TypeError for what is no `Provider`.
    """
    if not isinstance(provider, Provider):
        raise TypeError(f"{provider!r} is no Provider: write register(Provider(name=…, shape=…))")
    if any(one.name == provider.name for one in PROVIDERS):
        raise ValueError(
            f"{provider.name!r} is a provider that streamtape knows: give this one a name of its"
            " own. It is asked first, so it may well claim the same payloads"
        )
    _ADDED.add(provider)
    return Registration(provider)


def registered() -> tuple[Provider, ...]:
    """The providers that were registered, in the order in which they are asked."""
    return _ADDED.providers
