# SPDX-License-Identifier: GPL-2.0-or-later
"""One mutant from its text to its verdict: does not compile, equivalent, killed by what, or survived.

A mutant is killed when the tool would have told its user: a finding, a doubt (``cannot tell``) or an
operation that the original handles and the mutant refuses.  Levels are asked from the fastest on, and
the first that objects ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import cache
from multiprocessing import get_context

from emu.booted.emulate import BootReport, emulate_image
from emu.findings.verdict import ObjectReport, Outcome
from emu.object import Depth, emulate_object
from emu.profile import Profile, load_profile
from tests.mutation.build import Tree, fingerprint
from tests.mutation.mutants import Mutant

PROFILE = "xen-pv-shim-4.10"
BY_COMPARISON = ("lost", "boot: ladder", "boot: behaviour")
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


@dataclass(frozen=True, slots=True)
class Original:
    """What the unchanged core is and does."""

    print: tuple[object, ...]
    passed: frozenset[tuple[str, str]]
    """(scenario, mode) of all that pass."""
    booted: BootReport


class NotSound(Exception):
    """The unchanged core has findings: nothing can be said of mutants of it."""


def original(tree: Tree) -> Original:
    """Judge the unchanged core; it must pass."""
    data = tree.original()
    report = _emulated(data, "explore")
    if report.outcome is not Outcome.PASSED:
        raise NotSound("; ".join(f"{f.scenario}: {f.message}" for f in report.findings))
    passed = frozenset((r.scenario, r.mode) for r in report.results if r.outcome is Outcome.PASSED)
    image = tree.image(data)
    if image is None:
        raise NotSound("the image does not link")
    booted = emulate_image(image, _profile())
    if booted.outcome is not Outcome.PASSED:
        raise NotSound("; ".join(f"{f.scenario}: {f.message}" for f in booted.findings))
    return Original(fingerprint(data), passed, booted)


def judge(tree: Tree, base: Original, mutant: Mutant) -> Judged:
    """Compile, compare, emulate."""
    data = tree.compile(mutant.path, mutant.text)
    if data is None:
        return Judged(mutant, Fate.NOT_COMPILED)
    if fingerprint(data) == base.print:
        return Judged(mutant, Fate.EQUIVALENT, "the same object")
    depths: tuple[Depth, ...] = ("scenarios", "explore")
    for depth in depths:
        objection = next(_objections(_emulated(data, depth), base), None)
        if objection is not None:
            return Judged(mutant, Fate.KILLED, *objection)
    image = tree.image(data)
    if image is None:
        return Judged(mutant, Fate.NOT_COMPILED)
    objection = next(_boot_objections(emulate_image(image, _profile()), base.booted), None)
    if objection is not None:
        return Judged(mutant, Fate.KILLED, *objection)
    return Judged(mutant, Fate.SURVIVED)


def _objections(report: ObjectReport, base: Original) -> Iterator[tuple[str, str]]:
    for finding in report.findings:
        yield finding.invariant, f"{finding.scenario}: {finding.message}"
    for result in report.results:
        if result.outcome is Outcome.CANNOT_TELL:
            yield "cannot tell", f"{result.scenario}/{result.mode}: {result.note}"
    for result in report.results:
        key = result.scenario, result.mode
        if result.outcome is Outcome.ABSENT and key in base.passed:
            yield "lost", f"{result.scenario}/{result.mode}: {result.note}"


def _boot_objections(report: BootReport, base: BootReport) -> Iterator[tuple[str, str]]:
    """What the booted level says that it does not say of the original."""
    for finding in report.findings:
        yield f"boot: {finding.invariant}", f"{finding.scenario}: {finding.message}"
    for now, then in zip(report.ladder, base.ladder, strict=False):
        if then.reached and not now.reached:
            yield "boot: ladder", f"{now.name} is not reached"
        elif now != then:
            yield "boot: ladder", f"{now.name}: {now.detail}, not {then.detail}"
    for row, was in zip(report.behaviour, base.behaviour, strict=False):
        if (row.title, row.treatment, row.result) != (was.title, was.treatment, was.result):
            yield "boot: behaviour", f"{row.title}: {row.treatment.value} {row.shown_result}"


def _emulated(data: bytes, depth: Depth) -> ObjectReport:
    return emulate_object(data, _profile(), depth=depth)


@cache
def _profile() -> Profile:
    return load_profile(PROFILE)


Level = Callable[[bytes], Iterator[tuple[str, str]]]


def judge_all(
    tree: Tree, chosen: Sequence[Mutant], jobs: int, tell: Callable[[Judged], None]
) -> tuple[list[Judged], float]:
    """Every mutant, ``jobs`` at a time and in their order; and the seconds it took."""
    started = time.perf_counter()
    base = original(tree)
    judged = []
    with ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (tree, base)) as pool:
        for result in pool.map(_work, chosen, chunksize=1):
            judged.append(result)
            tell(result)
    return judged, time.perf_counter() - started


_worker: dict[str, tuple[Tree, Original]] = {}


def _begin(tree: Tree, base: Original) -> None:
    _worker["of"] = tree, base


def _work(mutant: Mutant) -> Judged:
    return judge(*_worker["of"], mutant)


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
