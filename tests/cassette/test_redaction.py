"""Secrets in bodies: which bytes are replaced, and that all others stay."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from vcr.request import Request

from streamtape.cassette.filters import Secrets
from streamtape.cassette.redaction import bodies, fields, names, shapes
from streamtape.cassette.redaction.probes import Probe
from streamtape.cassette.redaction.skim import skim

PLAIN = Secrets(environ={})
CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"


def filtered(body: str, content_type: str | None = None, secrets: Secrets = PLAIN) -> str:
    once = secrets.body(body.encode(), content_type)
    assert secrets.body(once, content_type) == once, "filtering twice is filtering once"
    return once.decode()


class TestJsonFields:
    @pytest.mark.parametrize(
        "name",
        [
            "password", "passwd", "client_secret", "api_key", "apiKey", "API_KEY", "x-api-key",
            "access_token", "accessToken", "refresh_token", "id_token", "session_token",
            "SessionToken", "secret_key", "secret_access_key", "SecretAccessKey", "private_key",
            "aws_secret_access_key", "authorization", "Authorization", "openai_api_key",
            "userPassword", "secret", "auth_token", "apikey", "X-Amz-Signature",
            "passphrase", "signing_key", "encryption_key", "bearer_token", "api_token",
            "csrf_token", "xsrf_token", "subject_token", "account_key",
        ],
    )  # fmt: skip
    def test_named_so_are_replaced(self, name: str) -> None:
        assert filtered(f'{{"{name}": "s", "b": "c"}}') == f'{{"{name}": "REDACTED", "b": "c"}}'

    @pytest.mark.parametrize(
        "name",
        [
            "token", "max_tokens", "tokens", "next_page_token", "monkey", "key", "keyboard",
            "secretary", "password_hint", "signature", "thought_signature", "invalid_token",
            "completion_tokens", "public_key", "api_key_id", "cookie", "has_passwords", "design",
        ],
    )  # fmt: skip
    def test_named_otherwise_survive(self, name: str) -> None:
        body = f'{{"{name}": "Hello", "x": 1}}'
        assert filtered(body) == body

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ('"s"', '"REDACTED"'),
            (r'"a\"b\\"', '"REDACTED"'),
            (r'"a\\\\"', '"REDACTED"'),
            (r'"\u0022 \n é"', '"REDACTED"'),
            ('""', '""'),
            ('"REDACTED"', '"REDACTED"'),
            ("12345", '"REDACTED"'),
            ("-1.5e+9", '"REDACTED"'),
            ("true", "true"),
            ("false", "false"),
            ("null", "null"),
            ('{"type": "string"}', '{"type": "string"}'),
            ('{"api_key": "s"}', '{"api_key": "REDACTED"}'),
            ('["s", "t" , 5]', '["REDACTED", "REDACTED" , "REDACTED"]'),
            ('["", {"a": "b"}, "c"]', '["", {"a": "b"}, "c"]'),
            ("[]", "[]"),
            ('[["s"]]', '[["s"]]'),
        ],
    )
    def test_of_every_kind_of_value(self, value: str, expected: str) -> None:
        for space in ("", " ", "\n  ", "\r\n\t"):
            body = f'{{"a":1,{space}"api_key"{space}:{space}%s{space},"b":"c"}}'
            assert filtered(body % value) == body % expected
            json.loads(filtered(body % value))

    @pytest.mark.parametrize("depth", [1, 2, 3])
    @pytest.mark.parametrize("value", ["s", 'a"b', "back\\slash", "end\\", "\\\\", 'q\\"', "é\n"])
    def test_in_json_that_is_text_in_json(self, depth: int, value: str) -> None:
        def nested(secret: str) -> str:
            text = json.dumps({"user": "u", "api_key": secret, "after": 'x "y" \\'})
            for _ in range(depth):
                text = json.dumps({"arguments": text, "more": "z"})
            return text

        assert filtered(nested(value)) == nested("REDACTED")

    def test_in_numbers_in_json_that_is_text_in_json(self) -> None:
        assert filtered(json.dumps({"a": json.dumps({"password": 12})})) == json.dumps(
            {"a": json.dumps({"password": "REDACTED"})}
        )

    def test_in_pretty_json_that_is_text_in_json(self) -> None:
        inner = {"password": ["s", "t"], "b": 1}
        outer = {"a": json.dumps(inner, indent=2)}
        safe = {"a": json.dumps({**inner, "password": ["REDACTED"] * 2}, indent=2)}
        assert filtered(json.dumps(outer)) == json.dumps(safe)

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
    def test_in_events(self, end: str) -> None:
        body = f'event: a{end}data: {{"api_key": %s}}{end}{end}data: [DONE]{end}{end}'
        assert filtered(body % '"s"') == body % '"REDACTED"'

    def test_in_an_event_whose_data_is_split_over_lines(self) -> None:
        body = 'data: {"api_key":\ndata: %s,\ndata: "b": ["x"]}\n\n'
        assert filtered(body % '"s"') == body % '"REDACTED"'

    def test_in_lines_of_ndjson(self) -> None:
        body = '{"password":"%s"}\n{"a":"b","access_token":"%s"}\n'
        assert filtered(body % ("s", "t")) == body % ("REDACTED", "REDACTED")

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ('data: {"api_key": "s3', 'data: {"api_key": "REDACTED'),
            ('data: {"api_key": "s3\ndata: {"b": "c"}\n', None),
            ('data: {"api_key": "s3\\', 'data: {"api_key": "REDACTED'),
            ('{"a": "{\\"api_key\\": \\"s3", "b": "c"}', None),
            ('{"api_key"', '{"api_key"'),
            ('{"api_key":', '{"api_key":'),
            ('{"api_key": [', '{"api_key": ['),
            ('{"api_key": 12', '{"api_key": "REDACTED"'),
            ('{"api_key": 12x', '{"api_key": 12x'),
        ],
    )
    def test_that_were_cut_off(self, body: str, expected: str | None) -> None:
        assert filtered(body) == (expected or body.replace("s3", "REDACTED"))

    def test_named_by_the_user(self) -> None:
        secrets = Secrets(fields=["iban", "pinCode"], keep=["api_key"], environ={})
        body = '{"iban": "s", "PIN_CODE": 5, "api_key": "k", "password": "s"}'
        assert filtered(body, secrets=secrets) == (
            '{"iban": "REDACTED", "PIN_CODE": "REDACTED", "api_key": "k", "password": "REDACTED"}'
        )

    def test_token_may_be_named_by_the_user(self) -> None:
        secrets = Secrets(fields=["token"], environ={})
        assert filtered('{"token": "s"}', secrets=secrets) == '{"token": "REDACTED"}'

    def test_named_in_other_alphabets(self) -> None:
        secrets = Secrets(fields=["пароль"], environ={})
        assert filtered('{"пароль": "s"}', secrets=secrets) == '{"пароль": "REDACTED"}'

    @given(
        st.recursive(
            st.none() | st.booleans() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["a", "token", "api_key", "secret"]), inner)
            ),
            max_leaves=12,
        )
    )
    @example({"api_key": [["s"], "t"], "a": {"secret": "\\"}})
    def test_agree_with_a_filter_of_the_parsed_value(self, value: Any) -> None:
        """The oracle parses, replaces and writes; escapes are those of one encoder in both."""

        def safe(value: Any) -> Any:
            if isinstance(value, list):
                return [safe(item) for item in value]
            if isinstance(value, dict):
                return {name: field(name, item) for name, item in value.items()}
            return value

        def field(name: str, value: Any) -> Any:
            if name not in {"api_key", "secret"}:
                return safe(value)
            if isinstance(value, list):
                # A list's strings up to its first item of another kind.
                kinds = [isinstance(item, str) for item in value]
                stop = kinds.index(False) if False in kinds else len(kinds)
                return [mark(item) for item in value[:stop]] + [safe(i) for i in value[stop:]]
            return mark(value) if isinstance(value, str) else safe(value)

        def mark(text: str) -> str:
            return "REDACTED" if text else text

        assert filtered(json.dumps(value)) == json.dumps(safe(value))


class TestForms:
    TYPE = "application/x-www-form-urlencoded; charset=utf-8"

    @pytest.mark.parametrize("content_type", [TYPE, None])
    def test_fields(self, content_type: str | None) -> None:
        body = "grant_type=refresh&client%5Fsecret={0}&token={0}&a=b%20c&password=&code={1}\n"
        secret = body.format("s%26t", "aB3dE5gH7jK9mN1p")
        assert filtered(secret, content_type) == body.format("REDACTED", "REDACTED")

    @pytest.mark.parametrize(
        "name", ["token", "assertion", "client_assertion", "code_verifier", "actor_token"]
    )
    def test_fields_that_mean_a_secret_only_there(self, name: str) -> None:
        assert filtered(f"a=b&{name}=s", self.TYPE) == f"a=b&{name}=REDACTED"
        assert filtered(f'{{"{name}":"s"}}') == f'{{"{name}":"s"}}'

    def test_that_only_sound_secret_survive(self) -> None:
        body = "key=photo.jpg&code=US&page_token=abc&token_type=bearer&flag&=1"
        assert filtered(body, self.TYPE) == body

    @pytest.mark.parametrize("named", [True, False])
    def test_multipart(self, *, named: bool) -> None:
        content_type = 'multipart/form-data; boundary="a-b"' if named else None
        body = (
            '--a-b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\n{0}\r\n'
            "--a-b\r\nContent-Disposition: form-data; name=token\r\n\r\n{0}\r\n"
            '--a-b\r\nContent-Disposition: form-data; name="note"\r\n\r\nkept\r\n'
            '--a-b\r\nContent-Disposition: form-data; name="secret"\r\n\r\n\r\n--a-b--\r\n'
        )
        assert filtered(body.format("two\r\nlines"), content_type) == body.format("REDACTED")

    def test_multipart_without_a_boundary_is_text(self) -> None:
        assert filtered("--x\r\n\r\n--x--", "multipart/form-data") == "--x\r\n\r\n--x--"

    @pytest.mark.parametrize("ampersand", ["&", "&amp;", r"\u0026"])
    def test_urls_within_bodies(self, ampersand: str) -> None:
        body = f'{{"url": "https://h.test/i.png?a=1{ampersand}sig=%s{ampersand}key=b#c"}}'
        assert filtered(body % "s%2Ft") == body % "REDACTED"
        body = f"see https://h.test/?X-Amz-Signature=%s{ampersand}X-Goog-Signature=%s for it"
        assert filtered(body % ("s", "t")) == body % ("REDACTED", "REDACTED")

    @pytest.mark.parametrize(
        "body",
        [
            '{"text": "set api_key=abc in your shell, password=x"}',
            '{"url": "https://h.test/?token=abc&key=d&pagetoken=e&design=f"}',
            "OPENAI_API_KEY=abc",
        ],
    )
    def test_other_text_with_an_equals_sign_survives(self, body: str) -> None:
        assert filtered(body, "text/plain") == (
            "OPENAI_API_KEY=REDACTED" if body.startswith("OPENAI") else body
        )


A = "aB3dE5gH7jK9mN1pQr5tU7wX9zA2cD4e"  # 32 characters
LETTERS = "QwErTyUiOpAsDfGhJkLzXcVbNmqWeRtYuIoP"
HEX = "0123456789abcdef" * 4
B64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{B64}\n{B64}\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"

KEYS = {
    "openai": "sk-" + A + A[:16],
    "openai project": f"sk-proj-{A[:14]}_{A[:14]}-{A}T3BlbkFJ{A}",
    "openai session": "ek_" + HEX[:32],
    "openai, unlucky": "sk-svcacct-" + "aB3-dE5_gH7-" * 6,
    "anthropic": f"sk-ant-api03-{A}-{A[:20]}_{A[:9]}AA",
    "openrouter": "sk-or-v1-" + HEX,
    "deepseek": "sk-" + HEX[:32],
    "langfuse": "sk-lf-01234567-89ab-cdef-0123-456789abcdef",
    "google": "AIza" + A + "-_x",
    "google, newer": "AQ.Ab" + A + A[:16],
    "google access": "ya29.a0" + A,
    "google client": "GOCSPX-" + A[:28],
    "github": "ghp_" + A + A[:4],
    "github app": "ghs_" + A + A[:4],
    "github fine": f"github_pat_{A[:22]}_{A}{A[:27]}",
    "gitlab": "glpat-" + A[:20],
    "hugging face": "hf_" + A + "Zz",
    "hugging face, letters": "hf_" + LETTERS[:34],
    "hugging face, like words": "hf_" + "AutomaticSpeechRecognitionPipeline",
    "hugging face, organisation": "api_org_" + LETTERS[:34],
    "voyage": f"pa-{A[:20]}_{LETTERS[:22]}",
    "jina": f"jina_{HEX[:32]}{A[:12]}_{A[:15]}",
    "azure": f"{A}{A[:20]}JQQJ99BAACYeBjFXJ3w3AAABACOG{A[:4]}",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "aws session": "ASIAQWERTYUIOPASDFGH",
    "bedrock": "ABSK" + A * 4 + "==",
    "bedrock, short": "bedrock-api-key-" + A * 2,
    "slack": "xoxb-123456789012-" + A[:24],
    "slack app": "xapp-1-A012345-" + A,
    "groq": "gsk_" + A + A[:20],
    "xai": "xai-" + A * 2,
    "perplexity": "pplx-" + A + A[:16],
    "replicate": "r8_" + A + "abcde",
    "stripe": "sk_live_" + A[:24],
    "stripe restricted": "rk_test_" + A[:24],
    "stripe webhook": "whsec_" + A,
    "npm": "npm_" + A + A[:4],
    "pypi": "pypi-AgEIcHlwaS5vcmc" + A * 2,
    "sendgrid": f"SG.{A[:22]}.{A}{A[:11]}",
    "nvidia": "nvapi-" + A * 2,
    "tavily": "tvly-dev-" + A,
    "databricks": "dapi" + HEX[:32],
    "openai, older session": "sess-" + A + A[:8],
    "cerebras": "csk-" + A + A[:16],
    "fireworks": "fw_" + A[:24],
    "together": "tgp_v1_" + A + "-" + A[:11],
    "langsmith": f"lsv2_pt_{HEX[:32]}_{HEX[:10]}",
    "pinecone": f"pcsk_{A[:6]}_{A}{A}",
    "docker hub": "dckr_pat_" + A[:27],
    "jwt": JWT,
    "jwe": f"eyJhbGciOiJSU0Et{A}.{A}.{A[:16]}.{A}.{A[:22]}",
    "pem": PEM,
    "pem, escaped": json.dumps(PEM)[1:-1],
    "pem, nested": json.dumps(json.dumps(PEM)[1:-1])[1:-1],
    "pem, cut off": PEM[:120],
}


ALPHABET = string.ascii_letters + string.digits
URL_SAFE = ALPHABET + "-_"
RANDOM_KEYS: dict[str, tuple[tuple[str, int], ...]] = {
    "hugging face": (("hf_", 0), (string.ascii_letters, 34)),
    "hugging face, organisation": (("api_org_", 0), (string.ascii_letters, 34)),
    "voyage": (("pa-", 0), (URL_SAFE, 43)),
    "jina": (("jina_", 0), (HEX, 32), (URL_SAFE, 28)),
    "jina, as others have it": (("jina_", 0), (ALPHABET, 60)),
    "azure": (
        (ALPHABET, 52),
        ("JQQJ99B", 0),
        ("ABCDEFGHIJKL", 1),
        ("AC", 0),
        (ALPHABET, 5),
        ("XJ3w3AAABACOG", 0),
        (ALPHABET, 4),
    ),
    "azure, old mark": ((ALPHABET, 52), ("JQQJ9DAL", 0), (ALPHABET, 24)),
    "openai": (("sk-", 0), (ALPHABET, 20), ("T3BlbkFJ", 0), (ALPHABET, 20)),
    "openai project": (("sk-proj-", 0), (URL_SAFE, 74), ("T3BlbkFJ", 0), (URL_SAFE, 74)),
    "anthropic": (("sk-ant-api03-", 0), (URL_SAFE, 93), ("AA", 0)),
    "deepseek": (("sk-", 0), (HEX, 32)),
    "google": (("AIza", 0), (URL_SAFE, 35)),
    "google client": (("GOCSPX-", 0), (URL_SAFE, 28)),
    "github": (("ghp_", 0), (ALPHABET, 36)),
    "gitlab": (("glpat-", 0), (URL_SAFE, 20)),
    "groq": (("gsk_", 0), (ALPHABET, 52)),
    "xai": (("xai-", 0), (ALPHABET, 80)),
    "perplexity": (("pplx-", 0), (ALPHABET, 48)),
    "replicate": (("r8_", 0), (ALPHABET, 37)),
    "fireworks": (("fw_", 0), (ALPHABET, 24)),
    "tavily": (("tvly-", 0), (ALPHABET, 32)),
    "nvidia": (("nvapi-", 0), (URL_SAFE, 64)),
    "npm": (("npm_", 0), (ALPHABET, 36)),
    "stripe": (("sk_live_", 0), (ALPHABET, 24)),
    "docker hub": (("dckr_pat_", 0), (URL_SAFE, 27)),
}
"""What a key is made of: texts as they are (0), and letters to draw from so many times."""


class TestShapes:
    @pytest.mark.parametrize("key", [pytest.param(key, id=name) for name, key in KEYS.items()])
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ('{"x":"', '"}'),
            ("key: ", " and more"),
            (r'{"x":"line\n', r'\nline"}'),
            (r"\u003c", r"\u003e"),
            ("?a%3D", "&b=c"),
            ("(", ")"),
            ("", ""),
        ],
    )
    def test_of_keys(self, key: str, before: str, after: str) -> None:
        assert filtered(before + key + after) == f"{before}REDACTED{after}"

    @pytest.mark.parametrize(
        "text",
        [
            "sk-learn-contrib-project-page",
            "sk-learn-contrib-project-page-2024-v2-final-edition",
            "risk-" + A,
            "task-" + A,
            "disk_live_" + A,
            "chatcmpl-" + A,
            "msg_01" + A,
            "toolu_01" + A,
            "resp_" + HEX,
            "req_011" + A,
            "fp_3aa7262c27",
            "call_" + A[:24],
            "sk-" + A[:16],
            "sk-…",
            "sk-<your-key>",
            "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "pplx-70b-online",
            "xai-grok-2-latest",
            "npm_config_registry",
            "hf_transfer",
            "pypi-attestations",
            "AIzaHello",
            "AKIAN",
            "XAKIAIOSFODNN7EXAMPLE",
            "AKIAIOSFODNN7EXAMPLEX9",
            "SG.1.2",
            "eyJhbGciOiJIUzI1NiJ9",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.",
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----",
            PEM.replace("RSA PRIVATE", "PUBLIC"),
            # The signature of a thinking block: base64.
            "ErUBCkYIBRgCIkBqsk" + A * 8 + "+/AIzaSy" + A + "/=",
            "gAAAAAB" + A + "-" + A + "_sk-" + A,
        ],
    )
    def test_of_other_things_survive(self, text: str) -> None:
        for body in (text, f'{{"x":"{text}"}}', f" {text} "):
            assert filtered(body) == body

    def test_of_a_key_without_digits(self) -> None:
        body = b'data: {"x":"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"}\n\n'
        assert PLAIN.body(body, "text/event-stream") == b'data: {"x":"REDACTED"}\n\n'

    @pytest.mark.parametrize("name", RANDOM_KEYS)
    def test_of_random_keys(self, name: str) -> None:
        """Of 500 keys in the issuer's own alphabet at most one may read like words."""
        chance = random.Random(name)
        parts = RANDOM_KEYS[name]
        keys = [
            "".join(
                part if count == 0 else "".join(chance.choices(part, k=count))
                for part, count in parts
            )
            for _ in range(500)
        ]
        found = json.loads(filtered(json.dumps(keys)))
        assert [left for left in found if left != "REDACTED"][1:] == []

    @pytest.mark.parametrize(
        "text",
        [
            "fw_GetConfigurationFromServer",
            "fw_getHTTPResponseFromUpstream",
            "hf_AutoModelForCausalLanguageModellingWithCache",
            "hf_HUGGING_FACE_HUB_TOKEN",
            "hf_" + "x" * 34,
            "hf_" + "X" * 34,
            "gsk_YourGroqApiKeyGoesHereBetweenTheQuotesPlease",
            "glpat-My-Personal-Access-Token",
            "glpat-XXXXXXXXXXXXXXXXXXXX",
            "tvly-your-api-key-goes-here",
            "pa-01234567-89ab-cdef-0123-456789abcdef",
            "pa-" + HEX,
            "pa-Report_2024_Final-version_of_the_whole_document.pdf",
            "pa-quarterly-report-of-the-committee-2024-final",
            "jina_embeddings_v3_base_en_long_context_model_2024",
            "jina_EmbeddingsForLongContextsAndManyLanguages.onnx",
            "JQQJ99BAACYeBjFXJ3w3AAABACOG",
            "01234567-89ab-cdef-0123-456789abcdef",
            "IMG_20240131_235959_HDR-Edited.jpeg",
            "Spa-day, papa-razzi, a grandpa-in-law, the hf_hub_download of self_supervised models",
        ],
    )
    def test_of_names_and_prose_survive(self, text: str) -> None:
        for body in (text, f'{{"x":"{text}"}}', f" {text} "):
            assert filtered(body) == body

    @pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
    def test_of_images_survive(self, encode: Callable[[bytes], bytes]) -> None:
        image = encode(random.Random(3).randbytes(300_000)).decode()
        body = f'{{"url":"data:image/png;base64,{image}"}}'
        assert filtered(body) == body

    def test_every_shape_is_probed_for(self) -> None:
        """The probe of each shape finds its prefix, or the shape would never be looked for."""
        probed = [shape for _, group in shapes._PROBES for shape in group]
        assert len(probed) == len(shapes._SHAPES)
        for probe, group in shapes._PROBES:
            for shape in group:
                assert probe.found(f" {shape.prefix}".encode()), shape.prefix


