# SPDX-License-Identifier: GPL-2.0-or-later
"""Imports run one way: backport -> {series, emu}; and heavy libraries stay where they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "series": {"backport", "emu", "git", "pygit2", "subprocess", "unicorn"},
    "emu": {"backport", "series", "git", "pygit2", "subprocess"},
    "backport": {"unicorn"},
}


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_run_one_way(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert not imported(path) & FORBIDDEN[package], path


def test_unicorn_is_imported_in_one_file() -> None:
    users = [path.name for path in (ROOT / "emu").rglob("*.py") if "unicorn" in imported(path)]
    assert users == ["cpu.py"]


def test_help_loads_nothing_heavy() -> None:
    heavy = ("pygit2", "git", "networkx", "unicorn", "elftools", "capstone", "unidiff")
    code = "import sys, backport.cli; print(sorted(set(sys.modules) & set(sys.argv[1:])))"
    done = subprocess.run(
        [sys.executable, "-c", code, *heavy], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_file_says_its_licence() -> None:
    for folder in ("backport", "emu", "series", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            assert path.read_text().startswith("# SPDX-License-Identifier: GPL-2.0-or-later"), path
