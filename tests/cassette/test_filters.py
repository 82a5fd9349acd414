"""Secrets in requests and responses: which headers, parameters and values never reach the disk."""

from __future__ import annotations

import copy
import io
from base64 import b64encode
from typing import Any

import pytest
from vcr.request import Request

from streamtape.cassette.filters import Secrets
from streamtape.cassette.redaction.names import SecretNames
from streamtape.cassette.redaction.values import looks_like_secret
from streamtape.wire.eventstream import build_message, read_messages

PLAIN = Secrets(environ={})
VALUE = "Wq7-zR2+pL/9xV3k"


def request(uri: str = "https://api.test/v1", body: Any = b"", **headers: Any) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", uri, body, named)


def response(body: bytes | str = b"", **headers: Any) -> dict[str, Any]:
    return {
        "status": {"code": 200, "message": "OK"},
        "headers": {name.replace("_", "-"): [value] for name, value in headers.items()},
        "body": {"string": body},
    }


class TestHeaders:
    @pytest.mark.parametrize(
        "name",
        [
            "authorization", "Proxy-Authorization", "cookie", "Set-Cookie", "X-API-Key", "api-key",
            "x-goog-api-key", "x-auth-token", "x-amz-security-token", "OpenAI-Organization",
            "openai-project", "anthropic-organization-id",
            # Of the kind.
            "x-goog-iam-authorization-token", "x-csrf-token", "x-xsrf-token", "private-token",
            "ocp-apim-subscription-key", "x-functions-key", "apikey", "cf-access-client-secret",
            "x-vault-token", "x-auth-key", "cf-access-jwt-assertion", "x-forwarded-access-token",
            "x-openai-organization", "x-database-password", "set-cookie2", "chatgpt-account-id",
            "x-amz-server-side-encryption-customer-key",
        ],
    )  # fmt: skip
    def test_are_removed_from_both_sides(self, name: str) -> None:
        asked = Request("GET", "https://api.test/", None, {name: "v", "accept": "*/*"})
        assert dict(PLAIN.request(asked).headers) == {"accept": "*/*"}
        answered = response()
        answered["headers"] = {name: ["v", "w"], "server": ["s"]}
        assert PLAIN.response(answered)["headers"] == {"server": ["s"]}

    @pytest.mark.parametrize(
        "name",
        [
            "x-ratelimit-remaining-tokens", "anthropic-ratelimit-input-tokens-limit",
            "x-ratelimit-reset-tokens", "x-request-id", "request-id", "idempotency-key",
            "sec-websocket-key", "x-cache-key", "surrogate-key", "openai-processing-ms",
            "openai-version", "anthropic-version", "x-stainless-lang", "cf-ray", "etag",
            "x-continuation-token", "x-next-page-token", "x-next-token", "x-previous-token",
            "x-sync-token", "x-cursor-token", "x-amzn-bedrock-input-token-count",
            "www-authenticate", "x-amz-content-sha256", "x-cookie-banner", "x-tokenizer",
        ],
    )  # fmt: skip
    def test_that_only_sound_secret_survive(self, name: str) -> None:
        assert PLAIN.response(response(**{name: "12"}))["headers"] == {name: ["12"]}

    def test_named_by_the_user_add_to_the_defaults(self) -> None:
        secrets = Secrets(headers=["X-Corp-Ident"], environ={})
        filtered = secrets.request(request(x_corp_ident="1", authorization="2", accept="3"))
        assert dict(filtered.headers) == {"accept": "3"}

    def test_named_in_keep_stay(self) -> None:
        answered = response(set_cookie="theme=dark", cookie="a=b")
        secrets = Secrets(keep=["Set-Cookie"], environ={})
        assert secrets.response(answered)["headers"] == {"set-cookie": ["theme=dark"]}
        secrets = Secrets(keep=["cookie"], environ={})
        assert secrets.response(answered)["headers"] == {"cookie": ["a=b"]}

    def test_in_bytes_as_botocore_gives_them(self) -> None:
        asked = request(
            content_type=b"application/json", x_note=f"is {VALUE}\xff".encode("latin-1")
        )
        filtered = Secrets(values=[VALUE], environ={}).request(asked)
        assert filtered.headers["content-type"] == b"application/json"
        assert filtered.headers["x-note"] == b"is REDACTED\xff"

    def test_that_are_no_text_are_left(self) -> None:
        answered = response()
        answered["headers"] = {"age": [1, None]}
        assert PLAIN.response(answered)["headers"] == {"age": [1, None]}

    def test_values_hold_no_keys_and_no_credentials(self) -> None:
        key = "gsk_" + "a1B2" * 13
        filtered = PLAIN.response(response(x_echo=f"used {key}", x_sent="Bearer abcdefgh12345678"))
        assert filtered["headers"] == {"x-echo": ["used REDACTED"], "x-sent": ["Bearer REDACTED"]}

    def test_urls_in_values_lose_their_secrets(self) -> None:
        filtered = PLAIN.response(
            response(
                location="/cb?access_token=t&state=9#id_token=u&x=1",
                link='<https://u:p@h.test/a?page=2&token=t>; rel="next"',
                content_type="text/html; charset=utf-8",
            )
        )
        assert filtered["headers"] == {
            "location": ["/cb?state=9#x=1"],
            "link": ['<https://h.test/a?page=2>; rel="next"'],
            "content-type": ["text/html; charset=utf-8"],
        }


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("https://h.test/p?key=s", "https://h.test/p"),
            ("https://h.test/p?key=s&alt=sse", "https://h.test/p?alt=sse"),
            ("https://h.test/p?alt=sse&key=s", "https://h.test/p?alt=sse"),
            ("https://h.test/p?a=%7e+b&KEY=s&c=%2F&c=é", "https://h.test/p?a=%7e+b&c=%2F&c=é"),
            ("https://h.test/p?b=1&&a&token=s&=2#f?key=1", "https://h.test/p?b=1&&a&=2#f?key=1"),
            ("https://user:pass@h.test:8/p", "https://h.test:8/p"),
            ("https://token@h.test", "https://h.test"),
            ("https://h.test/@user/x?y=a@b", "https://h.test/@user/x?y=a@b"),
            ("https://h.test/p?", "https://h.test/p?"),
            ("https://h.test/p?next=https://u@x.test", "https://h.test/p?next=https://u@x.test"),
            ("/p?next=https://u@x.test&sig=s", "/p?next=https://u@x.test"),
            ("//u:p@h.test/p?auth=s", "//h.test/p"),
            ("https://h.test/p?code=US&code=aB3dE5gH7jK9mN1p", "https://h.test/p?code=US"),
            ("https://h.test/p?X-Amz%2DSignature=s&a=1", "https://h.test/p?a=1"),
            ("https://h.test/p?openai_api_key=s&a=1", "https://h.test/p?a=1"),
            ("*", "*"),
        ],
    )
    def test_lose_their_secrets_and_stay_as_they_were_otherwise(
        self, url: str, expected: str
    ) -> None:
        filtered = PLAIN.request(request(url))
        assert filtered.uri == expected
        assert PLAIN.request(filtered).uri == expected

    @pytest.mark.parametrize(
        "name",
        [
            "key", "api_key", "apikey", "api-key", "access_token", "refresh_token", "id_token",
            "token", "auth", "sig", "signature", "secret", "client_secret", "password",
            "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "X-Goog-Signature",
            "X-Goog-Credential", "AWSAccessKeyId", "oauth_token", "oauth_signature",
            "subscription-key", "jwt", "pass", "pwd", "hmac", "credential", "assertion",
            "client_assertion", "code_verifier",
        ],
    )  # fmt: skip
    def test_parameters(self, name: str) -> None:
        for spelled in (name, name.upper(), name.lower()):
            assert PLAIN.request(request(f"https://h.test/?{spelled}=s&z=1")).uri == (
                "https://h.test/?z=1"
            )

    @pytest.mark.parametrize(
        "name",
        ["pageToken", "next_token", "max_tokens", "keyword", "monkey", "author", "design", "keys"],
    )
    def test_parameters_that_only_sound_secret_survive(self, name: str) -> None:
        url = f"https://h.test/?{name}=abc"
        assert PLAIN.request(request(url)).uri == url

    def test_parameters_named_by_the_user(self) -> None:
        secrets = Secrets(query=["session"], keep=["key"], environ={})
        filtered = secrets.request(request("https://h.test/?session=1&key=2&token=3"))
        assert filtered.uri == "https://h.test/?key=2"

    def test_a_path_holds_no_keys_and_no_known_values(self) -> None:
        secrets = Secrets(values=[VALUE], environ={})
        url = "https://h.test/Wq7-zR2%2BpL%2F9xV3k/hf_" + "aB3" * 11
        assert secrets.request(request(url)).uri == "https://h.test/REDACTED/REDACTED"


