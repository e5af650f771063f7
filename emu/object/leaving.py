# SPDX-License-Identifier: GPL-2.0-or-later
"""What leaves the core: it must not depend on what the stack held before."""

from __future__ import annotations

from collections.abc import Iterator

from emu import abi
from emu.object.run import Run

Leaving = dict[str, bytes | str]


def leaving(run: Run) -> Leaving:
    """Everything that leaves the core, by a name for the message."""
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


def differences(one: Leaving, other: Leaving) -> Iterator[str]:
    for name, value in one.items():
        if other.get(name) != value:
            yield f"{name} depends on what the stack held before"
