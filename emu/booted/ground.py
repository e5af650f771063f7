# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest has to do before a scenario: fill its structure, open ports.

What a guest cannot bring about is `CannotPrepare`, and the scenario is not tried.
"""

from __future__ import annotations

from dataclasses import dataclass

from emu import abi
from emu.booted.drive import ABSENT, Drive
from emu.booted.observed import BUFFER_OFFSET
from emu.booted.paging import NotMapped
from emu.booted.selection import arguments_of
from emu.elf import PAGE
from emu.guest.kernel import BUFFER_PAGES
from emu.l0 import PortKind
from emu.profile import Profile
from emu.profile.scenario import Case, ChannelState, Name, PortState, Value
from emu.spaces import LinearAddr

VIRQS = ("VIRQ_DOM_EXC", "VIRQ_ARGO")


class CannotPrepare(Exception):
    """What a scenario presupposes cannot be brought about by a guest of this image."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What one guest can prepare."""

    drive: Drive
    profile: Profile

    @property
    def buffer(self) -> LinearAddr:
        """Address of the guest's structure."""
        return self.drive.kernel.buffer + BUFFER_OFFSET

    def fill(self, case: Case) -> None:
        """Write the guest's structure."""
        struct = case.struct
        if struct is not None:
            fields = {name: self.value(value, case) for name, value in case.scenario.fields}
            self.drive.machine.linear.write(self.buffer, struct.encode(fields))

    def arguments(self, case: Case) -> list[int]:
        """Of the hypercall."""
        values = arguments_of(self.profile, case.scenario)
        return [self.value(value, case) for value in values]

    def value(self, value: Value, case: Case) -> int:
        """A number, or what a name stands for; raises CannotPrepare."""
        if isinstance(value, int):
            return value
        kernel = self.drive.kernel
        match value:
            case Name.OPERATION:
                numbers = abi.numbers(case.scenario.operation)
                return numbers[1] if numbers else 0
            case Name.BUFFER:
                target = case.scenario.buffer
                return self.buffer if target is Name.BUFFER else self.value(target, case)
            case Name.LIST:
                return kernel.lists
            case Name.LIST_END:
                return self._list_end()
            case Name.ABSENT:
                return ABSENT
            case Name.HYPERVISOR:
                mask = (1 << 64) - 1 if case.mode is abi.Mode.NATIVE else 0xFFFFFFFF
                return self.drive.machine.image.loads[0].virtual & mask
            case Name.READONLY:
                if self.drive.read_only is None:
                    raise CannotPrepare("the guest has no page that it may only read")
                return self.drive.read_only
        raise CannotPrepare(f"{value} is not something that a guest has")

    def _list_end(self) -> LinearAddr:
        """8 bytes before the guest's mapped memory ends."""
        at, linear = self.drive.kernel.buffer + BUFFER_PAGES * PAGE, self.drive.machine.linear
        for _ in range(4096):
            try:
                linear.walk(at)
            except NotMapped:
                return at - 8
            at += PAGE
        raise CannotPrepare("the guest's memory has no end")

    def open(self, port: PortState) -> None:
        """Open a port the way a guest does, unless it was open from the start."""
        l0 = self.drive.machine.l0
        if port.number in l0.ports:
            return
        l0.next_port = port.number
        known = abi.CONSTANTS["DOMID_SELF"]
        if port.state is ChannelState.VIRQ:
            self._bind_virq(port.number)
        elif port.l0 is PortKind.IPI or port.state is ChannelState.IPI:
            self._prepare("EVTCHNOP_bind_ipi", vcpu=0)
        elif port.l0 is PortKind.INTERDOMAIN:
            self._prepare("EVTCHNOP_bind_interdomain", remote_dom=3, remote_port=5)
        else:
            self._prepare("EVTCHNOP_alloc_unbound", dom=known, remote_dom=3)
        if port.vcpu:
            self._prepare("EVTCHNOP_bind_vcpu", port=port.number, vcpu=port.vcpu)
        if port.l0 is None and port.state is not ChannelState.VIRQ:
            l0.ports.pop(port.number, None)

    def _bind_virq(self, port: int) -> None:
        """One of the domain, so that it may change its vcpu; of those that there are, not every version has
        each for every domain."""
        for name in VIRQS:
            self.drive.machine.l0.next_port = port
            try:
                self._prepare("EVTCHNOP_bind_virq", virq=abi.CONSTANTS[name], vcpu=0)
            except CannotPrepare:
                if name == VIRQS[-1]:
                    raise
            else:
                return

    def _prepare(self, operation: str, **fields: int) -> None:
        struct, numbers = abi.structure(operation), abi.numbers(operation)
        assert struct is not None
        assert numbers is not None
        self.drive.machine.linear.write(self.buffer, struct.encode(fields))
        answer = self.drive.call(numbers[0], (numbers[1], self.buffer))
        if answer.end is not None:
            raise answer.end
        if answer.result != 0:
            raise CannotPrepare(f"{operation} before it: {abi.result_name(answer.result)}")
