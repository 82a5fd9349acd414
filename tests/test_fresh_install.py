"""What a new user has: Python, streamtape and what comes with it, but none of the group `test`.

The pages' own tests run where everything is installed, so an example that imports what nobody told
the reader to install passes there.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[1]
METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = METADATA["name"]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]

# A marker needs its plugin, which no example imports.
PLUGINS = {"asyncio": "pytest_asyncio", "vcr": "pytest_recording"}

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\w+)\.py\n")
_INSTALL = re.compile(r"pip install ([^`\n]+)")
_MARKER = re.compile(r"pytest\.mark\.(\w+)")

HIDING = """\
import sys


class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Hidden())
"""


def requirements_of(wanted: Requirement) -> Iterator[Requirement]:
    """What *wanted* asks for here. Of the project itself pyproject.toml tells.

    An editable install keeps the metadata of the day on which it was made.
    """
    if canonicalize_name(wanted.name) == NAME:
        stated = METADATA["dependencies"]
        for extra in wanted.extras:
            stated = [*stated, *METADATA["optional-dependencies"][extra]]
    else:
        try:
            stated = requires(wanted.name) or []
        except PackageNotFoundError:
            return
    for text in stated:
        requirement = Requirement(text)
        extras = wanted.extras or {""}
        if not requirement.marker or any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras
        ):
            yield requirement


def closure(wanted: Iterable[Requirement]) -> set[str]:
    """The names of all distributions that installing *wanted* brings."""
    waiting, seen = list(wanted), set[str]()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) not in seen:
            seen.add(str(requirement))
            waiting.extend(requirements_of(requirement))
    return {canonicalize_name(Requirement(text).name) for text in seen}


@cache
def installed() -> Mapping[str, list[str]]:
    """The distributions of each top-level module that is installed."""
    return packages_distributions()


def modules_of(distributions: set[str]) -> set[str]:
    """The top-level modules of *distributions*; one not installed has one of its own name."""
    provided = {
        module
        for module, owners in installed().items()
        if distributions.intersection(map(canonicalize_name, owners))
    }
    return provided | {name.replace("-", "_") for name in distributions}


def told(text: str) -> Iterator[Requirement]:
    """What *text* tells the reader to install."""
    yield Requirement(NAME)
    for command in _INSTALL.finditer(text):
        for word in command[1].replace('"', "").replace("'", "").split():
            try:
                yield Requirement(NAME + word[1:] if word.startswith(".") else word)
            except InvalidRequirement:  # an option, or a word of the sentence
                continue


def imported(source: str) -> set[str]:
    """The top-level modules that a block imports or whose markers it uses."""
    found = {PLUGINS[name] for name in _MARKER.findall(source) if name in PLUGINS}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def missing(page: str) -> set[str]:
    """What the page's blocks import that nothing above them says how to get."""
    lacking, own = set[str](), {"streamtape"}
    for block in _BLOCK.finditer(page):
        if named := _FILE.match(block[1]):
            own.add(named[1])
        if unknown := imported(block[1]) - sys.stdlib_module_names - own:
            lacking |= unknown - modules_of(closure(told(page[: block.start()])))
    return lacking


def run_fresh(source: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run *source* in a Python that finds no distribution but those streamtape brings."""
    here = modules_of(closure([Requirement(NAME)]))
    # Where coverage is measured, it is in every process.
    hidden = set(installed()) - here - {"streamtape", "coverage"}
    program = folder / "program.py"
    program.write_text(HIDING.format(hidden=hidden) + source, encoding="utf-8")
    return subprocess.run(
        [sys.executable, program], cwd=folder, check=False, capture_output=True, text=True
    )


@pytest.mark.parametrize("name", ["README.md", "docs/how-to/secrets.md"])
def test_the_blocks_of_a_page_run_with_what_streamtape_brings(name: str, tmp_path: Path) -> None:
    page = (PROJECT / name).read_text(encoding="utf-8")
    blocks = [block for block in _BLOCK.findall(page) if not _FILE.match(block)]
    result = run_fresh("\n".join([*blocks, "print('through')"]), tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("through\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_a_page_says_what_its_examples_need(page: Path) -> None:
    assert missing(page.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("module", ["httpx", "openai", "requests"])
def test_the_group_test_is_hidden(module: str, tmp_path: Path) -> None:
    """The tests above would pass for ever if nothing were hidden."""
    assert not run_fresh("import httpx2, pytest, streamtape, vcr", tmp_path).returncode
    result = run_fresh(f"import {module}", tmp_path)
    assert f"ModuleNotFoundError: No module named '{module}'" in result.stderr


def test_what_a_page_does_not_mention_is_missed() -> None:
    block = (
        "```python\n# test_it.py\nimport json, vcr\nimport openai\n\n"
        "@pytest.mark.asyncio\nasync def test_it(): ...\n```\n"
    )
    assert missing(block) == {"openai", "pytest_asyncio"}
    assert missing(f"`pip install openai`\n\n{block}") == {"pytest_asyncio"}
    assert missing(f"{block}\n`pip install openai pytest-asyncio`\n") == {
        "openai",
        "pytest_asyncio",
    }
    assert missing(f"`pip install openai pytest-asyncio`\n\n{block}") == set()


def test_what_a_package_brings_counts_too() -> None:
    block = "```python\nimport openai, pydantic\n```\n"
    assert missing(block) == {"openai", "pydantic"}
    assert missing(f"`pip install openai`\n{block}") == set()
    terminal = "```python\nimport pyte\n```\n"
    assert missing(terminal) == {"pyte"}
    assert missing(f"$ pip install '.[terminal]'\n{terminal}") == set()
