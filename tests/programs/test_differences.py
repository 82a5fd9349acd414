"""Diffs of outputs: short, true, and harmless on a terminal."""

from __future__ import annotations

import pytest

from streamtape.programs.differences import difference


def test_equal_outputs_have_none() -> None:
    assert difference(b"a\n", b"a\n") == []


def test_a_line_that_changed_is_shown_both_ways() -> None:
    assert difference(b"one\ntwo\n", b"one\n2\n") == [
        "--- as recorded",
        "+++ as delivered",
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+2",
    ]


def test_a_missing_line_end_is_a_difference() -> None:
    assert "\\ No newline at the end" in "\n".join(difference(b"a\n", b"a"))


def test_numbers_of_lines_count_from_the_beginning() -> None:
    many = b"".join(b"%d\n" % n for n in range(5_000))
    lines = difference(many, many.replace(b"\n4321\n", b"\nx\n"))
    assert lines[2] == "@@ -4320,5 +4320,5 @@"
    assert "-4321" in lines


def test_of_a_long_line_the_place_that_differs_is_shown() -> None:
    one, other = b"a" * 5_000 + b"b" + b"c" * 500, b"a" * 5_000 + b"B" + b"c" * 500
    removed, added = difference(one, other)[3:5]
    assert (removed[:2], added[:2]) == ("-…", "+…")
    assert ("ab" in removed, "aB" in added) == (True, True)
    assert max(len(removed), len(added)) < 130


def test_many_lines_are_counted_instead_of_shown() -> None:
    lines = difference(b"", b"x\n" * 500)
    assert len(lines) == 41
    assert lines[-1].startswith("… and 4")


@pytest.mark.parametrize("output", [b"\x1b[2J\n", b"\xff\n", b"a\rb\n"])
def test_nothing_reaches_a_terminal_that_it_would_obey(output: bytes) -> None:
    text = "\n".join(difference(b"", output))
    assert not set(text) & {"\x1b", "\r"}
    assert "\\x" in text or "\\r" in text


def test_a_file_that_was_not_written_is_said() -> None:
    assert difference(None, b"") == ["the file was written as delivered only"]
