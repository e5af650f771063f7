# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a change can reach the core's object file, or a build at all.

A hook asks this at every commit, and mostly that is all it asks: nothing heavy is imported here.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Protocol

PATCHES = (b".patch", b".diff", b".mbox", b".eml")
SOURCES = (b".h", b".c", b".S", b".inc")
_INCLUDE = re.compile(rb'#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"]')
"""Anywhere in a line, a comment too: bound to the line's beginning it takes nine times as long."""
_MAKER = re.compile(rb"(^|/)(Makefile|Kbuild|Rules)[^/]*$|\.(mk|py|sh|pl|awk)$")
"""Makefiles and scripts: what they name goes into generated headers, which no tree has."""
_FORCED = re.compile(rb"-include[ \t]+(?:\$\([^)\n]*\)/)?([\w./+-]+)")
"""A header that a makefile puts before every file (gcc's ``-include``)."""
_NO_PART = re.compile(
    rb"(^|/)(docs?|Documentation|LICENSES)/|(^|/)(README|COPYING|CHANGELOG|MAINTAINERS|CREDITS)[^/]*$"
    rb"|(?<!CMakeLists)\.txt$|\.(md|rst|pandoc|patch|diff|mbox|eml)$|(^|/)(series|\.git[a-z]+)$"
)
_DOCUMENT = re.compile(
    rb"\.(md|rst|pandoc)$|(^|/)(README|COPYING|MAINTAINERS|CREDITS)(\.[a-z]+)?$|(^|/)\.gitignore$"
)
_CODE = re.compile(rb"\.(c|h|S|s|inc)$")
_GENERATOR = re.compile(rb"offset|(^|/)(tools|scripts)/")
_MOST_INCLUDES = 4000


class Files(Protocol):
    """A tree, or what is staged."""

    def paths(self) -> Iterable[bytes]:
        """The paths of all files."""

    def read(self, path: bytes) -> bytes | None:
        """The content; None where there is no such file."""


def is_patch(path: bytes) -> bool:
    """A patch, or the list of a quilt series: it is looked at for its own sake."""
    return path.endswith(PATCHES) or posixpath.basename(path) == b"series"


def series_near(changed: Iterable[bytes]) -> set[bytes]:
    """Paths of the series files that could list one of these paths: one in each folder above it."""
    found: set[bytes] = set()
    for path in changed:
        folder = posixpath.dirname(path)
        while (near := posixpath.join(folder, b"series")) not in found:
            found.add(near)
            folder = posixpath.dirname(folder)
    return found


def documents_alone(changed: Iterable[bytes]) -> bool:
    """Whether no path can change what a build makes: less is a document here than for a core alone."""
    return all(map(_DOCUMENT.search, changed))


def reaches_core(files: Files, core: bytes, changed: Iterable[bytes]) -> list[bytes]:
    """The changed paths that the core's object file can depend on.

    C and assembly count where the core includes them, or where they look like the source of a
    generated header; documents do not; everything else (makefiles, lists, scripts) may, and does.
    """
    touched = {path for path in changed if not _NO_PART.search(path)}
    code = {path for path in touched if _CODE.search(path) and not _GENERATOR.search(path)}
    # What is not code reaches it in any case: then nothing need be read.
    return sorted(touched - code) or sorted(code & _closure(files, core) if code else ())


def _closure(files: Files, core: bytes) -> set[bytes]:
    """The core and all it includes, by base name: a header counts wherever it lies in the tree.

    Include paths are the build's business; a suffix match reads a little too much, never too little.  So does
    whoever finds more than can be read: all code then counts.
    """
    by_name: dict[bytes, list[bytes]] = {}
    makers: list[bytes] = []
    for path in files.paths():
        if path.endswith(SOURCES):
            by_name.setdefault(posixpath.basename(path), []).append(path)
        elif _MAKER.search(path):
            makers.append(path)
    closure = {core}
    waiting = [core, *makers]
    while waiting:
        if len(closure) > _MOST_INCLUDES:
            return {path for paths in by_name.values() for path in paths}
        at = waiting.pop()
        text = files.read(at) or b""
        forced = _FORCED.findall(text) if not at.endswith(SOURCES) else ()
        for name in (*_INCLUDE.findall(text), *forced):
            clean = posixpath.normpath(name).lstrip(b"./")
            tail = b"/" + clean.split(b"/", 1)[-1] if clean.startswith(b"asm/") else b"/" + clean
            for path in by_name.get(posixpath.basename(clean), ()):
                if path not in closure and (b"/" + path).endswith(tail):
                    closure.add(path)
                    waiting.append(path)
    return closure
