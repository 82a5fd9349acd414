"""Secrets that are known by their value: those in the environment, and those that the user names.

A value is looked for as it is and as other text would carry it: with JSON's escapes (also in JSON
within JSON), percent-encoded, and in base64, also as a part of a longer text there, such as
``user:value``.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from streamtape.cassette.redaction.shapes import REDACTED

if TYPE_CHECKING:
    from streamtape.cassette.redaction.names import SecretNames

_SEGMENTS = frozenset(
    {
        *("KEY", "TOKEN", "SECRET", "PASSWORD"),
        *("APIKEY", "PASSWD", "PASSPHRASE", "PASS", "CREDENTIAL", "CREDENTIALS", "PAT"),
    }
)
"""Words in the name of a variable that make its value a candidate."""

_NO_SECRETS = frozenset({"GPG_KEY"})
"""The fingerprint of a public key, set in Docker's Python images."""

_SHORTEST = 12
_LONGEST_WORD = 24
_SHORTEST_NAMED = 4
"""Characters that a value needs: one from the environment, and one that the user names."""

_NUMBER = re.compile(r"[\d\s.,:+\-_/TZ]*")
_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,24}(?::\d+)?")
_PATH = re.compile(
    r"(?:~|\.{1,2}|[A-Za-z]:)?[/\\].*|[\w.-]+(?:[/\\][\w.-]+)+\.[a-z]{2,5}", re.DOTALL
)
_DENSE = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d).{16,}", re.DOTALL)


def environment_secrets(
    environ: Mapping[str, str], *, url_names: SecretNames, keep: Iterable[str] = ()
) -> list[str]:
    """The values of *environ* that are secrets, by their variables' names and their looks.

    *url_names* are the parameters that are secret in a value that is a URL; variables in *keep* are
    left out.
    """
    kept = {name.upper() for name in keep} | _NO_SECRETS
    secrets = []
    for name, text in environ.items():
        upper = name.upper()
        if upper in kept or _SEGMENTS.isdisjoint(upper.split("_")):
            continue
        # A value read from a file often ends in a line feed.
        value = text.strip()
        secrets += _url_secrets(value, url_names) if "://" in value else [value]
    return [value for value in secrets if looks_like_secret(value)]


def looks_like_secret(value: str) -> bool:
    """Whether *value*, of a variable whose name says secret, is one.

    Not where it is shorter than 12 characters, a word, a number or a date, a path, the name of a
    host, or filler (``xxxxxxxxxxxx``). Words joined by hyphens are one: a passphrase looks so.
    """
    if len(value) < _SHORTEST or len(set(value)) < 5 or REDACTED.decode() in value:
        return False
    if value.isalpha() and len(value) <= _LONGEST_WORD:
        return not (value.islower() or value.isupper() or value.istitle())
    if _NUMBER.fullmatch(value) or _HOST.fullmatch(value):
        return False
    # Base64 may begin with a slash too, but then a part of it is a dense mix.
    return not (
        _PATH.fullmatch(value) and not any(_DENSE.match(part) for part in re.split(r"[/\\]", value))
    )


def _url_secrets(url: str, names: SecretNames) -> list[str]:
    """What is secret in a URL: its password, and parameters that *names* name."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL after all
        return [url]
    secrets = [unquote(parts.password or "")]
    secrets += [value for name, value in parse_qsl(parts.query) if names.hides(name, value)]
    return secrets


class SecretValues:
    """Replaces *values*, in each of their forms.

    Raises ValueError for a value that is shorter than 4 characters or holds the word REDACTED.
    """

    def __init__(self, values: Iterable[str]) -> None:
        forms: set[bytes] = set()
        for value in values:
            # The message must not show the secret.
            if len(value) < _SHORTEST_NAMED:
                raise ValueError(
                    f"a secret value of {len(value)} characters would be replaced within words too:"
                    f" give one of {_SHORTEST_NAMED} or more, or name the field that holds it"
                )
            if REDACTED.decode() in value:
                raise ValueError(
                    f"a secret value holds {REDACTED.decode()}, the word that stands in place of"
                    " secrets, so it would not be found again: give the value without it"
                )
            forms |= _forms(value)
        # The longest first: a value may be a part of another one.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))

    def replace(self, data: bytes, skimmed: bytes) -> bytes:
        """*data* with each of the values replaced; *skimmed* is its skimmed text."""
        found = [
            form
            for form in self._forms
            if form in (data if b'"' in form or b"\n" in form else skimmed)
        ]
        if not found:
            return data
        # What has been replaced separates: no value is found across it, so that a second pass over
        # the result changes nothing.
        pieces = data.split(REDACTED)
        for form in found:
            pieces = [part for piece in pieces for part in piece.split(form)]
        return REDACTED.join(pieces)


def _forms(value: str) -> set[bytes]:
    """*value* as other text may carry it."""
    raw = value.encode("utf-8", "surrogateescape")
    forms = {raw} | _base64_forms(raw)
    for ensure_ascii in (True, False):
        once = json.dumps(value, ensure_ascii=ensure_ascii)[1:-1]
        twice = json.dumps(once, ensure_ascii=ensure_ascii)[1:-1]
        for text in (once, twice, once.replace("/", r"\/")):
            forms.add(text.encode("utf-8", "surrogateescape"))
    for text in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        forms.add(text.encode())
        forms.add(re.sub("%..", lambda escape: escape[0].lower(), text).encode())
    return forms


def _base64_forms(raw: bytes) -> set[bytes]:
    """What every base64 text holds that encodes *raw*, perhaps among other bytes.

    Three bytes become four characters, so there are three ways for *raw* to lie in them. Characters
    that its neighbours share are left out.
    """
    forms = set()
    for encode in (b64encode, urlsafe_b64encode):
        forms.add(encode(raw).rstrip(b"="))
        for shift, shared in ((0, 0), (1, 2), (2, 3)):
            text = encode(bytes(shift) + raw)
            partial = (0, 3, 2)[(shift + len(raw)) % 3]
            forms.add(text[shared : len(text) - partial])
    return {form for form in forms if len(form) >= _SHORTEST}
