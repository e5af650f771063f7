# SPDX-License-Identifier: GPL-2.0-or-later
"""Findings that the user knows and accepts: ``kind:what`` with shell wildcards.

``crash:setup_table*`` a finding of the emulation by invariant and scenario, ``regression:…`` an
operation that a step has lost, ``unproven:object`` steps that a validator could not judge; ``doubt``
steps that a check doubts where nothing is built; ``proposals`` what would resolve a conflict, where the
step then is proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

BARE = ("doubt", "proposals")
"""What is accepted by one word alone."""
_OURS = ("regression", "unproven")
_PROVEN = ("build", "object", "boot")


def accept_error(pattern: str) -> str:
    """Why ``pattern`` accepts nothing; empty where it may.  A misspelt one would do so in silence."""
    from difflib import get_close_matches

    if pattern in BARE:
        return ""
    kind, colon, what = pattern.partition(":")
    if not colon or not kind or not what:
        return "should be INVARIANT:SCENARIO, as in 'crash:setup_table*', unproven:LEVEL, doubt or proposals"
    if kind == "unproven" and not any(fnmatchcase(level, what) for level in _PROVEN):
        return f"should be unproven: and one of {', '.join(_PROVEN)}"
    # What a booted guest does is named by its operation, which a profile may add to.
    if any(letter in "*?[_" or letter.isupper() for letter in kind):
        return ""
    from emu.findings.invariant import Invariant

    known = [*(str(one) for one in Invariant), *_OURS]
    near = get_close_matches(kind, known, 1)
    if kind in known or not near:
        return ""
    return f"names no kind of finding; did you mean {near[0]}:{what}?"


def is_accepted(finding: str, accepted: Sequence[str]) -> bool:
    """True when one of the patterns covers ``finding``."""
    return any(fnmatchcase(finding, pattern) for pattern in accepted)
