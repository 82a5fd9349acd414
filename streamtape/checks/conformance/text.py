"""What a value may hold: text of any language, control characters, bytes that are no UTF-8."""

from __future__ import annotations

from streamtape.checks.conformance.case import case

CASES = (
    case(
        "text of two, three and four bytes",
        "data: \u00e9\u20ac\U0001f469\n\n".encode(),
        "\u00e9\u20ac\U0001f469",
    ),
    case(
        "joined and combined characters stay as they are",
        "data: \U0001f469\u200d\U0001f4bb e\u0301 \u202eabc\n\n".encode(),
        "\U0001f469\u200d\U0001f4bb e\u0301 \u202eabc",
    ),
    case("a NUL in the data is text", b"data: a\0b\n\n", "a\0b"),
    case(
        "control characters in the data are text",
        b"data: \x01\x08\x1b[0m\x7f\n\n",
        "\x01\x08\x1b[0m\x7f",
    ),
    case(
        "U+FFFD and non-characters are text",
        "data: \ufffd\ufffe\uffff\n\n".encode(),
        "\ufffd\ufffe\uffff",
    ),
    case("a byte that never occurs is replaced", b"data: a\xffb\n\n", "a\ufffdb"),
    case("a stray continuation byte is replaced", b"data: a\x80b\n\n", "a\ufffdb"),
    case("a cut sequence is replaced by one character", b"data: \xf0\x9f\x91b\n\n", "\ufffdb"),
    case(
        "a sequence cut by the line end is replaced by one",
        b"data: a\xe2\x82\ndata: b\n\n",
        "a\ufffd\nb",
    ),
    case(
        "a sequence is not joined over two lines",
        b"data: \xe2\x82\ndata: \xac\n\n",
        "\ufffd\n\ufffd",
    ),
    case(
        "a sequence is not joined over two events",
        b"data: \xe2\x82\n\ndata: \xac\n\n",
        "\ufffd",
        "\ufffd",
    ),
    case("an overlong form is replaced byte by byte", b"data: \xc0\xaf\n\n", "\ufffd\ufffd"),
    case(
        "an overlong LF ends no line",
        b"data: a\xc0\x8a\xc0\x8adata: b\n\n",
        "a\ufffd\ufffd\ufffd\ufffddata: b",
    ),
    case(
        "an encoded surrogate is replaced byte by byte",
        b"data: \xed\xa0\x80\n\n",
        "\ufffd\ufffd\ufffd",
    ),
    case(
        "a character beyond U+10FFFF is replaced byte by byte",
        b"data: \xf4\x90\x80\x80\n\n",
        "\ufffd\ufffd\ufffd\ufffd",
    ),
    case("a lead byte swallows no line end", b"data: a\xe2\n\ndata: b\n\n", "a\ufffd", "b"),
    case("a lead byte swallows no colon", b"data\xe2: a\n\ndata: b\n\n", "b"),
    case("a lead byte swallows no CR", b"data: a\xf0\r\rdata: b\r\n\r\n", "a\ufffd", "b"),
    case("Latin-1 is not guessed", b"data: caf\xe9\n\n", "caf\ufffd"),
)
