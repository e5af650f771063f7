# SPDX-License-Identifier: GPL-2.0-or-later
"""A profile: everything about one family of cores that is data and not code.

TOML, format 1:

    format = 1
    name, description
    [core]              object, source: paths in the tree
    [constants]         values that are in no DWARF (STACK_SIZE, FIXADDR_TOP, ECS_*)
    [world]             vcpus, max_evtchns, domain_id
    [data]              values of variables that the object declares and does not define
    [regions.NAME]      pages at a fixed place: top, enumerator (page index below top)
    [entries.NAME]      symbols (candidates), arguments, refusals
    [externs]           symbol = "model", or {model, locks, takes, ignorable}
    [boot]              command_line, memory (MiB), vcpus: the machine of the booted level
    [[boot.probe]]      a scenario without entry: any hypercall, made by a booted guest only
    [[scenario]]        see emu/scenario.py

An unknown key is an error, since it is a misspelt one.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from emu import abi
from emu.abi import Mode
from emu.errors import ProfileError
from emu.l0 import L0Setup
from emu.scenario import FIRST_UNUSED_PAGE, ExpectedCall, PortState, Scenario, Value

FORMAT = 1
MAX_SIZE = 1 << 20
MAX_SCENARIOS = 2000
PLACES = frozenset(
    {
        *("operation", "buffer", "list", "list_end", "readonly", "absent", "hypervisor"),
        *("far", "high", "vcpu0", "vcpu1", "error"),
    }
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A function of the core that is called: the first of ``symbols`` that the object has."""

    name: str
    symbols: tuple[str, ...]
    arguments: tuple[Value, ...] = ("operation", "buffer")
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
class World:
    """The domain that the core serves."""

    vcpus: int = 2
    max_evtchns: int = 4096
    domain_id: int = 0


PROBE = "guest"
"""Entry of a scenario that is a hypercall and nothing else."""