class TestRequest:
    def test_is_a_copy(self) -> None:
        asked = request("https://u:p@h.test/?key=1", b'{"api_key": "s"}', authorization="a")
        before = copy.deepcopy(vars(asked))
        filtered = PLAIN.request(asked)
        assert vars(asked) == before
        assert (filtered.uri, filtered.body) == ("https://h.test/", b'{"api_key": "REDACTED"}')
        assert filtered.parsed_uri.netloc == "h.test"

    def test_content_length_follows_the_body(self) -> None:
        asked = request(body=b'{"password": "s"}', content_length="17", x=b"1")
        assert PLAIN.request(asked).headers["content-length"] == "24"
        asked = request(body=b'{"password": "s"}', content_length=b"17")
        assert PLAIN.request(asked).headers["content-length"] == b"24"

    def test_content_length_of_an_unchanged_body_stays(self) -> None:
        asked = request(body=b"{}", content_length="wrong")
        assert PLAIN.request(asked).headers["content-length"] == "wrong"

    def test_no_body_stays_none(self) -> None:
        assert PLAIN.request(request(body=None)).body is None

    def test_text_becomes_bytes_as_vcrpy_makes_it(self) -> None:
        assert PLAIN.request(request(body='{"é": 1, "secret": "s"}')).body == (
            '{"é": 1, "secret": "REDACTED"}'.encode()
        )

    def test_a_bytearray_becomes_bytes(self) -> None:
        body = PLAIN.request(request(body=bytearray(b'{"secret": "s"}'))).body
        assert body == b'{"secret": "REDACTED"}'

    def test_a_file_stays_a_file(self) -> None:
        body = PLAIN.request(request(body=io.BytesIO(b'{"secret": "s"}'))).body
        assert body.read() == b'{"secret": "REDACTED"}'

    @pytest.mark.parametrize(
        ("pieces", "expected"),
        [
            ([b'{"secret":', b' "s"}'], [b'{"secret": "REDACTED"}']),
            (['{"secret":', ' "s"}'], ['{"secret": "REDACTED"}']),
            (list(b'{"secret": "s"}'), list(b'{"secret": "REDACTED"}')),
            ([b'{"sec', b'ond": "s"}'], [b'{"sec', b'ond": "s"}']),
            ([b'{"secret":', b' "s'], [b'{"secret": "REDACTED']),
        ],
    )
    def test_an_iterator_stays_an_iterator(self, pieces: list[Any], expected: list[Any]) -> None:
        filtered = PLAIN.request(request(body=iter(pieces)))
        assert list(filtered.body) == expected
        assert list(filtered.body) == expected  # as often as it is asked for

    def test_what_a_client_makes_a_form_of(self) -> None:
        form = {"user": "me", "password": "s", "more": {"pin": [1, "sk-" + "a1" * 20]}}
        assert PLAIN.request(request(body=form)).body == {
            "user": "me",
            "password": "REDACTED",
            "more": {"pin": [1, "REDACTED"]},
        }
        assert form["password"] == "s"

    def test_a_body_in_a_content_coding_is_left_alone(self) -> None:
        asked = request(body=b'{"secret": "s"}', content_encoding="gzip")
        assert PLAIN.request(asked).body == b'{"secret": "s"}'
        asked = request(body=b'{"secret": "s"}', content_encoding="identity")
        assert PLAIN.request(asked).body == b'{"secret": "REDACTED"}'


