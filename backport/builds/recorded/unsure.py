# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH118, PTH119, PTH120
# (paths by the hundred thousand: os.path takes a tenth of the time)
"""Why a command may not be run on its own: each reason is a way in which a run now could differ from its
run in a clean build."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Collection, Sequence

from backport.builds.recorded.outside_paths import Event
from backport.builds.recorded.recording import Touched
from backport.builds.recorded.units import SHELLS, Unit, image_at
from backport.builds.recorded.watch import Image, Process

_WRITES = "WANUMK"
_GLOB = re.compile(r"[^\s;&|()<>]*\*[^\s;&|()<>]*")
_SOMETHING = "\0"
_JOINED = re.compile(r"\\\n")
_SOME_TEXT = re.compile(
    r"""'[^']*'|"[^"$`\\]*"|\\\S|\[[!^]?\]?(?:\[[:.=]\w+[:.=]\]|[^\]\s])*\]|\{[^{}\s/]*\}|\?(?!\()"""
)
"""In a shell's words, what stands for some text, which may be a part of a pattern: quotes, classes of
characters, braces."""
_NOT_PLAIN = re.compile(
    r"""[$`\\'"]|[{\[](?!\s)|[?*+@!\0]\(|(?:^|[\s;&|({])(?:\.|source|eval|alias|set|shopt|trap|command|builtin)\s"""
)
"""What may make other patterns of the words, or take others from elsewhere."""
_WORDS_OF_A_RECIPE = 3
"""``sh -c WORDS``."""
_PARENTS = re.compile(r"-[a-zA-Z]*p|--parents")
_FOLDERS = re.compile(r"-[a-zA-Z]*d|--directory")


class Written:
    """When the paths of a build were written, and by which group (drivers: -1)."""

    def __init__(
        self,
        groups: Sequence[Sequence[Unit]],
        drivers: Sequence[Event],
        makes: Collection[int],
        root: str,
        altered: Collection[str],
    ) -> None:
        """``makes``: the numbers of what makes did, who ask only whether a path is there, and how old."""
        self._altered = altered
        self.first: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self.ended: dict[str, int] = {}
        """When who wrote a path had ended."""
        self.by: dict[str, int] = {}
        self._in: dict[str, list[str]] = {}
        for number, kind, path in drivers:
            if kind in _WRITES:
                self._note(-1, number, path, number)
        for n, group in enumerate(groups):
            for unit in group:
                for number, kind, path in unit.events:
                    if kind in _WRITES:
                        self._note(n, number, path, unit.ended)
        self._looked: dict[str, list[int]] = {}
        """When drivers looked at what a path holds."""
        for number, kind, path in drivers:
            if kind in "RSPA" and path in self.first and not (kind == "S" and number in makes):
                self._looked.setdefault(path, []).append(number)
        self.there = {path for path in self.first if os.path.lexists(os.path.join(root, path))}

    def _note(self, n: int, number: int, path: str, ended: int) -> None:
        if path not in self.first:
            self._in.setdefault(os.path.dirname(path), []).append(path)
        self.first[path] = min(self.first.get(path, number), number)
        self.last[path] = max(self.last.get(path, number), number)
        self.ended[path] = max(self.ended.get(path, 0), ended)
        self.by[path] = n

    def is_altered(self, path: str) -> bool:
        """Whether it is a file of the tree, which was there before it was written."""
        return path in self._altered

    def is_settled(self, path: str, number: int) -> bool:
        """Whether it was a file of the tree and had been removed: no command that does so runs again."""
        return path in self._altered and 0 < self.ended[path] < number

    def looked_at_before_its_end(self, path: str) -> bool:
        """Whether a driver looked at what a path holds between two times that it was written."""
        looks = self._looked.get(path, ())
        return any(self.first[path] < number < self.last[path] for number in looks)

    def others(self, folder: str, n: int) -> list[str]:
        """What other groups wrote in a folder."""
        return [path for path in self._in.get(folder, ()) if self.by[path] != n]


def unsure_because(
    n: int,
    group: Sequence[Unit],
    events: Sequence[Event],
    touched: Touched,
    writes: set[str],
    driver_writes: frozenset[str],
    written: Written,
    unmade: Collection[str],
) -> str:
    """Why a command may not be run on its own, or "".  ``unmade``: `fresh_folders` and `hidden_outputs`."""
    if any(unit.status is None for unit in group):
        return "its end was not recorded"
    if touched.reads & writes:
        return f"it changes {min(touched.reads & writes)} in place"
    if writes & driver_writes:
        return f"a make or shell writes {min(writes & driver_writes)} too"
    if again := next(filter(written.looked_at_before_its_end, sorted(writes)), ""):
        return f"a make or shell looks at {again}, which is written again later"
    folders = {path for _, kind, path in events if kind == "M"}
    if removed := next((p for _, kind, p in events if kind == "K" and p not in folders), ""):
        return f"it removes the folder {removed}"
    for number, kind, path in events:
        if path in writes or path in folders or path in unmade or written.by.get(path, n) == n:
            continue
        if kind in "RSPE" and written.first[path] > number:
            return f"it looked for {path} before that was made"
        if kind in "RSPE" and path not in written.there and not written.is_settled(path, number):
            return f"it looked for {path}, which another command removes"
        if kind == "R" and not 0 < written.ended[path] < number:
            return f"it read {path} while that was being made"
    for number, kind, folder in events:
        if kind != "D":
            continue
        for path in shown_names(group, folder, written.others(folder, n)):
            end = written.first[path] if path in written.there else written.last[path]
            if end > number and path not in unmade:
                return f"it listed {folder or '.'} before {path} was made"
    return ""