@dataclass(frozen=True, slots=True)
class Boot:
    """How an image is booted, and what its guest tries besides the scenarios."""

    command_line: str = "pv-shim console=xen loglvl=all"
    memory: int = 64
    """MiB."""
    vcpus: int = 1
    probes: tuple[Scenario, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """One loaded profile.  ``digest`` is the sha256 of its text."""

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
    origin: str = field(default="", compare=False)

    def constant(self, name: str) -> int:
        """A value that must be given; ProfileError names it where it is not."""
        try:
            return self.constants[name]
        except KeyError:
            raise ProfileError(
                f"constant {name} is needed", f"{self.origin}: constants.{name}"
            ) from None


def builtin_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the tool."""
    folder = resources.files("emu").joinpath("profiles")
    return tuple(
        sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))
    )


def load_profile(name_or_path: str) -> Profile:
    """A built-in profile by its name, or one from a TOML file."""
    if name_or_path in builtin_profiles():
        text = resources.files("emu").joinpath("profiles", f"{name_or_path}.toml").read_bytes()
        return parse_profile(text, name_or_path)
    path = Path(name_or_path)
    try:
        if path.stat().st_size > MAX_SIZE:
            raise ProfileError(f"larger than {MAX_SIZE} bytes", name_or_path)
        text = path.read_bytes()
    except OSError as exc:
        known = ", ".join(builtin_profiles())
        raise ProfileError(
            f"no such profile: {exc.strerror}",
            name_or_path,
            f"built in: {known}; or give the path of a file",
        ) from exc
    return parse_profile(text, name_or_path)


@lru_cache(maxsize=16)
def parse_profile(text: bytes, origin: str) -> Profile:
    """Read and check a profile's text; ``origin`` is named in errors."""
    try:
        raw = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ProfileError(str(exc), origin, "the profile is to be TOML in UTF-8") from exc
    top = _Table(raw, origin, "")
    found = top.integer("format")
    if found != FORMAT:
        raise top.error("format", f"format {found}; this version reads {FORMAT}")
    core = top.table("core")
    entries = {name: _entry(name, table) for name, table in top.tables("entries").items()}
    constants = top.integers("constants")
    profile = Profile(
        name=top.text("name"),
        description=top.text("description", ""),
        digest=hashlib.sha256(text).hexdigest(),
        core_object=core.text("object"),
        core_source=core.text("source"),
        core_image=core.text("image", ""),
        constants=constants,
        world=_world(top.table("world", optional=True)),
        data=top.integers("data"),
        regions=tuple(
            _region(name, table, constants) for name, table in top.tables("regions").items()
        ),
        entries=entries,
        externs=_externs(top.table("externs", optional=True)),
        scenarios=_scenarios(top, entries, constants),
        boot=_boot(top.table("boot", optional=True), constants),
        origin=origin,
    )
    core.done()
    top.done()
    return profile


class _Table:
    """A TOML table that remembers where it stands and which of its keys were asked for."""

    def __init__(self, raw: Mapping[str, Any], origin: str, path: str) -> None:
        self.raw = raw
        self.origin = origin
        self.path = path
        self._asked: set[str] = set()

    def error(self, key: str, message: str) -> ProfileError:
        where = f"{self.path}.{key}" if self.path and key else self.path or key
        return ProfileError(message, f"{self.origin}: {where}")

    def done(self) -> None:
        """Complain about keys that nobody asked for."""
        for key in self.raw:
            if key not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise self.error(key, f"unknown key; known here: {known}")

    def get(self, key: str, kind: type, what: str, default: Any = None) -> Any:
        self._asked.add(key)
        if key not in self.raw:
            if default is not None:
                return default
            raise self.error(key, f"{what} is missing")
        value = self.raw[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, f"{what} is wanted, not {type(value).__name__}")
        return value

    def has(self, key: str) -> bool:
        self._asked.add(key)
        return key in self.raw

    def text(self, key: str, default: str | None = None) -> str:
        return str(self.get(key, str, "a string", default))

    def integer(self, key: str, default: int | None = None) -> int:
        return int(self.get(key, int, "a number", default))

    def flag(self, key: str) -> bool:
        return bool(self.get(key, bool, "true or false", False))

    def array(self, key: str) -> list[Any]:
        return list(self.get(key, list, "an array", []))

    def texts(self, key: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        if not self.has(key):
            return tuple(default)
        values = self.array(key)
        if not all(isinstance(value, str) for value in values):
            raise self.error(key, "an array of strings is wanted")
        return tuple(values)

    def table(self, key: str, *, optional: bool = False) -> _Table:
        raw = self.get(key, dict, "a table", {} if optional else None)
        return _Table(raw, self.origin, f"{self.path}.{key}" if self.path else key)

    def tables(self, key: str) -> dict[str, _Table]:
        outer = self.table(key, optional=True)
        return {name: outer.table(name) for name in outer.raw}

    def integers(self, key: str) -> dict[str, int]:
        outer = self.table(key, optional=True)
        return {name: outer.integer(name) for name in outer.raw}

    def items(self, key: str) -> list[_Table]:
        """An array of tables."""
        found = []
        for index, raw in enumerate(self.array(key)):
            name = raw.get("name") if isinstance(raw, dict) else None
            path = f"{self.path}.{key}" if self.path else key
            label = f"{path}[{name if isinstance(name, str) else index}]"
            if not isinstance(raw, dict):
                raise ProfileError("a table is wanted", f"{self.origin}: {label}")
            found.append(_Table(raw, self.origin, label))
        return found


def _entry(name: str, table: _Table) -> Entry:
    symbols = table.texts("symbols")
    if not symbols:
        raise table.error("symbols", "at least one symbol is wanted")
    arguments = (
        tuple(table.array("arguments")) if table.has("arguments") else ("operation", "buffer")
    )
    refusals = []
    for text in table.texts("refusals"):
        value = abi.named_value(text)
        if value is None:
            raise table.error("refusals", f"unknown error {text!r}")
        refusals.append(value)
    returns = table.text("returns", "long")
    if returns not in ("long", "int", "void"):
        raise table.error("returns", "long, int or void is wanted")
    table.done()
    return Entry(name, symbols, arguments, tuple(refusals), returns)


def _world(table: _Table) -> World:
    default = World()
    world = World(
        **{f.name: table.integer(f.name, getattr(default, f.name)) for f in fields(World)}
    )
    if not 1 <= world.vcpus <= 8:
        raise table.error("vcpus", "1 to 8")
    table.done()
    return world


def _boot(table: _Table, constants: Mapping[str, int]) -> Boot:
    default = Boot()
    memory, vcpus = table.integer("memory", default.memory), table.integer("vcpus", default.vcpus)
    if not 16 <= memory <= 1024:
        raise table.error("memory", "16 to 1024 MiB")
    if not 1 <= vcpus <= 2:
        raise table.error("vcpus", "1 or 2")
    guest = {PROBE: Entry(PROBE, (), ("operation", "buffer"))}
    probes: dict[str, Scenario] = {}
    for item in table.items("probe"):
        probe = _Reader(item, guest, constants).scenario(PROBE)
        if probe.name in probes or len(probes) >= MAX_SCENARIOS:
            raise item.error("name", "there is another probe of that name")
        probes[probe.name] = probe
    boot = Boot(
        table.text("command_line", default.command_line), memory, vcpus, tuple(probes.values())
    )
    table.done()
    return boot


def _region(name: str, table: _Table, constants: Mapping[str, int]) -> FixedRegion:
    top = table.get("top", object, "a number or a constant")
    value = constants.get(top) if isinstance(top, str) else top
    if not isinstance(value, int):
        raise table.error("top", f"{top!r} is neither a number nor one of the constants")
    region = FixedRegion(name, value, table.text("enumerator"))
    table.done()
    return region


def _externs(table: _Table) -> dict[str, Extern]:
    from emu.externs import MODELS

    found = {}
    for symbol, value in table.raw.items():
        if isinstance(value, str):
            extern = Extern(symbol, value)
        else:
            inner = table.table(symbol)
            extern = Extern(
                symbol,
                inner.text("model"),
                inner.texts("locks"),
                inner.texts("takes"),
                inner.flag("ignorable"),
            )
            inner.done()
        if extern.model not in MODELS:
            raise table.error(
                symbol, f"no model {extern.model!r}; there are: {', '.join(sorted(MODELS))}"
            )
        found[symbol] = extern
    return found


def _scenarios(
    top: _Table, entries: Mapping[str, Entry], constants: Mapping[str, int]
) -> tuple[Scenario, ...]:
    tables = top.items("scenario")
    if len(tables) > MAX_SCENARIOS:
        raise top.error("scenario", f"more than {MAX_SCENARIOS}")
    found: dict[str, Scenario] = {}
    for table in tables:
        scenario = _Reader(table, entries, constants).scenario()
        if scenario.name in found:
            raise table.error("name", "there is another scenario of that name")
        found[scenario.name] = scenario
    return tuple(found.values())


class _Reader:
    """Reads one scenario and checks every name in it."""

    def __init__(
        self, table: _Table, entries: Mapping[str, Entry], constants: Mapping[str, int]
    ) -> None:
        self.table = table
        self.entries = entries
        self.constants = constants

    def scenario(self, entry: str = "") -> Scenario:
        """``entry``: of a table that names none."""
        table = self.table
        name = table.text("name")
        if not name or not all(c.isalnum() or c in " _-.+" for c in name):
            raise table.error("name", "letters, digits, spaces and _-.+ are wanted")
        entry = entry or table.text("entry")
        if entry not in self.entries:
            raise table.error("entry", f"no entry {entry!r}; there are: {', '.join(self.entries)}")
        operation = table.text("operation")
        modes = self._modes()
        repeat = table.integer("repeat", 1)
        if not 1 <= repeat <= 64:
            raise table.error("repeat", "1 to 64")
        scenario = Scenario(
            name=name,
            entry=entry,
            operation=operation,
            modes=modes,
            arguments=self._values("arguments") if table.has("arguments") else None,
            buffer=self._value("buffer", table.raw.get("buffer", "buffer"))
            if table.has("buffer")
            else "buffer",
            fields=self._struct_fields("fields", operation, modes),
            ports=self._ports("ports"),
            data=self._pairs("data"),
            l0=self._setup(),
            repeat=repeat,
            fail=table.texts("fail"),
            result=self._results(),
            expect=self._expected(),
            silent=table.flag("silent"),
            out=self._struct_fields("out", operation, modes),
            frames=table.integer("frames") if table.has("frames") else None,
            masked=table.integer("masked") if table.has("masked") else None,
            first_page=table.integer("first_page", FIRST_UNUSED_PAGE),
            may_lack=table.flag("may_lack"),
            after=self._ports("after"),
            called=table.texts("called"),
            not_called=table.texts("not_called"),
            ends=table.flag("ends"),
        )
        table.done()
        return scenario

    def _modes(self) -> tuple[Mode, ...]:
        allowed: tuple[Mode, ...] = get_args(Mode)
        modes = tuple(mode for mode in allowed if mode in self.table.texts("modes", allowed))
        unknown = set(self.table.texts("modes", allowed)) - set(allowed)
        if unknown or not modes:
            raise self.table.error("modes", "of 64 and compat, at least one")
        return modes

    def _value(self, key: str, value: Any) -> Value:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str):
            if value in PLACES:
                return value
            number = self.constants.get(value, abi.named_value(value))
            if number is not None:
                return number
            if value.lstrip("-").isdigit():
                return int(value)
        raise self.table.error(key, f"{value!r} is no number and no name that is known")

    def _values(self, key: str) -> tuple[Value, ...]:
        return tuple(self._value(key, value) for value in self.table.array(key))

    def _pairs(self, key: str) -> tuple[tuple[str, Value], ...]:
        inner = self.table.table(key, optional=True)
        return tuple(
            (name, self._value(f"{key}.{name}", value)) for name, value in inner.raw.items()
        )

    def _struct_fields(
        self, key: str, operation: str, modes: tuple[Mode, ...]
    ) -> tuple[tuple[str, Value], ...]:
        pairs = self._pairs(key)
        for mode in modes if pairs else ():
            struct = abi.structure(operation, mode)
            if struct is None:
                raise self.table.error(key, f"{operation} has no structure that is known")
            for name, _ in pairs:
                if struct.member(name) is None:
                    known = ", ".join(m.name for m in struct.members)
                    raise self.table.error(f"{key}.{name}", f"struct {struct.name} has: {known}")
        return pairs

    def _results(self) -> tuple[Value, ...]:
        if not self.table.has("result"):
            return ()
        raw = self.table.raw["result"]
        return tuple(
            self._value("result", value) for value in (raw if isinstance(raw, list) else [raw])
        )

    def _ports(self, key: str) -> tuple[PortState, ...]:
        found = []
        for table in self.table.items(key):
            state = table.text("state")
            if f"ECS_{state.removeprefix('not ').upper()}" not in self.constants:
                raise table.error(
                    "state", f"constants has no ECS_{state.removeprefix('not ').upper()}"
                )
            found.append(
                PortState(
                    table.integer("number"),
                    state,
                    table.integer("vcpu") if table.has("vcpu") else None,
                    table.text("l0") if table.has("l0") else None,
                )
            )
            table.done()
        return tuple(found)

    def _setup(self) -> L0Setup:
        table = self.table.table("l0", optional=True)
        default = L0Setup()
        setup = L0Setup(
            domid=table.integer("domid", default.domid),
            vcpus=table.integer("vcpus", default.vcpus),
            first_port=table.integer("first_port", default.first_port),
            nr_grant_frames=table.integer("nr_grant_frames", default.nr_grant_frames),
            max_grant_frames=table.integer("max_grant_frames", default.max_grant_frames),
        )
        table.done()
        return setup

    def _expected(self) -> tuple[ExpectedCall, ...]:
        found = []
        for table in self.table.items("expect"):
            op = table.text("op")
            struct = abi.structure(op)
            names = [name for name in table.raw if name != "op"]
            for name in names:
                table.has(name)
                if struct is None or struct.member(name) is None:
                    raise table.error(name, f"no such field of {op}")
            found.append(
                ExpectedCall(
                    op, tuple((name, self._value(name, table.raw[name])) for name in names)
                )
            )
            table.done()
        return tuple(found)
