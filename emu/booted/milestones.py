# SPDX-License-Identifier: GPL-2.0-or-later
"""The ladder: how far an image came, seen from outside.

Each rung is read from what the image asked of the processor or of L0, or from memory; none needs to
know how the image is written.
"""

from __future__ import annotations

from collections.abc import Iterator

from emu import abi
from emu.booted.ending import Ended
from emu.booted.machine import Machine
from emu.elf import PAGE
from emu.elf.linked import LinkedImage
from emu.findings.boot_report import Milestone
from emu.findings.verdict import L0Call
from emu.hardware.platform import FIRST_LEAF

ENTRY = "entry reached"
PROBED = "hypervisor probed"
HYPERCALLS = "hypercall page filled"
MEMORY_MAP = "memory map fetched"
CONSOLE = "console text"
SHARED_INFO = "shared info mapped"
VCPU_INFO = "vcpu_info registered"
UPCALL = "upcall vector set"
STORE = "store and console found"
BUILT = "domain built"
GUEST: dict[abi.Mode, str] = {
    abi.Mode.NATIVE: "L2 entered (64-bit)",
    abi.Mode.COMPAT: "L2 entered (32-bit)",
}


def climb(machine: Machine, end: Ended | None) -> tuple[Milestone, ...]:
    """The rungs of one boot; ``end`` is why the guest was not entered."""
    return tuple(_rungs(machine, end))


def _rungs(machine: Machine, end: Ended | None) -> Iterator[Milestone]:
    entry, l0 = machine.image.entry, machine.l0
    yield Milestone(ENTRY, machine.entered, machine.image.where(entry))
    yield Milestone(PROBED, FIRST_LEAF in machine.cpuid.asked)
    yield Milestone(HYPERCALLS, bool(machine.hypercalls_at or machine.in_place), _way(machine))
    fetched = _first(l0.calls, "XENMEM_memory_map")
    yield Milestone(MEMORY_MAP, fetched is not None)
    first_line = bytes(l0.console).decode("utf-8", "replace").strip().splitlines()[:1]
    yield Milestone(CONSOLE, bool(l0.console), first_line[0][:100] if first_line else "")
    shared = _first(l0.calls, "XENMEM_add_to_physmap", space=0)
    yield Milestone(SHARED_INFO, shared is not None, _frame(shared, "gpfn"))
    info = _first(l0.calls, "VCPUOP_register_vcpu_info")
    yield Milestone(VCPU_INFO, info is not None, _frame(info, "mfn"))
    vector = _first(l0.calls, "HVMOP_set_evtchn_upcall_vector") or _first(
        l0.calls, "HVMOP_set_param", index=abi.CONSTANTS["HVM_PARAM_CALLBACK_IRQ"]
    )
    yield Milestone(UPCALL, vector is not None, vector.op if vector else "")
    params = {
        dict(call.arguments)["index"]
        for call in l0.calls
        if call.op == "HVMOP_get_param" and call.result == 0
    }
    wanted = {
        abi.CONSTANTS["HVM_PARAM_STORE_EVTCHN"],
        abi.CONSTANTS["HVM_PARAM_CONSOLE_EVTCHN"],
    }
    yield Milestone(STORE, wanted <= params)
    yield Milestone(BUILT, end is None or bool(machine.ram.find(machine.kernel.first_page)))
    yield guest_rung(machine.kernel.mode, machine.image, end)


def _way(machine: Machine) -> str:
    """How L0 is called, where that is not by a page."""
    if machine.hypercalls_at or not machine.in_place:
        return ""
    return f"none: called in place, first at {machine.image.where(machine.in_place)}"


def guest_rung(mode: abi.Mode, image: LinkedImage, end: Ended | None) -> Milestone:
    """Whether the guest of one mode was entered, and else what came in between, and where."""
    if end is None:
        return Milestone(GUEST[mode], True)
    return Milestone(GUEST[mode], False, f"{end.message} at {image.where(end.address)}")


def _first(calls: list[L0Call], op: str, **fields: int) -> L0Call | None:
    for call in calls:
        if call.op == op and call.result >= 0:
            given = dict(call.arguments)
            if all(given.get(name) == value for name, value in fields.items()):
                return call
    return None


def _frame(call: L0Call | None, name: str) -> str:
    return f"at {dict(call.arguments)[name] * PAGE:#x}" if call is not None else ""
