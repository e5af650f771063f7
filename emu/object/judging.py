# SPDX-License-Identifier: GPL-2.0-or-later
"""One case, in every way in which it may go.

As it is, with three stack poisons, comparing what leaves the core; and, for `explore`, with the k-th
interaction failed for every k, then every pair, and with drawn inputs.  A guest access that faults is
an interaction like any other.  On a real core failing every k lifted block coverage of the two operations
from about 60% to over 80% and takes a tenth of a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from emu import abi
from emu.abi import Mode
from emu.errors import LayoutError, NotThere
from emu.findings.invariant import Invariant
from emu.findings.verdict import Finding, Outcome, ScenarioResult
from emu.interactions import Plan
from emu.object import expectations
from emu.object.borrowed import SAME
from emu.object.call import Crashed, Run
from emu.object.inputs import INPUTS, described, drawn
from emu.object.leaving import differences, leaving
from emu.object.machine import Machine
from emu.object.observed import AFTER_RETURN, AGAIN, ALWAYS, Observed
from emu.object.selection import Selection
from emu.profile.scenario import Case
from emu.rules.failures import worth_asking_again
from emu.spaces import NOWHERE, LinearAddr

Depth = Literal["scenarios", "explore"]
POISONS = (0xFF, 0x00, 0xA5)
"""The first two differ in every bit and in being zero: between them any one value that was never written
shows.  The third is for what an addition or a comparison of two such values would hide."""
MAX_SINGLE = 200
"""Interactions of one case that are made to fail."""
MAX_PAIRS = 100
"""Pairs of them.  Each case has its own bound, so that what is tried does not depend on the others; a real
core has 36 at most."""
MAX_FINDINGS = 20
"""Of one scenario; a core that is broken throughout need not say so a thousand times."""


@dataclass(slots=True)
class Judge:
    """Runs one case in every way that the depth asks for and collects what it finds."""

    machine: Machine
    case: Case
    pairs_left: int = MAX_PAIRS
    findings: list[Finding] = field(default_factory=list)
    causes: dict[tuple[str, str, str], list[frozenset[str]]] = field(default_factory=dict)
    """For each thing found: the sets of failures that brought it about, none a superset of another."""
    input: Case | None = None
    """What was drawn, while it is tried."""
    unknown: dict[str, None] = field(default_factory=dict)
    doubt: str = ""
    """Why a probe cannot be of this core, where a plain run shows it."""
    lacking: str = ""
    """What a scenario asks for that a core may lack."""

    def result(self, depth: Depth, selection: Selection, *, draw: bool = False) -> ScenarioResult:
        """``draw``: also with drawn inputs, since this is its operation's first case."""
        machine, scenario = self.machine, self.case.scenario
        if machine.entry(scenario.entry) is None:
            names = " or ".join(machine.profile.entries[scenario.entry].symbols)
            return self._neutral(Outcome.ABSENT, f"the object has no {names}")
        try:
            if selection.drawn is not None:
                return self._drawn(selection.drawn)
            return self._judge(depth, selection.numbers, draw)
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

    def _drawn(self, number: int) -> ScenarioResult:
        """One drawn input alone."""
        return self._concluded(self._run_drawn(number))

    def _judge(self, depth: Depth, numbers: frozenset[int] | None, draw: bool) -> ScenarioResult:
        base = self._run(numbers or frozenset(), expect=numbers is None)
        scenario = self.case.scenario
        if base.context.strange and numbers is None:
            self.doubt = why_strange(base)
        elif self._refused(base):
            refusal = abi.result_name(base.result)
            return self._neutral(Outcome.ABSENT, f"{scenario.operation} is refused with {refusal}")
        wanted = depth == "explore" and scenario.explore and numbers is None
        if wanted and not base.no_model and not base.context.strange and not _endless(base):
            self._explore(len(base.context.plan.seen))
            for number in range(INPUTS if draw else 0):
                self._run_drawn(number)
        if self.lacking and not self.findings:
            return self._neutral(Outcome.ABSENT, self.lacking)
        return self._concluded(base)

    def _concluded(self, base: Run) -> ScenarioResult:
        scenario = self.case.scenario
        end = len(base.context.l0.calls) - len(base.calls_again)
        calls = tuple(base.context.l0.calls[base.calls_before : end])
        outcome, note = Outcome.PASSED, ""
        if self.unknown:
            outcome, note = Outcome.CANNOT_TELL, "; ".join(self.unknown)
        if any(not finding.accepted for finding in self.findings):
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
                self._run(frozenset({first, second}))

    def _run(self, numbers: frozenset[int], *, expect: bool = False) -> Run:
        """The case with these interactions failed: the more of them, the fewer poisons."""
        poisons = POISONS[: max(len(POISONS) - len(numbers), 1)]
        rerun = self.case.title + ("!" + ",".join(map(str, sorted(numbers))) if numbers else "")
        return self._compare(self.case, numbers, rerun, poisons, expect=expect)

    def _run_drawn(self, number: int) -> Run:
        self.input = drawn(self.case, number)
        try:
            return self._compare(
                self.input, frozenset(), f"{self.case.title}?{number}", POISONS[:2]
            )
        finally:
            self.input = None

    def _compare(
        self,
        case: Case,
        numbers: frozenset[int],
        rerun: str,
        poisons: tuple[int, ...],
        *,
        expect: bool = False,
    ) -> Run:
        """One way of running the case: judged with the first poison, compared with the others."""
        machine, kinds = self.machine, case.scenario.fail
        run = machine.run(case, Plan(numbers, kinds), poisons[0])
        self._judge_run(run, rerun, expect=expect)
        traces = leaving(run)
        self._ask_again(run, rerun, poisons[0])
        untrusted = run.context.l0.unknown or run.context.strange
        for poison in () if _endless(run) or untrusted else poisons[1:]:
            other = machine.run(case, Plan(numbers, kinds), poison)
            for message in differences(traces, leaving(other)):
                self._find(Invariant.STACK, message, NOWHERE, run, rerun)
        return run

    def _ask_again(self, run: Run, rerun: str, poison: int) -> None:
        """Whether a failure has been one for good; `run` is not looked at any more after it.

        What goes wrong in a plain run goes wrong in this one too, and is not told again.
        """
        seen = Observed(self.machine, run)
        plain = any(not finding.failures and not finding.drawn for finding in self.findings)
        if plain or run.context.strange or not worth_asking_again(seen):
            return
        again = self.machine.ask_again(run, poison)
        run.calls_again = tuple(run.context.l0.calls[again.calls_before :])
        if again.no_model or again.ended or run.context.l0.unknown or run.context.strange:
            return
        if again.crash is not None:
            message = f"asked again, when nothing fails, it does not return: {again.crash.message}"
            self._find(AGAIN.name, message, again.crash.address, run, rerun, again.calls_before)
        run.again = again.result
        if not self.case.scenario.may_lack:
            run.amiss_again = tuple(expectations.unmet_again(self.machine, again))
        for message, address, _ in AGAIN.check(seen):
            self._find(AGAIN.name, message, address, run, rerun, again.calls_before)

    def _judge_run(self, run: Run, rerun: str, *, expect: bool) -> None:
        context = run.context
        for (
            op
        ) in context.l0.unknown:  # what it did with an answer that is none of L0's says nothing
            self.unknown.setdefault(f"L0 is asked for {op}, which is not modelled")
        if context.l0.unknown:
            return
        if context.strange:
            self.unknown.setdefault(why_strange(run))
            return
        for violation in context.violations:
            said = violation.invariant, violation.message, violation.address
            self._find(*said, run, rerun, calls=violation.calls)
        if run.no_model:
            self.unknown.setdefault(run.no_model)
        elif run.crash is not None and not _fail_stop(run.crash, run):
            invariant, message, address, _ = run.crash
            self._find(invariant, message, address, run, rerun)
        seen = Observed(self.machine, run)
        for rule in AFTER_RETURN if run.result is not None else ALWAYS:
            for message, address, _ in rule.check(seen):
                self._find(rule.name, message, address, run, rerun)
        if expect and (run.result is not None or run.ended) and not self._refused(run):
            for message in expectations.unmet(self.machine, run):
                if self.case.scenario.may_lack:
                    self.lacking = self.lacking or message
                else:
                    self._find(Invariant.EXPECTATION, message, NOWHERE, run, rerun)

    def _find(
        self,
        invariant: str,
        message: str,
        address: LinearAddr,
        run: Run,
        rerun: str,
        calls: int | None = None,
    ) -> None:
        """``calls``: how many went to L0 before it was seen; all of them, where None."""
        failures = frozenset(i.kind for i in run.context.plan.injected)
        where = self.machine.where(address) if address else self.case.scenario.operation
        causes = self.causes.setdefault((invariant, message, where), [])
        if len(self.findings) >= MAX_FINDINGS or any(cause <= failures for cause in causes):
            return
        causes.append(failures)
        if failures:
            message += " (when " + " and ".join(f"{kind} fails" for kind in sorted(failures)) + ")"
        if self.input is not None:
            message += f" ({described(self.input)})"
        went_before = tuple(run.context.l0.calls[run.calls_before : calls])
        title = self.case.title
        drawn = self.input is not None
        said = invariant, message, where, title, went_before, rerun
        why = self.machine.profile.why_accepted(invariant, where, message)
        before = self.case.scenario.before
        self.findings.append(Finding(*said, tuple(sorted(failures)), drawn, why, before))


def why_strange(run: Run) -> str:
    """What of the core does not fit the types that its probe has."""
    case = run.case.title
    return f"the core {run.context.strange} (in {case}): {SAME}, or name the field in the profile's [uses]"


def _endless(run: Run) -> bool:
    """A call that used up its budget: once is enough."""
    return run.crash is not None and run.crash.invariant is Invariant.BUDGET


def _fail_stop(crash: Crashed, run: Run) -> bool:
    """BUG or panic after L0 refused what it cannot refuse: the core is right not to go on."""
    return crash.deliberate and not run.context.plan.possible