class TestResponse:
    def test_is_a_copy_that_shares_what_does_not_change(self) -> None:
        answered = response(b"data: hello\n\n", content_type="text/event-stream")
        answered |= {"timeline": object(), "http_version": "HTTP/2"}
        before = copy.deepcopy({**answered, "timeline": None})
        filtered = PLAIN.response(answered)
        assert filtered == answered
        assert filtered is not answered
        assert filtered["body"] is answered["body"]
        assert filtered["timeline"] is answered["timeline"]
        PLAIN.response({**answered, "body": {"string": b'{"secret": "s"}'}})
        assert {**answered, "timeline": None} == before

    def test_what_changes_is_new(self) -> None:
        answered = response(b'{"secret": "s"}', content_length="15")
        answered["body"]["more"] = 1
        answered["status"]["message"] = "OK Bearer abcd1234abcd1234"
        filtered = PLAIN.response(answered)
        assert filtered["body"] == {"string": b'{"secret": "REDACTED"}', "more": 1}
        assert filtered["headers"] == {"content-length": ["22"]}
        assert filtered["status"] == {"code": 200, "message": "OK Bearer REDACTED"}
        assert answered["body"]["string"] == b'{"secret": "s"}'
        assert answered["headers"] == {"content-length": ["15"]}

    def test_text_stays_text(self) -> None:
        assert PLAIN.response(response('{"secret": "é\ud800"}'))["body"]["string"] == (
            '{"secret": "REDACTED"}'
        )
        assert PLAIN.response(response("é\ud800"))["body"]["string"] == "é\ud800"

    def test_a_body_in_a_content_coding_is_left_alone(self) -> None:
        answered = response(b'{"secret": "s"}', content_encoding="br")
        assert PLAIN.response(answered)["body"] is answered["body"]

    def test_without_body_or_headers(self) -> None:
        for answered in ({"status": {"code": 204}, "body": None}, {"body": {"string": None}}):
            assert PLAIN.response(answered) == answered