def hidden_outputs(
    n: int, group: Sequence[Unit], events: Sequence[Event], written: Written
) -> frozenset[str]:
    """What others made after this command had looked for it, or at the folder that it lies in, and that is
    there at the next run."""
    looks: dict[str, list[tuple[int, str]]] = {}
    for number, kind, path in events:
        if kind in "RSPEA" and written.by.get(path, n) != n and path in written.there:
            looks.setdefault(path, []).append((number, kind))
    by = {
        number: process
        for unit in group
        for process in unit.processes
        for number, kind, _ in process.events
        if kind == "D"
    }
    for number, kind, folder in events:
        if kind == "D":
            # When it has all names is not in the log: at the latest when it ends.
            end = by[number].ended if number in by else 0
            for path in shown_names(group, folder, written.others(folder, n)):
                if path in written.there:
                    seen_as = "E" if end and not written.is_altered(path) else kind
                    looks.setdefault(path, []).append((end, seen_as))
    return frozenset(
        path
        for path, seen in looks.items()
        if all(kind == "E" and number < written.first[path] for number, kind in seen)
    )


def lies_in_submodule(path: str, tracked: Collection[str]) -> bool:
    """Whether a path may be a submodule's file, which was there before it was written."""
    while path := os.path.dirname(path):
        if path in tracked:
            return True
    return False


def fresh_folders(group: Sequence[Unit], there: Collection[str]) -> frozenset[str]:
    """Folders that are there at the next run and were not at this one: which units made, or would have made
    if another had not come first; but for those that a program made which takes one that is there."""
    found: set[str] = set()
    for unit in group:
        if not any(kind in "Mm" for _, kind, _ in unit.events):
            continue
        by = {
            number: process
            for process in unit.processes
            for number, kind, _ in process.events
            if kind in "EMm"
        }
        absent: set[str] = set()
        for number, kind, path in unit.events:
            if kind in "EMm" and path in there:
                takes = number in by and takes_folder(by[number], number)
                if kind == "E" and not takes:
                    absent.add(path)
                elif path in absent or (kind == "M" and not takes):
                    found.add(path)
    return frozenset(found)


def takes_folder(process: Process, number: int) -> bool:
    """Whether what a process was at a record makes a folder, or takes the one that is there."""
    image = image_at(process, number)
    if image is None or all(number != at for at, _, _ in process.events):
        return False
    name = os.path.basename(image.exe)
    flag = {"mkdir": _PARENTS, "install": _FOLDERS}.get(name)
    return flag is not None and any(flag.match(word) for word in image.argv[1:])


def shown_names(group: Sequence[Unit], folder: str, names: Sequence[str]) -> Sequence[str]:
    """Which of ``names`` in ``folder`` its listing may have shown: where shells alone opened it, for
    patterns that are plain, those that fit one."""
    patterns: set[str] = set()
    for unit in group:
        opened = {n for n, kind, path in unit.events if kind == "D" and path == folder}
        for process in unit.processes:
            for at in opened & {number for number, kind, _ in process.events if kind == "D"}:
                image = image_at(process, at) or unit.start
                found = _patterns(image) if image is not None else None
                if found is None:
                    return names
                patterns |= found
    if not patterns:
        return names
    return [p for p in names if any(fnmatch.fnmatchcase(os.path.basename(p), x) for x in patterns)]


def _patterns(image: Image) -> set[str] | None:
    """The parts of paths with which a shell compares names; None where these are not plain to see."""
    if os.path.basename(image.exe) not in SHELLS or len(image.argv) != _WORDS_OF_A_RECIPE:
        return None
    option, words = image.argv[1:]
    text = _SOME_TEXT.sub(_SOMETHING, _JOINED.sub("", words))
    if option not in ("-c", "-ec") or _NOT_PLAIN.search(text) or any(map(_changes, image.env)):
        return None
    globs = _GLOB.findall(text.replace(_SOMETHING, "*"))
    return {part for glob in globs for part in glob.split("/") if "*" in part}


def _changes(variable: str) -> bool:
    """Whether a variable has shells do other than their words say."""
    return variable.startswith(
        ("BASH_ENV=", "ENV=", "BASH_FUNC_", "BASHOPTS=", "SHELLOPTS=", "GLOB")
    )
