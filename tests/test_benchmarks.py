"""The benchmarks run, here with streams so short that their figures mean nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS, main

PROJECT = Path(__file__).parents[1]
HALF = ["startup", "replay", "deliveries", "decoder"]
SMALLEST = ("--quick", "--events=8", "--rounds=1")


@pytest.fixture(scope="module")
def whole_run() -> str:
    """The tables of all benchmarks, in two processes at once: nobody looks at the times."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks", *SMALLEST, *names],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for names in (HALF, [name for name in BENCHMARKS if name not in HALF])
    ]
    outputs = [process.communicate() for process in processes]
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors
    # Each begins with its head, which ends in a line.
    return "\n\n".join(output.replace("─\n", "─\n\n") for output, _ in outputs)


@pytest.mark.parametrize(
    "start",
    [
        "recording with httpx2:",
        "recording with httpx2, async:",
        "recording with httpx:",
        "the client's first event",
        "memory at the peak",
        "save 8 events, ASCII",
        "load 8 events, emoji",
        "open a cassette of 8 events, é",
        "replay of 8 events through iter_raw",
        "replay of 1 events through the openai SDK",
        "50 deliveries of 50 events through the openai SDK",
        "p99 lateness of 8 chunks",
        "ten minutes of virtual time in 8 chunks",
        "p99 lateness of 20 streams",
        "start of pytest",
        "import of the plugin",
        "decoding 8 events, all in one chunk",
    ],
)
def test_every_benchmark_measures_streamtape(whole_run: str, start: str) -> None:
    found = [section for section in whole_run.split("\n\n") if section.strip().startswith(start)]
    assert found
    assert all("\n  streamtape" in section for section in found)


def test_the_table_fits_100_columns(whole_run: str) -> None:
    assert max(map(len, whole_run.splitlines())) <= 100


def test_a_peer_that_is_missing_has_a_row_that_says_so(whole_run: str) -> None:
    """cassetter is not where these tests run: it and pytest-recording own the same option."""
    rows = [line.split() for line in whole_run.splitlines() if line.startswith("  cassetter ")]
    assert rows
    assert all(row == ["cassetter", "not", "installed"] for row in rows)


def test_as_json_each_row_has_its_figure_and_the_base_has_the_ratio_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--json", *SMALLEST, "save"])
    report = json.loads(capsys.readouterr().out)
    assert report["environment"]["Python"]
    assert [section["title"] for section in report["sections"]][-1] == "save 8 events, emoji"
    for section in report["sections"]:
        rows = {row["name"]: row for row in section["rows"]}
        assert rows[section["base"]]["ratio"] == 1
        present = [row for row in rows.values() if row["note"] != "not installed"]
        assert all(row["low"] <= row["ratio"] <= row["high"] for row in present)


def test_an_unknown_name_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["speed"])
    assert "no benchmark speed: there are recording, first-event" in capsys.readouterr().err
