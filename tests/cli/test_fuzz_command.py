"""`streamtape fuzz`: programs in Python and JavaScript, with bugs that released ones have."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import signal
import sys
import textwrap
import time
from pathlib import Path

import pytest

import streamtape
from streamtape import Tape
from streamtape.delivery.expression import parse
from tests.cli.commands import Commands, Ran, start
from tests.programs.streams import NAMED, chat, named

NODE = shutil.which("node")
READER = Path(__file__).parents[1] / "programs" / "reader.mjs"
UNHURRIED = ("--timeout", "60")  # seconds: however busy the machine is

needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


PRELUDE = """
import os, sys
from socket import create_connection

def chunks(path="/stream"):
    host, port = os.environ["STREAMTAPE_URL"][7:].split(":")
    with create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\\r\\n\\r\\n".encode())
        head = b""
        while b"\\r\\n\\r\\n" not in head:
            head += connection.recv(65536)
        head, _, chunk = head.partition(b"\\r\\n\\r\\n")
        if b" 200 " not in head:
            sys.exit(f"error: {head.splitlines()[0]}")
        while chunk := chunk or connection.recv(65536):
            yield chunk
            chunk = b""

def body(path="/stream"):
    return b"".join(chunks(path))
"""
"""As little as reads a stream, since every run imports it anew."""


def python(code: str, *more: str) -> tuple[str, ...]:
    """A command that runs *code* after `PRELUDE`."""
    return (sys.executable, "-S", "-c", PRELUDE + textwrap.dedent(code), *more)


RIGHT = python("sys.stdout.buffer.write(body())")
SPLITS_CHARACTERS = python("print(''.join(chunk.decode('utf-8', 'replace') for chunk in chunks()))")


def fuzzed(
    run: Commands, *arguments: str, command: tuple[str, ...], tape: Tape | None = None
) -> Ran:
    streamtape.save("a.yaml", [tape or named()])
    return run("fuzz", "a.yaml", *arguments, "--", *command)


def as_json(run: Commands, *arguments: str, command: tuple[str, ...], **given: Tape) -> dict:
    ran = fuzzed(run, "--json", *arguments, command=command, **given)
    assert ran.err == ""
    told = json.loads(ran.out)
    assert told["exit_status"] == ran.status
    return told


# ---- programs in JavaScript


def reader(*mistakes: str) -> tuple[str, ...]:
    assert NODE is not None
    return (NODE, str(READER), "{url}/stream", *mistakes)


@needs_node
def test_a_right_reader_passes(run: Commands) -> None:
    ran = fuzzed(run, "--runs", "16", "--rewrites", *UNHURRIED, command=reader())
    assert (ran.status, ran.err) == (0, "")
    assert ran.lines[-1] == "16 runs: the same every time"


@needs_node
@pytest.mark.parametrize(
    ("mistake", "line_end", "options", "kind"),
    [
        ("utf8", b"\n", ("--runs=1",), "chunk-boundary/utf8-split"),
        ("crlf", b"\r\n", ("--runs=2",), "chunk-boundary/crlf-split"),
        ("crlf", b"\n", ("--runs=18", "--rewrites"), "chunk-boundary/crlf-split"),
        ("early", b"\n", ("--runs=8",), "chunk-boundary/early-dispatch"),
        ("bom", b"\n", ("--runs=16", "--rewrites"), "rewrite/bom"),
    ],
)
def test_a_known_mistake_is_found_and_told_by_its_smallest_delivery(
    run: Commands, mistake: str, line_end: bytes, options: tuple[str, ...], kind: str
) -> None:
    told = as_json(
        run,
        *("--shrink-runs", "4", *UNHURRIED, *options),
        command=reader(mistake),
        tape=named(line_end=line_end),
    )
    assert told["exit_status"] == 1
    assert [failure["kind"] for failure in told["failures"]] == [kind]
    [failure] = told["failures"]
    delivery = parse(failure["delivery"])
    if kind.startswith("chunk-boundary/"):
        assert len(delivery.cuts) == 1
    assert any(line.startswith("-{") for line in failure["diff"])


# ---- what is told


def test_the_smallest_delivery_is_explained_and_can_be_run_again(run: Commands) -> None:
    Path("splits.py").write_text(SPLITS_CHARACTERS[-1])
    command = (sys.executable, "-S", "splits.py")
    ran = fuzzed(run, "--runs", "3", *UNHURRIED, command=command)
    assert ran.status == 1
    text = ran.out
    assert "1  chunk-boundary/utf8-split: a character whose bytes come in two chunks" in text
    assert "falls inside the UTF-8 sequence of 'é', event 2, field data:" in text
    assert '-data: {"text":"Café"}' in text
    assert '+data: {"text":"Caf��"}' in text
    again = next(line for line in ran.lines if "again: " in line).partition("again: ")[2]
    words = shlex.split(again)
    assert words[:3] == ["streamtape", "fuzz", "a.yaml"]
    same = run(*words[1:])
    assert same.status == 1
    assert "1 kind of failure" in same.out


def test_a_right_program_passes_under_one_delivery(run: Commands) -> None:
    ran = fuzzed(run, "--delivery", "Delivery(cuts='bytes')", *UNHURRIED, command=RIGHT)
    assert (ran.status, ran.lines[-1]) == (0, "2 runs: the same every time")


def test_every_kind_of_failure_is_told_once(run: Commands) -> None:
    twice = python(
        """
        text = "".join(chunk.decode("utf-8", "replace") for chunk in chunks())
        sys.exit(3 if "\\r" in text else print(text))
        """
    )
    told = as_json(run, "--runs", "40", "--rewrites", *UNHURRIED, command=twice)
    kinds = [failure["kind"] for failure in told["failures"]]
    assert kinds[0] == "chunk-boundary/utf8-split"
    assert "rewrite/crlf" in kinds
    assert len(set(kinds)) == len(kinds)
    by_kind = {failure["kind"]: failure for failure in told["failures"]}
    assert by_kind["rewrite/crlf"]["got"]["status"] == 3
    assert told["left_out"] > 0


def test_a_program_without_output_is_told_what_that_means(run: Commands) -> None:
    ran = fuzzed(run, "--runs", "1", *UNHURRIED, command=python("body()"))
    assert ran.status == 0
    assert "only its exit status is compared" in ran.out


# ---- no delivery to blame


def test_a_program_that_differs_from_run_to_run_is_told_apart(run: Commands) -> None:
    command = python("print(len(body())); print(os.getpid())")
    ran = fuzzed(run, *UNHURRIED, command=command)
    assert ran.status == 3
    assert "It isn't deterministic" in ran.out
    assert "+++ the second time" in ran.out
    ran = fuzzed(run, "--runs", "2", "--ignore", r"(?m)^\d{3,}$", *UNHURRIED, command=command)
    assert ran.status == 0


def test_a_program_that_fails_as_recorded_blames_no_delivery(run: Commands) -> None:
    ran = fuzzed(run, *UNHURRIED, command=python("body(); sys.exit('no such model')"))
    assert ran.status == 4
    assert "It fails as recorded, so no delivery is to blame" in ran.out
    assert "no such model" in ran.out
    assert "Delivery(" not in ran.out


def test_a_program_that_never_asks_is_told_the_address(run: Commands) -> None:
    ran = fuzzed(run, *UNHURRIED, command=(sys.executable, "-c", "print(1)"))
    assert ran.status == 2
    assert "STREAMTAPE_URL" in ran.out


def test_what_the_server_could_not_answer_is_told(run: Commands) -> None:
    other = python("body('/other')")
    ran = fuzzed(run, *UNHURRIED, command=other)
    assert ran.status == 4
    assert "No recorded interaction matches GET /other" in ran.out


def test_a_failure_that_does_not_come_again_is_not_blamed_on_a_delivery(
    run: Commands, tmp_path: Path
) -> None:
    """The third run fails, whatever is delivered."""
    counted = python(
        f"""
        body()
        with open({str(tmp_path / "runs")!r}, "a+") as file:
            file.write(".")
            print(file.tell() == 3)
        """
    )
    told = as_json(run, "--runs", "4", "--jobs", "1", *UNHURRIED, command=counted)
    assert told["exit_status"] == 3
    [failure] = told["failures"]
    assert failure["kind"] == "unstable"


def test_wrong_usage_is_refused(run: Commands) -> None:
    streamtape.save("a.yaml", [named()])
    for arguments, message in (
        (("a.yaml",), "COMMAND"),
        (("a.yaml", "--delivery", "x", "--", "true"), "no delivery: 'x'"),
        (("a.yaml", "--delivery", "Delivery(pace='virtual')", "--", "true"), "time is real"),
        (("a.yaml", "--ignore", "(", "--", "true"), "--ignore: "),
        (("a.yaml", "--runs", "0", "--", "true"), "1 or more"),
        (("a.yaml", "--timeout", "0", "--", "true"), "seconds"),
        (("none.yaml", "--", "true"), "none.yaml"),
        (("a.yaml", "--", "no-such-program"), "no-such-program"),
    ):
        ran = run("fuzz", *arguments)
        assert (ran.status, ran.out) == (2, "")
        assert message in ran.err


# ---- how a program is run


def test_a_hang_is_a_failure(run: Commands) -> None:
    """The time is for the recorded runs to be over, long as a busy machine may take for them."""
    hangs = python(
        """
        import time
        for chunk in chunks():
            if chunk.endswith(b"\\xc3"):
                print("waiting", flush=True)
                time.sleep(600)
        """
    )
    cut = f"Delivery(cuts=({NAMED.index('é'.encode()) + 1},))"
    told = as_json(run, "--delivery", cut, "--timeout", "2", command=hangs)
    [failure] = told["failures"]
    assert (failure["got"]["end"], failure["got"]["status"]) == ("hang", None)
    assert failure["got"]["output"] == "waiting\n"


def test_the_address_is_in_the_environment_and_in_the_arguments(run: Commands) -> None:
    names = ("STREAMTAPE_URL", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "NO_PROXY")
    shows = python(f"body(); print(*map(os.getenv, {names}), *sys.argv[1:])", "{url}/x", "--", "-y")
    told = as_json(run, "--runs", "1", *UNHURRIED, command=shows)
    [first, second] = told["recorded"]
    words = first["output"].split()
    assert words[:3] == ["{url}", "{url}/v1", "{url}"]  # each run has a port of its own
    assert "127.0.0.1" in words[3]
    assert words[4:] == ["{url}/x", "--", "-y"]
    assert second["output"] == first["output"]


def test_a_file_is_compared_in_place_of_the_output(run: Commands) -> None:
    writes = """
        text = "".join(chunk.decode("utf-8", "replace") for chunk in chunks())
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            file.write(text)
        print(os.getpid())
    """
    for place in ("{dir}/out.txt", "out.txt"):
        ran = fuzzed(
            run, "--runs", "2", "--compare-file", place, *UNHURRIED, command=python(writes, place)
        )
        assert ran.status == 1
        assert "chunk-boundary/utf8-split" in ran.out
    assert f"--compare-file {place}" in ran.out


def test_a_file_that_a_run_does_not_write_is_missed(run: Commands) -> None:
    """One that is there from the run before is none of its own."""
    writes = python(
        """
        if len(list(chunks())) == 3:
            open("out.txt", "w").write("done")
        """
    )
    told = as_json(run, "--runs", "1", "--compare-file", "out.txt", *UNHURRIED, command=writes)
    [failure] = told["failures"]
    assert failure["got"]["output"] is None
    assert failure["diff"] == ["the file was written as recorded only"]


def test_no_bar_is_drawn_where_there_is_no_terminal(run: Commands) -> None:
    ran = fuzzed(run, "--runs", "2", *UNHURRIED, command=RIGHT)
    assert (ran.status, ran.err) == (0, "")
    assert "\x1b" not in ran.out


def test_on_a_terminal_a_bar_tells_how_far_it_is(
    run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    ran = fuzzed(run, "--runs", "3", *UNHURRIED, command=RIGHT)
    assert ran.lines[-1] == "3 runs: the same every time"
    assert "3/3" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")  # and the bar is gone


@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
def test_what_a_program_leaves_running_is_killed(run: Commands, tmp_path: Path) -> None:
    """A child that outlives it, and holds its output open."""
    leaves = python(
        f"""
        import subprocess
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        with open({str(tmp_path / "children")!r}, "a") as file:
            file.write(f"{{child.pid}}\\n")
        print(len(body()))
        """
    )
    ran = fuzzed(run, "--runs", "1", *UNHURRIED, command=leaves)
    assert ran.status == 0
    children = (tmp_path / "children").read_text().split()
    assert len(children) == 3
    for _ in range(1_000):  # a signal takes effect when it has been delivered
        if any(map(_is_running, children)):
            time.sleep(0.03)
    assert not any(map(_is_running, children))


def _is_running(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # killed, and not yet waited for by whoever adopted it


def test_ctrl_c_tells_what_was_done_so_far(tmp_path: Path) -> None:
    streamtape.save(tmp_path / "a.yaml", [named()])
    stuck = tmp_path / "stuck"
    command = python(
        f"""
        text = "".join(chunk.decode("utf-8", "replace") for chunk in chunks())
        print(text)
        with open({str(tmp_path / "runs")!r}, "a+") as file:
            file.write(".")
            if file.tell() > 9:
                open({str(stuck)!r}, "w").write(str(os.getpid()))
                import time
                time.sleep(600)
        """
    )
    options = ("--jobs", "1", "--timeout", "500", "--shrink-runs", "5")
    process = start("fuzz", "a.yaml", *options, "--", *command, folder=tmp_path)
    with process:
        while not (stuck.exists() and stuck.read_text()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert b"1  chunk-boundary/utf8-split: " in out
    assert b"Interrupted, so far " in out
    assert err == b""
    for _ in range(1_000):
        if _is_running(stuck.read_text()):
            time.sleep(0.03)
    assert not _is_running(stuck.read_text())


# ---- faults


TEXT_OF_A_CHAT = """
    import json
    said, whole = "", False
    try:
        for line in body().decode().splitlines():
            if line == "data: [DONE]":
                whole = True
            elif line.startswith("data: "):
                said += json.loads(line[6:])["choices"][0]["delta"]["content"]
    except Exception as error:
        if HONEST:
            sys.exit(f"error: {error!r}")
    if HONEST and not whole:
        sys.exit("error: the answer is cut off")
    print(said)
