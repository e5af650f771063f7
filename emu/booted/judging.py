# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of each operation when a booted guest asks for it.

The scenarios are those of the object level, as far as a guest can bring them about: ports are opened by
the guest's own hypercalls, and only L0 can be made to fail.  Every scenario is run once as it is and
once for each call to L0 that it makes, with that call failing (unless its table says that this is enough).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from emu.booted.attempt import Attempts
from emu.booted.drive import Drive, count_vcpus
from emu.booted.ending import Ended
from emu.booted.expectations import REFUSALS, unmet
from emu.booted.ground import CannotPrepare
from emu.booted.observed import RULES, Observed
from emu.booted.paging import NotMapped
from emu.booted.selection import Selection, cases
from emu.booted.stories import STORIES, second
from emu.booted.stories.telling import Story, run_story, unreached
from emu.findings.boot_report import BehaviourRow, Milestone, Treatment
from emu.findings.invariant import Invariant
from emu.findings.verdict import Finding
from emu.profile import PROBE, Profile
from emu.profile.scenario import Case, ExpectedCall, Scenario, Value
from emu.spaces import NOWHERE, LinearAddr

MAX_FAILURES = 24
"""Calls to L0 of one scenario that are made to fail."""
MAX_FINDINGS = 12
MAX_ENDLESS = 6
"""Each takes seconds, and they tend to be the same thing."""


@dataclass(slots=True)
class Judge:
    """Runs the cases of one booted guest."""

    drive: Drive
    profile: Profile
    only: Selection
    milestones: tuple[Milestone, ...] = ()
    """How far the second processor came."""
    _attempts: Attempts = field(init=False)
    _last_vcpu: int = 0

    def __post_init__(self) -> None:
        self._attempts = Attempts(self.drive, self.profile)
        most = self.drive.machine.settings.vcpus
        self._last_vcpu = count_vcpus(self.drive, self._attempts.setup, most) - 1

    def rows(self) -> Iterator[BehaviourRow]:
        for case in cases(self.profile, self.drive.kernel.mode):
            if not self.only.takes(case.scenario.name, case.mode):
                continue
            if self._attempts.endless >= MAX_ENDLESS:
                note = f"not tried: {MAX_ENDLESS} others did not finish"
                yield self._untried(case, note)
            else:
                yield self._row(Case(self._fitted(case.scenario), case.mode))

        for story in STORIES:
            if self._wanted(story):
                yield self.tell(story)
        if any(self._wanted(told) for told in (second.UP, *second.STORIES)):
            yield from self._second()

    def _wanted(self, told: Story) -> bool:
        return self.only.takes(told.name, self.drive.kernel.mode)

    def _second(self) -> Iterator[BehaviourRow]:
        """With the second vcpu brought up, everything else begins there."""
        drive = self.drive
        row = run_story(drive, self._attempts.setup, second.UP)
        self.milestones = second.milestones(drive)
        yield row
        if not self.milestones[1].reached:
            return
        drive.rebase()
        for told in second.STORIES:
            if self._wanted(told):
                yield self.tell(told)

    def _row(self, case: Case) -> BehaviourRow:
        scenario = case.scenario
        number = self.only.number
        failing = frozenset[int]() if number is None else frozenset({number})
        try:
            seen = self._attempts.make(case, failing)
        except CannotPrepare as exc:
            return self._untried(case, str(exc))
        except Ended as exc:
            missing = self.drive.limits(exc)
            return self._unjudged(case, missing) if missing else self._crashed(case, exc)
        except NotMapped as exc:  # an image that has entered a guest without its memory
            lost = Ended(
                Invariant.CRASH, f"the guest's memory is gone: {exc}", self.drive.kernel.start
            )
            return self._crashed(case, lost)
        if seen.limits:
            return self._unjudged(case, seen.limits)
        treatment = self._treatment(case, seen)
        due = self._is_due(scenario)
        findings = _Findings(self.drive, self.profile, case, due)
        doubt = self._wrong_about_the_tree(scenario, seen)
        expect = number is None and not scenario.may_lack and due
        findings.judge(seen, expect=expect and not doubt)
        more = number is None and scenario.explore
        if more and treatment is not Treatment.REFUSED and seen.answer.end is None:
            for index, interaction in enumerate(seen.plan.seen[:MAX_FAILURES]):
                if not interaction.legal:  # that it stops then is right, and takes five seconds
                    continue
                again = self._attempts.make(case, frozenset({index}))
                if again.limits:
                    doubt = doubt or again.limits
                else:
                    findings.judge(again, expect=False)
        if doubt and not findings.found:
            return self._unjudged(case, doubt)
        return BehaviourRow(
            scenario.name,
            scenario.operation,
            case.mode,
            treatment,
            seen.answer.result,
            seen.answer.calls,
            tuple(findings.found),
        )

    @staticmethod
    def _wrong_about_the_tree(scenario: Scenario, seen: Observed) -> tuple[str, ...]:
        """What a probe that is about none of the shim's functions expects and does not find: then it is the
        profile that is wrong."""
        if scenario.entry != PROBE or scenario.needs:
            return ()
        return tuple(f"the profile expects otherwise: {message}" for message in unmet(seen))

    def _unjudged(self, case: Case, missing: tuple[str, ...]) -> BehaviourRow:
        """The emulation lacks something for it."""
        scenario, note = case.scenario, "; ".join(missing)
        return BehaviourRow(
            scenario.name, scenario.operation, case.mode, Treatment.UNJUDGED, None, note=note
        )

    def _is_due(self, scenario: Scenario) -> bool:
        """Whether the image has what a scenario is about: before, what it answers is its own affair."""
        has = self.drive.machine.image.symbols
        if scenario.entry == PROBE:
            entries = self.profile.entries.values()
            return any(symbol in has for entry in entries for symbol in entry.symbols) and all(
                symbol in has for symbol in scenario.needs
            )
        return self._has(scenario.entry)

    def _has(self, entry: str) -> bool:
        """Whether the image has one of the functions that the profile names for an entry."""
        has, known = self.drive.machine.image.symbols, self.profile.entries.get(entry)
        return known is None or any(symbol in has for symbol in known.symbols)

    def tell(self, told: Story) -> BehaviourRow:
        """What became of it; nothing where the image has not what it is about."""
        if self._has(told.entry):
            return run_story(self.drive, self._attempts.setup, told)
        why = f"the image has no {self.profile.entries[told.entry].symbols[0]}"
        return unreached(told, self.drive.kernel.mode, why)

    def _untried(self, case: Case, note: str) -> BehaviourRow:
        return BehaviourRow(
            case.scenario.name,
            case.scenario.operation,
            case.mode,
            Treatment.UNREACHED,
            None,
            note=note,
        )

    def _crashed(self, case: Case, end: Ended) -> BehaviourRow:
        """What was to prepare the ground brought the image down."""
        self._attempts.endless += end.kind is Invariant.LOOP
        where = self.drive.machine.image.where(end.address)
        message = f"an earlier call of the guest does not return: {end.message}"
        finding = Finding(Invariant.CRASH, message, where, case.title, rerun=case.title)
        operation = case.scenario.operation
        return BehaviourRow(
            case.scenario.name, operation, case.mode, Treatment.CRASHED, None, (), (finding,)
        )

    def _treatment(self, case: Case, seen: Observed) -> Treatment:
        answer = seen.answer
        forwarded = any(call.op == case.scenario.operation for call in answer.calls)
        if answer.end is not None and not (answer.end.kind is Invariant.SHUTDOWN and forwarded):
            return Treatment.CRASHED
        if forwarded:
            return Treatment.FORWARDED
        if answer.result in REFUSALS and not answer.calls:
            return Treatment.REFUSED
        return Treatment.LOCAL

    def _fitted(self, scenario: Scenario) -> Scenario:
        """The scenario with the guest's last vcpu where the profile names one that it has not."""
        last = self._last_vcpu

        def fit(pairs: tuple[tuple[str, Value], ...]) -> tuple[tuple[str, Value], ...]:
            return tuple((n, self._vcpu(v, last) if n == "vcpu" else v) for n, v in pairs)

        return replace(
            scenario,
            fields=fit(scenario.fields),
            out=fit(scenario.out),
            expect=tuple(ExpectedCall(call.op, fit(call.fields)) for call in scenario.expect),
            ports=tuple(
                replace(port, vcpu=min(port.vcpu, last) if port.vcpu else port.vcpu)
                for port in scenario.ports
            ),
        )

    def _vcpu(self, value: Value, last: int) -> Value:
        known = isinstance(value, int) and value < self.profile.world.vcpus
        return min(value, last) if known and isinstance(value, int) else value


