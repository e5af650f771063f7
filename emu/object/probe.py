# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tree itself says of the constants and the layouts that emulating its core needs.

Macros are in no DWARF, and a compiler drops the types that no code of the core uses.  A probe is a source
file of a few lines that is compiled with the very command of the core, so with its flags, headers and
configuration.  Each constant that is a macro there becomes a variable of eight bytes in the object, to be
read and never run.  What the tree calls otherwise, or has as an enumerator, the probe does not answer, and
the profile's value stands.

Each type is pointed to by a variable, on which gcc and clang describe it in full.  One that the tree does
not have is thereby declared, which is no error, and nothing is told of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emu.elf import place
from emu.elf.file import Elf, parse_elf
from emu.errors import ElfError, LayoutError
from emu.layout import Described, Layout
from emu.object.structures import asked_of
from emu.profile import Profile
from emu.spaces import NOWHERE

_PREFIX = "backport_probe_"
_WIDTH = 8


@dataclass(frozen=True, slots=True)
class Answers:
    """What a tree says; of what it does not say, nothing."""

    constants: Mapping[str, int] = field(default_factory=dict)
    layouts: Described = field(default_factory=Described)


def probe_source(profile: Profile) -> str:
    """The probe in C; empty where the profile names no headers."""
    if not profile.includes:
        return ""
    lines = [f"#include <{name}>" for name in profile.includes]
    lines.append(f"const char {_PREFIX}[] = {{ 1 }};")
    for name in sorted(profile.constants):
        lines += [f"#ifdef {name}", f"const unsigned long long {_PREFIX}{name} =", name, ";"]
        lines.append("#endif")
    types = (*asked_of(profile), *(f"enum {name}" for name in profile.enums))
    lines += [f"{name} *{_PREFIX}{number};" for number, name in enumerate(types)]
    return "\n".join(lines) + "\n"


def read_probe(elf: bytes, profile: Profile) -> Answers:
    """What the compiled probe answers.  Its constants count even where its types cannot be read.

    Raises `ElfError` for an object that is no probe.
    """
    parsed = parse_elf(elf)
    return Answers(_constants(parsed, profile), _layouts(parsed, profile))


def _layouts(parsed: Elf, profile: Profile) -> Described:
    enumerators = [region.enumerator for region in profile.regions]
    try:  # it is never run: its addresses only serve to apply relocations
        layout = Layout(place(parsed, NOWHERE, lambda name: NOWHERE), aliases=profile.aliases)
        return layout.described(asked_of(profile), enumerators)
    except (ElfError, LayoutError):
        return Described()


def _constants(parsed: Elf, profile: Profile) -> dict[str, int]:
    symbols = {s.name: s for s in parsed.symbols if s.name.startswith(_PREFIX)}
    if _PREFIX not in symbols:
        hint = "compile what `backport emulate --print-probe` prints, with the core's own command"
        raise ElfError("not a probe", hint=hint)
    found: dict[str, int] = {}
    for name in profile.constants:
        symbol = symbols.get(_PREFIX + name)
        if symbol is None:
            continue
        if not 0 < symbol.section < len(parsed.sections):
            raise ElfError(f"the probe does not define {symbol.name}")
        section = parsed.sections[symbol.section]
        data = bytes(section.data[symbol.value : symbol.value + _WIDTH])
        if not data:  # .bss: it is zero
            data = bytes(_WIDTH)
        if len(data) != _WIDTH or symbol.value + _WIDTH > section.size:
            raise ElfError(f"{symbol.name} is not in the bytes of {section.name}")
        found[name] = int.from_bytes(data, "little")
    return found


def differences(profile: Profile, given: Mapping[str, int]) -> tuple[str, ...]:
    """Where the tree's constants are not the profile's, a line each."""
    return tuple(
        f"{name} is {value:#x} in this tree ({profile.constants[name]:#x} in the profile)"
        for name, value in sorted(given.items())
        if profile.constants[name] != value
    )


__all__ = ["Answers", "differences", "probe_source", "read_probe"]
