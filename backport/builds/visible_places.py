# SPDX-License-Identifier: GPL-2.0-or-later
"""What stays in sight of a build although it lies where everything else is hidden.

A compiler in ~/.local/bin, a toolchain in /tmp, a compiler cache in ~/.cache: without these a build
fails for a reason that is not the patch's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from backport.builds.hidden_places import OWN, is_below

_PROGRAMS = frozenset({"bin", "sbin", "shims"})
"""Names of folders whose programs need what lies beside the folder (lib, share, versions, ...)."""
_PARTS = ("bin", "lib", "lib64", "libexec", "include", "share/pipx")
"""Of ~/.local, what programs need: its share/ has keyrings, too."""
_CACHES = {"CCACHE_DIR": (".cache/ccache", ".ccache"), "SCCACHE_DIR": (".cache/sccache",)}
_CACHE_SETTINGS = (".config/ccache",)
_TOOLS = {
    "RUSTUP_HOME": (".rustup",),
    "ASDF_DATA_DIR": (".asdf",),
    "MISE_DATA_DIR": (".local/share/mise",),
    "PYTHONUSERBASE": (".local/lib",),
}
"""Where programs of PATH look for what they run, or load, by a rule of their own."""
_MOST_LINKS = 4096
_HOMES = Path("/home")
_TOO_WIDE = (*map(Path, OWN), Path("/root"))
"""Never shown as a whole for the sake of a bin/ in it; nor is a home."""


def visible_places(
    named: Sequence[str], variables: Mapping[str, str], covered: Sequence[Path]
) -> tuple[Path, ...]:
    """What to lay over ``covered`` again, shortest path first; each exists."""
    found: dict[Path, None] = {}
    for path in map(Path, named):
        found[path] = None
        if path.is_file():
            found |= dict.fromkeys(_program(path, covered))
    for folder in variables.get("PATH", "").split(os.pathsep):
        if folder.startswith("/"):
            found |= dict.fromkeys(_programs(Path(folder), covered))
    home = variables.get("HOME", "")
    for variable, places in (_CACHES | _TOOLS).items():
        if value := variables.get(variable):
            found[Path(value)] = None
        if home.startswith("/"):
            found |= dict.fromkeys(Path(home, place) for place in places)
    if home.startswith("/"):
        found |= dict.fromkeys(Path(home, place) for place in _CACHE_SETTINGS)
    seen = {Path(os.path.normpath(path)) for path in found}
    wanted = (path for path in seen if is_below(path, covered))
    return tuple(sorted((p for p in wanted if p.exists()), key=lambda p: (len(p.parts), p)))


def _programs(folder: Path, covered: Sequence[Path]) -> Iterator[Path]:
    """A folder of PATH, and what its programs need."""
    if is_below(folder, covered):
        yield folder
        yield from _around(folder)
    # ~/.local/bin/meson -> ~/.local/share/pipx/venvs/meson/bin/meson
    try:
        links = [entry.path for entry in os.scandir(folder) if entry.is_symlink()]
    except OSError:
        return
    for link in links[:_MOST_LINKS]:
        if Path(link).resolve().parent != folder:
            yield from _program(Path(link), covered)


def _program(path: Path, covered: Sequence[Path]) -> Iterator[Path]:
    """What a program leads to by its links, and what lies around it."""
    target = path.resolve()
    for one in dict.fromkeys((path, target)):
        if is_below(one, covered):
            yield one
            yield from _around(one.parent)


def _around(folder: Path) -> Iterable[Path]:
    if folder.name not in _PROGRAMS or folder.parent in _TOO_WIDE or folder.parents[1] == _HOMES:
        return ()
    if folder.parent.name == ".local":
        return [folder.parent / part for part in _PARTS]
    return [folder.parent]
