# SPDX-License-Identifier: GPL-2.0-or-later
"""From a profile's text to its values.

TOML, format 1:

    format = 1
    name, description
    [core]              object, source: paths in the tree
    [constants]         values that are in no DWARF (STACK_SIZE, FIXADDR_TOP, ECS_*)
    [probe]             includes: the headers that define them and the core's types; enums: the types of
                        enumerators, as "fixed_addresses"; see emu/probe.py
    [aliases]           "domain.arch.is_32bit_pv" = [paths of the field in other versions of the tree]
    [uses]              fields besides that a core uses, by structure: domain = ["options"]; they stay zero.
                        A core that uses others does not fit its probe
    [world]             vcpus, max_evtchns, domain_id
    [data]              values of variables that the object declares and does not define
    [regions.NAME]      pages at a fixed place: top, enumerator (page index below top)
    [entries.NAME]      symbols (candidates), arguments, refusals
    [externs]           symbol = "model", or {model, locks, takes, ignorable}
    [tables.NAME]       functions called through a pointer to a struct NAME: at (where the pointer stands),
                        functions (its members, each an extern "NAME.MEMBER")
    [boot]              command_line, memory (MiB), vcpus: the machine of the booted level
    [boot.pv_console]   command_line, symbols: it is booted once more, with the PV console for itself
    [[boot.variant]]    name, memory, vcpus, command_line, hole, map_in_start_info: other machines, for --deep
    [[boot.probe]]      a scenario without entry: any hypercall, made by a booted guest only
    [[accepted]]        invariant, file, function, why, says: findings that are known, each with its reason
    [[scenario]]        see emu/scenario.py

An unknown key is an error, since it is a misspelt one.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from emu import abi
from emu.elf import PAGE
from emu.errors import ProfileError
from emu.findings.invariant import Invariant
from emu.l0.events import NR_PORTS
from emu.profile.data import (
    PROBE,
    Accepted,
    Boot,
    Entry,
    Extern,
    FixedRegion,
    FunctionTable,
    Profile,
    PvConsole,
    Variant,
    World,
)
from emu.profile.scenario import Name, Scenario, Value
from emu.profile.scenario_tables import (
    LAST_DOMID,
    MAX_SCENARIOS,
    PATH,
    Reader,
    read_scenarios,
    read_value,
)
from emu.profile.table import Table

FORMAT = 1
TYPES = {
    "cpu": "struct cpu_info",
    "domain": "struct domain",
    "evtchn": "struct evtchn",
    "page_info": "struct page_info",
    "vcpu": "struct vcpu",
}
"""What a profile calls the core's structures."""
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@lru_cache(maxsize=16)
def parse_profile(text: bytes, origin: str, given: tuple[tuple[str, int], ...] = ()) -> Profile:
    """Read and check a profile's text; ``origin`` is named in errors.

    ``given`` are constants as the tree at hand has them, and take the place of the text's own.
    """
    try:
        raw = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ProfileError(str(exc), origin, "a profile must be TOML in UTF-8") from exc
    top = Table(raw, origin, "")
    found = top.integer("format")
    if found != FORMAT:
        raise top.error("format", f"format {found}; this version reads {FORMAT}")
    core = top.table("core")
    own = top.integers("constants")
    constants = own | dict(given)
    entries = {
        name: _entry(name, table, constants) for name, table in top.tables("entries").items()
    }
    includes, enums = _probe(top.table("probe", optional=True))
    profile = Profile(
        name=top.text("name"),
        description=top.text("description", ""),
        digest=hashlib.sha256(text + (repr(given).encode() if given else b"")).hexdigest(),
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
        scenarios=read_scenarios(top, entries, constants),
        boot=_boot(top.table("boot", optional=True), constants),
        tables=tuple(_function_table(name, table) for name, table in top.tables("tables").items()),
        includes=includes,
        enums=enums,
        aliases=_aliases(top.table("aliases", optional=True)),
        uses=_uses(top.table("uses", optional=True)),
        accepted=tuple(_accepted(item) for item in top.items("accepted")),
        given=dict(given),
        own={name: own[name] for name, value in given if own.get(name, value) != value},
        text=text,
        origin=origin,
    )
    core.done()
    top.done()
    return profile


def with_constant(profile: Profile, name: str, value: int) -> Profile:
    """The profile for a tree that says the same as this one, but for one constant."""
    given = tuple(sorted({**profile.given, name: value}.items()))
    return replace(parse_profile(profile.text, profile.origin, given), layouts=profile.layouts)


