"""How much memory recording takes at its peak, each recorder in a process of its own.

The peak is the operating system's, so that memory outside of Python's allocator counts too.
"""

from __future__ import annotations

import importlib
import resource
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.paired import Section, measured, section
from benchmarks.recorders import ABSENT, BARE, RECORDERS, pieces
from benchmarks.server import serving
from benchmarks.streams import EVENT_BYTES

if TYPE_CHECKING:
    from benchmarks.paired import Size

_STATUS = Path("/proc/self/status")


def memory(size: Size) -> Iterator[Section]:
    """The growth of the process from before the recording to its peak, less the bare client's."""
    body = size.events * EVENT_BYTES
    with serving() as server, TemporaryDirectory() as folder:

        def grown(name: str) -> float:
            result = subprocess.run(
                [sys.executable, "-m", "benchmarks.memory", name, server, str(size.events), folder],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            return int(result.stdout) / 1e6

        cases = {name: partial(grown, name) for name in RECORDERS}
        peaks = measured(cases, size.process_rounds)
    of_body = {
        name: [peak - bare for peak, bare in zip(each, peaks[BARE], strict=True)]
        for name, each in peaks.items()
        if name != BARE
    }
    base = f"the stream itself, {body / 1e6:.3g} MB"
    yield section(
        "memory at the peak of a recording, beyond the bare client's",
        "MB",
        {base: [body / 1e6] * size.process_rounds, **of_body},
        base,
        absent=ABSENT,
    )


def _peak() -> int:
    """The most memory, in bytes, that this process has had."""
    if _STATUS.exists():
        # Not ru_maxrss: on Linux a new process inherits that from the one that started it.
        (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _record(name: str, server: str, events: str, folder: str) -> None:
    module = importlib.import_module("httpx2")
    recorder = RECORDERS[name]
    peaks = []
    with recorder.client(module) as client:
        for count in ("1", events):  # the first one imports what recording needs
            path = Path(folder) / f"{name}-{count}.yaml"
            path.unlink(missing_ok=True)
            with (
                recorder.open(path, "all"),
                client.stream("GET", f"{server}?events={count}") as response,
            ):
                for _ in pieces(response):
                    pass
            peaks.append(_peak())
    print(peaks[-1] - peaks[0])


if __name__ == "__main__":
    _record(*sys.argv[1:])
