# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/tutorial.md, typed: each block of it gives what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"


def typed(page: str) -> Iterator[tuple[str, str]]:
    """Each command of the page, and what comes back."""
    for block in re.findall(r"```console\n(.*?)```", page, re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def pattern(output: str) -> str:
    """``...`` is anything: alone on a line any number of lines."""
    lines = (
        r"(?:.*\n)*" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
        for line in output.splitlines()
    )
    return "".join(lines)


def test_the_tutorial(tmp_path: Path) -> None:
    where = tmp_path
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "COLUMNS": "100"}
    count = 0
    for command, output in typed(PAGE.read_text()):
        count += 1
        if command.startswith("cd "):
            where = (where / command[3:]).resolve()
            continue
        done = subprocess.run(
            command, shell=True, cwd=where, env=env, capture_output=True, text=True, check=False
        )
        # What a person reads at a terminal: both streams, the steps before the summary.
        # On a busy machine a step takes so long that it is named while it is under way.
        said = re.sub(r"(?m)^  now .*\n", "", done.stderr + done.stdout)
        assert re.fullmatch(pattern(output), said), f"$ {command}\n{said}"
    assert count > 12


def test_a_page_that_says_something_else_is_noticed() -> None:
    assert re.fullmatch(pattern("a ... s\n...\nb\n"), "a 0.1 s\nx\ny\nb\n")
    assert not re.fullmatch(pattern("a ... s\nb\n"), "a 0.1 s\nx\nb\n")
