"""docs/python.md: each block runs as it stands, in order, in one namespace, and prints what the page says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY

PAGE = REPOSITORY / "docs/python.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def test_the_page_runs(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "traces").symlink_to(REPOSITORY / "traces")
    text = PAGE.read_text()
    names: dict[str, Any] = {"__name__": "__main__"}
    ran = 0
    for block in BLOCK.finditer(text):
        language, code, output = block.groups()
        if language != "python":
            assert language == "console", f"{language}: no block of the page goes untested"
            continue
        line = text.count("\n", 0, block.start(2))
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * line + code, str(PAGE), "exec"), names)
        # Lines end without spaces in the page.
        told = "".join(each.rstrip() + "\n" for each in printed.getvalue().splitlines())
        assert told == (output or ""), f"line {line}"
        ran += 1
    assert ran >= 8


def test_versions_are_one() -> None:
    version = re.search(r'^version = "(.*)"', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)
    mine = re.search(r'^version = "(.*)"', (REPOSITORY / "python/Cargo.toml").read_text(), re.MULTILINE)
    import trip99

    assert version is not None and mine is not None and version[1] == mine[1] == trip99.__version__
