# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the commits of a branch come from: a table, the debt, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backport.counted import counted
from backport.history.taken_back import Left
from backport.report.page import fold, page_width
from backport.report.table import show_table
from backport.survey.provenance import Whence
from series.model import shown

if TYPE_CHECKING:
    from backport.survey.provenance import Descent, Pedigree
    from series.model import Oid

DEBT = (Whence.NOWHERE, Whence.UNKNOWN, Whence.ELSEWHERE)
"""What upstream does not have, as far as can be known."""
_MOST_NAMED = 5


def show_pedigree(pedigree: Pedigree, diffs: Mapping[Oid, str], *, only_debt: bool = False) -> None:
    """Print it, the oldest first."""
    width = page_width()
    for note in pedigree.notes:
        print(fold(f"note: {note}", width))
    chosen = [one for one in pedigree.descents if one.whence in DEBT or not only_debt]
    rows = [(one.commit[:12], str(one.whence), _origin(one), one.subject) for one in chosen]
    if rows and not diffs and not any(one.lint or one.unproven for one in chosen):
        show_table(("commit", "from", "origin", "subject"), rows, alarms=("nowhere",))
    else:
        for one, row in zip(chosen, rows, strict=True):
            print(fold("  ".join(filter(None, row)), width))
            for line in one.unproven or ():
                print(fold(f"    noted: {line}", width))
            for line in one.lint or ():
                print(f"    style: {line}")
            for line in diffs.get(one.commit, "").splitlines():
                print(f"    {line}")
    print(fold(_sum(pedigree), width))


def _origin(one: Descent) -> str:
    words = [", ".join(oid[:12] for oid in one.origins)]
    if one.adapted is not None and not one.adapted.is_identical:
        words.append(f"{one.adapted.lines}/{one.adapted.of} differ")
    if one.left in (Left.PART, Left.NONE):
        part = "in part " if one.left is Left.PART else ""
        by = f" by {one.reverted_by[:12]}" if one.reverted_by is not None else " since"
        words.append(f"{part}taken back{by}")
    if one.emptied:
        words.append(f"no line added to {', '.join(map(shown, one.emptied))} is there now")
    if one.void is not None:
        words.append(f"{one.void[:12]} claims to revert it, but takes nothing back")
    return ", ".join(filter(None, words))


def _sum(pedigree: Pedigree) -> str:
    found = pedigree.descents
    counts = Counter(one.whence for one in found)
    parts = [f"{counts[whence]} {whence}" for whence in Whence if counts[whence]]
    lines = [
        f"{pedigree.branch}, since {pedigree.since}: {counted(len(found), 'commit')}"
        + (f": {', '.join(parts)}" if parts else "")
    ]
    compared = [one.adapted for one in found if one.adapted is not None]
    if compared:
        same = sum(one.is_identical for one in compared)
        lines.append(
            f"  {same} identical to their origin, {len(compared) - same} adapted"
            " (N/M differ: of the lines that either changes)"
        )
    strangers = [one for one in found if one.adapted is not None and one.adapted.shares_nothing]
    if strangers:
        few = ", ".join(one.commit[:12] for one in strangers[:_MOST_NAMED])
        more = ", ..." if len(strangers) > _MOST_NAMED else ""
        lines.append(f"  {len(strangers)} share no line with their origin ({few}{more})")
    debt = [one for one in found if one.whence in DEBT and not one.is_gone]
    if debt:
        lines.append(f"  not on {pedigree.upstream} yet, and not taken back: {len(debt)}")
    noted = [one for one in found if one.unproven is not None]
    if noted:
        short = sum(bool(one.unproven) for one in noted)
        lines.append(
            f"  noted by --notes: {len(noted) - short} proven, {short} accepted as they are"
        )
    linted = [one for one in found if one.lint is not None]
    if linted:
        lines.append(
            f"  style: {sum(bool(one.lint) for one in linted)} of {len(linted)} have remarks"
        )
    return "\n".join(lines)


def pedigree_json(pedigree: Pedigree, diffs: Mapping[Oid, str]) -> dict[str, Any]:
    """The same for a program."""
    return {
        "branch": pedigree.branch,
        "upstream": pedigree.upstream,
        "since": pedigree.since,
        "notes": list(pedigree.notes),
        "commits": [
            {
                "commit": one.commit,
                "subject": one.subject,
                "when": one.when,
                "whence": one.whence,
                "origins": list(one.origins),
                "adapted": {"lines": one.adapted.lines, "of": one.adapted.of}
                if one.adapted
                else None,
                "shares_nothing": one.adapted is not None and one.adapted.shares_nothing,
                "interdiff": diffs.get(one.commit),
                "style": list(one.lint) if one.lint is not None else None,
                "unproven": list(one.unproven) if one.unproven is not None else None,
                "reverted_by": one.reverted_by,
                "left": one.left,
                "void": one.void,
                "emptied": [shown(path) for path in one.emptied],
            }
            for one in pedigree.descents
        ],
    }
