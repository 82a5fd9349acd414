"""A delivery read from what people type: values and calls of known names, nothing else."""

from __future__ import annotations

import re

import pytest

from streamtape.delivery import Delivery, Pace, middleboxes, rewrites
from streamtape.delivery.expression import parse


@pytest.mark.parametrize(
    ("written", "delivery"),
    [
        (" Delivery()\n  ", Delivery()),
        ("Delivery(cuts='bytes', pace=2)", Delivery(cuts="bytes", pace=2)),
        ("Delivery((1, 2))", Delivery((1, 2))),
        ("Delivery(cuts=[1, 2])", Delivery((1, 2))),
        ("Delivery(fault=None)", Delivery()),
        (
            "Delivery(pace=Pace(max_gap=1.5, virtual=True))",
            Delivery(pace=Pace(max_gap=1.5, virtual=True)),
        ),
        ("Delivery(cuts=(-0, 1))", Delivery(cuts=(0, 1))),
        (
            "Delivery(rewrites=(rewrites.crlf(), rewrites.comments(every=2)))",
            Delivery(rewrites=(rewrites.crlf(), rewrites.comments(every=2))),
        ),
        ("Delivery(cuts=middleboxes.burst())", Delivery(cuts=middleboxes.burst())),
    ],
)
def test_what_it_means(written: str, delivery: Delivery) -> None:
    assert parse(written) == delivery


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "invalid syntax"),
        ("Delivery(", "was never closed"),
        ("Delivery(cuts=\0)", "null bytes"),
        ("Delivery(cuts=1 + 1)", "1 + 1 is neither a value nor a call"),
        ("Delivery(pace=-'a')", "-'a' is neither a value nor a call"),
        ("Delivery(pace=~1)", "~1 is neither a value nor a call"),
        ("Delivery(cuts=1j)", "1j is neither a value nor a call"),
        ("Delivery(cuts=...)", "... is neither a value nor a call"),
        ("Delivery(cuts=name)", "name is neither a value nor a call"),
        ("Delivery(**{})", "** is not read"),
        ("print()", "print can't be called here"),
        ("os.system('ls')", "os.system can't be called here"),
        ("Delivery().apply(1)", "Delivery().apply can't be called here"),
        ("rewrites.lf.apply()", "rewrites.lf.apply can't be called here"),
        ("Delivery(rewrites=(rewrites.every(),))", "there is no rewrites.every: rewrites has "),
        ("faults.crlf()", "there is no faults.crlf: faults has broken_json, duplicated, "),
        ("middleboxes.wall()", "middleboxes has burst, coalescer, gzip_window, nginx"),
        ("Delivery(speed=2)", "unexpected keyword argument 'speed'"),
        ("Delivery(pace=-1)", "pace must be a positive number, not -1"),
        (
            "Delivery(cuts=(-1,))",
            "cuts must be offsets in the body, whole numbers",
        ),
        (
            "Delivery(fault=faults.status('429'))",
            "faults.status: code must be the status of an error from 400 to 599, not '429'",
        ),
        (
            "Delivery(cuts=middleboxes.nginx(0))",
            "nginx: size must be a number of bytes, 1 ",
        ),
        ("Delivery(contents=(contents.nul(escaped=1),))", "escaped must be True or False, not 1"),
        ("rewrites.crlf()", "is Rewrite. Wrap it: Delivery(…)"),
        ("(Delivery(),)", "is tuple. Wrap it: Delivery(…)"),
        ("'bytes'", "is str. Wrap it: Delivery(…)"),
    ],
)
def test_what_is_refused(written: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"(?s)^no delivery: .*{re.escape(reason)}"):
        parse(written)


def test_an_expression_too_deep_to_read_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^no delivery: "):
        parse("(" * 5000 + ")" * 5000)
