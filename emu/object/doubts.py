# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether what a probe says of types can be of this object's tree: a control, before anything is judged.

A core that takes its types from a probe of another tree looks broken in every operation.  Three things
tell: what the object describes itself, a call that has to read certain fields where the probe has
them, and, where the guest's structure is another for a 32-bit guest, whether the core asks for that at all.
``current`` and its domain come first in every operation; asked for the state of a port, a core looks at how
many there are, or at the port itself.
"""

from __future__ import annotations

from functools import partial

from emu.abi import Mode, structure
from emu.cpu import WIDEST
from emu.elf import Elf
from emu.errors import LayoutError, NotThere
from emu.interactions import Plan
from emu.layout import Layout
from emu.object.addresses import COMPAT_FLAG
from emu.object.borrowed import SAME
from emu.object.machine import Machine
from emu.profile import Profile
from emu.profile.scenario import Case, Scenario
from emu.spaces import LinearAddr

CONTROL = "EVTCHNOP_status"
_FIRST = ("struct cpu_info.current_vcpu", "struct vcpu.domain")
_PORTS = ("struct domain.valid_evtchns", "struct evtchn.state")


def check_types(layout: Layout, profile: Profile) -> None:
    """Raises `LayoutError` where object and probe describe one type, and not alike."""
    said = profile.layouts
    for name, size in sorted(said.sizes.items()):
        own = layout.own_size(name)
        if own is None:
            continue
        if own != size:
            what = f"the probe has {name} with {size} bytes, the object with {own}"
            raise LayoutError(what, hint=SAME)
        for path, place in sorted(said.fields.get(name, {}).items()):
            if not layout.has(name, path) or layout.field(name, path) != place:
                what = f"the probe has {name}.{path} at {place.offset:#x}, the object elsewhere"
                raise LayoutError(what, hint=SAME)
    for name, value in sorted(said.enumerators.items()):
        known = layout.own_enum(name)
        if known not in (None, value):
            what = f"the probe has {name} as {value}, the object as {known}"
            raise LayoutError(what, hint=SAME)


def doubt(elf: Elf, profile: Profile) -> str:
    """Why the types of the probe cannot be this object's; empty where they may be."""
    control = _control(profile)
    machine = Machine(elf, profile)
    try:
        if control is None or machine.entry(control.entry) is None:
            return ""
        return _doubt(machine, Case(control, Mode.NATIVE)) or _mode_doubt(machine)
    finally:
        machine.close()


def _control(profile: Profile) -> Scenario | None:
    own = (s for s in profile.scenarios if s.operation == CONTROL and s.ports and not s.staged)
    return next((s for s in own if Mode.NATIVE in s.modes), None)


def _doubt(machine: Machine, case: Case) -> str:
    read = {name: False for name in (*_FIRST, *_PORTS) if _place(machine, case, name) is not None}

    def note(name: str, begin: LinearAddr, end: LinearAddr) -> None:
        def hook(_write: bool, address: LinearAddr, size: int) -> None:
            if address < end and begin < address + size:
                read[name] = True

        machine.cpu.on_access(begin - (WIDEST - 1), end, hook)

    for name in read:
        place = _place(machine, case, name)
        if place is not None:
            note(name, *place)
    try:
        run = machine.run(case, Plan(), 0)
    except (NotThere, LayoutError):
        return ""
    if run.result in machine.profile.entries[case.scenario.entry].refusals:
        return ""  # it does not have the operation yet
    return next(filter(None, map(partial(_missed, read), (_FIRST[:1], _FIRST[1:], _PORTS))), "")


def _mode_doubt(machine: Machine) -> str:
    """That no operation with a structure of its own for 32-bit guests has asked whether its guest is one."""
    tried = set()
    for scenario in machine.profile.scenarios:
        op, case = scenario.operation, Case(scenario, Mode.COMPAT)
        same = structure(op, Mode.NATIVE) is case.struct or Mode.COMPAT not in scenario.modes
        if same or op in tried or scenario.staged or scenario.result != (0,):
            continue
        try:
            run = machine.run(case, Plan(), 0)
        except (NotThere, LayoutError):
            return ""
        if machine.boundary.flag_read:
            return ""
        if run.result not in machine.profile.entries[scenario.entry].refusals:
            tried.add(op)
    if not tried:
        return ""
    why = f"or the tree has no 32-bit guests; {SAME}"
    return f"the core does not look at struct domain.{COMPAT_FLAG} where the probe has it ({why})"


def _missed(read: dict[str, bool], names: tuple[str, ...]) -> str:
    """That of these fields, as far as this tree has them, none was read."""
    known = [name for name in names if name in read]
    if not known or any(read[name] for name in known):
        return ""
    return f"the core does not look at {known[0]} where the probe has it ({SAME})"


def _place(machine: Machine, case: Case, name: str) -> tuple[LinearAddr, LinearAddr] | None:
    """Addresses [begin, end) of a field; None where this tree does not have it."""
    type_name, _, path = name.partition(".")
    world = machine.world
    if not world.has(type_name, path):
        return None
    bases = {
        "struct cpu_info": world.stack_top,
        "struct vcpu": world.vcpus[0],
        "struct domain": world.domain,
        "struct evtchn": world.channels.find(case.scenario.ports[0].number),
    }
    base, field = bases[type_name], world.scalar(type_name, path)
    return None if base is None else (base + field.offset, base + field.offset + field.size)