"""


def test_a_program_that_passes_off_a_part_as_the_whole_is_on_the_scorecard(run: Commands) -> None:
    quiet = python(TEXT_OF_A_CHAT.replace("HONEST", "False"))
    told = as_json(run, "--runs", "1", "--faults", "--timeout", "2", command=quiet, tape=chat())
    assert told["exit_status"] == 1
    card = told["scorecard"]
    assert card["fault/end_after"] == ["silent truncation"]
    assert card["fault/reset_after"] == ["silent truncation"]
    assert card["fault/read_timeout_after"] == ["hang"]
    assert "silent truncation" in card["fault/broken_json"]
    kinds = [failure["kind"] for failure in told["failures"]]
    assert "fault/end_after: silent truncation" in kinds
    assert len(set(kinds)) == len(kinds)


def test_an_honest_program_tells_of_what_broke(run: Commands) -> None:
    honest = python(TEXT_OF_A_CHAT.replace("HONEST", "True"))
    delivery = "Delivery(fault=faults.end_after(2))"
    ran = fuzzed(run, "--delivery", delivery, *UNHURRIED, command=honest, tape=chat())
    assert ran.status == 0
    quiet = python(TEXT_OF_A_CHAT.replace("HONEST", "False"))
    ran = fuzzed(run, "--delivery", delivery, *UNHURRIED, command=quiet, tape=chat())
    assert ran.status == 1
    assert "fault/end_after: silent truncation" in ran.out
