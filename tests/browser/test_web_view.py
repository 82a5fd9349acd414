"""Pages under `check_renderer`: right ones pass, known faults are found and made small."""

from __future__ import annotations

from typing import Any

import pytest

from streamtape import Event, views
from streamtape.checks import CheckFailed, Failure, check_renderer
from streamtape.checks.renderers import search
from streamtape.views import Chromium, PageError

PIECES = ["Hi ", "wö", "<b>✅"]


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page takes some hundredths of a second to open: few cuts have to do."""
    monkeypatch.setattr(search, "MAX_DELIVERIES", 3)
    monkeypatch.setattr(search, "DRAWN", 3)


def page(script: str) -> str:
    return f"""<!doctype html>
<title>A page</title>
<p>Answer</p><div id="answer"></div>
<script>const answer = document.getElementById("answer");
{script}</script>
"""


def arguments(browser: Chromium, script: str, **how: Any) -> dict[str, Any]:
    return views.web(browser, page(script), **{"selector": "#answer", **how})


def failures_of(**given: Any) -> dict[str, Failure]:
    with pytest.raises(CheckFailed) as caught:
        check_renderer(**given)
    return {failure.kind: failure for failure in caught.value.failures}


APPENDS = "const add = (piece) => { answer.append(piece); };"
FETCHES = """async function send() {
  const response = await fetch("/chat", { method: "POST", body: "Hi" });
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    answer.textContent += decoder.decode(value, OPTIONS);
  }
}"""
READS_WELL = FETCHES.replace("OPTIONS", "{ stream: true }")
FETCHED = {"stream": "/chat", "start": "send"}


def shown(made: dict[str, Any], *pieces: Any) -> list[Any]:
    """The views: before all, after each piece, and after closing."""
    with made["open"]() as handle:
        views = [made["view"](handle)]
        for piece in pieces:
            made["feed"](handle, piece)
            views.append(made["view"](handle))
        made["close"](handle)
        return [*views, made["view"](handle)]


def test_a_page_that_appends_passes(browser: Chromium) -> None:
    made = arguments(browser, APPENDS, feed="add")
    report = check_renderer(**made, pieces=PIECES, stable="append", visible=0)
    assert [view for _, view in report.frames] == ["Hi", "Hi wö", "Hi wö<b>✅"]
    assert report.instability_depth == 0


def test_text_added_as_html_is_found(browser: Chromium) -> None:
    made = arguments(browser, "const add = (piece) => { answer.innerHTML += piece; };", feed="add")
    found = failures_of(**made, pieces=PIECES)
    assert set(found) == {"chunking"}
    assert found["chunking"].pieces == ("<", "b")


def test_a_piece_that_is_taken_for_a_line_is_found(browser: Chromium) -> None:
    script = """let lines = [];
const add = (piece) => {
  lines.push(...piece.split("\\n").filter((line) => line.trim()));
  answer.replaceChildren(...lines.map((line) => {
    const shown = document.createElement("p");
    shown.textContent = line;
    return shown;
  }));
};"""
    made = arguments(browser, script, feed="add", view="tree")
    found = failures_of(**made, pieces=["o\nt", "f"])
    assert set(found) == {"chunking", "converges"}
    assert found["chunking"].pieces == ("t", "f")
    assert found["chunking"].got == ["div", ["p", "t"], ["p", "f"]]


def test_bytes_that_are_decoded_apart_are_found(browser: Chromium) -> None:
    pieces = [piece.encode() for piece in PIECES]
    forgets = FETCHES.replace(", OPTIONS", "")
    found = failures_of(**arguments(browser, forgets, **FETCHED), pieces=pieces, unit="bytes")
    assert set(found) == {"chunking"}
    first, second = map(bytes, found["chunking"].pieces)
    assert first + second in "".join(PIECES).encode()
    with pytest.raises(UnicodeDecodeError):
        first.decode()


def test_a_page_that_decodes_what_it_fetches_as_a_stream_passes(browser: Chromium) -> None:
    made = arguments(browser, READS_WELL, **FETCHED)
    pieces = [piece.encode() for piece in PIECES]
    report = check_renderer(**made, pieces=pieces, unit="bytes", stable="append")
    assert [view for _, view in report.frames] == ["Hi", "Hi wö", "Hi wö<b>✅"]


def test_what_scripts_raise_later_is_found(browser: Chromium) -> None:
    script = """const add = (piece) => {
  answer.append(piece);
  if (piece === "x") setTimeout(() => { throw new RangeError("an x"); });
};"""
    found = failures_of(**arguments(browser, script, feed="add"), pieces=["a", "x"])
    assert found["raises"].pieces == ("x",)
    assert isinstance(found["raises"].got, PageError)
    assert str(found["raises"].got) == "RangeError: an x"


def test_half_of_a_surrogate_pair_is_found(browser: Chromium) -> None:
    script = "const add = (piece) => { answer.textContent = piece.slice(0, -1); };"
    found = failures_of(**arguments(browser, script, feed="add"), pieces=["✅👩"])
    assert "not-encodable" in found


def test_what_a_reference_in_the_page_shows_is_the_measure(browser: Chromium) -> None:
    script = """const add = (piece) => answer.append(piece.replaceAll("*", ""));
