# SPDX-License-Identifier: GPL-2.0-or-later
"""One mutant from its text to its verdict: does not compile, equivalent, killed by what, or survived.

A mutant is killed when the tool would have told its user: a finding, a doubt (``cannot tell``) or an
operation that the original handles and the mutant refuses.  What is wrong in the original counts for nothing.
Levels are asked from the fastest on, and the first that objects ends it, unless both are to be asked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import cache
from multiprocessing import get_context
from typing import Protocol

from emu.booted.emulate import BootReport, emulate_image
from emu.booted.variants import variants
from emu.elf.linked import parse_image
from emu.findings.boot_report import BehaviourRow, Treatment
from emu.findings.verdict import Finding, ObjectReport, Outcome
from emu.object import Depth, emulate_object
from emu.profile import Profile
from tests.mutation.build import fingerprint
from tests.mutation.mutants import Mutant

PROFILE = "xen-pv-shim-4.10"
_OFFSET = re.compile(r"\+0x[0-9a-f]+.*")
_NUMBER = re.compile(r"-?\b(?:0x[0-9a-f]+|\d+)\b")
ENOUGH = 3600
"""Seconds for other machines: a row that the time cuts off would be a difference."""
BY_COMPARISON = ("lost", "boot: ladder", "boot: behaviour", "deep")
"""What the tool tells by comparing a step with the one before or with a reference."""


class Fate(Enum):
    """What became of a mutant; only KILLED and SURVIVED count."""

    KILLED = "killed"
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"
    NOT_COMPILED = "does not compile"


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant's fate and what killed it."""

    mutant: Mutant
    fate: Fate
    by: str = ""
    """Invariant, ``expectation``, ``lost`` or ``cannot tell``."""
    detail: str = ""
    levels: tuple[bool, bool] | None = None
    """Whether the object and the booted level each see it, where both were asked."""


@dataclass(frozen=True, slots=True)
class Original:
    """What the unchanged core is and does."""

    print: tuple[object, ...]
    passed: frozenset[tuple[str, str]]
    """(scenario, mode) of all that pass."""
    booted: BootReport
    known: frozenset[tuple[str, str, str, str]] = frozenset()
    """What is wrong with it."""
    machines: tuple[BehaviourRow, ...] = ()
    """How it comes to its guest on other machines (--deep)."""


class Built(Protocol):
    """A tree whose core can be changed."""

    def __hash__(self) -> int: ...

    def mutants(self) -> list[Mutant]: ...

    def compile(self, path: str, text: str) -> bytes | None: ...

    def image(self, core: bytes) -> bytes | None: ...

    def original(self) -> bytes: ...

    def profile(self, name: str) -> Profile: ...


class NotSound(Exception):
    """The unchanged core has findings: nothing can be said of mutants of it."""


def original(tree: Built, *, sound: bool = True) -> Original:
    """Judge the unchanged core; ``sound``: it must pass."""
    data, profile = tree.original(), _profile(tree)
    report = emulate_object(data, profile, depth="explore")
    if sound and report.outcome is not Outcome.PASSED:
        raise NotSound("; ".join(f"{f.scenario}: {f.message}" for f in report.findings))
    passed = frozenset((r.scenario, r.mode) for r in report.results if r.outcome is Outcome.PASSED)
    image = tree.image(data)
    if image is None:
        raise NotSound("the image does not link")
    booted = emulate_image(image, profile)
    if sound and booted.outcome is not Outcome.PASSED:
        raise NotSound("; ".join(f"{f.scenario}: {f.message}" for f in booted.findings))
    known = frozenset(key_of(finding) for finding in (*report.findings, *booted.findings))
    machines = _on_machines(image, profile)
    return Original(fingerprint(data), passed, booted, known, machines)


def _on_machines(image: bytes, profile: Profile) -> tuple[BehaviourRow, ...]:
    return tuple(variants(parse_image(image), profile, ENOUGH))


def key_of(finding: Finding) -> tuple[str, str, str, str]:
    """Without numbers and places within a function, which move with any change."""
    where = _OFFSET.sub("", finding.where)
    return finding.invariant, finding.scenario, where, _NUMBER.sub("#", finding.message)


