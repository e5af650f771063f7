# SPDX-License-Identifier: GPL-2.0-or-later
"""An object at its place: every undefined name given a stub or room, every table of it applied.

Undefined symbols have no type.  One that the debug information declares as a variable gets as much
room as it says; every other is a function, and gets a stub of one `ret` under a hook.  Where it declares none
at all, functions are what the core branches to and what the profile has a model for, and every other name
gets a page: a variable, or a function whose address is handed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emu.elf import PAGE, Elf, Image, Perm, branch_targets, place
from emu.errors import LayoutError, ProfileError, TruncatedElf
from emu.layout import Layout
from emu.object.alternatives import apply_alternatives
from emu.object.regions import Memory
from emu.object.tables import exception_table, resumable_traps
from emu.object.thunks import thunk
from emu.profile import Profile
from emu.spaces import LinearAddr

IMAGE_BASE = LinearAddr(0xFFFF82D080200000)
"""Unless the profile's IMAGE_BASE says otherwise; the rest follows within reach of a 32-bit offset."""
MAX_BASE = (1 << 64) - (1 << 28)
DATA_OFFSET = 0x4000000
STUBS_OFFSET = 0x5000000
THUNKS_OFFSET = 0x5800000
HYPERCALLS_OFFSET = 0x6000000
RETURN_OFFSET = 0x6800000
RETURN_WITHIN = 0x7E4
"""No round address: a core that hands out its return address as data is to be seen."""
STUB_SIZE = 16
MAX_EXTERNS = 4096
MAX_EXTERN_SIZE = 1 << 20
MAX_EXTERN_TOTAL = 8 << 20
RET = b"\xc3"
HYPERCALL_PAGE = "hypercall_page"


@dataclass(slots=True)
class Placed:
    """Where the undefined names of the object went."""

    functions: dict[LinearAddr, str] = field(default_factory=dict)
    """Address of the stub to name."""
    variables: dict[str, tuple[LinearAddr, int]] = field(default_factory=dict)
    """Name to address and size."""
    undeclared: dict[LinearAddr, str] = field(default_factory=dict)
    """Page to name, for what is taken for a variable since nothing says otherwise."""
    thunks: dict[LinearAddr, bytes] = field(default_factory=dict)
    """Code that is the compiler's own, and no function that is called."""


@dataclass(frozen=True, slots=True)
class Core:
    """An object, placed; nothing of it has run, and there is no domain around it yet."""

    base: LinearAddr
    image: Image
    layout: Layout
    placed: Placed
    fixups: Mapping[LinearAddr, LinearAddr]
    """Faulting instruction to where it goes on."""
    resumable: frozenset[LinearAddr]
    """Traps behind which the core goes on."""

    @property
    def hypercall_page(self) -> LinearAddr:
        return self.image.symbols.get(HYPERCALL_PAGE) or self.base + HYPERCALLS_OFFSET

    @property
    def stubs(self) -> tuple[LinearAddr, LinearAddr]:
        """Addresses [begin, end) of the stubs."""
        begin = self.base + STUBS_OFFSET
        return begin, begin + len(self.placed.functions) * STUB_SIZE

    @property
    def returning(self) -> LinearAddr:
        """The address that a call returns to."""
        return self.base + RETURN_OFFSET + RETURN_WITHIN

    def undeclared(self, address: LinearAddr) -> str:
        """The name whose page this is, where nothing says that it is a variable; or empty."""
        return self.placed.undeclared.get(address & -PAGE, "")

    def variable(self, name: str) -> tuple[LinearAddr, int] | None:
        """Address and size of a variable, of the object or around it."""
        if name in self.placed.variables:
            return self.placed.variables[name]
        symbol = next((s for s in self.image.elf.symbols if s.name == name and s.size), None)
        return None if symbol is None else (self.image.symbols[name], symbol.size)

    def names(self) -> dict[LinearAddr, str]:
        """Names of its variables, by address."""
        names = {address: name for name, (address, _) in self.placed.variables.items()}
        return names | {v: n for n, v in self.image.symbols.items() if not n.startswith(".")}

    def where(self, address: LinearAddr) -> str:
        """``function+0x12 (file.c:34)`` as far as it is known."""
        if not address:
            return ""
        line = self.layout.line_at(address)
        return f"{self.image.where(address)} ({line})" if line else self.image.where(address)

    def map_into(self, memory: Memory) -> None:
        """Its segments, the variables and stubs around it, the hypercall page, and where it returns to."""
        for segment in self.image.segments:
            region = memory.add(segment.name, segment.address, len(segment.data), segment.perm)
            region.view[: len(segment.data)] = segment.data
        base = self.base
        variables = max(
            [a + s for a, s in self.placed.variables.values()], default=base + DATA_OFFSET + 1
        )
        memory.add("variables", base + DATA_OFFSET, variables - base - DATA_OFFSET)
        begin, end = self.stubs
        code = Perm.READ | Perm.EXEC
        region = memory.add("stubs", begin, max(end - begin, STUB_SIZE), code)
        region.view[:] = RET * region.size
        if self.placed.thunks:
            room = len(self.placed.thunks) * STUB_SIZE
            memory.add("thunks", base + THUNKS_OFFSET, room, code)
            for address, content in self.placed.thunks.items():
                memory.write(address, content)
        region = memory.add("hypercall page", base + HYPERCALLS_OFFSET, PAGE, code)
        region.view[:] = RET * PAGE
        memory.add("return", base + RETURN_OFFSET, PAGE, code)
        if HYPERCALL_PAGE in self.image.symbols:
            memory.write(self.hypercall_page, RET * PAGE)


