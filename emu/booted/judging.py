# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of each operation when a booted guest asks for it.

The scenarios are those of the object level, as far as a guest can bring them about: ports are opened by
the guest's own hypercalls, and only L0 can be made to fail.  Every scenario is run once as it is and
once for each call to L0 that it makes, with that call failing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from emu import abi
from emu.booted.checks import CHECKS, Observed, unmet
from emu.booted.drive import ABSENT, Answer, Drive
from emu.booted.ending import Ended
from emu.booted.paging import NotMapped
from emu.booted.settings import l0_setup
from emu.booted.stories import STORIES, pv_console, second
from emu.booted.stories.story import Story, run_story, unreached
from emu.elf import PAGE
from emu.errors import EmuError
from emu.findings.boot_report import BehaviourRow, Milestone, Treatment
from emu.findings.verdict import Finding
from emu.guest.kernel import BUFFER_PAGES
from emu.interactions import Plan
from emu.l0 import L0Setup
from emu.profile import PROBE, Profile
from emu.profile.scenario import (
    FIRST_UNUSED_PAGE,
    Case,
    ExpectedCall,
    PortState,
    Scenario,
    Value,
)

BUFFER_OFFSET = 0x100
ALLOCATE = b"\xf0\x7f\0\0\0\0\0\0"
"""struct evtchn_alloc_unbound of DOMID_SELF for domain 0."""
MAX_FAILURES = 24
"""Calls to L0 of one scenario that are made to fail."""
MAX_FINDINGS = 12
MAX_ENDLESS = 6
"""Each takes seconds, and they tend to be the same thing."""
REFUSALS = (-abi.ERRNO["ENOSYS"], -abi.ERRNO["EOPNOTSUPP"])
_ONLY = re.compile(r"(?P<name>[^/!]+)(?:/(?P<mode>64|compat))?(?:!(?P<number>\d+))?")


class CannotPrepare(Exception):
    """What a scenario presupposes cannot be brought about by a guest of this image."""


@dataclass(frozen=True, slots=True)
class Only:
    """What ``only`` asks for: ``name``, ``name/mode`` or ``name/mode!3``."""

    name: str = ""
    mode: str = ""
    number: int | None = None

    @classmethod
    def parse(cls, text: str | None, profile: Profile) -> Only:
        if text is None:
            return cls()
        match = _ONLY.fullmatch(text)
        names = [scenario.name for scenario in (*profile.scenarios, *profile.boot.probes)]
        told = (*STORIES, second.UP, *second.STORIES, *pv_console.STORIES)
        names += [story.name for story in told]
        if match is None or match["name"] not in names:
            raise EmuError(
                f"no scenario {text!r}", profile.origin, f"there are: {', '.join(names)}"
            )
        number = match["number"]
        return cls(match["name"], match["mode"] or "", int(number) if number else None)

    def takes(self, case: Case) -> bool:
        return self.tells(case.scenario.name, case.mode)

    def tells(self, name: str, mode: abi.Mode) -> bool:
        return self.name in ("", name) and self.mode in ("", mode)


def cases(profile: Profile, mode: abi.Mode) -> Iterator[Case]:
    """The probes, then the scenarios that are hypercalls, in the order of the profile."""
    for scenario in (*profile.boot.probes, *profile.scenarios):
        arguments = arguments_of(profile, scenario)
        if mode not in scenario.modes or not arguments or arguments[0] != "operation":
            continue
        if (scenario.staged and scenario.entry != PROBE) or any(
            not kind.startswith("L0 ") for kind in scenario.fail
        ):
            continue
        if scenario.first_page != FIRST_UNUSED_PAGE:
            continue
        if abi.numbers(scenario.operation) is not None:
            yield Case(scenario, mode)


def arguments_of(profile: Profile, scenario: Scenario) -> tuple[Value, ...]:
    if scenario.arguments is not None:
        return scenario.arguments
    if scenario.entry == PROBE:
        return ("operation", "buffer")
    return profile.entries[scenario.entry].arguments