def judge(tree: Built, base: Original, mutant: Mutant, *, both: bool = False) -> Judged:
    """Compile, compare, emulate; ``both``: boot also what the object level has seen."""
    data = tree.compile(mutant.path, mutant.text)
    if data is None:
        return Judged(mutant, Fate.NOT_COMPILED)
    if fingerprint(data) == base.print:
        return Judged(mutant, Fate.EQUIVALENT, "the same object")
    seen = _of_object(data, base, _profile(tree))
    if seen is not None and not both:
        return Judged(mutant, Fate.KILLED, *seen)
    image = tree.image(data)
    if image is None:
        return Judged(mutant, Fate.NOT_COMPILED)
    booted = next(_boot_objections(emulate_image(image, _profile(tree)), base), None)
    levels = (seen is not None, booted is not None) if both else None
    if seen is None and booted is None:
        now = _on_machines(image, _profile(tree))
        others = (
            ("deep", f"{row.title}: {row.treatment.value} {row.note}")
            for row, was in zip(now, base.machines, strict=True)
            if (row.treatment, row.note) != (was.treatment, was.note)
        )
        booted = next(others, None)
    objection = seen or booted
    if objection is not None:
        return Judged(mutant, Fate.KILLED, *objection, levels)
    return Judged(mutant, Fate.SURVIVED, levels=levels)


def _of_object(data: bytes, base: Original, profile: Profile) -> tuple[str, str] | None:
    depths: tuple[Depth, ...] = ("scenarios", "explore")
    for depth in depths:
        report = emulate_object(data, profile, depth=depth)
        objection = next(_objections(report, base), None)
        if objection is not None:
            return objection
    return None


def _objections(report: ObjectReport, base: Original) -> Iterator[tuple[str, str]]:
    for finding in report.findings:
        if key_of(finding) not in base.known:
            yield finding.invariant, f"{finding.scenario}: {finding.message}"
    for result in report.results:
        if result.outcome is Outcome.CANNOT_TELL:
            yield "cannot tell", f"{result.scenario}/{result.mode}: {result.note}"
    for result in report.results:
        key = result.scenario, result.mode
        if result.outcome is Outcome.ABSENT and key in base.passed:
            yield "lost", f"{result.scenario}/{result.mode}: {result.note}"


def _boot_objections(report: BootReport, base: Original) -> Iterator[tuple[str, str]]:
    """What the booted level says that it does not say of the original.

    Where that crashes, it goes by whatever lies there, and any change moves it.
    """
    lost = {row.title for row in base.booted.behaviour if row.treatment is Treatment.CRASHED}
    for finding in report.findings:
        if key_of(finding) not in base.known and finding.scenario not in lost:
            yield f"boot: {finding.invariant}", f"{finding.scenario}: {finding.message}"
    for now, then in zip(report.ladder, base.booted.ladder, strict=False):
        if then.reached and not now.reached:
            yield "boot: ladder", f"{now.name} is not reached"
        elif now != then:
            yield "boot: ladder", f"{now.name}: {now.detail}, not {then.detail}"
    for row, was in zip(report.behaviour, base.booted.behaviour, strict=False):
        if row.title in lost:
            continue
        if (row.title, row.treatment, row.result) != (was.title, was.treatment, was.result):
            yield "boot: behaviour", f"{row.title}: {row.treatment.value} {row.shown_result}"


@cache
def _profile(tree: Built) -> Profile:
    return tree.profile(PROFILE)


Level = Callable[[bytes], Iterator[tuple[str, str]]]


def judge_all(
    tree: Built,
    chosen: Sequence[Mutant],
    jobs: int,
    tell: Callable[[Judged], None],
    *,
    outside: bool = False,
) -> tuple[list[Judged], float]:
    """Every mutant, ``jobs`` at a time and in their order; and the seconds it took.  ``outside``: of a core
    that need not be sound, at both levels."""
    started = time.perf_counter()
    base = original(tree, sound=not outside)
    judged = []
    with ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (tree, base, outside)) as pool:
        for result in pool.map(_work, chosen, chunksize=1):
            judged.append(result)
            tell(result)
    return judged, time.perf_counter() - started


_worker: dict[str, tuple[Built, Original, bool]] = {}


def _begin(tree: Built, base: Original, outside: bool) -> None:
    _worker["of"] = tree, base, outside


def _work(mutant: Mutant) -> Judged:
    tree, base, outside = _worker["of"]
    return judge(tree, base, mutant, both=outside)


def explained(judged: Sequence[Judged], reasons: Mapping[str, Reason]) -> list[Judged]:
    """Survivors that a person has read and found to be equivalent are taken for that."""
    found = []
    for one in judged:
        reason = reasons.get(one.mutant.name)
        if one.fate is Fate.SURVIVED and reason is not None and reason.applies(one.mutant):
            fate = Fate.EQUIVALENT if reason.equivalent else Fate.SURVIVED
            one = Judged(one.mutant, fate, "read", reason.text)
        found.append(one)
    return found


@dataclass(frozen=True, slots=True)
class Reason:
    """What a person says of one survivor, and of which change it was said."""

    change: str
    text: str
    equivalent: bool

    def applies(self, mutant: Mutant) -> bool:
        return mutant.change == self.change
