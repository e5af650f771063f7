# SPDX-License-Identifier: GPL-2.0-or-later
"""What is seen of a hypercall of a booted guest, and the rules that can be checked with that.

Nothing of the image is modelled, so all there is to see is what its guest and L0 see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from emu import abi
from emu.booted.drive import Answer
from emu.booted.machine import Machine
from emu.booted.traps import VECTOR_UD
from emu.elf import PAGE
from emu.findings.verdict import L0Call
from emu.interactions import Plan
from emu.profile.scenario import Case
from emu.rules import Rule, asking, conventions, ends, failures, resources, state, translation
from emu.spaces import NOWHERE, LinearAddr

BUFFER_OFFSET = 0x100
"""Of the guest's structure in its page of arguments."""
MAX_ERRNO = 4095


@dataclass(frozen=True, slots=True)
class Observed:
    """One hypercall, as the rules look at it."""

    case: Case
    answer: Answer
    plan: Plan
    machine: Machine
    before: bytes
    """The guest's page of arguments when it asked."""
    after: bytes
    opened_before: frozenset[int]
    opened_after: frozenset[int]
    has_buffer: bool
    """The argument is a structure in that page."""
    left_open: tuple[int, ...] = ()
    handed: tuple[tuple[str, LinearAddr], ...] = ()
    """(operation, address) of guest memory that L0 was handed without EFLAGS.AC."""
    out: tuple[tuple[str, int], ...] = ()
    """What the scenario wants the guest to see."""
    listed: tuple[int, ...] = ()
    """The frames in the guest's list."""
    mapped: Mapping[int, int] = field(default_factory=dict)
    """Index to frame of the grant frames that L0 had mapped when it came back."""
    masked: frozenset[int] = frozenset()
    """Ports that are masked in L0's page after it."""
    asked_with: tuple[asking.Asked, ...] = ()
    """(operation, structure, bytes) of what L0 was asked with."""
    limits: tuple[str, ...] = ()
    """What this emulation does not know of what happened: then nothing can be said of the rest."""
    later: Answer | None = None
    """A call that the guest made afterwards and that did not come back."""
    again: int | None = None
    """What the same call came to when the guest made it once more."""
    seen_again: tuple[str, ...] = ()
    """What the guest saw of it and should have seen otherwise."""
    not_taken_back: tuple[int, int] | None = None
    """(port, result) where the guest cannot close the port that it has just been given."""

    tells_nothing = False
    """A guest's call has a result."""
    calls_again: Sequence[L0Call] = ()

    def amiss_again(self) -> Sequence[str]:
        return self.seen_again

    @property
    def result(self) -> int | None:
        return self.answer.result

    @property
    def calls(self) -> Sequence[L0Call]:
        return self.answer.calls

    @property
    def end(self) -> ends.End | None:
        return _end(self.answer)

    @property
    def later_end(self) -> ends.End | None:
        return _end(self.later) if self.later is not None else None

    @property
    def succeeded(self) -> bool:
        """A positive result may count what was done, which may be nothing."""
        return self.result == 0

    @property
    def failed(self) -> bool:
        return self.result is not None and -MAX_ERRNO <= self.result < 0

    # --- the guest's structure ---

    @property
    def struct(self) -> abi.Struct | None:
        return self.case.struct if self.has_buffer else None

    def asked(self, name: str) -> int | None:
        return self._field(self.before, name)

    def sees(self, name: str) -> int | None:
        return self._field(self.after, name)

    def _field(self, page: bytes, name: str) -> int | None:
        struct = self.struct
        if struct is None or struct.member(name) is None:
            return None
        return struct.decode(page[BUFFER_OFFSET : BUFFER_OFFSET + struct.size])[name]

    @property
    def given_port(self) -> int | None:
        """The port that L0 has opened in this call and that the guest finds in its structure."""
        members = self.struct.members if self.struct is not None else ()
        ports = (self.sees(m.name) for m in members if m.out and m.name in ("port", "local_port"))
        return next((port for port in ports if port in self.left_open), None)

    # --- the rest ---

    def guest_pointers(self) -> Iterator[tuple[str, LinearAddr, LinearAddr]]:
        callers = self.answer.callers
        for op, pointer in self.handed:
            number = next((n for n, call in enumerate(self.calls) if call.op == op), len(callers))
            yield op, pointer, callers[number] if number < len(callers) else NOWHERE

    def invalid_instructions(self) -> Iterator[LinearAddr]:
        loads = self.machine.image.loads
        for vector, address in self.answer.taken:
            own = any(load.virtual <= address < load.virtual + load.size for load in loads)
            if vector == VECTOR_UD and own:
                yield address

    @property
    def open_ports(self) -> frozenset[int]:
        return self.opened_after

    def stays_masked(self, port: int) -> bool:
        return port in self.masked

    def strayed(self) -> Iterator[str]:
        struct = self.case.struct
        end = BUFFER_OFFSET + (struct.size if struct is not None else 64)
        around = ((0, BUFFER_OFFSET), (end, PAGE))
        if any(self.before[begin:stop] != self.after[begin:stop] for begin, stop in around):
            yield "beside its structure"


def _end(answer: Answer) -> ends.End | None:
    end = answer.end
    if end is None:
        return None
    return ends.End(end.kind, end.message, end.address, answer.report(), answer.culprit())


RULES: tuple[Rule[Observed], ...] = (
    ends.Returns(),
    ends.NextReturns(),
    ends.NextLocks(),
    ends.Traps(),
    conventions.GuestPointers(),
    failures.FailureReported(),
    failures.GoesWellAgain(),
    resources.Ports(),
    resources.TakenBack(),
    translation.OutFields(),
    translation.Answered(),
    translation.Translation(),
    state.Unmasked(),
    state.GuestMemory(),
    asking.Reserved(),
    asking.Nothing(),
)
