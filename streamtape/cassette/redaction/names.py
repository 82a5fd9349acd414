"""Names that mean a secret: of headers, of parameters in a URL, of fields in a body.

A name counts in every spelling (``api_key``, ``api-key``, ``apiKey``, ``APIKey``, ``APIKEY``).
Most count as the last words of a longer one too (``openai_api_key``, ``userPassword``), but never
as a part of a word (``monkey``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

FIELDS = (
    *("password", "passwd", "passphrase", "secret", "authorization"),
    *("api_key", "access_key", "secret_key", "private_key", "signing_key", "encryption_key"),
    *("access_token", "refresh_token", "id_token", "session_token", "security_token"),
    *("auth_token", "bearer_token", "api_token", "oauth_token", "csrf_token", "xsrf_token"),
    *("subject_token", "subscription_key", "account_key"),
    # A signed URL as JSON: what S3 gives for a POST.
    *("x-amz-signature", "x-goog-signature"),
)
"""Endings of fields in JSON and forms, so ``client_secret`` and ``aws_secret_access_key`` count.

Bare ``token`` is not among them: OpenAI's logprobs carry ``"token": "Hello"``.
"""

URL_FIELDS = (*FIELDS, "sig")
"""Endings of parameters in URLs within a body. Few more: such a URL is often somebody's page."""

QUERY = (
    *("key", "token", "auth", "sig", "signature", "pass", "pwd", "jwt", "hmac"),
    *("credential", "x-amz-credential", "x-goog-credential", "aws_access_key_id"),
    *("assertion", "client_assertion", "code_verifier", "oauth_signature"),
)
"""Parameters of a request's URL and of URLs in headers, beside the fields."""

FORM = ("token", "assertion", "client_assertion", "code_verifier", "actor_token")
"""Fields of a form body, beside the fields: there bare ``token`` is one that OAuth revokes."""

SOMETIMES = ("code",)
"""OAuth's, and a function's key at Azure; but often a country, an error or a coupon."""

HEADERS = (
    *("cookie", "set-cookie", "set-cookie2", "openai-organization", "openai-project"),
    *("anthropic-organization-id", "chatgpt-account-id", "cf-access-jwt-assertion"),
    *("auth-key", "functions-key", "customer-key"),
    # A header that ends in "token" authenticates, as one in "secret" or "password" does;
    # x-ratelimit-remaining-tokens ends in another word. But "key" alone says nothing:
    # idempotency-key, sec-websocket-key, x-cache-key.
    "token",
)
"""Endings of headers, beside the fields (so ``authorization``, each kind of ``api-key``, …)."""

PLACES = tuple(
    f"{what}-token" for what in ("continuation", "page", "next", "previous", "sync", "cursor")
)
"""Endings of headers that say where a list goes on, which a client needs."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\x00-\x7f]+")


@lru_cache(maxsize=4096)
def _words(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(name))


def same_name(name: str) -> str:
    """One text for all spellings of *name*: its words in lower case, nothing between them.

    Raises ValueError for a name without a letter or a digit.
    """
    joined = "".join(_words(name))
    if not joined:
        raise ValueError(f"{name!r} has no letter or digit: give the name of a header or a field")
    return joined


class SecretNames:
    """Names that mean a secret, however they are spelled.

    Those that end in one of *endings* but in none of *public*, those that are one of *whole*, and
    where the value looks random those that are one of *sometimes*; never those in *keep*.
    """

    def __init__(
        self,
        endings: Iterable[str],
        *,
        whole: Iterable[str] = (),
        sometimes: Iterable[str] = (),
        public: Iterable[str] = (),
        keep: Iterable[str] = (),
    ) -> None:
        names = list(endings)
        self._keep = {same_name(name) for name in keep}
        self._endings = {same_name(name) for name in names} - self._keep
        self._whole = {same_name(name) for name in whole} - self._keep
        self._public = {same_name(name) for name in public}
        self._sometimes = {same_name(name) for name in sometimes} - self._keep
        self.last_words = frozenset(
            _words(name)[-1] for name in names if same_name(name) in self._endings
        )
        """The last word of each ending: where none of these is, no ending is."""

    def __contains__(self, name: str) -> bool:
        words = _words(name)
        joined = "".join(words)
        if joined in self._keep:
            return False
        endings = {"".join(words[start:]) for start in range(len(words))}
        return joined in self._whole or (
            not endings.isdisjoint(self._endings) and endings.isdisjoint(self._public)
        )

    def hides(self, name: str, value: str) -> bool:
        """Whether *value*, of the field *name*, is a secret; an empty one is none."""
        if name in self:
            return bool(value)
        return "".join(_words(name)) in self._sometimes and _is_random(value)


def _is_random(value: str) -> bool:
    return (
        len(value) >= 16
        and any(char.isdigit() for char in value)
        and any(char.isalpha() for char in value)
    )