def events(count: int) -> list[str]:
    return [
        f'event: delta\ndata: {{"id":"chatcmpl-{A}","model":"gpt","n":{n},"delta":{{"content":" w'
        f'{n % 7}"}},"logprobs":null,"finish_reason":null}}'
        for n in range(count)
    ]


class TestSkimming:
    """A long body is searched in a shorter text: the result must be the same."""

    def test_makes_a_stream_short(self) -> None:
        body = "\n\n".join(events(1000)).encode()
        assert len(skim(body)) < len(body) * 2 / 5

    @pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\n"])
    @pytest.mark.parametrize(
        "secret", [KEYS["openai"], KEYS["aws"], JWT, '"api_key":"s"', r"\"password\":\"s\"", PEM]
    )
    @pytest.mark.parametrize("at", ["first", "in the id", "in a word", "between", "last"])
    def test_loses_no_secret(self, end: str, secret: str, at: str) -> None:
        parts = events(400)
        if at == "in the id":  # in every event, so in what repeats
            parts = [part.replace("chatcmpl-" + A, secret) for part in parts]
        elif at == "in a word":
            parts[200] = parts[200].replace(' w4"', f' {secret}"')
        else:
            parts.insert({"first": 0, "between": 200, "last": 400}[at], secret)
        if end == "\n":  # lines of NDJSON
            parts = [part.removeprefix("event: delta\ndata: ") for part in parts]
        body = end.join(parts).encode()
        # A line feed in a line is the end of that line: such a stream has no events in common.
        assert len(skim(body)) < len(body) / 2 or (end in secret and at == "in the id")
        result = PLAIN.body(body)
        assert result == unskimmed(body)
        assert result != body

    @given(st.data())
    def test_finds_what_is_there_and_no_more(self, data: st.DataObject) -> None:
        body = "\n\n".join(events(300)).encode()
        at = data.draw(st.integers(0, len(body)))
        body = body[:at] + data.draw(st.binary(max_size=6)) + body[at:]
        start = data.draw(st.integers(max(0, at - 30), min(len(body), at + 30)))
        needle = body[start : start + data.draw(st.integers(1, 40))]
        needle = data.draw(st.sampled_from([needle, needle[:-1] + b"q", b"q" + needle[1:]]))
        if b'"' not in needle and b"\n" not in needle:
            assert (needle in skim(body)) == (needle in body)

    def test_takes_out_what_lies_across_the_end_of_an_event(self) -> None:
        body = "\n\n".join(events(1000)).encode()
        across = b'":null,"finish_reason":null}\n\nevent: delta\ndata: {"id":"'
        assert body.count(across) == 999
        assert skim(body).count(b'"finish_reason":') <= 3

    def test_a_value_with_a_quote_is_looked_for_in_the_whole_body(self) -> None:
        value = '","model":"gpt","n":'
        body = "\n\n".join(events(300)).encode()
        assert value.encode() not in skim(body).replace(b'"n":', b"")
        assert Secrets(values=[value], environ={}).body(body) == body.replace(
            value.encode(), b"REDACTED"
        )

    def test_of_a_single_line_is_that_line(self) -> None:
        body = b"a" * 100_000
        assert skim(body) == body


