# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of a series for a person: what goes on when, how, after which, and why."""

from __future__ import annotations

import sys
from typing import Any

from backport.foresee import Outlook
from backport.relation import relate
from backport.repo import Repo
from backport.report.graph import evidence_kind
from backport.report.table import show_table
from series.model import Oid, shown

_LETTER = {"text": "", "file": "f", "symbol": "s", "declared": "d"}


def show_plan(repo: Repo, outlook: Outlook, branch: str) -> None:
    """Print the plan as a table, then what would stop the run."""
    rows = []
    relation = relate(repo, outlook.state.onto, outlook)
    for place, item in enumerate(outlook.patches):
        patch = outlook.plan.patch(repo, item)
        posted = (
            "from upstream" if item.startswith("c") else _posted(patch.position, patch.numbering)
        )
        step = outlook.state.steps[place] if place < len(outlook.state.steps) else None
        how = "" if step is None else step.how if step.state == "applied" else step.state
        if step is None and place == len(outlook.state.steps):
            how = "PREREQUISITE MISSING" if outlook.blockers else "CONFLICT"
        needs = ", ".join(
            f"{before + 1}{_LETTER[evidence_kind(relation.edges[before, place]['evidence'][0])]}"
            for before in sorted(relation.predecessors(place))
        )
        rows.append((str(place + 1), posted, shown(patch.subject), how, needs or "-"))
    show_table(
        ("#", "posted", "subject", "goes on", "needs"),
        rows,
        title=f"{len(rows)} patches onto {branch}",
        styles=("dim", "dim", "", "cyan", "yellow"),
    )
    print("needs: by lines; f by the life of a file, s by a symbol or option, d as declared")
    for note in (*outlook.plan.notes, *outlook.plan.contradictions):
        print(f"note: {note}")
    _show_stop(outlook)


def _show_stop(outlook: Outlook) -> None:
    if outlook.stopped is None:
        return
    patch, picked = outlook.stopped
    sys.stdout.flush()
    print(f"\nstops at {patch.name} {patch.subject.decode('utf-8', 'replace')!r}:")
    for clash in picked.clashes:
        path = shown(clash.path)
        print(f"  {clash.reason if path in clash.reason else path + ': ' + clash.reason}")
    for blocker in outlook.blockers:
        print(f"  upstream: {blocker.explain()}")
    if outlook.blockers:
        print("  --prerequisites take picks them from there")


def plan_json(repo: Repo, outlook: Outlook) -> dict[str, Any]:
    """The plan for a program."""
    steps = outlook.state.steps
    return {
        "onto": outlook.state.onto,
        "patches": [
            {
                "place": place + 1,
                "item": item,
                "subject": shown(outlook.plan.patch(repo, item).subject),
                "posted": int(item[1:]) + 1 if item.startswith("p") else None,
                "commit": Oid(item[1:]) if item.startswith("c") else None,
                "state": steps[place].state if place < len(steps) else None,
                "how": steps[place].how if place < len(steps) else None,
                "why": list(outlook.plan.reasons.get(item, ())),
            }
            for place, item in enumerate(outlook.patches)
        ],
        "notes": [*outlook.plan.notes, *outlook.plan.contradictions],
        "conflict": [
            {"path": shown(clash.path), "reason": clash.reason}
            for clash in outlook.stopped[1].clashes
        ]
        if outlook.stopped
        else None,
        "missing": [
            {"commit": b.commit, "subject": b.subject, "why": b.explain()} for b in outlook.blockers
        ],
    }


def _posted(position: int, numbering: Any) -> str:
    if numbering is not None and numbering.total:
        return f"{numbering.number}/{numbering.total}"
    return str(position + 1)
