"""Clients that are not Python's: curl and node's fetch get the chunks that the tape has."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from streamtape import Delivery, Tape
from streamtape.server import serve
from tests.streams import openai_chat

WHOLE = Tape.of(b"".join(openai_chat()))
FETCH = """
const response = await fetch(process.argv[1]);
const sizes = [];
for await (const chunk of response.body) sizes.push(chunk.length);
console.log(JSON.stringify(sizes));
"""


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_curl_gets_the_body(coding: str | None) -> None:
    coded = WHOLE.with_chunks(WHOLE.chunks, coding=coding)
    with serve(coded, delivery=Delivery(cuts="events")) as server:
        ran = subprocess.run(
            ["curl", "-sSN", "--compressed", "--noproxy", "*", server.url],
            check=True,
            capture_output=True,
        )
        assert ran.stdout == WHOLE.body
        assert server.log[0].wait().how == "complete"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells what a client has read")
@pytest.mark.parametrize("cuts", ["events", tuple(range(0, 400, 7))])
def test_nodes_fetch_gets_the_chunks(cuts: str | tuple[int, ...]) -> None:
    delivery = Delivery(cuts=cuts)
    with serve(WHOLE, delivery=delivery) as server:
        ran = subprocess.run(
            ["node", "--input-type=module", "-e", FETCH, server.url],
            check=True,
            capture_output=True,
        )
    sizes = [len(chunk.data) for chunk in WHOLE.deliver(delivery).chunks]
    assert json.loads(ran.stdout) == [size for size in sizes if size]
