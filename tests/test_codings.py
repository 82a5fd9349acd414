"""Content codings in every chunking, with the libraries' one-shot decoders beside them."""

from __future__ import annotations

import gzip
import importlib
import sys
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamtape.codings import (
    CODINGS,
    CodingError,
    Decoded,
    Decoder,
    Encoder,
    MissingCodingError,
    UnsupportedCodingError,
    available,
    decode_body,
    decode_chunks,
    libraries,
    named_in,
    normalise,
    without_coding,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

BODY = 'data: {"content":"Café 👩‍👩‍👧‍👦"}\n\n'.encode() * 3 + b"data: [DONE]\n\n"
MODULES = {
    "br": ("brotli", "brotlicffi"),
    "zstd": ("compression.zstd", "backports.zstd", "zstandard"),
}


def installed(coding: str) -> ModuleType:
    """The first of the libraries for *coding*, imported here without the code under test."""
    for name in MODULES[coding]:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    pytest.skip(f"no library for {coding} is installed")


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(body) + stream.flush()


def whole_zstd(body: bytes) -> bytes:
    library = installed("zstd")
    if library.__name__ == "zstandard":  # whose decompress() reads no frame of unknown length
        return library.ZstdDecompressor().decompressobj().decompress(body)
    return library.decompress(body)


# How the libraries themselves encode a whole body, and how they decode one.
ENCODED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "gzip-stored": ("gzip", lambda body: gzip.compress(body, compresslevel=0)),
    "zlib": ("deflate", zlib.compress),
    "raw-deflate": ("deflate", raw_deflate),
    "br": ("br", lambda body: installed("br").compress(body)),
    "zstd": ("zstd", lambda body: installed("zstd").compress(body)),
}
DECODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": lambda body: installed("br").decompress(body),
    "zstd": whole_zstd,
}


every_encoding = pytest.mark.parametrize("form", ENCODED)
every_coding = pytest.mark.parametrize("coding", CODINGS)


def cut(body: bytes, offsets: list[int]) -> list[bytes]:
    return [body[start:end] for start, end in pairwise([0, *sorted(offsets), len(body)])]


def bodies() -> st.SearchStrategy[bytes]:
    repetitive = st.builds(lambda piece, n: piece * n, st.binary(max_size=40), st.integers(0, 4000))
    return st.binary(max_size=300) | repetitive


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("gzip", "gzip"),
        (" GZIP ", "gzip"),
        ("x-gzip", "gzip"),
        ("X-GZip", "gzip"),
        ("Deflate", "deflate"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("identity", None),
        ("Identity", None),
        ("", None),
        (" , ", None),
        (None, None),
        ("identity, gzip", "gzip"),
    ],
)
def test_a_header_names_a_coding(header: str | None, coding: str | None) -> None:
    assert normalise(header) == coding


@pytest.mark.parametrize("header", ["gzip, br", "gzip,gzip", "compress", "aws-chunked", "utf-8"])
def test_other_headers_name_none_that_can_be_decoded(header: str) -> None:
    with pytest.raises(UnsupportedCodingError, match="gzip, deflate, br, zstd"):
        normalise(header)


@pytest.mark.parametrize(
    ("values", "coding"),
    [
        ([], None),
        (["gzip"], "gzip"),
        (["identity", "X-GZIP"], "gzip"),
        (["gzip", "br"], None),
        (["compress"], None),
    ],
)
def test_the_headers_of_a_response_name_a_coding(values: list[str], coding: str | None) -> None:
    headers = [("content-type", "gzip"), *(("Content-Encoding", value) for value in values)]

    assert named_in(headers) == coding


def test_the_headers_of_a_decoded_body() -> None:
    headers = [("Content-Length", "3"), ("x-a", "b"), ("content-encoding", "gzip"), ("X-A", "c")]

    assert without_coding(headers) == [("x-a", "b"), ("X-A", "c")]


def test_a_name_that_was_not_normalised_is_refused() -> None:
    with pytest.raises(UnsupportedCodingError, match="normalise"):
        decode_chunks("x-gzip", [])


@every_encoding
@given(data=st.data())
def test_any_chunking_decodes_to_the_body(form: str, data: st.DataObject) -> None:
    coding, encode = ENCODED[form]
    body = data.draw(bodies())
    coded = encode(body)
    chunks = cut(coded, data.draw(st.lists(st.integers(0, len(coded)), max_size=8)))

    decoded = decode_chunks(coding, chunks)

    assert len(decoded.pieces) == len(chunks)
    assert b"".join(decoded.pieces) == body
    assert (decoded.complete, decoded.trailing, decoded.members) == (True, False, 1)


