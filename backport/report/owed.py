# SPDX-License-Identifier: GPL-2.0-or-later
"""What a branch is owed: a few lines a commit, and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backport.counted import counted
from backport.report.page import fold, page_width
from backport.survey.owed import Why

if TYPE_CHECKING:
    from backport.survey.debts import Debt, Debts
    from backport.survey.outlooks import View
    from backport.survey.owed import Claim

NOTES = "refs/notes/backport-ignored"
_MOST_ABSENT = 2
_MOST_UNREAD = 3


def show_debts(debts: Debts) -> None:
    """Print them, the oldest first, and the sum of what was looked at."""
    width = page_width()
    for note in debts.notes:
        print(fold(f"note: {note}", width))
    open_, there, ignored = _sorted(debts)
    title = ""
    for debt in open_:
        if (now := _title(debt)) != title:
            title = now
            print(f"{title}:")
        print(fold(_head(debt), width))
        for line in (*_claims(debt), *_outlook(debt)):
            print(fold(f"    {line}", width))
    if debts.account.in_part:
        print("carried in part:")
        for part in debts.account.in_part:
            print(fold(f"{part.commit[:12]} {part.subject}", width))
            print(fold(f"    {part.text}", width))
    if ignored:
        print(f"ignored on {debts.branch}:")
        for debt in ignored:
            print(fold(f"  {_head(debt)}: {debt.because}", width))
    print(fold(_sum(debts, len(open_), len(there), len(ignored)), width))


def _sorted(debts: Debts) -> tuple[list[Debt], list[Debt], list[Debt]]:
    ignored = [debt for debt in debts.debts if debt.because is not None]
    there = [debt for debt in debts.debts if debt.is_there]
    rest = [debt for debt in debts.debts if debt.because is None and not debt.is_there]
    return rest, there, ignored


def _title(debt: Debt) -> str:
    """What stands above those with the same strongest reason."""
    claim = debt.owed.strongest
    if claim.weak or claim.why is Why.NEWER:
        return "newer branches have it"
    if claim.why is Why.ASKS:
        return "it asks for the branch"
    if claim.why is Why.FIXES_BASE:
        return "it fixes what the branch had before it left"
    return "it mends or reverts what the branch carries"


def _head(debt: Debt) -> str:
    owed = debt.owed
    return f"{owed.commit[:12]} {datetime.fromtimestamp(owed.when, UTC):%Y-%m-%d} {owed.subject}"


def _claims(debt: Debt) -> list[str]:
    lines = [_claim(claim) for claim in debt.owed.claims]
    if debt.owed.on:
        lines.append(f"upstream does not have its origin: this is the commit of {debt.owed.on}")
    absent = debt.owed.mends_absent
    if absent:
        few = ", ".join(one[:12] for one in absent[:_MOST_ABSENT])
        more = f" and {len(absent) - _MOST_ABSENT} more" if len(absent) > _MOST_ABSENT else ""
        lines.append(f"may not apply here: it mends {few}{more}, which the branch does not have")
    return [*lines, *debt.owed.remarks]


def _claim(claim: Claim) -> str:
    match claim.why:
        case Why.ASKS:
            return f"asks for it: Backport: {claim.of}"
        case Why.NEWER:
            return f"taken by {claim.of}"
        case Why.FIXES_BASE:
            return f"fixes {claim.of[:12]}, from before the branch"
        case _:
            where = f", here as {claim.here[:12]}" if claim.here else ", which is owed as well"
            return f"{claim.why} {claim.of[:12]} {claim.subject!r}{where}"


def _outlook(debt: Debt) -> list[str]:
    view = debt.view
    if view is None:
        return []
    lines = [f"{view.fate}: {view.how}" if view.how else str(view.fate)]
    lines += (f"  {blocker.explain()}" for blocker in view.blockers)
    return lines


def _sum(debts: Debts, open_: int, there: int, ignored: int) -> str:
    account = debts.account
    own = sum(1 for debt in debts.debts if debt.owed.on)
    upstream = len(debts.debts) - own
    compared = f", compared with {', '.join(debts.compared)}" if debts.compared else ""
    parts = [
        f"{account.carried} carried",
        f"{account.by_subject} there under the same subject",
        f"{account.reverted} reverted there since",
        f"{account.base_fixes} fix what the branch had before (--all lists them)",
        f"{account.nothing} without a reason",
        f"{upstream} with one",
    ]
    lines = [
        f"{debts.branch}: {counted(open_, 'commit')} owed{compared}",
        f"  {counted(account.looked_at, 'commit')} of {debts.upstream} that it does not reach: "
        + ", ".join(parts),
    ]
    if own:
        lines.append(f"  {counted(own, 'commit')} that only newer stable branches have")
    if account.in_part:
        lines.append(f"  carried only in part: {len(account.in_part)}")
    if there:
        lines.append(f"  {there} of those with a reason are in the tree already")
    if ignored:
        lines.append(f"  {ignored} ignored by {NOTES}")
    if account.unresolved:
        few = ", ".join(f"{short} in {commit[:12]}" for commit, short in account.unresolved[:3])
        more = ", ..." if len(account.unresolved) > 3 else ""
        count = counted(len(account.unresolved), "id")
        lines.append(
            f"  {count} in messages name no commit of either, or more than one ({few}{more})"
        )
    if account.unread:
        few = "; ".join(
            f"{oid[:12]}: {why}" for oid, why in [*account.unread.items()][:_MOST_UNREAD]
        )
        more = ", ..." if len(account.unread) > _MOST_UNREAD else ""
        count = counted(len(account.unread), "commit")
        lines.append(f"  {count} could not be read: their messages are believed ({few}{more})")
    silent = [f"{name} {count}" for name, count in account.without_origin.items() if count]
    if silent:
        lines.append(f"  not compared, for they name no origin: {', '.join(silent)}")
    return "\n".join(lines)


def how_to_share(commit: str, branch: str, remotes: list[str]) -> str:
    """What was remembered, and how others get it."""
    remote = "origin" if "origin" in remotes or not remotes else remotes[0]
    return (
        f"{commit[:12]} is ignored on {branch} from now on, in {NOTES}\n"
        f"to share it: `git push {remote} {NOTES}`\n"
        f"to get that of others: `git fetch {remote} {NOTES}:refs/notes/ignored-{remote}` and"
        f" `git notes --ref={NOTES} merge refs/notes/ignored-{remote}`"
    )


def debts_json(debts: Debts) -> dict[str, Any]:
    """The same for a program."""
    account = debts.account
    return {
        "branch": debts.branch,
        "upstream": debts.upstream,
        "compared": list(debts.compared),
        "notes": list(debts.notes),
        "owed": [
            {
                "commit": debt.owed.commit,
                "subject": debt.owed.subject,
                "when": debt.owed.when,
                "on": debt.owed.on or None,
                "claims": [
                    {
                        "why": claim.why,
                        "of": claim.of,
                        "subject": claim.subject,
                        "here": claim.here,
                    }
                    for claim in debt.owed.claims
                ],
                "mends_absent": list(debt.owed.mends_absent),
                "remarks": list(debt.owed.remarks),
                "ignored_because": debt.because,
                "outlook": view_json(debt.view),
            }
            for debt in debts.debts
        ],
        "account": {
            "looked_at": account.looked_at,
            "carried": account.carried,
            "by_subject": account.by_subject,
            "reverted": account.reverted,
            "base_fixes": account.base_fixes,
            "nothing": account.nothing,
        },
        "in_part": [
            {"commit": one.commit, "subject": one.subject, "why": one.text}
            for one in account.in_part
        ],
        "unread": dict(account.unread),
        "unresolved": [{"commit": commit, "id": short} for commit, short in account.unresolved],
        "without_origin": dict(account.without_origin),
    }


def view_json(view: View | None) -> dict[str, Any] | None:
    """What would come of a commit."""
    if view is None:
        return None
    return {
        "fate": view.fate,
        "how": view.how,
        "needs": [
            {"commit": one.commit, "subject": one.subject, "why": one.explain()}
            for one in view.blockers
        ],
    }
