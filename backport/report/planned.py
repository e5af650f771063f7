# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of a series for a person: what goes on when, how, after which, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from backport.counted import counted
from backport.history.upstream import Blocker
from backport.pick.outcome import Picked
from backport.planning.items import Posted, Taken
from backport.report.accounts import accounts_json
from backport.report.page import say
from backport.report.table import show_table
from backport.run.accounting import count_fates, read_words
from backport.run.behind import Behind
from backport.run.preview import Outlook
from backport.run.relation import Relation
from backport.run.steps import PickClass, Step, StepState
from backport.run.worth import parts_json, worth_words
from series.graph.evidence import Dependency, Need
from series.model import shown

_FILE_WIDTH = 24
CONFLICT, PREREQUISITE, FOLLOWS = "CONFLICT", "PREREQUISITE MISSING", "follows from"
_MEANINGS = (
    ("exact", "each file is the very one that the patch was made for"),
    ("already", "the branch has it; nothing is committed"),
    ("merged", "a three-way merge with what the branch has changed"),
    (
        "merged with the branch's names",
        "as merged, once an identifier is called what the branch calls it",
    ),
    (
        "merged line by line",
        "a conflict for git: the branch has changed a line beside the patch's, and it is still that line",
    ),
    (
        "by context",
        "the lines around each change are found; what the patch was made for is not known",
    ),
    ("with fuzz", "some lines of context are others, as --fuzz allows"),
    ("as proposed", "a conflict for git, merged as --accept proposals allows; the build decides"),
    ("has it", "in the version that this newer branch has committed"),
    (
        PickClass.DOUBT,
        "it goes on, but may be wrong here (the notes say why): the build decides, or you",
    ),
    (PREREQUISITE, "upstream has a commit that it needs; apply stops there"),
    (CONFLICT, "it does not go on; apply stops there, and the reasons stand below"),
    (
        PickClass.PROPOSAL,
        "the changes of both sides do not touch each other: so merged, apply lays it out",
    ),
    (
        FOLLOWS,
        "it touches a file in which that patch stops, and was judged as that patch leaves it",
    ),
)
_LETTER = {Need.TEXT: "", Need.FILE: "f", Need.SYMBOL: "s", Need.DECLARED: "d"}


def show_plan(outlook: Outlook, relation: Relation, branch: str, *, why: bool = False) -> None:
    """Print the plan as a table, or with all the evidence, then what would stop the run."""
    subjects = [shown(patch.subject) for patch in outlook.patches]
    title = f"{counted(len(subjects), 'patch')} onto {branch}"
    if why:
        say(title)
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
        heads = ("#", "posted", "subject", "goes on", "needs")
        styles = ("dim", "dim", "", "cyan", "yellow")
        show_table(heads, rows, title=title, styles=styles, alarms=(CONFLICT, PREREQUISITE))
        say("needs: by lines; f by the life of a file, s by a symbol or option, d as declared")
    steps = (_step(outlook, at) for at in range(len(subjects)))
    if said := worth_words(step.worth for step in steps if step is not None):
        say(said)
    for line in _legend([_fate(outlook, at) for at in range(len(subjects))]):
        say(line)
    if not why:
        say("all the evidence: --why")
    if outlook.plan.left_out:
        say(f"left out by --only: {counted(outlook.plan.left_out, 'patch')}")
    if read := read_words(count_fates(outlook.plan.series.accounts)):
        say(read)
    for note in (*outlook.plan.notes, *outlook.plan.contradictions):
        say(f"note: {note}")
    for at, subject in enumerate(subjects):
        step = _step(outlook, at)
        for note in step.notes if step is not None else ():
            say(f"note: {at + 1} {subject}: {note}")
    for use in relation.premature:
        user, maker = relation.places[use.user], relation.places[use.maker]
        say(
            f"note: {user} {subjects[user - 1]!r} comes before {maker}, which it needs:"
            f" {use.evidence.explain()}; step {user} may not build"
        )
    show_stop(outlook)


def _show_evidence(outlook: Outlook, relation: Relation, subjects: list[str]) -> None:
    for at, (item, node) in enumerate(zip(outlook.items, relation.graph, strict=True)):
        say(f"{at + 1:>3} {subjects[at]}  [{_fate(outlook, at)}]")
        for reason in outlook.plan.reasons.get(item, ()):
            say(f"      {reason}")
        for place, found in _needed(relation, node):
            for evidence in found:
                say(f"      needs {place}: {evidence.explain()}")


def _step(outlook: Outlook, at: int) -> Step | None:
    """What comes of the patch at that place; None where it stops, or where that is not known."""
    steps = outlook.state.steps
    if at < len(steps):
        return steps[at]
    behind = _behind(outlook, at)
    return behind.step if behind is not None else None