const show = (text) => { answer.textContent = text; };"""
    made = arguments(browser, script, feed="add", reference="show")
    assert made["reference"]("a*b") == "a*b"
    found = failures_of(**made, pieces=["a*b"])
    assert found["converges"].pieces == ("*",)


def test_a_tree_is_the_same_however_many_text_nodes_there_are(browser: Chromium) -> None:
    script = """const add = (piece) => {
  const bold = document.createElement("b");
  bold.append(piece);
  answer.append("1", "2", bold, document.createElement("style"), "3");
};"""
    made = arguments(browser, script, feed="add", view="tree")
    assert shown(made, "x")[1] == ["div", "12", ["b", "x"], "3"]


def test_a_view_may_be_a_function(browser: Chromium) -> None:
    made = arguments(browser, APPENDS, feed="add", view="({ id, dir }) => ({ id, dir })")
    assert shown(made) == [{"id": "answer", "dir": ""}] * 2


def test_text_is_what_one_sees(browser: Chromium) -> None:
    script = """const add = (piece) => {
  answer.innerHTML = `<p>one ${piece}</p><p hidden>two</p><pre>a\\n b</pre>`;
};"""
    made = arguments(browser, script, feed="add", selector="body")
    assert shown(made, "x")[:2] == ["Answer", "Answer\n\none x\n\na\n b"]


def test_a_page_gets_events(browser: Chromium) -> None:
    script = """const add = ({ type, data, lastEventId }) => {
  answer.append([type, data, lastEventId].join(" "));
};"""
    event = Event("delta", "é", "7")
    assert shown(arguments(browser, script, feed="add"), event)[1] == "delta é 7"
    fetched = arguments(browser, READS_WELL, **FETCHED)
    assert shown(fetched, event)[1] == "event: delta id: 7 data: é"


def test_a_page_gets_bytes(browser: Chromium) -> None:
    script = "const add = (piece) => { answer.append(piece.constructor.name, piece.join()); };"
    assert shown(arguments(browser, script, feed="add"), b"\0\xff")[1] == "Uint8Array0,255"


def test_pieces_wait_for_a_page_that_fetches_later(browser: Chromium) -> None:
    later = {**FETCHED, "start": "() => { answer.onclick = send; }"}
    made = arguments(browser, READS_WELL, **later)
    with made["open"]() as handle:
        made["feed"](handle, "early")
        assert made["view"](handle) == ""
        handle.call("() => answer.click()", settle=True)
        assert made["view"](handle) == "early"


def test_a_page_that_never_fetches_is_told(browser: Chromium) -> None:
    with pytest.raises(PageError, match="the page has not fetched /chat"):
        shown(arguments(browser, "", stream="/chat"), "a")


def test_a_page_may_stop_reading(browser: Chromium) -> None:
    script = """let control = new AbortController();
async function send() {
  const response = await fetch("/chat", { signal: control.signal });
  try {
    for await (const piece of response.body) answer.append(piece.length);
  } catch (error) {
    answer.append(error.name);
  }
}"""
    made = arguments(browser, script, **FETCHED)
    with made["open"]() as handle:
        made["feed"](handle, "ab")
        assert made["view"](handle) == "2"
        handle.call("() => control.abort()", settle=True)
        made["feed"](handle, "cd")
        made["close"](handle)
        assert made["view"](handle) == "2AbortError"


def test_a_function_ends_the_stream(browser: Chromium) -> None:
    made = arguments(browser, APPENDS, feed="add", close="() => add('.')")
    assert shown(made, "x") == ["", "x", "x."]


def test_what_is_put_off_until_the_next_frame_is_waited_for(browser: Chromium) -> None:
    script = """let text = "", asked = 0;
const draw = () => { asked = 0; answer.textContent = text; };
const add = (piece) => {
  text += piece;
  cancelAnimationFrame(asked);
  asked = requestAnimationFrame(draw);
};"""
    assert shown(arguments(browser, script, feed="add"), "a", "b") == ["", "a", "ab", "ab"]


def test_sending_many_pieces_takes_work_in_proportion(
    browser: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SEARCH_S", 0.0)
    made = arguments(browser, APPENDS, feed="add")
    report = check_renderer(**made, pieces=["word "] * 80)
    assert report.exponents is not None
    assert 0.8 < report.exponents["calls"] < 1.2


def test_a_rejected_promise_is_raised(browser: Chromium) -> None:
    script = "const add = (piece) => { Promise.reject(new Error('nobody looks')); };"
    with pytest.raises(PageError, match="Error: nobody looks"):
        shown(arguments(browser, script, feed="add"), "a")


def test_a_page_is_fed_in_one_way(browser: Chromium) -> None:
    with pytest.raises(ValueError, match="either feed="):
        views.web(browser, "<p>")
    with pytest.raises(ValueError, match="either feed="):
        views.web(browser, "<p>", feed="add", stream="/chat")


def test_an_element_that_is_not_there_is_told(browser: Chromium) -> None:
    with pytest.raises(PageError, match="nothing in the page is #other"):
        shown(arguments(browser, APPENDS, feed="add", selector="#other"))
