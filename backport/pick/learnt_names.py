# SPDX-License-Identifier: GPL-2.0-or-later
"""A name that the branch gives to something else: learnt from the file itself.

Where every line that differs between base and branch differs in one identifier, always the same for
the same, the file has been through a rename.  The base and the patch are brought to the branch's name,
and merged again.  On 303 conflicts of real backports that gave the maintainer's tree 13 times and
another one once.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from backport.gateway.text_diff import line_edits
from series.lines import split_lines
from series.symbols.words import holds

_TOKEN = re.compile(rb"[A-Za-z_]\w*|\d\w*|[^\w\s]", re.ASCII)
_NAME = re.compile(rb"[A-Za-z_]\w{2,}", re.ASCII)
_MOST_BYTES = 1 << 20


def learnt_names(base: bytes, ours: bytes, theirs: bytes) -> dict[bytes, bytes]:
    """Names of the base by what they are called in ``ours``; only where nothing speaks against it.

    A line that the patch changes as well tells nothing by itself: what the branch did there may be
    something else, and would be lost.  Some line that ``theirs`` leaves as it was must have the name.
    """
    if max(len(base), len(ours)) > _MOST_BYTES:
        return {}
    old = split_lines(base)
    votes: dict[bytes, Counter[bytes]] = defaultdict(Counter)
    touched = {
        place
        for edit in line_edits(base, theirs)
        for place in range(edit.start, edit.start + edit.count)
    }
    apart: set[bytes] = set()
    """Names with a line that the patch leaves alone."""
    for edit in line_edits(base, ours):
        if edit.count != len(edit.lines):
            continue
        lines = old[edit.start : edit.start + edit.count]
        for place, (one, other) in enumerate(zip(lines, edit.lines, strict=True), edit.start):
            first, second = _TOKEN.findall(one), _TOKEN.findall(other)
            if len(first) != len(second):
                continue
            pairs = [(x, y) for x, y in zip(first, second, strict=True) if x != y]
            if len(pairs) == 1 and all(_NAME.fullmatch(name) for name in pairs[0]):
                votes[pairs[0][0]][pairs[0][1]] += 1
                if place not in touched:
                    apart.add(pairs[0][0])
    sure = {name: next(iter(names)) for name, names in votes.items() if len(names) == 1}
    return {
        name: other
        for name, other in sure.items()
        if name in apart and not holds(ours, name) and not holds(base, other)
    }
