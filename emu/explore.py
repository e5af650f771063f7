# SPDX-License-Identifier: GPL-2.0-or-later
"""From a table of scenarios to verdicts, and beyond the table: every way in which a call may fail.

`scenarios` runs each scenario with three stack poisons and compares what leaves the core.
`explore` also fails the k-th interaction for every k, then every pair; a guest access that faults is
an interaction like any other.  On a real core failing every k lifted block coverage of the two
operations from about 60% to over 80% and takes a tenth of a second.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emu import abi, expectations
from emu.context import Plan
from emu.coverage import measure
from emu.errors import EmuError, LayoutError, NotThere
from emu.invariants import AFTER_RETURN, ALWAYS
from emu.scenario import Case
from emu.verdict import Finding, ObjectReport, Outcome, ScenarioResult, overall

if TYPE_CHECKING:
    from emu.abi import Mode
    from emu.object import Depth, Machine, Run

POISONS = (0xA5, 0x5A, 0x00)
MAX_SINGLE = 200
"""Interactions of one scenario that are made to fail."""
MAX_PAIRS = 6000
"""Pairs of failures tried on one object."""
MAX_FINDINGS = 20
"""Of one scenario; a core that is broken throughout need not say so a thousand times."""
_ONLY = re.compile(r"(?P<name>[^/!]+)(?:/(?P<mode>64|compat))?(?:!(?P<numbers>\d+(?:,\d+)*))?")


@dataclass(frozen=True, slots=True)
class Selection:
    """What ``only`` asks for: ``name``, ``name/mode``, ``name/mode!3`` or ``name/mode!3,5``."""

    name: str = ""
    mode: str = ""
    numbers: frozenset[int] | None = None

    @classmethod
    def parse(cls, text: str | None, machine: Machine) -> Selection:
        if text is None:
            return cls()
        match = _ONLY.fullmatch(text)
        names = [scenario.name for scenario in machine.profile.scenarios]
        if match is None or match["name"] not in names:
            raise EmuError(
                f"no scenario {text!r}", machine.profile.origin, f"there are: {', '.join(names)}"
            )
        numbers = match["numbers"]
        return cls(
            match["name"],
            match["mode"] or "",
            frozenset(int(n) for n in numbers.split(",")) if numbers else None,
        )

    def takes(self, case: Case) -> bool:
        return (not self.name or case.scenario.name == self.name) and (
            not self.mode or case.mode == self.mode
        )


def judge_object(
    machine: Machine, digest: str, depth: Depth, only: str | None, started: float
) -> ObjectReport:
    """Every case that ``only`` leaves, in the order of the profile."""
    selection = Selection.parse(only, machine)
    pairs_left = MAX_PAIRS
    results = []
    for scenario in machine.profile.scenarios:
        for mode in scenario.modes:
            case = Case(scenario, mode)
            if selection.takes(case):
                judge = _Judge(machine, case, pairs_left)
                results.append(judge.result(depth, selection.numbers))
                pairs_left = judge.pairs_left
    return ObjectReport(
        profile=machine.profile.name,
        profile_digest=machine.profile.digest,
        object_digest=digest,
        depth=depth,
        outcome=overall(tuple(results)),
        results=tuple(results),
        coverage=measure(machine),
        calls=machine.calls,
        seconds=time.perf_counter() - started,
    )


@dataclass(slots=True)
class _Judge:
    """Runs one case in every way that the depth asks for and collects what it finds."""

    machine: Machine
    case: Case
    pairs_left: int
    findings: list[Finding] = field(default_factory=list)
    causes: dict[tuple[str, str, str], list[frozenset[str]]] = field(default_factory=dict)
    """For each thing found: the sets of failures that brought it about, none a superset of another."""
    unknown: dict[str, None] = field(default_factory=dict)
    lacking: str = ""
    """What a scenario asks for that a core may lack."""

    def result(self, depth: Depth, numbers: frozenset[int] | None) -> ScenarioResult:
        machine, scenario = self.machine, self.case.scenario
        if machine.entry(scenario.entry) is None:
            names = " or ".join(machine.profile.entries[scenario.entry].symbols)
            return self._neutral(Outcome.ABSENT, f"the object has no {names}")
        try:
            return self._judge(depth, numbers)
        except NotThere as exc:
            return self._neutral(Outcome.ABSENT, exc.what)
        except LayoutError as exc:
            return self._neutral(Outcome.CANNOT_TELL, str(exc))

    def _neutral(self, outcome: Outcome, note: str) -> ScenarioResult:
        scenario = self.case.scenario
        return ScenarioResult(
            scenario.name, scenario.entry, scenario.operation, self._mode, outcome, None, note=note
        )

    @property
    def _mode(self) -> Mode:
        return self.case.mode

    def _judge(self, depth: Depth, numbers: frozenset[int] | None) -> ScenarioResult:
        base = self._run(numbers or frozenset(), expect=numbers is None)
        calls = tuple(base.context.l0.calls[base.calls_before :])
        scenario = self.case.scenario
        if self._refused(base):
            refusal = abi.result_name(base.result)
            return self._neutral(Outcome.ABSENT, f"{scenario.operation} is refused with {refusal}")
        if depth == "explore" and numbers is None and not base.no_model and not _endless(base):
            self._explore(len(base.context.plan.seen))
        if self.lacking and not self.findings:
            return self._neutral(Outcome.ABSENT, self.lacking)
        outcome, note = Outcome.PASSED, ""
        if self.unknown:
            outcome, note = Outcome.CANNOT_TELL, "; ".join(self.unknown)
        if self.findings:
            outcome = Outcome.FAILED
        return ScenarioResult(
            scenario.name,
            scenario.entry,
            scenario.operation,
            self._mode,
            outcome,
            base.result,
            calls,
            tuple(self.findings),
            note,
        )

    def _refused(self, run: Run) -> bool:
        """Whether the core says that it does not know the operation, where the scenario thinks it does."""
        entry = self.machine.profile.entries[self.case.scenario.entry]
        wanted = self.case.scenario.result
        return (
            run.result in entry.refusals
            and not any(value in entry.refusals for value in wanted)
            and len(run.context.l0.calls) == run.calls_before
        )

    def _explore(self, count: int) -> None:
        for first in range(min(count, MAX_SINGLE)):
            run = self._run(frozenset({first}))
            for second in range(first + 1, min(len(run.context.plan.seen), MAX_SINGLE)):
                if self.pairs_left <= 0:
                    break
                self.pairs_left -= 1
                self._run(frozenset({first, second}), poisons=POISONS[:1])

    def _run(
        self, numbers: frozenset[int], *, expect: bool = False, poisons: tuple[int, ...] = POISONS
    ) -> Run:
        """One way of running the case: judged with the first poison, compared with the others."""
        machine = self.machine
        kinds = self.case.scenario.fail
        run = machine.run(self.case, Plan(numbers, kinds), poisons[0])
        rerun = self.case.title + ("!" + ",".join(map(str, sorted(numbers))) if numbers else "")
        self._judge_run(run, rerun, expect=expect)
        traces = _leaving(machine, run)
        for poison in () if _endless(run) else poisons[1:]:
            other = machine.run(self.case, Plan(numbers, kinds), poison)
            for message in _differences(traces, _leaving(machine, other)):
                self._find("stack contents", message, 0, run, rerun)
        return run

    def _judge_run(self, run: Run, rerun: str, *, expect: bool) -> None:
        context = run.context
        for violation in context.violations:
            self._find(violation.invariant, violation.message, violation.address, run, rerun)
        for op in context.l0.unknown:
            self.unknown.setdefault(f"L0 is asked for {op}, of which nothing is known")
        if run.no_model:
            self.unknown.setdefault(
                f"{run.no_model} is called, and the profile gives no model for it"
            )
        elif run.crash is not None:
            invariant, message, address = run.crash
            if not _fail_stop(run):
                self._find(invariant, message, address, run, rerun)
        checks = AFTER_RETURN if run.result is not None else ALWAYS
        for invariant_class in checks:
            for message, address in invariant_class.check(self.machine, run):
                self._find(invariant_class.name, message, address, run, rerun)
        if expect and (run.result is not None or run.ended) and not self._refused(run):
            for message in expectations.unmet(self.machine, run):
                if self.case.scenario.may_lack:
                    self.lacking = self.lacking or message
                else:
                    self._find(expectations.NAME, message, 0, run, rerun)

    def _find(self, invariant: str, message: str, address: int, run: Run, rerun: str) -> None:
        failures = frozenset(i.kind for i in run.context.plan.injected)
        where = self.machine.where(address) if address else self.case.scenario.operation
        causes = self.causes.setdefault((invariant, message, where), [])
        if len(self.findings) >= MAX_FINDINGS or any(cause <= failures for cause in causes):
            return
        causes.append(failures)
        if failures:
            message += " (when " + " and ".join(f"{kind} fails" for kind in sorted(failures)) + ")"
        calls = tuple(run.context.l0.calls[run.calls_before :])
        self.findings.append(Finding(invariant, message, where, self.case.title, calls, rerun))


def _endless(run: Run) -> bool:
    """A call that used up its budget: once is enough."""
    return run.crash is not None and run.crash[0] == "budget"


def _fail_stop(run: Run) -> bool:
    """BUG or panic after L0 refused what it cannot refuse: the core is right not to go on."""
    assert run.crash is not None
    return run.crash[1].startswith(("BUG", "panic")) and any(
        not i.legal for i in run.context.plan.injected
    )


Leaving = dict[str, bytes | str]


def _leaving(machine: Machine, run: Run) -> Leaving:
    """Everything that leaves the core, by a name for the message: must not depend on the stack."""
    found: Leaving = {"the result": abi.result_name(run.result), "the crash": str(run.crash)}
    for number, (op, struct, raw) in enumerate(run.context.l0.raw):
        for member in struct.members:
            content = raw[member.offset : member.offset + member.size]
            found[f"{member.name} of {op} (L0 call {number})"] = content
    for number, (_, content) in enumerate(run.context.guest_writes):
        for offset in range(0, len(content), 4):
            found[f"bytes {offset}-{offset + 3} of copy {number} to the guest"] = content[
                offset : offset + 4
            ]
    found["the sequence of L0 calls"] = " ".join(call.op for call in run.context.l0.calls)
    return found


def _differences(one: Leaving, other: Leaving) -> Iterator[str]:
    for name, value in one.items():
        if other.get(name) != value:
            yield f"{name} depends on what the stack held before"
