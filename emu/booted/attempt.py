# SPDX-License-Identifier: GPL-2.0-or-later
"""One case made by the guest, from the snapshot, and what was seen of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from emu import abi
from emu.booted.drive import Answer, Drive
from emu.booted.expectations import REFUSALS, unseen
from emu.booted.ground import CannotPrepare, Ground
from emu.booted.observed import Observed
from emu.booted.selection import arguments_of
from emu.booted.settings import l0_setup
from emu.elf import PAGE
from emu.findings.invariant import Invariant
from emu.interactions import Plan
from emu.l0 import L0Setup
from emu.profile import Profile
from emu.profile.scenario import Case, Name, Scenario
from emu.rules.expected import mapped_frames
from emu.rules.failures import worth_asking_again

ALLOCATE = b"\xf0\x7f\0\0\0\0\0\0"
"""struct evtchn_alloc_unbound of DOMID_SELF for domain 0."""


@dataclass(slots=True)
class Attempts:
    """Makes the calls of one booted guest."""

    drive: Drive
    profile: Profile
    setup: L0Setup = field(init=False)
    endless: int = 0
    """Attempts of which a call did not end."""
    _ground: Ground = field(init=False)
    _known: Mapping[str, Scenario] = field(init=False)

    def __post_init__(self) -> None:
        self.setup = l0_setup(self.drive.machine.settings)
        self._ground = Ground(self.drive, self.profile)
        self._known = {scenario.name: scenario for scenario in self.profile.scenarios}

    def make(self, case: Case, failing: frozenset[int]) -> Observed:
        """With these interactions failed; raises CannotPrepare, Ended or NotMapped where something goes wrong
        before the call itself."""
        seen = self.drive.bounded(lambda: self._attempt(case, Plan(failing, case.scenario.fail)))
        ends = [answer.end for answer in (seen.answer, seen.later) if answer is not None]
        self.endless += any(end is not None and end.kind is Invariant.LOOP for end in ends)
        return seen

    def _attempt(self, case: Case, plan: Plan) -> Observed:
        scenario, drive, ground = case.scenario, self.drive, self._ground
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
            ground.open(port)
        machine.l0.next_port = setup.first_port
        for name in scenario.before:
            self._earlier(Case(self._known[name], case.mode))
        numbers = abi.numbers(scenario.operation)
        assert numbers is not None
        for turn in range(scenario.repeat):
            plan.armed = turn == scenario.repeat - 1
            arguments = ground.arguments(case)
            ground.fill(case)
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
            frozenset(l0.ports),
            self._takes_buffer(scenario),
            tuple(l0.allocated),
            tuple(l0.guest_pointers),
            tuple((name, ground.value(value, case)) for name, value in scenario.out),
            masked=frozenset(port for port in l0.ports if l0.shared and l0.shared.masked(port)),
            asked_with=tuple(l0.raw),
        )
        if answer.end is not None:
            return replace(seen, limits=drive.limits(answer.end))
        listed = self._listed(scenario.frames or 0, case.mode)
        seen = replace(seen, listed=listed, mapped=mapped_frames(l0.mapped))
        plan.armed = False
        known = drive.limits()
        again, amiss, later = self._afterwards(seen, numbers[0], arguments)
        if drive.limits(later.end if later is not None else None) != known:
            later = again = None  # what came of it says nothing
        seen = replace(seen, limits=known, later=later, again=again, seen_again=amiss)
        return replace(seen, not_taken_back=self._not_taken_back(seen))

    def _earlier(self, case: Case) -> None:
        """A call that goes before the one that is looked at, as the guest makes it.  Raises what ended it,
        and CannotPrepare where it does not go well."""
        ground, numbers = self._ground, abi.numbers(case.scenario.operation)
        assert numbers is not None
        ground.fill(case)
        answer = self.drive.call(numbers[0], ground.arguments(case))
        if answer.end is not None:
            raise answer.end
        if answer.result is not None and answer.result < 0:
            refused = abi.result_name(answer.result)
            raise CannotPrepare(f"{case.scenario.name} before it: {refused}")

    def _takes_buffer(self, scenario: Scenario) -> bool:
        arguments = arguments_of(self.profile, scenario)
        return Name.BUFFER in arguments and scenario.buffer is Name.BUFFER

    def _listed(self, count: int, mode: abi.Mode) -> tuple[int, ...]:
        width = 4 if mode is abi.Mode.COMPAT else 8
        raw = self.drive.machine.linear.read(self.drive.kernel.lists, width * count)
        return tuple(
            int.from_bytes(raw[at : at + width], "little") for at in range(0, len(raw), width)
        )

    def _afterwards(
        self, seen: Observed, hypercall: int, arguments: list[int]
    ) -> tuple[int | None, tuple[str, ...], Answer | None]:
        """The same call again, and one that takes the lock of the event channels: what the first comes to,
        what its guest should have seen otherwise, and the one that does not come back."""
        drive, case = self.drive, seen.case
        self._ground.fill(case)
        drive.machine.l0.number_anew()
        again = drive.call(hypercall, arguments)
        result, amiss = again.result, tuple[str, ...]()
        if again.end is None:
            if worth_asking_again(seen) and not case.scenario.may_lack:
                amiss = tuple(self._amiss(seen))
            number, operation = abi.numbers("EVTCHNOP_alloc_unbound") or (0, 0)
            drive.machine.linear.write(self._ground.buffer, ALLOCATE)
            again = drive.call(number, (operation, self._ground.buffer))
        return result, amiss, again if again.end is not None else None

    def _amiss(self, first: Observed) -> Iterator[str]:
        """What the guest should see otherwise, now that the call has been made once more."""
        machine, case = self.drive.machine, first.case
        page = machine.linear.read(self.drive.kernel.buffer, PAGE)
        listed = self._listed(case.scenario.frames or 0, case.mode)
        seen = replace(first, after=page, listed=listed, mapped=mapped_frames(machine.l0.mapped))
        return unseen(seen)

    def _not_taken_back(self, seen: Observed) -> tuple[int, int] | None:
        """The port that the guest was given, and what EVTCHNOP_close of it comes to where that fails; nothing
        where the image does not know the operation yet."""
        port = seen.given_port
        if port is None or seen.result != 0 or seen.later is not None or seen.plan.injected:
            return None
        number, operation = abi.numbers("EVTCHNOP_close") or (0, 0)
        content = port.to_bytes(4, "little")
        self.drive.machine.linear.write(self._ground.buffer, content)
        answer = self.drive.call(number, (operation, self._ground.buffer))
        lost = answer.result is None or (answer.result in REFUSALS and not answer.calls)
        if lost or answer.result == 0 or self.drive.limits(answer.end) != seen.limits:
            return None
        return port, answer.result or 0
