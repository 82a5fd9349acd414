"""botocore's event streams: read through urllib3, live, recorded and replayed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import botocore.session
import pytest
from botocore.config import Config

import streamtape
from streamtape import Delivery, Tape
from streamtape.delivery import faults
from streamtape.wire import eventstream
from tests.server import Response, apart, head, serve

if TYPE_CHECKING:
    from pathlib import Path

TYPE = "application/vnd.amazon.eventstream"
TEXT = ("Un ", "caf", "é", " 👩‍👩‍👧", "!")


def message(kind: str, payload: dict[str, Any]) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    raw = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + len(value).to_bytes(2) + value.encode()
        for name, value in headers.items()
    )
    return eventstream.build_message(raw, json.dumps(payload).encode())


MESSAGES = [
    message("messageStart", {"role": "assistant"}),
    *(message("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": t}}) for t in TEXT),
    message("contentBlockStop", {"contentBlockIndex": 0}),
    message("messageStop", {"stopReason": "end_turn"}),
]
BODY = b"".join(MESSAGES)
# One inside the prelude of a message, one inside its payload.
CUTS = [BODY[:5], BODY[5:200], BODY[200:]]
TAPE = Tape.of(BODY, content_type=TYPE)


def converse(url: str) -> list[dict[str, Any]]:
    """The events of ConverseStream, from a client of its own."""
    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "not-a-secret")
    client = session.create_client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=url,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=5),
    )
    try:
        answer = client.converse_stream(
            modelId="test", messages=[{"role": "user", "content": [{"text": "?"}]}]
        )
        return list(answer["stream"])
    finally:
        client.close()


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(
        e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e
    )


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own AWS configuration."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_an_event_stream_is_recorded_and_replayed(tmp_path: Path) -> None:
    """The oracle is the client without a recorder."""
    with serve(Response(head(200, {"content-type": TYPE}), *apart(CUTS))) as server:
        bare = converse(server.url)
        with streamtape.use_cassette(tmp_path / "a.yaml", record_mode="once"):
            recorded = converse(server.url)
    with streamtape.use_cassette(tmp_path / "a.yaml"):
        assert converse(server.url) == recorded == bare
    assert text_of(bare) == "".join(TEXT)
    (tape,) = streamtape.load(tmp_path / "a.yaml")
    assert tape.framing == "eventstream"
    assert [chunk.data for chunk in tape.chunks] == CUTS
    assert len(tape.events()) == len(MESSAGES)
    assert "AKIDEXAMPLE" not in (tmp_path / "a.yaml").read_text("utf-8")


@pytest.mark.parametrize("cuts", ["whole", "events", "bytes", (3, 4, 12, 13)])
def test_it_reads_the_same_however_it_is_cut(cuts: Any) -> None:
    with streamtape.play(TAPE, Delivery(cuts=cuts)):
        assert text_of(converse("http://bedrock.test")) == "".join(TEXT)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.reset_after(2), "Connection broken"),
        (faults.read_timeout_after(2), "timed out"),
        (faults.not_terminated(2), "prematurely|Connection broken"),
    ],
    ids=str,
)
def test_a_stream_that_breaks_is_told(fault: Any, error: str) -> None:
    with streamtape.play(TAPE, Delivery(fault=fault)):
        with pytest.raises(Exception, match=error):  # botocore's own, or urllib3's
            converse("http://bedrock.test")


def test_an_upload_that_waits_for_a_continue(tmp_path: Path) -> None:
    """Who gets none from the tape would wait a second for it."""
    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "not-a-secret")
    client = session.create_client("s3", region_name="us-east-1", endpoint_url="http://s3.test")
    tape = Tape.of(b"", content_type="application/xml").with_chunks((), headers=[("etag", '"1"')])
    (tmp_path / "file").write_bytes(b"x" * 10)
    with streamtape.play(tape), (tmp_path / "file").open("rb") as body:
        assert client.put_object(Bucket="b", Key="k", Body=body)["ETag"] == '"1"'
    client.close()


def test_an_error_keeps_its_class(tmp_path: Path) -> None:
    headers = [("content-type", "application/json"), ("x-amzn-errortype", "ThrottlingException")]
    slow = Tape.of(b'{"message": "slow down"}', content_type="application/json")
    slow = slow.with_chunks(slow.chunks, status=429, headers=headers)
    with streamtape.play(slow), pytest.raises(botocore.exceptions.ClientError, match="slow down"):
        converse("http://bedrock.test")
    assert not list(tmp_path.iterdir())
