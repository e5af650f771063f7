# SPDX-License-Identifier: GPL-2.0-or-later
"""What patches need that a branch lacks: a few lines a blocker, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from backport.counted import counted
from backport.report.owed import view_json
from backport.report.page import fold, page_width
from backport.survey.advice import Advice

if TYPE_CHECKING:
    from backport.survey.deps import Need, Needs

_MOST_PULLED = 4


def show_needs(branch: str, found: Sequence[Needs]) -> None:
    """Print them, patch by patch."""
    width = page_width()
    for one in found:
        name = f"{one.commit[:12]} " if one.commit else ""
        how = f": {one.view.how}" if one.view.how else ""
        print(fold(f"{name}{one.subject}", width))
        print(fold(f"  on {branch} {one.view.fate}{how}", width))
        if one.note:
            print(fold(f"  note: {one.note}", width))
        if not one.needs:
            print("  nothing was found that it needs and the branch lacks")
        for need in one.needs:
            for line in _need(need):
                print(fold(f"  {line}", width))
        if one.closure is not None:
            size = (
                f"more than {len(one.closure)} commits"
                if one.cut
                else counted(len(one.closure), "commit")
            )
            print(f"  with all that these need in their turn: {size}")
            for oid in one.closure:
                print(f"    {oid[:12]}")
    print(fold(_sum(branch, found), width))


def _need(need: Need) -> list[str]:
    lines = [f"{need.advice}: {need.commit[:12]} {need.subject}", f"  {need.because}"]
    lines += (f"  {one.text}" for one in need.evidence)
    if need.pulls:
        few = ", ".join(oid[:12] for oid in need.pulls[:_MOST_PULLED])
        more = ", ..." if len(need.pulls) > _MOST_PULLED else ""
        lines.append(f"  would pull in {counted(len(need.pulls), 'commit')}: {few}{more}")
    return lines


def _sum(branch: str, found: Sequence[Needs]) -> str:
    needs = [need for one in found for need in one.needs]
    counts = [f"{sum(n.advice is a for n in needs)} {a}" for a in Advice]
    return f"{branch}: {counted(len(found), 'patch')}, {counted(len(needs), 'blocker')}: {', '.join(counts)}"


def needs_json(branch: str, found: Sequence[Needs]) -> dict[str, Any]:
    """The same for a program."""
    return {
        "branch": branch,
        "patches": [
            {
                "commit": one.commit,
                "subject": one.subject,
                "outlook": view_json(one.view),
                "note": one.note,
                "needs": [
                    {
                        "commit": need.commit,
                        "subject": need.subject,
                        "advice": need.advice,
                        "because": need.because,
                        "evidence": [{"kind": x.kind, "text": x.text} for x in need.evidence],
                        "pulls": list(need.pulls),
                        "on": list(need.on),
                    }
                    for need in one.needs
                ],
                "closure": list(one.closure) if one.closure is not None else None,
                "closure_cut": one.cut,
            }
            for one in found
        ],
    }