def unskimmed(body: bytes) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bodies, "skim", lambda data: data)
        return PLAIN.body(body)


class TestProbes:
    """Whether there is anything to replace at all is asked first, in a cheaper way."""

    PIECES = (
        *("key", "KEY", "api_key", "token", "access_token", "Token", "sig", "x-sig", "Signature"),
        *("secret", "passwor", "password", "authorization", "authorizatio", "é", "k", "api_k", "_"),
        *('"', '\\"', "\\", '\\\\"', "=", ":", ' "a"', "\n", " "),
    )

    @pytest.mark.parametrize("named", [(), ("api_k",), ("\u043f\u0430\u0440", "x.y-z")])
    @given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
    def test_of_fields_find_what_the_search_for_names_finds(
        self, named: tuple[str, ...], text: str
    ) -> None:
        searched = Secrets(fields=named, environ={})._bodies.fields
        data = text.encode()
        found = any(probe.found(data) for probe in searched._probes)
        assert found == any(finder.search(data.lower()) for finder in searched._finders)

    def test_of_no_names_find_nothing(self) -> None:
        keep = [*names.FIELDS, *names.URL_FIELDS]
        body = '{"api_key": "s", "password": "s"}'
        assert filtered(body, secrets=Secrets(keep=keep, environ={})) == body

    @pytest.mark.parametrize("pivot", [b"-", b"xox"])
    @pytest.mark.parametrize("before", [0, 1, 63, 64, 65, 200])
    def test_find_what_comes_after_many_that_are_nothing(self, pivot: bytes, before: int) -> None:
        probe = Probe(pivot, rb"(?=!)")
        assert not probe.found(pivot * before)
        assert probe.found(pivot * before + pivot + b"!")
        assert probe.found(b" " + (pivot + b" ") * before + pivot + b"!")


