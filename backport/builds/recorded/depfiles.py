# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH112, PTH118
# (paths by the hundred thousand: os.path takes a tenth of the time)
"""Compilers' lists of the headers they read, which a make includes.

Make takes from them what to build again, never how.  In a clean build they decide nothing, as long as they
hold nothing else, tell of targets that were made before make read them, and name the same files of the
build's own making.  A list that is read earlier gives prerequisites as any other rule: make has them made,
and recipes name them (``$^``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from msgspec import Struct

from backport.builds.recorded.recording import Command

_DEPFILE = re.compile(r"-(?:Wp,)?-?M(?:M?D|F)")
_RULE = re.compile(r"(?P<targets>[^\t:=$%;|#][^:=$%;|#]*):(?!:)(?P<needed>[^:=$%;|#]*)")
_DIRECTIVE = re.compile(
    r"[-s]?include|-?load|(?:un)?export|override|(?:un)?define|private|vpath|ifn?eq|ifn?def|else|end(?:if|ef)"
)
_AS_TEXT = re.compile(rb"\$[({]file\s")


class Rules(Struct, frozen=True):
    """What a list says."""

    targets: frozenset[str]
    """The names of the files, without folders, for which it has prerequisites."""
    needed: frozenset[str]
    """Those prerequisites."""

    def own(self, outputs: Collection[str], tracked: Collection[str], root: str) -> Rules:
        """The same with those prerequisites alone, by name, that may be of the build's own making: what has
        the name of one of its ``outputs``, and what is neither one of ``tracked`` nor outside."""
        here = (x for x in self.needed if not x.startswith("/") or x.startswith(f"{root}/"))
        names = map(os.path.basename, here)
        mine = (name for name in names if name in outputs or name not in tracked)
        return Rules(self.targets, frozenset(mine))

    def is_decided_by(self, before: Rules, outputs: Collection[str]) -> bool:
        """Whether make would decide otherwise than by the list before; both are `own` parts.  A prerequisite
        that is gone, and was not made, makes no difference."""
        more, less = self.needed - before.needed, before.needed - self.needed
        return self.targets != before.targets or bool(more) or not less.isdisjoint(outputs)


def lists_of_headers(commands: Sequence[Command], root: str) -> frozenset[str]:
    """What compilers wrote as such lists, and what is made of such lists alone.

    A shell looks at the folder that it stands in and at those above, if its script has ``$PWD``: they are
    no content.
    """
    found = {path for command in commands for path in command.writes if _is_depfile(command, path)}
    for command in commands:  # in the order of their first runs: makers before users
        others = command.touched.reads - found
        if others < command.touched.reads and all(
            os.path.isdir(os.path.join(root, path)) for path in others
        ):
            found |= command.writes
    return frozenset(found)


def rules_of(path: Path) -> Rules | None:
    """The rules in a file of rules without recipes; None where there is more in it."""
    try:
        text = path.read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    made: set[str] = set()
    needed: set[str] = set()
    for line in text.replace("\\\n", " ").split("\n"):
        if not line.strip(" ") or line.startswith("#"):
            continue
        rule = _RULE.fullmatch(line)
        if rule is None:
            return None
        targets, words = rule["targets"].split(), rule["needed"].split()
        if not targets or _DIRECTIVE.fullmatch(targets[0]) or any(map(_is_special, targets)):
            return None
        if words:  # without any, it says that a header may be gone (``-MP``)
            made.update(map(os.path.basename, targets))
            needed.update(words)
    return Rules(frozenset(made), frozenset(needed))


def takes_texts(path: Path) -> bool:
    """Whether a makefile has make read files as texts (``$(file <NAME)``), or that is not known."""
    try:
        return _AS_TEXT.search(path.read_bytes()) is not None
    except OSError:
        return True


def _is_special(target: str) -> bool:
    return target.startswith(".") and target[1:].replace("_", "").isupper()


def _is_depfile(command: Command, path: str) -> bool:
    return path.endswith(".d") and any(
        _DEPFILE.match(word) or "-MD" in word or "-MMD" in word
        for run in command.runs
        for word in run.argv
    )
