# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine that fails: command lines whose k-th durable call kills them, or is refused."""

from __future__ import annotations

import json
import mmap
import os
import re
import struct
import subprocess
import sys
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

ROOT = Path(__file__).parents[3]
_CONTROL = struct.Struct("@qqqq1024s1024s")


class Fault(IntEnum):
    """What befalls the call (failing.c)."""

    KILL = 0
    HALF = -1
    ORPHAN = -2
    ENOSPC = 28
    EIO = 5


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command line ended: its exit code, or minus the signal; what it said; its durable calls."""

    code: int
    said: str
    calls: int


class Machine:
    """Runs command lines in one process that is loaded once, each in a child."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        shim = folder / "failing.so"
        source = Path(__file__).with_name("failing.c")
        flags = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror")
        subprocess.run(["gcc", *flags, "-o", str(shim), str(source), "-ldl"], check=True)
        self.log = folder / "calls"
        self._control = folder / "control"
        self._control.write_bytes(bytes(mmap.PAGESIZE))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.backport.durable.runner"],
            cwd=ROOT,
            env=os.environ
            | {"LD_PRELOAD": str(shim), "DURABLE": str(self._control), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        repo: Path,
        *words: str,
        at: int = 0,
        fault: Fault = Fault.KILL,
        sticky: bool = False,
        log: bool = False,
    ) -> Ended:
        """Run ``backport`` on ``repo``; its ``at``-th durable call there meets ``fault`` (0: none does)."""
        named = str(self.log).encode() if log else b""
        setting = _CONTROL.pack(0, at, fault, sticky, str(repo).encode() + b"/", named)
        with self._control.open("r+b") as file:
            file.write(setting)
        verb, *rest = words
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([verb, "--repo", str(repo), *rest]) + "\n")
        self._process.stdin.flush()
        code, said = json.loads(self._process.stdout.readline())
        calls = struct.unpack_from("@q", self._control.read_bytes())[0]
        return Ended(code, said, calls)

    def kinds(self) -> list[str]:
        """What the calls of the last logged run were, one by one: the call and the place."""
        found = []
        for line in self.log.read_text().splitlines():
            _, what, path = line.split(" ", 2)
            place = Path(path)
            folder = "objects" if "/objects/" in path else place.parent.name
            name = "" if folder == "objects" else re.sub(r"\d+", "N", place.name)
            found.append(f"{what} {folder}/{name}")
        return found

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
