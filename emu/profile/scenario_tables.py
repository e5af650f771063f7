# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios out of their tables, every name in them checked (see emu/profile/scenario.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from emu import abi
from emu.abi import Mode
from emu.l0 import L0Setup, PortKind
from emu.l0.events import NR_PORTS
from emu.profile.data import Entry
from emu.profile.scenario import (
    FIRST_UNUSED_PAGE,
    ChannelState,
    ExpectedCall,
    Name,
    PortState,
    Scenario,
    Value,
)
from emu.profile.table import Table

MAX_SCENARIOS = 2000
MAX_FRAMES = 512
"""As many numbers as a page holds."""
MAX_PAGE = 1 << 52
LAST_DOMID = 0x7FEF
"""Below DOMID_FIRST_RESERVED (public xen.h)."""
MAX_VCPUS = 8192
"""No domain has more (asm-x86/domain.h, MAX_VIRT_CPUS)."""
MAX_GRANT_FRAMES = 1 << 23
"""A frame has 512 entries, and a reference 32 bits (public grant_table.h)."""
PATH = re.compile(r"(?:domain|cpu|vcpu[0-7]|evtchn[0-9]{1,4})\.[A-Za-z_][\w.\[\]]*")
"""A field of the core's structures."""
RESULTS = frozenset({Name.ANY_ERROR, Name.VERSION})
"""Of a result alone."""
PLACES = frozenset(Name) - RESULTS


def read_scenarios(
    top: Table, entries: Mapping[str, Entry], constants: Mapping[str, int]
) -> tuple[Scenario, ...]:
    tables = top.items("scenario")
    if len(tables) > MAX_SCENARIOS:
        raise top.error("scenario", f"more than {MAX_SCENARIOS}")
    found: dict[str, Scenario] = {}
    for table in tables:
        scenario = Reader(table, entries, constants).scenario()
        if scenario.name in found:
            raise table.error("name", "there is another scenario of that name")
        for name in scenario.before:
            if name not in found:
                raise table.error("before", f"no scenario {name!r} above")
        found[scenario.name] = scenario
    return tuple(found.values())


