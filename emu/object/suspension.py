# SPDX-License-Identifier: GPL-2.0-or-later
"""How the domain of a core stands, in L0 and in the hypervisor, before and after a suspend."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from emu.findings.verdict import L0Call
from emu.l0 import L0
from emu.l0.standing import Standing, standing
from emu.object.world import World
from emu.rules.suspended import CANCELLED, RESUMED, SUSPEND, Suspension
from emu.spaces import LinearAddr


def stands(world: World, l0: L0, ranges: Collection[LinearAddr] = ()) -> Standing:
    """As it is now; ``ranges``: the range sets in which there is something."""
    below = standing(l0)
    other = dict(below.other)
    for port, state in world.channels.in_use():
        other[f"port {port} of the core"] = f"in state {state}"
    masked = ", ".join(map(str, sorted(world.masked_ports())))
    other["the mask in L0's shared page"] = f"set for {masked or 'no port'}"
    paused = (f"vcpu{number}.pause_flags" for number in range(len(world.vcpus)))
    for path in ("domain.domain_id", *paused):
        if world.known(path):
            type_name, address, field = world.place(path)
            other[path] = f"{world.get(type_name, address, field):#x}"
    rights = ("access to frames",) if ranges else ()
    return Standing(below.own, other, rights)


def suspension(
    calls: Sequence[L0Call], before: Standing | None, after: Standing
) -> Suspension | None:
    """The one among the calls, by the last answer of L0."""
    answers = [call.result for call in calls if call.op == SUSPEND]
    if before is None or not answers or answers[-1] not in (RESUMED, CANCELLED):
        return None
    return Suspension(answers[-1], before, after)
