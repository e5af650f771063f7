# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH112, PTH118
# (paths by the hundred thousand: os.path takes a tenth of the time)
"""Compilers' lists of the headers they read, which a make includes.

Make takes from them what to build again, never how: in a clean build they decide nothing, as long as they
hold nothing else, and name the same files of the build's own making.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from backport.builds.recorded.recording import Command

_DEPFILE = re.compile(r"-(?:Wp,)?-?M(?:M?D|F)")
_RULE = re.compile(r"(?P<targets>[^\t:=$%;|#][^:=$%;|#]*):(?!:)(?P<needed>[^:=$%;|#]*)")
_DIRECTIVE = re.compile(
    r"[-s]?include|-?load|(?:un)?export|override|(?:un)?define|private|vpath|ifn?eq|ifn?def|else|end(?:if|ef)"
)


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


def needed_by(path: Path) -> frozenset[str] | None:
    """The names of the prerequisites in a file of rules without recipes; None where there is more in it."""
    try:
        text = path.read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    found: set[str] = set()
    for line in text.replace("\\\n", " ").split("\n"):
        if not line.strip(" ") or line.startswith("#"):
            continue
        rule = _RULE.fullmatch(line)
        if rule is None:
            return None
        targets = rule["targets"].split()
        if not targets or _DIRECTIVE.fullmatch(targets[0]) or any(map(_is_special, targets)):
            return None
        found.update(map(os.path.basename, rule["needed"].split()))
    return frozenset(found)


def made_of(path: Path, outputs: Collection[str]) -> frozenset[str] | None:
    """Which of its prerequisites may be of the build's own making, by the names of those ``outputs``."""
    needed = needed_by(path)
    return None if needed is None else needed & frozenset(outputs)


def _is_special(target: str) -> bool:
    return target.startswith(".") and target[1:].replace("_", "").isupper()


def _is_depfile(command: Command, path: str) -> bool:
    return path.endswith(".d") and any(
        _DEPFILE.match(word) or "-MD" in word or "-MMD" in word
        for run in command.runs
        for word in run.argv
    )
