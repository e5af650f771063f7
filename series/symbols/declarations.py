# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a line, seen alone, looks to declare a name, in C, assembler, make, Kconfig or a script.

For names that stand anywhere in a tree: a whole tree cannot be parsed in the time of a search.  A line that
merely uses the name, or has the word in prose, should not count; one that declares it should, so where both
can be read into a line it counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(rb"[A-Za-z_]\w*")
_OPTION = b"CONFIG_"
_DEFINE = re.compile(rb"^\s*#\s*define\s+$")
_KEYWORD = re.compile(
    rb"\b(?:struct|union|enum|class|typedef|namespace|def|func|fn|function|config|menuconfig|module|type"
    rb"|interface|trait|let|var|val)\s+$"
)
_MACRO = re.compile(rb"^[A-Z][A-Z0-9_]{3,}\s*\([^;{}]*$")
"""``DEFINE_PER_CPU(int,`` or ``ENTRY(`` at the margin: macros declare what they are given."""
_TYPES = re.compile(rb"^\s*(?:[A-Za-z_][\w:]*[\s*&<>,]+)+$")
"""Nothing but words, stars and commas before the name: ``static struct foo *``."""
_NO_TYPE = re.compile(rb"^\s*(?:return|goto|else|case|if|while|for|do|in|and|or|not|echo|local)\b")
_ASSIGNED = re.compile(rb"^\s*(?:::|[:?+])?=(?!=)")
_BEHIND = b";,=[(:){/"


def declared(lines: Iterable[bytes], names: frozenset[bytes]) -> frozenset[bytes]:
    """Those of ``names`` that some line looks to declare; ``CONFIG_X`` is declared as ``config X``."""
    options = {name[len(_OPTION) :]: name for name in names if name.startswith(_OPTION)}
    found: set[bytes] = set()
    for line in lines:
        for match in _WORD.finditer(line):
            word = match[0]
            if word in names and word not in found and _declares(line, match):
                found.add(word)
            elif word in options and _KEYWORD.search(line[: match.start()]):
                found.add(options[word])
    return frozenset(found)


def sought(names: Iterable[bytes]) -> frozenset[bytes]:
    """The words whose lines `declared` must see."""
    return frozenset(
        word for name in names for word in (name, name.removeprefix(_OPTION)) if len(word) > 2
    )


def _declares(line: bytes, match: re.Match[bytes]) -> bool:
    before, after = line[: match.start()], line[match.end() :].rstrip()
    if _DEFINE.search(before) or _KEYWORD.search(before) or _MACRO.match(before):
        return True
    next_to = after.lstrip()[:1]
    if not before.strip():
        if _ASSIGNED.match(after) or next_to == b",":
            return True
        # A label, or a function whose type stands on the line above.
        at_margin = not before and (after[:1] == b":" or next_to == b"(")
        return at_margin and not after.endswith(b";")
    if before.rstrip().endswith(b"}"):  # the name of an unnamed structure, or of its type
        return bool(next_to) and next_to in b";,=["
    if _NO_TYPE.match(before) or not _TYPES.match(before):
        return False
    return not next_to or next_to in _BEHIND
