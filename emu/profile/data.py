# SPDX-License-Identifier: GPL-2.0-or-later
"""A profile as values: models, operations and constants by name, and nothing that acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emu.errors import ProfileError
from emu.layout import Aliases, Described
from emu.profile.scenario import Name, Scenario, Value


@dataclass(frozen=True, slots=True)
class Entry:
    """A function of the core that is called: the first of ``symbols`` that the object has."""

    name: str
    symbols: tuple[str, ...]
    arguments: tuple[Value, ...] = (Name.OPERATION, Name.BUFFER)
    refusals: tuple[int, ...] = ()
    """Results by which the core says that it does not know an operation."""
    returns: str = "long"


@dataclass(frozen=True, slots=True)
class Extern:
    """An undefined function: its model, the locks it wants held, and those it takes itself.

    ``ignorable``: its caller may report success although it failed.
    """

    symbol: str
    model: str
    locks: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    ignorable: bool = False


@dataclass(frozen=True, slots=True)
class FixedRegion:
    """A page of the core's address space at ``top - enumerator * 4096``; skipped where DWARF has no such
    enumerator."""

    name: str
    top: int
    enumerator: str


@dataclass(frozen=True, slots=True)
class FunctionTable:
    """Functions that the core calls through a pointer: ``struct NAME``, and where its address stands.

    Each is the extern ``NAME.FUNCTION``.  Skipped where the tree has no such table.
    """

    name: str
    at: str
    """A field, as ``domain.evtchn_port_ops``."""
    functions: tuple[str, ...]

    @property
    def type_name(self) -> str:
        return f"struct {self.name}"

    def extern(self, function: str) -> str:
        """What the profile calls one of its functions."""
        return f"{self.name}.{function}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding that is known: of this invariant, in this function of this file, with these words in it."""

    invariant: str
    file: str
    function: str
    why: str
    says: str = ""

    def covers(self, invariant: str, where: str, message: str) -> bool:
        """A compiler splits functions, and says so behind a dot."""
        function = where.partition("+")[0].partition(".")[0]
        same = (invariant, function) == (self.invariant, self.function)
        return same and self.says in message


@dataclass(frozen=True, slots=True)
class World:
    """The domain that the core serves."""

    vcpus: int = 2
    max_evtchns: int = 4096
    domain_id: int = 0


PROBE = "guest"
"""Entry of a scenario that is a hypercall and nothing else."""


@dataclass(frozen=True, slots=True)
class PvConsole:
    """How an image is told to take L0's PV console for itself; one without any of ``symbols`` cannot."""

    command_line: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """Another machine to boot an image on; what is not given is as in the profile's own."""

    name: str
    memory: int = 0
    """MiB."""
    vcpus: int = 0
    command_line: str = ""
    hole: tuple[int, int] | None = None
    """(start, size) in MiB of memory that the map calls reserved."""
    map_in_start_info: bool = False
    impossible: bool = False
    """An image that knows what it is told has to say that it cannot be, and enters no guest."""
    any_end: bool = False
    """Whether it comes to a guest there is the image's own affair."""
    symbols: tuple[str, ...] = ()
    """Functions of which an image has one, if this machine means anything to it; none: it always does."""


@dataclass(frozen=True, slots=True)
class Boot:
    """How an image is booted, and what its guest tries besides the scenarios."""

    command_line: str = "pv-shim console=xen loglvl=all"
    memory: int = 64
    """MiB."""
    vcpus: int = 1
    probes: tuple[Scenario, ...] = ()
    pv_console: PvConsole | None = None
    variants: tuple[Variant, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """One loaded profile.  ``digest`` is the sha256 of its text and of what the tree says besides."""

    name: str
    description: str
    digest: str
    core_object: str
    core_source: str
    core_image: str
    """The linked image that boots, in the tree; empty where nothing does."""
    constants: Mapping[str, int]
    world: World
    data: Mapping[str, int]
    regions: tuple[FixedRegion, ...]
    entries: Mapping[str, Entry]
    externs: Mapping[str, Extern]
    scenarios: tuple[Scenario, ...]
    boot: Boot = field(default_factory=Boot)
    tables: tuple[FunctionTable, ...] = ()
    includes: tuple[str, ...] = ()
    """Headers that define the constants and the core's types: see `emu.object.probe`."""
    enums: tuple[str, ...] = ()
    """Types of the enumerators in ``regions``."""
    aliases: Aliases = field(default_factory=dict)
    """Names that fields of the core's structures have in other versions of the tree."""
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Fields of the core's structures, by type, that a core uses and that nothing fills here."""
    accepted: tuple[Accepted, ...] = ()
    given: Mapping[str, int] = field(default_factory=dict)
    """Constants that the tree itself has said."""
    own: Mapping[str, int] = field(default_factory=dict)
    """What the profile has for those of which the tree says something else."""
    text: bytes = field(default=b"", repr=False, compare=False)
    """What it was read from."""
    layouts: Described = field(default_factory=Described)
    """What the tree says of types, for a core whose debug information lacks them."""
    origin: str = field(default="", compare=False)

    def why_accepted(self, invariant: str, where: str, message: str) -> str:
        """The reason that is written down for a finding; empty for every other."""
        own = (a.why for a in self.accepted if a.covers(invariant, where, message))
        return next(own, "")

    def constant(self, name: str) -> int:
        """A value that must be given; ProfileError names it where it is not."""
        try:
            return self.constants[name]
        except KeyError:
            raise ProfileError(
                f"constant {name} is needed", f"{self.origin}: constants.{name}"
            ) from None