@every_encoding
def test_every_single_cut_and_byte_by_byte(form: str) -> None:
    coding, encode = ENCODED[form]
    coded = encode(BODY)

    for at in range(len(coded) + 1):
        assert b"".join(decode_chunks(coding, [coded[:at], coded[at:]]).pieces) == BODY
    singly = [piece for byte in coded for piece in (bytes([byte]), b"")]
    assert b"".join(decode_chunks(coding, singly).pieces) == BODY
    assert decode_body(coding, coded) == BODY


@every_encoding
def test_a_body_that_breaks_off_gives_its_beginning(form: str) -> None:
    coding, encode = ENCODED[form]
    coded = encode(BODY)

    for end in range(len(coded)):
        decoded = decode_chunks(coding, [coded[:end]])
        assert BODY.startswith(decoded.pieces[0])
        assert (decoded.complete, decoded.trailing, decoded.members) == (False, False, 0)
        if end:
            with pytest.raises(CodingError, match=f"breaks off after {end} bytes"):
                decode_body(coding, coded[:end])


@every_coding
def test_no_body_is_incomplete_and_empty(coding: str) -> None:
    assert decode_chunks(coding, []) == Decoded([], complete=False, trailing=False, members=0)
    assert decode_chunks(coding, [b""]).pieces == [b""]
    assert decode_body(coding, b"") == b""


@every_coding
@example(pieces=[bytes(56)])  # of which brotlicffi keeps one byte back
@example(pieces=[bytes(200_000), b"more"])  # of which brotli gives 32 KiB at a time
@given(pieces=st.lists(bodies(), max_size=6))
def test_what_was_encoded_is_known_at_each_flush(coding: str, pieces: list[bytes]) -> None:
    encoder = Encoder(coding)
    coded = [encoder.chunk(piece) for piece in pieces]
    coded.append(encoder.finish())

    assert DECODE[coding](b"".join(coded)) == b"".join(pieces)
    decoded = decode_chunks(coding, coded)
    assert decoded.pieces == [*pieces, b""]
    assert decoded.complete
    assert not decoded.trailing
    assert [not chunk for chunk in coded[:-1]] == [not piece for piece in pieces]