def read_value(table: Table, key: str, value: Any, constants: Mapping[str, int]) -> Value:
    """A number, a place, or the number that a name of the ABI or a constant stands for."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value in PLACES:
            return Name(value)
        number = constants.get(value, abi.named_value(value))
        if number is not None:
            return number
        if value.lstrip("-").isdecimal():
            return int(value)
    raise table.error(key, f"{value!r} is neither a number nor a known name")


class Reader:
    """Reads one scenario and checks every name in it."""

    def __init__(
        self, table: Table, entries: Mapping[str, Entry], constants: Mapping[str, int]
    ) -> None:
        self.table = table
        self.entries = entries
        self.constants = constants

    def scenario(self, entry: str = "") -> Scenario:
        """``entry``: of a table that names none."""
        table = self.table
        name = table.text("name")
        if not name or not all(c.isalnum() or c in " _-.+" for c in name):
            raise table.error("name", "only letters, digits, spaces and _-.+ are allowed")
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
            buffer=self._value("buffer", table.raw.get("buffer", Name.BUFFER))
            if table.has("buffer")
            else Name.BUFFER,
            fields=self._struct_fields("fields", operation, modes),
            ports=self._ports("ports"),
            data=self._pairs("data"),
            state=self._paths("state"),
            before=table.texts("before"),
            needs=table.texts("needs"),
            lacks=table.texts("lacks"),
            l0=self._setup(),
            repeat=repeat,
            fail=table.texts("fail"),
            explore=table.flag("explore", True),
            result=self._results(),
            expect=self._expected(),
            silent=table.flag("silent"),
            out=self._struct_fields("out", operation, modes),
            frames=self._frames(),
            masked=table.integer("masked") if table.has("masked") else None,
            first_page=self._first_page(),
            may_lack=table.flag("may_lack"),
            after=self._ports("after"),
            leaves=self._paths("leaves"),
            start_info=self._start_info(modes),
            called=table.texts("called"),
            order=table.texts("order"),
            each_vcpu=table.texts("each_vcpu"),
            not_called=table.texts("not_called"),
            ends=table.flag("ends"),
        )
        table.done()
        return scenario

    def _modes(self) -> tuple[Mode, ...]:
        wanted = self.table.texts("modes", tuple(Mode))
        modes = tuple(mode for mode in Mode if mode in wanted)
        unknown = set(wanted) - set(Mode)
        if unknown or not modes:
            raise self.table.error("modes", "of 64 and compat, at least one")
        return modes

    def _value(self, key: str, value: Any) -> Value:
        return read_value(self.table, key, value, self.constants)

    def _values(self, key: str) -> tuple[Value, ...]:
        return tuple(self._value(key, value) for value in self.table.array(key))

    def _pairs(self, key: str) -> tuple[tuple[str, Value], ...]:
        inner = self.table.table(key, optional=True)
        return tuple(
            (name, self._value(f"{key}.{name}", value)) for name, value in inner.raw.items()
        )

    def _paths(self, key: str) -> tuple[tuple[str, Value], ...]:
        pairs = self._pairs(key)
        for name, _ in pairs:
            if not PATH.fullmatch(name):
                raise self.table.error(
                    f"{key}.{name}", "domain., cpu., vcpuN. or evtchnN. and a field"
                )
        return pairs

    def _start_info(self, modes: tuple[Mode, ...]) -> tuple[tuple[str, Value], ...] | None:
        if not self.table.has("start_info"):
            return None
        pairs = self._pairs("start_info")
        for name, _ in pairs:
            if any(abi.START_INFO[mode].member(name) is None for mode in modes):
                known = ", ".join(m.name for m in abi.START_INFO[Mode.NATIVE].members)
                raise self.table.error(f"start_info.{name}", f"struct start_info has: {known}")
        return pairs

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
            Name(value)
            if isinstance(value, str) and value in RESULTS
            else self._value("result", value)
            for value in (raw if isinstance(raw, list) else [raw])
        )

    def _ports(self, key: str) -> tuple[PortState, ...]:
        found = []
        for table in self.table.items(key):
            excluded, state = self._channel_state(table)
            found.append(
                PortState(
                    table.integer("number"),
                    state,
                    table.integer("vcpu") if table.has("vcpu") else None,
                    self._port_kind(table) if table.has("l0") else None,
                    excluded,
                    table.flag("pending") if table.has("pending") else None,
                )
            )
            table.done()
        return tuple(found)

    def _channel_state(self, table: Table) -> tuple[bool, ChannelState]:
        """Whether any state but this one is meant, and the state."""
        text = table.text("state")
        name = text.removeprefix("not ")
        if f"ECS_{name.upper()}" not in self.constants:
            raise table.error("state", f"constants has no ECS_{name.upper()}")
        if name not in set(ChannelState):
            raise table.error("state", f"{name!r} is none of {', '.join(ChannelState)}")
        return name != text, ChannelState(name)

    @staticmethod
    def _port_kind(table: Table) -> PortKind:
        text = table.text("l0")
        if text not in set(PortKind):
            raise table.error("l0", f"{text!r} is none of {', '.join(PortKind)}")
        return PortKind(text)

    def _setup(self) -> L0Setup:
        table = self.table.table("l0", optional=True)
        default = L0Setup()
        setup = L0Setup(
            domid=table.within("domid", 0, LAST_DOMID, default.domid),
            vcpus=table.within("vcpus", 1, MAX_VCPUS, default.vcpus),
            first_port=table.within("first_port", 0, NR_PORTS, default.first_port),
            nr_grant_frames=table.within(
                "nr_grant_frames", 0, MAX_GRANT_FRAMES, default.nr_grant_frames
            ),
            max_grant_frames=table.within(
                "max_grant_frames", 0, MAX_GRANT_FRAMES, default.max_grant_frames
            ),
            suspend=table.within("suspend", 0, 1, default.suspend),
            resumed=self._params(table),
        )
        table.done()
        return setup

    def _frames(self) -> int | None:
        if not self.table.has("frames"):
            return None
        frames = self.table.integer("frames")
        if not 0 <= frames <= MAX_FRAMES:
            raise self.table.error("frames", f"0 to {MAX_FRAMES}")
        if "frame_list" not in self.table.table("fields", optional=True).raw:
            raise self.table.error(
                "frames", "fields.frame_list says where they are, and is missing"
            )
        return frames

    def _first_page(self) -> int:
        page = self.table.integer("first_page", FIRST_UNUSED_PAGE)
        if not 0 <= page < MAX_PAGE:
            raise self.table.error("first_page", "no frame has that number (52 bits)")
        return page

    def _params(self, table: Table) -> tuple[tuple[int, int], ...]:
        found = []
        for name, value in table.integers("resumed").items():
            index = abi.CONSTANTS.get(name)
            if index is None or not name.startswith("HVM_PARAM_"):
                raise table.error(f"resumed.{name}", "no such parameter")
            found.append((index, value))
        return tuple(found)

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