@dataclass(slots=True)
class Judge:
    """Runs the cases of one booted guest."""

    drive: Drive
    profile: Profile
    only: Only
    setup: L0Setup = field(init=False)
    milestones: tuple[Milestone, ...] = ()
    """How far the second processor came."""
    _last_vcpu: int = 0
    _endless: int = 0
    """Scenarios of which a call did not end."""

    def __post_init__(self) -> None:
        self.setup = l0_setup(self.drive.machine.settings)
        self._last_vcpu = self._count_vcpus() - 1

    def _count_vcpus(self) -> int:
        """How many the guest has: those that the image knows."""
        count = 1
        while count < self.drive.machine.settings.vcpus and self._knows(count):
            count += 1
        return count

    def _knows(self, vcpu: int) -> bool:
        number, operation = abi.numbers("VCPUOP_is_up") or (0, 0)

        def attempt() -> Answer:
            self.drive.restore(Plan(), self.setup)
            return self.drive.call(number, (operation, vcpu, 0))

        return self.drive.bounded(attempt).result in (0, 1)

    def rows(self) -> Iterator[BehaviourRow]:
        for case in cases(self.profile, self.drive.kernel.mode):
            if not self.only.takes(case):
                continue
            if self._endless >= MAX_ENDLESS:
                note = f"not tried: {MAX_ENDLESS} others did not end"
                yield self._untried(case, note)
            else:
                yield self._row(Case(self._fitted(case.scenario), case.mode))

        for told in STORIES:
            if self._wanted(told):
                yield self.tell(told)
        if any(self._wanted(told) for told in (second.UP, *second.STORIES)):
            yield from self._second()

    def _wanted(self, told: Story) -> bool:
        return self.only.tells(told.name, self.drive.kernel.mode)

    def _second(self) -> Iterator[BehaviourRow]:
        """With the second vcpu brought up, everything else begins there."""
        drive = self.drive
        row = run_story(drive, self.setup, second.UP)
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
            seen = self._run(case, failing)
        except CannotPrepare as exc:
            return self._untried(case, str(exc))
        except Ended as exc:
            return self._crashed(case, exc)
        except NotMapped as exc:  # an image that has entered a guest without its memory
            lost = Ended("crash", f"the guest's memory is gone: {exc}", self.drive.kernel.start)
            return self._crashed(case, lost)
        treatment = self._treatment(case, seen)
        due = self._is_due(scenario)
        findings = _Findings(self.drive, case, due)
        findings.judge(seen, expect=number is None and not scenario.may_lack and due)
        if number is None and treatment is not Treatment.REFUSED and seen.answer.end is None:
            for index, interaction in enumerate(seen.plan.seen[:MAX_FAILURES]):
                if not interaction.legal:  # that it stops then is right, and takes five seconds
                    continue
                again = self._run(case, frozenset({index}))
                findings.judge(again, expect=False)
        return BehaviourRow(
            scenario.name,
            scenario.operation,
            case.mode,
            treatment,
            seen.answer.result,
            seen.answer.calls,
            tuple(findings.found),
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
            return run_story(self.drive, self.setup, told)
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
        self._endless += end.kind == "loop"
        where = self.drive.machine.image.where(end.address)
        message = f"a call of the guest before it does not come back: {end.message}"
        finding = Finding("crash", message, where, case.title, rerun=case.title)
        operation = case.scenario.operation
        return BehaviourRow(
            case.scenario.name, operation, case.mode, Treatment.CRASHED, None, (), (finding,)
        )

    def _treatment(self, case: Case, seen: Observed) -> Treatment:
        answer = seen.answer
        forwarded = any(call.op == case.scenario.operation for call in answer.calls)
        if answer.end is not None and not (answer.end.kind == "shutdown" and forwarded):
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

    # --- one run ---

    def _run(self, case: Case, failing: frozenset[int]) -> Observed:
        seen = self.drive.bounded(lambda: self._attempt(case, Plan(failing, case.scenario.fail)))
        ends = [answer.end for answer in (seen.answer, seen.later) if answer is not None]
        self._endless += any(end is not None and end.kind == "loop" for end in ends)
        return seen

    def _attempt(self, case: Case, plan: Plan) -> Observed:
        scenario, drive = case.scenario, self.drive
        machine = drive.machine
        plan.armed = False
        setup = replace(
            self.setup,
            first_port=scenario.l0.first_port,
            nr_grant_frames=scenario.l0.nr_grant_frames,
            max_grant_frames=scenario.l0.max_grant_frames,
        )
        drive.restore(plan, setup)
        for port in scenario.ports:
            self._open(port, case.mode)
        machine.l0.next_port = setup.first_port
        numbers = abi.numbers(scenario.operation)
        assert numbers is not None
        for turn in range(scenario.repeat):
            plan.armed = turn == scenario.repeat - 1
            arguments = [self._value(v, case) for v in arguments_of(self.profile, scenario)]
            self._fill(case)
            before = machine.linear.read(drive.kernel.buffer, PAGE)
            opened = frozenset(machine.l0.ports)
            l0 = machine.l0
            l0.raw.clear()
            l0.guest_pointers.clear()
            l0.allocated.clear()
            answer = drive.call(numbers[0], arguments)
            if answer.end is not None:
                break
        seen = Observed(
            case,
            answer,
            plan,
            machine,
            before,
            before if answer.end is not None else machine.linear.read(drive.kernel.buffer, PAGE),
            opened,
            self._takes_buffer(scenario),
            tuple(l0.allocated),
            tuple(l0.guest_pointers),
            tuple((name, self._value(value, case)) for name, value in scenario.out),
        )
        if answer.end is not None:
            return seen
        count = scenario.frames or 0
        seen = replace(seen, listed=self._listed(count, case.mode), mapped=self._mapped(count))
        plan.armed = False
        return replace(seen, later=self._afterwards(numbers[0], arguments))

    def _listed(self, count: int, mode: abi.Mode) -> tuple[int, ...]:
        width = 4 if mode == "compat" else 8
        raw = self.drive.machine.linear.read(self.drive.kernel.lists, width * count)
        return tuple(
            int.from_bytes(raw[at : at + width], "little") for at in range(0, len(raw), width)
        )

    def _mapped(self, count: int) -> tuple[int | None, ...]:
        space = abi.CONSTANTS["XENMAPSPACE_grant_table"]
        mapped = self.drive.machine.l0.mapped.items()
        frames = {index: frame for frame, (kind, index) in mapped if kind == space}
        return tuple(frames.get(index) for index in range(count))

    def _afterwards(self, hypercall: int, arguments: list[int]) -> Answer | None:
        """The same call again, and one that takes the lock of the event channels: the one that does
        not come back."""
        drive = self.drive
        again = drive.call(hypercall, arguments)
        if again.end is None:
            number, operation = abi.numbers("EVTCHNOP_alloc_unbound") or (0, 0)
            drive.machine.linear.write(self._buffer(), ALLOCATE)
            again = drive.call(number, (operation, self._buffer()))
        return again if again.end is not None else None

    def _takes_buffer(self, scenario: Scenario) -> bool:
        return "buffer" in arguments_of(self.profile, scenario) and scenario.buffer == "buffer"

    def _fill(self, case: Case) -> None:
        struct = case.struct
        if struct is not None:
            fields = {name: self._value(value, case) for name, value in case.scenario.fields}
            self.drive.machine.linear.write(self._buffer(), struct.encode(fields))

    def _buffer(self) -> int:
        return self.drive.kernel.buffer + BUFFER_OFFSET

    def _value(self, value: Value, case: Case) -> int:
        if isinstance(value, int):
            return value
        kernel = self.drive.kernel
        if value == "operation":
            numbers = abi.numbers(case.scenario.operation)
            return numbers[1] if numbers else 0
        if value == "buffer":
            target = case.scenario.buffer
            return self._buffer() if target == "buffer" else self._value(target, case)
        if value == "list":
            return kernel.lists
        if value == "list_end":
            return self._list_end()
        if value == "absent":
            return ABSENT
        if value == "hypervisor":
            return self.drive.machine.image.loads[0].virtual & (
                (1 << 64) - 1 if case.mode == "64" else 0xFFFFFFFF
            )
        if value == "readonly":
            if self.drive.read_only is None:
                raise CannotPrepare("the guest has no page that it may only read")
            return self.drive.read_only
        raise CannotPrepare(f"{value} is nothing that a guest has")

    def _list_end(self) -> int:
        """8 bytes before the guest's mapped memory ends."""
        at, linear = self.drive.kernel.buffer + BUFFER_PAGES * PAGE, self.drive.machine.linear
        for _ in range(4096):
            try:
                linear.walk(at)
            except NotMapped:
                return at - 8
            at += PAGE
        raise CannotPrepare("the end of the guest's memory is not found")

    # --- what stands before ---

    def _open(self, port: PortState, mode: abi.Mode) -> None:
        """Open a port the way a guest does, unless it was open from the start."""
        l0 = self.drive.machine.l0
        if port.number in l0.ports:
            return
        l0.next_port = port.number
        known = abi.CONSTANTS["DOMID_SELF"]
        if port.state == "virq":
            virq = abi.CONSTANTS["VIRQ_DOM_EXC"]  # of the domain, so that it may change its vcpu
            self._prepare("EVTCHNOP_bind_virq", virq=virq, vcpu=0)
        elif port.l0 == "ipi" or port.state == "ipi":
            self._prepare("EVTCHNOP_bind_ipi", vcpu=0)
        elif port.l0 == "interdomain":
            self._prepare("EVTCHNOP_bind_interdomain", remote_dom=3, remote_port=5)
        else:
            self._prepare("EVTCHNOP_alloc_unbound", dom=known, remote_dom=3)
        if port.vcpu:
            self._prepare("EVTCHNOP_bind_vcpu", port=port.number, vcpu=port.vcpu)
        if port.l0 is None and port.state != "virq":
            l0.ports.pop(port.number, None)

    def _prepare(self, operation: str, **fields: int) -> None:
        struct, numbers = abi.structure(operation), abi.numbers(operation)
        assert struct is not None
        assert numbers is not None
        self.drive.machine.linear.write(self._buffer(), struct.encode(fields))
        answer = self.drive.call(numbers[0], (numbers[1], self._buffer()))
        if answer.end is not None:
            raise answer.end
        if answer.result != 0:
            raise CannotPrepare(f"{operation} before it: {abi.result_name(answer.result)}")


@dataclass(slots=True)
class _Findings:
    """What was found in one case, each thing once."""

    drive: Drive
    case: Case
    due: bool
    """The image has what the case is about."""
    found: list[Finding] = field(default_factory=list)
    _known: set[tuple[str, str]] = field(default_factory=set)

    def judge(self, seen: Observed, *, expect: bool) -> None:
        for check in CHECKS:
            if check.forwarding and not self.due:
                continue
            for message, address in check.check(seen):
                self._add(check.name, message, address, seen)
        if expect:
            for message in unmet(seen):
                self._add("expectation", message, 0, seen)

    def _add(self, invariant: str, message: str, address: int, seen: Observed) -> None:
        if len(self.found) >= MAX_FINDINGS or (invariant, message) in self._known:
            return
        self._known.add((invariant, message))
        numbers = ",".join(map(str, sorted(seen.plan.numbers)))
        if seen.plan.injected:
            message += f" (when {' and '.join(i.kind for i in seen.plan.injected)} fails)"
        image = self.drive.machine.image
        self.found.append(
            Finding(
                invariant,
                message,
                image.where(address) if address else self.case.scenario.operation,
                self.case.title,
                seen.answer.calls,
                self.case.title + (f"!{numbers}" if numbers else ""),
            )
        )
