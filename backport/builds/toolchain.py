# SPDX-License-Identifier: GPL-2.0-or-later
"""What a build depends on besides its tree: its tools, by content, its environment, the files it names.

Of a build that was watched, what it ran and read outside of the tree is known and kept with its verdict
(`outside_state`).  Of any other this is what its command and environment say of it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shutil import which

from backport.builds.named_files import named_files
from backport.builds.outside_state import state, states_below
from backport.store.cache import digest

_USUAL = ("cc", "gcc", "c++", "g++", "clang", "cpp", "ld", "as", "ar", "nm", "objcopy", "ranlib")
_BESIDE = ("make", "ninja", "cmake", "sh")
_NAMED_BY = re.compile(
    r"(?:HOST)?(?:CC|CXX|LD|AS|AR|NM|CPP|OBJCOPY|MAKE|PYTHON|CARGO|RUSTC|HOSTCC)"
)
_INNER = ("cc1", "cc1plus", "collect2", "as", "ld")
"""What gcc runs, and where it is only gcc knows."""
_found: dict[tuple[str, str, str], tuple[str, ...]] = {}


def surroundings(
    command: str,
    folder: Path,
    variables: Mapping[str, str],
    writable: Sequence[str] = (),
    boxed: Sequence[str] = (),
) -> str:
    """A digest of what a build by ``command`` in ``folder`` depends on outside of its tree.

    ``boxed`` says which sandbox it runs in (`sandbox.boxed_as`).
    """
    parts = [command, *boxed, ""]
    parts += [f"{k}={v}" for k, v in sorted(variables.items())]
    for program in sorted(set(_programs(command, folder, variables))):
        parts += ["", program]
        parts += (f"{path} {was}" for path, was in (states_below(Path(program)) or {}).items())
    for path in named_files(command, folder, variables):
        if any(Path(x) == path or Path(x) in path.parents for x in writable):
            continue  # what the build itself writes to
        states = states_below(path)
        # A folder that is too big to be looked through: such a verdict is never found again.
        parts += ["", str(path)]
        parts += (
            [uuid.uuid4().hex]
            if states is None
            else [f"{x} {was}" for x, was in sorted(states.items())]
        )
    return digest(*parts)


def _programs(command: str, folder: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """The programs that it may run, by their paths."""
    path = variables.get("PATH", os.defpath)
    words = _words(command)
    settings = {**variables, **dict(x.split("=", 1) for x in words if "=" in x)}
    names = [*_USUAL, *_BESIDE]
    if prefix := settings.get("CROSS_COMPILE", ""):
        names += [prefix + name for name in _USUAL]
    for name, value in settings.items():
        if _NAMED_BY.fullmatch(name):
            names += value.split()
    names += (word for word in words if "=" not in word)
    for name in dict.fromkeys(names):
        if name.startswith("-") or not name:
            continue
        found = which(name, path=path)
        if found is None or folder in Path(found).parents or not found.startswith("/"):
            continue
        yield found
        if re.search(r"(cc|\+\+)[-\d.]*$", Path(found).name):
            yield from _inner(found, path)


def _words(command: str) -> list[str]:
    try:
        return shlex.split(re.sub(r"[;&|()<>{}]", " ", command))
    except ValueError:
        return command.split()


def _inner(compiler: str, path: str) -> tuple[str, ...]:
    """The programs that a gcc says it runs."""
    key = compiler, state(str(Path(compiler).resolve())), path
    if key not in _found:
        _found[key] = tuple(_ask(compiler, path))
    return _found[key]


def _ask(compiler: str, path: str) -> Iterator[str]:
    for name in _INNER:
        try:
            done = subprocess.run(
                [compiler, f"-print-prog-name={name}"],
                env={"PATH": path, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=10,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return
        where = done.stdout.strip()
        if where.startswith("/") and Path(where).exists():
            yield where
