# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the package data: the release's files, the patches, and the variants of the series."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

VARIANTS = (
    "build-break",
    "bug-wrong-port",
    "bug-guest-pointer",
    "bug-leak-port",
    "bug-leak-lock",
    "bug-compat-truncated",
    "bug-uninit",
)
"""The series with something wrong in it; each is a folder in ``variants/`` and a mailbox."""


def _data() -> Traversable:
    return files(__package__)


def release_files() -> Iterator[tuple[str, bytes]]:
    """Path and content of every file of the release, sorted by path."""

    def walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
        for entry in folder.iterdir():
            path = prefix + entry.name.replace("dot-", ".", 1)
            if entry.is_dir():
                yield from walk(entry, path + "/")
            else:
                yield path, entry.read_bytes()

    yield from sorted(walk(_data() / "tree", ""))


def patches(folder: str) -> dict[str, bytes]:
    """The patches of ``folder`` by their four-digit number, in order."""
    entries = sorted(_patch_files(_data() / folder), key=lambda entry: entry.name)
    return {entry.name[:4]: entry.read_bytes() for entry in entries}


def variant(name: str) -> dict[str, bytes]:
    """The posted series with the variant's patches in place of the good ones."""
    folder = _data() / "variants" / name
    series = patches("posted") | patches(f"variants/{name}")
    for fixup in (folder / "later.txt").read_bytes().splitlines():
        number, line, text = fixup.split(b":", 2)
        lines = series[number.decode()].split(b"\n")
        lines[int(line) - 1] = text
        series[number.decode()] = b"\n".join(lines)
    return series


def _patch_files(folder: Traversable) -> Iterator[Traversable]:
    return (entry for entry in folder.iterdir() if entry.name.endswith(".patch"))
