# SPDX-License-Identifier: GPL-2.0-or-later
"""From findings to defects: one entry for what one fix removes, with all that shows it below.

One fault is seen in several ways: fields that are not filled in, an expectation of the result, the same
call in another mode.  Findings belong together where one scenario shows them under the same failures, where
they say the same of the same function, and where a scenario goes on from another: always where it is that
scenario with more of it, else where the other leaves something wrong behind and nothing but what goes on from
it shows the fault.  Inputs that were drawn show anything, so they bring nothing together; nor do two crashes
at different places of one function.

They are in the order of what it takes to see them, since that is how soon a guest meets them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum

from msgspec import Struct

from backport.counted import counted
from backport.merged_findings import merge_findings
from emu.findings.invariant import Invariant
from emu.findings.verdict import Finding

_WHEN = re.compile(r" \(when [^()]*\)")
_OFFSET = re.compile(r"\+0x[0-9a-f]+.*")
_NUMBER = re.compile(r"-?\b(?:0x[0-9a-f]+|\d+)\b")
_LEFT_BEHIND = frozenset(
    (
        Invariant.PORTS_AGREE,
        Invariant.SHARED_PAGE,
        Invariant.RESOURCES,
        Invariant.MEMORY,
        Invariant.LOCKS,
        Invariant.VCPUS,
        Invariant.SUSPEND,
        Invariant.AGAIN,
    )
)
"""What is wrong after a call, and so before the next one."""


UNTOUCHED = "untouched"
"""A field of the answer that the call has not written."""


class Takes(IntEnum):
    """What it takes to see a defect; the values order them."""

    PLAIN = 0
    REFUSAL = 1
    GUEST = 2
    FAILURE = 3
    ODD = 4

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    Takes.PLAIN: "in a plain run",
    Takes.REFUSAL: "where L0 refuses",
    Takes.GUEST: "where the guest's memory faults",
    Takes.FAILURE: "where memory or a callee fails",
    Takes.ODD: "with odd input",
}


class Defect(Struct, frozen=True):
    """``shown``: the findings, each distinct one once with its scenarios, the plainest first."""

    takes: Takes
    shown: tuple[tuple[Finding, list[str]], ...]

    @property
    def lead(self) -> Finding:
        return self.shown[0][0]

    @property
    def scenarios(self) -> tuple[str, ...]:
        """All that show it."""
        return tuple(dict.fromkeys(name for _, names in self.shown for name in names))

    @property
    def line(self) -> str:
        """In one line."""
        place = f" at {self.lead.where}" if self.lead.where else ""
        return f"{self.lead.invariant}{place}: {self.lead.message}"


def defects(findings: Sequence[Finding]) -> tuple[Defect, ...]:
    """Cost: the square of the number of distinct findings, which is bounded for each scenario."""
    merged = merge_findings(findings)
    origins = {_name(finding.scenario): finding.goes_on_from for finding in findings}
    groups: list[list[int]] = []
    for number, entry in enumerate(merged):
        near = [g for g in groups if any(_together(merged[n], entry, origins) for n in g)]
        groups = [g for g in groups if g not in near] + [[*(n for g in near for n in g), number]]
    found = []
    for group in groups:
        shown = sorted((merged[n] for n in sorted(group)), key=lambda entry: _takes(entry[0]))
        found.append((min(group), Defect(_takes(shown[0][0]), tuple(shown))))
    return tuple(defect for _, defect in sorted(found, key=lambda pair: (pair[1].takes, pair[0])))


def summary(found: Sequence[Defect]) -> str:
    """``5 defects: 3 in a plain run, 2 where L0 refuses``; empty for none."""
    if not found:
        return ""
    kinds = ((takes, sum(defect.takes is takes for defect in found)) for takes in Takes)
    return f"{counted(len(found), 'defect')}: " + ", ".join(f"{n} {t.words}" for t, n in kinds if n)


def _takes(finding: Finding) -> Takes:
    if finding.drawn:
        return Takes.ODD
    if not finding.failures:
        return Takes.PLAIN
    if all(kind.startswith("L0 ") for kind in finding.failures):
        return Takes.REFUSAL
    if all("guest" in kind for kind in finding.failures):
        return Takes.GUEST
    return Takes.FAILURE


def _together(
    one: tuple[Finding, list[str]],
    other: tuple[Finding, list[str]],
    origins: Mapping[str, Sequence[str]],
) -> bool:
    """``origins``: what each scenario goes on from."""
    (a, seen), (b, also) = one, other
    if _said(a) == _said(b):
        return True
    if a.drawn or b.drawn or a.failures != b.failures:
        return False
    first, second = set(map(_name, seen)), set(map(_name, also))
    return (
        bool(first & second)
        or any(n.startswith(f"{o} and ") for n in second for o in first)
        or (a.invariant in _LEFT_BEHIND and _all_go_on(second, first, origins))
        or (b.invariant in _LEFT_BEHIND and _all_go_on(first, second, origins))
    )


def _all_go_on(these: set[str], those: set[str], origins: Mapping[str, Sequence[str]]) -> bool:
    return all(not those.isdisjoint(origins[name]) for name in these)


def _said(finding: Finding) -> tuple[str, str, str]:
    """A complaint about a function; several scenarios may show it."""
    said = _NUMBER.sub("#", _WHEN.sub("", finding.message).partition(" (with ")[0])
    if finding.invariant == Invariant.OUT_FIELDS and UNTOUCHED in said:
        said = UNTOUCHED  # an answer that does not come back has all its fields so
    where = (
        finding.where if finding.invariant == Invariant.CRASH else _OFFSET.sub("", finding.where)
    )
    return finding.invariant, said, where


def _name(title: str) -> str:
    """A scenario without its mode."""
    return title.rpartition("/")[0] or title