def _behind(outlook: Outlook, at: int) -> Behind | None:
    place = at - len(outlook.state.steps)
    return outlook.behind[place] if 0 <= place < len(outlook.behind) else None


def _fate(outlook: Outlook, at: int) -> str:
    """How the patch at that place goes on."""
    step, behind = _step(outlook, at), _behind(outlook, at)
    if step is not None:
        word = str(step.how) if step.state is StepState.APPLIED else step.state.value
        word += f", {step.pick_class}" if step.doubts else ""
    elif behind is None:
        return ""
    else:
        word = PREREQUISITE if behind.blockers else CONFLICT
        word += f", {PickClass.PROPOSAL}" if behind.proposal is not None else ""
    if behind is None or not behind.follows:
        return word
    return f"{word}, {FOLLOWS} {', '.join(map(str, behind.follows))}"


def _legend(fates: Sequence[str]) -> Iterator[str]:
    """What the words mean that the plan uses."""
    used = [(word, text) for word, text in _MEANINGS if any(word in fate for fate in fates)]
    for number, (word, text) in enumerate(used):
        yield f"{'goes on: ' if not number else '         '}{word}: {text}"


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


def show_stop(outlook: Outlook) -> None:
    """What would stop the run, if anything would."""
    for line in outlook.undeclared:
        say(f"declared, but neither in the series nor on the branch: {line}")
    if outlook.undeclared:
        say("  --prerequisites ignore goes on without it")
    if (at := outlook.halts_at) is not None:
        named = f"{at + 1} {shown(outlook.patches[at].subject)!r}"
        say(
            f"apply stops at {named}, which is doubtful, as nothing is built: --accept doubt takes it"
        )
    if outlook.stopped is None:
        return
    patch, picked = outlook.stopped
    sys.stdout.flush()
    say(f"\nstops at {patch.name} {patch.subject.decode('utf-8', 'replace')!r}:")
    _show_clashes(picked, outlook.blockers)
    if outlook.blockers:
        say("  --prerequisites take picks them from there")
    first = len(outlook.state.steps) + 1
    for place, behind in enumerate(outlook.behind[1:], first + 1):
        if behind.step is None and behind.picked is not None:
            after = f", {FOLLOWS} {', '.join(map(str, behind.follows))}" if behind.follows else ""
            say(f"as things are, so would {place} {shown(behind.patch.subject)!r}{after}:")
            _show_clashes(behind.picked, behind.blockers)


def _show_clashes(picked: Picked, blockers: Sequence[Blocker]) -> None:
    for clash in picked.clashes:
        say(f"  {shown(clash.path)}: {clash.reason}")
    for blocker in blockers:
        say(f"  upstream: {blocker.explain()}")


def plan_json(outlook: Outlook) -> dict[str, Any]:
    """The plan for a program."""
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
                **_judged_json(outlook, place),
                "why": list(outlook.plan.reasons.get(item, ())),
            }
            for place, item in enumerate(outlook.items)
        ],
        "notes": [*outlook.plan.notes, *outlook.plan.contradictions],
        "left_out": outlook.plan.left_out,
        "accounts": accounts_json(outlook.plan.series.accounts),
        "declared_missing": list(outlook.undeclared),
        "conflict": _clashes_json(outlook.stopped[1]) if outlook.stopped else None,
        "missing": _missing_json(outlook.blockers),
    }


def _judged_json(outlook: Outlook, at: int) -> dict[str, Any]:
    """What would come of one patch: ``state`` is that of its step, or ``conflict`` or ``prerequisite``."""
    step, behind = _step(outlook, at), _behind(outlook, at)
    found: dict[str, Any] = {
        "state": step.state if step is not None else None,
        "how": str(step.how) if step is not None else None,
        "class": step.pick_class if step is not None else None,
        "doubts": list(step.doubts) if step is not None else [],
        "notes": list(step.notes) if step is not None else [],
        "worth": step.worth if step is not None else None,
        "there_already": parts_json(step.parts) if step is not None else [],
        "follows_from": list(behind.follows) if behind is not None else [],
    }
    if step is None and behind is not None and behind.picked is not None:
        found["state"] = "prerequisite" if behind.blockers else "conflict"
        found["conflict"] = _clashes_json(behind.picked)
        found["missing"] = _missing_json(behind.blockers)
        if behind.proposal is not None:
            found["class"] = PickClass.PROPOSAL
    return found


def _clashes_json(picked: Picked) -> list[dict[str, str]]:
    return [{"path": shown(clash.path), "reason": clash.reason} for clash in picked.clashes]


def _missing_json(blockers: Sequence[Blocker]) -> list[dict[str, str]]:
    return [{"commit": b.commit, "subject": b.subject, "why": b.explain()} for b in blockers]


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
