"""Secrets that are known by their shape alone: keys of providers, JSON Web Tokens, private keys.

Each shape begins with letters that its issuer chose for exactly this purpose. What has to come
after them (length, alphabet, a digit or letters that make no words) is set so that words and ids
with the same beginning survive: ``sk-learn-contrib-project-page``, ``pplx-70b-online``, ``risk-…``,
``npm_config_registry``, ``fw_GetConfigurationFromServer``. A key of letters alone is no rarity:
all of Hugging Face's are, and one in thirty of 20 characters is by chance.

Nothing here backtracks over more than some tens of bytes: runs are possessive, and a run is entered
only where no character of a token stands before it, so hostile bodies cost linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from streamtape.cassette.redaction.probes import Probe

REDACTED = b"REDACTED"
"""What stands in a cassette in place of a secret."""

_TOKEN = rb"[A-Za-z0-9_-]"
_END = rb"(?!" + _TOKEN + rb")"


@dataclass(frozen=True, slots=True)
class _Shape:
    find: re.Pattern[bytes]
    is_secret: Callable[[bytes], bool]
    """Asked with what is found, without as many bytes as the prefix has."""
    prefix: str
    """What every secret of the shape has in it, nearly always at its beginning."""
    pivot: str
    """A part of the prefix that is rare in text and that other prefixes have too."""

    def after_pivot(self) -> bytes:
        """A pattern of what stands round the last pivot, as seen from its end."""
        before, pivot, after = self.prefix.rpartition(self.pivot)
        if self.pivot != self.prefix and not after:  # so task- is refused here already
            return rb"(?<=%b)%b" % (re.escape(self.prefix).encode(), _word_start(self.prefix))
        return rb"(?<=%b)%b" % (re.escape(before + pivot).encode(), re.escape(after).encode())

    def replace(self, data: bytes) -> bytes:
        return self.find.sub(self._redacted, data)

    def _redacted(self, match: re.Match[bytes]) -> bytes:
        found = match[0]
        return REDACTED if self.is_secret(found[len(self.prefix) :]) else found


# Words written in one: each capital but those of one abbreviation begins one of three letters or
# more; or a word by itself, which may have two. Of 20 random letters one in some hundreds reads so,
# of 34 one in some thousands.
_WORD = rb"(?:[A-Z][a-z]{2,}+)"
_WORDS = re.compile(rb"[a-z]*+%b*+(?:[A-Z]{1,5}%b*+)?|[A-Z][a-z]" % (_WORD, _WORD))


def _in_both_cases(rest: bytes) -> bool:
    return rest.lower() != rest != rest.upper()


def _no_words(rest: bytes) -> bool:
    """Whether *rest*, of 20 characters or more, mixes the cases of letters as no name does."""
    return (
        len(rest) >= 20
        and _in_both_cases(rest)
        and not all(_WORDS.fullmatch(run) for run in re.split(rb"[^A-Za-z]", rest))
    )


def _has_digit(rest: bytes) -> bool:
    return re.search(rb"\d", rest) is not None


def _no_name(rest: bytes) -> bool:
    """Tells a key from an identifier, in an alphabet without hyphens or of a fixed length."""
    return _has_digit(rest) or _no_words(rest)


def _looks_random(rest: bytes) -> bool:
    """Tells a key from words with hyphens: a long run as none of them, or all kinds mixed."""
    runs = re.split(rb"[-_]", rest)
    if any(len(run) >= 16 and _no_name(run) for run in runs):
        return True
    if re.search(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", rest):
        return True
    kinds = (rb"[a-z]", rb"[A-Z]", rb"\d\D+\d\D+\d")
    return len(rest) >= 37 and (
        _no_words(rest) or all(re.search(kind, rest) is not None for kind in kinds)
    )


def _looks_random_in_both_cases(rest: bytes) -> bool:
    """The same for a short prefix, which ids in hexadecimal digits and UUIDs may have too."""
    return _in_both_cases(rest) and _looks_random(rest)


def _any(_rest: bytes) -> bool:
    return True


def _holds_key(rest: bytes) -> bool:
    return re.search(rb"[A-Za-z0-9+/]{32}", rest) is not None


def _word_start(prefix: str) -> bytes:
    """A pattern that matches after *prefix* where that begins a word.

    A JSON escape (a backslash and n) or a percent escape (%3D) before it is no part of a word.
    """
    literal = re.escape(prefix).encode()
    starts = (
        rb"(?<!%b%b)" % (_TOKEN, literal),
        rb"(?<=\\[bfnrt]%b)" % literal,
        rb"(?<=\\u[0-9A-Fa-f]{4}%b)" % literal,
        rb"(?<=%%[0-9A-Fa-f]{2}%b)" % literal,
    )
    return rb"(?:%b)" % b"|".join(starts)


def _shape(
    prefix: str,
    rest: bytes,
    is_secret: Callable[[bytes], bool] = _no_name,
    *,
    pivot: str | None = None,
) -> _Shape:
    """The shape *prefix* + *rest*, where it does not begin inside a longer word.

    The pattern starts with the literal prefix, since `re` searches for that at the speed of
    `bytes.find`; what has to stand before the prefix is looked back at from its end.
    """
    literal = re.escape(prefix).encode()
    find = re.compile(literal + _word_start(prefix) + rest)
    return _Shape(find, is_secret, prefix, pivot or prefix)


_PEM_HEAD = rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----"
_PEM = _Shape(
    find=re.compile(
        _PEM_HEAD
        # The whole block, in one string of JSON or as it is; or, where its end was cut off, the
        # lines of base64 that came.
        + rb'(?:(?:[^"-]|-(?!----))*+-----END [A-Z0-9 ]{0,60}-----'
        rb"|(?:(?:\\++[nr]|\s)*+[A-Za-z0-9+/=]{16,}+)++)"
    ),
    is_secret=_holds_key,
    prefix="-----BEGIN ",
    pivot="-",
)

# Azure: OpenAI and other services of AI, and whatever else there has a key of 84 characters, by
# Microsoft's name a "common annotated security key". The mark is in its middle; then come a year,
# a month (a letter from A to L), the service and a checksum.
_AZURE = _Shape(
    find=re.compile(
        rb"[A-Za-z0-9]{52}JQQJ9[9DH][A-Za-z0-9][A-L][A-Za-z0-9]{24}(?:[A-Za-z0-9]{2}==)?"
        rb"(?![A-Za-z0-9+/])"
    ),
    is_secret=_any,
    prefix="JQQJ9",
    pivot="J",
)

_SHAPES = (
    # OpenAI, Anthropic (sk-ant-), OpenRouter (sk-or-), DeepSeek, Langfuse (sk-lf-), and their like
    _shape("sk-", _TOKEN + rb"{20,}+", _looks_random, pivot="-"),
    # Stripe and those who follow it; ElevenLabs
    _shape("sk_", rb"(?:(?:live|test)_[A-Za-z0-9]{16,}+|[0-9a-f]{48}" + _END + rb")", pivot="_"),
    _shape("rk_", rb"(?:live|test)_[A-Za-z0-9]{16,}+", pivot="_"),
    _shape("whsec_", rb"[A-Za-z0-9+/=]{24,}+", pivot="_"),
    # OpenAI: keys for one session
    _shape("ek_", rb"[0-9a-f]{32,}+" + _END, pivot="_"),
    _shape("sess-", rb"[A-Za-z0-9]{40}" + _END, pivot="-"),
    # Google: API keys, access tokens, client secrets
    _shape("AIza", _TOKEN + rb"{35}" + _END, pivot="A"),
    _shape("AQ.", rb"Ab" + _TOKEN + rb"{40,}+", pivot="A"),
    _shape("ya29.", rb"[A-Za-z0-9_.-]{30,}+", pivot="."),
    _shape("GOCSPX-", _TOKEN + rb"{28}" + _END, pivot="-"),
    # GitHub, GitLab
    *(_shape(f"gh{kind}_", rb"[A-Za-z0-9]{36,}+", pivot="_") for kind in "pousr"),
    _shape("github_pat_", rb"[A-Za-z0-9_]{40,}+", pivot="_"),
    _shape("glpat-", _TOKEN + rb"{20,}+", pivot="-"),
    # Amazon: ids of access keys (a run of capitals needs no digit), keys for Bedrock
    _shape("AKIA", rb"[A-Z0-9]{16}" + _END, _any, pivot="A"),
    _shape("ASIA", rb"[A-Z0-9]{16}" + _END, _any, pivot="A"),
    _shape("ABSK", rb"[A-Za-z0-9+/]{100,}+={0,2}", pivot="A"),
    _shape("bedrock-api-key-", rb"[A-Za-z0-9+/=]{40,}+", pivot="-"),
    # Slack
    _shape("xox", rb"[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}+"),
    _shape("xapp-", rb"\d-[A-Za-z0-9-]{20,}+", pivot="-"),
    # Hosts of models, and services that agents use
    # Hugging Face: 34 letters, whatever they read like; its organisations
    _shape("hf_", rb"[A-Za-z]{34}" + _END, _in_both_cases, pivot="_"),
    _shape("hf_", rb"[A-Za-z0-9]{30,}+", pivot="_"),
    _shape("api_org_", rb"[A-Za-z0-9]{34}" + _END, pivot="_"),
    _shape("gsk_", rb"[A-Za-z0-9]{40,}+", pivot="_"),  # Groq
    _shape("xai-", rb"[A-Za-z0-9]{40,}+", pivot="-"),
    _shape("pplx-", rb"[A-Za-z0-9]{40,}+", pivot="-"),  # Perplexity
    _shape("r8_", rb"[A-Za-z0-9]{30,}+", pivot="_"),  # Replicate
    _shape("csk-", rb"[A-Za-z0-9]{40,}+", pivot="-"),  # Cerebras
    _shape("fw_", rb"[A-Za-z0-9]{20,}+" + _END, pivot="_"),  # Fireworks
    _shape("nvapi-", _TOKEN + rb"{40,}+", pivot="-"),  # NVIDIA
    _shape("tgp_v1_", _TOKEN + rb"{40,}+", pivot="_"),  # Together
    _shape("dapi", rb"[0-9a-f]{32}(?![A-Za-z0-9_])"),  # Databricks
    # Voyage; 43 characters are what 32 random bytes are in base64url
    _shape("pa-", _TOKEN + rb"{32,}+", _looks_random_in_both_cases, pivot="-"),
    _shape("jina_", _TOKEN + rb"{40,}+", _looks_random, pivot="_"),
    _shape("tvly-", _TOKEN + rb"{20,}+", _looks_random, pivot="-"),  # Tavily
    _shape("lsv2_", rb"[a-z]{2}_[0-9a-f]{32}_[0-9a-f]{10}", pivot="_"),  # LangSmith
    _shape("pcsk_", rb"[A-Za-z0-9_]{40,}+", pivot="_"),  # Pinecone
    # Package indexes, mail
    _shape("npm_", rb"[A-Za-z0-9]{36}" + _END, pivot="_"),
    _shape("pypi-", rb"AgE" + _TOKEN + rb"{50,}+", pivot="-"),
    _shape("dckr_pat_", _TOKEN + rb"{20,}+", pivot="_"),
    _shape("SG.", rb"[A-Za-z0-9_-]{16,32}+\.[A-Za-z0-9_-]{16,64}+", pivot="."),  # SendGrid
    # JSON Web Tokens, RFC 7519: three parts when signed, five when encrypted. One without a
    # signature is no credential.
    _shape(
        "eyJ",
        _TOKEN + rb"{8,}+(?:\." + _TOKEN + rb"*+){1,3}\." + _TOKEN + rb"{16,}+",
        _any,
        pivot="J",
    ),
    _AZURE,
    _PEM,
)


def _probes() -> Iterator[tuple[Probe, list[_Shape]]]:
    """For each pivot a probe that finds all prefixes with it in one pass, and their shapes."""
    for pivot in sorted({shape.pivot for shape in _SHAPES}):
        shapes = [shape for shape in _SHAPES if shape.pivot == pivot]
        prefixes = b"|".join(shape.after_pivot() for shape in shapes)
        # Most of what has the pivot is refused by the one character before it.
        before = sorted({shape.prefix.rpartition(pivot)[0][-1:] for shape in shapes})
        places = ("".join(before).encode(), re.escape(pivot).encode())
        quick = rb"(?<=[%b]%b)" % places if all(before) else b""
        yield Probe(pivot.encode(), rb"%b(?:%b)" % (quick, prefixes)), shapes


_PROBES = tuple(_probes())


def replace_shapes(data: bytes, skimmed: bytes) -> bytes:
    """*data* with each secret of a known shape replaced; *skimmed* is its skimmed text."""
    for probe, shapes in _PROBES:
        if probe.found(skimmed):
            for shape in shapes:
                data = shape.replace(data)
    return data
