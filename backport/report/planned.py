# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of a series for a person: what goes on when, how, after which, and why."""

from __future__ import annotations

import sys
from typing import Any

from backport.planning.items import Posted, Taken
from backport.report.accounts import accounts_json
from backport.report.table import show_table
from backport.run.accounting import count_fates, read_words
from backport.run.preview import Outlook
from backport.run.relation import Relation
from backport.run.steps import StepState
from series.graph.evidence import Dependency, Need
from series.model import shown

_FILE_WIDTH = 24
_LETTER = {Need.TEXT: "", Need.FILE: "f", Need.SYMBOL: "s", Need.DECLARED: "d"}


def show_plan(outlook: Outlook, relation: Relation, branch: str, *, why: bool = False) -> None:
    """Print the plan as a table, or with all the evidence, then what would stop the run."""
    subjects = [shown(patch.subject) for patch in outlook.patches]
    title = f"{len(subjects)} patches onto {branch}"
    if why:
        print(title)
        _show_evidence(outlook, relation, subjects)
    else:
        rows = [
            (
                str(at + 1),
                _posted(outlook, at),
                subjects[at],
                _fate(outlook, at),
                _needs(relation, node),
            )
            for at, node in enumerate(relation.graph)
        ]
        heads = ("#", "posted", "subject", "applies", "needs")
        show_table(heads, rows, title=title, styles=("dim", "dim", "", "cyan", "yellow"))
        print(
            "needs: by lines; f by a file created, renamed or removed, s by a symbol or option,"
            " d as declared"
        )
        print("all the evidence: --why")
    if outlook.plan.left_out:
        print(f"left out by --only: {outlook.plan.left_out} patches")
    if read := read_words(count_fates(outlook.plan.series.accounts)):
        print(read)
    for note in (*outlook.plan.notes, *outlook.plan.contradictions):
        print(f"note: {note}")
    for at, step in enumerate(outlook.state.steps):
        for note in step.notes:
            print(f"note: {at + 1} {subjects[at]}: {note}")
    for use in relation.premature:
        user, maker = relation.places[use.user], relation.places[use.maker]
        print(
            f"note: {user} {subjects[user - 1]!r} comes before {maker}, which it needs:"
            f" {use.evidence.explain()}; step {user} may not build"
        )
    _show_stop(outlook)


def _show_evidence(outlook: Outlook, relation: Relation, subjects: list[str]) -> None:
    for at, (item, node) in enumerate(zip(outlook.items, relation.graph, strict=True)):
        print(f"{at + 1:>3} {subjects[at]}  [{_fate(outlook, at)}]")
        for reason in outlook.plan.reasons.get(item, ()):
            print(f"      {reason}")
        for place, found in _needed(relation, node):
            for evidence in found:
                print(f"      needs {place}: {evidence.explain()}")


def _fate(outlook: Outlook, at: int) -> str:
    """How the patch at that place goes on."""
    steps = outlook.state.steps
    if at < len(steps):
        step = steps[at]
        return str(step.how) if step.state is StepState.APPLIED else step.state.value
    if at > len(steps) or outlook.stopped is None:
        return ""
    return "PREREQUISITE MISSING" if outlook.blockers else "CONFLICT"


def _needed(relation: Relation, node: int) -> list[tuple[int, tuple[Dependency, ...]]]:
    """The places of the patches that a node needs, in order, with the evidence."""
    graph = relation.graph
    return sorted(
        ((relation.places[x], graph.edges[x, node]["evidence"]) for x in graph.predecessors(node)),
        key=lambda one: one[0],
    )


def _needs(relation: Relation, node: int) -> str:
    found = [f"{place}{_LETTER[why[0].need]}" for place, why in _needed(relation, node)]
    return ", ".join(found) or "-"


def _show_stop(outlook: Outlook) -> None:
    for line in outlook.undeclared:
        print(f"declared, but neither in the series nor on the branch: {line}")
    if outlook.undeclared:
        print("  --prerequisites ignore goes on without it")
    if outlook.stopped is None:
        return
    patch, picked = outlook.stopped
    sys.stdout.flush()
    print(f"\nstops at {patch.name} {patch.subject.decode('utf-8', 'replace')!r}:")
    for clash in picked.clashes:
        print(f"  {shown(clash.path)}: {clash.reason}")
    for blocker in outlook.blockers:
        print(f"  upstream: {blocker.explain()}")
    if outlook.blockers:
        print("  --prerequisites take picks them from there")


def plan_json(outlook: Outlook) -> dict[str, Any]:
    """The plan for a program."""
    steps = outlook.state.steps
    return {
        "onto": outlook.state.onto,
        "patches": [
            {
                "place": place + 1,
                "item": str(item),
                "subject": shown(outlook.patches[place].subject),
                "posted": item.position + 1 if isinstance(item, Posted) else None,
                "file": outlook.patches[place].file or None,
                "commit": item.commit if isinstance(item, Taken) else None,
                "state": steps[place].state if place < len(steps) else None,
                "how": str(steps[place].how) if place < len(steps) else None,
                "notes": list(steps[place].notes) if place < len(steps) else [],
                "why": list(outlook.plan.reasons.get(item, ())),
            }
            for place, item in enumerate(outlook.items)
        ],
        "notes": [*outlook.plan.notes, *outlook.plan.contradictions],
        "left_out": outlook.plan.left_out,
        "accounts": accounts_json(outlook.plan.series.accounts),
        "declared_missing": list(outlook.undeclared),
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


def _posted(outlook: Outlook, at: int) -> str:
    if isinstance(outlook.items[at], Taken):
        return "upstream"
    patch = outlook.patches[at]
    if patch.numbering is not None and patch.numbering.total:
        return f"{patch.numbering.number}/{patch.numbering.total}"
    # A mailbox has a number of them; a file of its own is what a person calls a patch by.
    if not patch.file or patch.file != patch.name:
        return str(patch.position + 1)
    name = patch.file.rpartition("/")[2]
    return name if len(name) <= _FILE_WIDTH else name[: _FILE_WIDTH - 3] + "..."