@every_coding
def test_a_client_reads_each_flushed_chunk(coding: str) -> None:
    pieces = [b"data: caf\xc3", b"\xa9\n", b"\n", b"data: [DONE]\n\n"]
    encoder = Encoder(coding)
    coded = [*(encoder.chunk(piece) for piece in pieces), encoder.finish()]

    class Wire(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield from coded

    response = httpx2.Response(200, headers={"content-encoding": coding}, stream=Wire())

    assert [piece for piece in response.iter_bytes() if piece] == pieces


@every_coding
def test_the_same_chunks_give_the_same_bytes(coding: str) -> None:
    def encoded() -> list[bytes]:
        encoder = Encoder(coding)
        return [encoder.chunk(BODY), encoder.chunk(b""), encoder.chunk(BODY), encoder.finish()]

    assert encoded() == encoded()


def test_gzip_carries_no_time() -> None:
    assert Encoder("gzip").chunk(BODY)[4:8] == bytes(4)


@pytest.mark.parametrize(
    ("coding", "join"),
    [("gzip", gzip.compress), ("zstd", ENCODED["zstd"][1])],
)
def test_members_of_a_stream_are_joined(coding: str, join: Callable[[bytes], bytes]) -> None:
    coded = join(b"data: a\n") + join(b"") + join(b"\ndata: b\n\n")

    for at in range(len(coded) + 1):
        decoded = decode_chunks(coding, [coded[:at], coded[at:]])
        assert b"".join(decoded.pieces) == b"data: a\n\ndata: b\n\n"
        assert (decoded.complete, decoded.trailing, decoded.members) == (True, False, 3)
    singly = decode_chunks(coding, [bytes([byte]) for byte in coded])
    assert b"".join(singly.pieces) == b"data: a\n\ndata: b\n\n"


def test_a_second_member_that_breaks_off_is_incomplete() -> None:
    decoded = decode_chunks("gzip", [gzip.compress(b"a") + gzip.compress(b"b")[:-1]])

    assert (decoded.complete, decoded.trailing, decoded.members) == (False, False, 1)


def test_skippable_frames_of_zstd_are_nothing() -> None:
    skippable = b"\x5a\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    coded = skippable + ENCODED["zstd"][1](BODY) + skippable

    for at in range(len(coded) + 1):
        decoded = decode_chunks("zstd", [coded[:at], coded[at:]])
        assert b"".join(decoded.pieces) == BODY
        assert (decoded.complete, decoded.trailing) == (True, False)


def test_ten_thousand_members_in_one_chunk() -> None:
    decoded = decode_chunks("gzip", [gzip.compress(b"a") * 10_000])

    assert decoded == Decoded([b"a" * 10_000], complete=True, trailing=False, members=10_000)


@pytest.mark.parametrize("form", [form for form in ENCODED if form != "br"])
@pytest.mark.parametrize("rest", [b"\0", b"\0\0\0\0\0", b"\x1f", b"\x28\xb5", b"data: more\n\n"])
def test_bytes_after_the_end_are_left_out(form: str, rest: bytes) -> None:
    coding, encode = ENCODED[form]
    coded = encode(BODY) + rest

    for at in range(len(coded) + 1):
        decoded = decode_chunks(coding, [coded[:at], coded[at:]])
        assert b"".join(decoded.pieces) == BODY
        assert (decoded.complete, decoded.trailing, decoded.members) == (True, True, 1)
    assert decode_body(coding, coded) == BODY


def test_the_decoder_says_when_it_is_complete() -> None:
    coded = gzip.compress(BODY)
    decoder = Decoder("gzip")

    seen = []
    for chunk in (coded[:-1], coded[-1:], b"more"):
        decoder.chunk(chunk)
        seen.append((decoder.complete, decoder.trailing))

    assert seen == [(False, False), (True, False), (True, True)]


def test_bytes_after_the_end_of_brotli_are_an_error_in_every_chunking() -> None:
    coded = ENCODED["br"][1](BODY) + b"more"

    for at in range(len(coded) + 1):
        with pytest.raises(CodingError, match="not valid br"):
            decode_chunks("br", [coded[:at], coded[at:]])


@pytest.mark.parametrize("coding", CODINGS)
def test_bad_data_is_an_error(coding: str) -> None:
    with pytest.raises(CodingError, match=f"not valid {coding}"):
        decode_chunks(coding, [b"\xff\xffdata: not coded at all\n\n"])


@pytest.mark.parametrize("form", ["gzip", "zlib"])
def test_a_wrong_checksum_is_an_error(form: str) -> None:
    coding, encode = ENCODED[form]
    coded = bytearray(encode(BODY))
    coded[-5 if coding == "gzip" else -1] ^= 1

    with pytest.raises(CodingError, match="incorrect data check"):
        decode_body(coding, bytes(coded))


@every_coding
@given(data=st.data())
def test_any_bytes_decode_or_are_a_coding_error(coding: str, data: st.DataObject) -> None:
    start = data.draw(st.sampled_from([b"", Encoder(coding).chunk(BODY)]))
    chunks = [start, *data.draw(st.lists(st.binary(max_size=40), max_size=4))]

    def outcome(chunks: list[bytes]) -> tuple[bytes, bool, bool] | None:
        try:
            decoded = decode_chunks(coding, chunks)
        except CodingError:
            return None
        return b"".join(decoded.pieces), decoded.complete, decoded.trailing

    assert outcome(chunks) == outcome([b"".join(chunks)])


class TestLibraries:
    """Which library is taken, and what is said where there is none."""

    @pytest.fixture(autouse=True)
    def _nothing_is_remembered(self) -> Iterator[None]:
        libraries._brotli.cache_clear()
        libraries._zstd.cache_clear()
        yield
        libraries._brotli.cache_clear()
        libraries._zstd.cache_clear()

    @pytest.mark.parametrize(("coding", "extra"), [("br", "brotli"), ("zstd", "zstd")])
    def test_a_missing_one_is_named_with_what_to_install(
        self, coding: str, extra: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in MODULES[coding]:
            monkeypatch.setitem(sys.modules, module, None)

        assert not available(coding)
        assert named_in([("content-encoding", coding)]) is None
        for use in (Encoder, Decoder, lambda name: decode_chunks(name, [])):
            with pytest.raises(MissingCodingError) as caught:
                use(coding)
            assert f'pip install "pytest-streamtape[{extra}]"' in str(caught.value)

    @pytest.mark.parametrize(
        ("coding", "module"),
        [(coding, module) for coding, modules in MODULES.items() for module in modules],
    )
    def test_each_alone_encodes_and_decodes(
        self, coding: str, module: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip(module)
        for other in MODULES[coding]:
            if other != module:
                monkeypatch.setitem(sys.modules, other, None)
        encoder = Encoder(coding)
        coded = [encoder.chunk(BODY), encoder.chunk(b"more"), encoder.finish()]

        assert available(coding)
        assert decode_chunks(coding, coded).pieces == [BODY, b"more", b""]
        for at in range(len(coded[0])):
            assert BODY.startswith(decode_chunks(coding, [coded[0][:at]]).pieces[0])
        with pytest.raises(CodingError, match=f"not valid {coding}"):
            decode_body(coding, b"\xff\xffdata: not coded at all\n\n")

    def test_gzip_and_deflate_are_always_there(self) -> None:
        assert available("gzip")
        assert available("deflate")

    def test_an_unknown_name_is_no_question_of_libraries(self) -> None:
        with pytest.raises(UnsupportedCodingError):
            available("compress")
