"""What tests share: the tool to compare with, and a place for pages."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


class Tool:
    """The command trip99."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.path, *arguments], capture_output=True, text=True, timeout=120, check=False)

    def json(self, *arguments: str) -> list[Any]:
        """What it prints, an object a line."""
        done = self.run(*arguments, "--format", "json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def error(self, *arguments: str) -> str:
        """Its error, in Python's words."""
        done = self.run(*arguments)
        assert done.returncode != 0, done.stdout
        [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        return in_python(line.removeprefix("error: "))


def in_python(text: str) -> str:
    """A text of the tool with the names that Python has for its options."""
    text = text.replace("or --sort", "or sort=True")
    return re.sub(r"--([a-z][a-z-]*)", lambda option: option[1].replace("-", "_"), text)


@pytest.fixture(scope="session")
def tool() -> Tool:
    path = Path(os.environ.get("TRIP99_TOOL", REPOSITORY / "target/debug/trip99"))
    assert path.exists(), f"there is no tool {path}; cargo build -p trip99-cli makes it, or set TRIP99_TOOL"
    return Tool(path)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in memory where pages are, with one beside it where halts outlive memory."""
    folder = Path(tempfile.mkdtemp(prefix="trip99-python-", dir="/dev/shm"))
    (folder / "pages").mkdir(mode=0o700)
    (folder / "state").mkdir(mode=0o700)
    monkeypatch.setenv("TRIP99_DIR", str(folder / "pages"))
    monkeypatch.setenv("TRIP99_STATE_DIR", str(folder / "state"))
    yield folder
    shutil.rmtree(folder)


class Script:
    """A Python program in a process of its own, which tells and hears lines."""

    def __init__(self, text: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self) -> int:
        try:
            self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode


@pytest.fixture
def script() -> Iterator[Any]:
    running: list[Script] = []

    def start(text: str) -> Script:
        running.append(Script(text))
        return running[-1]

    yield start
    for each in running:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()


def raised(error: type[Exception], act: Any, *arguments: Any, **keywords: Any) -> str:
    """The text of what a call raises."""
    with pytest.raises(error) as caught:
        act(*arguments, **keywords)
    assert type(caught.value) is error, caught.value
    return str(caught.value)


def without_place(text: Optional[str]) -> str:
    """An error without the row, or the file and the line, that it names first."""
    return re.sub(r"^(row \d+( \(index \d+\))?|\S+: line \d+): ", "", text or "")
