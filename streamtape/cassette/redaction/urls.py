"""Secrets in URLs: user information and parameters. What is left stays byte for byte as it was."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from streamtape.cassette.redaction.names import SecretNames

_AFTER_SCHEME = re.compile(r"://[^\s\"'<>]++")
_START = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*+:)?//")
_AUTHORITY_END = re.compile(r"[/?#]")


def clean_url(url: str, names: SecretNames) -> str:
    """*url* without user information and without the parameters that *names* name.

    Parameters are taken out of the query and of a fragment that has some (OAuth's implicit grant
    returns a token there). A query that loses all its parameters loses its ``?`` too. Nothing is
    encoded anew and no order changes. *url* may be relative.
    """
    start = _START.match(url)
    if start is None:
        return _clean_parameters(url, names)
    return start[0] + _clean_after_slashes(url[start.end() :], names)


def clean_urls(text: str, names: SecretNames) -> str:
    """*text* with each absolute URL in it cleaned as by `clean_url`."""
    if "://" not in text:
        return text
    return _AFTER_SCHEME.sub(
        lambda match: "://" + _clean_after_slashes(match[0].removeprefix("://"), names), text
    )


def _clean_after_slashes(rest: str, names: SecretNames) -> str:
    end = _AUTHORITY_END.search(rest)
    start = end.start() if end else len(rest)
    authority = rest[:start].rpartition("@")[2]
    return authority + _clean_parameters(rest[start:], names)


def _clean_parameters(rest: str, names: SecretNames) -> str:
    before_fragment, hash_sign, fragment = rest.partition("#")
    path, question_mark, query = before_fragment.partition("?")
    kept = _public_parameters(query, names)
    if kept != query:
        query, question_mark = kept, question_mark if kept else ""
    if "=" in fragment:
        kept = _public_parameters(fragment, names)
        if kept != fragment:
            fragment, hash_sign = kept, hash_sign if kept else ""
    return path + question_mark + query + hash_sign + fragment


def _public_parameters(query: str, names: SecretNames) -> str:
    # A name without a value is a switch, not a secret.
    return "&".join(
        parameter
        for parameter in query.split("&")
        if not names.hides(*(unquote_plus(text) for text in parameter.partition("=")[::2]))
    )