def load_core(elf: Elf, profile: Profile) -> Core:
    """Place an object and apply its tables."""
    base = LinearAddr(profile.constants.get("IMAGE_BASE", IMAGE_BASE))
    if base % PAGE or not 0 < base <= MAX_BASE:
        place_of_it = f"{profile.origin}: constants.IMAGE_BASE"
        raise ProfileError(f"{base:#x} is not a valid image base", place_of_it)
    # Types must be known before variables can be given room, and the debug information itself is
    # relocated by a first placement with every undefined name at zero distance.
    layout = Layout(place(elf, base, lambda name: base), profile.layouts, profile.aliases)
    if not (layout.present or profile.layouts) and any(
        elf.defines(s) for entry in profile.entries.values() for s in entry.symbols
    ):
        raise LayoutError(
            "no debug information, so no structure is known",
            hint="compile with -g, or hand in a probe: backport.replay, or --probe",
        )
    functions = None if layout.declares else branch_targets(elf) | profile.externs.keys()
    resolver = _Resolver(layout, base, len(elf.undefined()), functions)
    image = place(elf, base, resolver)
    for table in profile.tables:
        for function in table.functions if layout.has(table.type_name) else ():
            resolver.function(table.extern(function))
    apply_alternatives(image)
    fixups, resumable = exception_table(image), resumable_traps(image)
    return Core(base, image, layout, resolver.placed, fixups, resumable)


class _Resolver:
    """Gives each undefined name a stub or room for a variable, as it is asked for."""

    def __init__(
        self, layout: Layout, base: LinearAddr, count: int, functions: frozenset[str] | None
    ) -> None:
        """``functions``: None where the debug information tells them from variables."""
        if count > MAX_EXTERNS:
            raise TruncatedElf(f"{count} undefined names; at most {MAX_EXTERNS} are placed")
        self.placed = Placed()
        self._layout = layout
        self._functions = functions
        self._base = base
        self._known: dict[str, LinearAddr] = {}
        self._data = base + DATA_OFFSET

    def __call__(self, name: str) -> LinearAddr:
        if name not in self._known:
            self._known[name] = self._place(name)
        return self._known[name]

    def function(self, name: str) -> LinearAddr:
        """The next stub."""
        address = self._base + STUBS_OFFSET + STUB_SIZE * len(self.placed.functions)
        self.placed.functions[address] = name
        return address

    def _place(self, name: str) -> LinearAddr:
        if name == HYPERCALL_PAGE:
            return self._base + HYPERCALLS_OFFSET
        code = thunk(name)
        if code is not None:
            address = self._base + THUNKS_OFFSET + STUB_SIZE * len(self.placed.thunks)
            self.placed.thunks[address] = code
            return address
        size = self._layout.extern_size(name)
        guessed = size is None and self._functions is not None and name not in self._functions
        if guessed:
            size = PAGE
            self._data = self._data + (PAGE - 1) & -PAGE
            self.placed.undeclared[self._data] = name
        if size is None:
            return self.function(name)
        size = max(size, 8)
        if (
            size > MAX_EXTERN_SIZE
            or self._data + size - self._base - DATA_OFFSET > MAX_EXTERN_TOTAL
        ):
            raise LayoutError(f"variable {name} of {size} bytes is too large to give room to")
        address = self._data
        self.placed.variables[name] = address, size
        self._data += (size + 63) & -64
        return address