class TestHostileBodies:
    """Of 250,000 bytes each: anything quadratic would take an hour."""

    SIZE = 250_000

    @pytest.mark.parametrize(
        "piece",
        [
            "sk-", "sk-a1_", "eyJ", "eyJaaaaaaaa.", "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----AAAA", "SG.aaaaaaaaaaaaaaaaaaaaaa.", "AIza", "gh",
            "AKIA", "xox", '"api_key":[', '"api_key":["', '"api_key":"', "\\", '\\"', '"', "a",
            '"secret":\n', '"password"   ', "?sig=", "&api_key=a", "_api_key", "://", "u@",
            'data: {"api_key": "', "basic ", "bearer a", "\0", "%41", '"secret":1', "-", "A",
            "_key\\", "JQQJ9", "hf_", "hf_aA", "pa-", "jina_aA", "glpat-HTTPAb",
        ],
    )  # fmt: skip
    def test_take_linear_time(self, piece: str) -> None:
        text = piece * (self.SIZE // len(piece))
        result = PLAIN.body(text.encode())
        assert PLAIN.body(result) == result
        PLAIN.text(text)

    @pytest.mark.parametrize("start", ['"api_key":"', "sk-", "eyJ", "hf_", 'data: {"secret":"'])
    @pytest.mark.parametrize("rest", ["\\", "a", "1", "aA1_", "Abc", "AAAAAB", '\\\\\\"', " ", "."])
    def test_that_begin_like_a_secret_take_linear_time(self, start: str, rest: str) -> None:
        PLAIN.body((start + rest * (self.SIZE // len(rest))).encode())

    def test_a_name_costs_no_more_than_its_window(self) -> None:
        looked_at = 0

        class Counted(bytes):
            def rstrip(self, characters: bytes | None = None, /) -> bytes:  # type: ignore[override]
                nonlocal looked_at
                looked_at += len(self)
                return bytes(self).rstrip(characters)

            def __getitem__(self, index: Any) -> Any:
                found = super().__getitem__(index)
                return Counted(found) if isinstance(found, bytes) else found

        body = Counted(b"a" * 10_000 + b'_api_key": "s", ' + b"b" * 10_000)
        found = fields._edited(body, [10_008], PLAIN._bodies.fields._values_at)
        assert found.count(b"REDACTED") == 1
        assert looked_at <= 64 + len(body[10_008:10_016])


def corpus() -> list[Any]:
    files = sorted(CORPUS.iterdir()) if CORPUS.is_dir() else []
    return [pytest.param(file, id=file.name) for file in files if file.is_file()]


@pytest.mark.skipif(not corpus(), reason=f"no corpus of recorded streams at {CORPUS}")
@pytest.mark.parametrize("file", corpus())
def test_recorded_streams_pass_unchanged(file: Path) -> None:
    data = file.read_bytes()
    if file.suffix == ".gz":
        data = gzip.decompress(data)
    assert PLAIN.body(data) == data
    # As the bodies that the recordings hold, too.
    for text in re.findall(rb'"(?:[^"\\]|\\.){40,}"', data):
        assert PLAIN.body(text) == text


class TestTwice:
    """Filtering twice is filtering once, whatever the pieces are glued to."""

    SECRETS = Secrets(
        values=["swordfish", "REDACT", "fishtail", "abcR", "EDsk-", 'qu"ote'],
        environ={"A_KEY": "Wq7-zR2+pL/9xV3k"},
    )
    PIECES = (
        *KEYS.values(),
        *("swordfish", "fishtail", "abcR", "abcRED", "RED", "REDACTED", "ACTED", "REDACT"),
        *('"api_key": ', '"api_key":["', '\\"secret\\": \\"', '"password":"', "?sig=", "&api_key="),
        *('"', '\\"', "\\", "\n", "\r\n", "data: ", " ", ",", "]", "}", "a", "1", "12", "x=", ";"),
        *("Bearer ", "https://u:p@h.test/", "https://", "?key=1", "&", "#", "%3D", A, "-"),
        *("Wq7-zR2+pL/9xV3k", "Wq7-zR2", quote("Wq7-zR2+pL/9xV3k"), 'qu"ote'),
    )  # fmt: skip

    @given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
    @example('"password":"swordfish')
    @example("abcRREDACTED")
    def test_bodies(self, text: str) -> None:
        for content_type in (None, "application/x-www-form-urlencoded"):
            once = self.SECRETS.body(text.encode(), content_type)
            assert self.SECRETS.body(once, content_type) == once

    @given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
    def test_urls(self, text: str) -> None:
        asked = Request("GET", "https://h.test/" + text, None, {"location": text, "link": text})
        once = self.SECRETS.request(asked)
        twice = self.SECRETS.request(once)
        assert (twice.uri, dict(twice.headers)) == (once.uri, dict(once.headers))

    @given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
    @example(f"https://h.test/{PEM}?sig=a")
    def test_texts(self, text: str) -> None:
        once = self.SECRETS.text(text)
        assert self.SECRETS.text(once) == once
