# SPDX-License-Identifier: GPL-2.0-or-later
"""Real objects from a real compiler, each source compiled once a session."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

FLAGS = (
    *("-O1", "-g", "-ffreestanding", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"),
    *("-mno-red-zone", "-mgeneral-regs-only", "-fcf-protection=none", "-fpic", "-Wall", "-Werror"),
)


CLANG = next(
    filter(shutil.which, ("clang", *(f"clang-{version}" for version in range(30, 10, -1)))), "clang"
)
"""Some distributions have it under the name of its version alone."""
_CLANG = pytest.mark.skipif(shutil.which(CLANG) is None, reason="clang is not installed")
COMPILERS = ("gcc", pytest.param(CLANG, marks=_CLANG))
"""For tests of what compilers do differently."""
SLOWLY = ("gcc", pytest.param(CLANG, marks=(_CLANG, pytest.mark.torture)))
"""The same, for whole trees."""


@cache
def compile_source(
    source: str, suffix: str = ".c", flags: tuple[str, ...] = FLAGS, compiler: str = "gcc"
) -> bytes:
    """The object file that the compiler makes of ``source``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"core{suffix}"
        path.write_text(source)
        command = [compiler, *flags, "-c", path.name, "-o", "core.o"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return (path.parent / "core.o").read_bytes()


def assemble(source: str) -> bytes:
    """The object file that the assembler makes of ``source``."""
    return compile_source(source, ".s", ())