class TestText:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Incorrect API key: sk-proj-" + "aB3d" * 10, "Incorrect API key: REDACTED"),
            ("401 for 'https://u:p@h.test/v1?key=s&a=1'", "401 for 'https://h.test/v1?a=1'"),
            ("Illegal header value b'Bearer abcdefgh12345678\\n'",
             "Illegal header value b'Bearer REDACTED\\n'"),
            ("basic dXNlcjpwYXNzd29yZA==", "basic REDACTED"),
            ("basic telecommunications, bearer instrumentsoftruth",
             "basic telecommunications, bearer instrumentsoftruth"),
            ('{"api_key": "s"}', '{"api_key": "REDACTED"}'),
            ("peer closed connection\udcff\ud800 é", "peer closed connection\udcff\ud800 é"),
        ],
    )  # fmt: skip
    def test_errors(self, text: str, expected: str) -> None:
        assert PLAIN.text(text) == expected
        assert PLAIN.text(expected) == expected


class TestEnvironment:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("OPENAI_API_KEY", VALUE),
            ("MY_TOKEN_2", VALUE),
            ("SECRET", VALUE),
            ("DB_PASSWORD", "correct-horse-battery-staple"),
            ("npm_token", VALUE),
            ("DB_PASSWD", VALUE),
            ("MISTRAL_APIKEY", VALUE),
            ("SMTP_PASS", VALUE),
            ("SSH_PASSPHRASE", VALUE),
            ("AZURE_CREDENTIAL", VALUE),
            ("AZURE_CREDENTIALS", VALUE),
            ("DEVOPS_PAT", VALUE),
            ("A_SECRET", "/kJ8sQx9vB2nM4Lz7Rt5/Ab"),
            ("A_SECRET", "123e4567-e89b-12d3-a456-426614174000"),
            ("A_SECRET", "qwertyuiopasdfghjklzxcvbnmqwerty"),
            ("A_SECRET", "AbCdEfGhIjKl"),
            ("A_KEY", VALUE + "\n"),
        ],
    )
    def test_secrets(self, name: str, value: str) -> None:
        secrets = Secrets(environ={name: value, "OTHER": "something else"})
        text = value.strip()
        assert secrets.body(f'{{"x":"a {text} b"}}'.encode()) == b'{"x":"a REDACTED b"}'
        assert secrets.text(f"({text})") == "(REDACTED)"
        assert secrets.request(request(f"https://h.test/{text}/x")).uri == (
            "https://h.test/REDACTED/x"
        )
        assert secrets.response(response(x_echo=text))["headers"] == {"x-echo": ["REDACTED"]}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("TOKENIZERS_PARALLELISM", "false"),
            ("TOKENIZERS_CACHE", VALUE),
            ("OPENAI_API_KEY", "test"),
            ("OPENAI_API_KEY", "elevenchars"),
            ("KEYBOARD", VALUE),
            ("KEYBOARD_KEY", "us"),
            ("SSH_AUTH_SOCK", "/tmp/ssh-XXXX12345678/agent.1"),
            ("GPG_KEY", "7169605F62C751356D054A26A821E680E5FA6305"),
            ("SECRET_MODE", "authenticated"),
            ("SECRET_MODE", "AUTHENTICATED"),
            ("TOKEN_LIMIT", "100000000000"),
            ("TOKEN_EXPIRES", "2025-01-01T00:00:00Z"),
            ("TOKEN_FILE", "/var/run/secrets/token-1234"),
            ("KEY_FILE", "~/.ssh/id_ed25519"),
            ("KEY_FILE", "certs/server-2024.key.pem"),
            ("KEY_FILE", "C:\\keys\\server1.key"),
            ("TOKEN_URL", "https://auth.test/oauth/token1"),
            ("KEY_HOST", "api.openai.com"),
            ("KEY_HOST", "key-1.vault.test:8080"),
            ("API_KEY", "xxxxxxxxxxxxxxxxxxxx"),
            ("API_KEY", "REDACTED-for-tests-1"),
            ("API_KEY", ""),
        ],
    )
    def test_others_replace_nothing(self, name: str, value: str) -> None:
        data = f'{{"x":"a {value} b"}}'.encode()
        assert Secrets(environ={name: value}).body(data) == data

    def test_a_url_gives_its_password_and_its_secret_parameters(self) -> None:
        url = "https://me:pa55-w0rd-long@h.test/hook?token=tok-1234567890&page=page-1234567890"
        secrets = Secrets(environ={"HOOK_TOKEN_URL": url})
        assert secrets.body(b"pa55-w0rd-long tok-1234567890 page-1234567890 h.test") == (
            b"REDACTED REDACTED page-1234567890 h.test"
        )

    def test_a_broken_url_is_a_value(self) -> None:
        assert Secrets(environ={"A_KEY": "http://[broken-1"}).body(b"http://[broken-1") == (
            b"REDACTED"
        )

    @pytest.mark.parametrize(
        "carried",
        [
            VALUE.replace("/", r"\/").encode(),
            b"Wq7-zR2%2BpL%2F9xV3k",
            b"Wq7-zR2%2bpL%2f9xV3k",
            b"Wq7-zR2%2BpL/9xV3k",
            b64encode(VALUE.encode()).rstrip(b"="),
        ],
    )
    def test_a_value_is_seen_in_other_forms(self, carried: bytes) -> None:
        data = b'{"x":"' + carried + b'"}'
        assert Secrets(environ={"A_KEY": VALUE}).body(data) == b'{"x":"REDACTED"}'

    @pytest.mark.parametrize("before", ["", "u", "us", "use", "user:"])
    @pytest.mark.parametrize("after", ["", "x", "xy", "xyz"])
    def test_a_value_is_seen_within_base64(self, before: str, after: str) -> None:
        encoded = b64encode(f"{before}{VALUE}{after}".encode())
        filtered = Secrets(environ={"A_KEY": VALUE}).body(encoded)
        assert b"REDACTED" in filtered
        # At most the characters that the value shares with its neighbours are left of it.
        assert len(filtered) <= len("REDACTED") + len(encoded) - len(VALUE) * 4 // 3 + 4

    def test_a_value_with_quotes_and_line_feeds(self) -> None:
        value = 'first "line"\nsecond é'
        secrets = Secrets(environ={"A_KEY": value})
        for carried in (
            value,
            'first \\"line\\"\\nsecond é',
            'first \\"line\\"\\nsecond \\u00e9',
            'first \\\\\\"line\\\\\\"\\\\nsecond \\\\u00e9',
        ):
            assert secrets.text(f"<{carried}>") == "<REDACTED>"

    def test_is_read_when_the_object_is_made(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STREAMTAPE_TEST_TOKEN", VALUE)
        secrets = Secrets()
        monkeypatch.delenv("STREAMTAPE_TEST_TOKEN")
        assert secrets.text(VALUE) == "REDACTED"
        assert Secrets().text(VALUE) == VALUE

    def test_a_variable_can_be_kept(self) -> None:
        secrets = Secrets(environ={"A_KEY": VALUE}, keep=["A_KEY"])
        assert secrets.text(VALUE) == VALUE

    def test_the_shorter_of_two_values_leaves_nothing_of_the_longer(self) -> None:
        secrets = Secrets(values=["abcd1234", "xx-abcd1234-yy"], environ={})
        assert secrets.text("xx-abcd1234-yy abcd1234") == "REDACTED REDACTED"

    def test_length_counts_in_characters(self) -> None:
        assert not looks_like_secret("a1b2c3d4e5f")
        assert looks_like_secret("a1b2c3d4e5f6")


class TestOptions:
    @pytest.mark.parametrize("option", ["headers", "query", "fields", "values", "keep"])
    def test_one_string_is_refused(self, option: str) -> None:
        with pytest.raises(TypeError, match=option):
            Secrets(environ={}, **{option: "authorization"})

    def test_a_value_too_short_is_refused_without_showing_it(self) -> None:
        with pytest.raises(ValueError, match="of 3 characters") as caught:
            Secrets(values=["q7z"], environ={})
        assert "q7z" not in str(caught.value)

    def test_a_value_that_holds_the_mark_is_refused(self) -> None:
        with pytest.raises(ValueError, match="REDACTED"):
            Secrets(values=["my-REDACTED-key"], environ={})

    def test_a_name_of_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no letter"):
            Secrets(fields=["--"], environ={})

    def test_any_iterable_will_do(self) -> None:
        assert Secrets(headers=iter(["a"]), environ={}).headers == ("a",)

    def test_no_secret_is_shown(self) -> None:
        secrets = Secrets(values=["swordfish"], environ={"A_KEY": VALUE})
        assert "swordfish" not in repr(secrets)
        assert VALUE not in repr(secrets)

    def test_equal_options_make_equal_objects(self) -> None:
        assert Secrets(headers=["a"], environ={}) == Secrets(headers=("a",), environ={})
        assert len({Secrets(environ={}), Secrets(environ={})}) == 1

    @pytest.mark.parametrize(
        "spelling", ["api_key", "api-key", "apiKey", "ApiKey", "APIKey", "API_KEY", "apikey"]
    )
    def test_a_name_counts_in_every_spelling(self, spelling: str) -> None:
        assert spelling in SecretNames(["api_key"])
        assert f"my_{spelling}" in SecretNames(["api-key"])
        assert spelling not in SecretNames(["apiKey"], keep=["API-KEY"])
        assert f"{spelling}_id" not in SecretNames(["api_key"])


class TestEventStream:
    HEADERS = b"\x0b:event-type\x07\x00\x05chunk"

    def body(self, *payloads: bytes) -> bytes:
        return b"".join(build_message(self.HEADERS, payload) for payload in payloads)

    @pytest.mark.parametrize("content_type", ["application/vnd.amazon.eventstream", None])
    def test_checksums_and_lengths_are_written_anew(self, content_type: str | None) -> None:
        body = self.body(b'{"a":1}', b'{"secret":"s"}', b"")
        messages, rest = read_messages(PLAIN.body(body, content_type))
        assert rest == b""
        assert [message.payload for message in messages] == [
            b'{"a":1}',
            b'{"secret":"REDACTED"}',
            b"",
        ]
        assert {message.headers for message in messages} == {self.HEADERS}

    def test_without_secrets_is_the_same_object(self) -> None:
        body = self.body(b'{"a":1}', b'{"b":2}')
        assert PLAIN.body(body) is body

    def test_the_payload_of_bedrock_is_looked_into(self) -> None:
        inner = b64encode(b'{"completion":"x","api_key":"s"}')
        body = self.body(b'{"bytes":"' + inner + b'","p":"abc"}')
        (message,), _ = read_messages(PLAIN.body(body))
        assert message.payload == (
            b'{"bytes":"' + b64encode(b'{"completion":"x","api_key":"REDACTED"}') + b'","p":"abc"}'
        )

    def test_broken_base64_is_left(self) -> None:
        body = self.body(b'{"bytes":"abc","secret":"s"}')
        (message,), _ = read_messages(PLAIN.body(body))
        assert message.payload == b'{"bytes":"abc","secret":"REDACTED"}'

    def test_headers_of_a_message(self) -> None:
        value = f"no {VALUE}".encode()
        headers = b"\x04:id1\x01" + b"\x0e:error-message\x07" + bytes([0, len(value)]) + value
        filtered = Secrets(values=[VALUE], environ={}).body(build_message(headers, b"{}"))
        (message,), rest = read_messages(filtered)
        assert rest == b""
        assert message.headers == b"\x04:id1\x01" + b"\x0e:error-message\x07\x00\x0bno REDACTED"

    def test_a_message_that_was_cut_off_is_text(self) -> None:
        whole = self.body(b'{"a":1}')
        cut = self.body(b'{"secret":"s3cr3t-s3cr3t","b":"' + b"c" * 50)[:-20]
        filtered = PLAIN.body(whole + cut)
        assert filtered.startswith(whole)
        assert filtered == whole + cut.replace(b"s3cr3t-s3cr3t", b"REDACTED")
