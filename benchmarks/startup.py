"""What each plugin adds to the start of pytest."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.paired import Section, measured, section
from benchmarks.recorders import installed

if TYPE_CHECKING:
    from benchmarks.paired import Size

NONE = "pytest alone"
RECORDING = "pytest-recording"
STREAMTAPE = "streamtape"
PLUGINS = {
    STREAMTAPE: "streamtape.pytest_plugin",
    RECORDING: "pytest_recording.plugin",
    "cassetter": "cassetter.pytest_plugin",
}
GOAL = 1.0

_IMPORT = """\
import pytest, time
before = time.process_time_ns()
import {module}
print(time.process_time_ns() - before)
"""


def startup(size: Size) -> Iterator[Section]:
    """CPU of pytest with one plugin at a time, on a file with one test that needs none of them."""
    present = {name: module for name, module in PLUGINS.items() if installed(module.split(".")[0])}
    absent = [name for name in PLUGINS if name not in present]
    with TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        cases = {NONE: partial(_pytest, folder, None)}
        cases |= {name: partial(_pytest, folder, module) for name, module in present.items()}
        runs = measured(cases, size.process_rounds)
        imports = {name: partial(_import, folder, module) for name, module in present.items()}
        times = measured(imports, size.process_rounds)
    base, goals = (RECORDING, {STREAMTAPE: GOAL}) if RECORDING in present else (NONE, {})
    added = {
        name: statistics.median(
            with_it - without for with_it, without in zip(each, runs[NONE], strict=True)
        )
        for name, each in runs.items()
        if name != NONE
    }
    yield section(
        "start of pytest, one plugin at a time",
        "ms CPU",
        runs,
        base,
        absent=absent,
        notes={name: f"{figure:+.1f} ms" for name, figure in added.items()},
        goals=goals,
    )
    yield section(
        "import of the plugin, pytest being there",
        "ms CPU",
        times,
        base,
        absent=absent,
        goals=goals,
    )


def _environment(folder: str) -> dict[str, str]:
    """One plugin at a time; and all bytecode kept, the plugins' as pytest rewrites it too.

    Else a plugin that pip has compiled would be compared with one that is compiled in each run.
    """
    environment = {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
        "PYTHONPYCACHEPREFIX": str(Path(folder, "bytecode")),
    }
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTEST_PLUGINS"):
        environment.pop(name, None)
    return environment


def _pytest(folder: str, plugin: str | None) -> float:
    """Milliseconds of CPU, user and system, of one run."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    if plugin is not None:
        command += ["-p", plugin]
    process = subprocess.Popen(
        command, cwd=folder, env=_environment(folder), stdout=subprocess.DEVNULL
    )
    # Not subprocess's own wait: this one tells what exactly this process used.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"pytest ended with exit code {process.returncode}: {command}")
    return 1e3 * (usage.ru_utime + usage.ru_stime)


def _import(folder: str, module: str) -> float:
    result = subprocess.run(
        [sys.executable, "-c", _IMPORT.format(module=module)],
        cwd=folder,
        env=_environment(folder),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return int(result.stdout) / 1e6
