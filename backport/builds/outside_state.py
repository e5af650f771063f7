# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH115
# (some thousand files for each command of a build: os.path takes a tenth of the time)
"""The full state of a path outside of the tree, by content: type, mode, and what is in it.

Compilers, headers, files that a command names: a verdict, and a recording, hold for as long as all of
them are as they were.  What a file holds is read again only when its signature is another.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

ABSENT = ""
LISTING = "/*"
"""Put behind a folder's path, it stands for the names in that folder, each with its kind."""
DATE = "/:date"
"""Put behind a file's path, it stands for its owner, the date when it was written, and how many names it has;
behind a folder's, for its owner."""
_KERNEL = ("/proc/", "/sys/")
"""Files without a size and with no date of their own: their texts are read each time."""
_LONGEST = 1 << 16
_MOST = 4096
"""Entries of a folder that is an input as a whole."""
_known: dict[str, tuple[tuple[int, ...], str]] = {}


def state(path: str) -> str:
    """What is there, without following a last link; `ABSENT` where nothing is."""
    if path.endswith(LISTING):
        return _listing(Path(path.removesuffix(LISTING)))
    if path.endswith(DATE):
        return _date(path.removesuffix(DATE))
    try:
        st = os.lstat(path)
    except OSError:
        return ABSENT
    mode = st.st_mode
    if not stat.S_ISREG(mode):
        if stat.S_ISDIR(mode):
            return " ".join(
                [f"{mode:o} ", *(f"{name}={value!r}" for name, value in attributes(path))]
            )
        return f"{mode:o} {_target(path) if stat.S_ISLNK(mode) else ''}"
    if path.startswith(_KERNEL):
        return f"{mode:o} {_text(path)}"
    seen = st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino, st.st_dev, mode
    if path not in _known or _known[path][0] != seen:
        _known[path] = seen, f"{mode:o} {_digest(path)}"
    return _known[path][1]


def changed(states: Mapping[str, str]) -> str:
    """The first path that is no longer as it was; "" where all are."""
    return next((path for path, was in states.items() if state(path) != was), "")


def states_below(path: Path) -> dict[str, str] | None:
    """Of a file, or of all that is in a folder; with the links that lead there.  None for a folder that is
    too big to be looked through."""
    found: dict[str, str] = {}
    for place in _chain(path):
        found[place] = state(place)
    if path.is_dir():
        for below in path.rglob("*"):
            found[str(below)] = state(str(below))
            if len(found) > _MOST:
                return None
    return found


def _chain(path: Path) -> Iterator[str]:
    """A path, and what it leads to link by link."""
    for _ in range(40):
        yield str(path)
        target = _target(str(path))
        if not target:
            return
        path = path.parent / target


def _target(path: str) -> str:
    """Where a link leads; "" where there is none, or none any more."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _listing(folder: Path) -> str:
    try:
        with os.scandir(folder) as entries:
            names = sorted(f"{entry.name}{_kind(entry)}" for entry in entries)
    except OSError:
        return ABSENT
    text = "\0".join(names).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()


def _kind(entry: os.DirEntry[str]) -> str:
    """What readdir(3) tells besides the name."""
    return "@" if entry.is_symlink() else "/" if entry.is_dir() else "" if entry.is_file() else "?"


def _date(path: str) -> str:
    try:
        st = os.lstat(path)
    except OSError:
        return ABSENT
    of = f"{st.st_uid}:{st.st_gid}"
    return of if stat.S_ISDIR(st.st_mode) else f"{of} {st.st_mtime_ns} {st.st_nlink}"


def _text(path: str) -> str:
    """What one of the kernel's files says, by its digest."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return "unreadable"
    try:
        return hashlib.sha256(os.read(file, _LONGEST)).hexdigest()
    except OSError:
        return "unreadable"
    finally:
        os.close(file)


def _digest(path: str) -> str:
    """Of a file's content and its extended attributes (xattr(7))."""
    try:
        with Path(path).open("rb") as file:
            text = hashlib.file_digest(file, "sha256")
    except OSError:
        return "unreadable"
    for name, value in attributes(path):
        text.update(os.fsencode(name) + b"\0" + value + b"\0")
    return text.hexdigest()


def attributes(path: str) -> Iterator[tuple[str, bytes]]:
    """The extended attributes of a file, where its file system has them."""
    try:
        for name in sorted(os.listxattr(path)):
            yield name, os.getxattr(path, name)
    except OSError:
        return
