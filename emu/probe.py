# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tree itself says of the constants that a profile gives.

Macros are in no DWARF.  A probe is a source file of a few lines that is compiled with the very command
of the core, so with its flags, headers and configuration; each constant that is a macro there becomes
a variable of eight bytes in the object, to be read and never run.  What the tree calls otherwise, or has
as an enumerator, the probe does not answer, and the profile's value stands.
"""

from __future__ import annotations

from collections.abc import Mapping

from emu.elf.file import parse_elf
from emu.errors import ElfError
from emu.profile import Profile

_PREFIX = "backport_probe_"
_WIDTH = 8


def probe_source(profile: Profile) -> str:
    """The probe in C; empty where the profile names no headers."""
    if not profile.includes:
        return ""
    lines = [f"#include <{name}>" for name in profile.includes]
    lines.append(f"const char {_PREFIX}[] = {{ 1 }};")
    for name in sorted(profile.constants):
        lines += [f"#ifdef {name}", f"const unsigned long long {_PREFIX}{name} =", name, ";"]
        lines.append("#endif")
    return "\n".join(lines) + "\n"


def read_probe(elf: bytes, profile: Profile) -> dict[str, int]:
    """The constants of the profile that the compiled probe answers, by name.

    Raises `ElfError` for an object that is no probe.
    """
    parsed = parse_elf(elf)
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


__all__ = ["differences", "probe_source", "read_probe"]