def _probe(table: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    includes, enums = table.texts("includes"), table.texts("enums")
    if any(not name or set(name) & set('<>"\\\n') for name in includes):
        raise table.error("includes", "expected names of headers, without brackets or quotes")
    if not all(_NAME.fullmatch(name) for name in enums):
        raise table.error("enums", "expected names of enumeration types, without `enum`")
    table.done()
    return includes, enums


def _aliases(table: Table) -> dict[tuple[str, str], tuple[str, ...]]:
    found = {}
    for path in table.raw:
        owner, _, field = path.partition(".")
        if owner not in TYPES or not field:
            raise table.error(path, f"{', '.join(TYPES)}, and a field")
        found[TYPES[owner], field] = table.texts(path)
    table.done()
    return found


def _uses(table: Table) -> dict[str, tuple[str, ...]]:
    found = {}
    for owner in table.raw:
        if owner not in TYPES:
            raise table.error(owner, f"expected one of {', '.join(TYPES)}")
        found[TYPES[owner]] = table.texts(owner)
    table.done()
    return found


def _accepted(table: Table) -> Accepted:
    found = Accepted(
        table.text("invariant"),
        table.text("file"),
        table.text("function"),
        table.text("why"),
        table.text("says", ""),
    )
    if found.invariant not in set(Invariant):
        raise table.error("invariant", f"there are: {', '.join(Invariant)}")
    if not found.why.strip():
        raise table.error("why", "a finding is accepted for a reason")
    table.done()
    return found


def _entry(name: str, table: Table, constants: Mapping[str, int]) -> Entry:
    symbols = table.texts("symbols")
    if not symbols:
        raise table.error("symbols", "at least one symbol is needed")
    arguments: tuple[Value, ...] = (Name.OPERATION, Name.BUFFER)
    if table.has("arguments"):
        raw = table.array("arguments")
        arguments = tuple(read_value(table, "arguments", value, constants) for value in raw)
    refusals = []
    for text in table.texts("refusals"):
        value = abi.named_value(text)
        if value is None:
            raise table.error("refusals", f"unknown error {text!r}")
        refusals.append(value)
    returns = table.text("returns", "long")
    if returns not in ("long", "int", "bool", "void"):
        raise table.error("returns", "expected long, int, bool or void")
    table.done()
    return Entry(name, symbols, arguments, tuple(refusals), returns)


def _world(table: Table) -> World:
    default = World()
    world = World(
        table.within("vcpus", 1, 8, default.vcpus),
        table.within("max_evtchns", 1, NR_PORTS, default.max_evtchns),
        table.within("domain_id", 0, LAST_DOMID, default.domain_id),
    )
    table.done()
    return world


def _boot(table: Table, constants: Mapping[str, int]) -> Boot:
    default = Boot()
    memory, vcpus = table.integer("memory", default.memory), table.integer("vcpus", default.vcpus)
    if not 16 <= memory <= 1024:
        raise table.error("memory", "16 to 1024 MiB")
    if not 1 <= vcpus <= 2:
        raise table.error("vcpus", "1 or 2")
    guest = {PROBE: Entry(PROBE, (), (Name.OPERATION, Name.BUFFER))}
    probes: dict[str, Scenario] = {}
    for item in table.items("probe"):
        probe = Reader(item, guest, constants).scenario(PROBE)
        if probe.name in probes or len(probes) >= MAX_SCENARIOS:
            raise item.error("name", "there is another probe of that name")
        probes[probe.name] = probe
    boot = Boot(
        table.text("command_line", default.command_line),
        memory,
        vcpus,
        tuple(probes.values()),
        _pv_console(table.table("pv_console")) if table.has("pv_console") else None,
        tuple(_variant(item, memory) for item in table.items("variant")),
    )
    table.done()
    return boot


def _variant(table: Table, usual: int) -> Variant:
    memory, vcpus = table.integer("memory", 0), table.integer("vcpus", 0)
    hole = table.array("hole") if table.has("hole") else None
    if memory and not 16 <= memory <= 1024:
        raise table.error("memory", "16 to 1024 MiB")
    if not 0 <= vcpus <= 8:
        raise table.error("vcpus", "1 to 8")
    if hole is not None and (len(hole) != 2 or not all(type(n) is int and n > 0 for n in hole)):
        raise table.error("hole", "its start and its size in MiB")
    if hole is not None and sum(hole) > (memory or usual):
        raise table.error("hole", f"within the {memory or usual} MiB of this machine")
    found = Variant(
        table.text("name"),
        memory,
        vcpus,
        table.text("command_line", ""),
        (hole[0], hole[1]) if hole is not None else None,
        table.flag("map_in_start_info"),
        table.flag("impossible"),
        table.flag("any_end"),
        table.texts("symbols"),
    )
    table.done()
    return found


def _pv_console(table: Table) -> PvConsole:
    found = PvConsole(table.text("command_line"), table.texts("symbols"))
    if not found.symbols:
        raise table.error("symbols", "at least one symbol is needed")
    table.done()
    return found


def _region(name: str, table: Table, constants: Mapping[str, int]) -> FixedRegion:
    top = table.get("top", object, "a number or a constant")
    value = constants.get(top) if isinstance(top, str) else top
    if not isinstance(value, int):
        raise table.error("top", f"{top!r} is neither a number nor one of the constants")
    if value % PAGE or not 0 < value < 1 << 64:
        raise table.error("top", f"{value:#x} is not where a page may begin")
    region = FixedRegion(name, value, table.text("enumerator"))
    table.done()
    return region


def _function_table(name: str, table: Table) -> FunctionTable:
    found = FunctionTable(name, table.text("at"), table.texts("functions"))
    if not PATH.fullmatch(found.at):
        raise table.error("at", "domain., cpu., vcpuN. or evtchnN. and a field")
    if not found.functions or not all(_NAME.fullmatch(f) for f in (name, *found.functions)):
        raise table.error("functions", f"expected members of struct {name}")
    table.done()
    return found


def _externs(table: Table) -> dict[str, Extern]:
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
        found[symbol] = extern
    return found
