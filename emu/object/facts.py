# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of an object and its tree before anything is called: by its own symbols, tables and types, by
a probe, and what only the profile says."""

from __future__ import annotations

from collections.abc import Iterator

from emu.abi import HYPERCALL_INSTRUCTIONS
from emu.elf import parse_elf
from emu.findings.fact import Fact, Source
from emu.object.alternatives import entry_size
from emu.object.core import HYPERCALL_PAGE
from emu.object.machine import Machine
from emu.object.structures import asked_of
from emu.profile import Profile

MAX_NAMES = 8


def object_facts(elf: bytes, profile: Profile) -> tuple[Fact, ...]:
    """Raises an `EmuError` for an object that cannot be used."""
    machine = Machine(parse_elf(elf), profile)
    try:
        return tuple(_facts(machine))
    finally:
        machine.close()


def _facts(machine: Machine) -> Iterator[Fact]:
    yield from _entries(machine)
    yield _hypercalls(machine)
    yield from _tables(machine)
    yield from _constants(machine)
    yield from _types(machine)
    yield from _locks(machine)
    yield from _surroundings(machine)


def _entries(machine: Machine) -> Iterator[Fact]:
    for name, entry in machine.profile.entries.items():
        symbol = next((s for s in entry.symbols if s in machine.image.symbols), "")
        source = Source.SYMBOLS if symbol else Source.NOWHERE
        yield Fact(f"entry {name}", symbol or f"no {' or '.join(entry.symbols)}", source)


def _hypercalls(machine: Machine) -> Fact:
    elf = machine.image.elf
    if elf.defines(HYPERCALL_PAGE) or HYPERCALL_PAGE in elf.undefined():
        return Fact("L0 is called", "by the hypercall page", Source.SYMBOLS)
    code = [bytes(part.data) for part in machine.image.segments]
    if any(instruction in part for part in code for instruction in HYPERCALL_INSTRUCTIONS):
        return Fact("L0 is called", "in place, by vmcall or vmmcall", Source.CODE)
    return Fact("L0 is called", "in no way that is known", Source.NOWHERE)


def _tables(machine: Machine) -> Iterator[Fact]:
    image, core = machine.image, machine.core
    size = entry_size(image)
    if size:
        table = image.section(".altinstructions")
        count = table[1] // size if table is not None else 0
        yield Fact("alternatives", f"{count} of {size} bytes", Source.RELOCATIONS)
    yield Fact("accesses that may fault", f"{len(core.fixups)}", Source.CODE)
    yield Fact("traps behind which it goes on", f"{len(core.resumable)}", Source.CODE)


def _constants(machine: Machine) -> Iterator[Fact]:
    profile = machine.profile
    for name, value in sorted(profile.constants.items()):
        source = Source.PROBE if name in profile.given else Source.PROFILE
        yield Fact(name, f"{value:#x}" if value > 9 else str(value), source)
    for fixed in profile.regions:
        index = machine.layout.enum(fixed.enumerator)
        at = (
            "" if index is None else f"{index}, so {fixed.name} is at {fixed.top - index * 4096:#x}"
        )
        source = Source.NOWHERE if index is None else _of_types(machine)
        yield Fact(fixed.enumerator, at or f"no {fixed.name}", source)


def _of_types(machine: Machine) -> Source:
    return Source.TYPES if machine.layout.present else Source.PROBE


def _types(machine: Machine) -> Iterator[Fact]:
    layout = machine.layout
    for name, paths in asked_of(machine.profile).items():
        if not layout.has(name):
            yield Fact(name, "not described", Source.NOWHERE)
            continue
        source = Source.PROBE if name in layout.borrowed else Source.TYPES
        yield Fact(name, f"{layout.sizeof(name)} bytes", source)
        for path in paths:
            if layout.has(name, path) and (other := layout.renamed.get((name, path))):
                yield Fact(f"{name}.{path}", f"is {other} here", source)


def _locks(machine: Machine) -> Iterator[Fact]:
    world = machine.world
    for address, name in world.lock_names().items():
        how = "counted in place" if world.is_counted(address) else "by calls"
        yield Fact(name, f"taken {how}", _of_types(machine))


def _surroundings(machine: Machine) -> Iterator[Fact]:
    profile, placed = machine.profile, machine.core.placed
    names = sorted(placed.functions.values())
    unknown = [name for name in names if name not in profile.externs]
    yield Fact("functions with a model", f"{len(names) - len(unknown)}", Source.PROFILE)
    if unknown:
        yield Fact("functions without a model", _listed(unknown), Source.NOWHERE)
    if placed.thunks:
        yield Fact("thunks", f"{len(placed.thunks)}", Source.SYMBOLS)
    variables = sorted({*placed.variables, *placed.undeclared.values()})
    valued = [name for name in variables if name in profile.data]
    if valued:
        yield Fact("variables with a value", _listed(valued), Source.PROFILE)
    left = [name for name in variables if name not in profile.data]
    if left:
        yield Fact("variables that are zero", _listed(left), Source.SYMBOLS)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more