@dataclass(slots=True)
class _Findings:
    """What was found in one case, each thing once."""

    drive: Drive
    profile: Profile
    case: Case
    due: bool
    """The image has what the case is about."""
    found: list[Finding] = field(default_factory=list)
    _known: set[tuple[str, str]] = field(default_factory=set)

    def judge(self, seen: Observed, *, expect: bool) -> None:
        plain = any(not finding.failures for finding in self.found)
        for rule in RULES:
            if rule.forwarding and not self.due:
                continue
            if rule.name is Invariant.AGAIN and plain:  # it goes wrong in this one, too
                continue
            for broken in rule.check(seen):
                self._add(rule.name, broken.message, broken.address, seen, broken.operation)
        if expect:
            for message in unmet(seen):
                self._add(Invariant.EXPECTATION, message, NOWHERE, seen)

    def _add(
        self,
        invariant: Invariant,
        message: str,
        address: LinearAddr,
        seen: Observed,
        operation: str = "",
    ) -> None:
        """``operation``: the one that breaks the rule, where that is not the case's own."""
        if len(self.found) >= MAX_FINDINGS or (invariant, message) in self._known:
            return
        self._known.add((invariant, message))
        numbers = ",".join(map(str, sorted(seen.plan.numbers)))
        if seen.plan.injected:
            message += f" (when {' and '.join(i.kind for i in seen.plan.injected)} fails)"
        image = self.drive.machine.image
        where = image.where(address) if address else operation or self.case.scenario.operation
        self.found.append(
            Finding(
                invariant,
                message,
                where,
                self.case.title,
                seen.answer.calls,
                self.case.title + (f"!{numbers}" if numbers else ""),
                tuple(i.kind for i in seen.plan.injected),
                accepted=self.profile.why_accepted(invariant, where, message),
                goes_on_from=self.case.scenario.before,
            )
        )
