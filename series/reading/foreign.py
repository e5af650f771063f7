# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands between the diffs of a patch and is a change, too, but none that can be applied.

Lines of a hunk begin with a blank, ``+``, ``-`` or ``\\``, so none of these can be one.
"""

from __future__ import annotations

import re

from msgspec import Struct

from series.model import shown

_FOREIGN = re.compile(
    rb"^(?:(?P<submodule>Submodule \S[^\n]* (?:[0-9a-f]{7,64}\.{2,3}[0-9a-f]{7,64}|contains )[^\n]*)"
    rb"|(?P<normal>\d+(?:,\d+)?[acd]\d+(?:,\d+)?\n(?=[<>] ))"
    rb"|(?P<svn>Cannot display: file marked as a binary type|\(Binary files differ\)|Property changes on: )"
    rb"|(?P<text>Binary file [^\n]+ has changed|=== (?:renamed|removed) (?:file|directory) '[^\n]*"
    rb"|(?:DELETED|ADDED|RENAMED) +\S[^\n]*|Index: [^\n]+\n={60,}\n(?=\s*(?:Index: |\Z)))"
    rb"|(?P<only>Only in [^\n]+: [^\n]+))",
    re.MULTILINE,
)
_WHAT = {
    "submodule": "a change of a submodule as text; write it with git diff --submodule=short",
    "normal": "a diff without context; write it with diff -u",
    "text": "a change of a file told in words; write it with the option for git's format",
    "svn": "a change that Subversion does not show as a diff",
}


class Foreign(Struct, frozen=True):
    """One such place: its line (1-based), what it is, and whether a change is lost for certain."""

    line: int
    what: str
    lost: bool


def find_foreign(text: bytes) -> list[Foreign]:
    """Every such place of ``text``."""
    found: list[Foreign] = []
    line, seen = 1, 0
    for match in _FOREIGN.finditer(text):
        line += text.count(b"\n", seen, match.start())
        seen = match.start()
        kind = match.lastgroup or ""
        if kind == "only":
            found.append(
                Foreign(
                    line, f"'{shown(match['only'].strip())}': that file is not in the patch", False
                )
            )
        else:
            found.append(Foreign(line, _WHAT[kind], True))
    return found
