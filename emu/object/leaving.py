# SPDX-License-Identifier: GPL-2.0-or-later
"""What leaves the core: it must not depend on what the stack held before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from emu import abi
from emu.object.call import Run


@dataclass(frozen=True, slots=True)
class Leaving:
    """Everything that leaves the core in one run."""

    result: int | None
    crash: str
    asked: tuple[tuple[str, abi.Struct, bytes], ...]
    """(operation, structure, bytes) of what L0 is asked with."""
    copied: tuple[tuple[int, bytes], ...]
    """(address, bytes) of what goes to the guest."""
    calls: tuple[str, ...]
    """The operations that L0 is asked for."""

    def named(self) -> Iterator[tuple[str, object]]:
        """By a name for the message, to the field of a structure and to four bytes of a copy."""
        yield "the result", self.result
        yield "the crash", self.crash
        for number, (op, struct, raw) in enumerate(self.asked):
            for member in struct.members:
                content = raw[member.offset : member.offset + member.size]
                yield f"{member.name} of {op} (L0 call {number})", content
        for number, (_, content) in enumerate(self.copied):
            for at in range(0, len(content), 4):
                name = f"bytes {at}-{at + 3} of copy {number} to the guest"
                yield name, content[at : at + 4]
        yield "the sequence of L0 calls", self.calls


def leaving(run: Run) -> Leaving:
    """What left the core."""
    l0 = run.context.l0
    return Leaving(
        run.result,
        str(run.crash),
        tuple(l0.raw),
        tuple(run.context.guest_writes),
        tuple(call.op for call in l0.calls),
    )


def differences(one: Leaving, other: Leaving) -> Iterator[str]:
    """What is not the same in both, in words."""
    if one == other:
        return
    others = dict(other.named())
    for name, value in one.named():
        if others.get(name) != value:
            yield f"{name} depends on what the stack held before"
