# SPDX-License-Identifier: GPL-2.0-or-later
"""The type checker holds address spaces apart; at run time they are plain numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from emu.spaces import LinearAddr, LinkAddr, PhysAddr

PRELUDE = """
from emu.spaces import LinearAddr, LinkAddr, PhysAddr
linear, link, physical = LinearAddr(1), LinkAddr(2), PhysAddr(3)
def read(at: PhysAddr) -> None: ...
def walk(at: LinearAddr) -> PhysAddr: return PhysAddr(at)
"""
RIGHT = (
    "read(physical + 8 & -4096)",
    "read(walk(linear) | 7)",
    "walk(LinearAddr(link))",
    "walk(linear + (link - link))",
    "size: int = physical - physical",
)
WRONG = (
    "read(linear)",
    "read(4096)",
    "walk(link)",
    "walk(physical + 8)",
    "read(physical - physical)",
    "where: LinkAddr = linear",
)


def test_a_type_checker_refuses_one_space_for_another(tmp_path: Path) -> None:
    source = tmp_path / "uses.py"
    source.write_text(PRELUDE + "\n".join((*RIGHT, *WRONG)) + "\n")
    options = ("--strict", "--no-incremental", "--no-error-summary", "--hide-error-context")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(source)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    refused = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    first = PRELUDE.count("\n") + len(RIGHT) + 1
    assert refused == set(range(first, first + len(WRONG))), done.stdout


def test_they_cost_nothing() -> None:
    assert [type(space(1)) for space in (LinearAddr, LinkAddr, PhysAddr)] == [int] * 3
